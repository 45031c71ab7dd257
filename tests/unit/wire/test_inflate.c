/* SPDX-License-Identifier: Apache-2.0 */
/* Content codings: gzip at every split, in members, flushed, broken, and a bomb. */
#include <criterion/criterion.h>

#include <zlib.h>

#include "base/buf.h"
#include "limits.h"
#include "wire/inflate.h"

/* Appends @text as a gzip member; flushed after every @flush_every bytes if not 0. */
static void add_gzip(struct buf *out, const char *text, size_t len, size_t flush_every)
{
	z_stream z = {};
	int r = deflateInit2(&z, 9, Z_DEFLATED, 15 + 16, 8, Z_DEFAULT_STRATEGY);
	char room[4096];

	cr_assert_eq(r, Z_OK);
	for (size_t at = 0, n; r != Z_STREAM_END; at += n) {
		n = flush_every ? MIN(flush_every, len - at) : len - at;
		z.next_in = (unsigned char *)text + at;
		z.avail_in = n;
		do {
			z.next_out = (unsigned char *)room;
			z.avail_out = sizeof(room);
			r = deflate(&z, at + n == len ? Z_FINISH : Z_SYNC_FLUSH);
			buf_add(out, room, sizeof(room) - z.avail_out);
		} while (!z.avail_out);
	}
	deflateEnd(&z);
}

static enum parse decode(struct inflater *inflater, const char *bytes, size_t len, struct buf *out)
{
	struct slice in = { bytes, len }, decoded;
	enum parse parse;

	while ((parse = inflater_next(inflater, &in, &decoded)) == PARSE_ITEM)
		buf_add_slice(out, decoded);
	if (parse == PARSE_MORE)
		cr_assert_eq(in.len, 0, "everything is consumed");
	return parse;
}

static const char text[] = "data: {\"a\":1}\n\ndata: {\"a\":2}\n\ndata: [DONE]\n\n";

Test(inflate, members_decode_at_every_split)
{
	_cleanup_(buf_done) struct buf gzip = BUF_INIT(MiB), want = BUF_INIT(MiB);

	for (int member = 0; member < 3; member++) {
		add_gzip(&gzip, text, member == 1 ? 0 : strlen(text), 0);
		buf_add(&want, text, member == 1 ? 0 : strlen(text));
	}
	for (size_t cut = 0; cut <= gzip.len; cut++) {
		_cleanup_(inflater_free) struct inflater *inflater = inflater_new();
		_cleanup_(buf_done) struct buf got = BUF_INIT(MiB);

		cr_expect_eq(decode(inflater, gzip.ptr, cut, &got), PARSE_MORE);
		cr_expect_eq(decode(inflater, gzip.ptr + cut, gzip.len - cut, &got), PARSE_MORE);
		cr_expect_str_eq(buf_text(&got), buf_text(&want), "cut at %zu", cut);
	}
}

Test(inflate, members_decode_byte_by_byte)
{
	_cleanup_(inflater_free) struct inflater *inflater = inflater_new();
	_cleanup_(buf_done) struct buf gzip = BUF_INIT(MiB), got = BUF_INIT(MiB);

	add_gzip(&gzip, text, strlen(text), 5);
	for (size_t i = 0; i < gzip.len; i++)
		cr_expect_eq(decode(inflater, gzip.ptr + i, 1, &got), PARSE_MORE);
	cr_expect_str_eq(buf_text(&got), text);
}

/* What the sender flushed comes out at once: times of events depend on it. */
Test(inflate, gives_out_all_that_was_flushed)
{
	_cleanup_(inflater_free) struct inflater *inflater = inflater_new();
	_cleanup_(buf_done) struct buf gzip = BUF_INIT(MiB), got = BUF_INIT(MiB);
	static const char flush_mark[] = "\x00\x00\xff\xff";
	char *mark;

	add_gzip(&gzip, text, strlen(text), 15);
	mark = memmem(gzip.ptr, gzip.len, flush_mark, 4);
	cr_assert_not_null(mark);
	decode(inflater, gzip.ptr, (size_t)(mark + 4 - gzip.ptr), &got);
	cr_expect_str_eq(buf_text(&got), "data: {\"a\":1}\n\n");
}

