/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Rerank, as Cohere words it and vLLM, SGLang, llama.cpp, Jina and others repeat it:
 * a query and documents in, their order with scores out. TEI has "texts" for
 * documents and answers with the bare array.
 * https://docs.cohere.com/reference/rerank
 */
#include "llm/json.h"
#include "llm/openai.h"
#include "llm/servers.h"

static bool is_request(const cJSON *body)
{
	return json_get(body, "query") && (json_array(body, "documents") || json_array(body, "texts"));
}

static bool is_result(const cJSON *item)
{
	return json_get(item, "index") && (json_get(item, "relevance_score") || json_get(item, "score"));
}

static const cJSON *results_of(const cJSON *body)
{
	const cJSON *results = cJSON_IsArray(body) ? body : json_array(body, "results");

	return results && is_result(results->child) ? results : NULL;
}

static bool is_response(const cJSON *body)
{
	return results_of(body) != NULL;
}

/* Cohere bills searches, not tokens. */
static void read_billing(struct call *call, const cJSON *meta)
{
	const cJSON *billed = json_get(meta, "billed_units");

	call_fact(call, "billedUnits", billed ? cJSON_Duplicate(billed, /* recurse */ 1) : NULL);
	if (cJSON_IsObject(json_get(meta, "tokens")))
		openai_read_usage(call, json_get(meta, "tokens"));
}

static void response(struct call *call, const cJSON *body)
{
	const cJSON *results = results_of(body);

	openai_read_envelope(call, body);
	read_billing(call, json_get(body, "meta"));
	if (!results)
		return;
	cJSON_Delete(call->output);
	call->output = cJSON_Duplicate(results, /* recurse */ 1);
}

static cJSON *input(const struct call *call)
{
	static const char *const names[] = { "query", "documents", "texts", NULL };

	return call_request_members(call, names);
}

const struct dialect rerank = {
	.name = "rerank",
	.title = "Rerank (Cohere, vLLM and others)",
	.generation_name = "Rerank",
	.operation = OPERATION_RERANK,
	.routes = (const char *const[]){ "/rerank", "/reranking", "/invocations", NULL },
	.is_request = is_request,
	.is_response = is_response,
	.event = openai_read_event,
	.response = response,
	.input = input,
	.parameters = (const char *const[]){
		"top_n", "max_tokens_per_doc", "max_chunks_per_doc", "return_documents", "truncate",
		"truncate_prompt_tokens", "raw_scores", NULL,
	},
};
