/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Frames of a WebSocket as a peer makes them: what its decoder is held against.
 */
#ifndef GENTAP_TESTS_WIRE_WS_FRAMES_H
#define GENTAP_TESTS_WIRE_WS_FRAMES_H

#include <criterion/criterion.h>

#include "base/buf.h"

#include <zlib.h>

enum { WS_FIN = 0x80, WS_RSV1 = 0x40, WS_TEXT = 1, WS_BINARY = 2, WS_CLOSE = 8, WS_PING = 9, WS_PONG = 10 };

/* @first: FIN, RSV1 and opcode. A client's is masked. */
static inline void ws_frame(struct buf *out, unsigned first, bool is_client, struct slice payload)
{
	static const char mask[4] = { 0x37, (char)0xfa, 0x21, 0x3d };
	unsigned masked = is_client ? 0x80 : 0;
	int size = payload.len > UINT16_MAX ? 8 : payload.len > 125 ? 2 : 0;

	buf_add_char(out, (char)first);
	buf_add_char(out, (char)(masked | (size == 8 ? 127 : size ? 126 : payload.len)));
	while (size-- > 0)
		buf_add_char(out, (char)(payload.len >> 8 * size));
	if (!is_client) {
		buf_add_slice(out, payload);
		return;
	}
	buf_add(out, mask, sizeof(mask));
	for (size_t i = 0; i < payload.len; i++)
		buf_add_char(out, payload.ptr[i] ^ mask[i % 4]);
}

static inline void ws_text(struct buf *out, bool is_client, const char *text)
{
	ws_frame(out, WS_FIN | WS_TEXT, is_client, slice_of(text));
}

/* What one direction compresses its messages with. */
struct ws_deflate {
	z_stream z;
	bool has_no_takeover;
};

static inline void ws_deflate_init(struct ws_deflate *ws, int window_bits, bool has_no_takeover)
{
	*ws = (struct ws_deflate){ .has_no_takeover = has_no_takeover };
	cr_assert_eq(deflateInit2(&ws->z, 9, Z_DEFLATED, -window_bits, 8, Z_DEFAULT_STRATEGY), Z_OK);
}

static inline void ws_deflate_done(struct ws_deflate *ws)
{
	deflateEnd(&ws->z);
}

/* Appends the payload of a message of this text (RFC 7692 section 7.2.1). */
static inline void ws_compress(struct ws_deflate *ws, struct slice text, struct buf *out)
{
	char room[4096];

	ws->z.next_in = (unsigned char *)text.ptr;
	ws->z.avail_in = (uInt)text.len;
	do {
		ws->z.next_out = (unsigned char *)room;
		ws->z.avail_out = sizeof(room);
		deflate(&ws->z, Z_SYNC_FLUSH);
		buf_add(out, room, sizeof(room) - ws->z.avail_out);
	} while (!ws->z.avail_out);
	out->len -= 4;
	if (ws->has_no_takeover)
		deflateReset(&ws->z);
}

static inline void ws_compressed(struct ws_deflate *ws, struct buf *out, bool is_client, struct slice text)
{
	_cleanup_(buf_done) struct buf payload = BUF_INIT(out->max);

	ws_compress(ws, text, &payload);
	ws_frame(out, WS_FIN | WS_RSV1 | WS_TEXT, is_client, buf_slice(&payload));
}

#endif
