/* SPDX-License-Identifier: Apache-2.0 */
/* Moderations: what is wrong with a text, by category. Nobody counts tokens of it. */
#include "llm/json.h"
#include "llm/openai.h"

static bool is_request(const cJSON *body)
{
	return json_get(body, "input") != NULL;
}

static bool is_response(const cJSON *body)
{
	const cJSON *results = json_array(body, "results");

	return results && cJSON_IsObject(json_get(results->child, "categories"));
}

static void response(struct call *call, const cJSON *body)
{
	const cJSON *results = json_array(body, "results");

	openai_read_envelope(call, body);
	if (!results)
		return;
	cJSON_Delete(call->output);
	call->output = cJSON_Duplicate(cJSON_GetArraySize(results) == 1 ? results->child : results,
				       /* recurse */ 1);
}

static cJSON *input(const struct call *call)
{
	const cJSON *input = json_get(call->request, "input");

	if (!call->request)
		return call_request_text(call);
	return input ? cJSON_Duplicate(input, /* recurse */ 1) : NULL;
}

const struct dialect openai_moderations = {
	.name = "openai.moderations",
	.title = "OpenAI moderations",
	.generation_name = "OpenAI-generation",
	.operation = OPERATION_MODERATION,
	.routes = (const char *const[]){ "/moderations", NULL },
	.is_request = is_request,
	.is_response = is_response,
	.event = openai_read_event,
	.response = response,
	.input = input,
};
