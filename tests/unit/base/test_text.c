/* SPDX-License-Identifier: Apache-2.0 */
/* Text made safe for JSON and for terminals; numbers with units; times. */
#include <criterion/criterion.h>

#include <errno.h>

#include "base/text.h"

#define BAD "\xef\xbf\xbd"

static const struct {
	const char *name;
	struct slice in;
	const char *want;
	size_t replaced;
} utf8[] = {
	{ "ASCII", SLICE("a b\n\x7f"), "a b\n\x7f", 0 },
	{ "two to four bytes", SLICE("\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80"), "\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80", 0 },
	{ "NUL", SLICE("a\0b"), "a" BAD "b", 1 },
	{ "a lone continuation", SLICE("a\x80z"), "a" BAD "z", 1 },
	{ "a sequence cut by the end", SLICE("a\xe2\x82"), "a" BAD BAD, 2 },
	{ "a sequence cut by a letter", SLICE("\xe2\x82z"), BAD BAD "z", 2 },
	{ "overlong slash", SLICE("\xc0\xaf"), BAD BAD, 2 },
	{ "overlong of three", SLICE("\xe0\x80\xaf"), BAD BAD BAD, 3 },
	{ "overlong of four", SLICE("\xf0\x80\x80\xaf"), BAD BAD BAD BAD, 4 },
	{ "a surrogate", SLICE("\xed\xa0\x80"), BAD BAD BAD, 3 },
	{ "beyond Unicode", SLICE("\xf4\x90\x80\x80"), BAD BAD BAD BAD, 4 },
	{ "the last code point", SLICE("\xf4\x8f\xbf\xbf"), "\xf4\x8f\xbf\xbf", 0 },
	{ "bytes that never occur", SLICE("\xfe\xff"), BAD BAD, 2 },
	{ "U+FFFD itself", SLICE(BAD), BAD, 0 },
};

Test(text, what_is_no_utf8_is_replaced_and_counted)
{
	for (size_t i = 0; i < ARRAY_SIZE(utf8); i++) {
		_cleanup_(buf_done) struct buf buf = BUF_INIT(100);

		cr_expect_eq(text_add_utf8(&buf, utf8[i].in), utf8[i].replaced, "%s", utf8[i].name);
		cr_expect_str_eq(buf_text(&buf), utf8[i].want, "%s", utf8[i].name);
	}
}

static const struct {
	const char *name;
	struct slice in;
	const char *want;
} scrubbed[] = {
	{ "plain text", SLICE("caf\xc3\xa9 \xe2\x82\xac"), "caf\xc3\xa9 \xe2\x82\xac" },
	{ "line ends and tabs", SLICE("a\nb\rc\td"), "a b c d" },
	{ "an escape sequence", SLICE("\x1b[31mred"), BAD "[31mred" },
	{ "bell, backspace, DEL, NUL", SLICE("\a\b\x7f\0"), BAD BAD BAD BAD },
	{ "C1: CSI in one character", SLICE("\xc2\x9b" "31m"), BAD "31m" },
	{ "C1 as a raw byte", SLICE("\x9b" "31m"), BAD "31m" },
	{ "right-to-left override", SLICE("a\xe2\x80\xae" "b"), "a" BAD "b" },
	{ "isolates", SLICE("\xe2\x81\xa6\xe2\x81\xa9"), BAD BAD },
	{ "marks of direction", SLICE("\xe2\x80\x8e\xe2\x80\x8f\xd8\x9c"), BAD BAD BAD },
	{ "line separator", SLICE("\xe2\x80\xa8"), BAD },
};

Test(text, nothing_that_a_terminal_would_obey_is_left)
{
	for (size_t i = 0; i < ARRAY_SIZE(scrubbed); i++) {
		_cleanup_(buf_done) struct buf buf = BUF_INIT(100);

		text_add_scrubbed(&buf, scrubbed[i].in);
		cr_expect_str_eq(buf_text(&buf), scrubbed[i].want, "%s", scrubbed[i].name);
	}
}

Test(text, a_prefix_cuts_no_character)
{
	static const struct slice text = SLICE("a\xc3\xa9\xe2\x82\xac\xf0\x9f\x98\x80z");
	static const size_t want[] = { 0, 1, 1, 3, 3, 3, 6, 6, 6, 6, 10, 11, 11, 11 };

	for (size_t max = 0; max < ARRAY_SIZE(want); max++)
		cr_expect_eq(utf8_prefix(text, max), want[max], "at most %zu", max);
	cr_expect_eq(utf8_prefix(SLICE("\x80\x80\x80\x80\x80\x80"), 4), 4, "what is no UTF-8 is cut anywhere");
	cr_expect_eq(utf8_prefix(SLICE(""), 4), 0);
}

static const struct {
	const char *in;
	int r;
	uint64_t want;
} durations[] = {
	{ "90s", 0, 90000000000ull }, { "10m", 0, 600000000000ull }, { "1h", 0, 3600000000000ull },
	{ "250ms", 0, 250000000 }, { "5", 0, 5000000000ull }, { "0", 0, 0 }, { "", -EINVAL, 0 },
	{ "-1s", -EINVAL, 0 }, { "+1s", -EINVAL, 0 }, { " 1s", -EINVAL, 0 }, { "1 s", -EINVAL, 0 },
	{ "1x", -EINVAL, 0 }, { "s", -EINVAL, 0 }, { "1.5s", -EINVAL, 0 }, { "99999999999999999999", -EINVAL, 0 },
	{ "18446744074", -EINVAL, 0 }, { "10M", -EINVAL, 0 },
}, sizes[] = {
	{ "262144", 0, 262144 }, { "256k", 0, 262144 }, { "256KiB", 0, 262144 }, { "1M", 0, 1 << 20 },
	{ "1MiB", 0, 1 << 20 }, { "2G", 0, 2ull << 30 }, { "", -EINVAL, 0 }, { "-1", -EINVAL, 0 },
	{ "1.5M", -EINVAL, 0 }, { "M", -EINVAL, 0 }, { "1T", -EINVAL, 0 }, { "17179869184G", -EINVAL, 0 },
};

Test(text, durations_and_sizes_have_units)
{
	for (size_t i = 0; i < ARRAY_SIZE(durations); i++) {
		uint64_t ns = 1;

		cr_expect_eq(text_parse_duration_ns(durations[i].in, &ns), durations[i].r, "'%s'", durations[i].in);
		cr_expect_eq(ns, durations[i].r ? 1 : durations[i].want, "'%s'", durations[i].in);
	}
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		uint64_t bytes = 1;

		cr_expect_eq(text_parse_bytes(sizes[i].in, &bytes), sizes[i].r, "'%s'", sizes[i].in);
		cr_expect_eq(bytes, sizes[i].r ? 1 : sizes[i].want, "'%s'", sizes[i].in);
	}
}

Test(text, times_are_utc_with_nanoseconds)
{
	char text[TEXT_TIME_SIZE];

	text_time_utc(1794999999310000001ull, text);
	cr_expect_str_eq(text, "2026-11-18T11:06:39.310000001Z");
	text_time_utc(0, text);
	cr_expect_str_eq(text, "1970-01-01T00:00:00.000000000Z");
	text_time_utc(UINT64_MAX, text);
	cr_expect_str_eq(text, "2554-07-21T23:34:33.709551615Z");
}
