/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection as a script, replayed as events; what the table's callbacks say
 * as text. Steps: r and w bytes that the process read or wrote, R and W bytes
 * that it moved and nobody saw, e and f the end of reading and of writing, x a
 * reset by the peer, c the close, X the process' exit, d gentap detaches.
 */
#ifndef GENTAP_TESTS_CONN_SCRIPT_H
#define GENTAP_TESTS_CONN_SCRIPT_H

#include <criterion/criterion.h>

#include "conn/conn.h"
#include "limits.h"

#define CONN_ID 7
#define PID 42
#define STEP_NS 1000

struct step {
	char op;
	const char *bytes;	/* R, W: as many are lost */
};

struct replay {
	struct conn_table *table;
	struct buf trace;
	uint64_t losses[LOSS_COUNT];
	uint64_t offset[GT_DIRECTIONS];
	uint64_t now_ns;
	uint64_t conn_id;
	uint32_t kernel_flags;	/* of all exchanges that ended */
	struct { uint64_t first_ns, head_ns, last_ns; } times[2]; /* of the exchange that ended last */
	uint64_t lost_bytes, wire_bytes;	/* of its response */
};

static inline void add_quoted(struct buf *trace, struct slice s)
{
	buf_add_char(trace, '<');
	for (size_t i = 0; i < s.len; i++)
		if (s.ptr[i] >= ' ')
			buf_add_char(trace, s.ptr[i]);
		else
			buf_printf(trace, "\\x%02x", (unsigned char)s.ptr[i]);
	buf_add_char(trace, '>');
}

static inline bool on_begin(void *ctx, struct exchange *e)
{
	struct replay *replay = ctx;

	buf_printf(&replay->trace, "begin %d %s %.*s\n", (int)e->number,
		   e->role == ROLE_CLIENT ? "client" : "server", (int)e->request.head.target.len,
		   e->request.head.target.ptr);
	return slice_starts(e->request.head.target, SLICE("/v1"));
}

static inline void on_request(void *ctx, struct exchange *e)
{
	struct replay *replay = ctx;

	buf_printf(&replay->trace, "request %d ", (int)e->number);
	add_quoted(&replay->trace, buf_slice(&e->request.body));
	buf_add_text(&replay->trace, e->request.is_whole ? "\n" : " so far\n");
}

static inline enum framing on_framing(void *ctx, struct exchange *e, const struct message *message)
{
	struct slice content_type = {};
	enum framing framing;

	(void)ctx;
	http_field(&message->head, "content-type", &content_type);
	framing = framing_of(content_type);
	return message == &e->response || framing == FRAMING_MULTIPART ? framing : FRAMING_BODY;
}

static inline void on_event(void *ctx, struct exchange *e, const struct message *message,
			    uint64_t time_ns, const struct stream_event *event)
{
	struct replay *replay = ctx;

	cr_expect_eq(time_ns, replay->now_ns);
	if (event->note)
		buf_printf(&replay->trace, "%s %d %.*s %d %.8s%s\n", message == &e->request ? "sent file" : "file",
			   (int)e->number, (int)event->note->content_type.len, event->note->content_type.ptr,
			   (int)event->note->size, event->note->sha256, event->note->is_incomplete ? " incomplete" : "");
	if (event->note)
		return;
	if (message == &e->request && e->is_websocket)
		buf_printf(&replay->trace, "sent %d ", (int)e->number);
	else if (message == &e->request)
		buf_printf(&replay->trace, "part %.*s ", (int)event->type.len, event->type.ptr);
	else
		buf_printf(&replay->trace, "sse %d ", (int)e->number);
	add_quoted(&replay->trace, event->data);
	buf_add_char(&replay->trace, '\n');
}

static inline void on_end(void *ctx, struct exchange *e, uint64_t time_ns)
{
	static const char *const ends[] = {
		[END_COMPLETE] = "complete", [END_CUT_BY_CLIENT] = "cut by client",
		[END_CUT_BY_SERVER] = "cut by server", [END_LOST] = "lost",
		[END_DETACHED] = "detached", [END_TARGET_EXITED] = "exited",
	};
	const struct message *messages[] = { &e->request, &e->response };
	struct replay *replay = ctx;

	(void)time_ns;
	buf_printf(&replay->trace, "end %d %s %u ", (int)e->number, ends[e->end], e->response.head.status);
	add_quoted(&replay->trace, buf_slice(&e->response.body));
	for (int loss = 0; loss < LOSS_COUNT; loss++)
		if (e->marks & LOSS_BIT(loss))
			buf_printf(&replay->trace, " %s", loss_name(loss));
	buf_add_char(&replay->trace, '\n');
	replay->kernel_flags |= e->kernel_flags;
	replay->lost_bytes = e->response.lost_bytes;
	replay->wire_bytes = e->response.body_wire_bytes;
	for (int i = 0; i < 2; i++) {
		replay->times[i].first_ns = messages[i]->first_ns;
		replay->times[i].head_ns = messages[i]->head_ns;
		replay->times[i].last_ns = messages[i]->last_ns;
	}
}

