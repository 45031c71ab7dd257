/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Follows every connection far enough to know what is a head and what a body.
 *
 *	FRESH --message start--> HTTP1 --101 to h2c--> HTTP2
 *	  |  \--preface, SETTINGS------------------------^ |
 *	  +--anything else--> LOST <--gap, malformed-------+
 *	HTTP1 --101 to WebSocket--> LEFT; --any other tunnel--> LOST for good
 *
 * In LOST everything is overwritten, until an event begins with a message: there,
 * and only there, the pipeline begins to read again, too. So nothing that a replay
 * would read is overwritten, and nothing of unknown meaning is left.
 *
 * The readers of wire/ see the original bytes; those of them that a reader wants
 * again (an unfinished head, the front of a frame) are kept as they were, while
 * the event's own are overwritten at once.
 */
#include "source/scrub.h"

#include <errno.h>

#include "base/buf.h"
#include "base/map.h"
#include "limits.h"
#include "source/scrub_private.h"
#include "wire/http1.h"
#include "wire/http2.h"

enum { METHODS = 64, STREAMS = 128 };

/* What a request's method means for the response's framing. */
enum method { METHOD_ANY, METHOD_HEAD, METHOD_CONNECT };

struct stream {
	uint32_t id;		/* 0: free */
	bool is_text;
	uint64_t used;		/* when it had bytes last, to find the oldest */
	struct scrub_text text;
};

struct flow {
	enum { FLOW_FRESH, FLOW_HTTP1, FLOW_HTTP2, FLOW_LOST, FLOW_LEFT } state;
	uint64_t expected;	/* offset of the next byte */
	bool has_expected;
	bool is_unsure;		/* HTTP1: its start was found in mid-stream */
	struct buf kept;	/* original bytes that its reader wants again */
	struct http1_reader http1;
	struct scrub_head head;
	bool is_text;
	struct scrub_text text;
	struct http2_reader http2;
	struct scrub_hpack *hpack;	/* owned; NULL but for HTTP2 */
	struct stream *streams;		/* owned; STREAMS of them, or NULL */
	uint64_t clock;
};

struct connection {
	struct scrubber *scrubber;
	struct connection *next, *prev;	/* the longest unused first */
	uint64_t id;
	bool is_born, is_http2, is_tunnel;
	bool has_role, is_client;
	uint8_t methods[METHODS];	/* enum method, of requests not yet answered */
	size_t first, count;
	struct flow flows[GT_DIRECTIONS];
};

struct scrubber {
	struct map conns;
	struct connection *first, *last;
	size_t kept;			/* bytes in all flows' kept */
	struct buf joined;		/* kept bytes and those of an event */
	uint64_t unsure;
};

/* --- connections ------------------------------------------------------------- */

static void link_last(struct connection *c)
{
	struct scrubber *scrubber = c->scrubber;

	c->next = NULL;
	c->prev = scrubber->last;
	*(c->prev ? &c->prev->next : &scrubber->first) = c;
	scrubber->last = c;
}

static void unlink_conn(struct connection *c)
{
	struct scrubber *scrubber = c->scrubber;

	*(c->prev ? &c->prev->next : &scrubber->first) = c->next;
	*(c->next ? &c->next->prev : &scrubber->last) = c->prev;
}

static void drop_kept(struct connection *c, struct flow *flow)
{
	c->scrubber->kept -= flow->kept.len;
	buf_done(&flow->kept);
}

static void flow_done(struct connection *c, struct flow *flow)
{
	drop_kept(c, flow);
	scrub_hpack_free(&flow->hpack);
	freep(&flow->streams);
}

static void forget(struct connection *c)
{
	unlink_conn(c);
	map_remove(&c->scrubber->conns, c->id);
	for (int i = 0; i < GT_DIRECTIONS; i++)
		flow_done(c, &c->flows[i]);
	free(c);
}

/* NULL when out of memory. */
static struct connection *find(struct scrubber *scrubber, const struct gt_event *event)
{
	struct connection *c = map_get(&scrubber->conns, event->conn_id);

	if (c) {
		unlink_conn(c);
		link_last(c);
		return c;
	}
	if (scrubber->conns.count >= LIMIT_CONNS)
		forget(scrubber->first);
	c = calloc(1, sizeof(*c));
	if (!c || map_put(&scrubber->conns, event->conn_id, c) < 0) {
		free(c);
		return NULL;
	}
	c->scrubber = scrubber;
	c->id = event->conn_id;
	for (int i = 0; i < GT_DIRECTIONS; i++)
		c->flows[i].kept = BUF_INIT(LIMIT_HTTP_HEAD + LIMIT_CAPTURE_RECORD);
	link_last(c);
	return c;
}

