/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Follows the frames of one direction.
 *
 *   AT_PREFACE --> AT_FRAME --front--> IN_FRAME --payload, padding--> AT_FRAME_END
 *                     ^  ^                                              |      |
 *                     |  +-------------- AT_STREAM_END <----------------+      |
 *                     +--------------------------------------------------------+
 *
 * The front of a frame is its header and those fields of its payload that stand
 * before the rest: pad length, priority, promised stream; all of RST_STREAM, the
 * fixed part of GOAWAY. It is looked at when it is whole, so that the answer does
 * not depend on how the input was cut.
 */
#include "wire/http2.h"

#include "limits.h"

enum { EXTENSION_MAX = 0x20 };

struct frame {
	uint32_t len, stream_id;
	uint8_t type, flags;
	bool is_reserved;	/* the bit before the stream id; to be ignored, and always 0 */
};

static uint32_t read_u32(const char *bytes)
{
	const unsigned char *b = (const unsigned char *)bytes;

	return (uint32_t)b[0] << 24 | (uint32_t)b[1] << 16 | (uint32_t)b[2] << 8 | b[3];
}

static struct frame read_header(const char *bytes)
{
	return (struct frame){
		.len = read_u32(bytes) >> 8, .type = (uint8_t)bytes[3], .flags = (uint8_t)bytes[4],
		.stream_id = read_u32(bytes + 5) & 0x7fffffff, .is_reserved = bytes[5] & 0x80,
	};
}

/* --- what a frame may be ---------------------------------------------------- */

static bool is_of_connection(uint8_t type)
{
	return type == HTTP2_FRAME_SETTINGS || type == HTTP2_FRAME_PING || type == HTTP2_FRAME_GOAWAY;
}

/* Faults for which a peer would end the whole connection (RFC 9113 section 6). */
static bool is_sound(const struct frame *frame)
{
	if (frame->type >= HTTP2_FRAME_TYPES)
		return true;
	if (frame->type != HTTP2_FRAME_WINDOW_UPDATE &&
	    is_of_connection(frame->type) != !frame->stream_id)
		return false;
	switch (frame->type) {
	case HTTP2_FRAME_RST_STREAM:
	case HTTP2_FRAME_WINDOW_UPDATE:
		return frame->len == 4;
	case HTTP2_FRAME_PING:
		return frame->len == 8;
	case HTTP2_FRAME_GOAWAY:
		return frame->len >= 8;
	case HTTP2_FRAME_SETTINGS:
		return frame->len % 6 == 0 && (!(frame->flags & HTTP2_ACK) || !frame->len);
	default:
		return true;
	}
}

static uint8_t flags_of(uint8_t type)
{
	static const uint8_t flags[HTTP2_FRAME_TYPES] = {
		[HTTP2_FRAME_DATA] = HTTP2_END_STREAM | HTTP2_PADDED,
		[HTTP2_FRAME_HEADERS] = HTTP2_END_STREAM | HTTP2_END_HEADERS | HTTP2_PADDED | HTTP2_PRIORITY,
		[HTTP2_FRAME_SETTINGS] = HTTP2_ACK,
		[HTTP2_FRAME_PUSH_PROMISE] = HTTP2_END_HEADERS | HTTP2_PADDED,
		[HTTP2_FRAME_PING] = HTTP2_ACK,
		[HTTP2_FRAME_CONTINUATION] = HTTP2_END_HEADERS,
	};

	return flags[type];
}

/* Bytes of the payload that the front holds. */
static uint32_t front_of(const struct frame *frame)
{
	uint32_t pad = frame->flags & HTTP2_PADDED ? 1 : 0;

	switch (frame->type) {
	case HTTP2_FRAME_DATA:
		return pad;
	case HTTP2_FRAME_HEADERS:
		return pad + (frame->flags & HTTP2_PRIORITY ? 5 : 0);
	case HTTP2_FRAME_PUSH_PROMISE:
		return pad + 4;
	case HTTP2_FRAME_RST_STREAM:
		return 4;
	case HTTP2_FRAME_GOAWAY:
		return 8;
	default:
		return 0;
	}
}

/* More than sound: what all senders send, so that other bytes are not taken for it.
 * Streams of the client's making, as pushed ones (even ids) are of no interest. */
static bool is_plausible(const struct frame *frame)
{
	return frame->type < HTTP2_FRAME_TYPES && !frame->is_reserved && is_sound(frame) &&
	       frame->len <= LIMIT_HTTP2_FRAME && !(frame->flags & ~flags_of(frame->type)) &&
	       (!frame->stream_id || frame->stream_id % 2) && frame->len >= front_of(frame) &&
	       (frame->type != HTTP2_FRAME_PRIORITY || frame->len == 5) &&
	       (frame->type != HTTP2_FRAME_HEADERS || frame->len);
}

