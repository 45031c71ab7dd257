/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The names of everything that can be lost, dropped, cut or estimated after
 * the kernel, and of what marks a generation. One list, so that the summary
 * line, `--json` and `doctor` name every one without being told. The kernel's
 * own losses are GT_LOSSES in bpf/gentap.h.
 */
#ifndef GENTAP_BASE_LOSS_H
#define GENTAP_BASE_LOSS_H

#include <stdbool.h>
#include <stdint.h>

/* X(NAME, "name", is_loss, "help"): is_loss false is a mark, not a loss (it
 * does not make --strict fail). */
#define LOSSES(X)										\
	X(GAP,			"lost_bytes",		true,  "bytes missing inside a message")	\
	X(RESYNC,		"resync_bytes",		false, "bytes skipped until a message start")	\
	X(ORPHAN,		"orphan_response",	false, "responses whose request was not seen")	\
	X(JOINED_LATE,		"joined_late",		false, "calls in flight when gentap attached")	\
	X(TLS_UNSEEN,		"tls_unseen",		false, "TLS connections whose inside no probe saw")	\
	X(CUT_BY_CLIENT,	"cut_by_client",	false, "the client went away first")		\
	X(CUT_BY_SERVER,	"cut_by_server",	false, "the server ended before the protocol did") \
	X(DETACHED,		"detached",		false, "still running when gentap detached")	\
	X(TARGET_EXITED,	"target_exited",	false, "the traced process ended first")	\
	X(MALFORMED_HTTP,	"malformed_http",	true,  "not HTTP where HTTP was expected")	\
	X(HEAD_LIMIT,		"head_limit",		true,  "message heads over the limit")		\
	X(BODY_LIMIT,		"body_limit",		true,  "bodies longer than kept")		\
	X(MEMORY_LIMIT,		"memory_limit",		true,  "bodies cut by the limit on all of them")	\
	X(CONTENT_TRUNCATED,	"content_truncated",	true,  "input or output longer than --max-content") \
	X(UNSUPPORTED_ENCODING,	"unsupported_encoding",	true,  "content codings not understood")	\
	X(UNSUPPORTED_PROTOCOL,	"unsupported_protocol",	true,  "connections and streams in a protocol not understood") \
	X(BAD_ENCODING,		"bad_encoding",		true,  "compressed bodies that do not decode")	\
	X(BAD_JSON,		"bad_json",		true,  "JSON that does not parse, or nests too deep") \
	X(BAD_TEXT,		"text_repaired",	false, "NUL or invalid UTF-8 replaced by U+FFFD") \
	X(BAD_STREAM,		"malformed_stream",	true,  "bodies that are not the events that their type announces") \
	X(EVENT_LIMIT,		"event_limit",		true,  "events and messages over the limit")	\
	X(FRAME_LIMIT,		"frame_limit",		true,  "HTTP/2 and WebSocket frames over the limit") \
	X(STREAMS_LIMIT,	"streams_limit",	true,  "HTTP/2 streams beyond those followed")	\
	X(LANES_LIMIT,		"lanes_limit",		true,  "calls on one WebSocket beyond those followed") \
	X(RATIO_LIMIT,		"ratio_limit",		true,  "compressed bodies that decode to far too much") \
	X(HEAD_UNKNOWN,		"head_unknown",		false, "HTTP/2 heads with fields from before gentap attached") \
	X(CONNS_LIMIT,		"conns_limit",		true,  "connections forgotten to stay in the limit") \
	X(PIPELINE_LIMIT,	"pipeline_limit",	true,  "requests beyond those that may wait")	\
	X(TIMES_LIMIT,		"chunk_times_limit",	false, "chunks beyond those timed one by one")	\
	X(NO_MEMORY,		"no_memory",		true,  "allocations that failed")		\
	X(QUEUE_FULL,		"queue_full",		true,  "generations that found the exporter's queue full") \
	X(STORE_FAILED,		"store_failed",		true,  "generations that the store did not take") \
	X(SINK_FAILED,		"sink_failed",		true,  "generations that a sink did not take")	\
	X(REFUSED,		"refused",		true,  "generations that Langfuse refused for good") \
	X(STORE_LIMIT,		"store_limit",		true,  "unsent generations removed to bound the store") \
	X(CAPTURE_TRUNCATED,	"capture_truncated",	true,  "recordings whose file ends early")	\
	X(CAPTURE_DAMAGED,	"capture_damaged",	true,  "records of a file that are damaged, or no events") \
	X(SCRUB_UNSURE,		"scrub_unsure",		false, "bytes that a recording overwrote since they might be secret")

enum loss {
#define X(name, text, is_loss, help) LOSS_##name,
	LOSSES(X)
#undef X
	LOSS_COUNT
};

_Static_assert(LOSS_COUNT <= 64, "a mark is a bit of a uint64_t");

/* A set of enum loss, as a generation carries it. */
typedef uint64_t loss_set;
#define LOSS_BIT(loss)	(1ull << (loss))

/* Never NULL for a valid enum loss. */
const char *loss_name(enum loss loss);
const char *loss_help(enum loss loss);
/* Whether it counts as lost data (--strict), or is only a mark. */
bool loss_is_loss(enum loss loss);

#endif
