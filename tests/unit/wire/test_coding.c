/* SPDX-License-Identifier: Apache-2.0 */
/* Content codings: each at every split, flushed, in rows, broken, cut off, and bombs. */
#include "encode.h"

#include "limits.h"
#include "wire/coding.h"

static const char *const names[] = { "gzip", "deflate", "raw", "br", "zstd" };

#define EVENT_1 "data: {\"a\":1}\n\n"
#define EVENT_2 "data: {\"a\":2}\n\n"
static const char text[] = EVENT_1 EVENT_2 "data: [DONE]\n\n";

static struct decoder *decoder_of(const char *value)
{
	struct codings codings = {};

	codings_add(&codings, slice_of(encode_http_name(value)));
	cr_assert_eq(codings.unknown.len, 0, "%s", value);
	return decoder_new(&codings);
}

static enum parse decode(struct decoder *decoder, struct slice in, struct buf *out)
{
	struct slice decoded;
	enum parse parse;

	while ((parse = decoder_next(decoder, &in, &decoded)) == PARSE_ITEM) {
		cr_assert_gt(decoded.len, 0);
		buf_add_slice(out, decoded);
	}
	if (parse == PARSE_MORE)
		cr_assert_eq(in.len, 0, "everything is consumed");
	return parse;
}

/* In pieces of @piece, until it is bad. */
static enum parse decode_pieces(struct decoder *decoder, struct slice in, size_t piece, struct buf *out)
{
	enum parse parse = PARSE_MORE;

	while (in.len && parse == PARSE_MORE)
		parse = decode(decoder, slice_take(&in, MIN(piece, in.len)), out);
	return parse;
}

static void add_long_text(struct buf *out, size_t len)
{
	uint64_t state = 7;

	while (out->len < len) {
		state = state * 6364136223846793005ull + 1442695040888963407ull;
		buf_printf(out, "data: {\"token\":\"%x\",\"index\":0}\n\n", (unsigned)(state >> 40) % 5000);
	}
}

Test(coding, each_decodes_at_every_split)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		for (size_t flush_every = 0; flush_every <= 15; flush_every += 15) {
			_cleanup_(buf_done) struct buf wire = BUF_INIT(MiB);

			encode(names[i], slice_of(text), flush_every, &wire);
			for (size_t cut = 0; cut <= wire.len; cut++) {
				_cleanup_(decoder_free) struct decoder *decoder = decoder_of(names[i]);
				_cleanup_(buf_done) struct buf got = BUF_INIT(MiB);

				cr_expect_eq(decode(decoder, (struct slice){ wire.ptr, cut }, &got), PARSE_MORE);
				cr_expect_eq(decoder_is_whole(decoder), cut == wire.len, "%s, cut at %zu", names[i], cut);
				cr_expect_eq(decode(decoder, (struct slice){ wire.ptr + cut, wire.len - cut }, &got),
					     PARSE_MORE);
				cr_expect_str_eq(buf_text(&got), text, "%s, cut at %zu", names[i], cut);
				cr_expect(decoder_is_whole(decoder), "%s, cut at %zu", names[i], cut);
			}
		}
}

Test(coding, long_text_comes_whole_in_any_pieces)
{
	static const size_t pieces[] = { 1, 2, 3, 1000, 1024, 4096, SIZE_MAX };
	_cleanup_(buf_done) struct buf plain = BUF_INIT(MiB);

	add_long_text(&plain, 600 * KiB);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_(buf_done) struct buf wire = BUF_INIT(MiB);

		encode(names[i], buf_slice(&plain), 0, &wire);
		for (size_t n = 0; n < ARRAY_SIZE(pieces); n++) {
			_cleanup_(decoder_free) struct decoder *decoder = decoder_of(names[i]);
			_cleanup_(buf_done) struct buf got = BUF_INIT(MiB);

			cr_expect_eq(decode_pieces(decoder, buf_slice(&wire), pieces[n], &got), PARSE_MORE);
			cr_expect(slice_eq(buf_slice(&got), buf_slice(&plain)), "%s, pieces of %zu", names[i], pieces[n]);
			cr_expect(decoder_is_whole(decoder), "%s", names[i]);
		}
	}
}

