/* SPDX-License-Identifier: Apache-2.0 */
#include "base/buf.h"

#include <errno.h>
#include <stdarg.h>

#include "base/memory.h"

enum { FIRST_SIZE = 64 };

void buf_reset(struct buf *buf)
{
	buf->len = 0;
	buf->is_full = buf->is_failed = false;
	if (buf->ptr)
		buf->ptr[0] = '\0';
}

void buf_done(struct buf *buf)
{
	free(buf->ptr);
	*buf = BUF_INIT(buf->max);
}

/* Makes room for @len more bytes and the NUL. */
static bool reserve(struct buf *buf, size_t len)
{
	size_t size = buf->size ? buf->size : FIRST_SIZE;
	char *ptr;

	if (buf->len + len + 1 <= buf->size)
		return true;
	while (size < buf->len + len + 1)
		size *= 2;
	/* Doubling must not pass the maximum: the last step is exact. */
	size = MIN(size, buf->max + 1);
	ptr = realloc(buf->ptr, size);
	if (!ptr)
		return false;
	buf->ptr = ptr;
	buf->size = size;
	return true;
}

int buf_add(struct buf *buf, const void *bytes, size_t len)
{
	size_t fits = MIN(len, buf->max - buf->len);

	if (fits && !reserve(buf, fits)) {
		memory_failed();
		buf->is_failed = true;
		return -ENOMEM;
	}
	if (fits) {
		memcpy(buf->ptr + buf->len, bytes, fits);
		buf->len += fits;
		buf->ptr[buf->len] = '\0';
	}
	if (fits < len) {
		buf->is_full = true;
		return -ENOBUFS;
	}
	return 0;
}

int buf_add_slice(struct buf *buf, struct slice s)
{
	return buf_add(buf, s.ptr, s.len);
}

int buf_add_text(struct buf *buf, const char *text)
{
	return buf_add(buf, text, strlen(text));
}

int buf_add_char(struct buf *buf, char c)
{
	return buf_add(buf, &c, 1);
}

int buf_printf(struct buf *buf, const char *fmt, ...)
{
	_cleanup_(freep) char *text = NULL;
	va_list args;
	int len;

	va_start(args, fmt);
	len = vasprintf(&text, fmt, args);
	va_end(args);
	if (len < 0) {
		text = NULL;
		memory_failed();
		buf->is_failed = true;
		return -ENOMEM;
	}
	return buf_add(buf, text, (size_t)len);
}

void buf_consume(struct buf *buf, size_t n)
{
	assert(n <= buf->len);
	if (!n)
		return;
	buf->len -= n;
	memmove(buf->ptr, buf->ptr + n, buf->len);
	buf->ptr[buf->len] = '\0';
}
