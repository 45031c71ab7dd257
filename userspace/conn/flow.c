/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes of one direction to messages.
 *
 * A flow is in sync or it is not. Out of sync (joined in the middle, or bytes
 * were lost with the framing) it takes nothing but a message start at the very
 * start of an event: a process writes a head at the start of a write, so what
 * looks like one in the middle of bytes is somebody's text.
 *
 * Invariants: residue holds the front of one unfinished item, never body bytes;
 * it is empty out of sync.
 */
#include "conn/conn_private.h"

#include "limits.h"

/* The front of a head, and the event that did not finish it. */
#define RESIDUE_MAX (LIMIT_HTTP_HEAD + LIMIT_CHUNK_LINE + GT_CHUNK_BYTES)

void flow_done(struct flow *flow)
{
	buf_done(&flow->residue);
	flow->is_synced = false;
}

static enum http1_side side_of(const struct live_conn *live, enum gt_direction direction)
{
	return direction == request_direction(live->role) ? HTTP1_REQUEST : HTTP1_RESPONSE;
}

static void sync_flow(struct live_conn *live, enum gt_direction direction, enum http1_side side)
{
	struct flow *flow = &live->flows[direction];

	if (!live->has_role) {
		live->has_role = true;
		live->role = (side == HTTP1_REQUEST) == (direction == GT_WRITE) ? ROLE_CLIENT : ROLE_SERVER;
	}
	http1_init(&flow->reader, side);
	flow->residue = BUF_INIT(RESIDUE_MAX);
	flow->is_synced = true;
}

/* A start that is cut by the end of the event, as a client that writes byte by
 * byte makes it; believed only from the first byte of a connection on. */
static bool could_begin(const struct live_conn *live, const struct flow *flow,
			enum http1_side side, struct slice bytes)
{
	return live->conn.is_born && flow->next_offset == bytes.len && http1_may_become(side, bytes);
}

/* Whether the bytes begin a message of that side on this direction. */
static bool begins(const struct live_conn *live, enum gt_direction direction, enum http1_side side,
		   struct slice bytes)
{
	const struct flow *flow = &live->flows[direction];

	if (live->has_role && side_of(live, direction) != side)
		return false;
	return http1_looks_like(side, bytes) || could_begin(live, flow, side, bytes);
}

static bool try_sync(struct live_conn *live, enum gt_direction direction, struct slice bytes)
{
	if (begins(live, direction, HTTP1_REQUEST, bytes))
		sync_flow(live, direction, HTTP1_REQUEST);
	else if (begins(live, direction, HTTP1_RESPONSE, bytes))
		sync_flow(live, direction, HTTP1_RESPONSE);
	return live->flows[direction].is_synced;
}

static void lose(struct live_conn *live, enum gt_direction direction, enum loss loss, uint64_t time_ns)
{
	struct flow *flow = &live->flows[direction];
	enum http1_side side = flow->reader.side;

	flow_done(flow);
	exchange_lost(live, side, loss, time_ns);
}

static void bad(struct live_conn *live, enum gt_direction direction, uint64_t time_ns)
{
	struct flow *flow = &live->flows[direction];
	enum loss loss = flow->reader.is_head_too_long ? LOSS_HEAD_LIMIT : LOSS_MALFORMED_HTTP;
	bool was_any = live->conn.exchanges > 0;

	count_loss(live->table, loss, 1);
	lose(live, direction, loss, time_ns);
	if (!was_any)
		conn_ignore(live, END_LOST, time_ns);
}

/* Reads items until more bytes are needed; *in is what is left. */
static void read_items(struct live_conn *live, enum gt_direction direction, struct slice *in,
		       uint64_t first_ns, uint64_t time_ns)
{
	struct flow *flow = &live->flows[direction];
	struct http1_item item;
	enum parse parse;

	while (flow->is_synced && !live->conn.is_ignored) {
		enum http1_side side = flow->reader.side;

		parse = http1_next(&flow->reader, in, &item);
		if (parse == PARSE_MORE)
			return;
		if (parse == PARSE_BAD) {
			bad(live, direction, time_ns);
			return;
		}
		if (item.type == HTTP1_HEAD && !exchange_head(live, side, &item.head, first_ns, time_ns))
			return;
		if (item.type == HTTP1_BODY)
			exchange_body(live, side, item.body, time_ns);
		else if (item.type == HTTP1_END)
			exchange_message_end(live, side, time_ns);
		first_ns = time_ns;
	}
}

/* What the last event left, and these bytes behind it. */
static void read_behind_residue(struct live_conn *live, enum gt_direction direction,
				struct slice bytes, uint64_t time_ns)
{
	struct flow *flow = &live->flows[direction];
	struct slice in;
	size_t had;

	if (buf_add_slice(&flow->residue, bytes) < 0) {
		count_loss(live->table, flow->residue.is_failed ? LOSS_NO_MEMORY : LOSS_MALFORMED_HTTP, 1);
		lose(live, direction, LOSS_MALFORMED_HTTP, time_ns);
		return;
	}
	in = buf_slice(&flow->residue);
	had = in.len;
	read_items(live, direction, &in, flow->residue_ns, time_ns);
	if (!flow->is_synced)
		return;
	buf_consume(&flow->residue, had - in.len);
	if (had != in.len)
		flow->residue_ns = time_ns;
	if (!in.len)
		buf_done(&flow->residue);
}

void flow_feed(struct live_conn *live, enum gt_direction direction, struct slice bytes, uint64_t time_ns)
{
	struct flow *flow = &live->flows[direction];

	if (!flow->is_synced && !try_sync(live, direction, bytes)) {
		if (slice_starts(bytes, SLICE("PRI * HTTP/2.0"))) {
			count_loss(live->table, LOSS_UNSUPPORTED_PROTOCOL, 1);
			conn_ignore(live, END_LOST, time_ns);
			return;
		}
		count_loss(live->table, LOSS_RESYNC, bytes.len);
		return;
	}
	if (flow->residue.len) {
		read_behind_residue(live, direction, bytes, time_ns);
		return;
	}
	read_items(live, direction, &bytes, time_ns, time_ns);
	if (!flow->is_synced || live->conn.is_ignored || !bytes.len)
		return;
	flow->residue_ns = time_ns;
	if (buf_add_slice(&flow->residue, bytes) < 0) {
		count_loss(live->table, LOSS_NO_MEMORY, 1);
		lose(live, direction, LOSS_NO_MEMORY, time_ns);
	}
}

void flow_gap(struct live_conn *live, enum gt_direction direction, uint64_t n, uint32_t flags,
	      uint64_t time_ns)
{
	struct flow *flow = &live->flows[direction];
	struct slice nothing = { "", 0 };

	if (!flow->is_synced || live->conn.is_ignored)
		return;
	count_loss(live->table, LOSS_GAP, n);
	exchange_gap(live, flow->reader.side, n, flags);
	if (flow->residue.len || !http1_gap(&flow->reader, n))
		lose(live, direction, LOSS_GAP, time_ns);
	else
		read_items(live, direction, &nothing, time_ns, time_ns);	/* the gap may have been all that was left */
}
