/* SPDX-License-Identifier: Apache-2.0 */
/* A streamed JSON array: every case gives the same elements at every split. */
#include "feed.h"

static const struct {
	const char *name, *wire, *want;
} cases[] = {
	{ "as Google separates", "[{\"a\":1}\n,\r\n{\"a\":2}\n]\n", "(|{\"a\":1})(|{\"a\":2})" },
	{ "on one line", "[{},{\"a\":[1,{}]}]", "(|{})(|{\"a\":[1,{}]})" },
	{ "pretty", "[{\n  \"a\": {\n    \"b\": []\n  }\n}\n,\n{}]", "(|{\n  \"a\": {\n    \"b\": []\n  }\n})(|{})" },
	{ "brackets in strings", "[{\"}\":\"]{[\"},{\"a\":\"\\\"}\"}]", "(|{\"}\":\"]{[\"})(|{\"a\":\"\\\"}\"})" },
	{ "backslashes at the end of a string", "[{\"a\":\"\\\\\"},{}]", "(|{\"a\":\"\\\\\"})(|{})" },
	{ "arrays in the array", "[[1],[[2]]]", "(|[1])(|[[2]])" },
	{ "an object instead", " {\"error\":{\"code\":429}}\n", "(|{\"error\":{\"code\":429}})" },
	{ "nothing in it", "[]", "" },
	{ "a comma too many", "[{},]", "(|{})" },
	{ "it ends early", "[{},{\"a\":", "(|{})+BAD" },
	{ "it ends between elements", "[{}\n", "(|{})+BAD" },
	{ "only white space", " \n", "+BAD" },
	{ "not JSON", "data: {}", "BAD" },
	{ "a string", "\"a\"", "BAD" },
	{ "scalars in it", "[1]", "BAD" },
	{ "no comma", "[{}{}]", "(|{})BAD" },
	{ "no element before a comma", "[,{}]", "BAD" },
	{ "more behind the array", "[{}]\n[", "(|{})BAD" },
	{ "more behind the object", "{}{}", "(|{})BAD" },
};

Test(json_array, cases_hold_at_every_split)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		feed_every_way(FRAMING_JSON_ARRAY, cases[i].name, slice_of(cases[i].wire), cases[i].want);
}

static void expect_gap(const char *before, uint64_t lost, const char *behind, const char *want)
{
	struct feed feed;

	feed_init(&feed, FRAMING_JSON_ARRAY);
	feed_bytes(&feed, before, strlen(before));
	feed_gap(&feed, lost);
	feed_bytes(&feed, behind, strlen(behind));
	feed_eof(&feed);
	cr_expect_str_eq(buf_text(&feed.trace), want, "'%s', %d lost, '%s'", before, (int)lost, behind);
	feed_done(&feed);
}

Test(json_array, a_gap_loses_the_place_unless_no_element_can_be_in_it)
{
	expect_gap("", 1, "{}]", "LOST");
	expect_gap("[", 1, "{}]", "LOST");
	expect_gap("[{\"a\":", 1, "}]", "LOST");
	expect_gap("[{}", 2, "{}]", "(|{})LOST");
	expect_gap("[{},", 1, "{}]", "(|{})LOST");
	/* One byte behind an element: a comma, the end, or a space before either. */
	expect_gap("[{}", 1, "{\"a\":1}]", "(|{})(|{\"a\":1})");
	expect_gap("[{}", 1, ",{\"a\":1}]", "(|{})(|{\"a\":1})");
	expect_gap("[{}", 1, "]", "(|{})");
	expect_gap("[{}", 1, "", "(|{})");
	expect_gap("[{}", 1, "a", "(|{})BAD");
	expect_gap("[{}]", 99, "\n", "(|{})");
}

/* Elements of @len bytes, or brackets @depth deep, with one small element behind. */
static void expect_limit(size_t len, size_t depth, bool is_over)
{
	for (size_t piece = 1000; piece < 2 * LIMIT_JSON_ELEMENT; piece += 3 * MiB) {
		_cleanup_(buf_done) struct buf wire = BUF_INIT(LIMIT_JSON_ELEMENT + KiB);
		struct feed feed;

		buf_add_text(&wire, "[{\"");
		for (size_t i = 4; i < len; i++)
			buf_add_char(&wire, 'x');
		buf_add_char(&wire, '"');
		for (size_t i = 1; i < depth; i++)
			buf_add_char(&wire, '[');
		for (size_t i = 1; i < depth; i++)
			buf_add_char(&wire, ']');
		buf_add_text(&wire, "},{}]");
		cr_assert(buf_ok(&wire));
		feed_init(&feed, FRAMING_JSON_ARRAY);
		feed_cut(&feed, buf_slice(&wire), 0, piece);
		cr_expect_eq(feed.trace.len, is_over ? 5 : wire.len + 3, "%zu long, %zu deep: %zu", len, depth,
			     feed.trace.len);
		cr_expect_str_eq(buf_text(&feed.trace) + feed.trace.len - 5, "(|{})");
		cr_expect_eq(stream_take_losses(feed.reader).dropped, is_over, "%zu long, %zu deep", len, depth);
		feed_done(&feed);
	}
}

Test(json_array, an_element_over_a_limit_is_skipped_and_counted)
{
	expect_limit(LIMIT_JSON_ELEMENT, 1, false);
	expect_limit(LIMIT_JSON_ELEMENT + 1, 1, true);
	expect_limit(4, LIMIT_JSON_DEPTH, false);
	expect_limit(4, LIMIT_JSON_DEPTH + 1, true);
}
