/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Encoders for tests, by the libraries' own: what decoders are held against.
 * "raw" is deflate without zlib's header.
 */
#ifndef GENTAP_TESTS_WIRE_ENCODE_H
#define GENTAP_TESTS_WIRE_ENCODE_H

#include <criterion/criterion.h>

#include "base/buf.h"

#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>

static inline const char *encode_http_name(const char *coding)
{
	return strcmp(coding, "raw") == 0 ? "deflate" : coding;
}

struct encoder {
	const char *coding;
	z_stream z;
	BrotliEncoderState *brotli;
	ZSTD_CCtx *zstd;
};

static inline void encoder_init(struct encoder *encoder, const char *coding)
{
	int window = strcmp(coding, "gzip") == 0 ? 15 + 16 : strcmp(coding, "deflate") == 0 ? 15 : -15;

	*encoder = (struct encoder){ .coding = coding };
	if (strcmp(coding, "br") == 0)
		encoder->brotli = BrotliEncoderCreateInstance(NULL, NULL, NULL);
	else if (strcmp(coding, "zstd") == 0)
		encoder->zstd = ZSTD_createCCtx();
	else
		cr_assert_eq(deflateInit2(&encoder->z, 9, Z_DEFLATED, window, 8, Z_DEFAULT_STRATEGY), Z_OK);
	if (encoder->brotli)
		BrotliEncoderSetParameter(encoder->brotli, BROTLI_PARAM_QUALITY, 5);
	if (encoder->zstd)
		ZSTD_CCtx_setParameter(encoder->zstd, ZSTD_c_checksumFlag, 1);
}

static inline void encoder_done(struct encoder *encoder)
{
	BrotliEncoderDestroyInstance(encoder->brotli);
	ZSTD_freeCCtx(encoder->zstd);
	if (!encoder->brotli && !encoder->zstd)
		deflateEnd(&encoder->z);
}

static inline void encode_brotli(struct encoder *encoder, struct slice text, bool is_last, struct buf *out)
{
	const uint8_t *next_in = (const uint8_t *)text.ptr;
	char room[4096];

	do {
		uint8_t *next_out = (uint8_t *)room;
		size_t left = sizeof(room);

		BrotliEncoderCompressStream(encoder->brotli, is_last ? BROTLI_OPERATION_FINISH : BROTLI_OPERATION_FLUSH,
					    &text.len, &next_in, &left, &next_out, NULL);
		buf_add(out, room, sizeof(room) - left);
	} while (text.len || BrotliEncoderHasMoreOutput(encoder->brotli));
}

static inline void encode_zstd(struct encoder *encoder, struct slice text, bool is_last, struct buf *out)
{
	ZSTD_inBuffer in = { text.ptr, text.len, 0 };
	char room[4096];
	size_t left;

	do {
		ZSTD_outBuffer to = { room, sizeof(room), 0 };

		left = ZSTD_compressStream2(encoder->zstd, &to, &in, is_last ? ZSTD_e_end : ZSTD_e_flush);
		cr_assert(!ZSTD_isError(left));
		buf_add(out, room, to.pos);
	} while (left);
}

static inline void encode_zlib(struct encoder *encoder, struct slice text, bool is_last, struct buf *out)
{
	z_stream *z = &encoder->z;
	char room[4096];

	z->next_in = (unsigned char *)text.ptr;
	z->avail_in = text.len;
	do {
		z->next_out = (unsigned char *)room;
		z->avail_out = sizeof(room);
		deflate(z, is_last ? Z_FINISH : Z_SYNC_FLUSH);
		buf_add(out, room, sizeof(room) - z->avail_out);
	} while (!z->avail_out);
}

/* Appends @text, flushed, so that it can be decoded from what is there by then. */
static inline void encode_part(struct encoder *encoder, struct slice text, bool is_last, struct buf *out)
{
	if (encoder->brotli)
		encode_brotli(encoder, text, is_last, out);
	else if (encoder->zstd)
		encode_zstd(encoder, text, is_last, out);
	else
		encode_zlib(encoder, text, is_last, out);
}

/* Appends @text whole; flushed after every @flush_every bytes if not 0. */
static inline void encode(const char *coding, struct slice text, size_t flush_every, struct buf *out)
{
	struct encoder encoder;

	encoder_init(&encoder, coding);
	while (flush_every && text.len > flush_every)
		encode_part(&encoder, slice_take(&text, flush_every), /* is_last */ false, out);
	encode_part(&encoder, text, /* is_last */ true, out);
	encoder_done(&encoder);
}

#endif
