/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Heads in HTTP/1 form: start lines, field lines, and what the fields say about
 * the length of the body (RFC 9112 sections 3 to 6).
 */
#include "wire/http1_head.h"

#include "limits.h"

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Any visible ASCII but the colon: more than RFC 9110 calls a token, less than
 * what would make two readers see two different fields. */
static bool is_name_char(char c)
{
	return c > ' ' && c < 0x7f && c != ':';
}

/* One line without its end, LF or CRLF. False when there is none. */
static bool take_line(struct slice *in, struct slice *ret_line)
{
	const char *lf = in->len ? memchr(in->ptr, '\n', in->len) : NULL;
	struct slice line;

	if (!lf)
		return false;
	line = slice_take(in, (size_t)(lf - in->ptr));
	slice_take(in, 1);
	if (line.len && line.ptr[line.len - 1] == '\r')
		line.len--;
	*ret_line = line;
	return true;
}

/* "HTTP/1.x" at the front of @in. */
static bool take_version(struct slice *in, unsigned *ret_minor)
{
	if (!slice_starts(*in, SLICE("HTTP/1.")) || in->len < 8 || !is_digit(in->ptr[7]))
		return false;
	*ret_minor = in->ptr[7] - '0';
	slice_take(in, 8);
	return true;
}

/* Visible characters up to a space, which is consumed, too. */
static bool take_word(struct slice *in, struct slice *ret)
{
	size_t len = 0;

	while (len < in->len && (unsigned char)in->ptr[len] > ' ' && in->ptr[len] != 0x7f)
		len++;
	if (!len || len == in->len || in->ptr[len] != ' ')
		return false;
	*ret = slice_take(in, len);
	slice_take(in, 1);
	return true;
}

static bool read_request_line(struct slice line, struct http_head *head)
{
	return take_word(&line, &head->method) && take_word(&line, &head->target) &&
	       take_version(&line, &head->minor) && !line.len;
}

static bool read_status_line(struct slice line, struct http_head *head)
{
	if (!take_version(&line, &head->minor) || line.len < 4 || line.ptr[0] != ' ')
		return false;
	if (!is_digit(line.ptr[1]) || !is_digit(line.ptr[2]) || !is_digit(line.ptr[3]))
		return false;
	if (line.len > 4 && line.ptr[4] != ' ')
		return false;
	head->status = (line.ptr[1] - '0') * 100 + (line.ptr[2] - '0') * 10 + (line.ptr[3] - '0');
	return head->status >= 100 && head->status <= 599;
}

static bool is_fold(struct slice line)
{
	return line.len && (line.ptr[0] == ' ' || line.ptr[0] == '\t');
}

static bool is_field_line(struct slice line)
{
	size_t len = 0;

	while (len < line.len && is_name_char(line.ptr[len]))
		len++;
	return len && len < line.len && line.ptr[len] == ':';
}

/* Every line a field, or the continuation of one; not too many of them. */
static bool are_fields_sound(struct slice fields)
{
	struct slice line;
	size_t count = 0;

	while (take_line(&fields, &line)) {
		if (memchr(line.ptr, '\r', line.len) || memchr(line.ptr, '\0', line.len))
			return false;
		if (is_fold(line) ? !count : !is_field_line(line))
			return false;
		if (!is_fold(line) && ++count > LIMIT_HTTP_HEADERS)
			return false;
	}
	return true;
}

bool http1_head_is_too_long(struct slice text)
{
	struct slice line;
	size_t count = 0;

	take_line(&text, &line);
	while (take_line(&text, &line))
		count += line.len && !is_fold(line);
	return count > LIMIT_HTTP_HEADERS;
}

bool http1_head_read(enum http1_side side, struct slice text, struct http_head *ret)
{
	struct http_head head = { .text = text, .major = 1 };
	struct slice line, rest = text;

	if (!take_line(&rest, &line) || memchr(line.ptr, '\0', line.len) || memchr(line.ptr, '\r', line.len))
		return false;
	if (side == HTTP1_REQUEST ? !read_request_line(line, &head) : !read_status_line(line, &head))
		return false;
	/* Less the empty line at the end. */
	rest.len -= rest.len >= 2 && rest.ptr[rest.len - 2] == '\r' ? 2 : 1;
	if (!are_fields_sound(rest))
		return false;
	head.fields = rest;
	*ret = head;
	return true;
}

static bool is_blank_char(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

bool http_field_next(struct slice *fields, struct slice *ret_name, struct slice *ret_value)
{
	struct slice line, value;
	size_t len = 0;

	if (!take_line(fields, &line))
		return false;
	while (len < line.len && line.ptr[len] != ':')
		len++;
	*ret_name = slice_take(&line, len);
	value = line.len ? (struct slice){ line.ptr + 1, line.len - 1 } : line;
	while (is_fold(*fields) && take_line(fields, &line))
		value.len = (size_t)(line.ptr + line.len - value.ptr);
	while (value.len && is_blank_char(value.ptr[0]))
		slice_take(&value, 1);
	while (value.len && is_blank_char(value.ptr[value.len - 1]))
		value.len--;
	*ret_value = value;
	return true;
}

bool http_field(const struct http_head *head, const char *name, struct slice *ret_value)
{
	struct slice fields = head->fields, field_name, value;

	while (http_field_next(&fields, &field_name, &value)) {
		if (!slice_eq_nocase(field_name, slice_of(name)))
			continue;
		*ret_value = value;
		return true;
	}
	return false;
}

/* Next member of a comma-separated list. */
static bool take_member(struct slice *list, struct slice *ret)
{
	const char *comma;

	if (!list->len)
		return false;
	comma = memchr(list->ptr, ',', list->len);
	*ret = slice_trim(slice_take(list, comma ? (size_t)(comma - list->ptr) : list->len));
	if (comma)
		slice_take(list, 1);
	return true;
}

static bool read_length(struct slice text, uint64_t *ret)
{
	uint64_t length = 0;

	if (!text.len)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (!is_digit(text.ptr[i]) || length > (HTTP1_LENGTH_MAX - 9) / 10)
			return false;
		length = length * 10 + (text.ptr[i] - '0');
	}
	*ret = length;
	return true;
}

/* Several lengths are one if they are equal (RFC 9110 section 8.6). */
static bool read_lengths(struct slice list, struct http1_framing *framing)
{
	struct slice member;
	uint64_t length;

	if (!list.len)
		return false;
	while (take_member(&list, &member)) {
		if (!read_length(member, &length))
			return false;
		if (framing->has_length && framing->length != length)
			return false;
		framing->has_length = true;
		framing->length = length;
	}
	return true;
}

static bool read_codings(struct slice list, struct http1_framing *framing)
{
	struct slice member;

	while (take_member(&list, &member)) {
		if (!member.len || slice_eq_nocase(member, SLICE("identity")))
			continue;
		/* Compressed below the chunks, or chunked twice: not understood. */
		if (framing->is_chunked || !slice_eq_nocase(member, SLICE("chunked")))
			return false;
		framing->is_chunked = true;
	}
	return true;
}

bool http1_framing_read(const struct http_head *head, struct http1_framing *ret)
{
	struct http1_framing framing = {};
	struct slice fields = head->fields, name, value;

	while (http_field_next(&fields, &name, &value)) {
		if (slice_eq_nocase(name, SLICE("content-length")) && !read_lengths(value, &framing))
			return false;
		if (slice_eq_nocase(name, SLICE("transfer-encoding")) && !read_codings(value, &framing))
			return false;
	}
	*ret = framing;
	return true;
}
