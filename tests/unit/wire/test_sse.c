/* SPDX-License-Identifier: Apache-2.0 */
/* Server-sent events: every case gives the same events at every split of its input. */
#include <criterion/criterion.h>

#include "limits.h"
#include "wire/sse.h"

/* "(type|data)" for each event; "+" before one that only the end gave out. */
static void add_event(struct buf *trace, const struct sse_event *event)
{
	buf_printf(trace, "(%.*s|%.*s)", (int)event->type.len, event->type.ptr, (int)event->data.len,
		   event->data.ptr);
}

static void feed(struct sse_reader *reader, const char *bytes, size_t len, struct buf *trace)
{
	struct slice in = { bytes, len };
	struct sse_event event;

	while (sse_next(reader, &in, &event) == PARSE_ITEM)
		add_event(trace, &event);
	cr_assert_eq(in.len, 0, "everything is consumed");
}

static void finish(struct sse_reader *reader, struct buf *trace)
{
	struct sse_event event;

	if (sse_eof(reader, &event) == PARSE_ITEM) {
		buf_add_char(trace, '+');
		add_event(trace, &event);
	}
	cr_expect_eq(sse_eof(reader, &event), PARSE_MORE, "the end gives out one event at most");
}

#define TWO "(|{\"a\":1})(|{\"a\":2})"

static const struct {
	const char *name, *wire, *want;
} cases[] = {
	/* wire.md 8.4 */
	{ "two plain events", "data: {\"a\":1}\n\ndata: {\"a\":2}\n\n", TWO },
	{ "CRLF, no space", "data:{\"a\":1}\r\n\r\ndata:{\"a\":2}\r\n\r\n", TWO },
	{ "comment, type, several lines, id and retry",
	  ": ping\n\nevent: x\ndata: {\"a\":\ndata: 1}\n\nid: 7\nretry: 10\ndata: {\"a\":2}\n\n",
	  "(x|{\"a\":\n1})(|{\"a\":2})" },
	{ "BOM and lone CRs", "\xEF\xBB\xBF" "data: {\"a\":1}\r\rdata: {\"a\":2}\r\r", TWO },
	{ "an end without empty line", "data: {\"a\":1}\n\ndata: {\"a\":2}", "(|{\"a\":1})+(|{\"a\":2})" },

	{ "an end after the data line", "data: x\n", "+(|x)" },
	{ "an end after a lone CR", "data: x\r", "+(|x)" },
	{ "only one space goes", "data:  x\n\n", "(| x)" },
	{ "empty data is an event", "data\n\ndata:\n\n", "(|)(|)" },
	{ "two empty data lines", "data\ndata\n\n", "(|\n)" },
	{ "a type alone is none", "event: x\n\ndata: y\n\n", "(|y)" },
	{ "the last type counts", "event: x\nevent: y\ndata: z\n\n", "(y|z)" },
	{ "keep-alives are no events", ": a\n\n:\n\n\n\ndata: x\n\n", "(|x)" },
	{ "unknown fields are skipped", "foo: bar\nfoo\ndata: x\nDATA: y\n\n", "(|x)" },
	{ "an object under error: is of that type", "data: x\n\nerror: {\"code\":500}\n\n", "(|x)(error|{\"code\":500})" },
	{ "another text under error: is skipped", "error: no\ndata: x\n\n", "(|x)" },
	{ "a BOM elsewhere is no BOM", "data: x\n\n\xEF\xBB\xBF" "data: y\n\n", "(|x)" },
	{ "line ends of every kind", "data: a\r\ndata: b\rdata: c\ndata: d\r\n\r\n", "(|a\nb\nc\nd)" },
	{ "LF CR ends twice", "data: a\n\rdata: b\n\r", "(|a)(|b)" },
	{ "CR LF LF ends twice", "data: a\r\n\ndata: b\r\n\n", "(|a)(|b)" },
	{ "a colon in the value", "data: a: b\n\n", "(|a: b)" },
	{ "an object without data:", "data: x\n\n{\"error\": {\"code\": 503}}\r\n",
	  "(|x)(|{\"error\": {\"code\": 503}})" },
	{ "an object without any line's end", "{\"a\":1}", "+(|{\"a\":1})" },
	{ "a pretty one", "data: x\r\n\r\n{\r\n  \"error\": {\r\n    \"data\": 1\r\n  }\r\n}\r\n\r\ndata: y\r\n\r\n",
	  "(|x)(|{\n  \"error\": {\n    \"data\": 1\n  }\n})(|y)" },
	{ "an object with a type", "event: error\n{\"a\":1}\n\ndata: x\n\n", "(error|{\"a\":1})(|x)" },
	{ "no object amid data", "data: x\n{\"a\":1}\n\n", "(|x)" },
	{ "nothing", "", "" },
};