Test(inflate, output_larger_than_its_buffer_comes_whole)
{
	_cleanup_(inflater_free) struct inflater *inflater = inflater_new();
	_cleanup_(buf_done) struct buf plain = BUF_INIT(MiB), gzip = BUF_INIT(MiB), got = BUF_INIT(MiB);

	for (int i = 0; plain.len < 300 * KiB; i++)
		buf_printf(&plain, "%d,", i % 1000);
	add_gzip(&gzip, plain.ptr, plain.len, 0);
	cr_expect_eq(decode(inflater, gzip.ptr, gzip.len, &got), PARSE_MORE);
	cr_expect_eq(got.len, plain.len);
	cr_expect_eq(memcmp(got.ptr, plain.ptr, plain.len), 0);
}

Test(inflate, what_is_not_gzip_is_bad)
{
	static const char *const cases[] = { "hello, world", "\x1f\x8c garbage", "\x1f\x8b\x08\xff\xff\xff" };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(inflater_free) struct inflater *inflater = inflater_new();
		_cleanup_(buf_done) struct buf got = BUF_INIT(MiB);

		cr_expect_eq(decode(inflater, cases[i], strlen(cases[i]), &got), PARSE_BAD, "case %zu", i);
	}
}

Test(inflate, a_wrong_checksum_or_trailing_garbage_is_bad_after_the_text)
{
	for (int garbage = 0; garbage < 2; garbage++) {
		_cleanup_(inflater_free) struct inflater *inflater = inflater_new();
		_cleanup_(buf_done) struct buf gzip = BUF_INIT(MiB), got = BUF_INIT(MiB);

		add_gzip(&gzip, text, strlen(text), 0);
		if (garbage)
			buf_add_text(&gzip, "garbage");
		else
			gzip.ptr[gzip.len - 5] ^= 1;
		cr_expect_eq(decode(inflater, gzip.ptr, gzip.len, &got), PARSE_BAD);
		cr_expect_str_eq(buf_text(&got), text);
	}
}

Test(inflate, a_bomb_is_bad)
{
	_cleanup_(inflater_free) struct inflater *inflater = inflater_new();
	_cleanup_(buf_done) struct buf gzip = BUF_INIT(MiB);
	_cleanup_(freep) char *zeros = calloc(1, 64 * MiB);
	struct slice in, decoded;
	enum parse parse;
	size_t total = 0;

	add_gzip(&gzip, zeros, 64 * MiB, 0);
	in = buf_slice(&gzip);
	while ((parse = inflater_next(inflater, &in, &decoded)) == PARSE_ITEM)
		total += decoded.len;
	cr_expect_eq(parse, PARSE_BAD, "%zu bytes came of %zu", total, gzip.len);
	cr_expect_lt(total, 64 * MiB);
}

Test(inflate, mutated_input_ends_and_stays_in_the_ratio)
{
	_cleanup_(buf_done) struct buf gzip = BUF_INIT(MiB);
	uint64_t state = 99;

	add_gzip(&gzip, text, strlen(text), 10);
	for (int round = 0; round < 2000; round++) {
		_cleanup_(inflater_free) struct inflater *inflater = inflater_new();
		_cleanup_(buf_done) struct buf bytes = BUF_INIT(MiB), got = BUF_INIT(4 * MiB);

		buf_add(&bytes, gzip.ptr, gzip.len);
		for (int n = 0; n < 3; n++) {
			state = state * 6364136223846793005ull + 1442695040888963407ull;
			bytes.ptr[(state >> 33) % bytes.len] = (char)(state >> 20);
		}
		decode(inflater, bytes.ptr, bytes.len, &got);
		cr_assert_leq(got.len, MiB + gzip.len * LIMIT_INFLATE_RATIO, "round %d", round);
	}
}

Test(inflate, codings_are_known_by_name)
{
	static const struct {
		const char *value;
		enum coding want;
	} cases[] = {
		{ "", CODING_IDENTITY },		{ "identity", CODING_IDENTITY },
		{ "gzip", CODING_GZIP },		{ "GZip", CODING_GZIP },
		{ "x-gzip", CODING_GZIP },		{ "identity, gzip", CODING_GZIP },
		{ " gzip , identity", CODING_GZIP },	{ "gzip, gzip", CODING_UNKNOWN },
		{ "br", CODING_UNKNOWN },		{ "deflate", CODING_UNKNOWN },
		{ "gzip, br", CODING_UNKNOWN },		{ "gzipped", CODING_UNKNOWN },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_expect_eq(coding_of(slice_of(cases[i].value)), cases[i].want, "'%s'", cases[i].value);
}
