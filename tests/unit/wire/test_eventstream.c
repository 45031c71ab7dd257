/* SPDX-License-Identifier: Apache-2.0 */
/* AWS event stream: every case gives the same events at every split of its input. */
#include "feed.h"

#include <zlib.h>

static void add_number(struct buf *out, uint32_t value, int size)
{
	while (size-- > 0)
		buf_add_char(out, (char)(value >> 8 * size));
}

static void add_crc(struct buf *out, size_t from)
{
	add_number(out, (uint32_t)crc32(0, (const unsigned char *)out->ptr + from, (uInt)(out->len - from)), 4);
}

static void add_prelude(struct buf *out, uint32_t len, uint32_t headers_len)
{
	size_t from = out->len;

	add_number(out, len, 4);
	add_number(out, headers_len, 4);
	add_crc(out, from);
}

static void add_message(struct buf *out, struct slice headers, struct slice payload)
{
	size_t from = out->len;

	add_prelude(out, (uint32_t)(headers.len + payload.len + 16), (uint32_t)headers.len);
	buf_add_slice(out, headers);
	buf_add_slice(out, payload);
	add_crc(out, from);
}

static void add_string(struct buf *headers, const char *name, const char *value)
{
	add_number(headers, (uint32_t)strlen(name), 1);
	buf_add_text(headers, name);
	add_number(headers, 7, 1);
	add_number(headers, (uint32_t)strlen(value), 2);
	buf_add_text(headers, value);
}

/* An event of type x. */
static void add_event(struct buf *out, const char *payload)
{
	_cleanup_(buf_done) struct buf headers = BUF_INIT(KiB);

	add_string(&headers, ":message-type", "event");
	add_string(&headers, ":event-type", "x");
	add_message(out, buf_slice(&headers), slice_of(payload));
}

static void add_hex(struct buf *out, const char *hex)
{
	unsigned byte;

	for (; *hex; hex += 2) {
		cr_assert_eq(sscanf(hex, "%2x", &byte), 1);
		buf_add_char(out, (char)byte);
	}
}

/* As other implementations made them. */
Test(eventstream, messages_of_others_are_read)
{
	static const char event[] =
		"0000009400000057b4ab9aee0b3a6576656e742d74797065070011636f6e74656e74426c6f636b44656c74610d3a63"
		"6f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d74797065070005"
		"6576656e747b22636f6e74656e74426c6f636b496e646578223a302c2264656c7461223a7b2274657874223a224869"
		"227d7d1f944657";
	static const char exception[] =
		"0000008800000061de0175f40f3a657863657074696f6e2d747970650700137468726f74746c696e67457863657074"
		"696f6e0d3a636f6e74656e742d747970650700106170706c69636174696f6e2f6a736f6e0d3a6d6573736167652d74"
		"797065070009657863657074696f6e7b226d657373616765223a22736c6f7720646f776e227d832ee072";
	_cleanup_(buf_done) struct buf wire = BUF_INIT(KiB);

	add_hex(&wire, event);
	cr_assert_eq(wire.len, 148);
	add_hex(&wire, exception);
	cr_assert_eq(wire.len, 148 + 136);
	feed_every_way(FRAMING_EVENTSTREAM, "both", buf_slice(&wire),
		       "(contentBlockDelta|{\"contentBlockIndex\":0,\"delta\":{\"text\":\"Hi\"}})"
		       "!(throttlingException|{\"message\":\"slow down\"})");
}

Test(eventstream, its_media_type_is_known)
{
	cr_expect_eq(framing_of(SLICE("application/vnd.amazon.eventstream")), FRAMING_EVENTSTREAM);
}

Test(eventstream, errors_without_a_model_are_exceptions)
{
	_cleanup_(buf_done) struct buf wire = BUF_INIT(KiB), headers = BUF_INIT(KiB);

	add_string(&headers, ":message-type", "error");
	add_string(&headers, ":error-code", "InternalError");
	add_string(&headers, ":error-message", "it broke");
	add_message(&wire, buf_slice(&headers), SLICE(""));
	feed_every_way(FRAMING_EVENTSTREAM, "error", buf_slice(&wire), "!(InternalError||it broke)");
}

