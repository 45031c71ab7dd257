/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Mistral speaks OpenAI's chat grammar, also where the request is another one: fill in
 * the middle (prompt and suffix), whose answer is a chat's all the same.
 */
#include "llm/json.h"
#include "llm/openai.h"
#include "llm/servers.h"

static bool is_request(const cJSON *body)
{
	return json_string(body, "prompt") != NULL;
}

static bool is_response(const cJSON *body)
{
	return openai_chat.is_response(body);
}

static void event(struct call *call, const struct call_event *event)
{
	openai_chat.event(call, event);
}

static void response(struct call *call, const cJSON *body)
{
	openai_chat.response(call, body);
}

static cJSON *input(const struct call *call)
{
	static const char *const parts[] = { "prompt", "suffix", NULL };

	return call->request ? json_members(call->request, parts) : call_request_text(call);
}

static cJSON *parameters(const struct call *call)
{
	static const char *const names[] = {
		"temperature", "top_p", "max_tokens", "min_tokens", "stop", "random_seed", NULL,
	};

	return json_members(call->request, names);
}

const struct dialect mistral_fim = {
	.name = "mistral.fim",
	.title = "Mistral fill-in-the-middle",
	.streams = "SSE",
	.generation_name = "Mistral-generation",
	.operation = OPERATION_TEXT_COMPLETION,
	.routes = (const char *const[]){ "/fim/completions", NULL },
	.is_request = is_request,
	.is_response = is_response,
	.event = event,
	.response = response,
	.input = input,
	.output = text_output,
	.model_parameters = parameters,
};
