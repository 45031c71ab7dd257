/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/media.h"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include "base/buf.h"

/* --- types and parameters --------------------------------------------------- */

/* The front of *in up to @end, which may stand in quotes; all if there is none. */
static struct slice take_until(struct slice *in, char end)
{
	bool is_quoted = false;
	size_t len = 0;

	for (; len < in->len && (is_quoted || in->ptr[len] != end); len++) {
		if (in->ptr[len] == '"')
			is_quoted = !is_quoted;
		else if (is_quoted && in->ptr[len] == '\\' && len + 1 < in->len)
			len++;
	}
	return slice_take(in, len);
}

/* Field lines may be folded. */
static struct slice trim(struct slice s)
{
	while (s.len && strchr(" \t\r\n", s.ptr[0]) && s.ptr[0])
		slice_take(&s, 1);
	while (s.len && strchr(" \t\r\n", s.ptr[s.len - 1]) && s.ptr[s.len - 1])
		s.len--;
	return s;
}

struct slice media_type(struct slice content_type)
{
	return trim(take_until(&content_type, ';'));
}

static bool has_prefix_nocase(struct slice s, struct slice prefix)
{
	s.len = MIN(s.len, prefix.len);
	return slice_eq_nocase(s, prefix);
}

bool media_is_type(struct slice content_type)
{
	static const struct slice families[] = { { "audio/", 6 }, { "image/", 6 }, { "video/", 6 } };
	struct slice type = media_type(content_type);

	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		if (has_prefix_nocase(type, families[i]))
			return true;
	return slice_eq_nocase(type, SLICE("application/octet-stream"));
}

/* Without quotes and the backslashes that quote a quote or themselves: others are
 * of paths that Windows' programs sent unquoted. */
static void add_unquoted(struct buf *buf, struct slice value)
{
	if (value.len < 2 || value.ptr[0] != '"' || value.ptr[value.len - 1] != '"') {
		buf_add_slice(buf, value);
		return;
	}
	value = (struct slice){ value.ptr + 1, value.len - 2 };
	while (value.len) {
		if (value.len > 1 && value.ptr[0] == '\\' && (value.ptr[1] == '"' || value.ptr[1] == '\\'))
			slice_take(&value, 1);
		buf_add_slice(buf, slice_take(&value, 1));
	}
}

bool media_parameter(struct slice field, const char *name, struct buf *ret)
{
	take_until(&field, ';');
	while (field.len) {
		struct slice parameter, key;

		slice_take(&field, 1);
		parameter = take_until(&field, ';');
		key = trim(take_until(&parameter, '='));
		if (!parameter.len || !slice_eq_nocase(key, slice_of(name)))
			continue;
		slice_take(&parameter, 1);
		buf_reset(ret);
		add_unquoted(ret, trim(parameter));
		return true;
	}
	return false;
}

/* --- bytes ------------------------------------------------------------------ */

static bool start(struct media *media)
{
	media->hash = EVP_MD_CTX_new();
	media->is_failed = !media->hash || !EVP_DigestInit_ex(media->hash, EVP_sha256(), NULL);
	return !media->is_failed;
}

void media_add(struct media *media, struct slice bytes)
{
	media->size += bytes.len;
	if (media->has_gap || media->is_failed || (!media->hash && !start(media)))
		return;
	media->is_failed = !EVP_DigestUpdate(media->hash, bytes.ptr, bytes.len);
}

void media_gap(struct media *media)
{
	media->has_gap = true;
}

void media_hash(struct media *media, char ret[MEDIA_HASH_SIZE])
{
	unsigned char bytes[SHA256_DIGEST_LENGTH];

	ret[0] = '\0';
	if (media->has_gap || media->is_failed || (!media->hash && !start(media)) ||
	    !EVP_DigestFinal_ex(media->hash, bytes, NULL))
		return;
	for (size_t i = 0; i < sizeof(bytes); i++)
		snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
}

bool media_take_failure(struct media *media)
{
	bool is_new = media->is_failed && !media->is_failure_told;

	media->is_failure_told = media->is_failed;
	return is_new;
}

void media_reset(struct media *media)
{
	EVP_MD_CTX_free(media->hash);
	*media = (struct media){ 0 };
}
