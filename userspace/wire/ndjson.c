/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/ndjson.h"

#include "limits.h"

void ndjson_init(struct ndjson_reader *reader)
{
	*reader = (struct ndjson_reader){ .line = BUF_INIT(LIMIT_NDJSON_LINE) };
}

void ndjson_done(struct ndjson_reader *reader)
{
	buf_done(&reader->line);
}

static void forget_given(struct ndjson_reader *reader)
{
	if (reader->is_given)
		buf_done(&reader->line);
	reader->is_given = false;
}

void ndjson_gap(struct ndjson_reader *reader)
{
	buf_done(&reader->line);
	reader->is_given = false;
	reader->is_skipping = true;
}

/* The front of *in up to a line's end, which is consumed, too. True when the line
 * is whole. */
static bool take_line_part(struct slice *in, struct slice *ret_part)
{
	const char *end = memchr(in->ptr, '\n', in->len);

	*ret_part = slice_take(in, end ? (size_t)(end - in->ptr) : in->len);
	if (end)
		slice_take(in, 1);
	return end != NULL;
}

static void keep_part(struct ndjson_reader *reader, struct slice part)
{
	if (reader->is_skipping)
		return;
	buf_add_slice(&reader->line, part);
	if (buf_ok(&reader->line))
		return;
	reader->losses.dropped += reader->line.is_full;
	reader->losses.is_failed |= reader->line.is_failed;
	buf_done(&reader->line);
	reader->is_skipping = true;
}

/* Less the white space of JSON (RFC 8259 section 2) at both ends. */
static struct slice trim(struct slice line)
{
	while (line.len && strchr(" \t\r", line.ptr[line.len - 1]) && line.ptr[line.len - 1])
		line.len--;
	return slice_trim(line);
}

/* A line has ended whose last part, or whole, is @part. True when it is one to be
 * given out. */
static bool end_line(struct ndjson_reader *reader, struct slice part, struct stream_event *ret)
{
	struct slice line = part;
	bool is_skipped;

	if (reader->line.len || part.len > LIMIT_NDJSON_LINE) {
		keep_part(reader, part);
		line = buf_slice(&reader->line);
	}
	is_skipped = reader->is_skipping;
	reader->is_skipping = false;
	line = trim(line);
	reader->is_given = true;
	if (is_skipped || !line.len) {
		forget_given(reader);
		return false;
	}
	*ret = (struct stream_event){ .data = line };
	return true;
}

enum parse ndjson_next(struct ndjson_reader *reader, struct slice *in, struct stream_event *ret)
{
	struct slice part;

	forget_given(reader);
	while (in->len) {
		if (!take_line_part(in, &part))
			keep_part(reader, part);
		else if (end_line(reader, part, ret))
			return PARSE_ITEM;
	}
	return PARSE_MORE;
}

enum parse ndjson_eof(struct ndjson_reader *reader, struct stream_event *ret)
{
	forget_given(reader);
	return end_line(reader, SLICE(""), ret) ? PARSE_ITEM : PARSE_MORE;
}