/* The times of events depend on it. */
Test(coding, what_was_flushed_is_out_with_its_last_byte)
{
	static const char *const parts[] = { EVENT_1, EVENT_2, "data: [DONE]\n\n" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_(decoder_free) struct decoder *decoder = decoder_of(names[i]);
		_cleanup_(buf_done) struct buf wire = BUF_INIT(MiB), got = BUF_INIT(MiB), want = BUF_INIT(MiB);
		struct encoder encoder;

		encoder_init(&encoder, names[i]);
		for (size_t part = 0; part < ARRAY_SIZE(parts); part++) {
			size_t before = wire.len;

			encode_part(&encoder, slice_of(parts[part]), part + 1 == ARRAY_SIZE(parts), &wire);
			buf_add_text(&want, parts[part]);
			decode_pieces(decoder, (struct slice){ wire.ptr + before, wire.len - before }, 1, &got);
			cr_expect_str_eq(buf_text(&got), buf_text(&want), "%s, part %zu", names[i], part);
		}
		encoder_done(&encoder);
	}
}

Test(coding, members_and_frames_follow_each_other)
{
	static const char skippable[] = "\x50\x2a\x4d\x18\x03\x00\x00\x00xyz";	/* RFC 8878 section 3.1.2 */
	static const char *const several[] = { "gzip", "zstd" };

	for (size_t i = 0; i < ARRAY_SIZE(several); i++) {
		_cleanup_(buf_done) struct buf wire = BUF_INIT(MiB);

		encode(several[i], SLICE("one "), 0, &wire);
		encode(several[i], SLICE(""), 0, &wire);
		if (i == 1)
			buf_add(&wire, skippable, sizeof(skippable) - 1);
		encode(several[i], SLICE("two"), 0, &wire);
		for (size_t cut = 0; cut <= wire.len; cut++) {
			_cleanup_(decoder_free) struct decoder *decoder = decoder_of(several[i]);
			_cleanup_(buf_done) struct buf got = BUF_INIT(MiB);

			decode(decoder, (struct slice){ wire.ptr, cut }, &got);
			cr_expect_eq(decode(decoder, (struct slice){ wire.ptr + cut, wire.len - cut }, &got), PARSE_MORE);
			cr_expect_str_eq(buf_text(&got), "one two", "%s, cut at %zu", several[i], cut);
			cr_expect(decoder_is_whole(decoder), "%s, cut at %zu", several[i], cut);
		}
	}
}

