/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/permessage.h"

#include <zlib.h>

#include "limits.h"

enum {
	SMALLEST_WINDOW = 8, LARGEST_WINDOW = 15,	/* RFC 7692 section 7.1.2 */
	MEMORY = (10 + 32) * 1024,			/* zlib's state and the window */
	/* How far is decompressed before the ratio is looked at; cells begin at fixed
	 * places of the message, so that splits of the input make no difference. */
	CELL = 1024,
};

/* --- what was agreed -------------------------------------------------------- */

/* The front of *in up to @end, which is consumed, too; all if there is none. */
static struct slice take_until(struct slice *in, char end)
{
	const char *at = in->len ? memchr(in->ptr, end, in->len) : NULL;
	struct slice taken = slice_take(in, at ? (size_t)(at - in->ptr) : in->len);

	if (at)
		slice_take(in, 1);
	return slice_trim(taken);
}

/* 8..15, perhaps in quotes. */
static bool is_window(struct slice value)
{
	unsigned bits = 0;

	if (value.len >= 2 && value.ptr[0] == '"' && value.ptr[value.len - 1] == '"')
		value = (struct slice){ value.ptr + 1, value.len - 2 };
	if (!value.len || value.len > 2)
		return false;
	for (size_t i = 0; i < value.len; i++) {
		if (value.ptr[i] < '0' || value.ptr[i] > '9')
			return false;
		bits = bits * 10 + (unsigned)(value.ptr[i] - '0');
	}
	return bits >= SMALLEST_WINDOW && bits <= LARGEST_WINDOW;
}

static bool read_parameter(struct slice name, struct slice value, struct permessage_params *client,
			   struct permessage_params *server)
{
	if (slice_eq_nocase(name, SLICE("client_max_window_bits")) ||
	    slice_eq_nocase(name, SLICE("server_max_window_bits")))
		return is_window(value);
	if (slice_eq_nocase(name, SLICE("client_no_context_takeover")))
		client->has_no_takeover = true;
	else if (slice_eq_nocase(name, SLICE("server_no_context_takeover")))
		server->has_no_takeover = true;
	else
		return false;
	return true;
}

static bool read_extension(struct slice extension, struct permessage_params *client,
			   struct permessage_params *server)
{
	if (!slice_eq_nocase(take_until(&extension, ';'), SLICE("permessage-deflate")) || client->is_agreed)
		return false;
	*client = *server = (struct permessage_params){ .is_agreed = true };
	while (extension.len) {
		struct slice value = take_until(&extension, ';'), name = take_until(&value, '=');

		if (!read_parameter(name, slice_trim(value), client, server))
			return false;
	}
	return true;
}

bool permessage_read(struct slice field, struct permessage_params *client, struct permessage_params *server)
{
	while (field.len) {
		struct slice extension = take_until(&field, ',');

		if (extension.len && !read_extension(extension, client, server))
			return false;
	}
	return true;
}

/* --- decompressing ---------------------------------------------------------- */

void permessage_init(struct permessage *permessage, const struct permessage_params *params)
{
	*permessage = (struct permessage){ .params = *params };
}

void permessage_done(struct permessage *permessage)
{
	if (!permessage->z)
		return;
	inflateEnd(permessage->z);
	free(permessage->z);
	permessage->z = NULL;
}

void permessage_end(struct permessage *permessage)
{
	permessage->encoded = permessage->decoded = permessage->cell_end = 0;
	if (permessage->params.has_no_takeover)
		permessage_done(permessage);
}

size_t permessage_memory(const struct permessage *permessage)
{
	return permessage->z ? MEMORY : 0;
}

static enum parse fail(struct permessage *permessage, enum loss failure)
{
	permessage->failure = failure;
	return PARSE_BAD;
}

static bool start(struct permessage *permessage)
{
	permessage->z = calloc(1, sizeof(*permessage->z));
	if (permessage->z && inflateInit2(permessage->z, -LARGEST_WINDOW) == Z_OK)
		return true;
	free(permessage->z);
	permessage->z = NULL;
	return false;
}

/* Decompresses once, of what lies in one cell. What came out is in *ret. */
static enum parse step(struct permessage *permessage, struct slice *in, char *out, size_t size, struct slice *ret)
{
	z_stream *z = permessage->z;
	size_t len;
	int result;

	if (in->len && !permessage->is_full && permessage->encoded == permessage->cell_end)
		permessage->cell_end += CELL;
	len = MIN((uint64_t)in->len, permessage->cell_end - permessage->encoded);
	z->next_in = (unsigned char *)in->ptr;
	z->avail_in = (uInt)len;
	z->next_out = (unsigned char *)out;
	z->avail_out = (uInt)size;
	result = inflate(z, Z_SYNC_FLUSH);
	slice_take(in, len - z->avail_in);
	*ret = (struct slice){ out, size - z->avail_out };
	permessage->encoded += len - z->avail_in;
	permessage->decoded += ret->len;
	permessage->is_full = !z->avail_out;
	if (permessage->decoded > permessage->cell_end * LIMIT_CODING_RATIO)
		return fail(permessage, LOSS_RATIO_LIMIT);
	if (result == Z_MEM_ERROR)
		return fail(permessage, LOSS_NO_MEMORY);
	/* A final block is no end: another follows (section 7.2.3.4), which may refer
	 * to what was before it. */
	if (result == Z_STREAM_END)
		result = inflateResetKeep(z);
	return result == Z_OK || result == Z_BUF_ERROR ? PARSE_MORE : fail(permessage, LOSS_BAD_STREAM);
}

enum parse permessage_next(struct permessage *permessage, struct slice *in, char *out, size_t size,
			   struct slice *ret)
{
	struct slice decoded;
	enum parse parse;

	if (!permessage->z && !start(permessage))
		return fail(permessage, LOSS_NO_MEMORY);
	while (in->len || permessage->is_full) {
		parse = step(permessage, in, out, size, &decoded);
		if (parse != PARSE_MORE)
			return parse;
		if (decoded.len) {
			*ret = decoded;
			return PARSE_ITEM;
		}
	}
	return PARSE_MORE;
}