/* Each type of value before the one that is looked for. */
Test(eventstream, headers_of_every_type_are_passed)
{
	static const struct {
		int type;
		struct slice value;
	} values[] = {
		{ 0, { "", 0 } }, { 1, { "", 0 } }, { 2, { "a", 1 } }, { 3, { "ab", 2 } }, { 4, { "abcd", 4 } },
		{ 5, { "abcdefgh", 8 } }, { 6, { "\0\3abc", 5 } }, { 6, { "\0\0", 2 } }, { 7, { "\0\2ab", 4 } },
		{ 8, { "abcdefgh", 8 } }, { 9, { "abcdefghijklmnop", 16 } },
	};
	_cleanup_(buf_done) struct buf wire = BUF_INIT(KiB), headers = BUF_INIT(KiB);

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		add_number(&headers, 1, 1);
		buf_add_char(&headers, 'h');
		add_number(&headers, values[i].type, 1);
		buf_add_slice(&headers, values[i].value);
	}
	/* A type that is no text is none. */
	add_number(&headers, 11, 1);
	buf_add_text(&headers, ":event-type");
	add_number(&headers, 0, 1);
	add_message(&wire, buf_slice(&headers), SLICE("1"));
	add_string(&headers, ":event-type", "x");
	add_message(&wire, buf_slice(&headers), SLICE("2"));
	add_message(&wire, SLICE(""), SLICE(""));
	feed_every_way(FRAMING_EVENTSTREAM, "types", buf_slice(&wire), "(|1)(x|2)(|)");
}

Test(eventstream, headers_that_do_not_fit_are_none)
{
	static const struct slice bad[] = {
		{ "\1", 1 }, { "\1h", 2 }, { "\1h\12", 3 }, { "\1h\377", 3 }, { "\1h\2", 3 }, { "\1h\4abc", 6 },
		{ "\1h\7", 3 }, { "\1h\7\0", 4 }, { "\1h\7\0\2a", 6 }, { "\1h\6\377\377a", 6 }, { "\5h\0", 3 },
		{ "\1h\11abc", 6 }, { "\1h\0\1", 4 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_(buf_done) struct buf wire = BUF_INIT(KiB);
		char name[32];

		snprintf(name, sizeof(name), "bad headers %zu", i);
		add_message(&wire, bad[i], SLICE("payload"));
		feed_every_way(FRAMING_EVENTSTREAM, name, buf_slice(&wire), "BAD");
	}
}

Test(eventstream, lengths_that_cannot_be_are_bad)
{
	static const uint32_t lengths[][2] = { { 0, 0 }, { 15, 0 }, { 16, 1 }, { 20, 5 }, { 20, UINT32_MAX } };

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++) {
		_cleanup_(buf_done) struct buf wire = BUF_INIT(KiB);

		add_prelude(&wire, lengths[i][0], lengths[i][1]);
		buf_add_text(&wire, "0123456789");
		feed_every_way(FRAMING_EVENTSTREAM, "lengths", buf_slice(&wire), "BAD");
	}
}

/* Whatever bit is flipped in whatever byte, nothing but the first event comes out. */
Test(eventstream, every_flipped_bit_is_found)
{
	_cleanup_(buf_done) struct buf wire = BUF_INIT(KiB);
	size_t first;

	add_event(&wire, "1");
	first = wire.len;
	add_event(&wire, "2");
	for (size_t bit = first * 8; bit < wire.len * 8; bit++) {
		_cleanup_(feed_done) struct feed feed;

		wire.ptr[bit / 8] ^= (char)(1 << bit % 8);
		feed_init(&feed, FRAMING_EVENTSTREAM);
		feed_cut(&feed, buf_slice(&wire), first, SIZE_MAX);
		cr_expect_str_eq(buf_text(&feed.trace), "(x|1)BAD", "bit %zu: %s", bit, buf_text(&feed.trace));
		wire.ptr[bit / 8] ^= (char)(1 << bit % 8);
	}
}

