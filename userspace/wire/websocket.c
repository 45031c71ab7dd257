/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/websocket.h"

#include "limits.h"

/* RFC 6455 section 5.2 */
enum opcode { CONTINUATION, TEXT, BINARY, CLOSE = 8, PING, PONG };

enum {
	FIN = 0x80, RSV1 = 0x40, RSV2 = 0x20, RSV3 = 0x10, OPCODE = 0x0f,
	MASKED = 0x80, LENGTH = 0x7f,
	LENGTH_16 = 126, LENGTH_64 = 127,
	CONTROL_MAX = 125,
	NO_STATUS = 1005,	/* section 7.4.1 */
	ROOM = 8 * 1024,	/* bytes unmasked or decompressed at a time */
};

void websocket_init(struct websocket_reader *reader, const struct websocket_params *params)
{
	*reader = (struct websocket_reader){
		.message = BUF_INIT(LIMIT_WEBSOCKET_MESSAGE),
		.close = BUF_INIT(CONTROL_MAX),
		.is_client = params->is_client,
		.failure = LOSS_BAD_STREAM,
	};
	permessage_init(&reader->deflate, &params->deflate);
}

void websocket_done(struct websocket_reader *reader)
{
	permessage_done(&reader->deflate);
	buf_done(&reader->message);
	buf_done(&reader->close);
}

static void forget_given(struct websocket_reader *reader)
{
	if (reader->is_given)
		buf_done(&reader->message);
	reader->is_given = false;
}

static bool fail(struct websocket_reader *reader, enum loss failure)
{
	reader->is_bad = true;
	reader->failure = failure;
	permessage_done(&reader->deflate);
	buf_done(&reader->message);
	return false;
}

static bool is_control(const struct websocket_reader *reader)
{
	return reader->opcode >= CLOSE;
}

/* --- heads of frames -------------------------------------------------------- */

/* Bytes of extended length that stand for this length. */
static size_t length_size(unsigned length)
{
	return length == LENGTH_64 ? 8 : length == LENGTH_16 ? 2 : 0;
}

/* How long the head is, as far as its first two bytes say. */
static size_t head_size(const struct websocket_reader *reader)
{
	if (reader->head_len < 2)
		return 2;
	return 2 + length_size(reader->head[1] & LENGTH) + (reader->head[1] & MASKED ? 4 : 0);
}

/* True when the head is whole. */
static bool take_head(struct websocket_reader *reader, struct slice *in)
{
	while (reader->head_len < head_size(reader) && in->len)
		reader->head[reader->head_len++] = (unsigned char)*slice_take(in, 1).ptr;
	return reader->head_len == head_size(reader);
}

/* The shortest form must be used (section 5.2). */
static bool read_length(const unsigned char *head, uint64_t *ret)
{
	size_t size = length_size(head[1] & LENGTH);
	uint64_t length = 0;

	for (size_t i = 0; i < size; i++)
		length = length << 8 | head[2 + i];
	*ret = size ? length : head[1] & LENGTH;
	return !size || (size == 2 ? length >= LENGTH_16 : length > UINT16_MAX && !(length >> 63));
}

/* Whether a frame with these first bytes may come here. */
static bool may_come(const struct websocket_reader *reader, unsigned first, uint64_t length)
{
	unsigned opcode = first & OPCODE;
	bool may_compress = reader->deflate.params.is_agreed && (opcode == TEXT || opcode == BINARY);

	if (first & (RSV2 | RSV3) || (first & RSV1 && !may_compress))
		return false;
	switch (opcode) {
	case CONTINUATION:
		return reader->is_in_message;
	case TEXT:
	case BINARY:
		return !reader->is_in_message;
	case CLOSE:
		return first & FIN && length <= CONTROL_MAX && length != 1;
	case PING:
	case PONG:
		return first & FIN && length <= CONTROL_MAX;
	default:
		return false;
	}
}

static bool begin_frame(struct websocket_reader *reader)
{
	const unsigned char *head = reader->head;
	bool is_masked = head[1] & MASKED;
	uint64_t length;

	if (!read_length(head, &length) || !may_come(reader, head[0], length) || is_masked != reader->is_client)
		return fail(reader, LOSS_BAD_STREAM);
	if (is_masked)
		memcpy(reader->mask, head + reader->head_len - 4, 4);
	reader->mask_at = 0;
	reader->opcode = head[0] & OPCODE;
	reader->is_final = head[0] & FIN;
	reader->left = length;
	reader->head_len = 0;
	reader->is_in_payload = true;
	if (reader->opcode != TEXT && reader->opcode != BINARY)
		return true;
	reader->is_in_message = true;
	reader->is_binary = reader->opcode == BINARY;
	reader->is_compressed = head[0] & RSV1;
	return true;
}

/* --- payload ---------------------------------------------------------------- */

static void skip_message(struct websocket_reader *reader)
{
	buf_done(&reader->message);
	reader->is_skipping = true;
}

/* Bytes of the message as it was before it was compressed. */
static void keep(struct websocket_reader *reader, struct slice bytes)
{
	if (reader->is_skipping)
		return;
	buf_add_slice(&reader->message, bytes);
	if (buf_ok(&reader->message))
		return;
	reader->losses.dropped += reader->message.is_full;
	reader->losses.is_failed |= reader->message.is_failed;
	skip_message(reader);
}

