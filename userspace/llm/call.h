/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The domain: one LLM API call, whatever the provider's grammar. This header is
 * the whole of it; dialects fill it, exporters read it.
 *
 * Absent means unknown: NULL, a false has_, or UINT64_MAX for counts. Zero is a
 * value. Times are CLOCK_MONOTONIC nanoseconds of the kernel, 0 when not seen.
 */
#ifndef GENTAP_LLM_CALL_H
#define GENTAP_LLM_CALL_H

#include <cjson/cJSON.h>

#include "base/buf.h"
#include "base/loss.h"

/* OTel gen_ai.operation.name: chat, text_completion, embeddings. */
enum operation { OPERATION_CHAT, OPERATION_TEXT_COMPLETION, OPERATION_EMBEDDINGS, OPERATION_COUNT };

const char *operation_name(enum operation operation);

#define COUNT_UNKNOWN UINT64_MAX

/* Disjoint buckets: each token is in one of them, whatever the provider's own
 * overlaps (wire formats differ in what "input" includes). */
struct usage {
	uint64_t input;			/* not cached, not cache writes, not audio */
	uint64_t input_cached;
	uint64_t input_cache_creation;
	uint64_t input_audio;
	uint64_t output;		/* not reasoning (if split), not audio */
	uint64_t output_reasoning;
	uint64_t output_audio;
	uint64_t total;
	uint64_t output_tokens;		/* all output tokens, for TPOT: not a bucket */
	uint64_t reasoning_tokens;	/* of those, reasoning, split off or not: not a bucket */
	double cost;			/* US dollars as the provider stated; NAN unknown */
	bool is_reported;		/* a usage object was seen */
	bool is_inconsistent;		/* a difference was negative and was clamped to 0 */
};

struct tool_call {
	struct buf id, type, name, arguments;
};

/* One answer of n. Bufs hold at most call.max_content bytes. */
struct choice {
	uint64_t index;
	struct buf role, content, reasoning, refusal;
	struct tool_call *tools;	/* owned */
	size_t tool_count;
	struct buf finish_reason;	/* raw */
	bool has_content;		/* content was present and not null */
};

/* How the call itself ended, as its protocol says. */
enum call_end {
	CALL_OPEN,		/* no end seen (yet) */
	CALL_DONE,		/* the protocol's own end: [DONE], terminal event, whole JSON body */
};

struct call_times {
	uint64_t request_first_ns, request_last_ns;
	uint64_t response_first_ns;	/* first byte of the response head */
	uint64_t first_event_ns;	/* first server-sent event */
	uint64_t first_token_ns;	/* first content-bearing event */
	uint64_t last_token_ns;		/* last content-bearing event */
	uint64_t end_ns;		/* protocol's end, or where it was cut */
};

struct dialect;

struct call {
	const struct dialect *dialect;
	enum operation operation;
	size_t max_content;		/* of each text kept */

	cJSON *request;			/* owned; NULL when it did not parse */
	struct buf request_text;	/* the raw text when request is NULL and it is not "" */
	bool is_stream;			/* the answer came as an event stream */
	bool has_shape;			/* something read had the dialect's shape */
	const char *provider_hint;	/* who answered, by keys of the body; static, NULL unknown */

	struct buf response_id, response_model, service_tier, system_fingerprint;
	struct choice *choices;		/* owned; in order of appearance */
	size_t choice_count;
	cJSON *output;			/* owned; dialects without choices put the output here */
	struct usage usage;

	bool is_error;			/* the provider said so, in any way */
	bool is_error_text;		/* error_message is the start of a body of no known shape */
	struct buf error_message, error_type;
	enum call_end end;

	struct call_times times;
	uint64_t chunks;		/* content-bearing events; not tokens */
	uint64_t *gaps_ns;		/* owned: between content-bearing events; chunks - 1 of
					 * them, at most LIMIT_CHUNK_TIMES */
	size_t gap_count, gap_size;
	loss_set marks;
};

/* NULL when out of memory. */
struct call *call_new(const struct dialect *dialect, size_t max_content);
void call_free(struct call **call);

/* The choice of that index, made if new; NULL beyond LIMIT_CHOICES or memory. */
struct choice *call_choice(struct call *call, uint64_t index);
/* Tool call number @index of the choice, made if new (with those before it); NULL beyond LIMIT_TOOL_CALLS. */
struct tool_call *choice_tool(struct call *call, struct choice *choice, uint64_t index);

/* A content-bearing event arrived: counts it, keeps first, last and gap. */
void call_chunk(struct call *call, uint64_t time_ns);

/* Appends to one of the call's bufs and marks what it cut. */
void call_add(struct call *call, struct buf *buf, const char *text);

#endif
