/* SPDX-License-Identifier: Apache-2.0 */
/* Compressed bodies and streams through a connection, cut at every byte. */
#include "script.h"

#include <zlib.h>

#define EVENTS "data: a\n\ndata: b\n\n"

static void add_gzip(struct buf *out, const char *text)
{
	z_stream z = { .next_in = (unsigned char *)text, .avail_in = strlen(text) };
	char room[1024];

	cr_assert_eq(deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY), Z_OK);
	z.next_out = (unsigned char *)room;
	z.avail_out = sizeof(room);
	cr_assert_eq(deflate(&z, Z_FINISH), Z_STREAM_END);
	buf_add(out, room, sizeof(room) - z.avail_out);
	deflateEnd(&z);
}

/* A response with @text compressed in one chunk. */
static void add_response(struct buf *out, const char *type, const char *text)
{
	_cleanup_(buf_done) struct buf gzip = BUF_INIT(MiB);

	add_gzip(&gzip, text);
	buf_printf(out, "HTTP/1.1 200 OK\r\nContent-Type: %s\r\nContent-Encoding: gzip\r\n"
		   "Transfer-Encoding: chunked\r\n\r\n%zx\r\n", type, gzip.len);
	buf_add(out, gzip.ptr, gzip.len);
	buf_add_text(out, "\r\n0\r\n\r\n");
}

static void read_cut(struct replay *replay, const struct buf *wire, size_t cut)
{
	if (cut)
		replay_data(replay, GT_READ, wire->ptr, cut, cut, 0);
	if (cut < wire->len)
		replay_data(replay, GT_READ, wire->ptr + cut, wire->len - cut, wire->len - cut, 0);
}

Test(bodies, gzip_is_decoded_at_every_cut)
{
	static const struct {
		const char *type, *text, *want;
	} cases[] = {
		{ "application/json", "{\"a\":1}", "begin 1 client /v1/x\nrequest 1 <>\nend 1 complete 200 <{\"a\":1}>\n" },
		{ "text/event-stream", EVENTS,
		  "begin 1 client /v1/x\nrequest 1 <>\nsse 1 <a>\nsse 1 <b>\nend 1 complete 200 <>\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(buf_done) struct buf wire = BUF_INIT(MiB);

		add_response(&wire, cases[i].type, cases[i].text);
		for (size_t cut = 0; cut <= wire.len; cut++) {
			struct replay replay;

			replay_init(&replay);
			replay_open(&replay, GT_FLAG_BORN);
			replay_step(&replay, &(struct step){ 'w', "GET /v1/x HTTP/1.1\r\n\r\n" }, 0, SIZE_MAX);
			read_cut(&replay, &wire, cut);
			cr_expect_str_eq(buf_text(&replay.trace), cases[i].want, "%s, cut at %zu", cases[i].type, cut);
			replay_done(&replay);
		}
	}
}

Test(bodies, a_compressed_request_is_decoded)
{
	_cleanup_(buf_done) struct buf wire = BUF_INIT(MiB), gzip = BUF_INIT(MiB);
	struct replay replay;

	add_gzip(&gzip, "{\"model\":\"m\"}");
	buf_printf(&wire, "POST /v1/x HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: %zu\r\n\r\n", gzip.len);
	buf_add(&wire, gzip.ptr, gzip.len);
	replay_init(&replay);
	replay_open(&replay, GT_FLAG_BORN);
	read_cut(&replay, &wire, wire.len / 2);
	cr_expect_str_eq(buf_text(&replay.trace), "begin 1 server /v1/x\nrequest 1 <{\"model\":\"m\"}>\n");
	replay_done(&replay);
}

/* What decodes before the break is true; nothing behind it is. */
Test(bodies, broken_gzip_keeps_what_came_before)
{
	_cleanup_(buf_done) struct buf wire = BUF_INIT(MiB);
	struct replay replay;

	add_response(&wire, "text/event-stream", EVENTS);
	wire.ptr[wire.len - 7 - 8] ^= 0x55;	/* in the checksum */
	replay_init(&replay);
	replay_open(&replay, GT_FLAG_BORN);
	replay_step(&replay, &(struct step){ 'w', "GET /v1/x HTTP/1.1\r\n\r\n" }, 0, SIZE_MAX);
	read_cut(&replay, &wire, 0);
	cr_expect_str_eq(buf_text(&replay.trace), "begin 1 client /v1/x\nrequest 1 <>\nsse 1 <a>\nsse 1 <b>\n"
			 "end 1 complete 200 <> bad_encoding\n");
	cr_expect_eq(replay.losses[LOSS_BAD_ENCODING], 1);
	replay_done(&replay);
}

Test(bodies, nul_bytes_are_kept)
{
	static const char wire[] = "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\na\0b";
	struct replay replay;

	replay_init(&replay);
	replay_open(&replay, GT_FLAG_BORN);
	replay_step(&replay, &(struct step){ 'w', "GET /v1/x HTTP/1.1\r\n\r\n" }, 0, SIZE_MAX);
	replay_data(&replay, GT_READ, wire, sizeof(wire) - 1, sizeof(wire) - 1, 0);
	cr_expect_str_eq(buf_text(&replay.trace), "begin 1 client /v1/x\nrequest 1 <>\nend 1 complete 200 <a\\x00b>\n");
	replay_done(&replay);
}
