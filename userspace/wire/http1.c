/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Follows the messages of one direction.
 *
 *            +------------------------------ END ------------------------------+
 *            v                                                                 |
 *         IN_HEAD --HEAD--> IN_LENGTH ---------------------------------> AT_END
 *            |  ^  |    +-> IN_CHUNK_SIZE -> IN_CHUNK -> IN_CHUNK_END          ^
 *            +--+  |    |      |   ^                          |                |
 *           (1xx)  |    |      |   +--------------------------+                |
 *                  |    |      +-> IN_TRAILER ---------------------------------+
 *                  |    +-> IN_CLOSE (http1_eof ends it)
 *                  +------> TUNNEL (101, CONNECT)
 *
 * Heads, size lines and trailer lines are looked at when they are whole, so that
 * the answer does not depend on how the input was cut; body bytes go out as they
 * come.
 */
#include "wire/http1.h"

#include "limits.h"
#include "wire/http1_head.h"

static const char *const methods[] = {
	"GET ", "HEAD ", "POST ", "PUT ", "PATCH ", "DELETE ", "OPTIONS ", "CONNECT ", "TRACE ",
};

void http1_init(struct http1_reader *reader, enum http1_side side)
{
	*reader = (struct http1_reader){ .side = side };
}

bool http1_looks_like(enum http1_side side, struct slice in)
{
	if (side == HTTP1_RESPONSE)
		return slice_starts(in, SLICE("HTTP/1."));
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		if (slice_starts(in, slice_of(methods[i])))
			return true;
	return false;
}

bool http1_may_become(enum http1_side side, struct slice in)
{
	if (side == HTTP1_RESPONSE)
		return in.len < 7 && slice_starts(SLICE("HTTP/1."), in);
	for (size_t i = 0; i < ARRAY_SIZE(methods); i++)
		if (in.len < strlen(methods[i]) && slice_starts(slice_of(methods[i]), in))
			return true;
	return false;
}

/* --- heads ------------------------------------------------------------------ */

/* Length of the head at the front of @in with its empty line; 0 while that is
 * not there. Looks at every byte once, however often it is called. */
static size_t head_len(struct http1_reader *reader, struct slice in)
{
	while (reader->scanned < in.len) {
		const char *lf = memchr(in.ptr + reader->scanned, '\n', in.len - reader->scanned);
		size_t next;

		if (!lf) {
			reader->scanned = in.len;
			return 0;
		}
		next = (size_t)(lf - in.ptr) + 1;
		if (next < in.len && in.ptr[next] == '\n')
			return next + 1;
		if (next + 1 < in.len && in.ptr[next] == '\r' && in.ptr[next + 1] == '\n')
			return next + 2;
		/* Too few bytes behind the line to tell: look at its end again. */
		if (next == in.len || (next + 1 == in.len && in.ptr[next] == '\r')) {
			reader->scanned = next - 1;
			return 0;
		}
		reader->scanned = next;
	}
	return 0;
}

/* Empty lines before a message (RFC 9112 section 2.2). A CR in last place stays. */
static void skip_empty_lines(struct slice *in)
{
	while (in->len) {
		if (in->ptr[0] == '\n')
			slice_take(in, 1);
		else if (slice_starts(*in, SLICE("\r\n")))
			slice_take(in, 2);
		else
			break;
	}
}

/* Where the head leaves the reader (RFC 9112 section 6.3). */
static bool enter_body(struct http1_reader *reader, const struct http_head *head)
{
	struct http1_framing framing;
	bool is_response = reader->side == HTTP1_RESPONSE;

	if (!http1_framing_read(head, &framing))
		return false;
	reader->status = head->status;
	reader->left = framing.length;
	if (is_response && head->status == 101)
		reader->state = HTTP1_TUNNEL;
	else if (is_response && head->status < 200)
		reader->state = HTTP1_IN_HEAD;
	else if (is_response && (head->status == 204 || head->status == 304))
		reader->state = HTTP1_AT_END;
	else if (framing.is_chunked)
		reader->state = HTTP1_IN_CHUNK_SIZE;
	else if (framing.has_length)
		reader->state = framing.length ? HTTP1_IN_LENGTH : HTTP1_AT_END;
	else
		reader->state = is_response ? HTTP1_IN_CLOSE : HTTP1_AT_END;
	return true;
}

static enum parse next_head(struct http1_reader *reader, struct slice *in, struct http1_item *ret)
{
	struct http1_item item = { .type = HTTP1_HEAD };
	size_t len;

	if (!reader->scanned)
		skip_empty_lines(in);
	/* Half of an empty line: not the start of a head yet. */
	if (slice_eq(*in, SLICE("\r")))
		return PARSE_MORE;
	len = head_len(reader, *in);
	if ((len ? len : in->len) > LIMIT_HTTP_HEAD) {
		reader->is_head_too_long = true;
		return PARSE_BAD;
	}
	if (!len)
		return PARSE_MORE;
	reader->scanned = 0;
	if (!http1_head_read(reader->side, (struct slice){ in->ptr, len }, &item.head) ||
	    !enter_body(reader, &item.head)) {
		reader->is_head_too_long = http1_head_is_too_long((struct slice){ in->ptr, len });
		return PARSE_BAD;
	}
	slice_take(in, len);
	*ret = item;
	return PARSE_ITEM;
}

void http1_answers(struct http1_reader *reader, struct slice method)
{
	if (reader->status < 200)
		return;
	if (slice_eq(method, SLICE("HEAD")))
		reader->state = HTTP1_AT_END;
	else if (slice_eq(method, SLICE("CONNECT")) && reader->status < 300)
		reader->state = HTTP1_TUNNEL;
}

/* --- bodies ----------------------------------------------------------------- */

