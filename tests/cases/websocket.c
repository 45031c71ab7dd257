/* SPDX-License-Identifier: Apache-2.0 */
/* Text messages as WebSocket frames (RFC 6455), compressed (RFC 7692) or not. */
#include "script.h"

#include <endian.h>
#include <zlib.h>

#include "limits.h"

enum { CONTINUATION = 0, TEXT = 1, CLOSE = 8, PING = 9, RSV1 = 0x40, FIN = 0x80 };

struct ws_writer {
	struct ws_form form;
	z_stream zlib[2];	/* of each side */
};

struct ws_writer *ws_new(const struct ws_form *form)
{
	struct ws_writer *websocket = calloc(1, sizeof(*websocket));

	assert(websocket);
	websocket->form = *form;
	for (int side = 0; side < 2; side++)
		if (deflateInit2(&websocket->zlib[side], 6, Z_DEFLATED, -MAX_WBITS, 8, Z_DEFAULT_STRATEGY) != Z_OK)
			abort();
	return websocket;
}

void ws_free(struct ws_writer **websocketp)
{
	if (!*websocketp)
		return;
	for (int side = 0; side < 2; side++)
		deflateEnd(&(*websocketp)->zlib[side]);
	free(*websocketp);
	*websocketp = NULL;
}

const char *ws_extension(const struct ws_form *form)
{
	if (!form->is_deflated)
		return "";
	return form->is_fresh ? "sec-websocket-extensions: permessage-deflate; server_no_context_takeover; "
				"client_no_context_takeover\n"
			      : "sec-websocket-extensions: permessage-deflate\n";
}

/* Who asks masks what it sends. */
static void add_frame(enum side side, unsigned first, struct slice payload, struct buf *ret)
{
	static const char mask[4] = { 0x5a, 0x0a, 0x7f, 0x31 };
	unsigned masked = side == SIDE_REQUEST ? 0x80 : 0;
	uint64_t len64 = htobe64(payload.len);
	uint16_t len16 = htobe16((uint16_t)payload.len);

	buf_add_char(ret, (char)first);
	if (payload.len < 126) {
		buf_add_char(ret, (char)(masked | payload.len));
	} else if (payload.len < 65536) {
		buf_add_char(ret, (char)(masked | 126));
		buf_add(ret, &len16, sizeof(len16));
	} else {
		buf_add_char(ret, (char)(masked | 127));
		buf_add(ret, &len64, sizeof(len64));
	}
	if (!masked) {
		buf_add_slice(ret, payload);
		return;
	}
	buf_add(ret, mask, sizeof(mask));
	for (size_t i = 0; i < payload.len; i++)
		buf_add_char(ret, (char)(payload.ptr[i] ^ mask[i % 4]));
}

/* Without the four bytes that a flush ends in (RFC 7692 section 7.2.1). */
static void deflate_message(struct ws_writer *websocket, enum side side, struct slice text, struct buf *ret)
{
	z_stream *zlib = &websocket->zlib[side];
	Bytef out[4096];

	if (websocket->form.is_fresh)
		deflateReset(zlib);
	zlib->next_in = (Bytef *)text.ptr;
	zlib->avail_in = (uInt)text.len;
	do {
		zlib->next_out = out;
		zlib->avail_out = sizeof(out);
		deflate(zlib, Z_SYNC_FLUSH);
		buf_add(ret, out, sizeof(out) - zlib->avail_out);
	} while (!zlib->avail_out);
	assert(ret->len >= 4);
	ret->len -= 4;
}

void ws_message(struct ws_writer *websocket, enum side side, struct slice text, struct buf *ret)
{
	_cleanup_(buf_done) struct buf deflated = BUF_INIT(64 * MiB);
	unsigned first = TEXT;
	size_t size;

	if (websocket->form.is_deflated) {
		deflate_message(websocket, side, text, &deflated);
		text = buf_slice(&deflated);
		first |= RSV1;
	}
	size = websocket->form.fragment ? websocket->form.fragment : text.len;
	do {
		struct slice part = slice_take(&text, MIN(size, text.len));

		add_frame(side, first | (text.len ? 0 : FIN), part, ret);
		if (websocket->form.is_noisy)
			add_frame(side, PING | FIN, SLICE("ping"), ret);
		first = CONTINUATION;
	} while (text.len);
}

void ws_close(struct ws_writer *websocket, enum side side, struct buf *ret)
{
	(void)websocket;
	add_frame(side, CLOSE | FIN, SLICE("\x03\xe8"), ret);	/* 1000: normal */
}
