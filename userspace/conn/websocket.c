/* SPDX-License-Identifier: Apache-2.0 */
/*
 * WebSocket on HTTP/1.1 (RFC 6455): an exchange that goes on behind its 101. What the
 * client sends is the body of its request, what the server sends that of its response,
 * as long as the connection lasts or until both said that they close.
 *
 * It is complete when a close frame of either side was seen before the connection's
 * end: who closes need not wait for the other (section 7.1.1). Nothing on the
 * connection concerns anybody when the exchange is over.
 */
#include "conn/conn_private.h"
#include "wire/websocket.h"

static struct message *message_of(const struct connection *c, enum gt_direction direction, struct exchange *exchange)
{
	return side_of(c, direction) == HTTP1_REQUEST ? &exchange->request : &exchange->response;
}

/* Section 9.1: the field may come in several lines. */
static bool read_extensions(const struct http_head *head, struct websocket_params *client,
			    struct websocket_params *server)
{
	struct slice fields = head->fields, name, value;

	while (http_field_next(&fields, &name, &value))
		if (slice_eq_nocase(name, SLICE("sec-websocket-extensions")) &&
		    !permessage_read(value, &client->deflate, &server->deflate))
			return false;
	return true;
}

/* The message has frames from here on; a content coding does not concern them. */
static void begin_frames(struct connection *c, struct exchange *exchange, struct message *message,
			 const struct websocket_params *params)
{
	message->framing = FRAMING_WEBSOCKET;
	message->codings = (struct codings){};
	stream_free(&message->stream);	/* a request's own body may have had one */
	message->stream = stream_new_websocket(params);
	if (message->stream)
		return;
	exchange_mark(c, exchange, LOSS_NO_MEMORY);
	message->body.is_full = true;
}

/* Requests that did not wait for the 101 have no answer any more. */
static void end_others(struct connection *c, const struct exchange *exchange, uint64_t now_ns)
{
	for (struct exchange *other = c->first, *next; other; other = next) {
		next = other->next;
		if (other != exchange)
			exchange_end(c, other, END_LOST, now_ns);
	}
}

/* What of this direction is there already is frames, too. */
static void begin_flow(struct connection *c, enum gt_direction direction, struct exchange *exchange,
		       uint64_t now_ns)
{
	struct flow *flow = &c->flows[direction];
	struct slice residue = buf_slice(&flow->residue);

	/* Bytes behind the request were lost: where a frame starts is not known. */
	if (flow->state == FLOW_LOST) {
		exchange->marks |= LOSS_BIT(LOSS_GAP);
		message_of(c, direction, exchange)->body.is_full = true;
	}
	flow->state = FLOW_SYNCED;
	flow->current = exchange;
	flow->is_in_message = false;
	if (side_of(c, direction) == HTTP1_RESPONSE)
		return;		/* they are being read */
	ws_read(c, direction, &residue, now_ns);
	flow_drop_residue(flow);
}

bool ws_begin(struct connection *c, struct exchange *exchange, uint64_t now_ns)
{
	struct websocket_params client = { .is_client = true }, server = {};

	if (!read_extensions(&exchange->response.head, &client, &server)) {
		exchange_mark(c, exchange, LOSS_UNSUPPORTED_PROTOCOL);
		exchange->is_websocket = false;
		return false;
	}
	end_others(c, exchange, now_ns);
	c->is_websocket = true;
	begin_frames(c, exchange, &exchange->request, &client);
	begin_frames(c, exchange, &exchange->response, &server);
	for (int i = 0; i < GT_DIRECTIONS; i++)
		begin_flow(c, i, exchange, now_ns);
	return true;
}

static bool is_closed(const struct message *message)
{
	struct slice reason;
	unsigned code;

	return message->stream && stream_close(message->stream, &code, &reason);
}

/* The closing handshake (section 7.1.4) is the end, whatever the connection does. */
static void end_if_closed(struct connection *c, struct exchange *exchange, uint64_t now_ns)
{
	if (!is_closed(&exchange->request) || !is_closed(&exchange->response))
		return;
	exchange->response.is_whole = true;
	exchange_end(c, exchange, END_COMPLETE, now_ns);
	ignore_connection(c, now_ns);
}

void ws_read(struct connection *c, enum gt_direction direction, struct slice *in, uint64_t now_ns)
{
	struct exchange *exchange = c->flows[direction].current;
	struct slice bytes = slice_take(in, in->len);

	if (!exchange || !bytes.len)
		return;
	exchange_body(c, exchange, message_of(c, direction, exchange), bytes, now_ns);
	end_if_closed(c, exchange, now_ns);
}

void ws_gap(struct connection *c, enum gt_direction direction, uint64_t n, uint64_t now_ns)
{
	struct exchange *exchange = c->flows[direction].current;

	if (!exchange)
		return;
	exchange_body_gap(message_of(c, direction, exchange), n);
	end_if_closed(c, exchange, now_ns);
}

bool ws_is_closing(const struct connection *c)
{
	const struct exchange *exchange = c->first;

	return c->is_websocket && exchange && (is_closed(&exchange->request) || is_closed(&exchange->response));
}
