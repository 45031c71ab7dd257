/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Transcription and translation of sound. The request is a form whose file is a
 * note; the answer JSON, events, or (by the request's response_format) plain text,
 * SRT or WebVTT. Usage is in tokens or in seconds.
 */
#include "llm/json.h"
#include "llm/openai.h"

static bool is_request(const cJSON *body)
{
	return json_get(body, "file") || json_get(body, "file_url") || json_get(body, "file_id");
}

/* vLLM streams chunks of a chat's form. */
static bool is_chunk(const cJSON *body)
{
	return text_is(json_string(body, "object"), "transcription.chunk") ||
	       text_is(json_string(body, "object"), "translation.chunk");
}

static bool is_response(const cJSON *body)
{
	const char *type = json_string(body, "type");

	return (type && strncmp(type, "transcript.", 11) == 0) || is_chunk(body) ||
	       (json_string(body, "text") && !json_get(body, "meta_info"));
}

static void add_text(struct call *call, const struct call_event *event, const char *text)
{
	struct choice *choice = text && *text ? call_choice(call, 0) : NULL;

	if (!choice)
		return;
	choice->has_content = true;
	call_add(call, &choice->content, text);
	call_chunk(call, event->time_ns);
}

static void read_chunk(struct call *call, const struct call_event *event)
{
	const cJSON *item = json_array(event->data, "choices") ? json_array(event->data, "choices")->child : NULL;

	add_text(call, event, json_string(json_get(item, "delta"), "content"));
	if (json_string(item, "finish_reason") && call_choice(call, 0))
		openai_read_finish(call, call_choice(call, 0), item);
}

static void set_output(struct call *call, cJSON *output)
{
	cJSON_Delete(call->output);
	call->output = output;
}

static void event(struct call *call, const struct call_event *event)
{
	const char *type = json_string(event->data, "type");

	openai_read_envelope(call, event->data);
	if (is_chunk(event->data))
		read_chunk(call, event);
	else if (text_is(type, "transcript.text.delta"))
		add_text(call, event, json_string(event->data, "delta"));
	if (!text_is(type, "transcript.text.done"))
		return;
	if (json_string(event->data, "text"))
		set_output(call, cJSON_CreateString(json_string(event->data, "text")));
	call->end = CALL_DONE;
}

/* The text, or all of what is more than a text. */
static void response(struct call *call, const cJSON *body)
{
	static const char *const elsewhere[] = { "usage", "logprobs" };
	cJSON *answer, *text;

	openai_read_envelope(call, body);
	if (!cJSON_IsObject(body))
		return;
	answer = cJSON_Duplicate(body, /* recurse */ 1);
	for (size_t i = 0; i < ARRAY_SIZE(elsewhere); i++)
		cJSON_DeleteItemFromObjectCaseSensitive(answer, elsewhere[i]);
	text = cJSON_GetObjectItemCaseSensitive(answer, "text");
	if (!cJSON_IsString(text) || cJSON_GetArraySize(answer) > 1) {
		set_output(call, answer);
		return;
	}
	set_output(call, cJSON_DetachItemViaPointer(answer, text));
	cJSON_Delete(answer);
}

static cJSON *input(const struct call *call)
{
	static const char *const names[] = { "file", "file_url", "file_id", "prompt", NULL };

	return call_request_members(call, names);
}

static cJSON *output(const struct call *call)
{
	return call->output ? call_output(call) : text_output(call);
}

#define ROUTES(name)	"/openai/deployments/{}/audio/" name, "/audio/" name

const struct dialect openai_transcription = {
	.name = "openai.transcription",
	.title = "OpenAI transcription and translation",
	.streams = "SSE",
	.generation_name = "OpenAI-generation",
	.operation = OPERATION_TRANSCRIPTION,
	.answers_text = true,
	.routes = (const char *const[]){ ROUTES("transcriptions"), ROUTES("translations"), NULL },
	.is_request = is_request,
	.is_response = is_response,
	.event = event,
	.response = response,
	.input = input,
	.output = output,
	.parameters = (const char *const[]){
		"language", "response_format", "temperature", "timestamp_granularities[]",
		"timestamp_granularities", "include[]", "chunking_strategy", NULL,
	},
};
