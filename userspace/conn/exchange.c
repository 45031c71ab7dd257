/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One exchange's life. Its owner hears, in this order: begin, request, event*, end,
 * and of each message's framing before its first byte.
 * Everything of a body that is not kept is counted, and the first time that
 * something is not kept marks the exchange; body.is_full then ends the keeping.
 */
#include "base/memory.h"
#include "conn/conn_private.h"
#include "limits.h"

void exchange_mark(struct connection *c, struct exchange *exchange, enum loss loss)
{
	count_loss(c, loss, 1);
	if (exchange)
		exchange->marks |= LOSS_BIT(loss);
}

/* --- heads ------------------------------------------------------------------ */

/* @s, which points into @from, in the copy of it at @to. */
static struct slice moved(struct slice s, struct slice from, const char *to)
{
	return s.ptr ? (struct slice){ to + (s.ptr - from.ptr), s.len } : s;
}

static int copy_head(struct message *message, const struct http_head *head)
{
	int r = buf_add_slice(&message->head_text, head->text);
	const char *to = message->head_text.ptr;

	if (r < 0)
		return r;
	message->head = *head;
	message->head.text = buf_slice(&message->head_text);
	message->head.method = moved(head->method, head->text, to);
	message->head.target = moved(head->target, head->text, to);
	message->head.fields = moved(head->fields, head->text, to);
	return 0;
}

/* The field may come in several lines. */
static void read_codings(struct message *message)
{
	struct slice fields = message->head.fields, name, value;

	while (http_field_next(&fields, &name, &value))
		if (slice_eq_nocase(name, SLICE("content-encoding")))
			codings_add(&message->codings, value);
}

static int read_head(struct connection *c, struct message *message, const struct http_head *head,
		     uint64_t first_ns, uint64_t now_ns)
{
	int r = copy_head(message, head);

	c->table->bodies += message->head_text.size;
	if (r < 0)
		return r;
	message->has_head = true;
	message->first_ns = first_ns;
	message->head_ns = message->last_ns = now_ns;
	read_codings(message);
	return 0;
}

/* --- bodies ----------------------------------------------------------------- */

/* Counts what the message's decoder and events not whole yet take by now. False when
 * they grew, and all of them take too much. */
static bool count_memory(struct connection *c, struct message *message)
{
	size_t before = message->decoder_memory;

	message->decoder_memory = (message->decoder ? decoder_memory(message->decoder) : 0) +
				  (message->stream ? stream_memory(message->stream) : 0);
	c->table->decoders += message->decoder_memory - before;
	return message->decoder_memory <= before || c->table->decoders <= LIMIT_DECODERS;
}

static void drop_decoder(struct connection *c, struct message *message)
{
	decoder_free(&message->decoder);
	count_memory(c, message);
}

/* Why nothing more of the body is kept. */
static void stop_keeping(struct connection *c, struct exchange *exchange, struct message *message,
			 enum loss loss)
{
	exchange_mark(c, exchange, loss);
	message->body.is_full = true;
	drop_decoder(c, message);
}

static void keep(struct connection *c, struct exchange *exchange, struct message *message,
		 struct slice bytes)
{
	size_t size = message->body.size;
	enum loss loss;

	if (c->table->bodies + bytes.len > LIMIT_BODIES) {
		stop_keeping(c, exchange, message, LOSS_MEMORY_LIMIT);
		return;
	}
	buf_add_slice(&message->body, bytes);
	c->table->bodies += message->body.size - size;
	if (buf_ok(&message->body))
		return;
	loss = message->body.is_failed ? LOSS_NO_MEMORY : LOSS_BODY_LIMIT;
	stop_keeping(c, exchange, message, loss);
}

/* Once, when it is whole or when its response already runs. */
static void give_request(struct connection *c, struct exchange *exchange)
{
	if (!exchange->is_wanted || exchange->is_request_given)
		return;
	exchange->is_request_given = true;
	c->table->options.ops->request(c->table->options.ctx, exchange);
}

