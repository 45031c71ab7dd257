/* SPDX-License-Identifier: Apache-2.0 */
/* Types, their parameters, and bytes that are counted and hashed. */
#include <criterion/criterion.h>

#include "base/buf.h"
#include "limits.h"
#include "wire/media.h"
#include "wire/stream.h"

Test(media, types_are_told_from_text)
{
	static const struct {
		const char *type;
		bool want;
	} cases[] = {
		{ "audio/mpeg", true }, { "Audio/PCM; rate=24000", true }, { "image/png", true }, { "video/mp4", true },
		{ "application/octet-stream", true }, { " application/octet-stream ; x=y", true },
		{ "", false }, { "audio", false }, { "text/plain", false }, { "application/json", false },
		{ "application/octet-streams", false }, { "x; audio/mpeg", false }, { "\"a;\"audio/", false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_expect_eq(media_is_type(slice_of(cases[i].type)), cases[i].want, "'%s'", cases[i].type);
}

Test(media, parameters_are_found_quoted_or_not)
{
	static const struct {
		const char *field, *want;
	} cases[] = {
		{ "multipart/form-data; boundary=abc", "abc" },
		{ "multipart/form-data;boundary=abc;x=y", "abc" },
		{ "multipart/form-data; BOUNDARY = \"a;b=c\" ; x=y", "a;b=c" },
		{ "multipart/form-data; x=\"boundary=no\"; boundary=yes", "yes" },
		{ "multipart/form-data; x=\"\\\"; boundary=no\"; boundary=\"y\\\"e\\\\s\"", "y\"e\\s" },
		{ "m; boundary=\"C:\\a\"", "C:\\a" },
		{ "m; boundary=", "" }, { "m; boundary=\"\"", "" }, { "m; boundary=\"", "\"" },
		{ "m; boundary=one; boundary=two", "one" },
		{ "multipart/form-data", NULL }, { "m; boundary", NULL }, { "boundary=abc", NULL }, { "m; xboundary=abc", NULL },
		{ "m; x=\"boundary=abc", NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(buf_done) struct buf value = BUF_INIT(64);
		bool is_found = media_parameter(slice_of(cases[i].field), "boundary", &value);

		cr_expect_eq(is_found, cases[i].want != NULL, "'%s'", cases[i].field);
		if (cases[i].want)
			cr_expect_str_eq(buf_text(&value), cases[i].want, "'%s'", cases[i].field);
	}
}

/* Of FIPS 180-4's examples. */
#define EMPTY_HASH "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
#define ABC_HASH "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"

Test(media, bytes_are_counted_and_hashed_at_every_split)
{
	for (size_t cut = 0; cut <= 3; cut++) {
		struct media media = { 0 };
		char hash[MEDIA_HASH_SIZE];

		media_add(&media, (struct slice){ "abc", cut });
		media_add(&media, (struct slice){ &"abc"[cut], 3 - cut });
		media_hash(&media, hash);
		cr_expect_str_eq(hash, ABC_HASH, "cut at %zu", cut);
		cr_expect_eq(media.size, 3);
		media_reset(&media);
		media_hash(&media, hash);
		cr_expect_str_eq(hash, EMPTY_HASH, "nothing, after a reset");
		media_reset(&media);
	}
}

Test(media, what_was_not_all_seen_has_no_hash)
{
	struct media media = { 0 };
	char hash[MEDIA_HASH_SIZE];

	media_add(&media, SLICE("a"));
	media_gap(&media);
	media_add(&media, SLICE("c"));
	media_hash(&media, hash);
	cr_expect_str_eq(hash, "");
	cr_expect_eq(media.size, 2);
	cr_expect_not(media_take_failure(&media));
	media_reset(&media);
}

/* --- as a body -------------------------------------------------------------- */

static void expect_note(struct stream_reader *reader, bool is_cut, const char *type, uint64_t size, const char *hash,
			bool is_incomplete)
{
	struct stream_event event;

	cr_assert_eq(is_cut ? stream_cut(reader, &event) : stream_eof(reader, &event), PARSE_ITEM);
	cr_assert_not_null(event.note);
	cr_expect(slice_eq(event.note->content_type, slice_of(type)), "'%.*s'", (int)event.note->content_type.len,
		  event.note->content_type.ptr);
	cr_expect_eq(event.note->size, size);
	cr_expect_str_eq(event.note->sha256, hash);
	cr_expect_eq(event.note->is_incomplete, is_incomplete);
	cr_expect_eq(event.note->filename.len, 0);
	cr_expect_eq(is_cut ? stream_cut(reader, &event) : stream_eof(reader, &event), PARSE_MORE, "told once");
}

static void read_body(struct stream_reader *reader, struct slice bytes)
{
	struct stream_event event;

	cr_expect_eq(stream_next(reader, &bytes, &event), PARSE_MORE);
	cr_expect_eq(bytes.len, 0);
}

Test(media, a_body_is_one_note_at_every_split)
{
	for (size_t cut = 0; cut <= 3; cut++) {
		struct stream_reader *reader = stream_new(FRAMING_OPAQUE, SLICE("audio/pcm; rate=24000"));

		read_body(reader, (struct slice){ "abc", cut });
		read_body(reader, (struct slice){ &"abc"[cut], 3 - cut });
		expect_note(reader, /* is_cut */ false, "audio/pcm; rate=24000", 3, ABC_HASH, /* is_incomplete */ false);
		stream_free(&reader);
	}
}

Test(media, a_body_cut_off_or_with_a_gap_is_said_to_be)
{
	struct stream_reader *reader = stream_new(FRAMING_OPAQUE, SLICE("image/png"));

	read_body(reader, SLICE("ab"));
	expect_note(reader, /* is_cut */ true, "image/png", 2, "", /* is_incomplete */ true);
	stream_free(&reader);

	reader = stream_new(FRAMING_OPAQUE, SLICE("image/png"));
	read_body(reader, SLICE("a"));
	cr_expect(stream_gap(reader, 1));
	read_body(reader, SLICE("c"));
	expect_note(reader, /* is_cut */ false, "image/png", 2, "", /* is_incomplete */ true);
	stream_free(&reader);
}

Test(media, a_type_over_the_limit_is_cut)
{
	char type[2 * LIMIT_MEDIA_TYPE] = "audio/", want[LIMIT_MEDIA_TYPE + 1] = "";
	struct stream_reader *reader;

	memset(type + 6, 'x', sizeof(type) - 7);
	type[sizeof(type) - 1] = '\0';
	memcpy(want, type, LIMIT_MEDIA_TYPE);
	reader = stream_new(FRAMING_OPAQUE, slice_of(type));
	read_body(reader, SLICE("abc"));
	expect_note(reader, /* is_cut */ false, want, 3, ABC_HASH, /* is_incomplete */ false);
	stream_free(&reader);
}
