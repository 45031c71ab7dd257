/* SPDX-License-Identifier: Apache-2.0 */
/* gzip and deflate, by zlib. */
#include "wire/coding_ops.h"

#include <zlib.h>

enum {
	LARGEST_WINDOW = 15,		/* 32 KiB, as all three formats allow */
	GZIP_WINDOW = 15 + 16,		/* zlib's ways to say: gzip only, */
	RAW_WINDOW = -15,		/* and neither header nor checksum */
	MOST_IN = 1 << 30,		/* zlib counts input in 32 bits */
	MEMORY = 40 * 1024,		/* the window, and zlib's state */
};

struct zlib_state {
	z_stream z;
	/* Of deflate: with two bytes it is known whether zlib's header is there. */
	bool is_known;
	bool has_first;
	char first;
};

static void *new_state(int window)
{
	struct zlib_state *state = calloc(1, sizeof(*state));

	if (state && inflateInit2(&state->z, window) != Z_OK) {
		free(state);
		return NULL;
	}
	return state;
}

static void *gzip_create(void)
{
	return new_state(GZIP_WINDOW);
}

static void *deflate_create(void)
{
	return new_state(RAW_WINDOW);
}

static void zlib_destroy(void *ctx)
{
	struct zlib_state *state = ctx;

	inflateEnd(&state->z);
	free(state);
}

static enum coded coded_of(int result, const z_stream *z)
{
	switch (result) {
	case Z_STREAM_END:
		return CODED_OVER;
	case Z_OK:
	case Z_BUF_ERROR:	/* nothing to do */
		return z->avail_out ? CODED_MORE : CODED_FULL;
	case Z_MEM_ERROR:
		return CODED_NO_MEMORY;
	default:
		return CODED_BAD;
	}
}

static enum coded inflate_once(struct zlib_state *state, struct slice *in, char *out, size_t size, size_t *ret_len)
{
	size_t len = MIN(in->len, (size_t)MOST_IN);
	z_stream *z = &state->z;
	int result;

	z->next_in = (unsigned char *)in->ptr;
	z->avail_in = len;
	z->next_out = (unsigned char *)out;
	z->avail_out = size;
	result = inflate(z, Z_SYNC_FLUSH);
	slice_take(in, len - z->avail_in);
	*ret_len = size - z->avail_out;
	return coded_of(result, z);
}

static enum coded zlib_decode(void *ctx, struct slice *in, char *out, size_t size, size_t *ret_len)
{
	struct zlib_state *state = ctx;
	enum coded coded;

	do
		coded = inflate_once(state, in, out, size, ret_len);
	while (coded == CODED_MORE && in->len && !*ret_len);
	return coded;
}

static bool gzip_restart(void *ctx)
{
	struct zlib_state *state = ctx;

	return inflateReset(&state->z) == Z_OK;
}

/* RFC 1950 section 2.2: method 8, a window of at most 32 KiB, a check of both
 * bytes. Raw deflate could begin so only with a stored block whose padding is not
 * zero, which no encoder writes. */
static bool is_zlib_header(unsigned char cmf, unsigned char flg)
{
	return (cmf & 0x0f) == 8 && cmf >> 4 <= 7 && (cmf << 8 | flg) % 31 == 0;
}

/* False when it takes one more byte to know. */
static bool learn_flavour(struct zlib_state *state, struct slice *in)
{
	struct slice first = { &state->first, 1 };
	size_t none;
	char room;

	if (!state->has_first) {
		if (!in->len)
			return false;
		state->first = *slice_take(in, 1).ptr;
		state->has_first = true;
	}
	if (!in->len)
		return false;
	state->is_known = true;
	if (is_zlib_header((unsigned char)state->first, (unsigned char)in->ptr[0]))
		inflateReset2(&state->z, LARGEST_WINDOW);
	/* One byte is too short for anything to come out of it, even an error. */
	inflate_once(state, &first, &room, sizeof(room), &none);
	return true;
}

static enum coded deflate_decode(void *ctx, struct slice *in, char *out, size_t size, size_t *ret_len)
{
	struct zlib_state *state = ctx;

	if (!state->is_known && !learn_flavour(state, in))
		return CODED_MORE;
	return zlib_decode(state, in, out, size, ret_len);
}

static size_t zlib_memory(const void *state, uint64_t decoded)
{
	(void)state;
	(void)decoded;
	return MEMORY;
}

const struct coding coding_gzip = {
	.name = "gzip",
	.alias = "x-gzip",
	.create = gzip_create,
	.destroy = zlib_destroy,
	.decode = zlib_decode,
	.restart = gzip_restart,
	.memory = zlib_memory,
};

const struct coding coding_deflate = {
	.name = "deflate",
	.create = deflate_create,
	.destroy = zlib_destroy,
	.decode = deflate_decode,
	.memory = zlib_memory,
};
