/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Usage of the OpenAI family. Chat counts prompt_tokens and completion_tokens, all
 * endpoints after it input_tokens and output_tokens; details hang under three
 * spellings of a name. What a total includes is the same everywhere: cached and
 * audio tokens are of the input, reasoning and audio tokens of the output.
 */
#include "llm/json.h"
#include "llm/openai.h"

struct counts {
	uint64_t input, cached, cached_audio, cache_creation, input_audio;
	uint64_t output, reasoning, output_audio, total;
};

static const cJSON *first_object(const cJSON *json, const char *const *names)
{
	for (; *names; names++)
		if (cJSON_IsObject(json_get(json, *names)))
			return json_get(json, *names);
	return NULL;
}

static uint64_t first_count(const cJSON *json, const char *name, const char *other)
{
	uint64_t count = json_count(json, name);

	return count == COUNT_UNKNOWN ? json_count(json, other) : count;
}

static void read_input(struct counts *n, const cJSON *json)
{
	static const char *const names[] = {
		"prompt_tokens_details", "input_tokens_details", "input_token_details", NULL,
	};
	const cJSON *details = first_object(json, names);

	n->input = first_count(json, "prompt_tokens", "input_tokens");
	n->cached = json_count(details, "cached_tokens");
	if (n->cached == COUNT_UNKNOWN)
		n->cached = json_count(json, "prompt_cache_hit_tokens");
	n->cached_audio = json_count(json_get(details, "cached_tokens_details"), "audio_tokens");
	n->cache_creation = json_count(details, "cache_write_tokens");
	n->input_audio = json_count(details, "audio_tokens");
}

/* xAI's completion_tokens leave reasoning out; only the total tells. */
static bool excludes_reasoning(const struct counts *n)
{
	return n->reasoning && n->reasoning != COUNT_UNKNOWN && n->output != COUNT_UNKNOWN &&
	       n->input != COUNT_UNKNOWN && n->total != COUNT_UNKNOWN &&
	       n->total == n->input + n->output + n->reasoning;
}

static void read_output(struct counts *n, const cJSON *json)
{
	static const char *const names[] = {
		"completion_tokens_details", "output_tokens_details", "output_token_details", NULL,
	};
	const cJSON *details = first_object(json, names);

	n->output = first_count(json, "completion_tokens", "output_tokens");
	n->reasoning = json_count(details, "reasoning_tokens");
	n->output_audio = json_count(details, "audio_tokens");
	if (excludes_reasoning(n))
		n->output += n->reasoning;
}

/* Langfuse prices these by modality, and has no price for them in "input" and "output". */
static bool is_priced_by_modality(const char *model)
{
	return strstr(model, "-audio") || strstr(model, "-realtime");
}

static void move(uint64_t *tokens, enum usage_bucket from, enum usage_bucket to)
{
	tokens[to] = tokens[from];
	tokens[from] = COUNT_UNKNOWN;
}

static void set_input(struct usage *usage, const struct counts *n, bool is_by_modality)
{
	uint64_t *tokens = usage->tokens, rest;

	tokens[USAGE_INPUT_CACHED] = n->cached;
	tokens[USAGE_INPUT_CACHE_CREATION] = n->cache_creation;
	tokens[USAGE_INPUT_AUDIO] = usage_less(usage, n->input_audio, n->cached_audio);
	rest = usage_less(usage, n->input, n->cached);
	rest = usage_less(usage, rest, n->cache_creation);
	tokens[USAGE_INPUT] = usage_less(usage, rest, tokens[USAGE_INPUT_AUDIO]);
	if (!is_by_modality)
		return;
	move(tokens, USAGE_INPUT, USAGE_INPUT_TEXT);
	tokens[USAGE_INPUT_CACHED_AUDIO] = n->cached_audio;
	tokens[USAGE_INPUT_CACHED] = usage_less(usage, n->cached, n->cached_audio);
	move(tokens, USAGE_INPUT_CACHED, USAGE_INPUT_CACHED_TEXT);
}

static void set_output(struct usage *usage, const struct counts *n, const char *model, bool is_by_modality)
{
	uint64_t *tokens = usage->tokens;

	usage_set_output(usage, model, n->output, n->reasoning);
	tokens[USAGE_OUTPUT_AUDIO] = n->output_audio;
	tokens[USAGE_OUTPUT] = usage_less(usage, tokens[USAGE_OUTPUT], n->output_audio);
	if (is_by_modality)
		move(tokens, USAGE_OUTPUT, USAGE_OUTPUT_TEXT);
}

void openai_read_usage(struct call *call, const cJSON *json)
{
	static const char *const times[] = {	/* Groq's, in seconds */
		"queue_time", "prompt_time", "completion_time", "total_time", NULL,
	};
	const char *model = call_model(call);
	bool is_by_modality = is_priced_by_modality(model);
	struct counts n = { .total = json_count(json, "total_tokens") };
	const cJSON *cost = json_get(json, "cost");
	struct usage *usage = &call->usage;

	/* Of sound, where seconds are billed. */
	if (cJSON_IsNumber(json_get(json, "seconds")) && n.total == COUNT_UNKNOWN) {
		call_fact(call, "audioSeconds", cJSON_CreateNumber(json_get(json, "seconds")->valuedouble));
		return;
	}
	usage_begin(usage);
	read_input(&n, json);
	read_output(&n, json);
	set_input(usage, &n, is_by_modality);
	set_output(usage, &n, model, is_by_modality);
	usage->tokens[USAGE_TOTAL] = n.total;
	if (cJSON_IsNumber(cost) && cost->valuedouble >= 0)
		usage->cost = cost->valuedouble;
	call_fact(call, "serverTimings", json_members(json, times));
}