/* --- overwriting whole ------------------------------------------------------- */

static void hide(struct connection *c, char *bytes, size_t len)
{
	memset(bytes, '*', len);
	c->scrubber->unsure += len;
}

static void lose(struct connection *c, struct flow *flow)
{
	flow->state = FLOW_LOST;
	drop_kept(c, flow);
}

/* --- HTTP/1 ------------------------------------------------------------------ */

static struct flow *other(struct connection *c, const struct flow *flow)
{
	return &c->flows[flow == &c->flows[GT_READ] ? GT_WRITE : GT_READ];
}

static void begin_http1(struct connection *c, struct flow *flow, enum http1_side side)
{
	if (!c->has_role) {
		c->has_role = true;
		c->is_client = (side == HTTP1_REQUEST) == (flow == &c->flows[GT_WRITE]);
	}
	flow->is_unsure = flow->state == FLOW_LOST || !c->is_born;
	flow->state = FLOW_HTTP1;
	http1_init(&flow->http1, side);
	scrub_head_begin(&flow->head, side == HTTP1_REQUEST);
}

static void push_method(struct connection *c, struct slice method)
{
	enum method kind = slice_eq(method, SLICE("HEAD")) ? METHOD_HEAD :
			   slice_eq(method, SLICE("CONNECT")) ? METHOD_CONNECT : METHOD_ANY;

	if (c->count < METHODS)
		c->methods[(c->first + c->count++) % METHODS] = (uint8_t)kind;
}

static enum method pop_method(struct connection *c)
{
	enum method kind = METHOD_ANY;

	if (c->count) {
		kind = (enum method)c->methods[c->first];
		c->first = (c->first + 1) % METHODS;
		c->count--;
	}
	return kind;
}

static void begin_http2(struct connection *c, struct flow *flow, bool is_preface, bool is_late);

/* After a response that ends HTTP/1 on the connection. */
static void enter_tunnel(struct connection *c, struct flow *flow, const struct http_head *head)
{
	struct slice upgrade = {};
	bool is_switch = head->status == 101 && http_field(head, "upgrade", &upgrade);

	if (is_switch && slice_eq_nocase(upgrade, SLICE("h2c"))) {
		c->is_http2 = true;
		begin_http2(c, flow, /* is_preface */ false, /* is_late */ false);
		begin_http2(c, other(c, flow), /* is_preface */ true, /* is_late */ false);
		return;
	}
	c->is_tunnel = !is_switch || !slice_eq_nocase(upgrade, SLICE("websocket"));
	for (int i = 0; i < GT_DIRECTIONS; i++) {
		lose(c, &c->flows[i]);
		c->flows[i].state = c->is_tunnel ? FLOW_LOST : FLOW_LEFT;
	}
}

static void take_head(struct connection *c, struct flow *flow, const struct http_head *head)
{
	static const struct slice names[] = { [METHOD_HEAD] = { "HEAD", 4 }, [METHOD_CONNECT] = { "CONNECT", 7 } };
	struct slice type = {}, encoding = {};
	enum method method;

	http_field(head, "content-type", &type);
	http_field(head, "content-encoding", &encoding);
	flow->is_text = scrub_is_text(type, encoding);
	flow->text = (struct scrub_text){};
	scrub_head_begin(&flow->head, flow->http1.side == HTTP1_REQUEST);
	if (flow->http1.side == HTTP1_REQUEST) {
		push_method(c, head->method);
		return;
	}
	if (head->status >= 200 || head->status == 101) {
		method = pop_method(c);
		if (method != METHOD_ANY)
			http1_answers(&flow->http1, names[method]);
	}
	if (flow->http1.state == HTTP1_TUNNEL)
		enter_tunnel(c, flow, head);
}

static void keep(struct connection *c, struct flow *flow, struct slice rest)
{
	drop_kept(c, flow);
	if (!rest.len)
		return;
	buf_add_slice(&flow->kept, rest);
	c->scrubber->kept += flow->kept.len;
	if (!buf_ok(&flow->kept) || c->scrubber->kept > LIMIT_SCRUB_KEPT)
		lose(c, flow);
}

