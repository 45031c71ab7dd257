/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Usage of Messages: what stands under input_tokens excludes the cache, and a
 * stream tells it in two events. message_start has the input; the output that it
 * states is only what was written so far (1, as a rule), and so is not taken.
 * message_delta is cumulative and may know more of the input, too, when the
 * server's own tools added to it.
 *
 * Source: Anthropic API reference, Messages, "usage" and "Streaming messages".
 */
#include "llm/anthropic.h"
#include "llm/json.h"

/* The former count where this object says nothing. */
static uint64_t newer(uint64_t former, const cJSON *json, const char *name)
{
	uint64_t count = json_count(json, name);

	return count == COUNT_UNKNOWN ? former : count;
}

/* Cache writes: of five minutes, of an hour, and what is neither. A zero of the
 * split says nothing that the sum does not. */
static void read_cache_writes(struct usage *usage, const cJSON *json)
{
	const cJSON *split = json_get(json, "cache_creation");
	uint64_t *rest = &usage->tokens[USAGE_INPUT_CACHE_CREATION];
	uint64_t *five = &usage->tokens[USAGE_INPUT_CACHE_5M];
	uint64_t *hour = &usage->tokens[USAGE_INPUT_CACHE_1H];
	uint64_t sum = newer(usage_sum(*rest, usage_sum(*five, *hour)), json, "cache_creation_input_tokens");

	*five = newer(*five, split, "ephemeral_5m_input_tokens");
	*hour = newer(*hour, split, "ephemeral_1h_input_tokens");
	*five = *five ? *five : COUNT_UNKNOWN;
	*hour = *hour ? *hour : COUNT_UNKNOWN;
	*rest = usage_less(usage, usage_less(usage, sum, *five), *hour);
	if (*rest == 0 && usage_sum(*five, *hour) != COUNT_UNKNOWN)
		*rest = COUNT_UNKNOWN;
}

static void read_tools(struct call *call, const cJSON *tools)
{
	static const struct { const char *name, *fact; } counts[] = {
		{ "web_search_requests", "webSearchRequests" },
		{ "web_fetch_requests", "webFetchRequests" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(counts); i++) {
		const cJSON *count = json_get(tools, counts[i].name);

		if (cJSON_IsNumber(count))
			call_fact(call, counts[i].fact, cJSON_Duplicate(count, /* recurse */ 0));
	}
}

void anthropic_read_input(struct call *call, const cJSON *json)
{
	struct usage *usage = &call->usage;
	uint64_t *tokens = usage->tokens;

	if (!cJSON_IsObject(json))
		return;
	if (!usage->is_reported)
		usage_begin(usage);
	tokens[USAGE_INPUT] = newer(tokens[USAGE_INPUT], json, "input_tokens");
	tokens[USAGE_INPUT_CACHED] = newer(tokens[USAGE_INPUT_CACHED], json, "cache_read_input_tokens");
	read_cache_writes(usage, json);
	read_tools(call, json_get(json, "server_tool_use"));
	call_set(call, &call->service_tier, json_string(json, "service_tier"));
	if (json_string(json, "speed"))
		call_fact(call, "speed", cJSON_CreateString(json_string(json, "speed")));
}

void anthropic_read_output(struct call *call, const cJSON *json)
{
	const cJSON *cost = json_get(json, "cost");	/* OpenRouter's */
	struct usage *usage = &call->usage;

	if (!cJSON_IsObject(json))
		return;
	if (!usage->is_reported)
		usage_begin(usage);
	/* Thinking stays in the output, whatever the model: it has the output's price. */
	usage->output_tokens = newer(usage->output_tokens, json, "output_tokens");
	usage->tokens[USAGE_OUTPUT] = usage->output_tokens;
	usage->reasoning_tokens = newer(usage->reasoning_tokens, json_get(json, "output_tokens_details"),
					"thinking_tokens");
	if (usage->output_tokens != COUNT_UNKNOWN)
		usage_add_up(usage);
	if (cJSON_IsNumber(cost) && cost->valuedouble >= 0)
		usage->cost = cost->valuedouble;
}
