/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One direction of an HTTP/2 connection: from bytes to frames. A struct flow has
 * the same states as for HTTP/1 (flow.c), a start being what looks like a frame.
 *
 * A connection is believed to speak HTTP/2 when its preface was seen, or frames
 * where a server's preface should stand, or, joined late, where an event begins.
 * In the last case the first header block proves it; whoever breaks the framing
 * before that is taken for something else.
 *
 * A gap inside a body costs a hole in it. Any other one costs the place and the
 * state of the header compression: the next event that begins with frames is the
 * place to go on, with a primed table, and what is open in this direction is
 * marked. Streams go on, because which of them lost something is not known.
 */
#include "conn/http2_private.h"

#include "limits.h"

enum { STATE_GUESS = 2048 };	/* struct h2 and its map */

void h2_done(struct connection *c)
{
	struct h2 *h2 = c->http2;

	if (!h2)
		return;
	c->table->http2 -= h2->held;
	for (int i = 0; i < GT_DIRECTIONS; i++)
		hpack_free(&h2->flows[i].hpack);
	map_done(&h2->streams);
	free(h2);
	c->http2 = NULL;
}

void h2_forget(struct connection *c, const struct exchange *exchange)
{
	struct map *streams = &c->http2->streams;

	if (map_get(streams, exchange->stream_id) != exchange)
		return;
	map_remove(streams, exchange->stream_id);
	if (!streams->count)
		map_done(streams);
}

/* --- where it starts -------------------------------------------------------- */

static void synchronise(struct connection *c, enum gt_direction direction, bool is_preface)
{
	c->flows[direction].state = FLOW_SYNCED;
	http2_init(&c->http2->flows[direction].reader, is_preface);
}

static void set_role(struct connection *c, enum gt_direction direction, enum http1_side side)
{
	c->has_role = true;
	c->role = (side == HTTP1_REQUEST) == (direction == GT_WRITE) ? ROLE_CLIENT : ROLE_SERVER;
}

static bool make(struct connection *c, uint64_t now_ns)
{
	c->http2 = calloc(1, sizeof(*c->http2));
	if (c->http2)
		return true;
	count_loss(c, LOSS_NO_MEMORY, 1);
	ignore_connection(c, now_ns);
	return false;
}

void h2_begin(struct connection *c, enum gt_direction direction, struct slice in, uint64_t now_ns)
{
	bool is_preface = in.ptr[0] == 'P';
	/* A server's settings need not wait for the client's preface. */
	bool is_first = c->conn.is_born && c->flows[direction].state == FLOW_FRESH && http2_begins_server(in);

	if (!make(c, now_ns))
		return;
	c->http2->is_late = !is_preface && !is_first;
	if (!c->http2->is_late)
		set_role(c, direction, is_preface ? HTTP1_REQUEST : HTTP1_RESPONSE);
	synchronise(c, direction, is_preface);
}

void h2_upgrade(struct connection *c, struct exchange *request, uint64_t now_ns)
{
	if (!make(c, now_ns))
		return;
	c->http2->first_id = c->http2->last_id = 1;
	for (int i = 0; i < GT_DIRECTIONS; i++) {
		c->flows[i].current = NULL;
		c->flows[i].is_in_message = false;
		if (c->flows[i].state == FLOW_LOST)
			c->http2->flows[i] = (struct h2_flow){ .is_lossy = true, .lost_for = LOSS_RESYNC };
		else
			synchronise(c, i, /* is_preface */ side_of(c, i) == HTTP1_REQUEST);
	}
	if (!request)
		return;
	request->interim_ns = now_ns;
	request->stream_id = 1;
	if (map_put(&c->http2->streams, 1, request) == 0)
		return;
	exchange_mark(c, request, LOSS_NO_MEMORY);
	exchange_end(c, request, END_LOST, now_ns);
}

/* Its preface came after the other side's first frames. */
static void find_preface(struct connection *c, enum gt_direction direction)
{
	struct h2 *h2 = c->http2;

	if (!c->has_role)
		set_role(c, direction, HTTP1_REQUEST);
	h2->is_late = h2->flows[GT_READ].hpack || h2->flows[GT_WRITE].hpack;
	synchronise(c, direction, /* is_preface */ true);
}

/* True when the flow is SYNCED then; else what is left of *in is to be kept. */
static bool find_frames(struct connection *c, enum gt_direction direction, struct slice *in)
{
	struct flow *flow = &c->flows[direction];
	bool is_fresh = flow->state == FLOW_FRESH;

	if (is_fresh && !c->http2->is_late) {
		synchronise(c, direction, side_of(c, direction) == HTTP1_REQUEST);
		return true;
	}
	if (slice_starts(*in, HTTP2_PREFACE)) {
		find_preface(c, direction);
		return true;
	}
	if (http2_looks_like(*in)) {
		synchronise(c, direction, /* is_preface */ false);
		return true;
	}
	if (is_fresh && (http2_may_become(*in) || slice_starts(HTTP2_PREFACE, *in)))
		return false;
	flow_skip(c, in);
	flow->state = FLOW_LOST;
	if (!c->http2->flows[direction].is_lossy)
		c->http2->flows[direction].lost_for = LOSS_RESYNC;
	c->http2->flows[direction].is_lossy = true;
	return false;
}

