/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A connection's events, made as the kernel makes them, through the whole pipeline, with
 * a second connection beside it: a call whose line must be the same whatever the first
 * one does.
 */
#ifndef GENTAP_TESTS_FUZZ_TAPE_H
#define GENTAP_TESTS_FUZZ_TAPE_H

#include "fuzz.h"
#include "llm/json.h"
#include "pipeline.h"
#include "source/scrub.h"

enum { TAPE_CONN = 1, TAPE_WITNESS = 2, TAPE_WITNESS_PIECES = 4 };

struct tape {
	struct pipeline *pipeline;
	struct scrubber *scrubber;	/* NULL: events come as they are */
	uint64_t offset[GT_DIRECTIONS];
	uint64_t time_ns;
	size_t step;			/* most bytes of one event; 0: as they moved */
	bool is_server, is_closed;
	unsigned moves, pieces;		/* pieces: of the witness */
	uint64_t lines, witness;	/* digests */
	size_t line_count;
	struct pipeline_totals totals;	/* valid after tape_end */
};

static inline void tape_line(void *ctx, struct slice line)
{
	_cleanup_(json_freep) cJSON *json = cJSON_ParseWithLength(line.ptr, line.len);
	const cJSON *conn = json_get(json, "connection");
	struct tape *tape = ctx;

	FUZZ_CHECK(cJSON_IsObject(json));
	FUZZ_CHECK(!memchr(line.ptr, '\n', line.len));
	tape->line_count++;
	if (getenv("FUZZ_LINES"))	/* for who wants to see why two differ */
		fprintf(stderr, "%.*s\n", (int)line.len, line.ptr);
	digest_slice(json_count(conn, "id") == TAPE_WITNESS ? &tape->witness : &tape->lines, line);
}

static inline void tape_event(struct tape *tape, struct gt_event *event)
{
	if (tape->scrubber)
		scrubber_event(tape->scrubber, event);
	pipeline_event(tape->pipeline, event);
}

/* --- the witness -------------------------------------------------------------- */

static const char tape_question[] =
	"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: 67\r\n\r\n"
	"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Still there?\"}]}";
static const char tape_answer[] =
	"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 77\r\n\r\n"
	"{\"choices\":[{\"index\":0,\"message\":{\"content\":\"Yes.\"},\"finish_reason\":\"stop\"}]}";

static inline void tape_witness_bytes(struct tape *tape, uint32_t direction, const char *text, size_t from, size_t to)
{
	union { struct gt_data_event data; char room[sizeof(struct gt_data_event) + sizeof(tape_answer) + sizeof(tape_question)]; }
		u = { .data = { .event = { .time_ns = 1000 + from, .conn_id = TAPE_WITNESS, .pid = 20, .type = GT_EVENT_DATA },
				.offset = from, .direction = direction, .len = to - from, .captured_len = to - from } };

	memcpy(u.data.bytes, text + from, to - from);
	tape_event(tape, &u.data.event);
}

/* Its next piece. */
static inline void tape_witness(struct tape *tape)
{
	struct gt_open_event open = { .event = { .time_ns = 1000, .conn_id = TAPE_WITNESS, .pid = 20,
						 .type = GT_EVENT_OPEN, .flags = GT_FLAG_BORN }, .key = 20 };
	unsigned i = tape->pieces++;

	if (i == 0) {
		tape_event(tape, &open.event);
		tape_witness_bytes(tape, GT_WRITE, tape_question, 0, 30);
	} else if (i == 1) {
		tape_witness_bytes(tape, GT_WRITE, tape_question, 30, sizeof(tape_question) - 1);
	} else if (i == 2) {
		tape_witness_bytes(tape, GT_READ, tape_answer, 0, 90);
	} else if (i == 3) {
		tape_witness_bytes(tape, GT_READ, tape_answer, 90, sizeof(tape_answer) - 1);
	}
}

/* --- the connection ------------------------------------------------------------ */

static inline struct gt_event tape_event_of(const struct tape *tape, enum gt_event_type type)
{
	return (struct gt_event){ .time_ns = tape->time_ns, .conn_id = TAPE_CONN, .pid = 10, .tid = 11, .type = type };
}

static inline uint32_t tape_direction(const struct tape *tape, bool is_request)
{
	return is_request == tape->is_server ? GT_READ : GT_WRITE;
}

/* What happens next happens later; the witness goes on at some of these times. */
static inline void tape_move(struct tape *tape)
{
	tape->time_ns += 1000000;
	if (tape->moves++ % 2)
		tape_witness(tape);
}

static inline void tape_data(struct tape *tape, bool is_request, struct slice bytes, size_t captured)
{
	uint32_t direction = tape_direction(tape, is_request);
	_cleanup_(freep) struct gt_data_event *data = malloc(sizeof(*data) + captured);

	FUZZ_CHECK(data);
	*data = (struct gt_data_event){ .event = tape_event_of(tape, GT_EVENT_DATA), .offset = tape->offset[direction],
					.direction = direction, .len = bytes.len, .captured_len = captured };
	if (captured)
		memcpy(data->bytes, bytes.ptr, captured);
	tape->offset[direction] += bytes.len;
	tape_event(tape, &data->event);
}

