/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Glue: exchanges of the connection table become calls, finished calls become
 * lines. A call is finished at its protocol's own end, which may come before
 * HTTP's: clients stop reading at [DONE] and close.
 *
 * exchange->user is a struct subject, owned here, from begin to finish; NULL for
 * what is no LLM call and for what has given its line.
 */
#include "pipeline.h"

#include <errno.h>

#include "limits.h"
#include "llm/lanes.h"

struct pipeline {
	struct pipeline_options options;
	struct conn_table *table;
	struct pipeline_totals totals;
	size_t held;		/* bytes, by all calls */
	bool is_freed;		/* what ends now has nobody to go to */
};

/* What an exchange is to us: one call, or the WebSocket of several. */
struct subject {
	struct call *call;	/* owned; else NULL */
	struct lanes *lanes;	/* owned; else NULL */
};

static void subject_free(struct subject **subject)
{
	if (!*subject)
		return;
	call_free(&(*subject)->call);
	lanes_free(&(*subject)->lanes);
	free(*subject);
	*subject = NULL;
}

static struct call *call_of(const struct exchange *exchange)
{
	const struct subject *subject = exchange->user;

	return subject ? subject->call : NULL;
}

static struct lanes *lanes_of(const struct exchange *exchange)
{
	const struct subject *subject = exchange->user;

	return subject ? subject->lanes : NULL;
}

static void count_marks(struct pipeline *pipeline, loss_set marks)
{
	for (int loss = 0; loss < LOSS_COUNT; loss++)
		if (marks & LOSS_BIT(loss))
			pipeline->totals.losses[loss]++;
}

/* What is not all there is read as far as it goes. */
static bool is_body_cut(const struct exchange *exchange, const struct message *message)
{
	const loss_set cuts = LOSS_BIT(LOSS_BODY_LIMIT) | LOSS_BIT(LOSS_MEMORY_LIMIT) |
			      LOSS_BIT(LOSS_BAD_ENCODING) | LOSS_BIT(LOSS_RATIO_LIMIT);

	return !message->is_whole || message->lost_bytes || message->body.is_full ||
	       (exchange->marks & cuts);
}

static void read_request(struct call *call, const struct exchange *exchange)
{
	call_read_request(call, buf_slice(&exchange->request.body),
			  is_body_cut(exchange, &exchange->request));
}

static void read_response(struct call *call, const struct exchange *exchange)
{
	call_read_response(call, exchange->response.head.status,
			   buf_slice(&exchange->response.body),
			   is_body_cut(exchange, &exchange->response));
	/* Its end was seen, even if not all of it was kept. */
	if (exchange->end == END_COMPLETE)
		call->end = CALL_DONE;
}

static void set_times(struct call *call, const struct exchange *exchange)
{
	call->times.request_first_ns = exchange->request.first_ns;
	call->times.request_last_ns = exchange->request.last_ns;
	call->times.response_first_ns = exchange->response.first_ns;
}

/* The longest line: both texts with every byte escaped, metadata, and the rest. */
static size_t line_max(const struct pipeline *pipeline)
{
	return 3 * 6 * pipeline->options.max_content + 256 * KiB;
}

static void give_line(struct pipeline *pipeline, struct call *call,
		      const struct exchange *exchange)
{
	_cleanup_(buf_done) struct buf line = BUF_INIT(line_max(pipeline));

	if (generation_line(&pipeline->options.generation, call, exchange, &line) < 0) {
		call->marks |= LOSS_BIT(LOSS_NO_MEMORY);
		return;
	}
	pipeline->totals.generations++;
	pipeline->options.line(pipeline->options.ctx, buf_slice(&line));
}

/* Ends the exchange's call, with a line if it was one. */
static void finish(struct pipeline *pipeline, struct exchange *exchange)
{
	_cleanup_(subject_free) struct subject *subject = exchange->user;
	struct call *call = subject->call;

	exchange->user = NULL;
	pipeline->totals.live_calls--;
	set_times(call, exchange);
	/* An answer may overtake its request's end. */
	if (!exchange->request.is_whole)
		read_request(call, exchange);
	if (pipeline->is_freed)
		return;
	if (call_is_recognised(call))
		give_line(pipeline, call, exchange);
	else	/* why it was not, perhaps */
		call->marks &= LOSS_BIT(LOSS_NO_MEMORY);
	/* The table has counted the exchange's own. */
	count_marks(pipeline, call->marks & ~exchange->marks);
}

static struct subject *subject_of(struct pipeline *pipeline, const struct http_head *head)
{
	size_t max_content = pipeline->options.max_content;
	bool is_out_of_memory, is_out_of_lanes = false;
	struct subject found = { .call = call_begin(head, max_content, &is_out_of_memory) };
	struct subject *subject = NULL;

	if (found.call)
		found.call->budget = &pipeline->held;
	else
		found.lanes = lanes_begin(head, max_content, &pipeline->held, &is_out_of_lanes);
	if (found.call || found.lanes)
		subject = malloc(sizeof(*subject));
	if (subject) {
		*subject = found;
		return subject;
	}
	if (is_out_of_memory || is_out_of_lanes || found.call || found.lanes)
		pipeline->totals.losses[LOSS_NO_MEMORY]++;
	call_free(&found.call);
	lanes_free(&found.lanes);
	return NULL;
}

