/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes that grow, up to a maximum given at birth. An append that would pass
 * the maximum keeps what fits and sets is_full; one that finds no memory keeps
 * what it has and sets is_failed. Both stick, so a row of appends is checked
 * once. Always NUL-terminated for those who print it.
 */
#ifndef GENTAP_BASE_BUF_H
#define GENTAP_BASE_BUF_H

#include "base/slice.h"

struct buf {
	char *ptr;		/* owned; NULL while empty */
	size_t len;
	size_t size;		/* allocated */
	size_t max;		/* most bytes it may hold */
	bool is_full;		/* something was cut to keep to max */
	bool is_failed;		/* something was lost for want of memory */
};

#define BUF_INIT(maximum)	((struct buf){ .max = (maximum) })

/* Forgets the content, keeps the memory, clears both flags. */
void buf_reset(struct buf *buf);
/* Frees the memory; the buf may be used again, with the same maximum. */
void buf_done(struct buf *buf);

/* Returns 0, -ENOBUFS when cut at the maximum, or -ENOMEM. */
int buf_add(struct buf *buf, const void *bytes, size_t len);
int buf_add_slice(struct buf *buf, struct slice s);
int buf_add_text(struct buf *buf, const char *text);
int buf_add_char(struct buf *buf, char c);
int buf_printf(struct buf *buf, const char *fmt, ...) _printf_(2, 3);
/* Drops the first @n bytes. */
void buf_consume(struct buf *buf, size_t n);

static inline bool buf_ok(const struct buf *buf)
{
	return !buf->is_full && !buf->is_failed;
}

static inline struct slice buf_slice(const struct buf *buf)
{
	return (struct slice){ buf->ptr, buf->len };
}

/* The content as a C string: "" while empty. Borrowed. */
static inline const char *buf_text(const struct buf *buf)
{
	return buf->ptr ? buf->ptr : "";
}

#endif
