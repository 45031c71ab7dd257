/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files of this layer share.
 *
 *   conn.c      the table: events find their connection; who is forgotten when
 *   flow.c      one direction: offsets, gaps, where messages start
 *   messages.c  both directions: which response answers which request, ends
 *   http2.c     HTTP/2: frames, gaps, where they start
 *   streams.c   HTTP/2: which stream is which exchange
 *   websocket.c WebSocket: an exchange whose messages go on as frames
 *   exchange.c  one exchange: heads, bodies, its owner's callbacks
 */
#ifndef GENTAP_CONN_CONN_PRIVATE_H
#define GENTAP_CONN_CONN_PRIVATE_H

#include "base/map.h"
#include "conn/conn.h"

enum flow_state {
	FLOW_FRESH,	/* no byte seen yet: a message may start here, even in pieces */
	FLOW_SYNCED,	/* the reader knows where it is */
	FLOW_LOST,	/* it does not: skip to an event that begins with a message */
};

/* One direction. Invariant: only a FLOW_SYNCED one has a current exchange. */
struct flow {
	enum flow_state state;
	bool has_expected;
	bool is_unsure;			/* a start found in mid-stream, no head proved it yet */
	bool is_in_message;		/* between a head and its end */
	uint64_t expected;		/* offset of the next byte */
	uint64_t first_ns;		/* of the residue's first byte */
	struct http1_reader reader;
	struct buf residue;		/* of a head or line not whole yet; no memory when idle */
	struct exchange *current;	/* whose message this is; NULL: nobody's */
};

enum who { WHO_NOBODY, WHO_PEER, WHO_SELF };

struct connection {
	struct conn conn;
	struct conn_table *table;
	struct connection *prev, *next;	/* in one of the table's lists */
	bool is_busy;			/* in which one: has exchanges */
	bool has_role;
	bool is_proven;			/* a valid head was seen */
	bool is_starved;		/* its beginning may have been lost for want of memory */
	bool is_pipelined;		/* a request was seen that did not wait for a response */
	int owed;			/* responses to come for requests lost, less those that
					 * came for none since the last request */
	uint64_t request_ns;		/* end of the last request */
	enum role role;
	enum who first_end;		/* who ended the connection first */
	uint32_t loss_flags;		/* what the kernel said it lost, until a gap shows it */
	unsigned open;			/* exchanges */
	uint64_t last_ns;		/* its last event */
	struct exchange *first, *last;
	struct flow flows[GT_DIRECTIONS];
	struct h2 *http2;		/* owned; NULL: HTTP/1, or not known yet */
	bool is_websocket;		/* from its 101 on; both flows are SYNCED, both current ones the
					 * exchange it began with, or NULL when that is over */
};

_Static_assert(sizeof(struct connection) < 1024, "an idle connection costs less than 1 KiB");

/* Longest idle first. */
struct conn_list {
	struct connection *first, *last;
};

struct conn_table {
	struct conn_table_options options;
	struct map by_id;
	struct map by_key;		/* hash of pid, key and kind; verify what it gives */
	struct conn_list idle, busy;
	size_t count;
	size_t bodies;			/* bytes allocated for bodies and heads */
	size_t http2;			/* and for the state of HTTP/2 connections */
	size_t decoders;		/* and for those that decode them */
	uint64_t last_ns;		/* of the last event */
	bool is_starved;		/* a connection was not made for want of memory */
};

#define KERNEL_LOSSES (GT_FLAG_RING_FULL | GT_FLAG_UNREADABLE | GT_FLAG_CALL_LIMIT | GT_FLAG_SENDFILE)

static inline void count_loss(struct connection *c, enum loss loss, uint64_t n)
{
	c->table->options.losses[loss] += n;
}

/* --- exchange.c ------------------------------------------------------------- */

/* Counts the loss and marks the exchange, which may be NULL. */
void exchange_mark(struct connection *c, struct exchange *exchange, enum loss loss);
/* Returns NULL when out of memory. Linked as the connection's last. */
struct exchange *exchange_begin(struct connection *c, const struct http_head *head,
				uint64_t first_ns, uint64_t now_ns);
void exchange_response(struct connection *c, struct exchange *exchange,
		       const struct http_head *head, uint64_t first_ns, uint64_t now_ns);
