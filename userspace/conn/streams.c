/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2's streams as exchanges (RFC 9113 sections 5 and 8): a client's stream is
 * one, whatever came between its frames.
 *
 * What nobody can follow is left out, one by one: streams that the server pushes,
 * streams whose request was not seen, those beyond the limit, WebSockets. Their
 * header blocks are decoded all the same, because all share one compression.
 *
 * After a loss in one direction, a message open there may be whole without us
 * knowing. Its next frame takes the doubt away; without one, the exchange is given
 * up when a newer request comes after LIMIT_HTTP2_DOUBT_NS.
 */
#include "conn/http2_private.h"

#include "limits.h"
#include "wire/http1_head.h"

struct exchange *stream_find(const struct connection *c, uint32_t stream_id)
{
	return map_get(&c->http2->streams, stream_id);
}

static void end_lost(struct connection *c, struct exchange *exchange, enum loss loss, uint64_t now_ns)
{
	exchange_mark(c, exchange, loss);
	exchange_end(c, exchange, END_LOST, now_ns);
}

/* Of its request, its response, or both. */
static void mark_unknown(struct connection *c, struct exchange *exchange)
{
	if (!(exchange->marks & LOSS_BIT(LOSS_HEAD_UNKNOWN)))
		exchange_mark(c, exchange, LOSS_HEAD_UNKNOWN);
}

static enum loss loss_of(enum hpack_fault fault)
{
	static const enum loss losses[] = {
		[HPACK_MALFORMED] = LOSS_MALFORMED_HTTP, [HPACK_TOO_LONG] = LOSS_HEAD_LIMIT,
		[HPACK_NO_MEMORY] = LOSS_NO_MEMORY,
	};

	return losses[fault];
}

static void read_length(struct message *message)
{
	struct http1_framing framing;

	if (http1_framing_read(&message->head, &framing) && framing.has_length)
		message->content_length = framing.length;
}

/* --- losses and doubts ------------------------------------------------------ */

void streams_mark(struct connection *c, enum gt_direction direction, enum loss loss, uint32_t kernel_flags,
		  uint64_t now_ns)
{
	struct exchange *next;
	struct message *message;

	for (struct exchange *exchange = c->first; exchange; exchange = next) {
		next = exchange->next;
		message = message_of(c, direction, exchange);
		if (message->is_whole)
			continue;
		exchange->marks |= LOSS_BIT(loss);
		exchange->kernel_flags |= kernel_flags;
		if (message->has_head)
			exchange_body_unsure(message);
		message->doubt_ns = now_ns;
		c->http2->has_doubts = true;
		/* Nothing more can come of it but the end of its request. */
		if (exchange->response.is_whole)
			exchange_end(c, exchange, END_LOST, now_ns);
	}
}

static bool is_doubtful(const struct message *message, uint64_t before_ns)
{
	return message->doubt_ns && message->doubt_ns < before_ns;
}

/* Ends those that have been doubtful since before @before_ns. */
static void end_doubtful(struct connection *c, uint64_t before_ns, uint64_t now_ns)
{
	struct exchange *next;

	for (struct exchange *exchange = c->first; exchange; exchange = next) {
		next = exchange->next;
		if (is_doubtful(&exchange->request, before_ns) || is_doubtful(&exchange->response, before_ns))
			exchange_end(c, exchange, END_LOST, now_ns);
	}
}

static void sweep(struct connection *c, uint64_t now_ns)
{
	if (!c->http2->has_doubts)
		return;
	if (c->open >= LIMIT_HTTP2_STREAMS)
		end_doubtful(c, now_ns, now_ns);
	else if (now_ns > LIMIT_HTTP2_DOUBT_NS)
		end_doubtful(c, now_ns - LIMIT_HTTP2_DOUBT_NS, now_ns);
	if (!c->first)
		c->http2->has_doubts = false;
}

/* --- requests --------------------------------------------------------------- */

/* Why a request gets no exchange; LOSS_COUNT when it gets one. */
static enum loss refusal_of(const struct connection *c, const struct hpack_block *block)
{
	if (block->fault != HPACK_SOUND)
		return loss_of(block->fault);
	if (block->has_protocol)
		return LOSS_UNSUPPORTED_PROTOCOL;
	if (c->open >= LIMIT_HTTP2_STREAMS)
		return LOSS_STREAMS_LIMIT;
	if (c->table->bodies + block->head.text.len > LIMIT_BODIES)
		return LOSS_MEMORY_LIMIT;
	return LOSS_COUNT;
}

static void begin(struct connection *c, uint32_t stream_id, const struct hpack_block *block,
		  uint64_t first_ns, uint64_t now_ns)
{
	struct exchange *exchange = exchange_begin(c, &block->head, first_ns, now_ns);

	if (!exchange) {
		count_loss(c, LOSS_NO_MEMORY, 1);
		return;
	}
	exchange->stream_id = stream_id;
	if (map_put(&c->http2->streams, stream_id, exchange) < 0) {
		end_lost(c, exchange, LOSS_NO_MEMORY, now_ns);
		return;
	}
	read_length(&exchange->request);
	if (block->head.is_partial)
		mark_unknown(c, exchange);
}

