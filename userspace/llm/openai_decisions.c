/* SPDX-License-Identifier: Apache-2.0 */
/* Decisions: questions about an input, each answered with probabilities. */
#include "llm/json.h"
#include "llm/openai.h"

static bool is_request(const cJSON *body)
{
	return json_array(body, "questions") && json_get(body, "input");
}

static bool is_response(const cJSON *body)
{
	return json_array(body, "answers") != NULL;
}

static void response(struct call *call, const cJSON *body)
{
	const cJSON *answers = json_array(body, "answers"), *answer;

	openai_read_envelope(call, body);
	if (!answers)
		return;
	cJSON_Delete(call->output);
	call->output = cJSON_Duplicate(answers, /* recurse */ 1);
	cJSON_ArrayForEach(answer, answers) {
		const char *type = json_string(answer, "type");

		if (type && strcmp(type, "refusal") == 0)
			call_refuse(call, NULL);
	}
}

static cJSON *input(const struct call *call)
{
	static const char *const names[] = { "input", "questions", NULL };

	return call_request_members(call, names);
}

const struct dialect openai_decisions = {
	.name = "openai.decisions",
	.title = "OpenAI decisions",
	.generation_name = "OpenAI-generation",
	.operation = OPERATION_DECISION,
	.routes = (const char *const[]){ "/decisions", NULL },
	.is_request = is_request,
	.is_response = is_response,
	.event = openai_read_event,
	.response = response,
	.input = input,
};
