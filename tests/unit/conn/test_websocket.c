/* SPDX-License-Identifier: Apache-2.0 */
/* An exchange that becomes a WebSocket: its messages, its ends, what is lost of it. */
#include "script.h"

#include "../wire/ws_frames.h"

#define GET(path) "GET " path " HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
#define SWITCHING "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: WebSocket\r\n"
#define OPEN SWITCHING "\r\n"
#define OK(len) "HTTP/1.1 200 OK\r\nContent-Length: " #len "\r\n\r\n"

/* Frames of the client, masked with "1234", and of the server. */
#define ASK "\x81\x83" "1234\x50\x41\x58"	/* ask */
#define MORE "\x81\x84" "1234\x5c\x5d\x41\x51"	/* more */
#define BYE "\x88\x82" "1234\x32\xda"		/* close, 1000 */
#define HI "\x81\x02hi"
#define YES "\x01\x01y\x80\x02" "es"
#define CLOSE "\x88\x02\x03\xe8"
#define PING "\x89\x01x"

#define BEGUN "begin 1 client /v1/x\nrequest 1 <>\n"

static const struct script {
	const char *name;
	bool is_whole_only;	/* a gap cut elsewhere would be another gap */
	struct step steps[16];
	const char *want;
} scripts[] = {
	/* Ends. */
	{ "the client closes, the server answers", false,
	  { { 'w', GET("/v1/x") }, { 'r', OPEN }, { 'w', ASK }, { 'r', PING HI YES }, { 'w', BYE }, { 'r', CLOSE }, { 'c', "" } },
	  BEGUN "sent 1 <ask>\nsse 1 <hi>\nsse 1 <yes>\nend 1 complete 101 <>\nignored\n" },
	{ "the server closes, the client answers", false,
	  { { 'w', GET("/v1/x") }, { 'r', OPEN }, { 'w', ASK }, { 'r', HI CLOSE }, { 'w', BYE }, { 'e', "" }, { 'c', "" } },
	  BEGUN "sent 1 <ask>\nsse 1 <hi>\nend 1 complete 101 <>\nignored\n" },
	{ "a server's", false,
	  { { 'r', GET("/v1/x") }, { 'w', OPEN }, { 'r', ASK }, { 'w', HI }, { 'r', MORE BYE }, { 'w', YES CLOSE } },
	  "begin 1 server /v1/x\nrequest 1 <>\nsent 1 <ask>\nsse 1 <hi>\nsent 1 <more>\nsse 1 <yes>\n"
	  "end 1 complete 101 <>\nignored\n" },
	{ "the client closes and does not wait", false,
	  { { 'w', GET("/v1/x") }, { 'r', OPEN }, { 'w', ASK BYE }, { 'c', "" } },
	  BEGUN "sent 1 <ask>\nend 1 complete 101 <>\n" },
	{ "the client closes, the server just goes", false,
	  { { 'w', GET("/v1/x") }, { 'r', OPEN }, { 'w', BYE }, { 'r', HI }, { 'e', "" }, { 'c', "" } },
	  BEGUN "sse 1 <hi>\nend 1 complete 101 <>\n" },
	{ "the client closes half, the server goes on to the end", false,
	  { { 'w', GET("/v1/x") }, { 'r', OPEN }, { 'w', ASK BYE }, { 'f', "" }, { 'r', HI YES CLOSE }, { 'c', "" } },
	  BEGUN "sent 1 <ask>\nsse 1 <hi>\nsse 1 <yes>\nend 1 complete 101 <>\nignored\n" },
	{ "the client goes without a word", false,
	  { { 'w', GET("/v1/x") }, { 'r', OPEN }, { 'w', ASK }, { 'r', HI }, { 'c', "" } },
	  BEGUN "sent 1 <ask>\nsse 1 <hi>\nend 1 cut by client 101 <>\n" },
	{ "a server's client goes without a word", false,
	  { { 'r', GET("/v1/x") }, { 'w', OPEN }, { 'r', ASK }, { 'e', "" }, { 'w', HI }, { 'c', "" } },
	  "begin 1 server /v1/x\nrequest 1 <>\nsent 1 <ask>\nsse 1 <hi>\nend 1 cut by client 101 <>\n" },
	{ "the server goes without a word", false,
	  { { 'w', GET("/v1/x") }, { 'r', OPEN }, { 'w', ASK }, { 'r', HI "\x81\x05hal" }, { 'e', "" }, { 'c', "" } },
	  BEGUN "sent 1 <ask>\nsse 1 <hi>\nend 1 cut by server 101 <>\n" },
	{ "the server breaks off, though it was told to close", false,
	  { { 'w', GET("/v1/x") }, { 'r', OPEN }, { 'w', BYE }, { 'x', "" }, { 'c', "" } },
	  BEGUN "end 1 cut by server 101 <>\n" },
	{ "the process goes", false,
	  { { 'w', GET("/v1/x") }, { 'r', OPEN }, { 'w', ASK }, { 'X', "" } },
	  BEGUN "sent 1 <ask>\nend 1 exited 101 <>\n" },
	{ "gentap goes", false,
	  { { 'w', GET("/v1/x") }, { 'r', OPEN }, { 'w', ASK }, { 'd', "" }, { 'r', HI }, { 'w', MORE }, { 'c', "" } },
	  BEGUN "sent 1 <ask>\nend 1 detached 101 <>\n" },
	{ "what comes behind the closing is nobody's", false,
	  { { 'w', GET("/v1/x") }, { 'r', OPEN CLOSE HI }, { 'w', BYE ASK }, { 'r', HI OPEN }, { 'w', GET("/v1/y") }, { 'c', "" } },
	  BEGUN "end 1 complete 101 <>\nignored\n" },

	/* Beginnings. */
	{ "on a connection that had other exchanges", false,
	  { { 'w', "GET /v1/w HTTP/1.1\r\n\r\n" }, { 'r', OK(1) "A" }, { 'w', "GET /o HTTP/1.1\r\n\r\n" }, { 'r', OK(1) "B" },
	    { 'w', GET("/v1/x") }, { 'r', OPEN HI }, { 'w', BYE }, { 'r', CLOSE } },
	  "begin 1 client /v1/w\nrequest 1 <>\nend 1 complete 200 <A>\nbegin 2 client /o\nend 2 complete 200 <>\n"
	  "begin 3 client /v1/x\nrequest 3 <>\nsse 3 <hi>\nend 3 complete 101 <>\nignored\n" },
	{ "frames in one piece with the heads", false,
	  { { 'r', GET("/v1/x") }, { 'w', OPEN HI YES CLOSE }, { 'r', BYE } },
	  "begin 1 server /v1/x\nrequest 1 <>\nsse 1 <hi>\nsse 1 <yes>\nend 1 complete 101 <>\nignored\n" },
	{ "one that nobody wants", false,
	  { { 'w', GET("/other") }, { 'r', OPEN HI }, { 'w', ASK }, { 'c', "" } },
	  "begin 1 client /other\nend 1 complete 101 <>\nignored\n" },
	{ "a refusal", false,
	  { { 'w', GET("/v1/x") }, { 'r', "HTTP/1.1 401 No\r\nContent-Length: 2\r\n\r\nno" }, { 'w', "GET /v1/y HTTP/1.1\r\n\r\n" },
	    { 'r', OK(1) "B" } },
	  BEGUN "end 1 complete 401 <no>\nbegin 2 client /v1/y\nrequest 2 <>\nend 2 complete 200 <B>\n" },
	{ "an extension that is not understood", false,
	  { { 'w', GET("/v1/x") }, { 'r', SWITCHING "Sec-WebSocket-Extensions: x-zip\r\n\r\n\xf1\x01x" }, { 'w', ASK }, { 'c', "" } },
	  BEGUN "end 1 complete 101 <> unsupported_protocol\nignored\nunsupported_protocol 1\n" },
	{ "a request that did not wait for the switch", false,
	  { { 'w', GET("/v1/x") "GET /v1/y HTTP/1.1\r\n\r\n" }, { 'r', OPEN HI CLOSE }, { 'w', BYE } },
	  BEGUN "begin 2 client /v1/y\nrequest 2 <>\nend 2 lost 0 <>\nsse 1 <hi>\nend 1 complete 101 <>\nignored\n" },
	{ "a switch before the request's end", false,
	  { { 'w', "POST /v1/x HTTP/1.1\r\nContent-Length: 2\r\n\r\na" }, { 'r', OPEN HI }, { 'w', "b" }, { 'c', "" } },
	  "begin 1 client /v1/x\nend 1 lost 101 <>\nignored\n" },

	/* Bad frames. */
	{ "a server that masks", false,
	  { { 'w', GET("/v1/x") }, { 'r', OPEN HI "\x81\x83" "1234abc" HI }, { 'w', ASK MORE BYE }, { 'e', "" } },
	  BEGUN "sse 1 <hi>\nsent 1 <ask>\nsent 1 <more>\nend 1 complete 101 <> malformed_stream\nmalformed_stream 1\n" },
	{ "a client that does not", false,
	  { { 'w', GET("/v1/x") }, { 'r', OPEN HI }, { 'w', "\x81\x03" "abc" ASK }, { 'r', YES CLOSE }, { 'c', "" } },
	  BEGUN "sse 1 <hi>\nsse 1 <yes>\nend 1 complete 101 <> malformed_stream\nmalformed_stream 1\n" },

	/* Lost bytes. */
	{ "a gap in a message", true,
	  { { 'w', GET("/v1/x") }, { 'r', OPEN "\x81\x04" "ab" }, { 'R', "cd" }, { 'r', HI }, { 'w', "\x81\x83" "12" }, { 'w', "34" },
	    { 'w', "\x50" }, { 'W', "s" }, { 'w', "\x58" MORE BYE }, { 'r', CLOSE } },
	  BEGUN "sse 1 <hi>\nsent 1 <more>\nend 1 complete 101 <> lost_bytes\nignored\nlost_bytes 3\n" },
	{ "a gap between the server's frames", true,
	  { { 'w', GET("/v1/x") }, { 'r', OPEN HI }, { 'R', YES }, { 'r', HI }, { 'w', ASK BYE }, { 'r', CLOSE }, { 'e', "" } },
	  BEGUN "sse 1 <hi>\nsent 1 <ask>\nend 1 complete 101 <> lost_bytes\nlost_bytes 7\n" },
	{ "a gap that ends a close", true,
	  { { 'w', GET("/v1/x") }, { 'r', OPEN }, { 'w', BYE }, { 'r', "\x88\x02\x03" }, { 'R', "\xe8" }, { 'c', "" } },
	  BEGUN "end 1 complete 101 <> lost_bytes\nignored\nlost_bytes 1\n" },
	{ "the client's bytes before the switch", true,
	  { { 'w', GET("/v1/x") }, { 'W', "??" }, { 'w', "\r\n" }, { 'r', OPEN HI }, { 'w', ASK }, { 'r', CLOSE }, { 'c', "" } },
	  BEGUN "sse 1 <hi>\nend 1 complete 101 <> lost_bytes\nlost_bytes 2\nresync_bytes 2\n" },
	{ "the switch itself", true,
	  { { 'w', GET("/v1/x") }, { 'R', OPEN }, { 'r', HI }, { 'w', ASK }, { 'c', "" } },
	  BEGUN "end 1 lost 0 <> lost_bytes\nlost_bytes 77\nresync_bytes 4\n" },
};