static bool on_begin(void *ctx, struct exchange *exchange)
{
	struct pipeline *pipeline = ctx;

	pipeline->totals.exchanges++;
	exchange->user = subject_of(pipeline, &exchange->request.head);
	pipeline->totals.live_calls += call_of(exchange) != NULL;
	return exchange->user != NULL;
}

static void on_request(void *ctx, struct exchange *exchange)
{
	(void)ctx;
	if (call_of(exchange))
		read_request(call_of(exchange), exchange);
}

static bool is_stream(const struct exchange *exchange)
{
	return exchange->response.framing != FRAMING_BODY &&
	       exchange->response.framing != FRAMING_OPAQUE;
}

/* Of requests, only forms come in parts. */
static enum framing request_framing(const struct http_head *head)
{
	struct slice content_type = {};
	enum framing framing;

	http_field(head, "content-type", &content_type);
	framing = framing_of(content_type);
	return framing == FRAMING_MULTIPART ? framing : FRAMING_BODY;
}

static enum framing on_framing(void *ctx, struct exchange *exchange, const struct message *message)
{
	struct call *call = call_of(exchange);

	(void)ctx;
	if (!call)
		return FRAMING_BODY;
	if (message == &exchange->request)
		return request_framing(&message->head);
	call_read_head(call, &message->head);
	return call_framing(call, &message->head);
}

/* --- WebSockets -------------------------------------------------------------- */

static uint64_t lost_bytes(const struct exchange *exchange)
{
	return exchange->request.lost_bytes + exchange->response.lost_bytes;
}

/* The exchange as one of its calls sees it: with the bytes of its own messages, and
 * what the socket lost in its time. */
static void give_lane(struct pipeline *pipeline, const struct exchange *exchange, const struct lane *lane)
{
	struct exchange own = *exchange;
	uint64_t lost = lost_bytes(exchange) - lane->lost_before;

	own.request.lost_bytes = lost;
	own.response.lost_bytes = 0;
	own.marks &= ~LOSS_BIT(LOSS_GAP);
	own.marks |= lost ? LOSS_BIT(LOSS_GAP) : 0;
	own.request.body_wire_bytes = lane->request_bytes ? lane->request_bytes : COUNT_UNKNOWN;
	own.response.body_wire_bytes = lane->response_bytes;
	give_line(pipeline, lane->call, &own);
	count_marks(pipeline, lane->call->marks & ~exchange->marks);
}

/* @marks: of those that are over without their own end. */
static void give_lanes(struct pipeline *pipeline, const struct exchange *exchange, loss_set marks)
{
	struct lane lane;

	while (lanes_next(lanes_of(exchange), &lane)) {
		if (lane.call->end != CALL_DONE)
			lane.call->marks |= marks;
		if (!pipeline->is_freed)
			give_lane(pipeline, exchange, &lane);
		call_free(&lane.call);
	}
}

static void on_socket_message(struct pipeline *pipeline, const struct exchange *exchange,
			      bool is_from_client, uint64_t time_ns, struct slice text)
{
	struct lanes *lanes = lanes_of(exchange);

	pipeline->totals.live_calls -= lanes_count(lanes);
	lanes_message(lanes, is_from_client, time_ns, lost_bytes(exchange), text);
	pipeline->totals.live_calls += lanes_count(lanes);
	count_marks(pipeline, lanes_take_marks(lanes));
	give_lanes(pipeline, exchange, 0);
}

static void on_event(void *ctx, struct exchange *exchange, const struct message *message,
		     uint64_t time_ns, const struct stream_event *event)
{
	bool is_from_client = message == &exchange->request;
	struct call *call = call_of(exchange);

	if (lanes_of(exchange) && !event->is_binary)
		on_socket_message(ctx, exchange, is_from_client, time_ns, event->data);
	/* What frames of a call that asked for no WebSocket say, nobody knows. */
	if (!call || exchange->is_websocket)
		return;
	if (is_from_client)
		call_read_part(call, event);
	else
		call_read_event(call, time_ns, event);
	if (call->end == CALL_DONE)
		finish(ctx, exchange);
}

/* --- ends -------------------------------------------------------------------- */

/* Losses of an exchange that say by themselves why its framing was lost. */
#define FRAMING_LOSSES (LOSS_BIT(LOSS_GAP) | LOSS_BIT(LOSS_FRAME_LIMIT) | LOSS_BIT(LOSS_MALFORMED_HTTP) | LOSS_BIT(LOSS_HEAD_LIMIT) | \
			LOSS_BIT(LOSS_CONNS_LIMIT) | LOSS_BIT(LOSS_PIPELINE_LIMIT) | LOSS_BIT(LOSS_NO_MEMORY))