/* Kept bytes, @old of them, and behind them those of an event: only these are
 * still to be overwritten. */
struct piece {
	char *bytes;
	size_t len, old;
	size_t at;		/* where reading goes on */
};

static struct slice rest_of(const struct piece *piece)
{
	return (struct slice){ piece->bytes + piece->at, piece->len - piece->at };
}

static void hide_rest(struct connection *c, struct piece *piece)
{
	size_t from = MAX(piece->at, piece->old);

	hide(c, piece->bytes + from, piece->len - from);
	piece->at = piece->len;
}

static void lose_rest(struct connection *c, struct flow *flow, struct piece *piece)
{
	hide_rest(c, piece);
	lose(c, flow);
}

/* The head's bytes from @from to @to. */
static void scrub_head_piece(struct scrub_head *head, struct piece *piece, size_t from, size_t to)
{
	from = MAX(from, piece->old);
	if (to > from)
		scrub_head(head, piece->bytes + from, to - from);
}

/* Up to the end of the piece, or of HTTP/1 on the connection. */
static void scrub_http1(struct connection *c, struct flow *flow, struct piece *piece)
{
	while (flow->state == FLOW_HTTP1) {
		bool is_in_head = flow->http1.state == HTTP1_IN_HEAD;
		struct scrub_head head = flow->head;
		struct slice in = rest_of(piece);
		struct http1_item item;
		enum parse parse = http1_next(&flow->http1, &in, &item);
		size_t from = piece->at;

		if (parse == PARSE_BAD) {
			lose_rest(c, flow, piece);
			return;
		}
		piece->at = piece->len - in.len;
		if (parse == PARSE_MORE) {
			keep(c, flow, in);
			if (is_in_head)
				scrub_head_piece(&flow->head, piece, from, piece->len);
			piece->at = piece->len;
			return;
		}
		if (item.type == HTTP1_BODY && flow->is_text)
			scrub_text(&flow->text, (char *)item.body.ptr, item.body.len);
		if (item.type != HTTP1_HEAD)
			continue;
		/* Read before it is overwritten. */
		take_head(c, flow, &item.head);
		scrub_head_piece(&head, piece, from, piece->at);
	}
}

/* --- HTTP/2 ------------------------------------------------------------------ */

static void begin_http2(struct connection *c, struct flow *flow, bool is_preface, bool is_late)
{
	drop_kept(c, flow);
	scrub_hpack_free(&flow->hpack);
	freep(&flow->streams);
	flow->hpack = scrub_hpack_new(is_late);
	flow->streams = calloc(STREAMS, sizeof(*flow->streams));
	http2_init(&flow->http2, is_preface);
	c->is_http2 = true;
	flow->state = flow->hpack && flow->streams ? FLOW_HTTP2 : FLOW_LOST;
}

/* Its slot; that of the stream that was quiet longest, when there is no other. */
static struct stream *stream_of(struct flow *flow, uint32_t id)
{
	struct stream *oldest = &flow->streams[0];

	for (size_t i = 0; i < STREAMS; i++) {
		struct stream *stream = &flow->streams[i];

		if (stream->id == id) {
			stream->used = ++flow->clock;
			return stream;
		}
		if (stream->used < oldest->used)
			oldest = stream;
	}
	*oldest = (struct stream){ .id = id, .is_text = true, .used = ++flow->clock };
	return oldest;
}

static void take_item(struct connection *c, struct flow *flow, const struct http2_item *item)
{
	char *bytes = (char *)item->bytes.ptr;
	struct stream *stream;
	bool is_text;

	switch (item->type) {
	case HTTP2_BLOCK:
		c->scrubber->unsure += scrub_hpack(flow->hpack, bytes, item->bytes.len);
		break;
	case HTTP2_BLOCK_END:
		scrub_hpack_end(flow->hpack, &is_text);
		if (!item->is_promise)
			stream_of(flow, item->stream_id)->is_text = is_text;
		break;
	case HTTP2_DATA:
		stream = stream_of(flow, item->stream_id);
		if (stream->is_text)
			scrub_text(&stream->text, bytes, item->bytes.len);
		break;
	case HTTP2_STREAM_END:
	case HTTP2_RESET:
		*stream_of(flow, item->stream_id) = (struct stream){};
		break;
	case HTTP2_BLOCK_BEGIN:
	case HTTP2_GOAWAY:
		break;
	}
}

