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
#include "llm/usage.h"

/* X(NAME, "name"): OTel's gen_ai.operation.name where it has one, else ours. */
#define OPERATIONS(X)				\
	X(CHAT,			"chat")			\
	X(GENERATE_CONTENT,	"generate_content")	\
	X(TEXT_COMPLETION,	"text_completion")	\
	X(EMBEDDINGS,		"embeddings")		\
	X(RERANK,		"rerank")		\
	X(SCORE,		"score")		\
	X(POOLING,		"pooling")		\
	X(CLASSIFICATION,	"classification")	\
	X(MODERATION,		"moderation")		\
	X(DECISION,		"decision")		\
	X(IMAGE_GENERATION,	"image_generation")	\
	X(SPEECH,		"speech")		\
	X(TRANSCRIPTION,	"transcription")

enum operation {
#define X(name, text) OPERATION_##name,
	OPERATIONS(X)
#undef X
	OPERATION_COUNT
};

const char *operation_name(enum operation operation);

struct tool_call {
	struct buf id, type, name, arguments;
	uint64_t block;		/* its number among blocks of all kinds, in dialects that count so */
};

/* One answer of n. Bufs hold at most call.max_content bytes. */
struct choice {
	uint64_t index;
	struct buf role, content, reasoning, refusal;
	struct tool_call *tools;	/* owned */
	size_t tool_count;
	struct buf finish_reason;	/* raw */
	bool has_content;		/* content was present and not null */
	cJSON *parts;			/* owned array, or NULL: content that is no text (media as
					 * notes, results of the server's own tools); see choice_add_part */
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

/* Small enough for any ITL, large enough that a gap has room in 32 bits: ten thousand
 * streams keep their gaps. */
#define GAP_UNIT_NS 100ull

struct dialect;

struct call {
	const struct dialect *dialect;	/* may change until something of the answer was read */
	enum operation operation;	/* the dialect's, unless the dialect knows better */
	size_t max_content;		/* of each text kept */
	size_t *budget;			/* bytes that all calls of its owner hold; borrowed; NULL: nobody counts */
	size_t held;			/* of those, its own */
	uint64_t lane;			/* which call of a WebSocket, from 1; 0: it is an exchange of its own */
	bool is_path_known;
	struct buf path;		/* decoded, without query; the end of one over LIMIT_PATH */
	struct buf path_model;		/* the model that the path names; "" none */

	cJSON *request;			/* owned; NULL when it did not parse */
	struct buf request_text;	/* the raw text when request is NULL and it is not "" */
	bool is_stream;			/* the answer came as an event stream */
	bool has_shape;			/* something read had the dialect's shape */
	bool is_settled;		/* so had something of the answer: the dialect stays */
	const char *provider_hint;	/* who answered, by keys of the body; static, NULL unknown */

	struct buf response_id, response_model, service_tier, system_fingerprint;
	struct choice *choices;		/* owned; in order of appearance */
	size_t choice_count;
	cJSON *output;			/* owned; dialects without choices put the output here */
	cJSON *metadata;		/* owned object, or NULL: what Langfuse's drop-in has of the
					 * answer as metadata; content, so not always told */
	cJSON *facts;			/* owned object, or NULL: small things worth metadata (server
					 * timings, billed units); each becomes gentap.NAME */
	struct usage usage;
	const struct dialect *inner;	/* of a dialect that wraps others (Bedrock's invoke) */
	/* For a dialect's own use: bytes of sound (OpenAI), a count of tokens (vLLM), which block's
	 * input grows (Anthropic). */
	uint64_t sequence;
	struct buf scratch;		/* the same: input that is not whole yet (Anthropic), or where in
					 * arguments their pieces go on (Gemini) */

	bool is_error;			/* the provider said so, in any way */
	bool is_error_text;		/* error_message is the start of a body of no known shape */
	struct buf error_message, error_type;
	bool is_refused;		/* the model refused, or a filter stopped it: call_refuse() */
	struct buf refusal;		/* in the provider's words; "": it has none. See call_refusal */
	enum call_end end;

	struct call_times times;
	uint64_t chunks;		/* content-bearing events; not tokens */
	uint32_t *gaps;			/* owned: between content-bearing events, in GAP_UNIT_NS; of
					 * more than seven minutes, that; chunks - 1 of
					 * them, at most LIMIT_CHUNK_TIMES */
	size_t gap_count, gap_size;
	loss_set marks;
};

/* @dialect: what the path suggests. NULL when out of memory. */
struct call *call_new(const struct dialect *dialect, size_t max_content);
void call_free(struct call **call);

/* The choice of that index, made if new; NULL beyond LIMIT_CHOICES or memory. */
struct choice *call_choice(struct call *call, uint64_t index);
/* Tool call number @index of the choice, made if new (with those before it); NULL beyond LIMIT_TOOL_CALLS. */
struct tool_call *choice_tool(struct call *call, struct choice *choice, uint64_t index);

/* Adds content that is no text; the choice owns @part from here on (NULL: nothing).
 * What is more than LIMIT_PARTS is dropped and marked. */
void choice_add_part(struct call *call, struct choice *choice, cJSON *part);

/* A small fact, owned by the call from here on (NULL: nothing); the last of a name wins. */
void call_fact(struct call *call, const char *name, cJSON *value);

/* Of a bounded buf that holds a name: the last text that is not empty wins. */
void call_set(struct call *call, struct buf *buf, const char *text);

/* The answer is a refusal, or was stopped by a safety filter: level ERROR, with the
 * first @message (may be NULL or "") that says something. */
void call_refuse(struct call *call, const char *message);
/* Why the call was refused, "" when no word of it is known; NULL when it was not.
 * A choice's refusal counts without call_refuse(). Borrowed. */
const struct buf *call_refusal(const struct call *call);

/* The model that served the call as far as is known, without vendor prefix: for
 * rules that depend on the model's family. Never NULL. */
const char *call_model(const struct call *call);

/* A content-bearing event arrived: counts it, keeps first, last and gap. */
void call_chunk(struct call *call, uint64_t time_ns);

/* Whether the call may hold @n bytes more, which then count as held until it is freed.
 * False, and marked, when all calls together would hold more than LIMIT_CALLS. */
bool call_hold(struct call *call, size_t n);

/* Appends to one of the call's bufs and marks what it cut. */
void call_add(struct call *call, struct buf *buf, const char *text);

#endif
