/* SPDX-License-Identifier: Apache-2.0 */
#include "play.h"

#include <sys/socket.h>

#include "limits.h"
#include "source/scrub.h"

struct tape {
	const struct test_case *test;
	const struct play *how;
	const struct player *player;
	uint64_t offset[GT_DIRECTIONS];
	size_t at;		/* bytes of both sides so far */
};

static enum gt_direction direction_of(const struct tape *tape, enum side side)
{
	return (tape->how->role == ROLE_CLIENT) == (side == SIDE_REQUEST) ? GT_WRITE : GT_READ;
}

static struct gt_event event_of(const struct tape *tape, enum gt_event_type type, uint64_t at_ns)
{
	return (struct gt_event){
		.time_ns = PLAY_START_NS + at_ns,
		.conn_id = PLAY_CONN_ID,
		.pid = tape->test->pid,
		.tid = tape->test->tid,
		.type = type,
		.flags = tape->test->is_tls ? GT_FLAG_TLS : 0,
	};
}

static void emit(const struct tape *tape, const struct gt_event *event)
{
	tape->player->on_event(tape->player->ctx, event);
}

/* Of a TLS connection nobody knows the address, but its name. */
static void open_connection(const struct tape *tape)
{
	struct gt_open_event open = { .event = event_of(tape, GT_EVENT_OPEN, 0), .key = 7 };
	struct gt_name_event name = { .event = event_of(tape, GT_EVENT_NAME, 0) };

	open.event.flags |= tape->how->role == ROLE_SERVER ? GT_FLAG_ACCEPTED : 0;
	open.event.flags |= tape->how->is_late ? 0 : GT_FLAG_BORN;
	memcpy(open.comm, tape->test->comm, sizeof(open.comm));
	if (!tape->test->is_tls) {
		open.family = AF_INET;
		open.peer_port = 8000;
		memcpy(open.peer_addr, (const uint8_t[]){ 192, 0, 2, 1 }, 4);
	}
	emit(tape, &open.event);
	if (!tape->test->server_name[0] || tape->how->is_late)
		return;
	memcpy(name.name, tape->test->server_name, sizeof(name.name));
	emit(tape, &name.event);
}

/* One event of @len moved bytes, of which @captured are seen. Allocated to its
 * size, so that a read behind it is found. */
static void move_bytes(struct tape *tape, const struct move *move, const char *bytes, size_t len,
		       size_t captured)
{
	enum gt_direction direction = direction_of(tape, move->side);
	_cleanup_(freep) struct gt_data_event *data = malloc(sizeof(*data) + captured);

	assert(data);
	*data = (struct gt_data_event){
		.event = event_of(tape, GT_EVENT_DATA, move->at_ns),
		.offset = tape->offset[direction],
		.direction = direction,
		.len = (uint32_t)len,
		.captured_len = (uint32_t)captured,
	};
	if (captured)
		memcpy(data->bytes, bytes, captured);
	tape->offset[direction] += len;
	tape->at += len;
	emit(tape, &data->event);
}

static void lose_bytes(struct tape *tape, const struct move *move, size_t len)
{
	if (tape->how->is_gap_told && move->kind == MOVE_BYTES) {
		move_bytes(tape, move, NULL, len, /* captured */ 0);
		return;
	}
	tape->offset[direction_of(tape, move->side)] += len;
	tape->at += len;
}

static size_t until(size_t at, size_t place, size_t len)
{
	return place > at ? MIN(len, place - at) : len;
}

static bool is_in_gap(const struct tape *tape)
{
	return tape->how->gap_len && tape->at >= tape->how->gap &&
	       tape->at < tape->how->gap + tape->how->gap_len;
}

static void play_bytes(struct tape *tape, const struct move *move)
{
	const struct play *how = tape->how;
	struct slice in = buf_slice(&move->bytes);

	while (in.len) {
		size_t len = MIN(in.len, (size_t)GT_CHUNK_BYTES);

		len = how->piece ? MIN(len, how->piece) : len;
		len = until(tape->at, how->cut, len);
		if (how->gap_len) {
			len = until(tape->at, how->gap, len);
			len = until(tape->at, how->gap + how->gap_len, len);
		}
		if (move->kind == MOVE_LOST || is_in_gap(tape))
			lose_bytes(tape, move, len);
		else
			move_bytes(tape, move, in.ptr, len, len);
		slice_take(&in, len);
	}
}