static void scrub_http2(struct connection *c, struct flow *flow, struct piece *piece)
{
	struct slice in = rest_of(piece);
	struct http2_item item;
	enum parse parse;

	while ((parse = http2_next(&flow->http2, &in, &item)) == PARSE_ITEM) {
		piece->at = piece->len - in.len;
		take_item(c, flow, &item);
	}
	if (parse == PARSE_BAD) {
		lose_rest(c, flow, piece);
		return;
	}
	keep(c, flow, in);
	piece->at = piece->len;
}

/* --- where messages start ----------------------------------------------------- */

enum start { START_NONE, START_MAYBE, START_FOUND };

static enum start start_http1(struct connection *c, struct flow *flow, struct slice in)
{
	bool is_write = flow == &c->flows[GT_WRITE];
	enum start best = START_NONE;

	for (enum http1_side side = HTTP1_REQUEST; side <= HTTP1_RESPONSE; side++) {
		if (c->has_role && (side == HTTP1_REQUEST) != (c->is_client == is_write))
			continue;
		if (http1_looks_like(side, in)) {
			begin_http1(c, flow, side);
			return START_FOUND;
		}
		if (http1_may_become(side, in))
			best = START_MAYBE;
	}
	return best;
}

static enum start start_http2(struct connection *c, struct flow *flow, struct slice in)
{
	struct slice preface = HTTP2_PREFACE, front = { in.ptr, MIN(in.len, preface.len) };
	bool is_known = c->is_http2 && c->is_born && flow->state == FLOW_FRESH;

	if (slice_starts(preface, front)) {
		if (in.len < preface.len)
			return START_MAYBE;
		begin_http2(c, flow, /* is_preface */ true, /* is_late */ false);
		return START_FOUND;
	}
	if (is_known || http2_looks_like(in)) {
		begin_http2(c, flow, /* is_preface */ false, /* is_late */ !is_known && !http2_begins_server(in));
		return START_FOUND;
	}
	return http2_may_become(in) ? START_MAYBE : START_NONE;
}

/* Enters FLOW_HTTP1 or FLOW_HTTP2 when it finds one. */
static enum start find_start(struct connection *c, struct flow *flow, struct slice in)
{
	enum start http1 = c->is_http2 ? START_NONE : start_http1(c, flow, in), http2;

	if (http1 == START_FOUND)
		return START_FOUND;
	http2 = c->has_role && !c->is_http2 ? START_NONE : start_http2(c, flow, in);
	return MAX(http1, http2);
}

/* False: there is nothing more to read in the piece. */
static bool synchronise(struct connection *c, struct flow *flow, struct piece *piece, bool is_event_start)
{
	bool is_fresh = flow->state == FLOW_FRESH;
	enum start start = START_NONE;

	if (is_fresh || (flow->state == FLOW_LOST && is_event_start && !c->is_tunnel))
		start = find_start(c, flow, rest_of(piece));
	if (start == START_FOUND)
		return true;
	/* Too few bytes to hold a secret. */
	if (start == START_MAYBE && is_fresh) {
		keep(c, flow, rest_of(piece));
		return false;
	}
	lose_rest(c, flow, piece);
	return false;
}

/* As flow.c: an event that begins with a message tells that its reader is not
 * where it thinks it is. */
static void restart_if_disproved(struct connection *c, struct flow *flow, struct slice bytes)
{
	bool is_doubtful = flow->http1.state == HTTP1_IN_HEAD ? flow->is_unsure && flow->kept.len :
			   flow->http1.state == HTTP1_IN_CLOSE && c->count;
	enum http1_side side = flow->http1.side;

	if (flow->state != FLOW_HTTP1 || !is_doubtful || !http1_looks_like(side, bytes))
		return;
	drop_kept(c, flow);
	http1_init(&flow->http1, side);
	scrub_head_begin(&flow->head, side == HTTP1_REQUEST);
}

/* --- events ------------------------------------------------------------------- */

static void scrub_piece(struct connection *c, struct flow *flow, struct piece *piece, bool is_event_start)
{
	while (piece->at < piece->len) {
		switch (flow->state) {
		case FLOW_FRESH:
		case FLOW_LOST:
			if (!synchronise(c, flow, piece, is_event_start))
				return;
			break;
		case FLOW_HTTP1:
			scrub_http1(c, flow, piece);
			break;
		case FLOW_HTTP2:
			scrub_http2(c, flow, piece);
			break;
		case FLOW_LEFT:
			return;
		}
		is_event_start = false;
	}
}

