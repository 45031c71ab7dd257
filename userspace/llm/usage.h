/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Tokens of a call in the buckets that Langfuse prices: disjoint, each token in
 * one of them, whatever the provider's own overlaps (wire formats differ in what
 * "input" includes).
 */
#ifndef GENTAP_LLM_USAGE_H
#define GENTAP_LLM_USAGE_H

#include <cjson/cJSON.h>

#include "base/base.h"

#define COUNT_UNKNOWN UINT64_MAX

/* X(NAME, "key"): the keys of usageDetails. */
#define USAGE_BUCKETS(X)									\
	X(INPUT,		"input")		/* what no other input bucket holds */	\
	X(INPUT_CACHED,		"input_cached_tokens")						\
	X(INPUT_CACHE_CREATION,	"input_cache_creation")	/* less those of 5m and 1h */		\
	X(INPUT_CACHE_5M,	"input_cache_creation_5m")					\
	X(INPUT_CACHE_1H,	"input_cache_creation_1h")					\
	X(INPUT_TEXT,		"input_text_tokens")	/* audio and realtime models: in place */ \
	X(INPUT_AUDIO,		"input_audio_tokens")	/* of INPUT */				\
	X(INPUT_CACHED_TEXT,	"input_cached_text_tokens")					\
	X(INPUT_CACHED_AUDIO,	"input_cached_audio_tokens")					\
	X(OUTPUT,		"output")							\
	X(OUTPUT_REASONING,	"output_reasoning_tokens")					\
	X(OUTPUT_TEXT,		"output_text_tokens")						\
	X(OUTPUT_AUDIO,		"output_audio_tokens")						\
	X(TOTAL,		"total")		/* not a bucket: all of them */

enum usage_bucket {
#define X(name, key) USAGE_##name,
	USAGE_BUCKETS(X)
#undef X
	USAGE_COUNT
};

const char *usage_key(enum usage_bucket bucket);

struct usage {
	uint64_t tokens[USAGE_COUNT];	/* COUNT_UNKNOWN: not said */
	uint64_t output_tokens;		/* all output tokens, for TPOT: not a bucket */
	uint64_t reasoning_tokens;	/* of those, reasoning, split off or not: not a bucket */
	double cost;			/* US dollars as the provider stated; NAN unknown */
	bool is_reported;		/* a usage object was seen */
	bool is_inconsistent;		/* a difference was negative and was clamped to 0 */
};

/* Nothing known. */
void usage_init(struct usage *usage);
/* Forgets the tokens, keeps the cost; is_reported from here on. For usage objects
 * that replace all that was said before. */
void usage_begin(struct usage *usage);

/* @from less @part; an unknown part is none. A negative difference is 0 and marks
 * the usage as inconsistent. */
uint64_t usage_less(struct usage *usage, uint64_t from, uint64_t part);
/* @a and @b; unknown only when both are. */
uint64_t usage_sum(uint64_t a, uint64_t b);
/* TOTAL becomes the sum of the buckets, where the provider states none. */
void usage_add_up(struct usage *usage);

/* Whether Langfuse has a price for reasoning tokens of the model: only then they
 * are split from the output, as a bucket without a price costs nothing. */
bool usage_splits_reasoning(const char *model);
/* Sets OUTPUT, OUTPUT_REASONING, output_tokens and reasoning_tokens of counts that
 * include each other: @output has @reasoning in it. */
void usage_set_output(struct usage *usage, const char *model, uint64_t output, uint64_t reasoning);

#endif
