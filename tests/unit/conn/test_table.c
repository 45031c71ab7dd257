/* SPDX-License-Identifier: Apache-2.0 */
/* The table of connections: limits, names, reuse of keys, times, who is forgotten. */
#include "script.h"

#include <sys/socket.h>

static void request(struct replay *replay, const char *bytes)
{
	replay_step(replay, &(struct step){ 'w', bytes }, 0, SIZE_MAX);
}

static void response(struct replay *replay, const char *bytes)
{
	replay_step(replay, &(struct step){ 'r', bytes }, 0, SIZE_MAX);
}

#define GET "GET /v1/x HTTP/1.1\r\n\r\n"

Test(table, times_are_those_of_the_events_that_carried_the_bytes)
{
	struct replay replay;

	replay_init(&replay);
	replay_open(&replay, GT_FLAG_BORN);				/* 1 */
	request(&replay, "POST /v1/x HTTP/1.1\r\nConte");		/* 2 */
	request(&replay, "nt-Length: 4\r\n\r\nab");			/* 3 */
	request(&replay, "cd");						/* 4 */
	response(&replay, "HTTP/1.1 100 Continue\r\n\r\nHT");		/* 5 */
	response(&replay, "TP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"); /* 6 */
	response(&replay, "1\r\na\r\n");				/* 7 */
	response(&replay, "0\r\n\r\n");					/* 8 */
	cr_expect_eq(replay.times[0].first_ns, 2 * STEP_NS);
	cr_expect_eq(replay.times[0].head_ns, 3 * STEP_NS);
	cr_expect_eq(replay.times[0].last_ns, 4 * STEP_NS);
	cr_expect_eq(replay.times[1].first_ns, 5 * STEP_NS);
	cr_expect_eq(replay.times[1].head_ns, 6 * STEP_NS);
	cr_expect_eq(replay.times[1].last_ns, 8 * STEP_NS);
	replay_done(&replay);
}

Test(table, a_key_in_use_again_ends_its_former_connection)
{
	struct replay replay;

	replay_init(&replay);
	replay_open(&replay, GT_FLAG_BORN);
	request(&replay, GET);
	replay.conn_id++;
	replay_open(&replay, GT_FLAG_BORN | GT_FLAG_TLS);
	cr_expect_eq(conn_table_count(replay.table), 2, "an SSL * is no descriptor");
	replay.conn_id++;
	replay_open(&replay, GT_FLAG_BORN);
	cr_expect_eq(conn_table_count(replay.table), 2);
	cr_expect_str_eq(buf_text(&replay.trace), "begin 1 client /v1/x\nrequest 1 <>\nend 1 lost 0 <>\n");
	replay_done(&replay);
}

Test(table, an_open_with_another_key_leaves_nothing_behind)
{
	struct gt_open_event open;
	struct replay replay;

	replay_init(&replay);
	replay_open(&replay, GT_FLAG_BORN);
	open = (struct gt_open_event){ .event = replay_event(&replay, GT_EVENT_OPEN, 0), .key = 4 };
	conn_table_event(replay.table, &open.event);
	replay_end(&replay, GT_EVENT_CLOSE, GT_WRITE, 0);
	cr_expect_eq(conn_table_count(replay.table), 0);
	replay.conn_id++;
	replay_open(&replay, GT_FLAG_BORN);	/* key 3 again */
	cr_expect_eq(conn_table_count(replay.table), 1);
	replay_done(&replay);
}

Test(table, only_the_connections_of_the_exiting_process_end)
{
	struct replay replay;
	struct gt_event exit;

	replay_init(&replay);
	replay_open(&replay, GT_FLAG_BORN);
	request(&replay, GET);
	exit = replay_event(&replay, GT_EVENT_EXIT, 0);
	exit.pid = PID + 1;
	conn_table_event(replay.table, &exit);
	cr_expect_eq(conn_table_count(replay.table), 1);
	conn_table_exit(replay.table, PID, replay.now_ns);
	cr_expect_eq(conn_table_count(replay.table), 0);
	cr_expect_str_eq(buf_text(&replay.trace), "begin 1 client /v1/x\nrequest 1 <>\nend 1 exited 0 <>\n");
	replay_done(&replay);
}

Test(table, free_ends_what_is_open)
{
	struct replay replay;

	replay_init(&replay);
	replay_open(&replay, GT_FLAG_BORN);
	request(&replay, GET);
	conn_table_free(&replay.table);
	cr_expect_str_eq(buf_text(&replay.trace), "begin 1 client /v1/x\nrequest 1 <>\nend 1 detached 0 <>\n");
	replay_done(&replay);
}

