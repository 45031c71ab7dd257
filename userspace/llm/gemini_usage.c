/* SPDX-License-Identifier: Apache-2.0 */
/*
 * usageMetadata: the prompt includes what was cached, but not what tools brought;
 * thoughts are beside the candidates. Every chunk of a stream has one, cumulative.
 *
 * Source: Gemini API reference, "UsageMetadata"; Interactions API reference, "Usage".
 */
#include "llm/gemini.h"
#include "llm/json.h"

/* Tokens of a modality in a list of details. */
static uint64_t count_of(const cJSON *usage, const char *details, const char *modality)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, json_array(usage, details)) {
		const char *name = json_string(item, "modality");

		if (name && strcmp(name, modality) == 0)
			return json_count(item, "tokenCount");
	}
	return COUNT_UNKNOWN;
}

/* Langfuse has a price of its own for audio with these models only. */
static bool is_audio_priced(const char *model)
{
	return usage_splits_reasoning(model) && strstr(model, "flash");
}

static void read_input(struct usage *usage, const char *model, const cJSON *json)
{
	uint64_t *tokens = usage->tokens, input;

	input = usage_sum(json_count(json, "promptTokenCount"), json_count(json, "toolUsePromptTokenCount"));
	tokens[USAGE_INPUT_CACHED] = json_count(json, "cachedContentTokenCount");
	if (is_audio_priced(model))
		tokens[USAGE_INPUT_AUDIO] = usage_less(usage, count_of(json, "promptTokensDetails", "AUDIO"),
						       count_of(json, "cacheTokensDetails", "AUDIO"));
	input = usage_less(usage, input, tokens[USAGE_INPUT_CACHED]);
	tokens[USAGE_INPUT] = usage_less(usage, input, tokens[USAGE_INPUT_AUDIO]);
}

/* Thoughts are beside the answer. */
static void set_output(struct usage *usage, const char *model, uint64_t answer, uint64_t thoughts)
{
	usage_set_output(usage, model, usage_sum(answer, thoughts), thoughts);
	/* What is left of thoughts alone is no count of an answer. */
	if (answer == COUNT_UNKNOWN && usage->tokens[USAGE_OUTPUT_REASONING] != COUNT_UNKNOWN)
		usage->tokens[USAGE_OUTPUT] = COUNT_UNKNOWN;
}

void gemini_read_usage(struct call *call, const cJSON *json)
{
	const char *model = call_model(call);
	const char *traffic = json_string(json, "trafficType");

	if (!cJSON_IsObject(json))
		return;
	usage_begin(&call->usage);
	read_input(&call->usage, model, json);
	set_output(&call->usage, model, json_count(json, "candidatesTokenCount"),
		   json_count(json, "thoughtsTokenCount"));
	call->usage.tokens[USAGE_TOTAL] = json_count(json, "totalTokenCount");
	if (traffic)
		call_fact(call, "trafficType", cJSON_CreateString(traffic));
}

void gemini_read_interaction_usage(struct call *call, const cJSON *json)
{
	struct usage *usage = &call->usage;
	uint64_t input;

	if (!cJSON_IsObject(json))
		return;
	usage_begin(usage);
	input = usage_sum(json_count(json, "total_input_tokens"), json_count(json, "total_tool_use_tokens"));
	usage->tokens[USAGE_INPUT_CACHED] = json_count(json, "total_cached_tokens");
	usage->tokens[USAGE_INPUT] = usage_less(usage, input, usage->tokens[USAGE_INPUT_CACHED]);
	set_output(usage, call_model(call), json_count(json, "total_output_tokens"),
		   json_count(json, "total_thought_tokens"));
	usage->tokens[USAGE_TOTAL] = json_count(json, "total_tokens");
}