/* One read or write: all its bytes have one time. */
static inline void tape_bytes(struct tape *tape, bool is_request, struct slice bytes)
{
	size_t most = tape->step ? MIN(tape->step, (size_t)GT_CHUNK_BYTES) : GT_CHUNK_BYTES;

	tape_move(tape);
	while (bytes.len && !tape->is_closed) {
		struct slice piece = fuzz_piece(&bytes, most);

		tape_data(tape, is_request, piece, piece.len);
	}
}

/* @n bytes that nobody captured. */
static inline void tape_gap(struct tape *tape, bool is_request, size_t n, bool is_told)
{
	tape_move(tape);
	if (is_told && !tape->is_closed)
		tape_data(tape, is_request, (struct slice){ NULL, n }, /* captured */ 0);
	else
		tape->offset[tape_direction(tape, is_request)] += n;
}

static inline void tape_close(struct tape *tape, enum gt_event_type type, bool is_request, uint16_t flags)
{
	struct gt_end_event end = { .event = tape_event_of(tape, type), .offset = { tape->offset[0], tape->offset[1] },
				    .direction = tape_direction(tape, is_request) };

	tape_move(tape);
	end.event.time_ns = tape->time_ns;
	end.event.flags |= flags;
	if (!tape->is_closed)
		tape_event(tape, &end.event);
	tape->is_closed |= type == GT_EVENT_CLOSE;
}

static inline void tape_exit(struct tape *tape)
{
	struct gt_process_event exit = { .event = tape_event_of(tape, GT_EVENT_EXIT) };

	exit.event.conn_id = 0;
	tape_event(tape, &exit.event);
	tape->is_closed = true;
}

/* Of all connections: the witness has its answer first. */
static inline void tape_detach(struct tape *tape)
{
	while (tape->pieces < TAPE_WITNESS_PIECES)
		tape_witness(tape);
	pipeline_detach(tape->pipeline, tape->time_ns);
}

enum { TAPE_SERVER = 1, TAPE_LATE = 2, TAPE_TLS = 4, TAPE_UNOPENED = 8 };

static inline void tape_begin(struct tape *tape, unsigned how, size_t step, bool is_scrubbed)
{
	struct pipeline_options options = { .max_content = 4 * KiB, .line = tape_line, .ctx = tape };
	struct gt_open_event open;

	*tape = (struct tape){ .time_ns = 5000000, .step = step, .is_server = how & TAPE_SERVER };
	FUZZ_CHECK(pipeline_new(&tape->pipeline, &options) == 0);
	FUZZ_CHECK(!is_scrubbed || scrubber_new(&tape->scrubber) == 0);
	tape_witness(tape);
	open = (struct gt_open_event){ .event = tape_event_of(tape, GT_EVENT_OPEN), .key = 10 };
	open.event.flags = (how & TAPE_LATE ? 0 : GT_FLAG_BORN) | (how & TAPE_TLS ? GT_FLAG_TLS : 0) |
			   (tape->is_server ? GT_FLAG_ACCEPTED : 0);
	if (!(how & TAPE_UNOPENED))
		tape_event(tape, &open.event);
}

/* Ends all, and looks at what must be so in any case. */
static inline void tape_end(struct tape *tape)
{
	static uint64_t witness;

	tape_detach(tape);
	pipeline_totals(tape->pipeline, &tape->totals);
	for (int loss = 0; getenv("FUZZ_LINES") && loss < LOSS_COUNT; loss++)
		if (tape->totals.losses[loss])
			fprintf(stderr, "%s %llu\n", loss_name(loss), (unsigned long long)tape->totals.losses[loss]);
	FUZZ_CHECK(!tape->totals.live_calls);
	FUZZ_CHECK(tape->totals.generations == tape->line_count);
	FUZZ_CHECK(tape->witness && (!witness || tape->witness == witness));
	witness = tape->witness;
	pipeline_free(&tape->pipeline);
	scrubber_free(&tape->scrubber);
}

/* Whether nothing happened after which it counts where events begin: then any other
 * way to cut the same moves gives the same lines. */
static inline bool tape_is_sound(const struct tape *tape)
{
	static const enum loss unsound[] = { LOSS_GAP, LOSS_RESYNC, LOSS_MALFORMED_HTTP, LOSS_HEAD_LIMIT, LOSS_FRAME_LIMIT,
					     LOSS_ORPHAN, LOSS_JOINED_LATE, LOSS_PIPELINE_LIMIT, LOSS_UNSUPPORTED_PROTOCOL,
					     LOSS_HEAD_UNKNOWN };

	for (size_t i = 0; i < ARRAY_SIZE(unsound); i++)
		if (tape->totals.losses[unsound[i]])
			return false;
	return true;
}

#endif