Test(table, idle_connections_are_forgotten_and_busy_ones_not)
{
	struct replay replay;

	replay_init(&replay);
	replay_open(&replay, GT_FLAG_BORN);
	request(&replay, GET);
	replay.conn_id++;
	replay_open(&replay, GT_FLAG_BORN | GT_FLAG_TLS);
	replay.now_ns += LIMIT_IDLE_NS + 1;
	replay.conn_id++;
	request(&replay, "x");
	cr_expect_eq(conn_table_count(replay.table), 2, "the busy one and the new one");
	replay_done(&replay);
}

Test(table, at_the_limit_the_longest_idle_goes_first)
{
	struct replay replay;

	replay_init(&replay);
	replay_open(&replay, GT_FLAG_BORN);
	request(&replay, GET);
	for (size_t i = 0; i < LIMIT_CONNS; i++) {
		replay.conn_id++;
		replay_data(&replay, GT_READ, "x", 1, 1, 0);
	}
	cr_expect_eq(conn_table_count(replay.table), LIMIT_CONNS);
	cr_expect_eq(replay.losses[LOSS_CONNS_LIMIT], 0);
	replay.conn_id = CONN_ID;
	replay.offset[GT_READ] = 0;
	response(&replay, "HTTP/1.1 204 No\r\n\r\n");
	cr_expect_str_eq(buf_text(&replay.trace), "begin 1 client /v1/x\nrequest 1 <>\nend 1 complete 204 <>\n");
	replay_done(&replay);
}

Test(table, at_the_limit_with_all_busy_the_oldest_is_counted)
{
	struct replay replay;

	replay_init(&replay);
	for (size_t i = 0; i <= LIMIT_CONNS; i++) {
		replay.conn_id++;
		replay.offset[GT_WRITE] = 0;
		replay_data(&replay, GT_WRITE, GET, sizeof(GET) - 1, sizeof(GET) - 1, 0);
	}
	cr_expect_eq(conn_table_count(replay.table), LIMIT_CONNS);
	cr_expect_eq(replay.losses[LOSS_CONNS_LIMIT], 1);
	cr_expect_not_null(strstr(buf_text(&replay.trace), "end 1 lost 0 <> conns_limit\n"));
	replay_done(&replay);
}

Test(table, requests_beyond_the_limit_give_the_connection_up)
{
	struct replay replay;

	replay_init(&replay);
	replay_open(&replay, GT_FLAG_BORN);
	for (size_t i = 0; i < LIMIT_PIPELINED; i++)
		request(&replay, "GET /other HTTP/1.1\r\n\r\n");
	cr_expect_null(strstr(buf_text(&replay.trace), "ignored"));
	request(&replay, "GET /other HTTP/1.1\r\n\r\n");
	cr_expect_not_null(strstr(buf_text(&replay.trace), "end 64 lost 0 <> pipeline_limit\nignored\n"));
	cr_expect_eq(replay.losses[LOSS_PIPELINE_LIMIT], 1);
	replay_done(&replay);
}

/* Sends @total bytes in records as large as they come. */
static void flood(struct replay *replay, enum gt_direction direction, uint64_t total)
{
	_cleanup_(freep) char *bytes = malloc(GT_CHUNK_BYTES);
	uint64_t n;

	memset(bytes, 'x', GT_CHUNK_BYTES);
	for (; total; total -= n) {
		n = MIN(total, (uint64_t)GT_CHUNK_BYTES);
		replay_data(replay, direction, bytes, n, n, 0);
	}
}

Test(table, a_body_of_100_MB_is_counted_and_its_start_kept)
{
	struct replay replay;
	const char *end;

	replay_init(&replay);
	replay_open(&replay, GT_FLAG_BORN);
	request(&replay, GET);
	response(&replay, "HTTP/1.1 200 OK\r\nContent-Length: 100000000\r\n\r\n");
	flood(&replay, GT_READ, 100000000);
	end = strstr(buf_text(&replay.trace), "end 1 complete 200 <");
	cr_assert_not_null(end);
	cr_expect_eq(strspn(end + 20, "x"), LIMIT_BODY);
	cr_expect_str_eq(end + 20 + LIMIT_BODY, "> body_limit\n");
	cr_expect_eq(replay.wire_bytes, 100000000);
	cr_expect_eq(replay.losses[LOSS_BODY_LIMIT], 1);
	replay_done(&replay);
}