Test(sse, cases_hold_at_every_split)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t len = strlen(cases[i].wire);

		for (size_t cut = 0; cut <= len; cut++) {
			_cleanup_(buf_done) struct buf trace = BUF_INIT(MiB);
			_cleanup_(sse_done) struct sse_reader reader;

			sse_init(&reader);
			feed(&reader, cases[i].wire, cut, &trace);
			feed(&reader, cases[i].wire + cut, len - cut, &trace);
			finish(&reader, &trace);
			cr_expect_str_eq(buf_text(&trace), cases[i].want, "%s, cut at %zu: %s", cases[i].name, cut,
					 buf_text(&trace));
		}
	}
}

Test(sse, cases_hold_byte_by_byte)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(buf_done) struct buf trace = BUF_INIT(MiB);
		_cleanup_(sse_done) struct sse_reader reader;

		sse_init(&reader);
		for (const char *p = cases[i].wire; *p; p++)
			feed(&reader, p, 1, &trace);
		finish(&reader, &trace);
		cr_expect_str_eq(buf_text(&trace), cases[i].want, "%s: %s", cases[i].name, buf_text(&trace));
	}
}

Test(sse, an_event_is_given_out_with_its_last_byte)
{
	_cleanup_(buf_done) struct buf trace = BUF_INIT(MiB);
	_cleanup_(sse_done) struct sse_reader reader;

	sse_init(&reader);
	feed(&reader, "data: x\r\n\r", 10, &trace);
	cr_expect_str_eq(buf_text(&trace), "(|x)", "the CR ends the line, an LF may follow");
	feed(&reader, "\n", 1, &trace);
	cr_expect_str_eq(buf_text(&trace), "(|x)");
}

Test(sse, comments_are_counted)
{
	_cleanup_(buf_done) struct buf trace = BUF_INIT(MiB);
	_cleanup_(sse_done) struct sse_reader reader;

	sse_init(&reader);
	feed(&reader, ": a\n\n:\n\ndata: :\n\n", 18, &trace);
	cr_expect_eq(reader.comments, 2);
}

Test(sse, nul_bytes_are_data)
{
	static const char wire[] = "data: a\0b\n\n";
	_cleanup_(sse_done) struct sse_reader reader;
	struct slice in = { wire, sizeof(wire) - 1 };
	struct sse_event event;

	sse_init(&reader);
	cr_assert_eq(sse_next(&reader, &in, &event), PARSE_ITEM);
	cr_expect(slice_eq(event.data, SLICE("a\0b")));
}

Test(sse, an_event_over_the_limit_is_skipped_whole)
{
	/* One long line, and many short ones. */
	static const char *const pieces[] = { "xxxxxxxxxxxxxxxx", "data: xxxxxxxxx\n" };

	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		_cleanup_(buf_done) struct buf trace = BUF_INIT(MiB);
		_cleanup_(sse_done) struct sse_reader reader;

		sse_init(&reader);
		feed(&reader, "event: e\ndata: ", 15, &trace);
		for (size_t n = 0; n < 3 * LIMIT_SSE_EVENT; n += 16)
			feed(&reader, pieces[i], 16, &trace);
		cr_expect_leq(reader.line.size + reader.data.size, LIMIT_SSE_EVENT + 1, "%s", pieces[i]);
		feed(&reader, "\ndata: y\n\ndata: z\n\n", 19, &trace);
		cr_expect_eq(reader.dropped, 1, "%s", pieces[i]);
		/* The long line's event goes on over "data: y"; the short ones' ended before it. */
		cr_expect_str_eq(buf_text(&trace), i ? "(|y)(|z)" : "(|z)", "%s", pieces[i]);
	}
}

