/* SPDX-License-Identifier: Apache-2.0 */
/* Lost, late, doubled and scrambled events: what is said to be whole is whole,
 * and no response ever goes to another request. */
#include "script.h"

#define EXCHANGES 4

/* What the client of the wire below sent and got, by number of the exchange. */
struct truth {
	struct replay replay;
	size_t ended, whole;
};

static bool want_all(void *ctx, struct exchange *exchange)
{
	(void)ctx;
	(void)exchange;
	return true;
}

static void ignore_request(void *ctx, struct exchange *exchange)
{
	(void)ctx;
	(void)exchange;
}

static enum framing frame_all(void *ctx, struct exchange *exchange, const struct message *message)
{
	struct slice content_type;

	(void)ctx;
	return message == &exchange->response && http_field(&message->head, "content-type", &content_type)
		       ? framing_of(content_type) : FRAMING_BODY;
}

static void collect_event(void *ctx, struct exchange *exchange, const struct message *message,
			  uint64_t time_ns, const struct stream_event *event)
{
	char want[32];

	(void)message;
	(void)ctx;
	(void)time_ns;
	snprintf(want, sizeof(want), "token of %c", exchange->request.head.target.ptr[4]);
	cr_assert(slice_eq(event->data, slice_of(want)), "'%.*s' instead of '%s'", (int)event->data.len,
		  event->data.ptr, want);
}

/* The number stands in the target, in both bodies, and in a field of the response. */
static void check_pair(void *ctx, struct exchange *exchange, uint64_t time_ns)
{
	char number = exchange->request.head.target.ptr[4], want[64];
	struct truth *truth = ctx;
	struct slice value;

	(void)time_ns;
	truth->ended++;
	if (exchange->response.has_head) {
		cr_assert(http_field(&exchange->response.head, "X-Number", &value));
		cr_assert_eq(value.ptr[0], number, "response %c for request %c", value.ptr[0], number);
	}
	if (exchange->end != END_COMPLETE || exchange->marks)
		return;
	truth->whole++;
	snprintf(want, sizeof(want), "question %c", number);
	cr_assert_str_eq(buf_text(&exchange->request.body), want);
	snprintf(want, sizeof(want), "answer %c", number);
	if (exchange->response.framing == FRAMING_BODY)
		cr_assert_str_eq(buf_text(&exchange->response.body), want);
}

static const struct exchange_ops pair_ops = { want_all, frame_all, ignore_request, collect_event, check_pair };

static void truth_init(struct truth *truth)
{
	struct conn_table_options options = { .ops = &pair_ops, .ctx = truth };

	*truth = (struct truth){ .replay.conn_id = CONN_ID };
	options.losses = truth->replay.losses;
	cr_assert_eq(conn_table_new(&truth->replay.table, &options), 0);
}

/* Both directions of exchange @i in the way that servers write: head and body apart. */
static size_t wire_of(size_t i, struct step *ret, char text[6][256])
{
	static const char length[] = "HTTP/1.1 200 OK\r\nX-Number: %zu\r\nContent-Length: 8\r\n\r\n";
	static const char chunked[] = "HTTP/1.1 200 OK\r\nX-Number: %zu\r\nTransfer-Encoding: chunked\r\n\r\n";
	static const char stream[] = "HTTP/1.1 200 OK\r\nX-Number: %zu\r\nContent-Type: text/event-stream\r\n"
				     "Transfer-Encoding: chunked\r\n\r\n";

	snprintf(text[0], 256, "POST /v1/%zu HTTP/1.1\r\nContent-Length: 10\r\n\r\n", i);
	snprintf(text[1], 256, "question %zu", i);
	ret[0] = (struct step){ 'w', text[0] };
	ret[1] = (struct step){ 'w', text[1] };
	for (size_t k = 2; k < 6; k++)
		ret[k] = (struct step){ 'r', text[k] };
	switch (i % 3) {
	case 0:
		snprintf(text[2], 256, length, i);
		snprintf(text[3], 256, "answer %zu", i);
		return 4;
	case 1:
		snprintf(text[2], 256, chunked, i);
		snprintf(text[3], 256, "7\r\nanswer \r\n1\r\n%zu\r\n", i);
		snprintf(text[4], 256, "0\r\n\r\n");
		return 5;
	default:
		snprintf(text[2], 256, stream, i);
		snprintf(text[3], 256, "12\r\ndata: token of %zu\n\n\r\n", i);
		snprintf(text[4], 256, "12\r\ndata: token of %zu\n\n\r\n", i);
		snprintf(text[5], 256, "0\r\n\r\n");
		return 6;
	}
}

