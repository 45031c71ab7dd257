/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One direction of a connection: from data events to HTTP items.
 *
 *   FRESH --message start--> SYNCED --gap, not HTTP--> LOST
 *     |                        ^                        |
 *     |                        +-- event that begins ---+
 *     +--anything else--> LOST     with a message start
 *
 * Invariants: bytes are read once and in order, whatever offsets the events say;
 * between bytes that are not neighbours stands a gap; a LOST flow never looks
 * into the middle of an event, where a prompt may quote HTTP.
 */
#include "conn/conn_private.h"
#include "limits.h"
#include "wire/http2.h"

#define HTTP2_LINE SLICE("PRI * HTTP/2.0\r\n")	/* of the preface; enough to tell it */

enum start { START_NONE, START_MAYBE, START_MESSAGE, START_HTTP2 };

void flow_drop_residue(struct flow *flow)
{
	buf_done(&flow->residue);
	flow->first_ns = 0;
}

void flow_done(struct flow *flow)
{
	flow_drop_residue(flow);
}

/* --- where messages start --------------------------------------------------- */

static enum start start_on_side(enum http1_side side, struct slice in)
{
	if (http1_looks_like(side, in))
		return START_MESSAGE;
	return http1_may_become(side, in) ? START_MAYBE : START_NONE;
}

/* What @in begins. The side is what the connection's role says, if it is known,
 * and else goes to *ret_side. */
static enum start start_of(const struct connection *c, enum gt_direction direction,
			   struct slice in, enum http1_side *ret_side)
{
	enum start start, best = START_NONE;

	if (c->has_role) {
		*ret_side = side_of(c, direction);
		return start_on_side(*ret_side, in);
	}
	if (slice_starts(in, HTTP2_LINE) || http2_looks_like(in))
		return START_HTTP2;
	if (slice_starts(HTTP2_LINE, in) || http2_may_become(in))
		best = START_MAYBE;
	for (enum http1_side side = HTTP1_REQUEST; side <= HTTP1_RESPONSE; side++) {
		start = start_on_side(side, in);
		if (start <= best)
			continue;
		best = start;
		*ret_side = side;
	}
	return best;
}

void flow_skip(struct connection *c, struct slice *in)
{
	count_loss(c, LOSS_RESYNC, in->len);
	slice_take(in, in->len);
}

static void synchronise(struct connection *c, struct flow *flow, enum gt_direction direction,
			enum http1_side side)
{
	if (!c->has_role) {
		c->has_role = true;
		c->role = (side == HTTP1_REQUEST) == (direction == GT_WRITE) ? ROLE_CLIENT
									     : ROLE_SERVER;
	}
	flow->is_unsure = flow->state == FLOW_LOST || !c->conn.is_born;
	flow->state = FLOW_SYNCED;
	http1_init(&flow->reader, side);
}

/* The first bytes of a flow that should begin a message, and do not. */
static void bad_start(struct connection *c, struct flow *flow, enum gt_direction direction,
		      struct slice *in, uint64_t now_ns)
{
	bool is_known_from_start = flow->state == FLOW_FRESH && c->conn.is_born;

	flow_skip(c, in);
	flow->state = FLOW_LOST;
	if (!is_known_from_start)
		return;
	if (c->has_role) {
		exchange_mark(c, concerned_by(c, direction), LOSS_MALFORMED_HTTP);
		lose_framing(c, direction, now_ns);
	} else {
		ignore_connection(c, now_ns);
	}
}

/* Looks for a message at the front of *in. True when the flow is SYNCED then;
 * else what is left of *in is to be kept for more. */
static bool find_start(struct connection *c, enum gt_direction direction, struct slice *in,
		       uint64_t now_ns)
{
	struct flow *flow = &c->flows[direction];
	enum http1_side side = HTTP1_REQUEST;

	switch (start_of(c, direction, *in, &side)) {
	case START_MESSAGE:
		synchronise(c, flow, direction, side);
		return true;
	case START_MAYBE:
		if (flow->state == FLOW_LOST)
			flow_skip(c, in);
		return false;
	case START_HTTP2:
		h2_begin(c, direction, *in, now_ns);
		return false;
	case START_NONE:
		bad_start(c, flow, direction, in, now_ns);
		return false;
	}
	return false;
}

