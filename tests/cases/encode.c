/* SPDX-License-Identifier: Apache-2.0 */
#include "encode.h"

#include <brotli/encode.h>
#include <zlib.h>
#include <zstd.h>

struct encoder {
	enum code code;
	z_stream zlib;
	BrotliEncoderState *br;
	ZSTD_CCtx *zstd;
};

static const struct { const char *name, *field; int window; } codes[] = {
	[CODE_GZIP]	   = { "gzip",	       "gzip",	  MAX_WBITS + 16 },
	[CODE_DEFLATE]	   = { "deflate",      "deflate", MAX_WBITS },
	/* What some servers send under that name: without the zlib format around it. */
	[CODE_DEFLATE_RAW] = { "deflate-raw",  "deflate", -MAX_WBITS },
	[CODE_BR]	   = { "br",	       "br",	  0 },
	[CODE_ZSTD]	   = { "zstd",	       "zstd",	  0 },
};
_Static_assert(ARRAY_SIZE(codes) == CODE_COUNT, "every coding has its name");

const char *code_name(enum code code)
{
	return codes[code].name;
}

const char *code_field(enum code code)
{
	return codes[code].field;
}

struct encoder *encoder_new(enum code code)
{
	struct encoder *encoder = calloc(1, sizeof(*encoder));
	bool is_made;

	assert(encoder);
	encoder->code = code;
	if (code == CODE_BR)
		is_made = (encoder->br = BrotliEncoderCreateInstance(NULL, NULL, NULL));
	else if (code == CODE_ZSTD)
		is_made = (encoder->zstd = ZSTD_createCCtx());
	else
		is_made = deflateInit2(&encoder->zlib, 6, Z_DEFLATED, codes[code].window, 8,
				       Z_DEFAULT_STRATEGY) == Z_OK;
	assert(is_made);
	(void)is_made;
	return encoder;
}

void encoder_free(struct encoder **encoderp)
{
	struct encoder *encoder = *encoderp;

	if (!encoder)
		return;
	if (encoder->br)
		BrotliEncoderDestroyInstance(encoder->br);
	else if (encoder->zstd)
		ZSTD_freeCCtx(encoder->zstd);
	else
		deflateEnd(&encoder->zlib);
	free(encoder);
	*encoderp = NULL;
}

static void add_zlib(struct encoder *encoder, struct slice in, enum encode_end end, struct buf *ret)
{
	z_stream *zlib = &encoder->zlib;
	Bytef out[4096];

	zlib->next_in = (Bytef *)in.ptr;
	zlib->avail_in = (uInt)in.len;
	do {
		zlib->next_out = out;
		zlib->avail_out = sizeof(out);
		deflate(zlib, end == ENCODE_END ? Z_FINISH : Z_SYNC_FLUSH);
		buf_add(ret, out, sizeof(out) - zlib->avail_out);
	} while (!zlib->avail_out);
}

static void add_br(struct encoder *encoder, struct slice in, enum encode_end end, struct buf *ret)
{
	BrotliEncoderOperation operation = end == ENCODE_END ? BROTLI_OPERATION_FINISH
							     : BROTLI_OPERATION_FLUSH;
	const uint8_t *next = (const uint8_t *)in.ptr;
	size_t left = in.len;
	uint8_t out[4096];

	do {
		uint8_t *to = out;
		size_t room = sizeof(out);

		BrotliEncoderCompressStream(encoder->br, operation, &left, &next, &room, &to, NULL);
		buf_add(ret, out, sizeof(out) - room);
	} while (left || BrotliEncoderHasMoreOutput(encoder->br));
}

static void add_zstd(struct encoder *encoder, struct slice in, enum encode_end end, struct buf *ret)
{
	ZSTD_EndDirective directive = end == ENCODE_END ? ZSTD_e_end : ZSTD_e_flush;
	ZSTD_inBuffer from = { in.ptr, in.len, 0 };
	char out[4096];
	size_t left;

	do {
		ZSTD_outBuffer to = { out, sizeof(out), 0 };

		left = ZSTD_compressStream2(encoder->zstd, &to, &from, directive);
		assert(!ZSTD_isError(left));
		buf_add(ret, out, to.pos);
	} while (left);
}

void encoder_add(struct encoder *encoder, struct slice in, enum encode_end end, struct buf *ret)
{
	if (encoder->br)
		add_br(encoder, in, end, ret);
	else if (encoder->zstd)
		add_zstd(encoder, in, end, ret);
	else
		add_zlib(encoder, in, end, ret);
}
