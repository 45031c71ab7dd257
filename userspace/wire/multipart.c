/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/multipart.h"

#include "wire/http_head.h"

/* A buffer that one large field has grown is not kept for the small ones. */
enum { KEPT_SIZE = 16 * 1024 };

static bool is_boundary_char(unsigned char c)
{
	/* More than RFC 2046 lets through; the delimiter's search needs that no CR is in it. */
	return c >= ' ' && c != 0x7f;
}

static bool set_boundary(struct multipart_reader *reader, struct slice content_type)
{
	_cleanup_(buf_done) struct buf boundary = BUF_INIT(LIMIT_BOUNDARY);

	if (!media_parameter(content_type, "boundary", &boundary) || !buf_ok(&boundary) || !boundary.len)
		return false;
	for (size_t i = 0; i < boundary.len; i++)
		if (!is_boundary_char((unsigned char)boundary.ptr[i]))
			return false;
	memcpy(reader->delimiter, "\r\n--", 4);
	memcpy(reader->delimiter + 4, boundary.ptr, boundary.len);
	reader->delimiter_len = 4 + boundary.len;
	return true;
}

void multipart_init(struct multipart_reader *reader, struct slice content_type)
{
	*reader = (struct multipart_reader){
		.head = BUF_INIT(LIMIT_FORM_HEAD),
		.name = BUF_INIT(LIMIT_FORM_HEAD),
		.filename = BUF_INIT(LIMIT_FORM_HEAD),
		.content_type = BUF_INIT(LIMIT_FORM_HEAD),
		.data = BUF_INIT(LIMIT_FORM_FIELD),
		.matched = 2,	/* the first one stands at a line's start without a line before */
	};
	if (!set_boundary(reader, content_type))
		reader->state = MULTIPART_BAD;
}

void multipart_done(struct multipart_reader *reader)
{
	buf_done(&reader->head);
	buf_done(&reader->name);
	buf_done(&reader->filename);
	buf_done(&reader->content_type);
	buf_done(&reader->data);
	media_reset(&reader->media);
}

static void forget_part(struct multipart_reader *reader)
{
	buf_reset(&reader->name);
	buf_reset(&reader->filename);
	buf_reset(&reader->content_type);
	if (reader->data.size > KEPT_SIZE)
		buf_done(&reader->data);
	buf_reset(&reader->data);
	media_reset(&reader->media);
	reader->is_ready = false;
}

/* --- a part's head ---------------------------------------------------------- */

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* "UTF-8''a%20b" (RFC 8187 section 3.2), which RFC 7578 forbids and some send. */
static void decode_extended(struct buf *value)
{
	struct slice in = buf_slice(value);
	size_t len = 0;

	for (int quotes = 0; quotes < 2; quotes++) {
		const char *quote = in.len ? memchr(in.ptr, '\'', in.len) : NULL;

		if (!quote)
			return;
		slice_take(&in, (size_t)(quote - in.ptr) + 1);
	}
	while (in.len) {
		int high = in.len > 2 && in.ptr[0] == '%' ? hex_digit(in.ptr[1]) : -1;
		int low = high >= 0 ? hex_digit(in.ptr[2]) : -1;

		value->ptr[len++] = low >= 0 ? (char)(high << 4 | low) : in.ptr[0];
		slice_take(&in, low >= 0 ? 3 : 1);
	}
	value->ptr[len] = '\0';
	value->len = len;
}

/* True when it names a file. */
static bool read_disposition(struct multipart_reader *reader, struct slice value)
{
	media_parameter(value, "name", &reader->name);
	if (media_parameter(value, "filename", &reader->filename))
		return true;
	if (!media_parameter(value, "filename*", &reader->filename))
		return false;
	decode_extended(&reader->filename);
	return true;
}