static bool inflate_part(struct websocket_reader *reader, struct slice part)
{
	struct permessage *deflate = &reader->deflate;
	struct slice out;
	enum parse parse;
	char room[ROOM];

	if (reader->is_skipping && deflate->params.has_no_takeover)
		return true;
	while ((parse = permessage_next(deflate, &part, room, sizeof(room), &out)) == PARSE_ITEM)
		keep(reader, out);
	return parse == PARSE_MORE || fail(reader, deflate->failure);
}

/* Payload, unmasked. */
static bool take_plain(struct websocket_reader *reader, struct slice part)
{
	if (is_control(reader)) {
		if (reader->opcode == CLOSE)
			buf_add_slice(&reader->close, part);
		return true;
	}
	if (reader->is_compressed)
		return inflate_part(reader, part);
	keep(reader, part);
	return true;
}

static bool take_masked(struct websocket_reader *reader, struct slice part)
{
	char room[ROOM];

	while (part.len) {
		struct slice piece = slice_take(&part, MIN(part.len, sizeof(room)));

		for (size_t i = 0; i < piece.len; i++)
			room[i] = (char)(piece.ptr[i] ^ reader->mask[(reader->mask_at + i) % 4]);
		reader->mask_at = (unsigned char)((reader->mask_at + piece.len) % 4);
		if (!take_plain(reader, (struct slice){ room, piece.len }))
			return false;
	}
	return true;
}

/* --- ends ------------------------------------------------------------------- */

/* The message's last frame is over. PARSE_ITEM: it is given out. */
static enum parse end_message(struct websocket_reader *reader, struct stream_event *ret)
{
	bool is_skipped;

	if (reader->is_compressed) {
		if (reader->deflate.encoded && !inflate_part(reader, PERMESSAGE_TAIL))
			return PARSE_BAD;
		permessage_end(&reader->deflate);
	}
	is_skipped = reader->is_skipping;
	reader->is_in_message = reader->is_skipping = false;
	if (is_skipped)
		return PARSE_MORE;
	reader->is_given = true;
	*ret = (struct stream_event){ .data = buf_slice(&reader->message), .is_binary = reader->is_binary };
	return PARSE_ITEM;
}

static enum parse end_frame(struct websocket_reader *reader, struct stream_event *ret)
{
	reader->is_in_payload = false;
	reader->is_closed = reader->opcode == CLOSE;
	return is_control(reader) || !reader->is_final ? PARSE_MORE : end_message(reader, ret);
}

/* Whether the frame is a whole message, as it is. */
static bool is_plain_message(const struct websocket_reader *reader)
{
	return (reader->opcode == TEXT || reader->opcode == BINARY) && reader->is_final && !reader->is_compressed &&
	       !reader->is_client && !reader->is_skipping && !reader->message.len;
}

static enum parse take_payload(struct websocket_reader *reader, struct slice *in, struct stream_event *ret)
{
	struct slice part = slice_take(in, MIN((uint64_t)in->len, reader->left));

	/* What lies in the input in one piece need not be copied. */
	if (part.len == reader->left && is_plain_message(reader) && part.len <= LIMIT_WEBSOCKET_MESSAGE) {
		reader->left = 0;
		reader->is_in_payload = reader->is_in_message = false;
		*ret = (struct stream_event){ .data = part, .is_binary = reader->is_binary };
		return PARSE_ITEM;
	}
	reader->left -= part.len;
	if (!(reader->is_client ? take_masked(reader, part) : take_plain(reader, part)))
		return PARSE_BAD;
	return reader->left ? PARSE_MORE : end_frame(reader, ret);
}

enum parse websocket_next(struct websocket_reader *reader, struct slice *in, struct stream_event *ret)
{
	enum parse parse = PARSE_MORE;

	forget_given(reader);
	while (parse == PARSE_MORE && in->len && !reader->is_bad) {
		if (reader->is_closed) {
			slice_take(in, in->len);
			break;
		}
		if (!reader->is_in_payload && (!take_head(reader, in) || !begin_frame(reader)))
			break;
		/* A payload of no bytes is at its end already. */
		if (in->len || !reader->left)
			parse = take_payload(reader, in, ret);
	}
	return reader->is_bad ? PARSE_BAD : parse;
}

bool websocket_gap(struct websocket_reader *reader, uint64_t n)
{
	struct stream_event none;

	forget_given(reader);
	if (reader->is_closed)
		return true;
	if (reader->is_bad || !reader->is_in_payload || n > reader->left)
		return fail(reader, LOSS_BAD_STREAM);
	if (!is_control(reader)) {
		if (reader->is_compressed && !reader->deflate.params.has_no_takeover)
			return fail(reader, LOSS_BAD_STREAM);
		if (reader->is_compressed)
			permessage_end(&reader->deflate);
		skip_message(reader);
	}
	reader->is_close_cut |= reader->opcode == CLOSE;
	reader->left -= n;
	reader->mask_at = (unsigned char)((reader->mask_at + n) % 4);
	if (!reader->left)
		end_frame(reader, &none);
	return true;
}

bool websocket_close(const struct websocket_reader *reader, unsigned *ret_code, struct slice *ret_reason)
{
	struct slice payload = buf_slice(&reader->close);

	if (!reader->is_closed)
		return false;
	*ret_code = NO_STATUS;
	*ret_reason = (struct slice){};
	if (payload.len < 2 || reader->is_close_cut)
		return true;
	*ret_code = (unsigned)(unsigned char)payload.ptr[0] << 8 | (unsigned char)payload.ptr[1];
	slice_take(&payload, 2);
	*ret_reason = payload;
	return true;
}

size_t websocket_memory(const struct websocket_reader *reader)
{
	return reader->message.size + reader->close.size + permessage_memory(&reader->deflate);
}
