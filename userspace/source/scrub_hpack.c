/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Header blocks (HPACK, RFC 7541) overwritten where they stand. A walker of our
 * own knows which byte of a block is what; an inflater of libnghttp2, fed with the
 * original bytes, knows the names in the table.
 *
 *	START --index--> START
 *	  |---literal, name by index--> VALUE_LEN --> VALUE --> START
 *	  +---literal--> NAME_LEN --> NAME --> VALUE_LEN
 *	(a number goes on in NUMBER)
 *
 * A value's name stands before it, so nothing has to be kept back. In a Huffman
 * string, '*' is the eight bits 0xf9 (RFC 7541 appendix B): as many of them as the
 * string has bytes decode, with no padding. The decoded value is then shorter than
 * the original, whose characters took fewer bits each, and so is its entry in the
 * table of who replays: it is evicted later than by the sender, and indices, which
 * count from the newest entry, stay right. (A sender that compresses what gets
 * longer by it could turn that round: senders do not.)
 */
#include <ctype.h>
#include <nghttp2/nghttp2.h>

#include "base/buf.h"
#include "limits.h"
#include "source/scrub_private.h"

#if NGHTTP2_VERSION_NUM >= 0x013c00	/* 1.60.0: without ssize_t, which is deprecated */
#define inflate_hd nghttp2_hd_inflate_hd3
#else
#define inflate_hd nghttp2_hd_inflate_hd2
#endif

enum {
	STAR = 0xf9,
	QUESTION_MARK = 0x3fc, QUESTION_MARK_BITS = 10,
	CODE_BITS_MAX = 30,
	TABLE_DEFAULT = 4096,	/* RFC 9113 section 6.5.2 */
	ENTRY_OVERHEAD = 32,	/* RFC 7541 section 4.1: no entry is smaller */
};

enum state { AT_START, IN_NAME_LEN, IN_NAME, IN_VALUE_LEN, IN_VALUE, IN_NUMBER, IN_NOTHING };

/* A Huffman string in which everything behind the first '?' is overwritten. */
struct huffman {
	uint32_t code;
	unsigned bits;
	bool is_behind;
	unsigned star_bit;	/* of STAR, next */
};

struct scrub_hpack {
	nghttp2_hd_inflater *inflater;	/* NULL: names in the table are unknown */
	nghttp2_hd_inflater *strings;	/* decodes single strings; no table */
	enum state state, next;		/* next: behind a number */
	bool is_late;
	struct buf field;		/* the original bytes of the field under way */
	struct buf decoded;		/* the last string that was decoded */
	uint64_t number;
	unsigned shift;
	bool is_literal, is_huffman;
	size_t string_at;		/* of the string's first byte, in field */
	uint64_t left;			/* bytes to come of the string */
	bool is_kept, is_path;
	struct huffman huffman;
	struct scrub_target target;
	/* Of the block: */
	bool is_text;
};

/* --- the table -------------------------------------------------------------- */

/* Nameless entries, as many as may be there: what is added later has its right
 * index then, and what was there is known to be unknown. */
static bool prime(nghttp2_hd_inflater *inflater)
{
	/* Literal with indexing, new name, both empty (RFC 7541 section 6.2.1). */
	static const uint8_t entry[] = { 0x40, 0x00, 0x00 };
	nghttp2_nv nv;
	int flags = 0;

	for (size_t i = 0; i < TABLE_DEFAULT / ENTRY_OVERHEAD; i++)
		if (inflate_hd(inflater, &nv, &flags, entry, sizeof(entry), 0) < 0)
			return false;
	return inflate_hd(inflater, &nv, &flags, NULL, 0, 1) >= 0 &&
	       nghttp2_hd_inflate_end_headers(inflater) == 0;
}

static void give_up_table(struct scrub_hpack *hpack)
{
	nghttp2_hd_inflate_del(hpack->inflater);
	hpack->inflater = NULL;
}

static void renew(struct scrub_hpack *hpack)
{
	if (nghttp2_hd_inflate_new(&hpack->inflater) != 0) {
		hpack->inflater = NULL;
		return;
	}
	if (nghttp2_hd_inflate_change_table_size(hpack->inflater, LIMIT_HPACK_TABLE) != 0 ||
	    (hpack->is_late && !prime(hpack->inflater)))
		give_up_table(hpack);
	/* The next one has missed what this one had. */
	hpack->is_late = true;
}

struct scrub_hpack *scrub_hpack_new(bool is_late)
{
	struct scrub_hpack *hpack = calloc(1, sizeof(*hpack));