/* The head is whole: what is this part? */
static void begin_part(struct multipart_reader *reader)
{
	struct slice fields, name, value;
	bool is_file = false;

	buf_add_text(&reader->head, "\r\n");	/* where the head is all there is */
	fields = buf_slice(&reader->head);
	while (http_field_next(&fields, &name, &value)) {
		if (slice_eq_nocase(name, SLICE("content-disposition"))) {
			is_file |= read_disposition(reader, value);
		} else if (slice_eq_nocase(name, SLICE("content-type"))) {
			buf_reset(&reader->content_type);
			buf_add_slice(&reader->content_type, value);
		}
	}
	is_file |= media_is_type(buf_slice(&reader->content_type));
	reader->is_failed |= reader->name.is_failed || reader->filename.is_failed || reader->content_type.is_failed;
	reader->state = is_file ? MULTIPART_FILE : MULTIPART_FIELD;
	buf_reset(&reader->head);
}

static bool is_head_whole(struct slice head)
{
	return slice_eq(head, SLICE("\r\n")) || slice_ends(head, SLICE("\r\n\r\n"));
}

static void skip_part(struct multipart_reader *reader)
{
	forget_part(reader);
	buf_reset(&reader->head);
	reader->state = MULTIPART_SKIPPED;
}

static void take_head(struct multipart_reader *reader, struct slice *in)
{
	while (in->len && reader->state == MULTIPART_HEAD) {
		buf_add_slice(&reader->head, slice_take(in, 1));
		/* Room is left for the line end that begin_part may add. */
		if (is_head_whole(buf_slice(&reader->head))) {
			begin_part(reader);
		} else if (reader->head.is_failed || reader->head.len > LIMIT_FORM_HEAD - 2) {
			reader->is_failed |= reader->head.is_failed;
			reader->dropped += !reader->head.is_failed;
			skip_part(reader);
		}
	}
}

/* --- content ---------------------------------------------------------------- */

static void take_field(struct multipart_reader *reader, struct slice bytes)
{
	bool was_full = reader->data.is_full;

	if (was_full)
		return;
	buf_add_slice(&reader->data, bytes);
	reader->dropped += reader->data.is_full;
	reader->is_failed |= reader->data.is_failed;
	if (reader->data.is_failed)
		skip_part(reader);
}

/* Bytes that are no delimiter's. */
static void take_content(struct multipart_reader *reader, struct slice bytes)
{
	if (reader->state == MULTIPART_HEAD)
		take_head(reader, &bytes);
	if (!bytes.len)
		return;
	if (reader->state == MULTIPART_FIELD)
		take_field(reader, bytes);
	else if (reader->state == MULTIPART_FILE)
		media_add(&reader->media, bytes);
}

/* What was held back is content. The only CR that a delimiter could begin with is
 * its first byte, or the last of the tail. */
static void give_back(struct multipart_reader *reader)
{
	struct slice held = { reader->delimiter, reader->matched }, tail = { reader->tail, reader->tail_len };
	bool ends_in_cr = tail.len && tail.ptr[tail.len - 1] == '\r';

	tail.len -= ends_in_cr;
	reader->tail_len = 0;
	reader->matched = ends_in_cr;
	take_content(reader, held);
	take_content(reader, tail);
}

/* The same, and nothing more is held. */
static void give_back_all(struct multipart_reader *reader)
{
	give_back(reader);
	take_content(reader, (struct slice){ reader->delimiter, reader->matched });
	reader->matched = 0;
}

static enum parse give(struct multipart_reader *reader, struct stream_event *ret)
{
	*ret = (struct stream_event){ .type = buf_slice(&reader->name) };
	reader->is_ready = true;
	if (reader->state == MULTIPART_FIELD) {
		ret->data = buf_slice(&reader->data);
		ret->is_cut = reader->data.is_full;
		return PARSE_ITEM;
	}
	reader->note = (struct stream_note){
		.filename = buf_slice(&reader->filename),
		.content_type = buf_slice(&reader->content_type),
		.size = reader->media.size,
		.is_incomplete = reader->media.has_gap,
	};
	media_hash(&reader->media, reader->note.sha256);
	reader->is_failed |= media_take_failure(&reader->media);
	ret->note = &reader->note;
	return PARSE_ITEM;
}

/* --- delimiters ------------------------------------------------------------- */