static void give_event(struct connection *c, struct exchange *exchange, struct message *message,
		       const struct stream_event *event, uint64_t now_ns)
{
	const struct conn_table_options *options = &c->table->options;

	if (message == &exchange->response)
		give_request(c, exchange);
	options->ops->event(options->ctx, exchange, message, now_ns, event);
}

/* To be told before the next event, which may be the call's last. @failures: memory's
 * before the reader was asked. */
static void mark_losses(struct connection *c, struct exchange *exchange, struct stream_reader *stream,
			uint64_t failures)
{
	struct stream_losses losses = stream_take_losses(stream);

	for (; losses.dropped; losses.dropped--)
		exchange_mark(c, exchange, LOSS_EVENT_LIMIT);
	if (losses.is_failed || memory_failures() != failures)
		exchange_mark(c, exchange, LOSS_NO_MEMORY);
}

static struct stream_reader *new_stream(const struct message *message)
{
	struct slice content_type = {};

	http_field(&message->head, "content-type", &content_type);
	return stream_new(message->framing, content_type);
}

static void read_events(struct connection *c, struct exchange *exchange, struct message *message,
			struct slice bytes, uint64_t now_ns)
{
	uint64_t moved = message->body_wire_bytes, failures = memory_failures();
	struct stream_event event;
	enum parse parse;

	if (!message->stream)
		message->stream = new_stream(message);
	if (!message->stream) {
		stop_keeping(c, exchange, message, LOSS_NO_MEMORY);
		return;
	}
	while ((parse = stream_next(message->stream, &bytes, &event)) == PARSE_ITEM) {
		/* What came along behind the event tells its owner nothing: it might as
		 * well have come later. */
		if (!message->codings.count)
			message->body_wire_bytes = moved - bytes.len;
		mark_losses(c, exchange, message->stream, failures);
		give_event(c, exchange, message, &event, now_ns);
		failures = memory_failures();
	}
	message->body_wire_bytes = moved;
	mark_losses(c, exchange, message->stream, failures);
	if (parse == PARSE_BAD) {
		stop_keeping(c, exchange, message, stream_failure(message->stream));
	} else if (!count_memory(c, message)) {
		stream_free(&message->stream);
		stop_keeping(c, exchange, message, LOSS_MEMORY_LIMIT);
	}
}

/* Takes out of the body what was kept there to look at it. The caller frees. */
static struct buf take_front(struct connection *c, struct message *message)
{
	struct buf front = message->body;

	c->table->bodies -= front.size;
	message->body = BUF_INIT(LIMIT_BODY);
	return front;
}

/* Once there is enough of the body to say what it is. */
static void sniff_framing(struct connection *c, struct exchange *exchange, struct message *message,
			  uint64_t now_ns)
{
	if (message->body.is_full || message->body.len < FRAMING_SNIFF_BYTES)
		return;
	message->is_framing_unknown = false;
	message->framing = framing_sniff(buf_slice(&message->body));
	if (message->framing != FRAMING_BODY) {
		_cleanup_(buf_done) struct buf front = take_front(c, message);

		read_events(c, exchange, message, buf_slice(&front), now_ns);
	}
}

/* Bytes free of transfer and content coding. */
static void take_content(struct connection *c, struct exchange *exchange, struct message *message,
			 struct slice bytes, uint64_t now_ns)
{
	if (message->framing == FRAMING_BODY)
		keep(c, exchange, message, bytes);
	if (message->is_framing_unknown)
		sniff_framing(c, exchange, message, now_ns);
	else if (message->framing != FRAMING_BODY)
		read_events(c, exchange, message, bytes, now_ns);
}

static void decode(struct connection *c, struct exchange *exchange, struct message *message,
		   struct slice bytes, uint64_t now_ns)
{
	struct slice decoded;
	enum parse parse;