	if (!hpack)
		return NULL;
	hpack->is_late = is_late;
	hpack->field = BUF_INIT(LIMIT_HTTP_HEAD);
	hpack->decoded = BUF_INIT(8 * LIMIT_HTTP_HEAD / 5);	/* the shortest code has 5 bits */
	hpack->is_text = true;
	renew(hpack);
	if (nghttp2_hd_inflate_new(&hpack->strings) != 0)
		hpack->strings = NULL;
	if (!hpack->inflater || !hpack->strings)
		scrub_hpack_free(&hpack);
	return hpack;
}

void scrub_hpack_free(struct scrub_hpack **hpackp)
{
	struct scrub_hpack *hpack = *hpackp;

	*hpackp = NULL;
	if (!hpack)
		return;
	if (hpack->inflater)
		nghttp2_hd_inflate_del(hpack->inflater);
	if (hpack->strings)
		nghttp2_hd_inflate_del(hpack->strings);
	buf_done(&hpack->field);
	buf_done(&hpack->decoded);
	free(hpack);
}

/* What the fields say of the body. */
static void look_at(struct scrub_hpack *hpack, const nghttp2_nv *nv)
{
	struct slice name = { (const char *)nv->name, nv->namelen };
	struct slice value = { (const char *)nv->value, nv->valuelen }, none = {};

	if (slice_eq(name, SLICE("content-type")))
		hpack->is_text &= scrub_is_text(value, none);
	else if (slice_eq(name, SLICE("content-encoding")))
		hpack->is_text &= scrub_is_text(none, value);
}

/* The field under way, or the end of the block, goes to the table. */
static void inflate(struct scrub_hpack *hpack, bool is_last)
{
	const uint8_t *bytes = (const uint8_t *)hpack->field.ptr;
	size_t len = hpack->field.len;
	int flags;

	if (!hpack->inflater)
		return;
	do {
		nghttp2_nv nv;
		ssize_t n;

		flags = 0;
		n = inflate_hd(hpack->inflater, &nv, &flags, bytes, len, is_last);
		if (n < 0) {
			give_up_table(hpack);
			return;
		}
		if (n)	/* of nothing there is no pointer */
			bytes += n;
		len -= (size_t)n;
		if (flags & NGHTTP2_HD_INFLATE_EMIT)
			look_at(hpack, &nv);
	} while (flags & NGHTTP2_HD_INFLATE_EMIT || (len && !(flags & NGHTTP2_HD_INFLATE_FINAL)));
	if (flags & NGHTTP2_HD_INFLATE_FINAL)
		nghttp2_hd_inflate_end_headers(hpack->inflater);
}

/* --- names ------------------------------------------------------------------ */

/* A string literal, with its length in front, by itself; empty when it does not
 * decode. Valid until the next call. */
static struct slice decode(struct scrub_hpack *hpack, struct slice literal)
{
	_cleanup_(buf_done) struct buf bytes = BUF_INIT(LIMIT_HTTP_HEAD + 8);
	ssize_t n = -1;
	int flags = 0;

	buf_reset(&hpack->decoded);
	if (!hpack->strings)
		return (struct slice){};
	/* As the value of a literal without indexing whose name is "x". */
	buf_add(&bytes, "\x00\x01x", 3);
	buf_add_slice(&bytes, literal);
	for (size_t at = 0; buf_ok(&bytes) && !(flags & NGHTTP2_HD_INFLATE_FINAL); at += (size_t)n) {
		nghttp2_nv nv;

		flags = 0;
		n = inflate_hd(hpack->strings, &nv, &flags, (const uint8_t *)bytes.ptr + at, bytes.len - at, 1);
		if (n < 0)
			break;
		if (flags & NGHTTP2_HD_INFLATE_EMIT)
			buf_add(&hpack->decoded, nv.value, nv.valuelen);
	}
	if (n >= 0 && nghttp2_hd_inflate_end_headers(hpack->strings) == 0)
		return buf_slice(&hpack->decoded);
	/* After an error an inflater is of no more use. */
	nghttp2_hd_inflate_del(hpack->strings);
	if (nghttp2_hd_inflate_new(&hpack->strings) != 0)
		hpack->strings = NULL;
	return (struct slice){};
}

static void take_name(struct scrub_hpack *hpack, struct slice name)
{
	hpack->is_path = slice_eq(name, SLICE(":path"));
	hpack->is_kept = name.len && scrub_keeps_field(name);
}

static void take_name_index(struct scrub_hpack *hpack, uint64_t index)
{
	const nghttp2_nv *nv = NULL;

	if (hpack->inflater)
		nv = nghttp2_hd_inflate_get_table_entry(hpack->inflater, (size_t)index);
	take_name(hpack, nv ? (struct slice){ (const char *)nv->name, nv->namelen } : (struct slice){});
}