Test(table, a_head_bomb_is_counted_and_skipped)
{
	struct replay replay;

	replay_init(&replay);
	replay_open(&replay, GT_FLAG_BORN);
	request(&replay, "GET /v1/x HTTP/1.1\r\nA: ");
	flood(&replay, GT_WRITE, 2 * LIMIT_HTTP_HEAD);
	request(&replay, "\r\n\r\n");
	response(&replay, "HTTP/1.1 431 Too large\r\nContent-Length: 0\r\n\r\n");
	request(&replay, GET);
	response(&replay, "HTTP/1.1 204 No\r\n\r\n");
	cr_expect_str_eq(buf_text(&replay.trace), "begin 1 client /v1/x\nrequest 1 <>\nend 1 complete 204 <>\n");
	cr_expect_eq(replay.losses[LOSS_HEAD_LIMIT], 1);
	cr_expect_eq(replay.losses[LOSS_ORPHAN], 1);
	replay_done(&replay);
}

Test(table, an_event_without_end_is_counted_and_skipped)
{
	struct replay replay;

	replay_init(&replay);
	replay_open(&replay, GT_FLAG_BORN);
	request(&replay, GET);
	response(&replay, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\ndata: a\n\ndata: ");
	flood(&replay, GT_READ, 3 * LIMIT_SSE_EVENT);
	response(&replay, "\n\ndata: b\n\n");
	replay_end(&replay, GT_EVENT_EOF, GT_READ, 0);
	cr_expect_str_eq(buf_text(&replay.trace), "begin 1 client /v1/x\nrequest 1 <>\nsse 1 <a>\nsse 1 <b>\n"
			 "end 1 complete 200 <> event_limit\n");
	cr_expect_eq(replay.losses[LOSS_EVENT_LIMIT], 1);
	replay_done(&replay);
}

Test(table, all_bodies_together_have_a_limit)
{
	size_t conns = LIMIT_BODIES / LIMIT_BODY + 8;
	struct replay replay;

	replay_init(&replay);
	for (size_t i = 0; i < conns; i++) {
		replay.conn_id++;
		request(&replay, GET);
		response(&replay, "HTTP/1.1 200 OK\r\nContent-Length: 9999999\r\n\r\n");
		flood(&replay, GT_READ, LIMIT_BODY);
	}
	cr_expect_gt(replay.losses[LOSS_MEMORY_LIMIT], 0);
	replay_done(&replay);
}

Test(table, what_is_known_of_a_connection_can_be_read)
{
	static const uint8_t v4[] = { 192, 0, 2, 1 }, v6[] = { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 };
	static const uint8_t mapped[] = { [10] = 0xff, 0xff, 192, 0, 2, 1 };
	static const struct {
		uint16_t family;
		const uint8_t *addr;
		size_t len;
		const char *want;
	} rows[] = {
		{ AF_INET, v4, 4, "192.0.2.1:443" },	{ AF_INET6, v6, 16, "[2001:db8::1]:443" },
		{ AF_INET6, mapped, 16, "192.0.2.1:443" }, { AF_UNIX, NULL, 0, "unix" }, { 0, NULL, 0, "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct conn conn = { .family = rows[i].family, .peer_port = 443 };
		char text[64];

		if (rows[i].len)
			memcpy(conn.peer_addr, rows[i].addr, rows[i].len);
		conn_peer_text(&conn, text, sizeof(text));
		cr_expect_str_eq(text, rows[i].want);
	}
}

Test(table, events_of_a_broken_file_do_no_harm)
{
	struct gt_data_event *data = calloc(1, sizeof(*data) + 8);
	struct gt_end_event end = {};
	struct replay replay;

	replay_init(&replay);
	*data = (struct gt_data_event){ .event = replay_event(&replay, GT_EVENT_DATA, 0), .direction = 9, .len = 8,
					.captured_len = 8 };
	conn_table_event(replay.table, &data->event);
	data->direction = GT_READ;
	data->offset = UINT64_MAX - 3;
	conn_table_event(replay.table, &data->event);
	data->offset = 0;
	data->len = 0;
	conn_table_event(replay.table, &data->event);
	end.event = replay_event(&replay, GT_EVENT_EOF, 0);
	end.direction = 9;
	conn_table_event(replay.table, &end.event);
	end.event.type = 77;
	conn_table_event(replay.table, &end.event);
	cr_expect_eq(conn_table_count(replay.table), 1);
	free(data);
	replay_done(&replay);
}
