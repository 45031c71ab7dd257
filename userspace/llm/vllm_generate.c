/* SPDX-License-Identifier: Apache-2.0 */
/*
 * vLLM's token-in token-out endpoint (/inference/v1/generate): ids on both sides,
 * which are counted. Its errors come as a finish reason of a good answer.
 */
#include <inttypes.h>

#include "llm/json.h"
#include "llm/openai.h"
#include "llm/servers.h"

static bool is_request(const cJSON *body)
{
	return json_array(body, "token_ids") != NULL;
}

static bool is_response(const cJSON *body)
{
	const cJSON *choices = json_array(body, "choices");

	return choices && cJSON_HasObjectItem(choices->child, "token_ids");
}

/* True when one of them has a token. call->sequence counts those of all. */
static bool read_choices(struct call *call, const cJSON *body)
{
	bool has_any = false;
	uint64_t position = 0;
	const cJSON *item;

	openai_read_envelope(call, body);
	cJSON_ArrayForEach(item, json_array(body, "choices")) {
		struct choice *choice = openai_choice(call, item, position++);
		const char *reason = json_string(item, "finish_reason");
		int tokens = cJSON_GetArraySize(json_array(item, "token_ids"));

		if (!choice)
			continue;
		call->sequence += (uint64_t)tokens;
		has_any |= tokens > 0;
		openai_read_finish(call, choice, item);
		call->is_error |= reason && strcmp(reason, "error") == 0;
	}
	return has_any;
}

static void event(struct call *call, const struct call_event *event)
{
	if (read_choices(call, event->data))
		call_chunk(call, event->time_ns);
}

static void response(struct call *call, const cJSON *body)
{
	read_choices(call, body);
}

static cJSON *input(const struct call *call)
{
	return call->request ? chat_prompt(json_get(call->request, "token_ids")) : call_request_text(call);
}

static cJSON *output(const struct call *call)
{
	char text[48];

	if (!call->choice_count)
		return NULL;
	snprintf(text, sizeof(text), "[%" PRIu64 " tokens]", call->sequence);
	return cJSON_CreateString(text);
}

static cJSON *model_parameters(const struct call *call)
{
	const cJSON *sampling = json_get(call->request, "sampling_params");

	return sampling ? cJSON_Duplicate(sampling, /* recurse */ 1) : NULL;
}

const struct dialect vllm_generate = {
	.name = "vllm.generate",
	.title = "vLLM generate (token ids)",
	.streams = "SSE",
	.generation_name = "vLLM-generation",
	.operation = OPERATION_TEXT_COMPLETION,
	.routes = (const char *const[]){ "/inference/v1/generate", NULL },
	.is_request = is_request,
	.is_response = is_response,
	.event = event,
	.response = response,
	.input = input,
	.output = output,
	.model_parameters = model_parameters,
};
