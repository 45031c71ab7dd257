/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/eventstream.h"

#include <zlib.h>

#include "limits.h"

enum {
	PRELUDE = 12,
	CRC = 4,
	HEADERS_MAX = LIMIT_EVENTSTREAM_HEADERS,
	PAYLOAD_MAX = LIMIT_EVENTSTREAM_PAYLOAD,
};

enum header_type {
	TYPE_TRUE, TYPE_FALSE,		/* no bytes of value */
	TYPE_BYTE, TYPE_INT16, TYPE_INT32, TYPE_INT64,
	TYPE_BYTES, TYPE_STRING,	/* u16 length, and as many */
	TYPE_TIMESTAMP, TYPE_UUID,
};

void eventstream_init(struct eventstream_reader *reader)
{
	*reader = (struct eventstream_reader){ .message = BUF_INIT(PRELUDE + HEADERS_MAX + PAYLOAD_MAX + CRC) };
}

void eventstream_done(struct eventstream_reader *reader)
{
	buf_done(&reader->message);
}

static uint32_t number(const char *bytes, size_t size)
{
	uint32_t value = 0;

	for (size_t i = 0; i < size; i++)
		value = value << 8 | (unsigned char)bytes[i];
	return value;
}

/* Whether the CRC of @len bytes stands behind them. */
static bool is_sound(const char *bytes, size_t len)
{
	return crc32(0, (const unsigned char *)bytes, (uInt)len) == number(bytes + len, CRC);
}

/* --- headers ---------------------------------------------------------------- */

/* Cuts @n bytes off; false when there are not so many. */
static bool take(struct slice *in, size_t n, struct slice *ret)
{
	if (n > in->len)
		return false;
	*ret = slice_take(in, n);
	return true;
}

/* @size bytes of length and as many as it says. */
static bool take_counted(struct slice *in, size_t size, struct slice *ret)
{
	struct slice len;

	return take(in, size, &len) && take(in, number(len.ptr, size), ret);
}

static bool take_value(struct slice *in, uint32_t type, struct slice *ret)
{
	static const unsigned char sizes[] = {
		[TYPE_TRUE] = 0, [TYPE_FALSE] = 0, [TYPE_BYTE] = 1, [TYPE_INT16] = 2, [TYPE_INT32] = 4,
		[TYPE_INT64] = 8, [TYPE_TIMESTAMP] = 8, [TYPE_UUID] = 16,
	};

	if (type == TYPE_BYTES || type == TYPE_STRING)
		return take_counted(in, 2, ret);
	return type < ARRAY_SIZE(sizes) && take(in, sizes[type], ret);
}

struct headers {
	struct slice message_type, event_type, exception_type, error_code, error_message;
};

/* The field that a header of this name goes to, or NULL. */
static struct slice *field_of(struct headers *headers, struct slice name)
{
	if (slice_eq(name, SLICE(":message-type")))
		return &headers->message_type;
	if (slice_eq(name, SLICE(":event-type")))
		return &headers->event_type;
	if (slice_eq(name, SLICE(":exception-type")))
		return &headers->exception_type;
	if (slice_eq(name, SLICE(":error-code")))
		return &headers->error_code;
	if (slice_eq(name, SLICE(":error-message")))
		return &headers->error_message;
	return NULL;
}

static bool read_headers(struct slice in, struct headers *ret)
{
	struct slice name, type, value, *field;

	while (in.len) {
		if (!take_counted(&in, 1, &name) || !take(&in, 1, &type) ||
		    !take_value(&in, number(type.ptr, 1), &value))
			return false;
		field = field_of(ret, name);
		if (field && number(type.ptr, 1) == TYPE_STRING)
			*field = value;
	}
	return true;
}

/* --- messages --------------------------------------------------------------- */

/* Of a whole message. False when it is none. */
static bool read_message(struct slice message, struct stream_event *ret)
{
	size_t headers_len = number(message.ptr + 4, 4), crc_at = message.len - CRC;
	struct slice headers_bytes = { message.ptr + PRELUDE, headers_len };
	struct slice payload = { message.ptr + PRELUDE + headers_len, crc_at - PRELUDE - headers_len };
	struct headers headers = {};

	if (!is_sound(message.ptr, crc_at) || !read_headers(headers_bytes, &headers))
		return false;
	*ret = (struct stream_event){ .data = payload, .type = headers.event_type };
	if (slice_eq(headers.message_type, SLICE("exception"))) {
		ret->type = headers.exception_type;
		ret->is_exception = true;
	} else if (slice_eq(headers.message_type, SLICE("error"))) {
		ret->type = headers.error_code;
		ret->message = headers.error_message;
		ret->is_exception = true;
	}
	return true;
}

