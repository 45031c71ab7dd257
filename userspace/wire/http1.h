/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/1.1 message framing (RFC 9112) as a cursor over one direction of a
 * connection. Borrows its input, owns nothing, survives gaps.
 *
 * The reader is told what only the other direction knows (whether a response
 * answers HEAD or CONNECT) between the HEAD item and the next call.
 */
#ifndef GENTAP_WIRE_HTTP1_H
#define GENTAP_WIRE_HTTP1_H

#include "wire/http_head.h"
#include "wire/parse.h"

enum http1_side { HTTP1_REQUEST, HTTP1_RESPONSE };

enum http1_item_type {
	HTTP1_HEAD,	/* head is set; an interim (1xx) response too, with no END of its own */
	HTTP1_BODY,	/* body is set: decoded from transfer coding, not from content coding */
	HTTP1_END,	/* the message is whole; trailers were skipped */
};

struct http1_item {
	enum http1_item_type type;
	struct http_head head;
	struct slice body;
};

enum http1_state {
	HTTP1_IN_HEAD,		/* between messages, or inside a head */
	HTTP1_IN_LENGTH,	/* body by Content-Length */
	HTTP1_IN_CHUNK_SIZE, HTTP1_IN_CHUNK, HTTP1_IN_CHUNK_END, HTTP1_IN_TRAILER,
	HTTP1_IN_CLOSE,		/* body until the connection ends */
	HTTP1_AT_END,		/* HTTP1_END is due */
	HTTP1_TUNNEL,		/* after CONNECT or 101: no HTTP any more */
};

struct http1_reader {
	enum http1_side side;
	enum http1_state state;
	unsigned status;	/* response: of the last head */
	uint64_t left;		/* bytes left of the body or the chunk */
	size_t trailer_len;	/* so far, for the limit */
	size_t scanned;		/* bytes of the unfinished head or line that hold no end of it */
	bool is_head_too_long;	/* why the last PARSE_BAD: LIMIT_HTTP_HEAD, LIMIT_HTTP_HEADERS */
};

void http1_init(struct http1_reader *reader, enum http1_side side);

/* Next item at the front of *in. PARSE_MORE leaves an unfinished head, size
 * line or trailer in *in for the caller to keep and bring again with more
 * behind it; body bytes are never left. */
enum parse http1_next(struct http1_reader *reader, struct slice *in, struct http1_item *ret);

/* To be called right after a response's HEAD item, before the next http1_next:
 * the method of the request it answers (RFC 9112 section 6.3). */
void http1_answers(struct http1_reader *reader, struct slice method);

/* @n bytes are missing here. True when the reader knows where it is behind
 * them; false when not: *then* it must be given to http1_init again at the next
 * message start. */
bool http1_gap(struct http1_reader *reader, uint64_t n);

/* The direction ended. True when that is a proper end of the message
 * (close-delimited body, or between messages); HTTP1_END is not returned
 * for it. */
bool http1_eof(struct http1_reader *reader);

/* Whether a message may begin with these bytes: enough of them to be sure,
 * i.e. a known method and a space, or "HTTP/1.". Never true for a prefix. */
bool http1_looks_like(enum http1_side side, struct slice in);

/* Whether these bytes, too few for http1_looks_like, may become what it wants. */
bool http1_may_become(enum http1_side side, struct slice in);

#endif
