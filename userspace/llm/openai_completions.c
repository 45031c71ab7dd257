/* SPDX-License-Identifier: Apache-2.0 */
/* Legacy text completions: a prompt in, `choices[].text` out. */
#include "llm/json.h"
#include "llm/openai.h"

static bool is_request(const cJSON *body)
{
	return json_get(body, "prompt") != NULL;
}

static bool is_response(const cJSON *body)
{
	const char *object = json_string(body, "object");

	return json_array(body, "choices") || (object && strcmp(object, "text_completion") == 0);
}

/* True when one of the choices bears text. */
static bool read_choices(struct call *call, const cJSON *body)
{
	bool has_any = false;
	uint64_t position = 0;
	const cJSON *item;

	cJSON_ArrayForEach(item, json_array(body, "choices")) {
		const char *text = json_string(item, "text");
		struct choice *choice = openai_choice(call, item, position++);

		if (!choice)
			continue;
		if (text) {
			choice->has_content = true;
			has_any |= *text != '\0';
			call_add(call, &choice->content, text);
		}
		openai_read_finish(call, choice, item);
	}
	return has_any;
}

static void event(struct call *call, const struct call_event *event)
{
	openai_read_envelope(call, event->data);
	if (read_choices(call, event->data))
		call_chunk(call, event->time_ns);
}

static void response(struct call *call, const cJSON *body)
{
	openai_read_envelope(call, body);
	read_choices(call, body);
}

static cJSON *input(const struct call *call)
{
	if (!call->request)
		return call_request_text(call);
	return chat_prompt(json_get(call->request, "prompt"));
}

const struct dialect openai_completions = {
	.name = "openai.completions",
	.title = "OpenAI completions",
	.streams = "SSE",
	.generation_name = "OpenAI-generation",
	.operation = OPERATION_TEXT_COMPLETION,
	.routes = (const char *const[]){ "/openai/deployments/{}/completions", "/completions", "/invocations", NULL },
	.excludes = (const char *const[]){ "/chat/completions", "/fim/completions",
						"/agents/completions", NULL },
	.is_request = is_request,
	.is_response = is_response,
	.event = event,
	.response = response,
	.input = input,
	.output = text_output,
	.model_parameters = openai_parameters,
};
