/* SPDX-License-Identifier: Apache-2.0 */
#include "base/text.h"

#include <ctype.h>
#include <errno.h>
#include <time.h>

#define REPLACEMENT	"\xef\xbf\xbd"	/* U+FFFD */

/* Length of the UTF-8 sequence at the front of @s and its code point; 0 when
 * there is none (RFC 3629 section 4: no overlong forms, no surrogates). */
static size_t take_rune(struct slice s, uint32_t *ret_rune)
{
	static const uint32_t lowest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const unsigned char *p = (const unsigned char *)s.ptr;
	size_t len = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 :
		     p[0] < 0xf5 ? 4 : 0;
	uint32_t rune;

	if (!len || len > s.len)
		return 0;
	rune = len == 1 ? p[0] : p[0] & (0x7f >> len);
	for (size_t i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		rune = rune << 6 | (p[i] & 0x3f);
	}
	if (rune < lowest[len] || rune > 0x10ffff || (rune >= 0xd800 && rune <= 0xdfff))
		return 0;
	*ret_rune = rune;
	return len;
}

size_t utf8_prefix(struct slice s, size_t max)
{
	size_t start, len = MIN(s.len, max);
	uint32_t rune;

	if (len == s.len)
		return len;
	/* Back to the start of the sequence that the cut would fall into; bytes
	 * that are no UTF-8 may be cut anywhere. */
	for (start = len; start && len - start < 3 && (s.ptr[start] & 0xc0) == 0x80; start--)
		;
	if (start < len &&
	    take_rune((struct slice){ s.ptr + start, s.len - start }, &rune) > len - start)
		return start;
	return len;
}

/* Length of the ASCII at the front of @s, in steps of a word. */
static size_t ascii_len(struct slice s)
{
	size_t len = 0;
	uint64_t word;

	while (s.len - len >= sizeof(word)) {
		memcpy(&word, s.ptr + len, sizeof(word));
		/* A byte with its high bit, or a zero byte (then the subtraction borrows). */
		if ((word | (word - 0x0101010101010101ull)) & 0x8080808080808080ull)
			break;
		len += sizeof(word);
	}
	return len;
}

size_t utf8_len(struct slice s)
{
	size_t good = 0;
	uint32_t rune;

	while (good < s.len) {
		struct slice rest = { s.ptr + good, s.len - good };
		size_t n = ascii_len(rest);

		if (!n) {
			n = take_rune(rest, &rune);
			if (!n || !rune)
				break;
		}
		good += n;
	}
	return good;
}

size_t text_add_utf8(struct buf *buf, struct slice s)
{
	size_t replaced = 0;

	while (s.len) {
		buf_add_slice(buf, slice_take(&s, utf8_len(s)));
		if (s.len) {
			slice_take(&s, 1);
			buf_add_text(buf, REPLACEMENT);
			replaced++;
		}
	}
	return replaced;
}

/* What could move the cursor, end the line or turn the text around: C0, DEL, C1,
 * line and paragraph separators, and the controls of UAX #9. */
static bool is_unsafe(uint32_t rune)
{
	return rune < 0x20 || (rune >= 0x7f && rune < 0xa0) || rune == 0x061c ||
	       rune == 0x200e || rune == 0x200f || (rune >= 0x2028 && rune <= 0x202e) ||
	       (rune >= 0x2066 && rune <= 0x2069);
}

void text_add_scrubbed(struct buf *buf, struct slice s)
{
	while (s.len) {
		uint32_t rune = 0;
		size_t len = take_rune(s, &rune);

		if (len && (rune == '\n' || rune == '\r' || rune == '\t'))
			buf_add_char(buf, ' ');
		else if (!len || is_unsafe(rune))
			buf_add_text(buf, REPLACEMENT);
		else
			buf_add(buf, s.ptr, len);
		slice_take(&s, len ? len : 1);
	}
}

struct unit {
	const char *name;
	uint64_t factor;
};

/* A decimal number and one of @units behind it; the first, "", is the default. */
static int parse_number(const char *text, const struct unit *units, size_t unit_count,
			uint64_t *ret)
{
	unsigned long long number;
	char *end;

	/* strtoull takes signs and spaces, too. */
	if (!isdigit((unsigned char)text[0]))
		return -EINVAL;
	errno = 0;
	number = strtoull(text, &end, 10);
	if (errno)
		return -EINVAL;
	for (size_t i = 0; i < unit_count; i++) {
		uint64_t value;

		if (strcmp(end, units[i].name) != 0)
			continue;
		if (__builtin_mul_overflow(number, units[i].factor, &value))
			return -EINVAL;
		*ret = value;
		return 0;
	}
	return -EINVAL;
}

int text_parse_duration_ns(const char *text, uint64_t *ret_ns)
{
	static const struct unit units[] = {
		{ "", 1000000000ull },
		{ "ms", 1000000 },
		{ "s", 1000000000ull },
		{ "m", 60 * 1000000000ull },
		{ "h", 3600 * 1000000000ull },
	};

	return parse_number(text, units, ARRAY_SIZE(units), ret_ns);
}

int text_parse_bytes(const char *text, uint64_t *ret_bytes)
{
	static const struct unit units[] = {
		{ "", 1 },
		{ "k", 1ull << 10 }, { "K", 1ull << 10 }, { "KiB", 1ull << 10 },
		{ "m", 1ull << 20 }, { "M", 1ull << 20 }, { "MiB", 1ull << 20 },
		{ "g", 1ull << 30 }, { "G", 1ull << 30 }, { "GiB", 1ull << 30 },
	};

	return parse_number(text, units, ARRAY_SIZE(units), ret_bytes);
}

void text_time_utc(uint64_t realtime_ns, char ret[TEXT_TIME_SIZE])
{
	time_t seconds = realtime_ns / 1000000000ull;
	char text[64];
	struct tm tm;
	size_t len;

	/* 64 bits of nanoseconds end in 2554: the year always has four digits. */
	gmtime_r(&seconds, &tm);
	len = strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%S", &tm);
	snprintf(text + len, sizeof(text) - len, ".%09uZ", (unsigned)(realtime_ns % 1000000000ull));
	memcpy(ret, text, TEXT_TIME_SIZE - 1);
	ret[TEXT_TIME_SIZE - 1] = '\0';
}