Test(sse, a_gap_costs_the_event_it_fell_into_and_no_other)
{
	static const char wire[] = "data: a\n\ndata: b\ndata: c\n\ndata: d\n\ndata: e\n\n";

	/* Up to 6 bytes are lost at every place: what comes out is a part of a, b\nc, d, e. */
	for (size_t at = 0; at + 6 < sizeof(wire); at++)
		for (size_t lost = 1; lost <= 6; lost++) {
			_cleanup_(buf_done) struct buf trace = BUF_INIT(MiB);
			_cleanup_(sse_done) struct sse_reader reader;
			static const char *const events[] = { "(|a)", "(|b\nc)", "(|d)", "(|e)" };
			const char *p;

			sse_init(&reader);
			feed(&reader, wire, at, &trace);
			sse_gap(&reader);
			feed(&reader, wire + at + lost, sizeof(wire) - 1 - at - lost, &trace);
			p = buf_text(&trace);
			for (size_t i = 0; i < ARRAY_SIZE(events); i++)
				if (strncmp(p, events[i], strlen(events[i])) == 0)
					p += strlen(events[i]);
			cr_expect_str_eq(p, "", "gap of %zu at %zu: %s", lost, at, buf_text(&trace));
			/* The empty line before the last event is seen, and the end of the line before. */
			if (at + lost <= 33)
				cr_expect_str_eq(buf_text(&trace) + trace.len - 4, "(|e)", "gap of %zu at %zu", lost, at);
		}
}

Test(sse, random_input_gives_at_most_what_came_in_at_every_split)
{
	static const char alphabet[] = "\r\n\n: adte\xef\xbb\xbf";
	uint64_t state = 7;

	for (int round = 0; round < 20000; round++) {
		_cleanup_(buf_done) struct buf whole = BUF_INIT(MiB), pieces = BUF_INIT(MiB);
		_cleanup_(sse_done) struct sse_reader a, b;
		char bytes[64];

		for (size_t i = 0; i < sizeof(bytes); i++) {
			state = state * 6364136223846793005ull + 1442695040888963407ull;
			bytes[i] = alphabet[(state >> 33) % (sizeof(alphabet) - 1)];
			if (i + 5 < sizeof(bytes) && state >> 60 == 0) {
				memcpy(bytes + i, "data:", 5);
				i += 4;
			}
		}
		sse_init(&a);
		sse_init(&b);
		feed(&a, bytes, sizeof(bytes), &whole);
		for (size_t at = 0, n; at < sizeof(bytes); at += n) {
			n = MIN(1 + (state >> at % 32) % 9, sizeof(bytes) - at);
			feed(&b, bytes + at, n, &pieces);
		}
		finish(&a, &whole);
		finish(&b, &pieces);
		cr_assert_str_eq(buf_text(&whole), buf_text(&pieces), "round %d", round);
		cr_assert_leq(whole.len, sizeof(bytes), "round %d", round);
	}
}

Test(sse, an_object_over_the_limit_is_dropped_and_the_next_event_is_there)
{
	_cleanup_(buf_done) struct buf trace = BUF_INIT(MiB);
	_cleanup_(sse_done) struct sse_reader reader;
	char *line = malloc(LIMIT_SSE_EVENT + 2);

	cr_assert(line);
	memset(line, ' ', LIMIT_SSE_EVENT + 1);
	line[LIMIT_SSE_EVENT + 1] = '\n';
	sse_init(&reader);
	feed(&reader, "{\n", 2, &trace);
	feed(&reader, line, LIMIT_SSE_EVENT + 2, &trace);
	feed(&reader, "}\n\ndata: x\n\n", 12, &trace);
	cr_expect_str_eq(buf_text(&trace), "(|x)");
	cr_expect_eq(reader.dropped, 1);
	free(line);
}
