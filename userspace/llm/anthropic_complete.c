/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Text completions, the API before Messages: a prompt, one text, no usage. Its
 * stream sends pieces of the text, each in an object like a whole answer's.
 *
 * Source: Anthropic API reference, "Text Completions (legacy)".
 */
#include "llm/anthropic.h"
#include "llm/json.h"

static bool is_request(const cJSON *body)
{
	return json_string(body, "prompt") != NULL;
}

static bool is_response(const cJSON *body)
{
	return json_string(body, "completion") != NULL;
}

static bool read_body(struct call *call, const cJSON *body)
{
	struct choice *choice = is_response(body) ? call_choice(call, 0) : NULL;

	if (!choice)
		return false;
	call_set(call, &call->response_id, json_string(body, "id"));
	call_set(call, &call->response_model, json_string(body, "model"));
	call_set(call, &choice->finish_reason, json_string(body, "stop_reason"));
	choice->has_content = true;
	return chat_add(call, &choice->content, json_string(body, "completion"));
}

static void event(struct call *call, const struct call_event *event)
{
	const char *type = json_string(event->data, "type");

	if (read_body(call, event->data))
		call_chunk(call, event->time_ns);
	/* The last piece says why it is. */
	if (json_string(event->data, "stop_reason") || (type && strcmp(type, "error") == 0))
		call->end = CALL_DONE;
}

static void response(struct call *call, const cJSON *body)
{
	read_body(call, body);
}

static cJSON *input(const struct call *call)
{
	const cJSON *prompt = json_get(call->request, "prompt");

	return prompt ? cJSON_Duplicate(prompt, /* recurse */ 1) : call_request_text(call);
}

const struct dialect anthropic_complete = {
	.name = "anthropic.complete",
	.title = "Anthropic text completions (legacy)",
	.streams = "SSE",
	.generation_name = "Anthropic-completion",
	.operation = OPERATION_TEXT_COMPLETION,
	.routes = (const char *const[]){ "/v1/complete", NULL },
	.is_request = is_request,
	.is_response = is_response,
	.event = event,
	.response = response,
	.input = input,
	.output = text_output,
	.parameters = (const char *const[]){ "max_tokens_to_sample", "temperature", "top_p", "top_k", NULL },
};