static inline void on_ignored(void *ctx, const struct conn *conn)
{
	struct replay *replay = ctx;

	cr_expect(conn->is_ignored);
	buf_add_text(&replay->trace, "ignored\n");
}

static const struct exchange_ops replay_ops = { on_begin, on_framing, on_request, on_event, on_end };

static inline void replay_init(struct replay *replay)
{
	struct conn_table_options options = { .ops = &replay_ops, .ignored = on_ignored };

	*replay = (struct replay){ .trace = BUF_INIT(16 * MiB), .conn_id = CONN_ID };
	options.ctx = replay;
	options.losses = replay->losses;
	cr_assert_eq(conn_table_new(&replay->table, &options), 0);
}

static inline void replay_done(struct replay *replay)
{
	conn_table_free(&replay->table);
	buf_done(&replay->trace);
}

static inline struct gt_event replay_event(struct replay *replay, unsigned type, unsigned flags)
{
	replay->now_ns += STEP_NS;
	return (struct gt_event){ .time_ns = replay->now_ns, .conn_id = replay->conn_id, .pid = PID,
				  .tid = PID, .type = type, .flags = flags };
}

static inline void replay_open(struct replay *replay, unsigned flags)
{
	struct gt_open_event open = { .event = replay_event(replay, GT_EVENT_OPEN, flags), .key = 3 };

	/* A late one has moved bytes that nobody looked at. */
	for (int i = 0; i < GT_DIRECTIONS; i++)
		replay->offset[i] = flags & GT_FLAG_BORN ? 0 : 1000 + i;
	conn_table_event(replay->table, &open.event);
}

/* @len bytes moved, of which @captured are seen. */
static inline void replay_data(struct replay *replay, enum gt_direction direction, const char *bytes,
			       size_t len, size_t captured, unsigned flags)
{
	struct gt_data_event *event = malloc(sizeof(*event) + captured);

	*event = (struct gt_data_event){ .event = replay_event(replay, GT_EVENT_DATA, flags),
		.offset = replay->offset[direction], .direction = direction, .len = len,
		.captured_len = captured };
	if (captured)
		memcpy(event->bytes, bytes, captured);
	replay->offset[direction] += len;
	conn_table_event(replay->table, &event->event);
	free(event);
}

static inline void replay_end(struct replay *replay, unsigned type, unsigned direction, unsigned flags)
{
	struct gt_end_event end = { .event = replay_event(replay, type, flags),
		.offset = { replay->offset[0], replay->offset[1] }, .direction = direction };

	conn_table_event(replay->table, &end.event);
}

static inline size_t step_len(const struct step *step)
{
	return step->bytes ? strlen(step->bytes) : 0;
}

/* Bytes in two events, cut after @cut of them, or in pieces of @piece. */
static inline void replay_step(struct replay *replay, const struct step *step, size_t cut, size_t piece)
{
	enum gt_direction direction = step->op == 'r' || step->op == 'R' ? GT_READ : GT_WRITE;
	size_t len = step_len(step);
	struct gt_event exit;

	switch (step->op) {
	case 'r':
	case 'w':
		for (size_t at = 0, n; at < len; at += n) {
			n = at < cut ? MIN(piece, cut - at) : MIN(piece, len - at);
			replay_data(replay, direction, step->bytes + at, n, n, 0);
		}
		break;
	case 'R':
	case 'W':
		replay->offset[direction] += len;
		break;
	case 'e':
		replay_end(replay, GT_EVENT_EOF, GT_READ, 0);
		break;
	case 'f':
		replay_end(replay, GT_EVENT_EOF, GT_WRITE, 0);
		break;
	case 'x':
		replay_end(replay, GT_EVENT_EOF, GT_READ, GT_FLAG_RESET);
		break;
	case 'c':
		replay_end(replay, GT_EVENT_CLOSE, GT_WRITE, 0);
		break;
	case 'X':
		exit = replay_event(replay, GT_EVENT_EXIT, 0);
		conn_table_event(replay->table, &exit);
		break;
	case 'd':
		conn_table_detach(replay->table, replay->now_ns);
		break;
	default:
		cr_assert_fail("no such step: %c", step->op);
	}
}

/* What was lost, by name, as the trace's last line. */
static inline void add_losses(struct replay *replay)
{
	for (int loss = 0; loss < LOSS_COUNT; loss++)
		if (replay->losses[loss])
			buf_printf(&replay->trace, "%s %d\n", loss_name(loss), (int)replay->losses[loss]);
}

#endif