static void take_request(struct connection *c, uint32_t stream_id, const struct hpack_block *block,
			 uint64_t first_ns, uint64_t now_ns)
{
	struct h2 *h2 = c->http2;
	enum loss refusal;

	/* Pushed ones, and trailers: ids of new streams only grow (RFC 9113 section 5.1.1). */
	if (stream_id % 2 == 0 || stream_id <= h2->last_id)
		return;
	/* Trailers of a stream from before us have no pseudo-headers. */
	if (block->kind == HPACK_FIELDS && !block->head.is_partial && block->fault == HPACK_SOUND)
		return;
	h2->last_id = stream_id;
	if (!h2->first_id)
		h2->first_id = stream_id;
	sweep(c, now_ns);
	refusal = refusal_of(c, block);
	if (refusal == LOSS_COUNT)
		begin(c, stream_id, block, first_ns, now_ns);
	else
		count_loss(c, refusal, 1);
}

/* --- responses -------------------------------------------------------------- */

static void count_orphan(struct connection *c, uint32_t stream_id)
{
	const struct h2 *h2 = c->http2;
	bool is_request_lossy = h2->flows[c->role == ROLE_CLIENT ? GT_WRITE : GT_READ].is_lossy;

	if (stream_id % 2 == 0)
		return;
	if (h2->is_late && (!h2->first_id || stream_id < h2->first_id))
		count_loss(c, LOSS_JOINED_LATE, 1);
	else if (is_request_lossy || stream_id > h2->last_id)
		count_loss(c, LOSS_ORPHAN, 1);
	/* Else it was refused, and counted then, or is over for us. */
}

static void take_response(struct connection *c, uint32_t stream_id, const struct hpack_block *block,
			  uint64_t first_ns, uint64_t now_ns)
{
	struct exchange *exchange = stream_find(c, stream_id);
	bool is_interim = block->kind == HPACK_RESPONSE && block->fault == HPACK_SOUND &&
			  block->head.status < 200;

	if (!exchange) {
		if (block->kind == HPACK_RESPONSE && !is_interim)
			count_orphan(c, stream_id);
		return;
	}
	exchange->response.doubt_ns = 0;
	if (exchange->response.has_head)
		return;		/* trailers */
	if (is_interim) {
		exchange->interim_ns = now_ns;
	} else if (block->fault != HPACK_SOUND) {
		end_lost(c, exchange, loss_of(block->fault), now_ns);
	} else if (block->kind == HPACK_FIELDS && !block->head.is_partial) {
		end_lost(c, exchange, LOSS_MALFORMED_HTTP, now_ns);
	} else if (c->table->bodies + block->head.text.len > LIMIT_BODIES) {
		end_lost(c, exchange, LOSS_MEMORY_LIMIT, now_ns);
	} else {
		exchange_response(c, exchange, &block->head, first_ns, now_ns);
		read_length(&exchange->response);
		if (block->head.is_partial)
			mark_unknown(c, exchange);
	}
}

/* Its head was lost; what follows may still be understood. */
static void assume_response(struct connection *c, struct exchange *exchange, uint64_t now_ns)
{
	struct slice text = SLICE("HTTP/2 \r\n\r\n");
	struct http_head head = { .text = text, .major = 2, .is_partial = true };

	exchange_response(c, exchange, &head, now_ns, now_ns);
	mark_unknown(c, exchange);
}

/* --- header blocks ---------------------------------------------------------- */

static void begin_block(struct connection *c, enum gt_direction direction, uint64_t now_ns)
{
	struct h2_flow *flow = &c->http2->flows[direction];

	flow->block_ns = c->flows[direction].first_ns ? c->flows[direction].first_ns : now_ns;
	if (!flow->hpack)
		flow->hpack = hpack_new(c->http2->is_late || flow->is_lossy);
	if (!flow->hpack) {
		flow->is_lossy = true;
		count_loss(c, LOSS_NO_MEMORY, 1);
	}
}

/* Who joined late learns from the first block that says which side it is of. */
static void learn_role(struct connection *c, enum gt_direction direction, enum hpack_kind kind)
{
	if (c->has_role || kind == HPACK_FIELDS)
		return;
	c->has_role = true;
	c->role = (kind == HPACK_REQUEST) == (direction == GT_WRITE) ? ROLE_CLIENT : ROLE_SERVER;
}

static void take_block(struct connection *c, enum gt_direction direction, uint32_t stream_id,
		       struct hpack_block *block, uint64_t now_ns)
{
	bool is_request;

	if (block->fault == HPACK_SOUND)
		learn_role(c, direction, block->kind);
	if (!c->has_role)
		return;
	is_request = side_of(c, direction) == HTTP1_REQUEST;
	if (block->kind == (is_request ? HPACK_RESPONSE : HPACK_REQUEST))
		block->fault = HPACK_MALFORMED;
	if (is_request)
		take_request(c, stream_id, block, c->http2->flows[direction].block_ns, now_ns);
	else
		take_response(c, stream_id, block, c->http2->flows[direction].block_ns, now_ns);
}

