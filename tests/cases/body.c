/* SPDX-License-Identifier: Apache-2.0 */
#include "body.h"

#include <endian.h>
#include <zlib.h>

#include "case.h"
#include "limits.h"

enum body body_of(struct slice head)
{
	static const struct { const char *type; enum body body; } types[] = {
		{ "text/event-stream", BODY_SSE },
		{ "application/x-ndjson", BODY_LINES },
		{ "application/ndjson", BODY_LINES },
		{ "application/stream+json", BODY_LINES },
		{ "application/vnd.amazon.eventstream", BODY_EVENTSTREAM },
		{ "multipart/form-data", BODY_MULTIPART },
	};
	struct slice type = { 0 };

	case_field(head, "content-type", &type);
	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (type.len >= strlen(types[i].type) &&
		    strncasecmp(type.ptr, types[i].type, strlen(types[i].type)) == 0)
			return types[i].body;
	return BODY_PLAIN;
}

bool body_is_stream(enum body body)
{
	return body == BODY_SSE || body == BODY_LINES || body == BODY_EVENTSTREAM;
}

/* --- AWS event stream ------------------------------------------------------- */

static void add_u32(struct buf *buf, uint32_t value)
{
	value = htobe32(value);
	buf_add(buf, &value, sizeof(value));
}

static uint32_t crc_of(const struct buf *buf, size_t from)
{
	return (uint32_t)crc32(0, (const Bytef *)buf->ptr + from, (uInt)(buf->len - from));
}

/* Of type 7, a string: u8 length, name, u8 type, u16 length, value. */
static void add_header(struct buf *buf, struct slice name, struct slice value)
{
	uint16_t len = htobe16((uint16_t)value.len);

	buf_add_char(buf, (char)name.len);
	buf_add_slice(buf, name);
	buf_add_char(buf, 7);
	buf_add(buf, &len, sizeof(len));
	buf_add_slice(buf, value);
}

static void add_base64(struct buf *buf, struct slice in)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < in.len; i += 3) {
		size_t n = MIN(in.len - i, (size_t)3);
		uint32_t bits = 0;

		for (size_t k = 0; k < 3; k++)
			bits = bits << 8 | (k < n ? (unsigned char)in.ptr[i + k] : 0);
		for (size_t k = 0; k < 4; k++)
			buf_add_char(buf, k <= n ? digits[bits >> (18 - 6 * k) & 63] : '=');
	}
}

struct aws_message {
	struct buf headers, payload;
	bool has_type, is_exception, has_content_type;
};

static void message_done(struct aws_message *message)
{
	buf_done(&message->headers);
	buf_done(&message->payload);
}

/* ":event-type: chunk" */
static bool add_header_line(struct aws_message *message, struct slice line)
{
	const char *colon = memchr(line.ptr + 1, ':', line.len - 1);
	struct slice name;

	if (!colon)
		return false;
	name = slice_take(&line, (size_t)(colon - line.ptr));
	slice_take(&line, 1);
	message->has_type |= slice_eq(name, SLICE(":message-type"));
	message->has_content_type |= slice_eq(name, SLICE(":content-type"));
	message->is_exception |= slice_eq(name, SLICE(":exception-type"));
	add_header(&message->headers, name, slice_trim(line));
	return true;
}

/* "bytes: {...}" is the payload {"bytes":"<base64 of {...}>"}. */
static void add_payload_line(struct aws_message *message, struct slice line)
{
	struct slice prefix = SLICE("bytes: ");

	if (!slice_starts(line, prefix)) {
		buf_add_slice(&message->payload, line);
		return;
	}
	slice_take(&line, prefix.len);
	buf_add_text(&message->payload, "{\"bytes\":\"");
	add_base64(&message->payload, line);
	buf_add_text(&message->payload, "\"}");
}

static void end_message(struct aws_message *message, struct buf *ret)
{
	size_t from = ret->len;

	if (!message->headers.len && !message->payload.len)
		return;
	if (!message->has_content_type)
		add_header(&message->headers, SLICE(":content-type"), SLICE("application/json"));
	if (!message->has_type)
		add_header(&message->headers, SLICE(":message-type"),
			   message->is_exception ? SLICE("exception") : SLICE("event"));
	add_u32(ret, (uint32_t)(message->headers.len + message->payload.len + 16));
	add_u32(ret, (uint32_t)message->headers.len);
	add_u32(ret, crc_of(ret, from));
	buf_add_slice(ret, buf_slice(&message->headers));
	buf_add_slice(ret, buf_slice(&message->payload));
	add_u32(ret, crc_of(ret, from));
	message_done(message);
	message->has_type = message->is_exception = message->has_content_type = false;
}

static bool add_eventstream(struct slice text, struct buf *ret)
{
	_cleanup_(message_done) struct aws_message message = { .headers = BUF_INIT(64 * KiB),
							   .payload = BUF_INIT(16 * MiB) };
	struct slice line;

	while (case_line(&text, &line)) {
		if (!line.len)
			end_message(&message, ret);
		else if (line.ptr[0] != ':')
			add_payload_line(&message, line);
		else if (!add_header_line(&message, line))
			return false;
	}
	end_message(&message, ret);
	return true;
}

/* --- text ------------------------------------------------------------------- */

static void add_text(enum body body, struct slice text, struct buf *ret)
{
	const char *end = body == BODY_MULTIPART ? "\r\n" : "\n";
	struct slice line;

	while (case_line(&text, &line)) {
		bool is_joined = line.len && line.ptr[line.len - 1] == '\\';

		if (body == BODY_LINES && !line.len)
			continue;
		line.len -= is_joined;
		buf_add_slice(ret, line);
		if (!is_joined)
			buf_add_text(ret, end);
	}
}

bool body_bytes(enum body body, struct slice text, struct buf *ret)
{
	if (body == BODY_EVENTSTREAM)
		return add_eventstream(text, ret);
	if (body == BODY_PLAIN || body == BODY_MULTIPART)
		while (text.len && text.ptr[text.len - 1] == '\n')
			text.len--;
	add_text(body, text, ret);
	/* The last line of a text that goes on is no line of it yet. */
	if (body == BODY_PLAIN && ret->len && ret->ptr[ret->len - 1] == '\n')
		ret->len--;
	return buf_ok(ret);
}