/* The front line of *in without its end. PARSE_MORE leaves *in as it is. */
static enum parse next_line(struct http1_reader *reader, struct slice *in, size_t max,
			    struct slice *ret)
{
	const char *lf = NULL;
	struct slice line;

	if (reader->scanned < in->len)
		lf = memchr(in->ptr + reader->scanned, '\n', in->len - reader->scanned);
	if ((lf ? (size_t)(lf - in->ptr) : in->len) > max)
		return PARSE_BAD;
	reader->scanned = lf ? 0 : in->len;
	if (!lf)
		return PARSE_MORE;
	line = slice_take(in, (size_t)(lf - in->ptr));
	slice_take(in, 1);
	if (line.len && line.ptr[line.len - 1] == '\r')
		line.len--;
	*ret = line;
	return PARSE_ITEM;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

/* "size[;extension]" (RFC 9112 section 7.1). */
static bool read_chunk_size(struct slice line, uint64_t *ret)
{
	uint64_t size = 0;
	size_t digits = 0;

	while (digits < line.len && hex_digit(line.ptr[digits]) >= 0) {
		if (size > HTTP1_LENGTH_MAX >> 4)
			return false;
		size = size << 4 | (unsigned)hex_digit(line.ptr[digits++]);
	}
	slice_take(&line, digits);
	line = slice_trim(line);
	if (!digits || (line.len && line.ptr[0] != ';'))
		return false;
	*ret = size;
	return true;
}

static enum parse skip_chunk_size(struct http1_reader *reader, struct slice *in)
{
	struct slice line;
	enum parse parse = next_line(reader, in, LIMIT_CHUNK_LINE, &line);

	if (parse != PARSE_ITEM)
		return parse;
	if (!read_chunk_size(line, &reader->left))
		return PARSE_BAD;
	reader->state = reader->left ? HTTP1_IN_CHUNK : HTTP1_IN_TRAILER;
	reader->trailer_len = 0;
	return PARSE_ITEM;
}

static enum parse skip_chunk_end(struct http1_reader *reader, struct slice *in)
{
	struct slice line;
	enum parse parse = next_line(reader, in, 1, &line);

	if (parse != PARSE_ITEM)
		return parse;
	if (line.len)
		return PARSE_BAD;
	reader->state = HTTP1_IN_CHUNK_SIZE;
	return PARSE_ITEM;
}

static enum parse skip_trailer_line(struct http1_reader *reader, struct slice *in)
{
	struct slice line;
	enum parse parse = next_line(reader, in, LIMIT_HTTP_HEAD - reader->trailer_len, &line);

	reader->is_head_too_long = parse == PARSE_BAD;
	if (parse != PARSE_ITEM)
		return parse;
	reader->trailer_len += line.len;
	if (!line.len)
		reader->state = HTTP1_AT_END;
	return PARSE_ITEM;
}

/* Body bytes as far as they are there; @ret is set for PARSE_ITEM only. */
static enum parse next_body(struct http1_reader *reader, struct slice *in, struct http1_item *ret)
{
	bool is_counted = reader->state != HTTP1_IN_CLOSE;
	size_t len = is_counted ? MIN((uint64_t)in->len, reader->left) : in->len;

	if (!len)
		return PARSE_MORE;
	*ret = (struct http1_item){ .type = HTTP1_BODY, .body = slice_take(in, len) };
	if (!is_counted)
		return PARSE_ITEM;
	reader->left -= len;
	if (!reader->left)
		reader->state = reader->state == HTTP1_IN_CHUNK ? HTTP1_IN_CHUNK_END : HTTP1_AT_END;
	return PARSE_ITEM;
}

/* --- the cursor ------------------------------------------------------------- */

enum parse http1_next(struct http1_reader *reader, struct slice *in, struct http1_item *ret)
{
	enum parse parse = PARSE_ITEM;

	/* Framing between body bytes is skipped, PARSE_ITEM meaning: on to the next. */
	while (parse == PARSE_ITEM) {
		switch (reader->state) {
		case HTTP1_IN_HEAD:
			return next_head(reader, in, ret);
		case HTTP1_IN_LENGTH:
		case HTTP1_IN_CHUNK:
		case HTTP1_IN_CLOSE:
			return next_body(reader, in, ret);
		case HTTP1_IN_CHUNK_SIZE:
			parse = skip_chunk_size(reader, in);
			break;
		case HTTP1_IN_CHUNK_END:
			parse = skip_chunk_end(reader, in);
			break;
		case HTTP1_IN_TRAILER:
			parse = skip_trailer_line(reader, in);
			break;
		case HTTP1_AT_END:
			reader->state = HTTP1_IN_HEAD;
			*ret = (struct http1_item){ .type = HTTP1_END };
			return PARSE_ITEM;
		case HTTP1_TUNNEL:
			slice_take(in, in->len);
			return PARSE_MORE;
		}
	}
	return parse;
}

bool http1_gap(struct http1_reader *reader, uint64_t n)
{
	switch (reader->state) {
	case HTTP1_IN_CLOSE:
	case HTTP1_TUNNEL:
		return true;
	case HTTP1_IN_LENGTH:
	case HTTP1_IN_CHUNK:
		if (n > reader->left)
			return false;
		reader->left -= n;
		if (!reader->left)
			reader->state = reader->state == HTTP1_IN_CHUNK ? HTTP1_IN_CHUNK_END
									: HTTP1_AT_END;
		return true;
	default:
		return false;
	}
}

bool http1_eof(struct http1_reader *reader)
{
	switch (reader->state) {
	case HTTP1_IN_CLOSE:
	case HTTP1_AT_END:
	case HTTP1_TUNNEL:
		return true;
	case HTTP1_IN_HEAD:
		return !reader->scanned;
	default:
		return false;
	}
}