static void replay_script(const struct script *script, size_t cut_step, size_t cut, size_t piece, const char *how)
{
	struct replay replay;

	replay_init(&replay);
	replay_open(&replay, GT_FLAG_BORN);
	for (size_t i = 0; i < ARRAY_SIZE(script->steps) && script->steps[i].op; i++)
		replay_step(&replay, &script->steps[i], i == cut_step ? cut : 0, piece);
	add_losses(&replay);
	cr_expect_str_eq(buf_text(&replay.trace), script->want, "%s, %s (step %zu cut at %zu):\n%s", script->name, how,
			 cut_step, cut, buf_text(&replay.trace));
	replay_done(&replay);
}

Test(websocket, scripts_hold_at_every_cut)
{
	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++) {
		replay_script(&scripts[i], 0, 0, SIZE_MAX, "whole");
		if (scripts[i].is_whole_only)
			continue;
		replay_script(&scripts[i], 0, 0, 1, "byte by byte");
		for (size_t step = 0; step < ARRAY_SIZE(scripts[i].steps); step++)
			for (size_t cut = 1; cut < step_len(&scripts[i].steps[step]); cut++)
				replay_script(&scripts[i], step, cut, SIZE_MAX, "cut");
	}
}

/* --- compressed ------------------------------------------------------------- */