static size_t whole_wire(struct step *steps, char text[EXCHANGES][6][256])
{
	size_t n = 0;

	for (size_t i = 0; i < EXCHANGES; i++)
		n += wire_of(i, &steps[n], text[i]);
	return n;
}

/* Sends steps; bytes @from to @to, counted over both directions, are lost. */
static void send_lossy(struct replay *replay, const struct step *steps, size_t count, size_t from, size_t to)
{
	for (size_t i = 0, at = 0; i < count; i++) {
		enum gt_direction direction = steps[i].op == 'r' ? GT_READ : GT_WRITE;
		size_t len = step_len(&steps[i]), cut = MIN(MAX(from, at) - at, len), end = MIN(MAX(to, at) - at, len);

		if (cut)
			replay_data(replay, direction, steps[i].bytes, cut, cut, 0);
		replay->offset[direction] += end - cut;
		if (end < len)
			replay_data(replay, direction, steps[i].bytes + end, len - end, len - end, GT_FLAG_RING_FULL);
		at += len;
	}
	replay_end(replay, GT_EVENT_CLOSE, GT_WRITE, 0);
}

Test(losses, a_gap_anywhere_never_pairs_wrongly_nor_fakes_a_whole)
{
	char text[EXCHANGES][6][256];
	struct step steps[EXCHANGES * 6];
	size_t count = whole_wire(steps, text), total = 0;

	for (size_t i = 0; i < count; i++)
		total += step_len(&steps[i]);
	for (size_t from = 0; from < total; from++)
		for (size_t len = 1; from + len <= total; len = len * 3 / 2 + 1) {
			struct truth truth;

			truth_init(&truth);
			replay_open(&truth.replay, GT_FLAG_BORN);
			send_lossy(&truth.replay, steps, count, from, from + len);
			cr_assert_geq(truth.replay.losses[LOSS_GAP], 1, "%zu at %zu", len, from);
			cr_assert_lt(truth.whole, EXCHANGES, "%zu at %zu", len, from);
			conn_table_free(&truth.replay.table);
		}
}

/* All requests at once, all responses in one row: nothing tells whose a response
 * is but its place. */
Test(losses, a_gap_in_pipelined_messages_never_pairs_wrongly)
{
	char text[EXCHANGES][6][256], requests[1024] = "", responses[4096] = "";
	struct step wire[EXCHANGES * 6], steps[] = { { 'w', requests }, { 'r', responses } };
	size_t count = whole_wire(wire, text), total;

	for (size_t i = 0; i < count; i++)
		strcat(wire[i].op == 'w' ? requests : responses, wire[i].bytes);
	total = strlen(requests) + strlen(responses);
	for (size_t from = 0; from <= total; from++)
		for (size_t len = 0; from + len <= total; len = len * 3 / 2 + 1) {
			struct truth truth;

			truth_init(&truth);
			replay_open(&truth.replay, GT_FLAG_BORN);
			send_lossy(&truth.replay, steps, 2, from, from + len);
			cr_assert(len ? truth.whole < EXCHANGES : truth.whole == EXCHANGES, "%zu at %zu", len, from);
			conn_table_free(&truth.replay.table);
		}
}

Test(losses, one_lost_event_costs_two_exchanges_at_most)
{
	char text[EXCHANGES][6][256];
	struct step steps[EXCHANGES * 6];
	size_t count = whole_wire(steps, text);

	for (size_t lost = 0, at = 0; lost < count; at += step_len(&steps[lost++])) {
		struct truth truth;

		truth_init(&truth);
		replay_open(&truth.replay, GT_FLAG_BORN);
		send_lossy(&truth.replay, steps, count, at, at + step_len(&steps[lost]));
		cr_expect_geq(truth.whole, EXCHANGES - 2, "event %zu lost: %zu of %d whole", lost, truth.whole,
			      EXCHANGES);
		conn_table_free(&truth.replay.table);
	}
}

Test(losses, joining_at_any_byte_pairs_rightly)
{
	char text[EXCHANGES][6][256];
	struct step steps[EXCHANGES * 6];
	size_t count = whole_wire(steps, text), total = 0;

	for (size_t i = 0; i < count; i++)
		total += step_len(&steps[i]);
	for (size_t from = 0; from < total; from++) {
		struct truth truth;
		size_t at = 0, i = 0;

		truth_init(&truth);
		replay_open(&truth.replay, 0);
		while (at + step_len(&steps[i]) <= from)
			at += step_len(&steps[i++]);
		replay_data(&truth.replay, steps[i].op == 'r' ? GT_READ : GT_WRITE, steps[i].bytes + (from - at),
			    step_len(&steps[i]) - (from - at), step_len(&steps[i]) - (from - at), 0);
		send_lossy(&truth.replay, steps + i + 1, count - i - 1, SIZE_MAX, SIZE_MAX);
		cr_expect_eq(truth.replay.losses[LOSS_MALFORMED_HTTP], 0, "from %zu", from);
		cr_expect_eq(truth.replay.losses[LOSS_GAP], 0, "from %zu", from);
		if (i < count - 6)
			cr_expect_geq(truth.whole, 1, "the last one at least, from %zu", from);
		conn_table_free(&truth.replay.table);
	}
}

