/* SPDX-License-Identifier: Apache-2.0 */
/* Borrowed bytes: where they are and how many, never who frees them. */
#ifndef GENTAP_BASE_SLICE_H
#define GENTAP_BASE_SLICE_H

#include <string.h>
#include <strings.h>

#include "base/base.h"

struct slice {
	const char *ptr;	/* not NUL-terminated; may hold any byte */
	size_t len;
};

#define SLICE(literal)	((struct slice){ (literal), sizeof(literal) - 1 })

static inline struct slice slice_of(const char *text)
{
	return (struct slice){ text, text ? strlen(text) : 0 };
}

/* Cuts the first @n bytes off *in and returns them. */
static inline struct slice slice_take(struct slice *in, size_t n)
{
	struct slice taken = { in->ptr, n };

	assert(n <= in->len);
	if (n) {
		in->ptr += n;
		in->len -= n;
	}
	return taken;
}

static inline bool slice_eq(struct slice a, struct slice b)
{
	return a.len == b.len && (!a.len || memcmp(a.ptr, b.ptr, a.len) == 0);
}

/* ASCII case ignored, as RFC 9110 wants for field names. */
static inline bool slice_eq_nocase(struct slice a, struct slice b)
{
	return a.len == b.len && (!a.len || strncasecmp(a.ptr, b.ptr, a.len) == 0);
}

static inline bool slice_starts(struct slice s, struct slice prefix)
{
	return s.len >= prefix.len && (!prefix.len || memcmp(s.ptr, prefix.ptr, prefix.len) == 0);
}

static inline bool slice_ends(struct slice s, struct slice suffix)
{
	return s.len >= suffix.len &&
	       (!suffix.len || memcmp(s.ptr + s.len - suffix.len, suffix.ptr, suffix.len) == 0);
}

/* Without the spaces and tabs (RFC 9110 OWS) at both ends. */
static inline struct slice slice_trim(struct slice s)
{
	while (s.len && (s.ptr[0] == ' ' || s.ptr[0] == '\t'))
		slice_take(&s, 1);
	while (s.len && (s.ptr[s.len - 1] == ' ' || s.ptr[s.len - 1] == '\t'))
		s.len--;
	return s;
}

#endif
