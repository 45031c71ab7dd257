/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One exchange's life. Its owner hears, in this order: begin, request, sse*, end.
 * Everything of a body that is not kept is counted, and the first time that
 * something is not kept marks the exchange; body.is_full then ends the keeping.
 */
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

static int copy_head(struct message *message, const struct http1_head *head)
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

static int read_head(struct message *message, const struct http1_head *head, uint64_t first_ns,
		     uint64_t now_ns)
{
	struct slice coding = {};
	int r = copy_head(message, head);

	if (r < 0)
		return r;
	message->has_head = true;
	message->first_ns = first_ns;
	message->head_ns = message->last_ns = now_ns;
	http1_field(&message->head, "content-encoding", &coding);
	message->coding = coding_of(coding);
	return 0;
}

static bool is_event_stream(const struct http1_head *head)
{
	struct slice value;
	const char *end;

	if (!http1_field(head, "content-type", &value))
		return false;
	end = memchr(value.ptr, ';', value.len);
	if (end)
		value.len = (size_t)(end - value.ptr);
	return slice_eq_nocase(slice_trim(value), SLICE("text/event-stream"));
}

/* --- bodies ----------------------------------------------------------------- */

/* Why nothing more of the body is kept. */
static void stop_keeping(struct connection *c, struct exchange *exchange, struct message *message,
			 enum loss loss)
{
	exchange_mark(c, exchange, loss);
	message->body.is_full = true;
	inflater_free(&message->inflater);
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

static void give_event(struct connection *c, struct exchange *exchange,
		       const struct sse_event *event, uint64_t now_ns)
{
	give_request(c, exchange);
	c->table->options.ops->sse(c->table->options.ctx, exchange, now_ns, event);
}

static void read_events(struct connection *c, struct exchange *exchange, struct slice bytes,
			uint64_t now_ns)
{
	uint64_t dropped = exchange->sse.dropped;
	struct sse_event event;

	while (sse_next(&exchange->sse, &bytes, &event) == PARSE_ITEM)
		give_event(c, exchange, &event, now_ns);
	for (; dropped < exchange->sse.dropped; dropped++)
		exchange_mark(c, exchange, LOSS_SSE_LIMIT);
	if (exchange->sse.is_failed)
		exchange_mark(c, exchange, LOSS_NO_MEMORY);
	exchange->sse.is_failed = false;
}

/* Bytes free of transfer and content coding. */
static void take_content(struct connection *c, struct exchange *exchange, struct message *message,
			 struct slice bytes, uint64_t now_ns)
{
	if (exchange->is_sse && message == &exchange->response)
		read_events(c, exchange, bytes, now_ns);
	else
		keep(c, exchange, message, bytes);
}

static void decode(struct connection *c, struct exchange *exchange, struct message *message,
		   struct slice bytes, uint64_t now_ns)
{
	struct slice decoded;
	enum parse parse;

	if (!message->inflater)
		message->inflater = inflater_new();
	if (!message->inflater) {
		stop_keeping(c, exchange, message, LOSS_NO_MEMORY);
		return;
	}
	while ((parse = inflater_next(message->inflater, &bytes, &decoded)) == PARSE_ITEM) {
		take_content(c, exchange, message, decoded, now_ns);
		if (message->body.is_full)
			return;
	}
	if (parse == PARSE_BAD)
		stop_keeping(c, exchange, message, LOSS_BAD_ENCODING);
}

void exchange_body(struct connection *c, struct exchange *exchange, struct message *message,
		   struct slice bytes, uint64_t now_ns)
{
	message->body_wire_bytes += bytes.len;
	message->last_ns = now_ns;
	if (!exchange->is_wanted || message->body.is_full)
		return;
	switch (message->coding) {
	case CODING_IDENTITY:
		take_content(c, exchange, message, bytes, now_ns);
		break;
	case CODING_GZIP:
		decode(c, exchange, message, bytes, now_ns);
		break;
	case CODING_UNKNOWN:
		stop_keeping(c, exchange, message, LOSS_UNSUPPORTED_ENCODING);
		break;
	}
}

void exchange_body_gap(struct exchange *exchange, struct message *message, uint64_t n)
{
	message->body_wire_bytes += n;
	message->lost_bytes += n;
	/* Text around a hole would read as something that nobody sent. Events are
	 * apart from each other: only the one in the hole is lost. */
	if (exchange->is_sse && message == &exchange->response && message->coding == CODING_IDENTITY)
		sse_gap(&exchange->sse);
	else
		message->body.is_full = true;
}

/* --- from begin to end ------------------------------------------------------ */

static void free_exchange(struct connection *c, struct exchange *exchange)
{
	struct message *messages[] = { &exchange->request, &exchange->response };

	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		c->table->bodies -= messages[i]->body.size;
		buf_done(&messages[i]->head_text);
		buf_done(&messages[i]->body);
		inflater_free(&messages[i]->inflater);
	}
	sse_done(&exchange->sse);
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
}

struct exchange *exchange_begin(struct connection *c, const struct http1_head *head,
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
	sse_init(&exchange->sse);
	if (read_head(&exchange->request, head, first_ns, now_ns) < 0) {
		free_exchange(c, exchange);
		return NULL;
	}
	exchange->number = ++c->conn.exchanges;
	link_last(c, exchange);
	exchange->is_wanted = options->ops->begin(options->ctx, exchange);
	return exchange;
}

void exchange_response(struct connection *c, struct exchange *exchange,
		       const struct http1_head *head, uint64_t first_ns, uint64_t now_ns)
{
	if (read_head(&exchange->response, head, first_ns, now_ns) < 0) {
		exchange_mark(c, exchange, LOSS_NO_MEMORY);
		exchange->response.body.is_full = true;
		return;
	}
	exchange->is_sse = is_event_stream(&exchange->response.head);
}

void exchange_whole(struct connection *c, struct exchange *exchange, struct message *message,
		    uint64_t now_ns)
{
	struct sse_event event;

	message->is_whole = true;
	message->last_ns = now_ns;
	inflater_free(&message->inflater);
	if (message == &exchange->request)
		give_request(c, exchange);
	else if (exchange->is_wanted && !message->body.is_full &&
		 sse_eof(&exchange->sse, &event) == PARSE_ITEM)
		give_event(c, exchange, &event, now_ns);
}

void exchange_end(struct connection *c, struct exchange *exchange, enum exchange_end end,
		  uint64_t now_ns)
{
	unlink_exchange(c, exchange);
	exchange->end = end;
	c->table->options.ops->end(c->table->options.ctx, exchange, now_ns);
	free_exchange(c, exchange);
}
