/* SPDX-License-Identifier: Apache-2.0 */
/*
 * llama.cpp's own completion and infill (tools/server/README.md). /completions without
 * /v1 is its own here and OpenAI's elsewhere: the answer tells.
 */
#include "llm/chat.h"
#include "llm/error.h"
#include "llm/json.h"
#include "llm/servers.h"

static bool is_request(const cJSON *body)
{
	return json_get(body, "prompt") || json_get(body, "input_prefix");
}

static bool is_response(const cJSON *body)
{
	if (cJSON_IsArray(body))
		body = body->child;
	/* Progress comes before the first token, and has no content. */
	return (json_string(body, "content") && cJSON_IsBool(json_get(body, "stop"))) ||
	       cJSON_IsObject(json_get(body, "prompt_progress"));
}

/* How many answers are to come. Numbers in the array are tokens of one prompt, which
 * may have texts between them. */
static size_t prompt_count(const struct call *call)
{
	const cJSON *prompt = json_array(call->request, "prompt"), *item;

	cJSON_ArrayForEach(item, prompt)
		if (cJSON_IsNumber(item))
			return 1;
	return prompt && prompt->child ? (size_t)cJSON_GetArraySize(prompt) : 1;
}

/* Counts of several prompts add up. */
static void read_usage(struct call *call, const cJSON *body)
{
	const cJSON *timings = json_get(body, "timings");
	struct usage *usage = &call->usage;
	uint64_t input = json_count(timings, "prompt_n"), cached = json_count(timings, "cache_n");
	uint64_t output = json_count(body, "tokens_predicted");

	/* tokens_evaluated has the cached ones in it, but not how many they are. */
	if (input == COUNT_UNKNOWN)
		input = json_count(body, "tokens_evaluated");
	if (input == COUNT_UNKNOWN && output == COUNT_UNKNOWN)
		return;
	usage->is_reported = true;
	usage->tokens[USAGE_INPUT] = usage_sum(usage->tokens[USAGE_INPUT], input);
	usage->tokens[USAGE_INPUT_CACHED] = usage_sum(usage->tokens[USAGE_INPUT_CACHED], cached);
	usage_set_output(usage, "", usage_sum(usage->tokens[USAGE_OUTPUT], output), COUNT_UNKNOWN);
	usage->tokens[USAGE_TOTAL] = COUNT_UNKNOWN;
	usage_add_up(usage);
}

static void read_end(struct call *call, struct choice *choice, const cJSON *body)
{
	const cJSON *timings = json_get(body, "timings");

	call_set(call, &choice->finish_reason, json_string(body, "stop_type"));
	call_set(call, &call->response_model, json_string(body, "model"));
	read_usage(call, body);
	if (timings && prompt_count(call) == 1)
		call_fact(call, "serverTimings", cJSON_Duplicate(timings, /* recurse */ 1));
	call->provider_hint = "llama.cpp";
}

/* One token of a stream, or a whole answer. True when it bears content. */
static bool read_answer(struct call *call, const cJSON *body, uint64_t position)
{
	uint64_t index = json_count(body, "index");
	const char *content = json_string(body, "content");
	struct choice *choice;
	bool has_any;

	if (!content)
		return false;
	choice = call_choice(call, index == COUNT_UNKNOWN ? position : index);
	if (!choice)
		return false;
	choice->has_content = true;
	has_any = chat_add(call, &choice->content, content);
	if (cJSON_IsTrue(json_get(body, "stop")))
		read_end(call, choice, body);
	return has_any;
}

static bool is_finished(const struct call *call)
{
	if (call->choice_count < prompt_count(call))	/* the others have not begun */
		return false;
	for (size_t i = 0; i < call->choice_count; i++)
		if (!call->choices[i].finish_reason.len)
			return false;
	return true;
}

static void event(struct call *call, const struct call_event *event)
{
	if (slice_eq(event->type, SLICE("error")) && !call->is_error)
		error_read_object(call, event->data);
	if (read_answer(call, event->data, 0))
		call_chunk(call, event->time_ns);
	if (cJSON_IsTrue(json_get(event->data, "stop")) && is_finished(call))
		call->end = CALL_DONE;
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

static cJSON *input(const struct call *call)
{
	static const char *const infill[] = { "input_prefix", "prompt", "input_suffix", "input_extra", NULL };

	if (!call->request)
		return call_request_text(call);
	if (json_get(call->request, "input_prefix"))
		return json_members(call->request, infill);
	return chat_prompt(json_get(call->request, "prompt"));
}

const struct dialect llamacpp_completion = {
	.name = "llamacpp.completion",
	.title = "llama.cpp completion, infill",
	.streams = "SSE",
	.generation_name = "llama.cpp-generation",
	.operation = OPERATION_TEXT_COMPLETION,
	.routes = (const char *const[]){ "/completion", "/completions", "/infill", NULL },
	.excludes = (const char *const[]){ "/chat/completions", "/v1/completions", "/fim/completions",
					   "/agents/completions", NULL },
	.is_request = is_request,
	.is_response = is_response,
	.event = event,
	.response = response,
	.input = input,
	.output = text_output,
	.parameters = (const char *const[]){
		"n_predict", "temperature", "top_k", "top_p", "min_p", "typical_p", "repeat_penalty",
		"presence_penalty", "frequency_penalty", "mirostat", "mirostat_tau", "mirostat_eta", "seed",
		"stop", "cache_prompt", "samplers", NULL,
	},
};