Test(coding, rows_of_codings_decode_at_every_split)
{
	static const struct {
		const char *value;
		const char *applied[LIMIT_CODINGS];
	} cases[] = {
		{ "gzip, br", { "gzip", "br" } },
		{ "deflate,zstd", { "raw", "zstd" } },
		{ "gzip, identity, gzip", { "gzip", "gzip" } },
		{ "br, zstd, gzip", { "br", "zstd", "gzip" } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(buf_done) struct buf wire = BUF_INIT(MiB);

		buf_add_text(&wire, text);
		for (size_t n = 0; n < LIMIT_CODINGS && cases[i].applied[n]; n++) {
			_cleanup_(buf_done) struct buf inner = BUF_INIT(MiB);

			buf_add_slice(&inner, buf_slice(&wire));
			buf_reset(&wire);
			encode(cases[i].applied[n], buf_slice(&inner), 0, &wire);
		}
		for (size_t cut = 0; cut <= wire.len; cut++) {
			_cleanup_(decoder_free) struct decoder *decoder = decoder_of(cases[i].value);
			_cleanup_(buf_done) struct buf got = BUF_INIT(MiB);

			decode(decoder, (struct slice){ wire.ptr, cut }, &got);
			cr_expect_eq(decode(decoder, (struct slice){ wire.ptr + cut, wire.len - cut }, &got), PARSE_MORE);
			cr_expect_str_eq(buf_text(&got), text, "%s, cut at %zu", cases[i].value, cut);
			cr_expect(decoder_is_whole(decoder), "%s, cut at %zu", cases[i].value, cut);
		}
	}
}

Test(coding, what_is_not_of_the_coding_is_bad)
{
	static const struct {
		const char *coding;
		struct slice wire;
	} cases[] = {
		{ "gzip", SLICE("hello, world") },
		{ "gzip", SLICE("\x1f\x8c garbage") },
		{ "gzip", SLICE("\x1f\x8b\x08\xff\xff\xff") },
		{ "deflate", SLICE("hello, world") },
		{ "deflate", SLICE("\x78\xbb\x00\x00\x00\x01\x03\x00") },	/* wants a dictionary */
		{ "br", SLICE("\x11\xff\xff\xff") },			/* a large window */
		{ "br", SLICE("hello, world") },
		{ "zstd", SLICE("hello, world") },
		{ "zstd", SLICE("\x28\xb5\x2f\xfd\x00\x70\x01\x00\x00") },	/* a window of 16 MiB */
		{ "zstd", SLICE("\x28\xb5\x2f\xfd\x21\x07\x01\x09\x00\x00x") },	/* wants a dictionary */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (size_t piece = 1; piece < 20; piece += 18) {
			_cleanup_(decoder_free) struct decoder *decoder = decoder_of(cases[i].coding);
			_cleanup_(buf_done) struct buf got = BUF_INIT(MiB);

			cr_expect_eq(decode_pieces(decoder, cases[i].wire, piece, &got), PARSE_BAD, "case %zu", i);
			cr_expect_eq(decoder_failure(decoder), LOSS_BAD_ENCODING, "case %zu", i);
			cr_expect_not(decoder_is_whole(decoder), "case %zu", i);
		}
}

/* The window that RFC 9659 allows at most. */
Test(coding, a_zstd_window_of_8_MiB_is_taken)
{
	static const char wire[] = "\x28\xb5\x2f\xfd\x00\x68\x09\x00\x00x";
	_cleanup_(decoder_free) struct decoder *decoder = decoder_of("zstd");
	_cleanup_(buf_done) struct buf got = BUF_INIT(MiB);

	cr_expect_eq(decode(decoder, (struct slice){ wire, sizeof(wire) - 1 }, &got), PARSE_MORE);
	cr_expect_str_eq(buf_text(&got), "x");
}

Test(coding, trailing_garbage_is_bad_after_the_text)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		for (size_t piece = 1; piece < 1000; piece += 998) {
			_cleanup_(decoder_free) struct decoder *decoder = decoder_of(names[i]);
			_cleanup_(buf_done) struct buf wire = BUF_INIT(MiB), got = BUF_INIT(MiB);

			encode(names[i], slice_of(text), 0, &wire);
			buf_add_text(&wire, "garbage");
			cr_expect_eq(decode_pieces(decoder, buf_slice(&wire), piece, &got), PARSE_BAD, "%s", names[i]);
			cr_expect_str_eq(buf_text(&got), text, "%s", names[i]);
		}
}

Test(coding, a_wrong_checksum_is_bad_after_the_text)
{
	static const char *const checked[] = { "gzip", "deflate", "zstd" };

	for (size_t i = 0; i < ARRAY_SIZE(checked); i++)
		for (size_t piece = 1; piece < 1000; piece += 998) {
			_cleanup_(decoder_free) struct decoder *decoder = decoder_of(checked[i]);
			_cleanup_(buf_done) struct buf wire = BUF_INIT(MiB), got = BUF_INIT(MiB);

			encode(checked[i], slice_of(text), 0, &wire);
			wire.ptr[wire.len - (i == 0 ? 5 : 1)] ^= 1;
			cr_expect_eq(decode_pieces(decoder, buf_slice(&wire), piece, &got), PARSE_BAD, "%s", checked[i]);
			cr_expect_str_eq(buf_text(&got), text, "%s", checked[i]);
		}
}

Test(coding, what_is_cut_off_keeps_what_decoded)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_(buf_done) struct buf wire = BUF_INIT(MiB);
		size_t last = 0;

		encode(names[i], slice_of(text), 10, &wire);
		for (size_t cut = 0; cut < wire.len; cut++) {
			_cleanup_(decoder_free) struct decoder *decoder = decoder_of(names[i]);
			_cleanup_(buf_done) struct buf got = BUF_INIT(MiB);

			cr_expect_eq(decode(decoder, (struct slice){ wire.ptr, cut }, &got), PARSE_MORE);
			cr_expect(slice_starts(slice_of(text), buf_slice(&got)), "%s, cut at %zu", names[i], cut);
			cr_expect_geq(got.len, last, "%s, cut at %zu", names[i], cut);
			cr_expect_not(decoder_is_whole(decoder), "%s, cut at %zu", names[i], cut);
			last = got.len;
		}
		cr_expect_eq(last, strlen(text), "%s: only its end was missing", names[i]);
	}
}

