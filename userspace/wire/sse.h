/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Server-sent events by the WHATWG rules (HTML Living Standard, section 9.2.6,
 * "Interpreting an event stream"): line ends LF, CRLF or CR, a BOM at the
 * start, comments, several data lines. Beyond them: an object without
 * "data:", to which Gemini turns for an error in the middle of a stream, is an
 * event (to the standard its lines are unknown fields); so is one under "error:",
 * of that type, as llama.cpp's server once told of errors. Owns only the event being
 * put together.
 */
#ifndef GENTAP_WIRE_SSE_H
#define GENTAP_WIRE_SSE_H

#include "base/buf.h"
#include "wire/parse.h"

struct sse_event {
	struct slice type;	/* empty when the stream named none ("message") */
	struct slice data;	/* data lines joined with LF */
};

struct sse_reader {
	struct buf line;	/* an unfinished line */
	struct buf data;
	struct buf type;
	bool is_started;	/* the BOM is behind us */
	bool after_cr;		/* an LF now would belong to the CR before it */
	bool has_data;		/* at least one data line, though maybe empty */
	bool is_bare;		/* the event is an object without "data:" */
	bool is_ready;		/* the event in data was given out; clear it next */
	bool is_in_line;	/* the line that the input stopped in has bytes already */
	bool is_skipping;	/* until the empty line that ends an event not to be had */
	uint64_t comments;	/* lines that began with a colon (keep-alives) */
	uint64_t dropped;	/* events over LIMIT_SSE_EVENT, skipped whole */
	bool is_failed;		/* out of memory */
};

void sse_init(struct sse_reader *reader);
void sse_done(struct sse_reader *reader);

/* Next event out of *in; consumes all of it before PARSE_MORE. The event's
 * slices are valid until the next call. Never PARSE_BAD. */
enum parse sse_next(struct sse_reader *reader, struct slice *in, struct sse_event *ret);

/* Bytes of the stream are missing here: the event they belonged to is skipped. */
void sse_gap(struct sse_reader *reader);

/* The stream ended: PARSE_ITEM for a last event without its blank line (the
 * standard drops it; servers that end so are in the field), else PARSE_MORE. */
enum parse sse_eof(struct sse_reader *reader, struct sse_event *ret);

#endif