static loss_set mark_of(const struct exchange *exchange)
{
	switch (exchange->end) {
	case END_COMPLETE:
		return 0;
	case END_CUT_BY_CLIENT:
		return LOSS_BIT(LOSS_CUT_BY_CLIENT);
	case END_CUT_BY_SERVER:
		return LOSS_BIT(LOSS_CUT_BY_SERVER);
	case END_LOST:
		return exchange->marks & FRAMING_LOSSES ? 0 : LOSS_BIT(LOSS_GAP);
	case END_DETACHED:
		return LOSS_BIT(LOSS_DETACHED);
	case END_TARGET_EXITED:
		return LOSS_BIT(LOSS_TARGET_EXITED);
	}
	return 0;
}

/* The stream's HTTP message is over, and the protocol's own end was not in it. */
static void end_stream(struct call *call, const struct exchange *exchange)
{
	if (exchange->end == END_COMPLETE && !call_close(call))
		call->marks |= LOSS_BIT(LOSS_CUT_BY_SERVER);
}

/* When it ended. A TLS stream that was left is freed when the garbage collector
 * comes by: there the last byte is the better witness. */
static uint64_t end_of(const struct exchange *exchange, uint64_t time_ns)
{
	bool is_left = is_stream(exchange) && exchange->conn->is_tls && exchange->end == END_CUT_BY_CLIENT;

	if (exchange->response.last_ns && (exchange->end == END_COMPLETE || is_left))
		return exchange->response.last_ns;
	return time_ns;
}

/* Who closes a WebSocket says so first, and the other one after it. */
static loss_set socket_mark_of(const struct exchange *exchange)
{
	if (exchange->end != END_COMPLETE)
		return mark_of(exchange);
	return LOSS_BIT(exchange->request.last_ns <= exchange->response.last_ns ? LOSS_CUT_BY_CLIENT
										: LOSS_CUT_BY_SERVER);
}

static void end_socket(struct pipeline *pipeline, struct exchange *exchange, uint64_t time_ns)
{
	_cleanup_(subject_free) struct subject *subject = exchange->user;

	pipeline->totals.live_calls -= lanes_count(subject->lanes);
	lanes_end(subject->lanes, end_of(exchange, time_ns));
	give_lanes(pipeline, exchange, socket_mark_of(exchange));
	exchange->user = NULL;
}

static void end_call(struct call *call, struct exchange *exchange, uint64_t time_ns)
{
	const struct message *response = &exchange->response;

	call->is_stream |= is_stream(exchange);
	call->marks |= mark_of(exchange);
	call->times.end_ns = end_of(exchange, time_ns);
	if (is_stream(exchange))
		end_stream(call, exchange);
	else if (response->framing == FRAMING_OPAQUE)
		call->end = exchange->end == END_COMPLETE ? CALL_DONE : CALL_OPEN;
	else if (response->has_head)
		read_response(call, exchange);
}

static void on_end(void *ctx, struct exchange *exchange, uint64_t time_ns)
{
	if (lanes_of(exchange)) {
		end_socket(ctx, exchange, time_ns);
	} else if (call_of(exchange)) {
		end_call(call_of(exchange), exchange, time_ns);
		finish(ctx, exchange);
	}
}

static const struct exchange_ops ops = {
	.begin = on_begin,
	.request = on_request,
	.framing = on_framing,
	.event = on_event,
	.end = on_end,
};

static void on_ignored(void *ctx, const struct conn *conn)
{
	const struct pipeline *pipeline = ctx;

	if (pipeline->options.ignored)
		pipeline->options.ignored(pipeline->options.ctx, conn);
}

int pipeline_new(struct pipeline **ret, const struct pipeline_options *options)
{
	struct conn_table_options table = { .ops = &ops, .ignored = on_ignored };
	struct pipeline *pipeline;
	int r;

	assert(ret);
	assert(options->line);

	pipeline = calloc(1, sizeof(*pipeline));
	if (!pipeline)
		return -ENOMEM;
	pipeline->options = *options;
	table.ctx = pipeline;
	table.losses = pipeline->totals.losses;
	r = conn_table_new(&pipeline->table, &table);
	if (r < 0) {
		free(pipeline);
		return r;
	}
	*ret = pipeline;
	return 0;
}

void pipeline_free(struct pipeline **pipelinep)
{
	struct pipeline *pipeline = *pipelinep;

	if (!pipeline)
		return;
	pipeline->is_freed = true;
	conn_table_free(&pipeline->table);
	free(pipeline);
	*pipelinep = NULL;
}

void pipeline_event(void *ctx, const struct gt_event *event)
{
	struct pipeline *pipeline = ctx;

	pipeline->totals.events++;
	if (event->type == GT_EVENT_DATA)
		pipeline->totals.bytes += ((const struct gt_data_event *)event)->captured_len;
	conn_table_event(pipeline->table, event);
}

void pipeline_detach(struct pipeline *pipeline, uint64_t time_ns)
{
	conn_table_detach(pipeline->table, time_ns);
}

void pipeline_totals(const struct pipeline *pipeline, struct pipeline_totals *ret)
{
	*ret = pipeline->totals;
	ret->live_conns = conn_table_count(pipeline->table);
}
