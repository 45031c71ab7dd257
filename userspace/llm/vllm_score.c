/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vLLM's score: how near texts are to each other (its docs/models/pooling_models/scoring.md). SGLang's /v1/score
 * has a query and items, and answers with the bare scores.
 */
#include "llm/json.h"
#include "llm/openai.h"
#include "llm/servers.h"

static const char *const texts[] = {
	"text_1", "text_2", "queries", "documents", "items", "data_1", "data_2", "query", NULL,
};

static bool is_request(const cJSON *body)
{
	return json_get(body, "text_1") || json_get(body, "data_1") ||
	       json_get(body, "queries") || (json_get(body, "query") && json_get(body, "items"));
}

static bool is_response(const cJSON *body)
{
	const cJSON *data = json_array(body, "data");

	return (data && json_get(data->child, "score")) || json_array(body, "scores");
}

static void response(struct call *call, const cJSON *body)
{
	const cJSON *scores = json_array(body, "scores"), *item;

	openai_read_envelope(call, body);
	cJSON_Delete(call->output);
	call->output = scores ? cJSON_Duplicate(scores, /* recurse */ 1) : NULL;
	if (scores || !json_array(body, "data"))
		return;
	call->output = cJSON_CreateArray();
	cJSON_ArrayForEach(item, json_array(body, "data"))
		json_append(call->output, json_get(item, "score")
			    ? cJSON_Duplicate(json_get(item, "score"), /* recurse */ 1) : cJSON_CreateNull());
}

static cJSON *input(const struct call *call)
{
	return call_request_members(call, texts);
}

const struct dialect vllm_score = {
	.name = "vllm.score",
	.title = "vLLM and SGLang score",
	.generation_name = "Score",
	.operation = OPERATION_SCORE,
	.routes = (const char *const[]){ "/score", "/invocations", NULL },
	.is_request = is_request,
	.is_response = is_response,
	.event = openai_read_event,
	.response = response,
	.input = input,
	.parameters = (const char *const[]){ "truncate_prompt_tokens", "label_token_ids", "apply_softmax", NULL },
};