/* Whether an event that begins with a message start disproves where the reader
 * thinks it is: in a head that was found in mid-stream and never ended, or in an
 * unasked-for response (to HEAD, perhaps) while a newer request waits. */
static bool is_disproved(const struct connection *c, enum gt_direction direction)
{
	const struct flow *flow = &c->flows[direction];

	if (flow->state != FLOW_SYNCED || flow->current)
		return false;
	if (!flow->is_in_message)
		return flow->is_unsure;
	return flow->reader.side == HTTP1_RESPONSE && awaiting_response(c);
}

static void restart_if_disproved(struct connection *c, enum gt_direction direction,
				 struct slice bytes)
{
	struct flow *flow = &c->flows[direction];

	if (!is_disproved(c, direction) || !http1_looks_like(flow->reader.side, bytes))
		return;
	count_loss(c, LOSS_RESYNC, flow->residue.len);
	flow_drop_residue(flow);
	flow->is_in_message = false;
	http1_init(&flow->reader, flow->reader.side);
}

/* --- bytes ------------------------------------------------------------------ */

/* It came from bytes that were no message. No head was seen by then. */
static void unlearn_role(struct connection *c)
{
	c->has_role = false;
	for (int i = 0; i < GT_DIRECTIONS; i++) {
		if (c->flows[i].state == FLOW_SYNCED)
			c->flows[i].state = FLOW_LOST;
		flow_drop_residue(&c->flows[i]);
	}
}

static void take_bad(struct connection *c, enum gt_direction direction, struct slice *in,
		     uint64_t now_ns)
{
	struct flow *flow = &c->flows[direction];
	enum loss loss = flow->reader.is_head_too_long ? LOSS_HEAD_LIMIT : LOSS_MALFORMED_HTTP;
	bool is_first = !c->is_proven;

	flow_skip(c, in);
	/* A start that was none, found in mid-stream: no message is harmed. */
	if (flow->is_unsure && loss == LOSS_MALFORMED_HTTP) {
		flow->state = FLOW_LOST;
		if (is_first)
			unlearn_role(c);
		return;
	}
	exchange_mark(c, concerned_by(c, direction), loss);
	lose_framing(c, direction, now_ns);
	if (is_first && loss == LOSS_MALFORMED_HTTP)
		ignore_connection(c, now_ns);
}

static void read_messages(struct connection *c, enum gt_direction direction, struct slice *in,
			  uint64_t now_ns)
{
	struct flow *flow = &c->flows[direction];
	enum parse parse = PARSE_ITEM;
	struct http1_item item;

	while (parse == PARSE_ITEM && flow->state == FLOW_SYNCED && !c->conn.is_ignored && !c->http2 &&
	       !c->is_websocket) {
		parse = http1_next(&flow->reader, in, &item);
		if (parse == PARSE_ITEM)
			take_item(c, direction, &item, now_ns);
		else if (parse == PARSE_BAD)
			take_bad(c, direction, in, now_ns);
	}
	if (flow->state != FLOW_SYNCED || c->conn.is_ignored)
		slice_take(in, in->len);
}

/* Keeps what the reader left of the residue and the bytes behind it. */
static void keep_rest(struct connection *c, enum gt_direction direction, struct slice rest,
		      uint64_t now_ns)
{
	struct flow *flow = &c->flows[direction];

	if (!rest.len) {
		flow_drop_residue(flow);
		return;
	}
	if (!flow->first_ns)
		flow->first_ns = now_ns;
	if (flow->residue.len)
		buf_consume(&flow->residue, flow->residue.len - rest.len);
	else
		buf_add_slice(&flow->residue, rest);
	if (buf_ok(&flow->residue))
		return;
	flow_drop_residue(flow);
	if (c->http2) {
		h2_lose(c, direction, LOSS_NO_MEMORY, now_ns);
		return;
	}
	exchange_mark(c, concerned_by(c, direction), LOSS_NO_MEMORY);
	lose_framing(c, direction, now_ns);
}

