/* SPDX-License-Identifier: Apache-2.0 */
/*
 * br, by libbrotlidec. Its window is at most 16 MiB (RFC 7932 section 9.1; larger
 * ones are off unless asked for) and grows with what there is to hold.
 */
#include "wire/coding_ops.h"

#include <brotli/decode.h>

struct brotli_state {
	BrotliDecoderState *brotli;
	size_t memory;
};

/* Before each piece of memory: its size. Keeps malloc's alignment. */
union header {
	size_t size;
	max_align_t align;
};

static void *allocate(void *ctx, size_t size)
{
	struct brotli_state *state = ctx;
	union header *header = malloc(sizeof(*header) + size);

	if (!header)
		return NULL;
	header->size = size;
	state->memory += size;
	return header + 1;
}

static void release(void *ctx, void *address)
{
	struct brotli_state *state = ctx;
	union header *header = address;

	if (!header)
		return;
	header--;
	state->memory -= header->size;
	free(header);
}

static void *brotli_create(void)
{
	struct brotli_state *state = calloc(1, sizeof(*state));

	if (!state)
		return NULL;
	state->brotli = BrotliDecoderCreateInstance(allocate, release, state);
	if (!state->brotli) {
		free(state);
		return NULL;
	}
	return state;
}

static void brotli_destroy(void *ctx)
{
	struct brotli_state *state = ctx;

	BrotliDecoderDestroyInstance(state->brotli);
	free(state);
}

static bool is_out_of_memory(const BrotliDecoderState *brotli)
{
	BrotliDecoderErrorCode code = BrotliDecoderGetErrorCode(brotli);

	return code <= BROTLI_DECODER_ERROR_ALLOC_CONTEXT_MODES && code >= BROTLI_DECODER_ERROR_ALLOC_BLOCK_TYPE_TREES;
}

static enum coded coded_of(BrotliDecoderResult result, const BrotliDecoderState *brotli)
{
	switch (result) {
	case BROTLI_DECODER_RESULT_SUCCESS:
		return CODED_OVER;
	case BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT:
		return CODED_MORE;
	case BROTLI_DECODER_RESULT_NEEDS_MORE_OUTPUT:
		return CODED_FULL;
	default:
		return is_out_of_memory(brotli) ? CODED_NO_MEMORY : CODED_BAD;
	}
}

/* Byte by byte: the library gives out nothing of a piece with an error in it,
 * though the bytes before it decode. Costs it half as much again. */
static enum coded brotli_decode(void *ctx, struct slice *in, char *out, size_t size, size_t *ret_len)
{
	struct brotli_state *state = ctx;
	uint8_t *next_out = (uint8_t *)out;
	BrotliDecoderResult result;
	size_t room = size;

	do {
		const uint8_t *next_in = (const uint8_t *)in->ptr;
		size_t len = MIN(in->len, (size_t)1), left = len;

		result = BrotliDecoderDecompressStream(state->brotli, &left, &next_in, &room, &next_out, NULL);
		slice_take(in, len - left);
	} while (result == BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT && in->len && room);
	*ret_len = size - room;
	/* It may hold more, even if it did not say so. */
	if (result == BROTLI_DECODER_RESULT_NEEDS_MORE_INPUT && !room)
		return CODED_FULL;
	return coded_of(result, state->brotli);
}

static size_t brotli_memory(const void *ctx, uint64_t decoded)
{
	const struct brotli_state *state = ctx;

	(void)decoded;
	return sizeof(*state) + state->memory;
}

const struct coding coding_brotli = {
	.name = "br",
	.create = brotli_create,
	.destroy = brotli_destroy,
	.decode = brotli_decode,
	.memory = brotli_memory,
};