static void send(struct replay *replay, enum gt_direction direction, struct slice bytes)
{
	replay_data(replay, direction, bytes.ptr, bytes.len, bytes.len, 0);
}

static void send_text(struct replay *replay, enum gt_direction direction, const char *text)
{
	send(replay, direction, slice_of(text));
}

static void begin(struct replay *replay, const char *answer)
{
	replay_init(replay);
	replay_open(replay, GT_FLAG_BORN);
	send_text(replay, GT_WRITE, GET("/v1/x"));
	send_text(replay, GT_READ, answer);
}

/* Each direction as it was agreed for it, cut at every byte of both. */
Test(websocket, each_direction_is_decompressed_as_agreed)
{
	static const char agreed[] = SWITCHING "Content-Encoding: gzip\r\n"
		"sec-websocket-extensions: permessage-deflate; server_no_context_takeover; client_max_window_bits=9\r\n\r\n";
	_cleanup_(buf_done) struct buf sent = BUF_INIT(KiB), got = BUF_INIT(KiB);
	struct ws_deflate client, server;

	ws_deflate_init(&client, 9, /* has_no_takeover */ false);
	ws_deflate_init(&server, 15, /* has_no_takeover */ true);
	for (int i = 0; i < 3; i++) {
		ws_compressed(&client, &sent, true, SLICE("{\"type\":\"ask\"}"));
		ws_compressed(&server, &got, false, SLICE("{\"type\":\"answer\"}"));
	}
	ws_deflate_done(&client);
	ws_deflate_done(&server);
	for (size_t cut = 0; cut <= MAX(sent.len, got.len); cut++) {
		size_t cuts[] = { MIN(cut, sent.len), MIN(cut, got.len) };
		struct replay replay;

		begin(&replay, agreed);
		send(&replay, GT_WRITE, (struct slice){ sent.ptr, cuts[0] });
		send(&replay, GT_WRITE, (struct slice){ sent.ptr + cuts[0], sent.len - cuts[0] });
		send(&replay, GT_READ, (struct slice){ got.ptr, cuts[1] });
		send(&replay, GT_READ, (struct slice){ got.ptr + cuts[1], got.len - cuts[1] });
		send_text(&replay, GT_READ, CLOSE);
		send_text(&replay, GT_WRITE, BYE);
		cr_expect_str_eq(buf_text(&replay.trace),
				 BEGUN "sent 1 <{\"type\":\"ask\"}>\nsent 1 <{\"type\":\"ask\"}>\nsent 1 <{\"type\":\"ask\"}>\n"
				 "sse 1 <{\"type\":\"answer\"}>\nsse 1 <{\"type\":\"answer\"}>\nsse 1 <{\"type\":\"answer\"}>\n"
				 "end 1 complete 101 <>\nignored\n", "cut at %zu:\n%s", cut, buf_text(&replay.trace));
		replay_done(&replay);
	}
}