/* Of a type that came after RFC 9113, of which a handful is registered. */
static bool is_extension(const struct frame *frame)
{
	return frame->type >= HTTP2_FRAME_TYPES && frame->type <= EXTENSION_MAX &&
	       !frame->is_reserved && frame->len <= LIMIT_HTTP2_FRAME;
}

/* Whether a header may begin so. */
static bool is_front(struct slice in)
{
	const unsigned char *b = (const unsigned char *)in.ptr;

	return (in.len < 1 || b[0] <= LIMIT_HTTP2_FRAME >> 16) &&
	       (in.len < 4 || b[3] <= EXTENSION_MAX) &&
	       (in.len < 5 || b[3] >= HTTP2_FRAME_TYPES || !(b[4] & ~flags_of(b[3]))) &&
	       (in.len < 6 || !(b[5] & 0x80));
}

bool http2_looks_like(struct slice in)
{
	struct frame frame;

	if (in.len < HTTP2_HEADER_BYTES)
		return false;
	/* The middle of a header block is no place to start. */
	if ((uint8_t)in.ptr[3] >= HTTP2_FRAME_CONTINUATION)
		return false;
	while (in.len >= HTTP2_HEADER_BYTES) {
		frame = read_header(in.ptr);
		if (!is_plausible(&frame) && !is_extension(&frame))
			return false;
		slice_take(&in, MIN(in.len, (size_t)HTTP2_HEADER_BYTES + frame.len));
	}
	return is_front(in);
}

/* Frames of 64 KiB are passed over: the line end that ends somebody's chunk would
 * be the front of one. */
bool http2_may_become(struct slice in)
{
	return in.len < HTTP2_HEADER_BYTES && (!in.len || !in.ptr[0]) && is_front(in);
}

bool http2_begins_server(struct slice in)
{
	struct frame frame;

	if (!http2_looks_like(in))
		return false;
	frame = read_header(in.ptr);
	return frame.type == HTTP2_FRAME_SETTINGS && !(frame.flags & HTTP2_ACK);
}

/* --- the cursor ------------------------------------------------------------- */

void http2_init(struct http2_reader *reader, bool is_preface)
{
	*reader = (struct http2_reader){ .state = is_preface ? HTTP2_AT_PREFACE : HTTP2_AT_FRAME };
}

static enum parse skip_preface(struct http2_reader *reader, struct slice *in)
{
	struct slice preface = HTTP2_PREFACE;

	if (!slice_starts(preface, (struct slice){ in->ptr, MIN(in->len, preface.len) }))
		return PARSE_BAD;
	if (in->len < preface.len)
		return PARSE_MORE;
	slice_take(in, preface.len);
	reader->state = HTTP2_AT_FRAME;
	return PARSE_ITEM;
}

/* A block is a HEADERS or PUSH_PROMISE frame and its CONTINUATION frames, and
 * nothing else comes between them (RFC 9113 section 4.3). */
static bool is_in_order(const struct http2_reader *reader, const struct frame *frame)
{
	if (frame->type == HTTP2_FRAME_CONTINUATION)
		return reader->block_id && reader->block_id == frame->stream_id;
	return !reader->block_id;
}

/* Takes what the front says; true when it is an item of its own. */
static bool enter_frame(struct http2_reader *reader, const struct frame *frame, const char *payload,
			struct http2_item *ret)
{
	struct http2_item item = { .stream_id = frame->stream_id };

	reader->state = HTTP2_IN_FRAME;
	switch (frame->type) {
	case HTTP2_FRAME_HEADERS:
	case HTTP2_FRAME_PUSH_PROMISE:
		item.type = HTTP2_BLOCK_BEGIN;
		item.is_promise = reader->is_promise = frame->type == HTTP2_FRAME_PUSH_PROMISE;
		reader->block_id = frame->stream_id;
		reader->is_block_last = !item.is_promise && (frame->flags & HTTP2_END_STREAM);
		break;
	case HTTP2_FRAME_RST_STREAM:
		item.type = HTTP2_RESET;
		item.error = read_u32(payload);
		break;
	case HTTP2_FRAME_GOAWAY:
		item.type = HTTP2_GOAWAY;
		item.last_stream_id = read_u32(payload) & 0x7fffffff;
		item.error = read_u32(payload + 4);
		break;
	default:
		return false;
	}
	*ret = item;
	return true;
}