/* The part ends, if there is one. PARSE_ITEM if it is to be given out. */
static enum parse end_part(struct multipart_reader *reader, bool is_last, struct stream_event *ret)
{
	enum parse parse = PARSE_MORE;

	/* A part without content, nor the empty line before it. */
	if (reader->state == MULTIPART_HEAD && reader->head.len)
		begin_part(reader);
	if (reader->state == MULTIPART_FIELD || reader->state == MULTIPART_FILE)
		parse = give(reader, ret);
	reader->state = is_last ? MULTIPART_EPILOGUE : MULTIPART_HEAD;
	reader->matched = reader->tail_len = 0;
	buf_reset(&reader->head);
	return parse;
}

/* Whether @c may follow what there is of the tail. */
static bool fits_tail(const struct multipart_reader *reader, char c)
{
	char last = reader->tail_len ? reader->tail[reader->tail_len - 1] : ' ';

	switch (last) {
	case '-':
		return c == '-';
	case '\r':
		return c == '\n';
	default:
		return c == ' ' || c == '\t' || c == '\r' || (c == '-' && !reader->tail_len);
	}
}

/* What follows a whole delimiter. */
static enum parse take_tail(struct multipart_reader *reader, struct slice *in, struct stream_event *ret)
{
	while (in->len) {
		char c = in->ptr[0];

		if (!fits_tail(reader, c) || reader->tail_len == sizeof(reader->tail)) {
			give_back(reader);
			return PARSE_MORE;
		}
		slice_take(in, 1);
		if (c == '\n' || (c == '-' && reader->tail_len))
			return end_part(reader, /* is_last */ c == '-', ret);
		reader->tail[reader->tail_len++] = c;
	}
	return PARSE_MORE;
}

/* Content, and what of it matches the delimiter. */
static void match(struct multipart_reader *reader, struct slice *in)
{
	if (!reader->matched) {
		const char *cr = memchr(in->ptr, '\r', in->len);

		take_content(reader, slice_take(in, cr ? (size_t)(cr - in->ptr) : in->len));
	}
	while (in->len && reader->matched < reader->delimiter_len &&
	       in->ptr[0] == reader->delimiter[reader->matched]) {
		slice_take(in, 1);
		reader->matched++;
	}
	if (in->len && reader->matched < reader->delimiter_len)
		give_back(reader);
}

enum parse multipart_next(struct multipart_reader *reader, struct slice *in, struct stream_event *ret)
{
	if (reader->is_ready)
		forget_part(reader);
	if (reader->state == MULTIPART_BAD)
		return PARSE_BAD;
	while (in->len && reader->state != MULTIPART_EPILOGUE) {
		if (reader->matched < reader->delimiter_len)
			match(reader, in);
		else if (take_tail(reader, in, ret) == PARSE_ITEM)
			return PARSE_ITEM;
	}
	slice_take(in, in->len);
	return PARSE_MORE;
}

/* --- what is missing -------------------------------------------------------- */

void multipart_gap(struct multipart_reader *reader)
{
	if (reader->is_ready)
		forget_part(reader);
	if (reader->state == MULTIPART_EPILOGUE || reader->state == MULTIPART_BAD)
		return;
	give_back_all(reader);
	if (reader->state == MULTIPART_FILE)
		media_gap(&reader->media);
	else if (reader->state != MULTIPART_PREAMBLE)
		skip_part(reader);
}

enum parse multipart_cut(struct multipart_reader *reader, struct stream_event *ret)
{
	enum parse parse = PARSE_MORE;

	if (reader->is_ready)
		forget_part(reader);
	if (reader->state == MULTIPART_FILE) {
		give_back_all(reader);
		media_gap(&reader->media);
		parse = give(reader, ret);
	}
	if (reader->state != MULTIPART_EPILOGUE)
		reader->state = MULTIPART_BAD;
	return parse;
}

enum parse multipart_eof(struct multipart_reader *reader, struct stream_event *ret)
{
	if (multipart_cut(reader, ret) == PARSE_ITEM)
		return PARSE_ITEM;
	return reader->state == MULTIPART_EPILOGUE ? PARSE_MORE : PARSE_BAD;
}
