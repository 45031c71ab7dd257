/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Both directions of a connection: which response answers which request, and
 * how exchanges end.
 *
 * Responses come in the order of their requests (RFC 9112 section 9.3.2), so a
 * final response belongs to the oldest exchange without one. That holds only
 * while no start of a message can have been missed. After a loss the exchanges
 * concerned end. Who does not pipeline has its answers before it asks again, so
 * that the next request finds its own; a request that comes while the answer to a
 * lost one is still owed is left out. Of who pipelines, the connection is given
 * up, because a late answer to a lost request would go to a newer one.
 */
#include "conn/conn_private.h"
#include "limits.h"

struct exchange *awaiting_response(const struct connection *c)
{
	struct exchange *exchange = c->first;

	while (exchange && exchange->response.is_whole)
		exchange = exchange->next;
	return exchange;
}

struct exchange *concerned_by(const struct connection *c, enum gt_direction direction)
{
	const struct flow *flow = &c->flows[direction];

	if (flow->current || !c->has_role || side_of(c, direction) == HTTP1_REQUEST)
		return flow->current;
	/* Bytes of a response that nobody waits for concern nobody. */
	return flow->is_in_message ? NULL : awaiting_response(c);
}

void end_exchanges(struct connection *c, enum exchange_end end, uint64_t now_ns)
{
	while (c->first)
		exchange_end(c, c->first, end, now_ns);
}

void ignore_connection(struct connection *c, uint64_t now_ns)
{
	const struct conn_table_options *options = &c->table->options;

	if (c->conn.is_ignored)
		return;
	c->conn.is_ignored = true;
	end_exchanges(c, END_LOST, now_ns);
	if (options->ignored)
		options->ignored(options->ctx, &c->conn);
}

void lose_framing(struct connection *c, enum gt_direction direction, uint64_t now_ns)
{
	struct flow *flow = &c->flows[direction];
	struct exchange *lost = concerned_by(c, direction);

	if (!c->has_role || side_of(c, direction) == HTTP1_RESPONSE)
		c->owed = 0;	/* it may be what was lost */
	else if (!lost || !lost->response.has_head)
		c->owed++;
	flow->state = FLOW_LOST;
	flow->is_in_message = false;
	flow->current = NULL;
	if (c->open > 1 && c->is_pipelined)
		ignore_connection(c, now_ns);
	else if (side_of(c, direction) == HTTP1_RESPONSE && lost)
		end_exchanges(c, END_LOST, now_ns);
	else if (lost)
		exchange_end(c, lost, END_LOST, now_ns);
}

/* --- requests --------------------------------------------------------------- */

/* Without this request's exchange, its response would go to another one. */
static void give_up(struct connection *c, enum loss loss, uint64_t now_ns)
{
	count_loss(c, loss, 1);
	for (struct exchange *exchange = c->first; exchange; exchange = exchange->next)
		exchange->marks |= LOSS_BIT(loss);
	ignore_connection(c, now_ns);
}

static void take_request(struct connection *c, struct flow *flow, const struct http_head *head,
			 uint64_t first_ns, uint64_t now_ns)
{
	if (c->open >= LIMIT_PIPELINED) {
		give_up(c, LOSS_PIPELINE_LIMIT, now_ns);
		return;
	}
	/* In one event with the request before, it cannot have waited for an answer. */
	c->is_pipelined |= c->request_ns == now_ns;
	flow->is_in_message = true;
	/* The next response is a lost request's: this one's could not be told from it. */
	if (c->owed > 0) {
		c->owed++;
		if (c->is_pipelined)
			ignore_connection(c, now_ns);
		return;
	}
	c->owed = 0;
	flow->current = exchange_begin(c, head, first_ns, now_ns);
	if (!flow->current)
		give_up(c, LOSS_NO_MEMORY, now_ns);
}

/* --- responses -------------------------------------------------------------- */

static void end_if_whole(struct connection *c, struct exchange *exchange, uint64_t now_ns)
{
	if (exchange->request.is_whole && exchange->response.is_whole)
		exchange_end(c, exchange, END_COMPLETE, now_ns);
}

static void end_response(struct connection *c, struct flow *flow, uint64_t now_ns)
{
	struct exchange *exchange = flow->current;

	flow->is_in_message = false;
	flow->current = NULL;
	if (!exchange)
		return;
	exchange_whole(c, exchange, &exchange->response, now_ns);
	end_if_whole(c, exchange, now_ns);
}

static bool upgrades_to(const struct http_head *head, struct slice protocol)
{
	struct slice upgrade;

	return head->status == 101 && http_field(head, "upgrade", &upgrade) &&
	       slice_eq_nocase(upgrade, protocol);
}

/* What follows is no HTTP: inside CONNECT, TLS, which has its own connection; after
 * 101, a WebSocket, which may be wanted, or a protocol that is not understood. */
static void enter_tunnel(struct connection *c, struct flow *flow, const struct http_head *head,
			 uint64_t now_ns)
{
	struct exchange *exchange = flow->current;

	if (exchange && exchange->is_websocket && ws_begin(c, exchange, now_ns))
		return;
	end_response(c, flow, now_ns);
	if (head->status == 101 && !upgrades_to(head, SLICE("websocket")))
		count_loss(c, LOSS_UNSUPPORTED_PROTOCOL, 1);
	ignore_connection(c, now_ns);
}

