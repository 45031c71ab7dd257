/* SPDX-License-Identifier: Apache-2.0 */
/* Between http2.c, which follows a connection's frames, and streams.c, which knows
 * what they mean for its exchanges. */
#ifndef GENTAP_CONN_HTTP2_PRIVATE_H
#define GENTAP_CONN_HTTP2_PRIVATE_H

#include "conn/conn_private.h"
#include "wire/hpack.h"
#include "wire/http2.h"

/* One direction, beside its struct flow. */
struct h2_flow {
	struct http2_reader reader;
	struct hpack *hpack;		/* owned; NULL until the first header block */
	uint64_t block_ns;		/* first byte of the block under way */
	bool is_lossy;			/* frames of it were missed, at some time */
	enum loss lost_for;		/* and why it was lost last, if is_lossy */
	uint32_t kernel_flags;		/* the same, as the kernel says it */
};

/* A connection that speaks HTTP/2; none other pays for it. */
struct h2 {
	struct h2_flow flows[GT_DIRECTIONS];
	struct map streams;		/* by id: struct exchange, which the connection owns */
	uint32_t first_id, last_id;	/* of the requests seen; 0: none yet */
	bool is_late;			/* its beginning was not seen */
	bool is_proven;			/* a header block made sense */
	bool has_doubts;		/* some message's doubt_ns is set */
	size_t held;			/* bytes, as counted in conn_table.http2 */
};

/* Exchanges are of the request's direction, and of the response's. */
static inline struct message *message_of(const struct connection *c, enum gt_direction direction,
					 struct exchange *exchange)
{
	return side_of(c, direction) == HTTP1_REQUEST ? &exchange->request : &exchange->response;
}

/* --- streams.c -------------------------------------------------------------- */

struct exchange *stream_find(const struct connection *c, uint32_t stream_id);
void stream_item(struct connection *c, enum gt_direction direction, const struct http2_item *item,
		 uint64_t now_ns);
/* Marks every exchange that may have lost something in this direction. */
void streams_mark(struct connection *c, enum gt_direction direction, enum loss loss, uint32_t kernel_flags,
		  uint64_t now_ns);

#endif