/* 64 MiB of zeros, coded @times over. */
static void add_bomb(const char *name, int times, struct buf *out)
{
	_cleanup_(freep) char *zeros = calloc(1, 64 * MiB);

	encode(name, (struct slice){ zeros, 64 * MiB }, 0, out);
	for (; times > 1; times--) {
		_cleanup_(buf_done) struct buf inner = BUF_INIT(MiB);

		buf_add_slice(&inner, buf_slice(out));
		buf_reset(out);
		encode(name, buf_slice(&inner), 0, out);
	}
}

Test(coding, a_bomb_is_over_the_ratio_at_the_same_byte_however_it_comes)
{
	static const struct {
		const char *name, *value;
		int times;
	} cases[] = {
		{ "gzip", "gzip", 1 }, { "deflate", "deflate", 1 }, { "raw", "deflate", 1 }, { "br", "br", 1 },
		{ "zstd", "zstd", 1 }, { "gzip", "gzip, gzip", 2 }, { "zstd", "zstd, zstd, zstd", 3 },
	};
	static const size_t pieces[] = { 1, 7, 1000, 1024, SIZE_MAX };

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(buf_done) struct buf wire = BUF_INIT(MiB);

		add_bomb(cases[i].name, cases[i].times, &wire);
		for (size_t n = 0; n < ARRAY_SIZE(pieces); n++) {
			_cleanup_(decoder_free) struct decoder *decoder = decoder_of(cases[i].value);
			_cleanup_(buf_done) struct buf got = BUF_INIT(64 * MiB);
			size_t cells = wire.len / 1024 + 1;

			cr_expect_eq(decode_pieces(decoder, buf_slice(&wire), pieces[n], &got), PARSE_BAD, "%s", cases[i].value);
			cr_expect_eq(decoder_failure(decoder), LOSS_RATIO_LIMIT, "%s", cases[i].value);
			cr_expect_geq(got.len, MiB, "%s", cases[i].value);
			cr_expect_leq(got.len, cells * MiB, "%s", cases[i].value);
			cr_expect_eq(got.len % MiB, 0, "%s: %zu in pieces of %zu", cases[i].value, got.len, pieces[n]);
			if (wire.len < 1024)
				cr_expect_eq(got.len, MiB, "%s: %zu in pieces of %zu", cases[i].value, got.len, pieces[n]);
		}
	}
}

/* Members that each are within the ratio. */
Test(coding, one_body_decodes_to_no_more_than_the_limit)
{
	_cleanup_(decoder_free) struct decoder *decoder = decoder_of("gzip");
	_cleanup_(buf_done) struct buf wire = BUF_INIT(MiB);
	_cleanup_(freep) char *zeros = calloc(1, 1000 * KiB);
	enum parse parse = PARSE_MORE;
	struct slice in, decoded;
	uint64_t total = 0;

	encode("gzip", (struct slice){ zeros, 1000 * KiB }, 0, &wire);
	for (int i = 0; i < 1100 && parse == PARSE_MORE; i++) {
		in = buf_slice(&wire);
		while ((parse = decoder_next(decoder, &in, &decoded)) == PARSE_ITEM)
			total += decoded.len;
	}
	cr_expect_eq(parse, PARSE_BAD);
	cr_expect_eq(decoder_failure(decoder), LOSS_RATIO_LIMIT);
	cr_expect_eq(total, LIMIT_DECODED);
}

Test(coding, memory_stays_in_what_the_header_says)
{
	static const struct {
		const char *name;
		size_t most;
	} cases[] = {
		{ "gzip", 64 * KiB }, { "deflate", 64 * KiB }, { "raw", 64 * KiB },
		{ "br", 17 * MiB }, { "zstd", 9 * MiB },
	};
	_cleanup_(buf_done) struct buf plain = BUF_INIT(40 * MiB);
	uint64_t state = 3;

	/* Does not compress, so that nothing is held back or over the ratio. */
	while (plain.len < 24 * MiB) {
		state = state * 6364136223846793005ull + 1442695040888963407ull;
		buf_add(&plain, &state, sizeof(state));
	}
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(decoder_free) struct decoder *decoder = decoder_of(cases[i].name);
		_cleanup_(buf_done) struct buf wire = BUF_INIT(40 * MiB), got = BUF_INIT(40 * MiB);

		encode(cases[i].name, buf_slice(&plain), 0, &wire);
		cr_expect_lt(decoder_memory(decoder), 512 * KiB, "%s", cases[i].name);
		cr_expect_eq(decode(decoder, buf_slice(&wire), &got), PARSE_MORE, "%s", cases[i].name);
		cr_expect_eq(got.len, plain.len, "%s", cases[i].name);
		cr_expect_leq(decoder_memory(decoder), cases[i].most, "%s takes %zu", cases[i].name, decoder_memory(decoder));
	}
}

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return *state >> 33;
}