void exchange_body(struct connection *c, struct exchange *exchange, struct message *message,
		   struct slice bytes, uint64_t now_ns);
/* @n bytes of the message's body are missing. */
void exchange_body_gap(struct message *message, uint64_t n);
/* It is not known whether, nor how many. */
void exchange_body_unsure(struct message *message);
/* The message is whole. */
void exchange_whole(struct connection *c, struct exchange *exchange, struct message *message,
		    uint64_t now_ns);
/* Calls its owner, unlinks and frees it. */
void exchange_end(struct connection *c, struct exchange *exchange, enum exchange_end end,
		  uint64_t now_ns);

/* --- http2.c, streams.c: see http2_private.h ---------------------------------- */

/* @in begins with the preface, or with a frame. The connection is HTTP/2's from
 * here on, and this direction SYNCED; ignored when out of memory. */
void h2_begin(struct connection *c, enum gt_direction direction, struct slice in, uint64_t now_ns);
/* After 101: both directions go on as HTTP/2, where the request, which may be
 * NULL, is stream 1 (RFC 7540 section 3.2). */
void h2_upgrade(struct connection *c, struct exchange *request, uint64_t now_ns);
/* Reads from the front of *in; what it leaves is to be kept for more. */
void h2_read(struct connection *c, enum gt_direction direction, struct slice *in, uint64_t now_ns);
/* @n bytes are missing, for the reasons in @flags. */
void h2_gap(struct connection *c, enum gt_direction direction, uint64_t n, uint32_t flags,
	    uint64_t now_ns);
/* The place in this direction is lost; all that it concerns is marked. */
void h2_lose(struct connection *c, enum gt_direction direction, enum loss loss, uint64_t now_ns);
/* The exchange ends without its response's end: what of it was lost before the exchange
 * began may be why. */
void h2_mark_missed(const struct connection *c, struct exchange *exchange);
/* The exchange is about to end. */
void h2_forget(struct connection *c, const struct exchange *exchange);
void h2_done(struct connection *c);

/* --- websocket.c -------------------------------------------------------------- */

/* After 101: both directions go on as frames of the exchange's messages, whose response
 * is in the current one. False when the frames cannot be understood; marked then. */
bool ws_begin(struct connection *c, struct exchange *exchange, uint64_t now_ns);
/* Reads all of *in. */
void ws_read(struct connection *c, enum gt_direction direction, struct slice *in, uint64_t now_ns);
/* @n bytes are missing. */
void ws_gap(struct connection *c, enum gt_direction direction, uint64_t n, uint64_t now_ns);
/* Whether a side said that it closes. */
bool ws_is_closing(const struct connection *c);

/* --- flow.c ----------------------------------------------------------------- */

void flow_data(struct connection *c, const struct gt_data_event *event);
/* So many bytes were moved in all. */
void flow_moved(struct connection *c, enum gt_direction direction, uint64_t offset, uint64_t now_ns);
void flow_done(struct flow *flow);
/* Counts them as skipped. */
void flow_skip(struct connection *c, struct slice *in);
void flow_drop_residue(struct flow *flow);

/* --- messages.c ------------------------------------------------------------- */

static inline enum http1_side side_of(const struct connection *c, enum gt_direction direction)
{
	return (c->role == ROLE_CLIENT) == (direction == GT_WRITE) ? HTTP1_REQUEST : HTTP1_RESPONSE;
}

/* The exchange that bytes of this direction belong to; NULL when there is none. */
struct exchange *concerned_by(const struct connection *c, enum gt_direction direction);
/* The oldest exchange whose response is not whole, or NULL. */
struct exchange *awaiting_response(const struct connection *c);

void take_item(struct connection *c, enum gt_direction direction, const struct http1_item *item,
	       uint64_t now_ns);
/* Of one direction the place is lost; the other goes on. */
void lose_framing(struct connection *c, enum gt_direction direction, uint64_t now_ns);
void take_end(struct connection *c, const struct gt_end_event *event);
void end_exchanges(struct connection *c, enum exchange_end end, uint64_t now_ns);
/* No more of it: what is open ends as lost, its bytes go unread, the owner is told. */
void ignore_connection(struct connection *c, uint64_t now_ns);

#endif
