/* SPDX-License-Identifier: Apache-2.0 */
/* Forms at every split: fields, files, what only looks like a boundary, gaps, ends. */
#include <criterion/criterion.h>

#include "limits.h"
#include "wire/multipart.h"

#define FORM "multipart/form-data; boundary=XX"
#define FIELD(name) "Content-Disposition: form-data; name=\"" name "\"\r\n\r\n"
#define FILE_HEAD(name) "Content-Disposition: form-data; name=\"f\"; filename=\"" name "\"\r\nContent-Type: audio/wav\r\n\r\n"

static void add_event(struct buf *trace, const struct stream_event *event)
{
	const struct stream_note *note = event->note;

	if (note)
		buf_printf(trace, "%.*s: file %.*s, %.*s, %d, %.8s%s\n", (int)event->type.len, event->type.ptr,
			   (int)note->filename.len, note->filename.ptr, (int)note->content_type.len,
			   note->content_type.ptr, (int)note->size, note->sha256,
			   note->is_incomplete ? ", incomplete" : "");
	else
		buf_printf(trace, "%.*s=<%.*s>%s\n", (int)event->type.len, event->type.ptr, (int)event->data.len,
			   event->data.ptr, event->is_cut ? " cut" : "");
}

static enum parse feed(struct stream_reader *reader, struct slice in, struct buf *trace)
{
	struct stream_event event;
	enum parse parse;

	while ((parse = stream_next(reader, &in, &event)) == PARSE_ITEM)
		add_event(trace, &event);
	return parse;
}

static void end(struct stream_reader *reader, bool is_cut, struct buf *trace)
{
	struct stream_event event;
	enum parse parse;

	while ((parse = is_cut ? stream_cut(reader, &event) : stream_eof(reader, &event)) == PARSE_ITEM)
		add_event(trace, &event);
	if (parse == PARSE_BAD)
		buf_add_text(trace, "bad\n");
}