static void take_response(struct connection *c, struct flow *flow, const struct http_head *head,
			  uint64_t first_ns, uint64_t now_ns)
{
	struct exchange *exchange = awaiting_response(c);

	if (head->status < 200 && head->status != 101) {
		if (exchange)
			exchange->interim_ns = now_ns;
		return;
	}
	if (upgrades_to(head, SLICE("h2c"))) {
		h2_upgrade(c, exchange, now_ns);
		return;
	}
	flow->is_in_message = true;
	flow->current = exchange;
	if (exchange) {
		c->is_pipelined |= exchange != c->last;	/* asked again before the answer */
		exchange->is_websocket = exchange->is_wanted && exchange->request.is_whole &&
					 upgrades_to(head, SLICE("websocket"));
		exchange_response(c, exchange, head, first_ns, now_ns);
		http1_answers(&flow->reader, exchange->request.head.method);
	} else {
		/* Nothing before it on a connection older than us: its request was
		 * under way when gentap attached. */
		count_loss(c, c->conn.is_born || c->conn.exchanges ? LOSS_ORPHAN : LOSS_JOINED_LATE, 1);
		c->owed--;
	}
	if (flow->reader.state == HTTP1_TUNNEL)
		enter_tunnel(c, flow, head, now_ns);
}

/* --- items of either -------------------------------------------------------- */

static void take_head(struct connection *c, struct flow *flow, const struct http_head *head,
		      uint64_t now_ns)
{
	uint64_t first_ns = flow->first_ns ? flow->first_ns : now_ns;

	flow->first_ns = 0;
	flow->is_unsure = false;
	c->is_proven = true;
	if (flow->reader.side == HTTP1_REQUEST)
		take_request(c, flow, head, first_ns, now_ns);
	else
		take_response(c, flow, head, first_ns, now_ns);
}

static void end_request(struct connection *c, struct flow *flow, uint64_t now_ns)
{
	struct exchange *exchange = flow->current;

	c->request_ns = now_ns;
	flow->is_in_message = false;
	flow->current = NULL;
	if (!exchange)
		return;
	exchange_whole(c, exchange, &exchange->request, now_ns);
	end_if_whole(c, exchange, now_ns);
}

void take_item(struct connection *c, enum gt_direction direction, const struct http1_item *item,
	       uint64_t now_ns)
{
	struct flow *flow = &c->flows[direction];
	bool is_request = flow->reader.side == HTTP1_REQUEST;

	switch (item->type) {
	case HTTP1_HEAD:
		take_head(c, flow, &item->head, now_ns);
		break;
	case HTTP1_BODY:
		if (flow->current)
			exchange_body(c, flow->current, is_request ? &flow->current->request
				      : &flow->current->response, item->body, now_ns);
		break;
	case HTTP1_END:
		flow->first_ns = 0;
		if (is_request)
			end_request(c, flow, now_ns);
		else
			end_response(c, flow, now_ns);
		break;
	}
}

/* --- ends ------------------------------------------------------------------- */

static enum exchange_end cut_end(const struct connection *c)
{
	return (c->first_end == WHO_SELF) == (c->role == ROLE_CLIENT) ? END_CUT_BY_CLIENT
								      : END_CUT_BY_SERVER;
}

/* Whether the end of a direction that is this response's only end is there
 * because its sender wanted it: not when the receiver went away first. */
static bool is_ended_by_sender(const struct connection *c)
{
	return (c->first_end == WHO_SELF) == (c->role == ROLE_SERVER);
}

/* No response byte will come any more. */
static void end_responses(struct connection *c, uint64_t now_ns)
{
	struct flow *flow = &c->flows[c->role == ROLE_CLIENT ? GT_READ : GT_WRITE];

	if (flow->state == FLOW_SYNCED && flow->is_in_message && is_ended_by_sender(c) &&
	    http1_eof(&flow->reader))
		end_response(c, flow, now_ns);
	end_exchanges(c, ws_is_closing(c) ? END_COMPLETE : cut_end(c), now_ns);
}

void take_end(struct connection *c, const struct gt_end_event *event)
{
	uint64_t now_ns = event->event.time_ns;
	bool is_close = event->event.type == GT_EVENT_CLOSE;
	enum gt_direction direction = is_close ? GT_WRITE : event->direction;

	/* Where moves of the other direction are under way, their event comes later. */
	if (is_close)
		flow_moved(c, GT_READ, event->offset[GT_READ], now_ns);
	flow_moved(c, direction, event->offset[direction], now_ns);
	if (c->first_end == WHO_NOBODY)
		c->first_end = direction == GT_READ ? WHO_PEER : WHO_SELF;
	if (!c->has_role)
		return;
	if (event->event.flags & GT_FLAG_RESET)
		end_exchanges(c, cut_end(c), now_ns);
	else if (is_close || side_of(c, direction) == HTTP1_RESPONSE)
		end_responses(c, now_ns);
}
