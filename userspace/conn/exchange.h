/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One HTTP request and its response (RFC 9110), as seen from one process, with
 * the kernel's times of every phase. Owns its heads and bodies.
 */
#ifndef GENTAP_CONN_EXCHANGE_H
#define GENTAP_CONN_EXCHANGE_H

#include "base/buf.h"
#include "base/loss.h"
#include "wire/coding.h"
#include "wire/http1.h"
#include "wire/stream.h"

struct conn;

enum role {
	ROLE_CLIENT,	/* the process sent the request */
	ROLE_SERVER,	/* the process answers it */
};

/* How an exchange ended. */
enum exchange_end {
	END_COMPLETE,		/* both messages whole */
	END_CUT_BY_CLIENT,
	END_CUT_BY_SERVER,
	END_LOST,		/* bytes were lost and with them the framing */
	END_DETACHED,		/* gentap stopped watching */
	END_TARGET_EXITED,
};

/* Request or response. */
struct message {
	struct buf head_text;		/* owned; head's slices point into it */
	struct http_head head;
	bool has_head;
	bool is_whole;			/* its end was seen, by its own framing */
	enum framing framing;		/* what exchange_ops.framing said; only if wanted */
	bool is_coding_unknown;		/* the head does not say (is_partial): */
	bool is_framing_unknown;	/* the first bytes, kept in body, are to tell */
	struct stream_reader *stream;	/* owned; NULL for FRAMING_BODY, until its first byte, and
					 * when it took too much memory */
	struct buf body;		/* content-decoded; kept only if the exchange is wanted and
					 * the framing is FRAMING_BODY; is_full when something of
					 * the body, kept or not, is missing, whatever the reason */
	uint64_t body_wire_bytes;	/* body as framed on the wire, before content decoding */
	uint64_t lost_bytes;		/* of those, not captured */
	uint64_t first_ns;		/* first byte; 0 while none */
	uint64_t head_ns;		/* last byte of the head */
	uint64_t last_ns;		/* last byte so far */
	uint64_t content_length;	/* HTTP/2: what the head says; 0: nothing, or nothing to come */
	uint64_t doubt_ns;		/* HTTP/2: since when its end may have been missed; 0: not */
	struct codings codings;		/* content codings; what is unknown of them points into head */
	struct decoder *decoder;	/* owned; NULL when there are none, or until the first byte */
	size_t decoder_memory;		/* of it and of stream, as counted in the table's */
};

struct exchange {
	const struct conn *conn;
	uint64_t number;		/* on its connection, from 1 */
	uint32_t stream_id;		/* HTTP/2; else 0 */
	enum role role;
	struct message request;
	struct message response;	/* the final one; interim responses leave only interim_ns */
	uint64_t interim_ns;		/* last 1xx response */
	bool is_wanted;			/* what exchange_ops.begin said */
	bool is_request_given;		/* exchange_ops.request was called */
	bool is_websocket;		/* the response is 101, and what follows are frames: request's
					 * body is what the client says, response's the server; known
					 * when the response's framing is asked. Their last_ns and sizes
					 * go on, stream_close of their streams says how it closed */
	enum exchange_end end;		/* valid in exchange_ops.end */
	loss_set marks;			/* what befell it; enum loss bits */
	uint32_t kernel_flags;		/* enum gt_event_flags: why the kernel lost bytes of it */
	void *user;			/* of exchange_ops' owner */
	struct exchange *next;		/* on its connection, oldest first */
};

/* Who makes sense of exchanges. Any call may set exchange->user and add marks. */
struct exchange_ops {
	/* The request's head is in. True: keep the bodies. */
	bool (*begin)(void *ctx, struct exchange *exchange);
	/* The head of @message is in: what frames its body? Only if wanted. Of a
	 * WebSocket that is known, whatever it says. */
	enum framing (*framing)(void *ctx, struct exchange *exchange, const struct message *message);
	/* The request is whole (bodies in place). Only if wanted. */
	void (*request)(void *ctx, struct exchange *exchange);
	/* One event of @message, of a WebSocket a message from that side; @time_ns is of the bytes that completed it. Only if
	 * wanted and its framing has events. */
	void (*event)(void *ctx, struct exchange *exchange, const struct message *message,
		      uint64_t time_ns, const struct stream_event *event);
	/* It is over, as exchange->end says; freed after this. For every exchange
	 * that began, wanted or not, exactly once. */
	void (*end)(void *ctx, struct exchange *exchange, uint64_t time_ns);
};

#endif