/* --- lost bytes ------------------------------------------------------------- */

/* What the trace says comes in this order and is among this; nothing else does. */
static void expect_some_of(const char *trace, const char *const *lines, size_t count, size_t at, size_t lost)
{
	for (size_t i = 0; i < count; i++)
		if (strncmp(trace, lines[i], strlen(lines[i])) == 0)
			trace += strlen(lines[i]);
	cr_expect_str_eq(trace, "", "%zu lost at %zu", lost, at);
}

/* Up to all of the server's bytes are lost at every place behind its head. */
Test(websocket, a_gap_anywhere_marks_and_never_makes_messages_up)
{
	static const char wire[] = "\x81\x03" "abc" PING "\x01\x02" "de" "\x80\x02" "fg" "\x81\x02" "hi" CLOSE;
	static const char *const lines[] = { BEGUN, "sent 1 <ask>\n", "sse 1 <abc>\n", "sse 1 <defg>\n", "sse 1 <hi>\n",
					     "sent 1 <more>\n", "end 1 complete 101 <> lost_bytes\n",
					     "end 1 cut by client 101 <> lost_bytes\n" };
	size_t len = sizeof(wire) - 1;

	for (size_t at = 0; at < len; at++)
		for (size_t lost = 1; at + lost <= len; lost++) {
			struct replay replay;

			begin(&replay, OPEN);
			send_text(&replay, GT_WRITE, ASK);
			send(&replay, GT_READ, (struct slice){ wire, at });
			replay.offset[GT_READ] += lost;
			if (at + lost < len)
				send(&replay, GT_READ, (struct slice){ wire + at + lost, len - at - lost });
			send_text(&replay, GT_WRITE, MORE);
			replay_end(&replay, GT_EVENT_CLOSE, GT_WRITE, 0);
			expect_some_of(buf_text(&replay.trace), lines, ARRAY_SIZE(lines), at, lost);
			cr_expect(strstr(buf_text(&replay.trace), "sent 1 <more>\n"), "the other side goes on");
			cr_expect_eq(replay.losses[LOSS_GAP], lost);
			cr_expect_eq(replay.lost_bytes, lost);
			replay_done(&replay);
		}
}

