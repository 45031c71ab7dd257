/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every content coding: the same bytes whole and in pieces. Of what is damaged the
 * libraries give out more or less before they say so; that they say so is the same.
 */
#include "fuzz.h"
#include "wire/coding.h"

static uint64_t decode(const char *name, struct slice in, size_t step)
{
	struct codings codings = {};
	struct decoder *decoder;
	enum parse parse = PARSE_MORE;
	uint64_t digest = 0, decoded = 0;
	struct slice out;

	codings_add(&codings, slice_of(name));
	decoder = decoder_new(&codings);
	FUZZ_CHECK(decoder);
	while (in.len && parse != PARSE_BAD) {
		struct slice piece = fuzz_piece(&in, step);

		while ((parse = decoder_next(decoder, &piece, &out)) == PARSE_ITEM) {
			digest_add(&digest, out.ptr, out.len);
			decoded += out.len;
		}
	}
	FUZZ_CHECK(decoded <= LIMIT_DECODED);
	if (parse == PARSE_BAD)
		digest = 0;
	digest_word(&digest, parse);
	digest_word(&digest, decoder_is_whole(decoder));
	decoder_free(&decoder);
	return digest;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const names[] = { "gzip", "deflate", "br", "zstd", "gzip, br" };
	struct fuzz fuzz = { { (const char *)data, size } };
	size_t step = 1 + fuzz_byte(&fuzz) % 61;

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		FUZZ_CHECK(decode(names[i], fuzz.in, 0) == decode(names[i], fuzz.in, step));
	return 0;
}