Test(losses, bytes_that_come_twice_or_too_late_are_read_once)
{
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\n";
	struct replay replay;

	replay_init(&replay);
	replay_open(&replay, GT_FLAG_BORN);
	replay_step(&replay, &(struct step){ 'w', "GET /v1/x HTTP/1.1\r\n\r\n" }, 0, SIZE_MAX);
	replay_step(&replay, &(struct step){ 'r', head }, 0, SIZE_MAX);
	replay_step(&replay, &(struct step){ 'r', "abc" }, 0, SIZE_MAX);
	replay.offset[GT_READ] -= 3;
	replay_step(&replay, &(struct step){ 'r', "abc" }, 0, SIZE_MAX);
	replay.offset[GT_READ] -= 1;
	replay_step(&replay, &(struct step){ 'r', "cdef" }, 0, SIZE_MAX);
	cr_expect_str_eq(buf_text(&replay.trace),
			 "begin 1 client /v1/x\nrequest 1 <>\nend 1 complete 200 <abcdef>\n");
	cr_expect_eq(replay.losses[LOSS_GAP], 0);
	replay_done(&replay);
}

Test(losses, a_partly_captured_event_is_bytes_and_then_a_gap)
{
	static const char bytes[] = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabcdef";
	struct replay replay;

	replay_init(&replay);
	replay_open(&replay, GT_FLAG_BORN);
	replay_step(&replay, &(struct step){ 'w', "GET /v1/x HTTP/1.1\r\n\r\n" }, 0, SIZE_MAX);
	replay_data(&replay, GT_READ, bytes, strlen(bytes), strlen(bytes) - 3, GT_FLAG_UNREADABLE);
	replay_step(&replay, &(struct step){ 'r', "ghi" }, 0, SIZE_MAX);
	cr_expect_str_eq(buf_text(&replay.trace),
			 "begin 1 client /v1/x\nrequest 1 <>\nend 1 complete 200 <abc> lost_bytes\n");
	cr_expect_eq(replay.losses[LOSS_GAP], 3);
	cr_expect_eq(replay.lost_bytes, 3);
	cr_expect_eq(replay.wire_bytes, 9);
	cr_expect_eq(replay.kernel_flags, GT_FLAG_UNREADABLE);
	replay_done(&replay);
}

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return *state >> 33;
}

Test(losses, scrambled_events_do_no_harm)
{
	char text[EXCHANGES][6][256];
	struct step steps[EXCHANGES * 6];
	size_t count = whole_wire(steps, text);
	uint64_t state = 5;

	for (int round = 0; round < 3000; round++) {
		struct replay replay;
		size_t begun = 0, ended = 0;

		replay_init(&replay);
		replay_open(&replay, next_random(&state) % 2 ? GT_FLAG_BORN : 0);
		for (int n = 0; n < 40; n++) {
			struct step step = steps[next_random(&state) % count];
			char bytes[256];

			snprintf(bytes, sizeof(bytes), "%s", step.bytes);
			if (next_random(&state) % 4 == 0)
				bytes[next_random(&state) % strlen(bytes)] ^= 1 << next_random(&state) % 7;
			step.bytes = bytes;
			if (next_random(&state) % 8 == 0)
				replay.offset[next_random(&state) % 2] += next_random(&state) % 64 - 16;
			replay_step(&replay, &step, 0, 1 + next_random(&state) % 99);
			if (next_random(&state) % 64 == 0)
				replay_step(&replay, &(struct step){ "efxcX"[next_random(&state) % 5], "" }, 0, 0);
		}
		conn_table_free(&replay.table);
		for (const char *p = buf_text(&replay.trace); p && *p; p = strchr(p, '\n') + 1) {
			begun += strncmp(p, "begin ", 6) == 0;
			ended += strncmp(p, "end ", 4) == 0;
		}
		cr_assert_eq(begun, ended, "round %d: every exchange ends once", round);
		replay_done(&replay);
	}
}
