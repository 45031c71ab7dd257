/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A body that comes as a row of events, whatever frames them. One reader for
 * all framings, so that nobody above needs to know which it is.
 */
#ifndef GENTAP_WIRE_STREAM_H
#define GENTAP_WIRE_STREAM_H

#include "base/loss.h"
#include "wire/sse.h"

enum framing {
	FRAMING_BODY,		/* one document: no events; kept whole by who owns it */
	FRAMING_SSE,		/* text/event-stream */
	FRAMING_MULTIPART,	/* multipart/form-data: an event is a part, its type the field's name */
	FRAMING_OPAQUE,		/* media: not kept; one event at the end, with a note */
	FRAMING_NDJSON,		/* application/x-ndjson: a line each */
	FRAMING_JSON_ARRAY,	/* elements of one array; no type says so, the API does */
	FRAMING_EVENTSTREAM,	/* application/vnd.amazon.eventstream */
	FRAMING_WEBSOCKET,	/* one direction of a WebSocket: a message each */
};

/* What is told of a file whose bytes are not kept. */
struct stream_note {
	struct slice filename, content_type;	/* as the sender said; empty: it did not */
	uint64_t size;				/* bytes */
	char sha256[65];			/* hexadecimal; "" when not all of it was seen */
	bool is_incomplete;			/* bytes or its end are missing; size is of what was seen */
};

/* One event. Slices and note are valid until the next call of the reader,
 * and as long as the input of the call that gave it. */
struct stream_event {
	struct slice type;	/* its name, where the framing has one; else empty */
	struct slice data;
	bool is_cut;		/* data is the front of something longer */
	bool is_binary;		/* of a WebSocket: data is no text */
	bool is_exception;	/* the framing itself says that it is an error, of this type */
	struct slice message;	/* the error in words, where they are not the data */
	const struct stream_note *note;	/* a file's, instead of data; else NULL */
};

/* What a Content-Type (RFC 9110 section 8.3) says of the framing. */
enum framing framing_of(struct slice content_type);

/* The same of a body's first bytes, where there is no Content-Type to be had: events
 * in text are told, all else is a body. */
enum { FRAMING_SNIFF_BYTES = 9 };	/* a byte order mark and the longest field name */
enum framing framing_sniff(struct slice front);

struct stream_reader;

/* For any framing but FRAMING_BODY and FRAMING_WEBSOCKET. @content_type: the whole field, whose
 * parameters some framings need; borrowed for the call. The caller frees. NULL
 * when out of memory. */
struct stream_reader *stream_new(enum framing framing, struct slice content_type);

/* The same, for FRAMING_WEBSOCKET. */
struct websocket_params;
struct stream_reader *stream_new_websocket(const struct websocket_params *params);

void stream_free(struct stream_reader **reader);

/* Next event out of *in; consumes all of it before PARSE_MORE. PARSE_BAD: not
 * that framing, or what stream_failure says; nothing more can be had. */
enum parse stream_next(struct stream_reader *reader, struct slice *in, struct stream_event *ret);

/* After PARSE_BAD: LOSS_BAD_STREAM, LOSS_NO_MEMORY or LOSS_RATIO_LIMIT. */
enum loss stream_failure(const struct stream_reader *reader);

/* @n bytes are missing here: the event they belonged to is skipped. False when
 * the reader cannot find its place behind them: then nothing more can be had. */
bool stream_gap(struct stream_reader *reader, uint64_t n);

/* The body ended. PARSE_ITEM: a last event without its end; ask again. PARSE_MORE:
 * that was all. PARSE_BAD: that framing cannot end here. */
enum parse stream_eof(struct stream_reader *reader, struct stream_event *ret);

/* The body was cut off here, or cannot be read on. PARSE_ITEM: what can be told of
 * its last event all the same, a file's note; else PARSE_MORE. */
enum parse stream_cut(struct stream_reader *reader, struct stream_event *ret);

/* What was lost since the last call. */
struct stream_losses {
	uint64_t dropped;	/* events skipped or cut for their size */
	bool is_failed;		/* out of memory */
};

struct stream_losses stream_take_losses(struct stream_reader *reader);

/* Bytes of memory it takes by now for events not whole yet, beside some hundred bytes
 * of its own. */
size_t stream_memory(const struct stream_reader *reader);

/* As websocket_close; false for other framings. */
bool stream_close(const struct stream_reader *reader, unsigned *ret_code, struct slice *ret_reason);

#endif
