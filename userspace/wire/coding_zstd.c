/* SPDX-License-Identifier: Apache-2.0 */
/* zstd, by libzstd, with windows as RFC 9659 allows them in HTTP. */
#include "wire/coding_ops.h"

#include <zstd.h>
#include <zstd_errors.h>

#include "limits.h"

enum {
	FIRST_INPUT = 2,	/* of a frame; less than its header */
	BLOCK_HEADER = 3,	/* RFC 8878 section 3.1.1.2 */
	TOUCHED = 200 * 1024,	/* of the memory that it asks for, whatever it decodes: tables,
				 * one block before and one after */
};

struct zstd_state {
	ZSTD_DCtx *zstd;
	size_t wanted;		/* input that completes the next part of the frame */
};

static void *zstd_create(void)
{
	struct zstd_state *state = calloc(1, sizeof(*state));

	if (!state)
		return NULL;
	state->wanted = FIRST_INPUT;
	state->zstd = ZSTD_createDCtx();
	if (!state->zstd ||
	    ZSTD_isError(ZSTD_DCtx_setParameter(state->zstd, ZSTD_d_windowLogMax, LIMIT_ZSTD_WINDOW_LOG))) {
		ZSTD_freeDCtx(state->zstd);
		free(state);
		return NULL;
	}
	return state;
}

static void zstd_destroy(void *ctx)
{
	struct zstd_state *state = ctx;

	ZSTD_freeDCtx(state->zstd);
	free(state);
}

/* What to feed next. The library's hint is the rest of a block and the header of
 * the next. Never both: of a call that ends in an error nothing comes out, and the
 * block before a bad header is good. */
static size_t next_wanted(size_t hint)
{
	return hint > BLOCK_HEADER ? hint - BLOCK_HEADER : hint;
}

static enum coded zstd_decode(void *ctx, struct slice *in, char *out, size_t size, size_t *ret_len)
{
	struct zstd_state *state = ctx;
	ZSTD_outBuffer to = { out, size, 0 };
	size_t hint;

	do {
		ZSTD_inBuffer from = { in->ptr, MIN(in->len, state->wanted), 0 };

		hint = ZSTD_decompressStream(state->zstd, &to, &from);
		*ret_len = to.pos;
		if (ZSTD_isError(hint))
			return ZSTD_getErrorCode(hint) == ZSTD_error_memory_allocation ? CODED_NO_MEMORY : CODED_BAD;
		slice_take(in, from.pos);
		state->wanted = hint ? next_wanted(hint) : FIRST_INPUT;
	} while (hint && in->len && to.pos < size);
	if (!hint)
		return CODED_OVER;
	return to.pos < size ? CODED_MORE : CODED_FULL;
}

/* The next frame's header makes it ready by itself. */
static bool zstd_restart(void *ctx)
{
	(void)ctx;
	return true;
}

/* The library asks for the whole window at once; the kernel gives what is used. */
static size_t zstd_memory(const void *ctx, uint64_t decoded)
{
	const struct zstd_state *state = ctx;

	return sizeof(*state) + MIN(ZSTD_sizeof_DCtx(state->zstd), TOUCHED + (size_t)decoded);
}

const struct coding coding_zstd = {
	.name = "zstd",
	.create = zstd_create,
	.destroy = zstd_destroy,
	.decode = zstd_decode,
	.restart = zstd_restart,
	.memory = zstd_memory,
};
