/* SPDX-License-Identifier: Apache-2.0 */
/*
 * SGLang's own generate (docs/basic_usage/native_api). The text of a stream is
 * cumulative, unless the server runs with incremental output; counts are in every
 * event. A batch answers with an array; in a stream its items carry an index.
 */
#include "llm/chat.h"
#include "llm/json.h"
#include "llm/servers.h"

static bool is_request(const cJSON *body)
{
	return json_get(body, "text") || json_get(body, "input_ids") || json_get(body, "input_embeds");
}

static bool is_response(const cJSON *body)
{
	if (cJSON_IsArray(body))
		body = body->child;
	return cJSON_IsObject(json_get(body, "meta_info"));
}

/* Answers to each prompt. */
static uint64_t sample_count(const struct call *call)
{
	uint64_t n = json_count(json_get(call->request, "sampling_params"), "n");

	return n == COUNT_UNKNOWN || !n ? 1 : n;
}

static uint64_t answer_count(const struct call *call)
{
	const cJSON *prompts = json_array(call->request, "text");

	if (!prompts)
		prompts = json_array(call->request, "input_ids");
	if (!prompts || cJSON_IsNumber(prompts->child))	/* tokens of one */
		return sample_count(call);
	return sample_count(call) * (uint64_t)cJSON_GetArraySize(prompts);
}

static uint64_t finished_count(const struct call *call)
{
	uint64_t count = 0;

	for (size_t i = 0; i < call->choice_count; i++)
		count += call->choices[i].finish_reason.len > 0;
	return count;
}

/* The last counts of an answer are its own, those of several answers add up: a
 * stream's when they are finished, and known when all are. A prompt counts once,
 * whatever the number of answers to it. */
static void read_usage(struct call *call, const cJSON *meta, uint64_t index)
{
	struct usage *usage = &call->usage;
	uint64_t input = json_count(meta, "prompt_tokens"), cached = json_count(meta, "cached_tokens");
	uint64_t output = json_count(meta, "completion_tokens"), answers = answer_count(call);

	if (input == COUNT_UNKNOWN && output == COUNT_UNKNOWN)
		return;
	if (answers == 1)
		usage_begin(usage);
	if (index % sample_count(call) == 0) {
		usage->tokens[USAGE_INPUT] =
			usage_sum(usage->tokens[USAGE_INPUT], usage_less(usage, input, cached));
		usage->tokens[USAGE_INPUT_CACHED] = usage_sum(usage->tokens[USAGE_INPUT_CACHED], cached);
	}
	usage_set_output(usage, "", usage_sum(usage->tokens[USAGE_OUTPUT], output), COUNT_UNKNOWN);
	usage->tokens[USAGE_TOTAL] = COUNT_UNKNOWN;
	usage_add_up(usage);
	usage->is_reported = answers == 1 || finished_count(call) >= answers;
	if (!usage->is_reported)
		usage->output_tokens = COUNT_UNKNOWN;
}

static void read_finish(struct call *call, struct choice *choice, const cJSON *finish)
{
	const char *type = cJSON_IsString(finish) ? finish->valuestring : json_string(finish, "type");

	call_set(call, &choice->finish_reason, type);
	if (!type || strcmp(type, "abort") != 0)
		return;
	call->is_error = true;
	call_set(call, &call->error_message, json_string(finish, "message"));
	call_set(call, &call->error_type, json_string(finish, "err_type"));
}

/* What of @text is behind what is there. */
static const char *new_text(const struct choice *choice, const char *text)
{
	size_t len = choice->content.len;

	return len && strncmp(text, buf_text(&choice->content), len) == 0 ? text + len : text;
}

/* True when it bears content. */
static bool read_answer(struct call *call, const cJSON *body, uint64_t position)
{
	const cJSON *meta = json_get(body, "meta_info");
	const char *text = json_string(body, "text");
	uint64_t index = json_count(body, "index");
	struct choice *choice;
	bool has_any = false, was_finished;

	/* Cut inside of the text, it has no meta_info. */
	if (!cJSON_IsObject(meta) && !text)
		return false;
	choice = call_choice(call, index == COUNT_UNKNOWN ? position : index);
	if (!choice)
		return false;
	if (text) {
		choice->has_content = true;
		has_any = chat_add(call, &choice->content, new_text(choice, text));
	}
	if (!call->response_id.len)	/* of several answers, the first one's */
		call_set(call, &call->response_id, json_string(meta, "id"));
	call->provider_hint = "sglang";
	was_finished = choice->finish_reason.len > 0;
	read_finish(call, choice, json_get(meta, "finish_reason"));
	if (answer_count(call) == 1 || (!was_finished && choice->finish_reason.len))
		read_usage(call, meta, choice->index);
	return has_any;
}

static void event(struct call *call, const struct call_event *event)
{
	if (read_answer(call, event->data, 0))
		call_chunk(call, event->time_ns);
}

static void response(struct call *call, const cJSON *body)
{
	const cJSON *item;
	uint64_t position = 0;

	if (!cJSON_IsArray(body)) {
		read_answer(call, body, 0);
		return;
	}
	cJSON_ArrayForEach(item, body)
		read_answer(call, item, position++);
}

/* The prompt alone, or with the media that belong to it. */
static cJSON *input(const struct call *call)
{
	static const char *const media[] = { "image_data", "audio_data", NULL };
	const cJSON *text = json_get(call->request, "text");
	cJSON *prompt, *input;

	if (!call->request)
		return call_request_text(call);
	prompt = chat_prompt(text ? text : json_get(call->request, "input_ids"));
	input = json_members(call->request, media);
	if (!input)
		return prompt;
	json_add(input, "text", prompt);
	return input;
}

static cJSON *parameters(const struct call *call)
{
	const cJSON *given = json_get(call->request, "sampling_params");

	return cJSON_IsObject(given) && given->child ? cJSON_Duplicate(given, /* recurse */ 1) : NULL;
}

const struct dialect sglang_generate = {
	.name = "sglang.generate",
	.title = "SGLang generate",
	.streams = "SSE",
	.generation_name = "SGLang-generation",
	.operation = OPERATION_TEXT_COMPLETION,
	.routes = (const char *const[]){ "/generate", NULL },
	.is_request = is_request,
	.is_response = is_response,
	.event = event,
	.response = response,
	.input = input,
	.output = text_output,
	.model_parameters = parameters,
};