static void end_block(struct connection *c, enum gt_direction direction, const struct http2_item *item,
		      uint64_t now_ns)
{
	struct hpack *hpack = c->http2->flows[direction].hpack;
	struct hpack_block block;

	if (!hpack) {	/* which begin_block counted */
		struct exchange *exchange = stream_find(c, item->stream_id);

		if (exchange)
			exchange->marks |= LOSS_BIT(LOSS_NO_MEMORY);
		return;
	}
	hpack_end(hpack, &block);
	c->http2->is_proven |= block.fault == HPACK_SOUND && block.kind != HPACK_FIELDS;
	c->is_proven |= c->http2->is_proven;
	if (!item->is_promise)
		take_block(c, direction, item->stream_id, &block, now_ns);
	hpack_drop_block(hpack);
}

/* --- bodies and ends -------------------------------------------------------- */

static void end_stream(struct connection *c, enum gt_direction direction, uint32_t stream_id, uint64_t now_ns)
{
	struct exchange *exchange = stream_find(c, stream_id);
	struct message *message;

	if (!exchange)
		return;
	message = message_of(c, direction, exchange);
	message->doubt_ns = 0;
	if (message->is_whole)
		return;
	if (message->has_head)
		exchange_whole(c, exchange, message, now_ns);
	if (exchange->request.is_whole && exchange->response.is_whole)
		exchange_end(c, exchange, END_COMPLETE, now_ns);
	/* No head at all, or an answer to a request whose end was lost. */
	else if (!message->has_head || (exchange->response.is_whole && exchange->request.doubt_ns))
		exchange_end(c, exchange, END_LOST, now_ns);
}

/* What goes beyond its Content-Length is not of the message (RFC 9113 section 8.1.1),
 * whether it comes with the rest or later. */
static struct slice within_length(struct connection *c, const struct message *message, struct slice bytes)
{
	uint64_t left = message->content_length - MIN(message->body_wire_bytes, message->content_length);

	if (!message->content_length || bytes.len <= left)
		return bytes;
	count_loss(c, LOSS_RESYNC, bytes.len - left);
	return slice_take(&bytes, left);
}

static void take_data(struct connection *c, enum gt_direction direction, const struct http2_item *item,
		      uint64_t now_ns)
{
	struct exchange *exchange = stream_find(c, item->stream_id);
	struct message *message;

	if (!exchange) {
		count_loss(c, LOSS_RESYNC, item->bytes.len);
		return;
	}
	message = message_of(c, direction, exchange);
	message->doubt_ns = 0;
	if (message == &exchange->response && !message->has_head)
		assume_response(c, exchange, now_ns);
	exchange_body(c, exchange, message, within_length(c, message, item->bytes), now_ns);
	/* Who counted does not always wait to be told that this was all. */
	if (message->content_length && message->body_wire_bytes >= message->content_length)
		end_stream(c, direction, item->stream_id, now_ns);
}

static void reset_stream(struct connection *c, enum gt_direction direction, uint32_t stream_id, uint64_t now_ns)
{
	struct exchange *exchange = stream_find(c, stream_id);

	if (exchange)
		exchange_end(c, exchange, side_of(c, direction) == HTTP1_REQUEST ? END_CUT_BY_CLIENT
										 : END_CUT_BY_SERVER, now_ns);
}

/* A server that goes away works on no stream beyond the one that it names. */
static void take_goaway(struct connection *c, enum gt_direction direction, uint32_t last_stream_id,
			uint64_t now_ns)
{
	struct exchange *next;

	if (!c->has_role || side_of(c, direction) == HTTP1_REQUEST)
		return;
	for (struct exchange *exchange = c->first; exchange; exchange = next) {
		next = exchange->next;
		if (exchange->stream_id > last_stream_id)
			exchange_end(c, exchange, END_CUT_BY_SERVER, now_ns);
	}
}

void stream_item(struct connection *c, enum gt_direction direction, const struct http2_item *item,
		 uint64_t now_ns)
{
	struct hpack *hpack = c->http2->flows[direction].hpack;

	switch (item->type) {
	case HTTP2_BLOCK_BEGIN:
		begin_block(c, direction, now_ns);
		break;
	case HTTP2_BLOCK:
		if (hpack)
			hpack_add(hpack, item->bytes);
		break;
	case HTTP2_BLOCK_END:
		end_block(c, direction, item, now_ns);
		break;
	case HTTP2_DATA:
		take_data(c, direction, item, now_ns);
		break;
	case HTTP2_STREAM_END:
		end_stream(c, direction, item->stream_id, now_ns);
		break;
	case HTTP2_RESET:
		reset_stream(c, direction, item->stream_id, now_ns);
		break;
	case HTTP2_GOAWAY:
		take_goaway(c, direction, item->last_stream_id, now_ns);
		break;
	}
}