/* Bytes that follow those before. */
static void take_piece(struct connection *c, enum gt_direction direction, struct slice bytes,
		       uint64_t now_ns)
{
	struct flow *flow = &c->flows[direction];
	struct slice in = bytes;

	if (flow->residue.len) {
		/* On failure nothing is added, and keep_rest sees the flag. */
		buf_add_slice(&flow->residue, bytes);
		in = buf_slice(&flow->residue);
	}
	if (!c->http2 && !c->is_websocket &&
	    (flow->state == FLOW_SYNCED || find_start(c, direction, &in, now_ns)))
		read_messages(c, direction, &in, now_ns);
	/* By now it may have turned out to be another protocol. */
	if (c->http2 && !c->conn.is_ignored)
		h2_read(c, direction, &in, now_ns);
	else if (c->is_websocket && !c->conn.is_ignored)
		ws_read(c, direction, &in, now_ns);
	if (!c->conn.is_ignored)
		keep_rest(c, direction, in, now_ns);
}

/* @is_event_start: the first byte is the first of an event. */
static void take_bytes(struct connection *c, enum gt_direction direction, struct slice bytes,
		       bool is_event_start, uint64_t now_ns)
{
	struct flow *flow = &c->flows[direction];

	if (is_event_start && !c->http2 && !c->is_websocket)
		restart_if_disproved(c, direction, bytes);
	/* In pieces, so that the residue keeps its maximum. */
	while (bytes.len && !c->conn.is_ignored) {
		struct slice piece = slice_take(&bytes, MIN(bytes.len, (size_t)GT_CHUNK_BYTES));

		if (flow->state == FLOW_LOST && !is_event_start)
			flow_skip(c, &piece);
		else
			take_piece(c, direction, piece, now_ns);
		is_event_start = false;
	}
}

static void take_gap(struct connection *c, enum gt_direction direction, uint64_t n, uint32_t flags,
		     uint64_t now_ns)
{
	struct flow *flow = &c->flows[direction];
	struct exchange *exchange = concerned_by(c, direction);
	struct slice nothing = {};

	if (flow->state == FLOW_LOST)
		return;
	count_loss(c, LOSS_GAP, n);
	if (c->http2) {
		h2_gap(c, direction, n, (flags & KERNEL_LOSSES) | c->loss_flags, now_ns);
		c->loss_flags = 0;
		return;
	}
	if (exchange) {
		exchange->marks |= LOSS_BIT(LOSS_GAP);
		exchange->kernel_flags |= (flags & KERNEL_LOSSES) | c->loss_flags;
	}
	c->loss_flags = 0;
	if (c->is_websocket) {
		ws_gap(c, direction, n, now_ns);
		return;
	}
	if (flow->state != FLOW_SYNCED || !http1_gap(&flow->reader, n)) {
		count_loss(c, LOSS_RESYNC, flow->residue.len);
		flow_drop_residue(flow);
		lose_framing(c, direction, now_ns);
		return;
	}
	if (flow->current)
		exchange_body_gap(flow->reader.side == HTTP1_REQUEST ? &flow->current->request
								     : &flow->current->response, n);
	/* It may have been the rest of the message. */
	read_messages(c, direction, &nothing, now_ns);
}

/* Brings the flow to @offset, over a gap if need be. */
static void advance(struct connection *c, enum gt_direction direction, uint64_t offset,
		    uint32_t flags, uint64_t now_ns)
{
	struct flow *flow = &c->flows[direction];
	uint64_t n = flow->has_expected && offset > flow->expected ? offset - flow->expected : 0;

	flow->has_expected = true;
	flow->expected = MAX(flow->expected, offset);
	if (n)
		take_gap(c, direction, n, flags, now_ns);
}

void flow_data(struct connection *c, const struct gt_data_event *event)
{
	struct slice bytes = { event->bytes, MIN(event->captured_len, event->len) };
	struct flow *flow = &c->flows[event->direction];
	uint64_t now_ns = event->event.time_ns, end = event->offset + event->len, known;

	advance(c, event->direction, event->offset, event->event.flags, now_ns);
	/* Bytes that came late, after their gap was accepted: too late. */
	known = flow->expected - event->offset;
	if (c->conn.is_ignored || known > event->len)
		return;
	slice_take(&bytes, MIN(known, bytes.len));
	flow->expected = MAX(flow->expected, event->offset + MIN(event->captured_len, event->len));
	take_bytes(c, event->direction, bytes, /* is_event_start */ !known, now_ns);
	if (!c->conn.is_ignored)
		advance(c, event->direction, end, event->event.flags, now_ns);
}

void flow_moved(struct connection *c, enum gt_direction direction, uint64_t offset, uint64_t now_ns)
{
	if (c->flows[direction].has_expected)
		advance(c, direction, offset, /* flags */ 0, now_ns);
}