/* Bytes that follow those before. */
static void scrub_bytes(struct connection *c, struct flow *flow, char *bytes, size_t len, bool is_event_start)
{
	struct buf *joined = &c->scrubber->joined;
	struct piece piece = { .bytes = bytes, .len = len };

	if (is_event_start)
		restart_if_disproved(c, flow, (struct slice){ bytes, len });
	if (!flow->kept.len) {
		scrub_piece(c, flow, &piece, is_event_start);
		return;
	}
	buf_reset(joined);
	buf_add_slice(joined, buf_slice(&flow->kept));
	buf_add(joined, bytes, len);
	if (!buf_ok(joined)) {
		lose_rest(c, flow, &piece);
		return;
	}
	piece = (struct piece){ .bytes = joined->ptr, .len = joined->len, .old = joined->len - len };
	scrub_piece(c, flow, &piece, /* is_event_start */ false);
	memcpy(bytes, joined->ptr + joined->len - len, len);
}

static void take_gap(struct connection *c, struct flow *flow, uint64_t n)
{
	uint32_t stream_id;
	uint64_t body;

	if (flow->state == FLOW_LEFT || flow->state == FLOW_LOST)
		return;
	if (flow->state == FLOW_HTTP1 && http1_gap(&flow->http1, n)) {
		scrub_text_gap(&flow->text);
		return;
	}
	if (flow->state == FLOW_HTTP2 && !flow->kept.len && http2_gap(&flow->http2, n, &stream_id, &body)) {
		if (body)
			scrub_text_gap(&stream_of(flow, stream_id)->text);
		return;
	}
	lose(c, flow);
}

/* Brings the flow to @offset, over a gap if need be. */
static void advance(struct connection *c, struct flow *flow, uint64_t offset)
{
	if (flow->has_expected && offset > flow->expected)
		take_gap(c, flow, offset - flow->expected);
	flow->has_expected = true;
	flow->expected = MAX(flow->expected, offset);
}

static void take_data(struct connection *c, struct gt_data_event *data)
{
	struct flow *flow = &c->flows[data->direction];
	size_t len = data->captured_len, known;

	advance(c, flow, data->offset);
	/* What was read before is not read again, by the pipeline neither. */
	known = MIN((uint64_t)len, flow->expected - data->offset);
	hide(c, data->bytes, known);
	flow->expected = MAX(flow->expected, data->offset + len);
	if (len > known)
		scrub_bytes(c, flow, data->bytes + known, len - known, /* is_event_start */ !known);
	advance(c, flow, data->offset + data->len);
}

static void take_open(struct connection *c, const struct gt_event *event)
{
	c->is_born = event->flags & GT_FLAG_BORN;
	for (int i = 0; i < GT_DIRECTIONS; i++)
		c->flows[i].has_expected |= c->is_born;
}

void scrubber_event(struct scrubber *scrubber, struct gt_event *event)
{
	struct gt_data_event *data = (struct gt_data_event *)event;
	struct connection *c;

	if (event->type == GT_EVENT_CLOSE) {
		c = map_get(&scrubber->conns, event->conn_id);
		if (c)
			forget(c);
		return;
	}
	if (event->type != GT_EVENT_OPEN && event->type != GT_EVENT_DATA)
		return;
	c = find(scrubber, event);
	if (c && event->type == GT_EVENT_OPEN)
		take_open(c, event);
	else if (c)
		take_data(c, data);
	else if (event->type == GT_EVENT_DATA) {
		memset(data->bytes, '*', data->captured_len);
		scrubber->unsure += data->captured_len;
	}
}

uint64_t scrubber_unsure(const struct scrubber *scrubber)
{
	return scrubber->unsure;
}

int scrubber_new(struct scrubber **ret)
{
	struct scrubber *scrubber = calloc(1, sizeof(*scrubber));

	if (!scrubber)
		return -ENOMEM;
	scrubber->joined = BUF_INIT(LIMIT_HTTP_HEAD + 2 * LIMIT_CAPTURE_RECORD);
	*ret = scrubber;
	return 0;
}

void scrubber_free(struct scrubber **scrubberp)
{
	struct scrubber *scrubber = *scrubberp;

	*scrubberp = NULL;
	if (!scrubber)
		return;
	while (scrubber->first)
		forget(scrubber->first);
	map_done(&scrubber->conns);
	buf_done(&scrubber->joined);
	free(scrubber);
}
