/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/inflate.h"

#include <zlib.h>

#include "limits.h"

enum {
	OUT_SIZE = 16 * 1024,
	GZIP_WINDOW = 15 + 16,		/* zlib's way to say: the largest window, gzip only */
	MOST_IN = 1 << 30,		/* zlib counts input in 32 bits */
};

struct inflater {
	z_stream z;
	bool is_member_over;		/* what follows begins another member */
	bool is_bad;			/* to be said when what decoded before is out */
	uint64_t encoded, decoded;	/* bytes so far */
	unsigned char out[OUT_SIZE];
};

enum coding coding_of(struct slice content_encoding)
{
	enum coding coding = CODING_IDENTITY;

	while (content_encoding.len) {
		const char *comma = memchr(content_encoding.ptr, ',', content_encoding.len);
		size_t len = comma ? (size_t)(comma - content_encoding.ptr) : content_encoding.len;
		struct slice name = slice_trim(slice_take(&content_encoding, len));

		if (comma)
			slice_take(&content_encoding, 1);
		if (!name.len || slice_eq_nocase(name, SLICE("identity")))
			continue;
		if (coding != CODING_IDENTITY)
			return CODING_UNKNOWN;
		if (!slice_eq_nocase(name, SLICE("gzip")) && !slice_eq_nocase(name, SLICE("x-gzip")))
			return CODING_UNKNOWN;
		coding = CODING_GZIP;
	}
	return coding;
}

struct inflater *inflater_new(void)
{
	struct inflater *inflater = calloc(1, sizeof(*inflater));

	if (inflater && inflateInit2(&inflater->z, GZIP_WINDOW) != Z_OK) {
		free(inflater);
		return NULL;
	}
	return inflater;
}

void inflater_free(struct inflater **inflaterp)
{
	if (!*inflaterp)
		return;
	inflateEnd(&(*inflaterp)->z);
	free(*inflaterp);
	*inflaterp = NULL;
}

static bool is_bomb(const struct inflater *inflater)
{
	return inflater->decoded > MiB &&
	       inflater->decoded > inflater->encoded * LIMIT_INFLATE_RATIO;
}

/* Inflates once. Returns what zlib says; the bytes are in *ret. */
static int step(struct inflater *inflater, struct slice *in, struct slice *ret)
{
	z_stream *z = &inflater->z;
	size_t len = MIN(in->len, (size_t)MOST_IN);
	int r;

	z->next_in = (unsigned char *)in->ptr;
	z->avail_in = len;
	z->next_out = inflater->out;
	z->avail_out = OUT_SIZE;
	r = inflate(z, Z_SYNC_FLUSH);
	inflater->encoded += len - z->avail_in;
	slice_take(in, len - z->avail_in);
	*ret = (struct slice){ (char *)inflater->out, OUT_SIZE - z->avail_out };
	inflater->decoded += ret->len;
	return r;
}

enum parse inflater_next(struct inflater *inflater, struct slice *in, struct slice *ret)
{
	for (;;) {
		struct slice out;
		int r;

		if (inflater->is_bad)
			return PARSE_BAD;
		if (inflater->is_member_over) {
			if (!in->len)
				return PARSE_MORE;
			inflateReset(&inflater->z);
			inflater->is_member_over = false;
		}
		/* Also with no input left: zlib may hold output that found no room. */
		r = step(inflater, in, &out);
		inflater->is_bad = (r != Z_OK && r != Z_STREAM_END && r != Z_BUF_ERROR) ||
				   is_bomb(inflater);
		inflater->is_member_over = r == Z_STREAM_END;
		if (out.len) {
			*ret = out;
			return PARSE_ITEM;
		}
		if (!in->len && !inflater->is_bad)
			return PARSE_MORE;
	}
}