static void play_end(const struct tape *tape, const struct move *move, enum gt_event_type type)
{
	struct gt_end_event end = {
		.event = event_of(tape, type, move->at_ns),
		.offset = { tape->offset[GT_READ], tape->offset[GT_WRITE] },
		.direction = direction_of(tape, move->side),
	};

	emit(tape, &end.event);
}

static void play_move(struct tape *tape, const struct move *move)
{
	struct gt_process_event exit = { .event = event_of(tape, GT_EVENT_EXIT, move->at_ns) };

	switch (move->kind) {
	case MOVE_BYTES:
	case MOVE_LOST:
		play_bytes(tape, move);
		break;
	case MOVE_EOF:
		play_end(tape, move, GT_EVENT_EOF);
		break;
	case MOVE_CLOSE:
		/* The process hears of its peer's end before it closes. */
		if (direction_of(tape, move->side) == GT_READ)
			play_end(tape, move, GT_EVENT_EOF);
		play_end(tape, move, GT_EVENT_CLOSE);
		break;
	case MOVE_DETACH:
		tape->player->on_detach(tape->player->ctx, PLAY_START_NS + move->at_ns);
		break;
	case MOVE_EXIT:
		exit.event.conn_id = 0;
		exit.event.flags = 0;
		emit(tape, &exit.event);
		break;
	}
}

void play(const struct script *script, const struct test_case *test, const struct play *how,
	  const struct player *player)
{
	struct tape tape = { .test = test, .how = how, .player = player };

	open_connection(&tape);
	for (size_t i = 0; i < script->count; i++)
		play_move(&tape, &script->list[i]);
}

/* --- the pipeline ----------------------------------------------------------- */

static bool is_scrubbed;

void play_scrubbed(void)
{
	is_scrubbed = true;
}

struct behind {
	struct scrubber *scrubber;	/* NULL: events come as they are */
	struct pipeline *pipeline;
};

/* The event is the tape's, which has no more use for its bytes. */
static void on_event(void *ctx, const struct gt_event *event)
{
	struct behind *behind = ctx;

	if (behind->scrubber)
		scrubber_event(behind->scrubber, (struct gt_event *)event);
	pipeline_event(behind->pipeline, event);
}

static void take_line(void *ctx, struct slice line)
{
	struct outcome *outcome = ctx;

	if (outcome->count < CASE_LINES)
		outcome->lines[outcome->count] = strndup(line.ptr, line.len);
	outcome->count++;
}

static void detach(void *ctx, uint64_t time_ns)
{
	struct behind *behind = ctx;

	pipeline_detach(behind->pipeline, time_ns);
}

void play_pipeline(const struct script *script, const struct test_case *test,
		   const struct play *how, struct outcome *ret)
{
	struct pipeline_options options = {
		.generation = { .content = CONTENT_FULL, .boot_id = PLAY_BOOT_ID,
				.realtime_offset_ns = PLAY_REALTIME_NS - PLAY_START_NS },
		.max_content = LIMIT_CONTENT,
		.line = take_line,
		.ctx = ret,
	};
	struct behind behind = { 0 };
	struct player player = { on_event, detach, &behind };
	struct pipeline_totals totals;

	*ret = (struct outcome){ 0 };
	if (pipeline_new(&behind.pipeline, &options) < 0 || (is_scrubbed && scrubber_new(&behind.scrubber) < 0))
		abort();
	play(script, test, how, &player);
	pipeline_totals(behind.pipeline, &totals);
	memcpy(ret->losses, totals.losses, sizeof(ret->losses));
	pipeline_free(&behind.pipeline);
	scrubber_free(&behind.scrubber);
}

void outcome_done(struct outcome *outcome)
{
	for (size_t i = 0; i < MIN(outcome->count, (size_t)CASE_LINES); i++)
		free(outcome->lines[i]);
	*outcome = (struct outcome){ 0 };
}
