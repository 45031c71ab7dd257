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

static cJSON *input(const struct call *call)
{
	static const char *const parts[] = { "prompt", "suffix", NULL };

	return call_request_members(call, parts);
}

const struct dialect mistral_fim = {
	.name = "mistral.fim",
	.title = "Mistral fill-in-the-middle",
	.streams = "SSE",
	.generation_name = "Mistral-generation",
	.operation = OPERATION_TEXT_COMPLETION,
	.routes = (const char *const[]){ "/fim/completions", NULL },
	.is_request = is_request,
	.is_response = openai_is_chat_response,
	.event = openai_read_chat_event,
	.response = openai_read_chat_response,
	.input = input,
	.output = text_output,
	.parameters = (const char *const[]){
		"temperature", "top_p", "max_tokens", "min_tokens", "stop", "random_seed", NULL,
	},
};
