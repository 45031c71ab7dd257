/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 framing (RFC 9113) as a cursor over one direction of a connection.
 * Borrows its input, owns nothing, survives gaps inside of bodies. Bodies and
 * header blocks go out in the pieces in which they come; nothing is kept but the
 * front of a frame, at most HTTP2_FRONT_MAX bytes.
 *
 * Leaves out: what header blocks mean (hpack.h), flow control, priorities,
 * settings (hpack.h says why none is needed), which frame may follow which on a
 * stream.
 */
#ifndef GENTAP_WIRE_HTTP2_H
#define GENTAP_WIRE_HTTP2_H

#include "base/slice.h"
#include "wire/parse.h"

#define HTTP2_PREFACE SLICE("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")	/* RFC 9113 section 3.4 */

/* RFC 9113 section 6. */
enum http2_frame_type {
	HTTP2_FRAME_DATA, HTTP2_FRAME_HEADERS, HTTP2_FRAME_PRIORITY, HTTP2_FRAME_RST_STREAM,
	HTTP2_FRAME_SETTINGS, HTTP2_FRAME_PUSH_PROMISE, HTTP2_FRAME_PING, HTTP2_FRAME_GOAWAY,
	HTTP2_FRAME_WINDOW_UPDATE, HTTP2_FRAME_CONTINUATION,
	HTTP2_FRAME_TYPES
};

enum http2_flag {
	HTTP2_END_STREAM = 0x1, HTTP2_ACK = 0x1, HTTP2_END_HEADERS = 0x4, HTTP2_PADDED = 0x8,
	HTTP2_PRIORITY = 0x20,
};

enum {
	HTTP2_HEADER_BYTES = 9,
	HTTP2_FRONT_MAX = HTTP2_HEADER_BYTES + 8,	/* the header, and what is read whole with it */
};

enum http2_item_type {
	HTTP2_BLOCK_BEGIN,	/* a header block begins; is_promise: of PUSH_PROMISE */
	HTTP2_BLOCK,		/* bytes of it, without padding and priority */
	HTTP2_BLOCK_END,	/* it is whole, its CONTINUATION frames included */
	HTTP2_DATA,		/* bytes of a body, without padding */
	HTTP2_STREAM_END,	/* the sender's side of the stream is over */
	HTTP2_RESET,		/* RST_STREAM: error */
	HTTP2_GOAWAY,		/* error; last_stream_id is the last one that its sender works on */
};

struct http2_item {
	enum http2_item_type type;
	uint32_t stream_id;
	struct slice bytes;
	bool is_promise;
	uint32_t error;			/* RFC 9113 section 7 */
	uint32_t last_stream_id;
};

enum http2_state {
	HTTP2_AT_PREFACE,
	HTTP2_AT_FRAME,
	HTTP2_IN_FRAME,		/* payload, then padding */
	HTTP2_AT_FRAME_END,	/* a block or a stream may be over */
	HTTP2_AT_STREAM_END,	/* HTTP2_STREAM_END is due */
};

struct http2_reader {
	enum http2_state state;
	uint32_t stream_id;	/* of the frame */
	uint8_t type, flags;
	uint32_t left, padding;	/* bytes to come of its payload and of its padding */
	uint32_t block_id;	/* stream whose header block goes on; 0: none */
	bool is_block_last;	/* with it, the sender's side of the stream is over */
	bool is_promise;
	bool is_frame_too_long;	/* why the last PARSE_BAD: LIMIT_HTTP2_FRAME */
};

/* @is_preface: the connection's preface comes first, as of a client. */
void http2_init(struct http2_reader *reader, bool is_preface);

/* Next item at the front of *in. PARSE_MORE leaves the unfinished front of a
 * frame in *in, for the caller to keep and bring again with more behind it. */
enum parse http2_next(struct http2_reader *reader, struct slice *in, struct http2_item *ret);

/* @n bytes are missing here. True when the reader knows where it is behind them,
 * with *ret_body of them being of the body of stream *ret_stream_id. False when
 * not: *then* it must be given to http2_init again at the next frame, and the
 * header compression of this direction has lost its state, too. */
bool http2_gap(struct http2_reader *reader, uint64_t n, uint32_t *ret_stream_id, uint64_t *ret_body);

/* Whether these bytes begin with a frame that a reader may start with, and all
 * frames behind it are such as far as they are there. False for too few bytes. */
bool http2_looks_like(struct slice in);

/* Whether these bytes, too few for http2_looks_like, may become what it wants; not
 * all that may are told. */
bool http2_may_become(struct slice in);

/* Whether they begin with SETTINGS that are no acknowledgement, as the first bytes
 * of a server do. */
bool http2_begins_server(struct slice in);

#endif