	if (!message->decoder)
		message->decoder = decoder_new(&message->codings);
	if (!message->decoder) {
		stop_keeping(c, exchange, message, LOSS_NO_MEMORY);
		return;
	}
	while ((parse = decoder_next(message->decoder, &bytes, &decoded)) == PARSE_ITEM) {
		take_content(c, exchange, message, decoded, now_ns);
		if (message->body.is_full)
			return;
		if (!count_memory(c, message)) {
			stop_keeping(c, exchange, message, LOSS_MEMORY_LIMIT);
			return;
		}
	}
	if (parse == PARSE_BAD)
		stop_keeping(c, exchange, message, decoder_failure(message->decoder));
}

/* The same for its coding. True when it is known, with *bytes being all of it so far,
 * in *front if that had to wait. */
static bool sniff_coding(struct connection *c, struct exchange *exchange, struct message *message,
			 struct slice *bytes, struct buf *front)
{
	struct slice coding;

	if (!message->is_coding_unknown)
		return true;
	keep(c, exchange, message, *bytes);
	if (message->body.is_full || message->body.len < CODING_SNIFF_BYTES)
		return false;
	message->is_coding_unknown = false;
	*front = take_front(c, message);
	*bytes = buf_slice(front);
	coding = coding_sniff(*bytes);
	if (coding.len)
		codings_add(&message->codings, coding);
	return true;
}

void exchange_body(struct connection *c, struct exchange *exchange, struct message *message,
		   struct slice bytes, uint64_t now_ns)
{
	_cleanup_(buf_done) struct buf front = {};

	message->body_wire_bytes += bytes.len;
	message->last_ns = now_ns;
	if (!exchange->is_wanted || message->body.is_full || !bytes.len ||
	    !sniff_coding(c, exchange, message, &bytes, &front))
		return;
	if (message->codings.unknown.len)
		stop_keeping(c, exchange, message, LOSS_UNSUPPORTED_ENCODING);
	else if (message->codings.count)
		decode(c, exchange, message, bytes, now_ns);
	else
		take_content(c, exchange, message, bytes, now_ns);
}

void exchange_body_gap(struct message *message, uint64_t n)
{
	message->body_wire_bytes += n;
	message->lost_bytes += n;
	/* Text around a hole would read as something that nobody sent. Events are
	 * apart from each other: only the one in the hole is lost. */
	if (!message->stream || message->codings.count || !stream_gap(message->stream, n))
		message->body.is_full = true;
}

void exchange_body_unsure(struct message *message)
{
	if (!message->stream || message->codings.count || !stream_gap(message->stream, UINT64_MAX))
		message->body.is_full = true;
}

/* --- from begin to end ------------------------------------------------------ */

static void free_exchange(struct connection *c, struct exchange *exchange)
{
	struct message *messages[] = { &exchange->request, &exchange->response };

	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		c->table->bodies -= messages[i]->body.size + messages[i]->head_text.size;
		buf_done(&messages[i]->head_text);
		buf_done(&messages[i]->body);
		stream_free(&messages[i]->stream);
		drop_decoder(c, messages[i]);
	}
	free(exchange);
}

static void link_last(struct connection *c, struct exchange *exchange)
{
	if (c->last)
		c->last->next = exchange;
	else
		c->first = exchange;
	c->last = exchange;
	c->open++;
}

static void unlink_exchange(struct connection *c, struct exchange *exchange)
{
	struct exchange *before = NULL;

	for (struct exchange *e = c->first; e != exchange; e = e->next)
		before = e;
	*(before ? &before->next : &c->first) = exchange->next;
	if (c->last == exchange)
		c->last = before;
	c->open--;
	for (int i = 0; i < GT_DIRECTIONS; i++)
		if (c->flows[i].current == exchange)
			c->flows[i].current = NULL;
	if (c->http2)
		h2_forget(c, exchange);
}