/* PARSE_ITEM: the front is taken, with or without an item in *ret (*ret_has). */
static enum parse next_frame(struct http2_reader *reader, struct slice *in, struct http2_item *ret,
			     bool *ret_has)
{
	struct frame frame;
	uint32_t front, padding = 0;

	if (in->len < HTTP2_HEADER_BYTES)
		return PARSE_MORE;
	frame = read_header(in->ptr);
	front = front_of(&frame);
	reader->is_frame_too_long = frame.len > LIMIT_HTTP2_FRAME;
	if (reader->is_frame_too_long || !is_sound(&frame) || !is_in_order(reader, &frame) ||
	    frame.len < front)
		return PARSE_BAD;
	if (in->len < HTTP2_HEADER_BYTES + front)
		return PARSE_MORE;
	if (front && (frame.flags & flags_of(frame.type) & HTTP2_PADDED))
		padding = (uint8_t)in->ptr[HTTP2_HEADER_BYTES];
	if (padding > frame.len - front)
		return PARSE_BAD;
	reader->type = frame.type;
	reader->flags = frame.flags;
	reader->stream_id = frame.stream_id;
	reader->left = frame.len - front - padding;
	reader->padding = padding;
	slice_take(in, HTTP2_HEADER_BYTES);
	*ret_has = enter_frame(reader, &frame, slice_take(in, front).ptr, ret);
	return PARSE_ITEM;
}

static bool is_of_block(uint8_t type)
{
	return type == HTTP2_FRAME_HEADERS || type == HTTP2_FRAME_PUSH_PROMISE ||
	       type == HTTP2_FRAME_CONTINUATION;
}

/* The next bytes of the frame, as far as they are there. */
static enum parse next_bytes(struct http2_reader *reader, struct slice *in, struct http2_item *ret,
			     bool *ret_has)
{
	bool is_payload = reader->left;
	uint32_t *left = is_payload ? &reader->left : &reader->padding;
	size_t len = MIN(in->len, (size_t)*left);
	struct slice bytes;

	if (!*left) {
		reader->state = HTTP2_AT_FRAME_END;
		return PARSE_ITEM;
	}
	if (!len)
		return PARSE_MORE;
	bytes = slice_take(in, len);
	*left -= (uint32_t)len;
	*ret_has = is_payload && (is_of_block(reader->type) || reader->type == HTTP2_FRAME_DATA);
	if (*ret_has)
		*ret = (struct http2_item){
			.type = is_of_block(reader->type) ? HTTP2_BLOCK : HTTP2_DATA,
			.stream_id = reader->stream_id, .bytes = bytes, .is_promise = reader->is_promise,
		};
	return PARSE_ITEM;
}

/* True when the end of the frame is that of its block; *ret is that. */
static bool end_frame(struct http2_reader *reader, struct http2_item *ret)
{
	bool is_block_end = is_of_block(reader->type) && (reader->flags & HTTP2_END_HEADERS);
	bool is_stream_end = (reader->type == HTTP2_FRAME_DATA && (reader->flags & HTTP2_END_STREAM)) ||
			     (is_block_end && reader->is_block_last);

	reader->state = is_stream_end ? HTTP2_AT_STREAM_END : HTTP2_AT_FRAME;
	if (!is_block_end)
		return false;
	*ret = (struct http2_item){ .type = HTTP2_BLOCK_END, .stream_id = reader->stream_id,
				    .is_promise = reader->is_promise };
	reader->block_id = 0;
	reader->is_block_last = reader->is_promise = false;
	return true;
}

enum parse http2_next(struct http2_reader *reader, struct slice *in, struct http2_item *ret)
{
	enum parse parse = PARSE_ITEM;
	bool has_item = false;

	/* What is of no interest is skipped, PARSE_ITEM meaning: on to the next. */
	while (parse == PARSE_ITEM && !has_item) {
		switch (reader->state) {
		case HTTP2_AT_PREFACE:
			parse = skip_preface(reader, in);
			break;
		case HTTP2_AT_FRAME:
			parse = next_frame(reader, in, ret, &has_item);
			break;
		case HTTP2_IN_FRAME:
			parse = next_bytes(reader, in, ret, &has_item);
			break;
		case HTTP2_AT_FRAME_END:
			has_item = end_frame(reader, ret);
			break;
		case HTTP2_AT_STREAM_END:
			reader->state = HTTP2_AT_FRAME;
			*ret = (struct http2_item){ .type = HTTP2_STREAM_END, .stream_id = reader->stream_id };
			return PARSE_ITEM;
		}
	}
	return parse;
}

bool http2_gap(struct http2_reader *reader, uint64_t n, uint32_t *ret_stream_id, uint64_t *ret_body)
{
	uint64_t body = MIN(n, (uint64_t)reader->left);

	if (reader->state != HTTP2_IN_FRAME || n > (uint64_t)reader->left + reader->padding)
		return false;
	/* A hole in a header block is one in the compression's state. */
	if (is_of_block(reader->type) && body)
		return false;
	reader->left -= (uint32_t)body;
	reader->padding -= (uint32_t)(n - body);
	*ret_stream_id = reader->stream_id;
	*ret_body = reader->type == HTTP2_FRAME_DATA ? body : 0;
	return true;
}
