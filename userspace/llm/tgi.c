/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Hugging Face Text Generation Inference, its own API (docs/openapi.json): one event
 * is one token; the last one has the whole text. Counts stand in details, or, of whole
 * answers, in fields of the head.
 */
#include "llm/chat.h"
#include "llm/json.h"
#include "llm/servers.h"

static bool is_request(const cJSON *body)
{
	return json_get(body, "inputs") != NULL;
}

static bool is_response(const cJSON *body)
{
	if (cJSON_IsArray(body))
		body = body->child;
	return json_string(body, "generated_text") || cJSON_IsObject(json_get(body, "token"));
}

static void read_details(struct call *call, struct choice *choice, const cJSON *details)
{
	struct usage *usage = &call->usage;
	uint64_t input = json_count(details, "input_length");
	const cJSON *prefill = json_array(details, "prefill");

	if (!details)
		return;
	call_set(call, &choice->finish_reason, json_string(details, "finish_reason"));
	if (input == COUNT_UNKNOWN && prefill && prefill->child)
		input = (uint64_t)cJSON_GetArraySize(prefill);
	if (!usage->is_reported)
		usage_begin(usage);
	if (input != COUNT_UNKNOWN)
		usage->tokens[USAGE_INPUT] = input;
	usage_set_output(usage, "", json_count(details, "generated_tokens"), COUNT_UNKNOWN);
	if (usage->tokens[USAGE_INPUT] != COUNT_UNKNOWN)
		usage_add_up(usage);
}

/* The end has the whole text: it replaces the tokens'. */
static void read_text(struct call *call, struct choice *choice, const cJSON *body)
{
	const char *text = json_string(body, "generated_text");

	if (!text)
		return;
	choice->has_content = true;
	buf_reset(&choice->content);
	call_add(call, &choice->content, text);
	read_details(call, choice, json_get(body, "details"));
}

static void event(struct call *call, const struct call_event *event)
{
	const cJSON *token = json_get(event->data, "token");
	const char *text = json_string(token, "text");
	struct choice *choice = is_response(event->data) ? call_choice(call, 0) : NULL;

	if (!choice)
		return;
	/* "</s>" and the like are no part of the answer. */
	if (!cJSON_IsTrue(json_get(token, "special")) && chat_add(call, &choice->content, text)) {
		choice->has_content = true;
		call_chunk(call, event->time_ns);
	}
	if (!json_string(event->data, "generated_text"))
		return;
	read_text(call, choice, event->data);
	call->end = CALL_DONE;
}

static void response(struct call *call, const cJSON *body)
{
	struct choice *choice;

	if (cJSON_IsArray(body))
		body = body->child;
	choice = json_string(body, "generated_text") ? call_choice(call, 0) : NULL;
	if (choice)
		read_text(call, choice, body);
}

static uint64_t count_of(const struct http_head *head, const char *name)
{
	struct slice value;
	uint64_t count = 0;

	if (!http_field(head, name, &value) || !value.len || value.len > 12)
		return COUNT_UNKNOWN;
	for (size_t i = 0; i < value.len; i++) {
		if (value.ptr[i] < '0' || value.ptr[i] > '9')
			return COUNT_UNKNOWN;
		count = count * 10 + (uint64_t)(value.ptr[i] - '0');
	}
	return count;
}

static void read_timings(struct call *call, const struct http_head *response)
{
	static const char *const fields[] = {
		"x-queue-time", "x-inference-time", "x-validation-time", "x-total-time", "x-time-per-token",
	};
	cJSON *timings = cJSON_CreateObject();

	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		uint64_t count = count_of(response, fields[i]);

		if (count != COUNT_UNKNOWN)
			cJSON_AddNumberToObject(timings, fields[i] + 2, (double)count);
	}
	if (timings && timings->child)
		call_fact(call, "serverTimings", timings);
	else
		cJSON_Delete(timings);
}

static void head(struct call *call, const struct http_head *response)
{
	struct usage *usage = &call->usage;
	uint64_t input = count_of(response, "x-prompt-tokens");
	uint64_t output = count_of(response, "x-generated-tokens");

	read_timings(call, response);
	if (input == COUNT_UNKNOWN && output == COUNT_UNKNOWN)
		return;
	usage_begin(usage);
	usage->tokens[USAGE_INPUT] = input;
	usage_set_output(usage, "", output, COUNT_UNKNOWN);
	if (input != COUNT_UNKNOWN && output != COUNT_UNKNOWN)
		usage_add_up(usage);
}

static cJSON *input(const struct call *call)
{
	const cJSON *inputs = json_get(call->request, "inputs");

	if (!call->request)
		return call_request_text(call);
	return inputs ? cJSON_Duplicate(inputs, /* recurse */ 1) : NULL;
}

static cJSON *parameters(const struct call *call)
{
	const cJSON *given = json_get(call->request, "parameters");

	return given && given->child ? cJSON_Duplicate(given, /* recurse */ 1) : NULL;
}

const struct dialect tgi_generate = {
	.name = "tgi.generate",
	.title = "Hugging Face TGI generate",
	.streams = "SSE",
	.generation_name = "TGI-generation",
	.operation = OPERATION_TEXT_COMPLETION,
	.routes = (const char *const[]){ "/generate", "/generate_stream", NULL },
	.is_request = is_request,
	.is_response = is_response,
	.head = head,
	.event = event,
	.response = response,
	.input = input,
	.output = text_output,
	.model_parameters = parameters,
};
