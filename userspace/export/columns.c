/* SPDX-License-Identifier: Apache-2.0 */
#include "export/columns.h"

/* Code points that take two columns (East Asian Wide, emoji) or none
 * (combining, zero-width), in the main; wcwidth() would need the locale that
 * the program does not set. */
static const struct {
	uint32_t first, last;
	unsigned columns;
} unusual[] = {
	{ 0x0300, 0x036f, 0 }, { 0x1100, 0x115f, 2 }, { 0x200b, 0x200d, 0 }, { 0x20d0, 0x20ff, 0 },
	{ 0x2e80, 0x303e, 2 }, { 0x3041, 0xa4cf, 2 }, { 0xac00, 0xd7a3, 2 }, { 0xf900, 0xfaff, 2 },
	{ 0xfe00, 0xfe0f, 0 }, { 0xfe30, 0xfe6f, 2 }, { 0xff00, 0xff60, 2 }, { 0xffe0, 0xffe6, 2 },
	{ 0x1f300, 0x1f64f, 2 }, { 0x1f680, 0x1f6ff, 2 }, { 0x1f900, 0x1faff, 2 }, { 0x20000, 0x3fffd, 2 },
};

/* Cuts the first character off valid UTF-8. */
static struct slice take_character(struct slice *text, unsigned *ret_columns)
{
	unsigned char first = (unsigned char)text->ptr[0];
	size_t len = first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
	struct slice character = slice_take(text, MIN(len, text->len));
	uint32_t code = first & (0xff >> (len == 1 ? 1 : len + 1));

	for (size_t i = 1; i < character.len; i++)
		code = code << 6 | (character.ptr[i] & 0x3f);
	*ret_columns = 1;
	for (size_t i = 0; i < ARRAY_SIZE(unusual); i++)
		if (code >= unusual[i].first && code <= unusual[i].last)
			*ret_columns = unusual[i].columns;
	return character;
}

unsigned columns_of(struct slice text)
{
	unsigned width = 0, columns;

	while (text.len) {
		take_character(&text, &columns);
		width += columns;
	}
	return width;
}

void columns_add(struct buf *out, struct slice text, unsigned max)
{
	bool is_cut = columns_of(text) > max;
	unsigned left = is_cut && max ? max - 1 : max;

	while (text.len) {
		unsigned columns;
		struct slice character = take_character(&text, &columns);

		if (columns > left)
			break;
		left -= columns;
		buf_add_slice(out, character);
	}
	if (is_cut && max)
		buf_add_text(out, "…");
}

void duration_text(double ms, char *ret, size_t size)
{
	if (ms < 1000)
		snprintf(ret, size, "%.0fms", ms);
	else if (ms < 60000)
		snprintf(ret, size, "%.2fs", ms / 1000);
	else
		snprintf(ret, size, "%.0fm%02.0fs", (double)(uint64_t)(ms / 60000),
			 (double)((uint64_t)(ms / 1000) % 60));
}
