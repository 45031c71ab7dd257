/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vLLM's pooling and classify: what a pooling model makes of a text, as vectors,
 * which are counted and measured, or as labels with probabilities.
 */
#include "llm/json.h"
#include "llm/openai.h"
#include "llm/servers.h"

static bool is_request(const cJSON *body)
{
	return json_get(body, "input") || json_array(body, "messages");
}

/* The first item of an answer's data. */
static const cJSON *first(const cJSON *body)
{
	return json_array(body, "data") ? json_array(body, "data")->child : NULL;
}

static bool is_pooled(const cJSON *body)
{
	const char *object = json_string(first(body), "object");

	return object && strcmp(object, "pooling") == 0;
}

static bool is_classified(const cJSON *body)
{
	return json_get(first(body), "probs") || json_get(first(body), "label") ||
	       json_array(body, "classifications");
}

/* A vector, or one for each token. */
static void pooled(struct call *call, const cJSON *body)
{
	const cJSON *vector = json_get(first(body), "data");

	openai_read_envelope(call, body);
	/* Of a body that was cut, nobody knows how many there were. */
	if (!json_array(body, "data") || call->end != CALL_DONE)
		return;
	if (cJSON_IsArray(vector) && cJSON_IsArray(vector->child))
		vector = vector->child;
	cJSON_Delete(call->output);
	call->output = vectors_note(vector_dimensions(vector), (size_t)cJSON_GetArraySize(json_array(body, "data")));
}

static void classified(struct call *call, const cJSON *body)
{
	const cJSON *items = json_array(body, "classifications");

	openai_read_envelope(call, body);
	if (!items)
		items = json_array(body, "data");
	if (!items)
		return;
	cJSON_Delete(call->output);
	call->output = cJSON_Duplicate(items, /* recurse */ 1);
}

static cJSON *input(const struct call *call)
{
	const cJSON *input = json_get(call->request, "input");

	if (!call->request)
		return call_request_text(call);
	return chat_prompt(input ? input : json_get(call->request, "messages"));
}

static const char *const parameters[] = {
	"task", "dimensions", "truncate_prompt_tokens", "use_activation", "normalize", "softmax", NULL,
};

const struct dialect vllm_pooling = {
	.name = "vllm.pooling",
	.title = "vLLM pooling",
	.generation_name = "Pooling",
	.operation = OPERATION_POOLING,
	.routes = (const char *const[]){ "/pooling", NULL },
	.is_request = is_request,
	.is_response = is_pooled,
	.event = openai_read_event,
	.response = pooled,
	.input = input,
	.parameters = parameters,
};

/* Cohere's, whose inputs have another name. */
static bool is_classify_request(const cJSON *body)
{
	return is_request(body) || json_get(body, "inputs");
}

static cJSON *classify_input(const struct call *call)
{
	static const char *const names[] = { "inputs", "examples", NULL };

	return json_get(call->request, "inputs") ? json_members(call->request, names) : input(call);
}

const struct dialect vllm_classify = {
	.name = "vllm.classify",
	.title = "vLLM and Cohere classify",
	.generation_name = "Classification",
	.operation = OPERATION_CLASSIFICATION,
	.routes = (const char *const[]){ "/classify", NULL },
	.is_request = is_classify_request,
	.is_response = is_classified,
	.event = openai_read_event,
	.response = classified,
	.input = classify_input,
	.parameters = parameters,
};