/* Hashes are of "abc" (FIPS 180-4), of nothing, and what sha256sum says. */
static const struct {
	const char *name, *type, *wire, *want;
} cases[] = {
	{ "fields and a file", FORM,
	  "--XX\r\n" FIELD("model") "whisper-1\r\n--XX\r\n" FILE_HEAD("a.wav") "abc\r\n--XX\r\n" FIELD("language") "en\r\n--XX--\r\n",
	  "model=<whisper-1>\nf: file a.wav, audio/wav, 3, ba7816bf\nlanguage=<en>\n" },
	{ "no line end at the end", FORM, "--XX\r\n" FIELD("a") "1\r\n--XX--", "a=<1>\n" },
	{ "a preamble and an epilogue", FORM,
	  "This is\r\n--X\r\n--XXY\r\na form\r\n--XX\r\n" FIELD("a") "1\r\n--XX--\r\n--XX\r\n" FIELD("b") "2\r\n--XX--\r\n",
	  "a=<1>\n" },
	{ "a quoted boundary", "Multipart/Form-Data; charset=utf-8; boundary=\"a b;c\"",
	  "--a b;c\r\n" FIELD("a") "1\r\n--a b;c--\r\n", "a=<1>\n" },
	{ "padding behind the boundary", FORM, "--XX \t\r\n" FIELD("a") "1\r\n--XX \r\n" FIELD("b") "2\r\n--XX--\r\n",
	  "a=<1>\nb=<2>\n" },
	{ "empty values", FORM, "--XX\r\n" FIELD("a") "\r\n--XX\r\n" FILE_HEAD("") "\r\n--XX--\r\n",
	  "a=<>\nf: file , audio/wav, 0, e3b0c442\n" },
	{ "a head and nothing behind it", FORM,
	  "--XX\r\nContent-Disposition: form-data; name=a\r\n--XX\r\nContent-Disposition: form-data; name=b\r\n\r\n--XX--\r\n",
	  "a=<>\nb=<>\n" },
	{ "what begins like a delimiter", FORM,
	  "--XX\r\n" FIELD("a") "\r\r\n\r\n-\r\n--\r\n--X\r\n--XX-\r\n--XX \r\r\n--XXX\r\n--XX\t-\r\n--XX--\r\n",
	  "a=<\r\r\n\r\n-\r\n--\r\n--X\r\n--XX-\r\n--XX \r\r\n--XXX\r\n--XX\t->\n" },
	{ "a delimiter behind one that was none", FORM,
	  "--XX\r\n" FIELD("a") "1\r\n--XX \r\r\n--XX\r\n" FIELD("b") "2\r\n--XX\r\r\n--XX--",
	  "a=<1\r\n--XX \r>\nb=<2\r\n--XX\r>\n" },
	{ "a delimiter in the middle of a line", FORM, "--XX\r\n" FIELD("a") "1--XX--\n--XX--\r\n--XX--\r\n",
	  "a=<1--XX--\n--XX-->\n" },
	{ "padding longer than it may be", FORM,
	  "--XX\r\n" FIELD("a") "1\r\n--XX                                                                 \r\n2\r\n--XX--",
	  "a=<1\r\n--XX                                                                 \r\n2>\n" },
	{ "a file without a name", FORM,
	  "--XX\r\ncontent-type: application/octet-stream\r\ncontent-disposition: form-data; name=f\r\n\r\nabc\r\n--XX--",
	  "f: file , application/octet-stream, 3, ba7816bf\n" },
	{ "a text with a type", FORM,
	  "--XX\r\nContent-Disposition: form-data; name=\"j\"\r\nContent-Type: application/json\r\n\r\n{}\r\n--XX--", "j=<{}>\n" },
	{ "a text that is a file", FORM,
	  "--XX\r\nContent-Disposition: form-data; name=\"f\"; filename=\"a\\\"b.txt\"\r\nContent-Type: text/plain\r\n\r\nabc\r\n--XX--",
	  "f: file a\"b.txt, text/plain, 3, ba7816bf\n" },
	{ "a name in the extended form", FORM,
	  "--XX\r\nContent-Disposition: form-data; name=f; filename*=UTF-8''a%20b%c3%A9%4\r\n\r\nabc\r\n--XX--",
	  "f: file a b\xc3\xa9%4, , 3, ba7816bf\n" },
	{ "other fields in the head, and folding", FORM,
	  "--XX\r\nX-A: b\r\nContent-Disposition: form-data;\r\n name=\"a\"\r\nContent-Transfer-Encoding: binary\r\n\r\n1\r\n--XX--",
	  "a=<1>\n" },
	{ "no name", FORM, "--XX\r\n\r\n1\r\n--XX\r\nX: y\r\n\r\n2\r\n--XX--", "=<1>\n=<2>\n" },
	{ "no part", FORM, "--XX--\r\n", "" },
	{ "no boundary in the type", "multipart/form-data", "--XX\r\n", "bad\n" },
	{ "an empty boundary", "multipart/form-data; boundary=\"\"", "--\r\n", "bad\n" },
	{ "a boundary over the limit", "multipart/form-data; boundary=0123456789012345678901234567890123456789012345678901234567890123456789x",
	  "--0123456789012345678901234567890123456789012345678901234567890123456789x--", "bad\n" },
	{ "the longest boundary", "multipart/form-data; boundary=0123456789012345678901234567890123456789012345678901234567890123456789",
	  "--0123456789012345678901234567890123456789012345678901234567890123456789--", "" },
	{ "no delimiter at all", FORM, "model=whisper-1&x=y", "bad\n" },
	{ "an end inside a field", FORM, "--XX\r\n" FIELD("a") "1\r\n--XX\r\n" FIELD("b") "2\r\n--X", "a=<1>\nbad\n" },
	{ "an end inside a file", FORM, "--XX\r\n" FILE_HEAD("a.wav") "abc\r\n--X", "f: file a.wav, audio/wav, 8, , incomplete\nbad\n" },
	{ "an end behind a CR that was none", FORM, "--XX\r\n" FILE_HEAD("a.wav") "abc\r\n--XX \r",
	  "f: file a.wav, audio/wav, 11, , incomplete\nbad\n" },
	{ "an end inside a head", FORM, "--XX\r\nContent-Disp", "bad\n" },
};

Test(multipart, forms_are_read_at_every_split)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		for (size_t cut = 0; cut <= strlen(cases[i].wire); cut++) {
			struct stream_reader *reader = stream_new(framing_of(slice_of(cases[i].type)), slice_of(cases[i].type));
			_cleanup_(buf_done) struct buf trace = BUF_INIT(64 * KiB);
			struct slice rest = slice_of(cases[i].wire);

			feed(reader, slice_take(&rest, cut), &trace);
			feed(reader, rest, &trace);
			end(reader, /* is_cut */ false, &trace);
			cr_expect_str_eq(buf_text(&trace), cases[i].want, "%s, cut at %zu", cases[i].name, cut);
			stream_free(&reader);
		}
}

