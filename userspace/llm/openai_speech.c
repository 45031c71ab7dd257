/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Speech: a text becomes sound, as a body of some audio type or as events with
 * base64 in them. The sound is measured, not kept.
 */
#include "llm/json.h"
#include "llm/openai.h"

static bool is_request(const cJSON *body)
{
	return json_get(body, "input") && (json_get(body, "voice") || json_get(body, "voice_id"));
}

static bool is_response(const cJSON *body)
{
	const char *type = json_string(body, "type");

	return type && strncmp(type, "speech.audio.", 13) == 0;
}

static uint64_t decoded_len(const char *base64)
{
	size_t len = strlen(base64);

	while (len && base64[len - 1] == '=')
		len--;
	return len * 3 / 4;
}

/* call->sequence: bytes of sound so far. */
static void event(struct call *call, const struct call_event *event)
{
	const char *type = json_string(event->data, "type");
	const char *audio = json_string(event->data, "audio");

	openai_read_envelope(call, event->data);
	if (audio && *audio) {
		call->sequence += decoded_len(audio);
		call_chunk(call, event->time_ns);
	}
	if (type && strcmp(type, "speech.audio.done") == 0)
		call->end = CALL_DONE;
}

/* Some servers answer with JSON around the sound. */
static void response(struct call *call, const cJSON *body)
{
	const char *audio = json_string(body, "audio_data");

	openai_read_envelope(call, body);
	if (audio)
		call->sequence = decoded_len(audio);
}

static cJSON *input(const struct call *call)
{
	static const char *const names[] = { "input", "instructions", NULL };

	if (!call->request)
		return call_request_text(call);
	if (json_get(call->request, "instructions"))
		return json_members(call->request, names);
	return json_get(call->request, "input")
	       ? cJSON_Duplicate(json_get(call->request, "input"), /* recurse */ 1) : NULL;
}

static cJSON *output(const struct call *call)
{
	cJSON *note;

	if (call->output || !call->sequence)
		return call_output(call);
	note = cJSON_CreateObject();
	json_add_u64(note, "bytes", call->sequence);
	return note;
}

const struct dialect openai_speech = {
	.name = "openai.speech",
	.title = "OpenAI speech",
	.streams = "audio, SSE",
	.generation_name = "OpenAI-generation",
	.operation = OPERATION_SPEECH,
	.routes = (const char *const[]){ "/openai/deployments/{}/audio/speech", "/audio/speech", NULL },
	.is_request = is_request,
	.is_response = is_response,
	.event = event,
	.response = response,
	.input = input,
	.output = output,
	.parameters = (const char *const[]){ "voice", "voice_id", "speed", "response_format", NULL },
};