/* --- time and memory -------------------------------------------------------- */

Test(websocket, a_quiet_one_is_not_forgotten)
{
	struct replay replay;

	begin(&replay, OPEN);
	send_text(&replay, GT_READ, HI);
	replay.now_ns += 100 * LIMIT_IDLE_NS;
	/* Another connection's event: what is idle is looked for at each. */
	replay.conn_id++;
	send_text(&replay, GT_WRITE, "x");
	replay.conn_id--;
	replay.offset[GT_WRITE]--;
	send_text(&replay, GT_READ, YES);
	send_text(&replay, GT_WRITE, ASK);
	cr_expect_str_eq(buf_text(&replay.trace), BEGUN "sse 1 <hi>\nsse 1 <yes>\nsent 1 <ask>\n");
	cr_expect_eq(conn_table_count(replay.table), 2);
	replay_done(&replay);
}

Test(websocket, an_ended_one_is_forgotten)
{
	struct replay replay;

	begin(&replay, OPEN CLOSE);
	send_text(&replay, GT_WRITE, BYE);
	replay.now_ns += 2 * LIMIT_IDLE_NS;
	replay.conn_id++;
	send_text(&replay, GT_WRITE, "x");
	cr_expect_eq(conn_table_count(replay.table), 1);
	replay_done(&replay);
}

/* One message of the server as long as may be, without its last byte. */
static void begin_long(struct replay *replay, uint64_t conn_id, const struct buf *message)
{
	replay->conn_id = conn_id;
	replay->offset[GT_READ] = replay->offset[GT_WRITE] = 0;
	send_text(replay, GT_WRITE, GET("/v1/x"));
	send_text(replay, GT_READ, OPEN);
	send(replay, GT_READ, (struct slice){ message->ptr, message->len - 1 });
}

Test(websocket, messages_not_whole_yet_share_one_limit)
{
	_cleanup_(buf_done) struct buf message = BUF_INIT(LIMIT_WEBSOCKET_MESSAGE + KiB);
	_cleanup_(freep) char *text = malloc(LIMIT_WEBSOCKET_MESSAGE);
	uint64_t most = LIMIT_DECODERS / LIMIT_WEBSOCKET_MESSAGE;
	struct replay replay;

	memset(text, 'x', LIMIT_WEBSOCKET_MESSAGE);
	ws_frame(&message, WS_FIN | WS_TEXT, false, (struct slice){ text, LIMIT_WEBSOCKET_MESSAGE });
	replay_init(&replay);
	for (uint64_t id = 1; id <= most; id++)
		begin_long(&replay, id, &message);
	cr_expect_eq(replay.losses[LOSS_MEMORY_LIMIT], 0);
	begin_long(&replay, most + 1, &message);
	cr_expect_eq(replay.losses[LOSS_MEMORY_LIMIT], 1, "one too many is marked");
	begin_long(&replay, most + 2, &message);
	cr_expect_eq(replay.losses[LOSS_MEMORY_LIMIT], 2, "what was given up takes nothing");
	replay.conn_id = 1;
	replay_end(&replay, GT_EVENT_CLOSE, GT_WRITE, 0);
	begin_long(&replay, most + 3, &message);
	cr_expect_eq(replay.losses[LOSS_MEMORY_LIMIT], 2, "an ended one makes room");
	replay_done(&replay);
}