Test(multipart, forms_are_read_byte_by_byte)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct stream_reader *reader = stream_new(framing_of(slice_of(cases[i].type)), slice_of(cases[i].type));
		_cleanup_(buf_done) struct buf trace = BUF_INIT(64 * KiB);

		for (const char *at = cases[i].wire; *at; at++)
			feed(reader, (struct slice){ at, 1 }, &trace);
		end(reader, /* is_cut */ false, &trace);
		cr_expect_str_eq(buf_text(&trace), cases[i].want, "%s", cases[i].name);
		stream_free(&reader);
	}
}

/* Bytes @from to @to of the form are missing. */
static void read_with_gap(const char *wire, size_t from, size_t to, struct buf *trace)
{
	struct stream_reader *reader = stream_new(FRAMING_MULTIPART, SLICE(FORM));

	feed(reader, (struct slice){ wire, from }, trace);
	cr_assert(stream_gap(reader, to - from));
	feed(reader, slice_of(wire + to), trace);
	end(reader, /* is_cut */ false, trace);
	stream_free(&reader);
}

Test(multipart, a_gap_costs_the_part_it_is_in)
{
	static const struct {
		const char *name, *before, *lost, *after, *want;
	} gaps[] = {
		{ "in a file", "--XX\r\n" FILE_HEAD("a.wav") "ab", "cd", "ef\r\n--XX\r\n" FIELD("a") "1\r\n--XX--",
		  "f: file a.wav, audio/wav, 4, , incomplete\na=<1>\n" },
		{ "in a field", "--XX\r\n" FIELD("b") "ab", "cd", "ef\r\n--XX\r\n" FIELD("a") "1\r\n--XX--", "a=<1>\n" },
		{ "in a head", "--XX\r\nContent-", "Dis", "position: form-data; name=b\r\n\r\nef\r\n--XX\r\n" FIELD("a") "1\r\n--XX--",
		  "a=<1>\n" },
		{ "over a boundary", "--XX\r\n" FILE_HEAD("a.wav") "ab", "\r\n--XX\r\n", FIELD("b") "2\r\n--XX\r\n" FIELD("a") "1\r\n--XX--",
		  "f: file a.wav, audio/wav, 47, , incomplete\na=<1>\n" },
		{ "in a boundary", "--XX\r\n" FILE_HEAD("a.wav") "ab\r\n-", "-", "XX\r\n" FIELD("b") "2\r\n--XX\r\n" FIELD("a") "1\r\n--XX--",
		  "f: file a.wav, audio/wav, 54, , incomplete\na=<1>\n" },
		{ "at the start", "", "--XX\r\n" FIELD("b") "2", "3\r\n--XX\r\n" FIELD("a") "1\r\n--XX--", "a=<1>\n" },
		{ "behind the end", "--XX\r\n" FIELD("a") "1\r\n--XX--", "\r", "\n", "a=<1>\n" },
		{ "over the end", "--XX\r\n" FILE_HEAD("a.wav") "ab", "\r\n--XX--", "\r\n",
		  "f: file a.wav, audio/wav, 4, , incomplete\nbad\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(gaps); i++) {
		_cleanup_(buf_done) struct buf trace = BUF_INIT(64 * KiB), wire = BUF_INIT(64 * KiB);
		size_t from = strlen(gaps[i].before), to = from + strlen(gaps[i].lost);

		buf_printf(&wire, "%s%s%s", gaps[i].before, gaps[i].lost, gaps[i].after);
		read_with_gap(buf_text(&wire), from, to, &trace);
		cr_expect_str_eq(buf_text(&trace), gaps[i].want, "%s", gaps[i].name);
	}
}

/* Whatever is missing, what is said to be a field or a whole file is one. */
Test(multipart, a_gap_anywhere_makes_nothing_up)
{
	static const char wire[] = "--XX\r\n" FIELD("a") "first\r\n--XX\r\n" FILE_HEAD("a.wav") "abc\r\n--XX\r\n"
				   FIELD("b") "second\r\n--XX--\r\n";
	static const char *const truths[] = { "a=<first>", "f: file a.wav, audio/wav, 3, ba7816bf", "b=<second>" };

	for (size_t from = 0; from < strlen(wire); from++)
		for (size_t to = from + 1; to <= strlen(wire); to++) {
			_cleanup_(buf_done) struct buf trace = BUF_INIT(64 * KiB);

			read_with_gap(wire, from, to, &trace);
			for (char *line = trace.len ? strtok(trace.ptr, "\n") : NULL; line; line = strtok(NULL, "\n")) {
				bool is_true = strstr(line, ", incomplete") || strcmp(line, "bad") == 0;

				for (size_t i = 0; i < ARRAY_SIZE(truths); i++)
					is_true |= strcmp(line, truths[i]) == 0;
				cr_expect(is_true, "'%s', without %zu to %zu", line, from, to);
			}
		}
}

Test(multipart, a_form_cut_off_in_a_file_tells_of_it)
{
	static const struct {
		const char *wire, *want;
	} cut[] = {
		{ "--XX\r\n" FILE_HEAD("a.wav") "abc\r", "f: file a.wav, audio/wav, 4, , incomplete\n" },
		{ "--XX\r\n" FIELD("a") "1\r\n--XX\r\n" FIELD("b") "2", "a=<1>\n" },
		{ "--XX\r\n" FIELD("a") "1\r\n--XX--", "a=<1>\n" },
		{ "--XX\r\nCont", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cut); i++) {
		struct stream_reader *reader = stream_new(FRAMING_MULTIPART, SLICE(FORM));
		_cleanup_(buf_done) struct buf trace = BUF_INIT(64 * KiB);

		feed(reader, slice_of(cut[i].wire), &trace);
		end(reader, /* is_cut */ true, &trace);
		cr_expect_str_eq(buf_text(&trace), cut[i].want, "case %zu", i);
		stream_free(&reader);
	}
}

/* A line that begins as a delimiter and goes on with too many spaces is content. */
Test(multipart, spaces_behind_a_boundary_have_a_limit)
{
	for (int over = 0; over < 2; over++) {
		struct stream_reader *reader = stream_new(FRAMING_MULTIPART, SLICE(FORM));
		_cleanup_(buf_done) struct buf wire = BUF_INIT(4 * KiB), trace = BUF_INIT(4 * KiB);

		buf_add_text(&wire, "--XX\r\n" FIELD("a") "1\r\n--XX");
		/* The line's end is counted, too. */
		buf_printf(&wire, "%*s\r\n" FIELD("b") "2\r\n--XX--\r\n", LIMIT_BOUNDARY_PADDING - 2 + over, "");
		feed(reader, buf_slice(&wire), &trace);
		cr_expect_eq(strstr(buf_text(&trace), "b=<2>") != NULL, !over, "%d over: %s", over, buf_text(&trace));
		stream_free(&reader);
	}
}

/* One byte below each limit, and one above. */
Test(multipart, limits_cut_fields_and_skip_parts_and_are_counted)
{
	for (int over = 0; over < 2; over++) {
		struct stream_reader *reader = stream_new(FRAMING_MULTIPART, SLICE(FORM));
		_cleanup_(buf_done) struct buf wire = BUF_INIT(4 * MiB), trace = BUF_INIT(4 * MiB), want = BUF_INIT(4 * MiB);
		static const char head[] = "Content-Disposition: form-data; name=h\r\nX: \r\n\r\n";
		struct stream_losses losses;

		buf_add_text(&wire, "--XX\r\n" FIELD("a"));
		for (size_t n = 0; n < LIMIT_FORM_FIELD + over; n++)
			buf_add_char(&wire, 'v');
		buf_add_text(&wire, "\r\n--XX\r\n");
		buf_add(&wire, head, sizeof(head) - 5);
		for (size_t n = sizeof(head) - 1; n < LIMIT_FORM_HEAD - 1 + over; n++)
			buf_add_char(&wire, 'h');
		buf_add_text(&wire, "\r\n\r\nvalue\r\n--XX\r\n" FIELD("b") "2\r\n--XX--\r\n");

		cr_expect_eq(feed(reader, buf_slice(&wire), &trace), PARSE_MORE);
		buf_add_text(&want, "a=<");
		for (size_t n = 0; n < LIMIT_FORM_FIELD; n++)
			buf_add_char(&want, 'v');
		buf_add_text(&want, over ? "> cut\nb=<2>\n" : ">\nh=<value>\nb=<2>\n");
		cr_expect_str_eq(buf_text(&trace), buf_text(&want), "%d over", over);
		losses = stream_take_losses(reader);
		cr_expect_eq(losses.dropped, 2u * over, "%d over: %d", over, (int)losses.dropped);
		cr_expect_eq(stream_take_losses(reader).dropped, 0);
		stream_free(&reader);
	}
}

Test(multipart, framings_are_told_by_the_type)
{
	static const struct {
		const char *type;
		enum framing want;
	} types[] = {
		{ FORM, FRAMING_MULTIPART }, { "text/event-stream; charset=utf-8", FRAMING_SSE },
		{ "audio/mpeg", FRAMING_OPAQUE }, { "multipart/mixed; boundary=XX", FRAMING_BODY },
		{ "application/json", FRAMING_BODY }, { "", FRAMING_BODY },
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		cr_expect_eq(framing_of(slice_of(types[i].type)), types[i].want, "%s", types[i].type);
}
