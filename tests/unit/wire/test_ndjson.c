/* SPDX-License-Identifier: Apache-2.0 */
/* JSON by lines: every case gives the same lines at every split of its input. */
#include "feed.h"

static const struct {
	const char *name, *wire, *want;
} cases[] = {
	{ "two lines", "{\"a\":1}\n{\"a\":2}\n", "(|{\"a\":1})(|{\"a\":2})" },
	{ "CRLF", "{\"a\":1}\r\n{\"a\":2}\r\n", "(|{\"a\":1})(|{\"a\":2})" },
	{ "the last without its end", "1\n2", "(|1)+(|2)" },
	{ "the last with a lone CR", "1\n2\r", "(|1)+(|2)" },
	{ "blank lines are none", "\n\r\n \t\n\r\r\n1\n\n\n2\n \n", "(|1)(|2)" },
	{ "white space around a line", " 1 \t\r\n\t2\n", "(|1)(|2)" },
	{ "a CR inside a line", "1\r2\n", "(|1\r2)" },
	{ "an escaped line end is none", "\"a\\nb\"\n", "(|\"a\\nb\")" },
	{ "nothing", "", "" },
	{ "only a line end", "\n", "" },
};

Test(ndjson, cases_hold_at_every_split)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		feed_every_way(FRAMING_NDJSON, cases[i].name, slice_of(cases[i].wire), cases[i].want);
}

Test(ndjson, its_media_types_are_known)
{
	static const char *const types[] = {
		"application/x-ndjson", "application/ndjson; charset=utf-8", "application/jsonl",
		"Application/X-JSONLines", "application/stream+json",
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		cr_expect_eq(framing_of(slice_of(types[i])), FRAMING_NDJSON, "%s", types[i]);
	cr_expect_eq(framing_of(SLICE("application/json")), FRAMING_BODY);
}

/* Bytes are lost at every place: of a, bb, c, d only those come out that are whole. */
Test(ndjson, a_gap_costs_the_lines_it_fell_into_and_the_next_at_most)
{
	static const char wire[] = "a\nbb\nc\nd\n";
	size_t len = strlen(wire);

	for (size_t at = 0; at < len; at++)
		for (size_t lost = 1; at + lost <= len; lost++) {
			_cleanup_(feed_done) struct feed feed;
			const char *before = strchr(wire + at + lost, '\n');
			struct buf want = BUF_INIT(KiB);

			/* Whole lines before the gap, and those behind the next line end. */
			for (const char *p = wire, *end; (end = strchr(p, '\n')); p = end + 1)
				if (end < wire + at || (before && p > before))
					buf_printf(&want, "(|%.*s)", (int)(end - p), p);
			feed_init(&feed, FRAMING_NDJSON);
			feed_bytes(&feed, wire, at);
			feed_gap(&feed, lost);
			feed_bytes(&feed, wire + at + lost, len - at - lost);
			feed_eof(&feed);
			cr_expect_str_eq(buf_text(&feed.trace), buf_text(&want), "%zu lost at %zu", lost, at);
			buf_done(&want);
		}
}

Test(ndjson, a_line_over_the_limit_is_skipped_and_counted)
{
	for (int over = 0; over < 2; over++)
		for (size_t piece = 999; piece < 2 * LIMIT_NDJSON_LINE; piece += 3 * MiB) {
			_cleanup_(freep) char *wire = malloc(LIMIT_NDJSON_LINE + 16);
			size_t len = LIMIT_NDJSON_LINE + over;
			struct feed feed;

			memset(wire, 'x', len);
			memcpy(wire + len, "\ny\n", 3);
			feed_init(&feed, FRAMING_NDJSON);
			feed_cut(&feed, (struct slice){ wire, len + 3 }, 0, piece);
			cr_expect_eq(feed.trace.len, over ? 4 : len + 7, "%d over, by %zu", over, piece);
			cr_expect_str_eq(buf_text(&feed.trace) + feed.trace.len - 4, "(|y)");
			cr_expect_eq(stream_take_losses(feed.reader).dropped, over);
			cr_expect_eq(stream_take_losses(feed.reader).dropped, 0, "told once");
			feed_done(&feed);
		}
}
