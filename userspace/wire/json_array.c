/* SPDX-License-Identifier: Apache-2.0 */
#include "wire/json_array.h"

#include "limits.h"

void json_array_init(struct json_array_reader *reader)
{
	*reader = (struct json_array_reader){ .element = BUF_INIT(LIMIT_JSON_ELEMENT) };
}

void json_array_done(struct json_array_reader *reader)
{
	buf_done(&reader->element);
}

static void forget_given(struct json_array_reader *reader)
{
	if (reader->is_given)
		buf_done(&reader->element);
	reader->is_given = false;
}

/* --- inside an element ------------------------------------------------------ */

static void skip_element(struct json_array_reader *reader)
{
	buf_done(&reader->element);
	reader->is_skipping = true;
}

static void drop_element(struct json_array_reader *reader)
{
	if (!reader->is_skipping)
		reader->losses.dropped++;
	skip_element(reader);
}

/* A byte of a string. */
static void scan_string(struct json_array_reader *reader, char c)
{
	if (reader->is_escaped)
		reader->is_escaped = false;
	else if (c == '\\')
		reader->is_escaped = true;
	else if (c == '"')
		reader->is_in_string = false;
}

/* How many bytes of @in belong to the element; true when it ends with them. */
static bool scan(struct json_array_reader *reader, struct slice in, size_t *ret_len)
{
	for (size_t i = 0; i < in.len; i++) {
		char c = in.ptr[i];

		if (reader->is_in_string) {
			scan_string(reader, c);
		} else if (c == '"') {
			reader->is_in_string = true;
		} else if (c == '{' || c == '[') {
			if (++reader->depth > LIMIT_JSON_DEPTH)
				drop_element(reader);
		} else if ((c == '}' || c == ']') && !--reader->depth) {
			*ret_len = i + 1;
			return true;
		}
	}
	*ret_len = in.len;
	return false;
}

static void keep(struct json_array_reader *reader, struct slice part)
{
	if (reader->is_skipping)
		return;
	buf_add_slice(&reader->element, part);
	if (reader->element.is_full) {
		drop_element(reader);
	} else if (reader->element.is_failed) {
		reader->losses.is_failed = true;
		skip_element(reader);
	}
}

/* What is there of the element. True when it is whole and to be given out. */
static bool take_inside(struct json_array_reader *reader, struct slice *in, struct stream_event *ret)
{
	struct slice part;
	bool is_end, is_skipped;
	size_t len;

	is_end = scan(reader, *in, &len);
	part = slice_take(in, len);
	/* An element that lies in one piece need not be copied. */
	if (!is_end || reader->element.len || part.len > LIMIT_JSON_ELEMENT) {
		keep(reader, part);
		part = buf_slice(&reader->element);
	}
	if (!is_end)
		return false;
	is_skipped = reader->is_skipping;
	reader->is_skipping = false;
	reader->state = reader->is_alone ? JSON_ARRAY_OVER : JSON_ARRAY_AFTER;
	reader->is_given = !is_skipped;
	*ret = (struct stream_event){ .data = part };
	return !is_skipped;
}

/* --- outside ---------------------------------------------------------------- */

static bool is_space(char c)
{
	return c == ' ' || c == '\t' || c == '\r' || c == '\n';
}

/* The state behind @c, which is not white space, between elements. */
static enum json_array_state state_behind(const struct json_array_reader *reader, char c)
{
	bool may_begin = reader->state == JSON_ARRAY_BEFORE || reader->state == JSON_ARRAY_EITHER;
	bool may_go_on = reader->state == JSON_ARRAY_AFTER || reader->state == JSON_ARRAY_EITHER;

	if (reader->state == JSON_ARRAY_START)
		return c == '[' ? JSON_ARRAY_BEFORE : c == '{' ? JSON_ARRAY_INSIDE : JSON_ARRAY_BAD;
	if (may_begin && (c == '{' || c == '['))
		return JSON_ARRAY_INSIDE;
	if (may_go_on && c == ',')
		return JSON_ARRAY_BEFORE;
	if ((may_begin || may_go_on) && c == ']')
		return JSON_ARRAY_OVER;
	return JSON_ARRAY_BAD;
}

/* One byte; that which begins an element stays. */
static void take_outside(struct json_array_reader *reader, struct slice *in)
{
	enum json_array_state state = state_behind(reader, in->ptr[0]);

	if (is_space(in->ptr[0])) {
		slice_take(in, 1);
		return;
	}
	if (state == JSON_ARRAY_INSIDE) {
		reader->is_alone = reader->state == JSON_ARRAY_START;
		reader->depth = 0;
	} else if (state != JSON_ARRAY_BAD) {
		slice_take(in, 1);
	}
	reader->state = state;
}

enum parse json_array_next(struct json_array_reader *reader, struct slice *in, struct stream_event *ret)
{
	forget_given(reader);
	while (in->len && reader->state != JSON_ARRAY_BAD) {
		if (reader->state != JSON_ARRAY_INSIDE)
			take_outside(reader, in);
		else if (take_inside(reader, in, ret))
			return PARSE_ITEM;
	}
	return reader->state == JSON_ARRAY_BAD ? PARSE_BAD : PARSE_MORE;
}

bool json_array_gap(struct json_array_reader *reader, uint64_t n)
{
	forget_given(reader);
	if (reader->state == JSON_ARRAY_OVER)
		return true;
	if (reader->state == JSON_ARRAY_AFTER && n == 1) {
		reader->state = JSON_ARRAY_EITHER;
		return true;
	}
	buf_done(&reader->element);
	reader->state = JSON_ARRAY_BAD;
	return false;
}

enum parse json_array_eof(struct json_array_reader *reader, struct stream_event *ret)
{
	(void)ret;
	forget_given(reader);
	return reader->state == JSON_ARRAY_OVER || reader->state == JSON_ARRAY_EITHER ? PARSE_MORE : PARSE_BAD;
}
