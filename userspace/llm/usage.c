/* SPDX-License-Identifier: Apache-2.0 */
#include "llm/usage.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

static const char *const keys[] = {
#define X(name, key) [USAGE_##name] = key,
	USAGE_BUCKETS(X)
#undef X
};
_Static_assert(ARRAY_SIZE(keys) == USAGE_COUNT, "every bucket has its key");

const char *usage_key(enum usage_bucket bucket)
{
	assert(bucket < USAGE_COUNT);
	return keys[bucket];
}

void usage_init(struct usage *usage)
{
	*usage = (struct usage){ .cost = NAN, .output_tokens = COUNT_UNKNOWN,
				 .reasoning_tokens = COUNT_UNKNOWN };
	for (int i = 0; i < USAGE_COUNT; i++)
		usage->tokens[i] = COUNT_UNKNOWN;
}

void usage_begin(struct usage *usage)
{
	double cost = usage->cost;

	usage_init(usage);
	usage->cost = cost;
	usage->is_reported = true;
}

uint64_t usage_less(struct usage *usage, uint64_t from, uint64_t part)
{
	if (from == COUNT_UNKNOWN || part == COUNT_UNKNOWN)
		return from;
	if (part > from) {
		usage->is_inconsistent = true;
		return 0;
	}
	return from - part;
}

uint64_t usage_sum(uint64_t a, uint64_t b)
{
	if (a == COUNT_UNKNOWN || b == COUNT_UNKNOWN)
		return a == COUNT_UNKNOWN ? b : a;
	return a + b;
}

void usage_add_up(struct usage *usage)
{
	uint64_t total = COUNT_UNKNOWN;

	for (int i = 0; i < USAGE_TOTAL; i++)
		total = usage_sum(total, usage->tokens[i]);
	usage->tokens[USAGE_TOTAL] = total;
}

static bool begins(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool usage_splits_reasoning(const char *model)
{
	if (begins(model, "gpt-5.4-mini") || begins(model, "gpt-5.4-nano"))
		return false;
	if (begins(model, "gpt-5") || begins(model, "gemini-2.5"))
		return true;
	if (begins(model, "gemini-") && model[7] >= '3' && model[7] <= '9')
		return true;
	return model[0] == 'o' && isdigit((unsigned char)model[1]);
}

void usage_set_output(struct usage *usage, const char *model, uint64_t output, uint64_t reasoning)
{
	usage->output_tokens = output;
	usage->reasoning_tokens = reasoning;
	usage->tokens[USAGE_OUTPUT] = output;
	usage->tokens[USAGE_OUTPUT_REASONING] = COUNT_UNKNOWN;
	if (output == COUNT_UNKNOWN || !usage_splits_reasoning(model))
		return;
	usage->tokens[USAGE_OUTPUT_REASONING] = reasoning;
	usage->tokens[USAGE_OUTPUT] = usage_less(usage, output, reasoning);
}