Test(eventstream, an_end_in_a_message_is_bad)
{
	_cleanup_(buf_done) struct buf wire = BUF_INIT(KiB);

	add_event(&wire, "1");
	for (size_t len = 0; len <= wire.len; len++)
		feed_every_way(FRAMING_EVENTSTREAM, "ended", (struct slice){ wire.ptr, len },
			       len == wire.len ? "(x|1)" : len ? "+BAD" : "");
}

/* The place is kept when the prelude was seen and the gap ends in the message. */
Test(eventstream, a_gap_costs_its_message_or_the_place)
{
	_cleanup_(buf_done) struct buf wire = BUF_INIT(KiB);
	size_t ends[3];

	for (int i = 0; i < 3; i++) {
		add_event(&wire, (const char *[]){ "1", "22", "333" }[i]);
		ends[i] = wire.len;
	}
	for (size_t at = 0; at < ends[1]; at++)
		for (size_t lost = 1; at + lost <= wire.len; lost++) {
			size_t start = at < ends[0] ? 0 : ends[0], end = at < ends[0] ? ends[0] : ends[1];
			bool is_kept = at - start >= 12 && at + lost <= end;
			_cleanup_(buf_done) struct buf want = BUF_INIT(KiB);
			struct feed feed;

			buf_add_text(&want, start ? "(x|1)" : "");
			buf_add_text(&want, !is_kept ? "LOST" : start ? "(x|333)" : "(x|22)(x|333)");
			feed_init(&feed, FRAMING_EVENTSTREAM);
			feed_bytes(&feed, wire.ptr, at);
			feed_gap(&feed, lost);
			feed_bytes(&feed, wire.ptr + at + lost, wire.len - at - lost);
			feed_eof(&feed);
			cr_expect_str_eq(buf_text(&feed.trace), buf_text(&want), "%zu lost at %zu", lost, at);
			feed_done(&feed);
		}
}

static void expect_limit(size_t headers_len, size_t payload_len, bool is_over)
{
	_cleanup_(buf_done) struct buf wire = BUF_INIT(16 * MiB);
	_cleanup_(freep) char *payload = malloc(payload_len + 1);
	_cleanup_(freep) char *headers = calloc(1, headers_len + 1);

	/* As many as there is room for, each of them true. */
	for (size_t i = 0; i + 3 <= headers_len; i += 3)
		memcpy(headers + i, "\1h\0", 3);
	memset(payload, 'x', payload_len);
	add_message(&wire, (struct slice){ headers, headers_len }, (struct slice){ payload, payload_len });
	add_event(&wire, "y");
	for (size_t piece = 1000; piece < 2 * wire.len; piece += 3 * MiB) {
		struct feed feed;

		feed_init(&feed, FRAMING_EVENTSTREAM);
		feed_cut(&feed, buf_slice(&wire), 0, piece);
		cr_expect_eq(feed.trace.len, is_over ? 5 : payload_len + 3 + 5, "%zu and %zu", headers_len, payload_len);
		cr_expect_str_eq(buf_text(&feed.trace) + feed.trace.len - 5, "(x|y)");
		cr_expect_eq(stream_take_losses(feed.reader).dropped, is_over, "%zu and %zu", headers_len, payload_len);
		feed_done(&feed);
	}
}

Test(eventstream, a_message_over_a_limit_is_skipped_and_counted)
{
	size_t headers = LIMIT_EVENTSTREAM_HEADERS / 3 * 3;

	expect_limit(0, LIMIT_EVENTSTREAM_PAYLOAD, false);
	expect_limit(0, LIMIT_EVENTSTREAM_PAYLOAD + 1, true);
	expect_limit(headers, 0, false);
	expect_limit(headers, LIMIT_EVENTSTREAM_PAYLOAD, false);
	expect_limit(headers + 3, 0, true);
}
