/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Conversations in HTTP/2 as text. One line is one move, begun by who makes it (c
 * the client, s the server), and a row of frames, apart by "; ":
 *
 *   P preface and settings   S settings   A their acknowledgement   p ping   w window update
 *   h ID PATH   head of a request (H: without body)   m: in CONTINUATION frames, padded, with priority
 *   r ID STATUS   of a response (R: without body)   e: of a stream of events   z: z ID CODING
 *   d ID TEXT   body (D: its end; q: padded)   t ID   trailers   x ID   reset   g ID   goaway
 *   u ID   push promise   k ID   WebSocket   l ID   a head too long   b ID   an LF in a field
 *   f ID   a frame too long   y TEXT   bytes as they are
 *   n ID   head of a request, its path in an old entry of the table (N: of a response, its type)
 *
 * A line of its own: !e the peer's end, !c the close, !X the process' exit, !G a gap
 * (the next line's move is lost).
 */
#ifndef GENTAP_TESTS_CONN_TALK_H
#define GENTAP_TESTS_CONN_TALK_H

#include "../wire/frames.h"
#include "script.h"

struct move {
	char who;		/* c, s, or ! */
	char op;		/* of ! */
	bool is_lost;
	struct buf bytes;
};

struct talk {
	struct move moves[128];
	size_t count;
	nghttp2_hd_deflater *deflaters[2];	/* the client's, the server's */
};

/* Fields of which most are in the table after their first time. */
static inline size_t fields_for(char op, const char *arg, const char *(*ret)[2])
{
	const char *request[][2] = {
		{ ":method", "POST" }, { ":scheme", "https" }, { ":path", arg }, { ":authority", "model.test" },
		{ "content-type", "application/json" }, { "x-client", "of a test" },
	};
	const char *response[][2] = {
		{ ":status", arg }, { "content-type", op == 'e' ? "text/event-stream" : "application/json" },
		{ "x-server", "of a test" }, { "content-encoding", op == 'z' ? arg : "identity" },
	};

	if (arg[0] == '/') {
		memcpy(ret, request, sizeof(request));
		return ARRAY_SIZE(request);
	}
	if (op == 'z')
		response[0][1] = "200";
	memcpy(ret, response, sizeof(response));
	return op == 'z' ? 4 : 3;
}

static inline void add_special_head(struct buf *out, nghttp2_hd_deflater *deflater, char op, uint32_t id)
{
	_cleanup_(freep) char *longest = malloc(LIMIT_HTTP_HEAD);
	const char *trailers[][2] = { { "x-checksum", "abc" } };
	const char *websocket[][2] = { { ":method", "CONNECT" }, { ":protocol", "websocket" }, { ":scheme", "https" },
				       { ":path", "/v1/realtime" }, { ":authority", "model.test" } };
	const char *malformed[][2] = { { ":method", "POST" }, { ":scheme", "https" }, { ":path", "/v1/b" }, { "x", "a\nb" } };
	const char *long_head[][2] = { { ":method", "POST" }, { ":scheme", "https" }, { ":path", "/v1/l" }, { "x", longest } };
	_cleanup_(buf_done) struct buf block = BUF_INIT(MiB);

	memset(longest, 'l', LIMIT_HTTP_HEAD - 1);
	longest[LIMIT_HTTP_HEAD - 1] = '\0';
	if (op == 't')
		add_block(&block, deflater, (const char *const (*)[2])trailers, 1);
	else if (op == 'k')
		add_block(&block, deflater, (const char *const (*)[2])websocket, 5);
	else
		add_block(&block, deflater, (const char *const (*)[2])(op == 'b' ? malformed : long_head), 4);
	add_frame(out, HTTP2_FRAME_HEADERS, HTTP2_END_HEADERS | (op == 'k' ? 0 : HTTP2_END_STREAM), id, buf_slice(&block));
}

/* Pad length 3, priority, two bytes of the block; then the rest in two frames. */
static inline void add_split_head(struct buf *out, struct slice block, uint32_t id)
{
	_cleanup_(buf_done) struct buf first = BUF_INIT(256);

	buf_add(&first, "\3\0\0\0\0\x10", 6);
	buf_add_slice(&first, slice_take(&block, 2));
	buf_add(&first, "\0\0\0", 3);
	add_frame(out, HTTP2_FRAME_HEADERS, HTTP2_PADDED | HTTP2_PRIORITY, id, buf_slice(&first));
	add_frame(out, HTTP2_FRAME_CONTINUATION, 0, id, slice_take(&block, block.len / 2));
	add_frame(out, HTTP2_FRAME_CONTINUATION, HTTP2_END_HEADERS, id, block);
}

static inline void add_head(struct buf *out, nghttp2_hd_deflater *deflater, char op, uint32_t id, const char *arg)
{
	_cleanup_(buf_done) struct buf block = BUF_INIT(MiB);
	const char *fields[16][2];
	bool is_end = op == 'H' || op == 'R';
	size_t count = fields_for(op, arg, fields);

	if (op == 'u')
		buf_add(&block, "\0\0\0\2", 4);
	add_block(&block, deflater, (const char *const (*)[2])fields, count);
	if (op == 'm')
		add_split_head(out, buf_slice(&block), id);
	else
		add_frame(out, op == 'u' ? HTTP2_FRAME_PUSH_PROMISE : HTTP2_FRAME_HEADERS,
			  HTTP2_END_HEADERS | (is_end ? HTTP2_END_STREAM : 0), id, buf_slice(&block));
}

static inline void add_body(struct buf *out, char op, uint32_t id, const char *text)
{
	_cleanup_(buf_done) struct buf padded = BUF_INIT(4096);

	if (op != 'q') {
		add_frame(out, HTTP2_FRAME_DATA, op == 'D' ? HTTP2_END_STREAM : 0, id, slice_of(text));
		return;
	}
	buf_printf(&padded, "%c%s", 4, text);
	buf_add(&padded, "\0\0\0\0", 4);
	add_frame(out, HTTP2_FRAME_DATA, HTTP2_PADDED, id, buf_slice(&padded));
}

static inline void add_op(struct buf *out, nghttp2_hd_deflater *deflater, char op, uint32_t id, const char *arg)
{
	const char number[] = { 0, 0, 0, (char)id, 0, 0, 0, 0 };

	switch (op) {
	case 'P':
		buf_add_slice(out, HTTP2_PREFACE);
		/* fall through */
	case 'S':
		add_frame(out, HTTP2_FRAME_SETTINGS, 0, 0, SLICE("\0\3\0\0\0\x64"));
		break;
	case 'A':
		add_frame(out, HTTP2_FRAME_SETTINGS, HTTP2_ACK, 0, SLICE(""));
		break;
	case 'p':
		add_frame(out, HTTP2_FRAME_PING, 0, 0, SLICE("12345678"));
		break;
	case 'w':
		add_frame(out, HTTP2_FRAME_WINDOW_UPDATE, 0, 0, SLICE("\0\0\x10\0"));
		break;
	case 'x':
		add_frame(out, HTTP2_FRAME_RST_STREAM, 0, id, SLICE("\0\0\0\x8"));
		break;
	case 'g':
		add_frame(out, HTTP2_FRAME_GOAWAY, 0, 0, (struct slice){ number, 8 });
		break;
	case 'f':
		buf_add(out, "\x10\0\1\0\0\0\0\0", 8);
		buf_add_char(out, (char)id);
		break;
	case 'y':
		buf_add_text(out, arg);
		break;
	case 'n':
		add_frame(out, HTTP2_FRAME_HEADERS, HTTP2_END_HEADERS, id, SLICE("\x83\x87\xbe"));
		break;
	case 'N':
		add_frame(out, HTTP2_FRAME_HEADERS, HTTP2_END_HEADERS, id, SLICE("\x88\xbe"));
		break;
	case 'd': case 'D': case 'q':
		add_body(out, op, id, arg);
		break;
	case 't': case 'k': case 'b': case 'l':
		add_special_head(out, deflater, op, id);
		break;
	default:
		add_head(out, deflater, op, id, arg);
	}
}

static inline void read_move(struct talk *talk, struct move *move, const char *line)
{
	nghttp2_hd_deflater *deflater = talk->deflaters[move->who == 's'];

	for (const char *at = line + 2; *at;) {
		const char *end = strstr(at, "; ");
		char op[1024], *arg;
		uint32_t id;

		snprintf(op, sizeof(op), "%.*s", (int)(end ? (size_t)(end - at) : strlen(at)), at);
		at += strlen(op) + (end ? 2 : 0);
		id = (uint32_t)strtoul(op + 1, &arg, 10);
		arg += *arg == ' ';
		add_op(&move->bytes, deflater, op[0], id, arg);
	}
}

static inline void talk_init(struct talk *talk, const char *const *lines, size_t count)
{
	bool is_lost = false;

	*talk = (struct talk){};
	for (int i = 0; i < 2; i++)
		cr_assert_eq(nghttp2_hd_deflate_new(&talk->deflaters[i], 4096), 0);
	for (size_t i = 0; i < count && lines[i]; i++) {
		struct move *move = &talk->moves[talk->count];

		if (strcmp(lines[i], "!G") == 0) {
			is_lost = true;
			continue;
		}
		cr_assert_lt(++talk->count, ARRAY_SIZE(talk->moves));
		*move = (struct move){ .who = lines[i][0], .op = lines[i][1], .is_lost = is_lost,
				       .bytes = BUF_INIT(4 * MiB) };
		is_lost = false;
		if (move->who != '!')
			read_move(talk, move, lines[i]);
	}
}

static inline void talk_done(struct talk *talk)
{
	for (int i = 0; i < 2; i++)
		nghttp2_hd_deflate_del(talk->deflaters[i]);
	for (size_t i = 0; i < talk->count; i++)
		buf_done(&talk->moves[i].bytes);
}

static inline enum gt_direction direction_of(const struct move *move, enum role role)
{
	return (move->who == 'c') == (role == ROLE_CLIENT) ? GT_WRITE : GT_READ;
}

/* Bytes @from to @to of the move, in one event. */
static inline void play_part(struct replay *replay, const struct move *move, enum role role, size_t from, size_t to)
{
	if (from < to)
		replay_data(replay, direction_of(move, role), move->bytes.ptr + from, to - from, to - from, 0);
}

/* One move, cut after @cut bytes, or in pieces of @piece. */
static inline void play(struct replay *replay, const struct move *move, enum role role, size_t cut, size_t piece)
{
	size_t len = move->bytes.len;

	if (move->who == '!') {
		replay_step(replay, &(struct step){ move->op, "" }, 0, 0);
		return;
	}
	if (move->is_lost) {
		replay->offset[direction_of(move, role)] += len;
		return;
	}
	for (size_t at = 0, n; at < len; at += n) {
		n = at < cut ? MIN(piece, cut - at) : MIN(piece, len - at);
		play_part(replay, move, role, at, at + n);
	}
}

#endif