/* The lengths in a message's first 12 bytes. False when they are none. */
static bool read_prelude(struct eventstream_reader *reader, const char *prelude, uint32_t *ret_len)
{
	uint32_t len = number(prelude, 4), headers_len = number(prelude + 4, 4);

	if (!is_sound(prelude, PRELUDE - CRC) || len < PRELUDE + CRC || headers_len > len - PRELUDE - CRC)
		return false;
	reader->is_skipping = headers_len > HEADERS_MAX || len - PRELUDE - CRC - headers_len > PAYLOAD_MAX;
	reader->losses.dropped += reader->is_skipping;
	*ret_len = len;
	return true;
}

static enum parse fail(struct eventstream_reader *reader)
{
	buf_done(&reader->message);
	reader->left = 0;
	reader->is_bad = true;
	return PARSE_BAD;
}

static void forget_given(struct eventstream_reader *reader)
{
	if (reader->is_given)
		buf_done(&reader->message);
	reader->is_given = false;
}

static void keep(struct eventstream_reader *reader, struct slice part)
{
	if (reader->is_skipping)
		return;
	buf_add_slice(&reader->message, part);
	if (buf_ok(&reader->message))
		return;
	reader->losses.is_failed = true;
	reader->is_skipping = true;
	buf_done(&reader->message);
}

/* Brings up to 12 bytes together and reads them. PARSE_ITEM when there were so many:
 * the message's length is known then, and its prelude is kept. */
static enum parse take_prelude(struct eventstream_reader *reader, struct slice *in)
{
	size_t len = MIN(PRELUDE - reader->message.len, in->len);
	uint32_t total;

	keep(reader, slice_take(in, len));
	if (reader->is_skipping)	/* no memory even for that: where it ends is not known */
		return fail(reader);
	if (reader->message.len < PRELUDE)
		return PARSE_MORE;
	if (!read_prelude(reader, reader->message.ptr, &total))
		return fail(reader);
	reader->left = total - PRELUDE;
	if (reader->is_skipping)
		buf_done(&reader->message);
	return PARSE_ITEM;
}

/* What is there of a message whose prelude was seen. PARSE_ITEM when it is whole and
 * to be given out. */
static enum parse take_rest(struct eventstream_reader *reader, struct slice *in, struct stream_event *ret)
{
	size_t len = MIN((size_t)reader->left, in->len);
	bool is_skipped;

	keep(reader, slice_take(in, len));
	reader->left -= (uint32_t)len;
	if (reader->left)
		return PARSE_MORE;
	is_skipped = reader->is_skipping;
	reader->is_skipping = false;
	if (is_skipped)
		return PARSE_MORE;
	reader->is_given = true;
	return read_message(buf_slice(&reader->message), ret) ? PARSE_ITEM : fail(reader);
}

/* A message that lies in the input in one piece need not be copied. PARSE_MORE when
 * this one does not. */
static enum parse take_whole(struct eventstream_reader *reader, struct slice *in, struct stream_event *ret)
{
	uint32_t len = in->len >= PRELUDE ? number(in->ptr, 4) : 0;

	if (reader->message.len || len < PRELUDE + CRC || in->len < len)
		return PARSE_MORE;
	if (!read_prelude(reader, in->ptr, &len))
		return fail(reader);
	if (!reader->is_skipping)
		return read_message(slice_take(in, len), ret) ? PARSE_ITEM : fail(reader);
	reader->is_skipping = false;
	slice_take(in, len);
	return PARSE_MORE;
}

enum parse eventstream_next(struct eventstream_reader *reader, struct slice *in, struct stream_event *ret)
{
	enum parse parse = PARSE_MORE;

	forget_given(reader);
	if (reader->is_bad)
		return PARSE_BAD;
	while (parse == PARSE_MORE && in->len) {
		if (!reader->left)
			parse = take_whole(reader, in, ret);
		if (parse != PARSE_MORE || !in->len)
			break;
		if (!reader->left && take_prelude(reader, in) == PARSE_BAD)
			return PARSE_BAD;
		if (reader->left)
			parse = take_rest(reader, in, ret);
	}
	return parse;
}

bool eventstream_gap(struct eventstream_reader *reader, uint64_t n)
{
	forget_given(reader);
	if (n > reader->left) {
		fail(reader);
		return false;
	}
	buf_done(&reader->message);
	reader->left -= (uint32_t)n;
	reader->is_skipping = reader->left > 0;
	return true;
}

enum parse eventstream_eof(struct eventstream_reader *reader, struct stream_event *ret)
{
	(void)ret;
	forget_given(reader);
	return reader->is_bad || reader->left || reader->message.len ? PARSE_BAD : PARSE_MORE;
}