static void ask_framing(struct connection *c, struct exchange *exchange, struct message *message)
{
	const struct conn_table_options *options = &c->table->options;

	struct slice field;

	if (!exchange->is_wanted)
		return;
	message->framing = options->ops->framing(options->ctx, exchange, message);
	message->is_coding_unknown = message->head.is_partial && !message->codings.count &&
				     !http_field(&message->head, "content-encoding", &field);
	message->is_framing_unknown = message->head.is_partial && message == &exchange->response &&
				      message->framing == FRAMING_BODY &&
				      !http_field(&message->head, "content-type", &field);
}

struct exchange *exchange_begin(struct connection *c, const struct http_head *head,
				uint64_t first_ns, uint64_t now_ns)
{
	const struct conn_table_options *options = &c->table->options;
	struct exchange *exchange = calloc(1, sizeof(*exchange));

	if (!exchange)
		return NULL;
	exchange->conn = &c->conn;
	exchange->role = c->role;
	exchange->request.head_text = exchange->response.head_text = BUF_INIT(LIMIT_HTTP_HEAD);
	exchange->request.body = exchange->response.body = BUF_INIT(LIMIT_BODY);
	if (read_head(c, &exchange->request, head, first_ns, now_ns) < 0) {
		free_exchange(c, exchange);
		return NULL;
	}
	exchange->number = ++c->conn.exchanges;
	exchange->marks |= c->is_starved ? LOSS_BIT(LOSS_NO_MEMORY) : 0;
	link_last(c, exchange);
	exchange->is_wanted = options->ops->begin(options->ctx, exchange);
	ask_framing(c, exchange, &exchange->request);
	return exchange;
}

void exchange_response(struct connection *c, struct exchange *exchange,
		       const struct http_head *head, uint64_t first_ns, uint64_t now_ns)
{
	if (read_head(c, &exchange->response, head, first_ns, now_ns) < 0) {
		exchange_mark(c, exchange, LOSS_NO_MEMORY);
		exchange->response.body.is_full = true;
		return;
	}
	ask_framing(c, exchange, &exchange->response);
}

/* What its reader has to say at the end, be it the body's own or not. */
static void read_last_events(struct connection *c, struct exchange *exchange, struct message *message,
			     uint64_t now_ns)
{
	bool is_whole = message->is_whole && !message->body.is_full;
	uint64_t failures = memory_failures();
	struct stream_event event;
	enum parse parse;

	if (!exchange->is_wanted || !message->stream)
		return;
	do {
		parse = is_whole ? stream_eof(message->stream, &event) : stream_cut(message->stream, &event);
		mark_losses(c, exchange, message->stream, failures);
		if (parse == PARSE_ITEM)
			give_event(c, exchange, message, &event, now_ns);
		failures = memory_failures();
	} while (parse == PARSE_ITEM);
	if (parse == PARSE_BAD)
		stop_keeping(c, exchange, message, LOSS_BAD_STREAM);
}

/* The message is at its end: so should be what was compressed. */
static void end_decoder(struct connection *c, struct exchange *exchange, struct message *message)
{
	if (message->decoder && !message->body.is_full && !decoder_is_whole(message->decoder))
		stop_keeping(c, exchange, message, LOSS_BAD_ENCODING);
	drop_decoder(c, message);
}

void exchange_whole(struct connection *c, struct exchange *exchange, struct message *message,
		    uint64_t now_ns)
{
	message->is_whole = true;
	message->last_ns = now_ns;
	end_decoder(c, exchange, message);
	read_last_events(c, exchange, message, now_ns);
	if (message == &exchange->request)
		give_request(c, exchange);
}

void exchange_end(struct connection *c, struct exchange *exchange, enum exchange_end end,
		  uint64_t now_ns)
{
	if (!exchange->request.is_whole)
		read_last_events(c, exchange, &exchange->request, now_ns);
	if (!exchange->response.is_whole)
		read_last_events(c, exchange, &exchange->response, now_ns);
	if (c->http2)
		h2_mark_missed(c, exchange);
	unlink_exchange(c, exchange);
	exchange->end = end;
	c->table->options.ops->end(c->table->options.ctx, exchange, now_ns);
	free_exchange(c, exchange);
}