/* --- Huffman codes ----------------------------------------------------------- */

/* The code is canonical: its shape follows from how many symbols have how many
 * bits (RFC 7541 appendix B). */
static bool is_symbol(uint32_t code, unsigned bits)
{
	static const uint8_t counts[CODE_BITS_MAX + 1] = {
		[5] = 10, [6] = 26, [7] = 32, [8] = 6, [10] = 5, [11] = 3, [12] = 2, [13] = 6, [14] = 2,
		[15] = 3, [19] = 3, [20] = 8, [21] = 13, [22] = 26, [23] = 29, [24] = 12, [25] = 4, [26] = 15,
		[27] = 19, [28] = 29, [30] = 4,
	};
	uint32_t first = 0;

	for (unsigned i = 1; i < bits; i++)
		first = (first + counts[i]) << 1;
	return code >= first && code - first < counts[bits];
}

static unsigned take_bit(struct huffman *huffman, unsigned bit, bool is_padding)
{
	if (huffman->is_behind) {
		/* The last star has no room: padding is ones (RFC 7541 section 5.2). */
		bit = is_padding && !huffman->star_bit ? 1 : STAR >> (7 - huffman->star_bit) & 1;
		if (!is_padding || huffman->star_bit)
			huffman->star_bit = (huffman->star_bit + 1) % 8;
		return bit;
	}
	huffman->code = huffman->code << 1 | bit;
	huffman->bits++;
	if (is_symbol(huffman->code, huffman->bits)) {
		huffman->is_behind = huffman->code == QUESTION_MARK && huffman->bits == QUESTION_MARK_BITS;
		huffman->code = huffman->bits = 0;
	} else if (huffman->bits == CODE_BITS_MAX) {
		huffman->code = huffman->bits = 0;	/* no string at all */
	}
	return bit;
}

static char take_huffman(struct huffman *huffman, char byte, bool is_last)
{
	unsigned from = (unsigned char)byte, to = 0;

	for (int i = 7; i >= 0; i--) {
		/* A star that begins here ends in this byte only if it begins with it. */
		bool is_padding = is_last && i < 7;

		to = to << 1 | take_bit(huffman, from >> i & 1, is_padding);
	}
	return (char)to;
}

/* --- values ----------------------------------------------------------------- */

/* Whether every parameter of the path is one that stays. */
static bool is_path_harmless(struct slice path)
{
	struct scrub_target target = {};
	_cleanup_(buf_done) struct buf copy = BUF_INIT(LIMIT_HTTP_HEAD);

	buf_add_slice(&copy, path);
	if (!path.len || !buf_ok(&copy))
		return false;
	scrub_target(&target, copy.ptr, copy.len, /* is_last */ true);
	return slice_eq(buf_slice(&copy), path);
}

/* A Huffman path is looked at before it is overwritten, if it is all there: only
 * in a plain one can single parameters be kept. */
static void look_at_path(struct scrub_hpack *hpack, const char *rest, size_t len)
{
	_cleanup_(buf_done) struct buf literal = BUF_INIT(LIMIT_HTTP_HEAD);

	if (!hpack->is_huffman || len < hpack->left)
		return;
	buf_add(&literal, hpack->field.ptr + hpack->string_at, hpack->field.len - hpack->string_at);
	buf_add(&literal, rest, hpack->left);
	hpack->is_kept = buf_ok(&literal) && is_path_harmless(decode(hpack, buf_slice(&literal)));
}

static char hide(struct scrub_hpack *hpack, char byte)
{
	bool is_last = hpack->left == 1;

	if (hpack->is_kept)
		return byte;
	if (!hpack->is_path)
		return hpack->is_huffman ? (char)STAR : '*';
	if (hpack->is_huffman)
		return take_huffman(&hpack->huffman, byte, is_last);
	scrub_target(&hpack->target, &byte, 1, is_last);
	return byte;
}

/* --- the walker --------------------------------------------------------------- */

static void end_field(struct scrub_hpack *hpack)
{
	bool had_table = hpack->inflater;

	inflate(hpack, /* is_last */ false);
	buf_reset(&hpack->field);
	/* Behind a field that does not decode nothing is what it seems; who replays does
	 * not read on in the block either. */
	hpack->state = had_table && !hpack->inflater ? IN_NOTHING : AT_START;
}

static void begin_value(struct scrub_hpack *hpack, const char *rest, size_t len)
{
	hpack->huffman = (struct huffman){};
	hpack->target = (struct scrub_target){};
	hpack->state = IN_VALUE;
	if (!hpack->left)
		end_field(hpack);
	else if (hpack->is_path)
		look_at_path(hpack, rest, len);
}