/* --- where it ends ---------------------------------------------------------- */

static void lose(struct connection *c, enum gt_direction direction, enum loss loss, uint32_t kernel_flags,
		 uint64_t now_ns)
{
	struct h2_flow *h2_flow = &c->http2->flows[direction];

	if (c->has_role)
		streams_mark(c, direction, loss, kernel_flags, now_ns);
	c->flows[direction].state = FLOW_LOST;
	h2_flow->is_lossy = true;
	h2_flow->lost_for = loss;
	h2_flow->kernel_flags = kernel_flags;
	hpack_free(&h2_flow->hpack);
}

void h2_mark_missed(const struct connection *c, struct exchange *exchange)
{
	enum gt_direction direction = c->role == ROLE_CLIENT ? GT_READ : GT_WRITE;
	const struct h2_flow *h2_flow = &c->http2->flows[direction];

	if (c->flows[direction].state != FLOW_LOST || !h2_flow->is_lossy || exchange->response.is_whole)
		return;
	exchange->marks |= LOSS_BIT(h2_flow->lost_for);
	exchange->kernel_flags |= h2_flow->kernel_flags;
}

void h2_lose(struct connection *c, enum gt_direction direction, enum loss loss, uint64_t now_ns)
{
	count_loss(c, loss, 1);
	lose(c, direction, loss, /* kernel_flags */ 0, now_ns);
}

/* It was another protocol. */
static void unlearn(struct connection *c)
{
	h2_done(c);
	c->has_role = false;
	for (int i = 0; i < GT_DIRECTIONS; i++)
		if (c->flows[i].state == FLOW_SYNCED)
			c->flows[i].state = FLOW_LOST;
}

static void take_bad(struct connection *c, enum gt_direction direction, struct slice *in, uint64_t now_ns)
{
	bool is_limit = c->http2->flows[direction].reader.is_frame_too_long;
	enum loss loss = is_limit ? LOSS_FRAME_LIMIT : LOSS_MALFORMED_HTTP;

	flow_skip(c, in);
	if (!c->http2->is_proven && c->http2->is_late && !c->first) {
		unlearn(c);
		return;
	}
	h2_lose(c, direction, loss, now_ns);
	if (!c->http2->is_proven && !c->first)
		ignore_connection(c, now_ns);
}

/* --- bytes ------------------------------------------------------------------ */

/* Bounds what all such connections hold. */
static void count_state(struct connection *c, uint64_t now_ns)
{
	struct h2 *h2 = c->http2;
	size_t held = STATE_GUESS + h2->streams.size * sizeof(*h2->streams.slots);

	for (int i = 0; i < GT_DIRECTIONS; i++)
		held += h2->flows[i].hpack ? hpack_size(h2->flows[i].hpack) : 0;
	c->table->http2 += held - h2->held;
	h2->held = held;
	if (c->table->http2 <= LIMIT_HTTP2_STATE)
		return;
	count_loss(c, LOSS_MEMORY_LIMIT, 1);
	for (struct exchange *exchange = c->first; exchange; exchange = exchange->next)
		exchange->marks |= LOSS_BIT(LOSS_MEMORY_LIMIT);
	ignore_connection(c, now_ns);
}

static void read_frames(struct connection *c, enum gt_direction direction, struct slice *in, uint64_t now_ns)
{
	struct flow *flow = &c->flows[direction];
	struct http2_reader *reader = &c->http2->flows[direction].reader;
	struct http2_item item;
	enum parse parse;

	while (flow->state == FLOW_SYNCED && !c->conn.is_ignored) {
		parse = http2_next(reader, in, &item);
		if (parse == PARSE_MORE)
			return;
		if (parse == PARSE_BAD) {
			take_bad(c, direction, in, now_ns);
			return;
		}
		stream_item(c, direction, &item, now_ns);
		flow->first_ns = 0;
		if (item.type == HTTP2_BLOCK_END)
			count_state(c, now_ns);
	}
	slice_take(in, in->len);
}

void h2_read(struct connection *c, enum gt_direction direction, struct slice *in, uint64_t now_ns)
{
	if (c->flows[direction].state == FLOW_SYNCED || find_frames(c, direction, in))
		read_frames(c, direction, in, now_ns);
}

void h2_gap(struct connection *c, enum gt_direction direction, uint64_t n, uint32_t flags, uint64_t now_ns)
{
	struct flow *flow = &c->flows[direction];
	struct exchange *exchange;
	struct slice nothing = {};
	uint32_t stream_id;
	uint64_t body;

	if (flow->state != FLOW_SYNCED ||
	    !http2_gap(&c->http2->flows[direction].reader, n, &stream_id, &body)) {
		count_loss(c, LOSS_RESYNC, flow->residue.len);
		flow_drop_residue(flow);
		lose(c, direction, LOSS_GAP, flags, now_ns);
		return;
	}
	exchange = body ? stream_find(c, stream_id) : NULL;
	if (exchange) {
		exchange->marks |= LOSS_BIT(LOSS_GAP);
		exchange->kernel_flags |= flags;
		exchange_body_gap(message_of(c, direction, exchange), body);
	}
	/* It may have been the rest of the stream. */
	read_frames(c, direction, &nothing, now_ns);
}