/* Up to the wrong byte, and at it, whichever it is. */
Test(coding, broken_input_decodes_alike_at_any_split)
{
	static const char *const values[] = { "gzip", "deflate", "raw", "br", "zstd", "br, zstd" };
	_cleanup_(buf_done) struct buf plain = BUF_INIT(MiB);
	uint64_t state = 99;

	add_long_text(&plain, 20 * KiB);
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		_cleanup_(buf_done) struct buf wire = BUF_INIT(MiB), inner = BUF_INIT(MiB);

		encode(i == 5 ? "br" : values[i], buf_slice(&plain), 500, i == 5 ? &inner : &wire);
		if (i == 5)
			encode("zstd", buf_slice(&inner), 100, &wire);
		for (int round = 0; round < 300; round++) {
			_cleanup_(decoder_free) struct decoder *a = decoder_of(values[i]), *b = decoder_of(values[i]);
			_cleanup_(buf_done) struct buf bytes = BUF_INIT(MiB), whole = BUF_INIT(8 * MiB), cut = BUF_INIT(8 * MiB);
			enum parse parse;

			buf_add(&bytes, wire.ptr, wire.len);
			bytes.ptr[next_random(&state) % bytes.len] ^= 1 << next_random(&state) % 8;
			parse = decode(a, buf_slice(&bytes), &whole);
			cr_expect_eq(decode_pieces(b, buf_slice(&bytes), 1 + next_random(&state) % 300, &cut), parse,
				     "%s, round %d", values[i], round);
			cr_expect(slice_eq(buf_slice(&whole), buf_slice(&cut)), "%s, round %d: %zu bytes and %zu",
				  values[i], round, whole.len, cut.len);
			cr_expect_eq(decoder_failure(a), decoder_failure(b), "%s, round %d", values[i], round);
			cr_assert_leq(whole.len, MiB + bytes.len * LIMIT_CODING_RATIO, "%s, round %d", values[i], round);
		}
	}
}

Test(coding, codings_are_known_by_name)
{
	static const struct {
		const char *values[2];
		size_t count;
		const char *unknown;
	} cases[] = {
		{ { "" }, 0, "" },			{ { "identity" }, 0, "" },
		{ { "gzip" }, 1, "" },			{ { "GZip" }, 1, "" },
		{ { "x-gzip" }, 1, "" },		{ { "deflate" }, 1, "" },
		{ { "br" }, 1, "" },			{ { "zstd" }, 1, "" },
		{ { "identity, gzip" }, 1, "" },	{ { " gzip , identity," }, 1, "" },
		{ { "gzip, br" }, 2, "" },		{ { "gzip", "br,zstd" }, 3, "" },
		{ { "gzipped" }, 0, "gzipped" },	{ { "compress" }, 0, "compress" },
		{ { "dcb" }, 0, "dcb" },		{ { "gzip, dcz" }, 1, "dcz" },
		{ { "Foo", "gzip" }, 0, "Foo" },	{ { "raw" }, 0, "raw" },
		{ { "gzip, br", "br, gzip" }, 3, "br, gzip" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct codings codings = {};

		for (size_t n = 0; n < 2 && cases[i].values[n]; n++)
			codings_add(&codings, slice_of(cases[i].values[n]));
		cr_expect_eq(codings.count, cases[i].count, "'%s'", cases[i].values[0]);
		cr_expect(slice_eq(codings.unknown, slice_of(cases[i].unknown)), "'%s': '%.*s'", cases[i].values[0],
			  (int)codings.unknown.len, codings.unknown.ptr);
	}
}