/* The number is whole; what it means depends on where it stood. */
static void take_number(struct scrub_hpack *hpack, const char *rest, size_t len)
{
	if (hpack->next == AT_START) {
		if (!hpack->is_literal) {
			end_field(hpack);
			return;
		}
		hpack->state = hpack->number ? IN_VALUE_LEN : IN_NAME_LEN;
		if (hpack->number)
			take_name_index(hpack, hpack->number);
		return;
	}
	hpack->left = hpack->number;
	if (hpack->next == IN_VALUE_LEN) {
		begin_value(hpack, rest, len);
		return;
	}
	hpack->state = hpack->left ? IN_NAME : IN_VALUE_LEN;
	take_name(hpack, (struct slice){});
}

/* A number begins in the lower @bits of @byte (RFC 7541 section 5.1). */
static void begin_number(struct scrub_hpack *hpack, unsigned char byte, unsigned bits, const char *rest, size_t len)
{
	unsigned most = (1u << bits) - 1;

	hpack->next = hpack->state;
	hpack->number = byte & most;
	hpack->shift = 0;
	hpack->state = IN_NUMBER;
	if (hpack->number < most)
		take_number(hpack, rest, len);
}

static void begin_field(struct scrub_hpack *hpack, unsigned char byte, const char *rest, size_t len)
{
	unsigned bits = byte & 0x80 ? 7 : byte & 0x40 ? 6 : byte & 0x20 ? 5 : 4;

	hpack->is_literal = !(byte & 0x80) && (byte & 0xe0) != 0x20;
	begin_number(hpack, byte, bits, rest, len);
}

static void begin_string(struct scrub_hpack *hpack, unsigned char byte, const char *rest, size_t len)
{
	hpack->is_huffman = byte & 0x80;
	hpack->string_at = hpack->field.len - 1;
	begin_number(hpack, byte, 7, rest, len);
}

static void go_on_number(struct scrub_hpack *hpack, unsigned char byte, const char *rest, size_t len)
{
	/* No number of this size is of use. */
	if (hpack->shift > 21) {
		hpack->state = IN_NOTHING;
		return;
	}
	hpack->number += (uint64_t)(byte & 0x7f) << hpack->shift;
	hpack->shift += 7;
	if (!(byte & 0x80))
		take_number(hpack, rest, len);
}

static void go_on_name(struct scrub_hpack *hpack)
{
	struct slice literal;

	if (--hpack->left)
		return;
	literal = (struct slice){ hpack->field.ptr + hpack->string_at, hpack->field.len - hpack->string_at };
	take_name(hpack, decode(hpack, literal));
	hpack->state = IN_VALUE_LEN;
}

/* One byte, of which there are @len more. What it shall be. */
static char take_byte(struct scrub_hpack *hpack, char byte, const char *rest, size_t len)
{
	switch (hpack->state) {
	case AT_START:
		begin_field(hpack, (unsigned char)byte, rest, len);
		return byte;
	case IN_NAME_LEN:
	case IN_VALUE_LEN:
		begin_string(hpack, (unsigned char)byte, rest, len);
		return byte;
	case IN_NUMBER:
		go_on_number(hpack, (unsigned char)byte, rest, len);
		return byte;
	case IN_NAME:
		go_on_name(hpack);
		return byte;
	case IN_VALUE:
		byte = hide(hpack, byte);
		if (--hpack->left == 0)
			end_field(hpack);
		return byte;
	case IN_NOTHING:
		break;
	}
	return '*';
}

size_t scrub_hpack(struct scrub_hpack *hpack, char *bytes, size_t len)
{
	size_t unsure = 0;

	if (!hpack->inflater && !hpack->field.len)
		renew(hpack);
	for (size_t i = 0; i < len; i++) {
		if (hpack->state != IN_NOTHING && buf_add(&hpack->field, &bytes[i], 1) < 0)
			hpack->state = IN_NOTHING;
		bytes[i] = take_byte(hpack, bytes[i], bytes + i + 1, len - i - 1);
		unsure += hpack->state == IN_NOTHING;
	}
	return unsure;
}

void scrub_hpack_end(struct scrub_hpack *hpack, bool *ret_is_text)
{
	/* It ended in the middle of a field, or made no sense: so does the table. */
	if (hpack->state != AT_START && hpack->inflater)
		give_up_table(hpack);
	buf_done(&hpack->field);
	buf_done(&hpack->decoded);
	inflate(hpack, /* is_last */ true);
	*ret_is_text = hpack->is_text;
	hpack->state = AT_START;
	hpack->is_text = true;
}
