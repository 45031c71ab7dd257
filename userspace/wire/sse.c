/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/sse.h"

#include "limits.h"

/* A buffer that one large event has grown is not kept for the small ones. */
enum { KEPT_SIZE = 64 * 1024 };

void sse_init(struct sse_reader *reader)
{
	*reader = (struct sse_reader){
		.line = BUF_INIT(LIMIT_SSE_EVENT),
		.data = BUF_INIT(LIMIT_SSE_EVENT),
		.type = BUF_INIT(LIMIT_SSE_EVENT),
	};
}

void sse_done(struct sse_reader *reader)
{
	buf_done(&reader->line);
	buf_done(&reader->data);
	buf_done(&reader->type);
}

static void clear(struct buf *buf)
{
	if (buf->size > KEPT_SIZE)
		buf_done(buf);
	else
		buf_reset(buf);
}

static void forget_event(struct sse_reader *reader)
{
	clear(&reader->data);
	clear(&reader->type);
	reader->has_data = reader->is_bare = reader->is_ready = false;
}

/* The event cannot be had whole: skip to the empty line that ends it. */
static void skip_event(struct sse_reader *reader)
{
	forget_event(reader);
	clear(&reader->line);
	reader->is_skipping = true;
}

/* After an append to one of the reader's buffers. */
static void check(struct sse_reader *reader, const struct buf *buf)
{
	if (buf_ok(buf))
		return;
	reader->is_failed |= buf->is_failed;
	reader->dropped += buf->is_full;
	skip_event(reader);
}

void sse_gap(struct sse_reader *reader)
{
	skip_event(reader);
	reader->is_started = true;
	reader->after_cr = false;
	/* Where the gap ends is unknown: in the middle of a line, to be safe. */
	reader->is_in_line = true;
}

#define REPEAT(byte)	((byte) * 0x0101010101010101ull)
#define HAS_ZERO(word)	(((word) - REPEAT(1ull)) & ~(word) & REPEAT(0x80ull))

/* Length of the front of @in without a line's end. A word at a time: two calls of
 * memchr would read a stream of lone CRs over and over. */
static size_t line_len(struct slice in)
{
	size_t len = 0;
	uint64_t word;

	for (; in.len - len >= sizeof(word); len += sizeof(word)) {
		memcpy(&word, in.ptr + len, sizeof(word));
		if (HAS_ZERO(word ^ REPEAT('\n')) | HAS_ZERO(word ^ REPEAT('\r')))
			break;
	}
	while (len < in.len && in.ptr[len] != '\n' && in.ptr[len] != '\r')
		len++;
	return len;
}

/* The front of *in, which is not empty, up to a line's end, which is consumed,
 * too. True when the line is whole. */
static bool take_line_part(struct sse_reader *reader, struct slice *in, struct slice *ret_part)
{
	if (reader->after_cr && in->ptr[0] == '\n')
		slice_take(in, 1);
	reader->after_cr = false;
	*ret_part = slice_take(in, line_len(*in));
	if (!in->len)
		return false;
	reader->after_cr = in->ptr[0] == '\r';
	slice_take(in, 1);
	return true;
}

static void add_data(struct sse_reader *reader, struct slice line)
{
	if (reader->has_data)
		buf_add_char(&reader->data, '\n');
	buf_add_slice(&reader->data, line);
	reader->has_data = true;
	check(reader, &reader->data);
}

/* "field: value"; one space after the colon belongs to neither. */
static void read_field(struct sse_reader *reader, struct slice line)
{
	const char *colon = memchr(line.ptr, ':', line.len);
	struct slice name = slice_take(&line, colon ? (size_t)(colon - line.ptr) : line.len);

	if (line.len)
		slice_take(&line, 1);
	if (line.len && line.ptr[0] == ' ')
		slice_take(&line, 1);

	if (slice_eq(name, SLICE("data"))) {
		add_data(reader, line);
	} else if (slice_eq(name, SLICE("event"))) {
		buf_reset(&reader->type);
		buf_add_slice(&reader->type, line);
		check(reader, &reader->type);
	} else if (slice_eq(name, SLICE("error")) && slice_starts(line, SLICE("{"))) {
		/* llama.cpp once: a field instead of an event of that type. */
		buf_reset(&reader->type);
		buf_add_text(&reader->type, "error");
		add_data(reader, line);
	}
}

/* Whether a bare object ends with this line of it: it is one line, or pretty, with
 * all but its braces indented. No empty line need follow. */
static bool is_object_end(struct slice line)
{
	return line.ptr[line.len - 1] == '}' && (line.ptr[0] == '{' || line.ptr[0] == '}');
}

/* Takes one whole line. True when it ended an event that is to be given out. */
static bool read_line(struct sse_reader *reader, struct slice line)
{
	if (!reader->is_started && slice_starts(line, SLICE("\xef\xbb\xbf")))
		slice_take(&line, 3);
	reader->is_started = true;

	if (line.len && line.ptr[0] == ':') {
		reader->comments++;
	} else if (line.len && (reader->is_bare || (line.ptr[0] == '{' && !reader->has_data))) {
		reader->is_bare = true;
		add_data(reader, line);
		return !reader->is_skipping && is_object_end(line);
	} else if (line.len) {
		read_field(reader, line);
	} else if (reader->has_data) {
		return true;
	} else {
		forget_event(reader);	/* an event without data is none */
	}
	return false;
}

/* A line has ended whose last part, or whole, is @part. */
static bool end_line(struct sse_reader *reader, struct slice part)
{
	bool is_blank = !reader->is_in_line && !part.len;
	bool is_event;

	reader->is_in_line = false;
	if (reader->is_skipping) {
		reader->is_skipping = !is_blank;
		return false;
	}
	if (!reader->line.len)
		return read_line(reader, part);
	buf_add_slice(&reader->line, part);
	check(reader, &reader->line);
	if (reader->is_skipping)
		return false;
	is_event = read_line(reader, buf_slice(&reader->line));
	clear(&reader->line);
	return is_event;
}

static void keep_part(struct sse_reader *reader, struct slice part)
{
	if (!part.len)
		return;
	reader->is_in_line = true;
	if (reader->is_skipping)
		return;
	buf_add_slice(&reader->line, part);
	check(reader, &reader->line);
}

static enum parse give(struct sse_reader *reader, struct sse_event *ret)
{
	ret->type = buf_slice(&reader->type);
	ret->data = buf_slice(&reader->data);
	reader->is_ready = true;
	return PARSE_ITEM;
}

enum parse sse_next(struct sse_reader *reader, struct slice *in, struct sse_event *ret)
{
	struct slice part;

	if (reader->is_ready)
		forget_event(reader);
	while (in->len) {
		if (!take_line_part(reader, in, &part))
			keep_part(reader, part);
		else if (end_line(reader, part))
			return give(reader, ret);
	}
	return PARSE_MORE;
}

enum parse sse_eof(struct sse_reader *reader, struct sse_event *ret)
{
	if (reader->is_ready)
		forget_event(reader);
	if (reader->is_in_line)
		end_line(reader, SLICE(""));
	if (!reader->has_data)
		return PARSE_MORE;
	return give(reader, ret);
}
