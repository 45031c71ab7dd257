/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From header blocks to heads. Pseudo-header fields are kept apart, because they
 * make the start line, which stands first; other fields are lines at once.
 */
#include "wire/hpack.h"

#include <nghttp2/nghttp2.h>

#include "base/buf.h"
#include "limits.h"

#if NGHTTP2_VERSION_NUM >= 0x013c00	/* 1.60.0: without ssize_t, which is deprecated */
#define inflate_hd nghttp2_hd_inflate_hd3
#else
#define inflate_hd nghttp2_hd_inflate_hd2
#endif

enum {
	TABLE_DEFAULT = 4096,	/* RFC 9113 section 6.5.2 */
	ENTRY_OVERHEAD = 32,	/* RFC 7541 section 4.1: no entry is smaller */
	STATE_GUESS = 4096,	/* the inflater without its entries */
	ENTRY_GUESS = 128,	/* what holds an entry, beside its text */
};

enum pseudo { METHOD, PATH, AUTHORITY, STATUS, PSEUDOS };

static const char *const pseudo_names[PSEUDOS] = { ":method", ":path", ":authority", ":status" };

struct pseudo_value {
	size_t at, len;		/* in hpack.values */
	bool is_known;
};

struct hpack {
	nghttp2_hd_inflater *inflater;	/* NULL: out of memory, or the block is broken */
	size_t primed;			/* table size that the next priming is for; 0: no priming */
	/* Of the block under way: */
	struct pseudo_value pseudo[PSEUDOS];
	struct buf values;		/* of pseudo-headers, in a row */
	struct buf lines;
	struct buf text;		/* what its head points into */
	size_t count;			/* fields */
	bool is_request;		/* :scheme or :protocol, which tell nothing else, were there */
	bool has_protocol;
	bool is_partial;
	bool is_broken;			/* it does not decode: what comes of it is skipped */
	enum hpack_fault fault;
};

/* --- the table -------------------------------------------------------------- */

static bool prime(nghttp2_hd_inflater *inflater, size_t table_size)
{
	/* Literal with indexing, new name, both empty (RFC 7541 section 6.2.1); before
	 * them, the new size (section 6.3: five bits, then seven a byte). */
	static const uint8_t entry[] = { 0x40, 0x00, 0x00 };
	size_t rest = table_size - 31;
	uint8_t size[] = { 0x3f, 0x80 | (rest & 0x7f), 0x80 | (rest >> 7 & 0x7f), rest >> 14 & 0x7f };
	nghttp2_nv nv;
	int flags = 0;

	if (inflate_hd(inflater, &nv, &flags, size, sizeof(size), 0) < 0)
		return false;
	for (size_t i = 0; i < table_size / ENTRY_OVERHEAD; i++)
		if (inflate_hd(inflater, &nv, &flags, entry, sizeof(entry), 0) < 0)
			return false;
	return inflate_hd(inflater, &nv, &flags, NULL, 0, 1) >= 0 &&
	       nghttp2_hd_inflate_end_headers(inflater) == 0;
}

/* A new inflater, if there is memory. */
static void renew(struct hpack *hpack)
{
	if (nghttp2_hd_inflate_new(&hpack->inflater) != 0) {
		hpack->inflater = NULL;
		return;
	}
	if (nghttp2_hd_inflate_change_table_size(hpack->inflater, LIMIT_HPACK_TABLE) == 0 &&
	    (!hpack->primed || prime(hpack->inflater, hpack->primed)))
		return;
	nghttp2_hd_inflate_del(hpack->inflater);
	hpack->inflater = NULL;
}

/* Its table is not the sender's any more. The next one is larger, in case it was
 * too small. */
static void give_up_table(struct hpack *hpack)
{
	nghttp2_hd_inflate_del(hpack->inflater);
	hpack->inflater = NULL;
	hpack->primed = MIN(MAX(hpack->primed * 4, (size_t)TABLE_DEFAULT), (size_t)LIMIT_HPACK_TABLE);
	hpack->is_broken = hpack->is_partial = true;
}

struct hpack *hpack_new(bool is_late)
{
	struct hpack *hpack = calloc(1, sizeof(*hpack));

	if (!hpack)
		return NULL;
	hpack->primed = is_late ? TABLE_DEFAULT : 0;
	hpack->values = hpack->lines = hpack->text = BUF_INIT(LIMIT_HTTP_HEAD);
	renew(hpack);
	if (!hpack->inflater)
		hpack_free(&hpack);
	return hpack;
}

void hpack_drop_block(struct hpack *hpack)
{
	buf_done(&hpack->values);
	buf_done(&hpack->lines);
	buf_done(&hpack->text);
}

void hpack_free(struct hpack **hpackp)
{
	struct hpack *hpack = *hpackp;

	if (!hpack)
		return;
	if (hpack->inflater)
		nghttp2_hd_inflate_del(hpack->inflater);
	hpack_drop_block(hpack);
	free(hpack);
	*hpackp = NULL;
}

size_t hpack_size(const struct hpack *hpack)
{
	size_t size = sizeof(*hpack) + STATE_GUESS;

	if (hpack->inflater)
		size += nghttp2_hd_inflate_get_dynamic_table_size(hpack->inflater) +
			ENTRY_GUESS * (nghttp2_hd_inflate_get_num_table_entries(hpack->inflater) - 61);
	return size;
}

/* --- fields ----------------------------------------------------------------- */

/* As http_head.c reads names; all of them visible ASCII without a colon. */
static bool is_name(struct slice name)
{
	for (size_t i = 0; i < name.len; i++)
		if (name.ptr[i] <= ' ' || name.ptr[i] >= 0x7f || name.ptr[i] == ':')
			return false;
	return true;
}

/* What would end a line, or the text that somebody makes of it. */
static bool is_value(struct slice value)
{
	return !value.len || (!memchr(value.ptr, '\r', value.len) && !memchr(value.ptr, '\n', value.len) &&
			      !memchr(value.ptr, '\0', value.len));
}

static bool is_word(struct slice value)
{
	for (size_t i = 0; i < value.len; i++)
		if ((unsigned char)value.ptr[i] <= ' ' || value.ptr[i] == 0x7f)
			return false;
	return value.len;
}

static void take_pseudo(struct hpack *hpack, struct slice name, struct slice value)
{
	struct pseudo_value *pseudo;

	hpack->is_request |= slice_eq(name, SLICE(":scheme")) || slice_eq(name, SLICE(":protocol"));
	hpack->has_protocol |= slice_eq(name, SLICE(":protocol"));
	for (int i = 0; i < PSEUDOS; i++) {
		if (!slice_eq(name, slice_of(pseudo_names[i])))
			continue;
		pseudo = &hpack->pseudo[i];
		if (pseudo->is_known || !is_word(value)) {
			hpack->fault = HPACK_MALFORMED;
			return;
		}
		*pseudo = (struct pseudo_value){ hpack->values.len, value.len, true };
		buf_add_slice(&hpack->values, value);
	}
}

static void take_line(struct hpack *hpack, struct slice name, struct slice value)
{
	if (!is_name(name)) {
		hpack->fault = HPACK_MALFORMED;
		return;
	}
	if (++hpack->count > LIMIT_HTTP_HEADERS) {
		hpack->fault = HPACK_TOO_LONG;
		return;
	}
	buf_add_slice(&hpack->lines, name);
	buf_add(&hpack->lines, ": ", 2);
	buf_add_slice(&hpack->lines, value);
	buf_add(&hpack->lines, "\r\n", 2);
}

static void check_bufs(struct hpack *hpack)
{
	const struct buf *bufs[] = { &hpack->values, &hpack->lines, &hpack->text };

	for (size_t i = 0; i < ARRAY_SIZE(bufs); i++)
		if (hpack->fault == HPACK_SOUND && !buf_ok(bufs[i]))
			hpack->fault = bufs[i]->is_failed ? HPACK_NO_MEMORY : HPACK_TOO_LONG;
}

/* A faulty block is decoded to its end all the same, for the sake of the table. */
static void take_field(struct hpack *hpack, const nghttp2_nv *nv)
{
	struct slice name = { (const char *)nv->name, nv->namelen };
	struct slice value = { (const char *)nv->value, nv->valuelen };

	if (hpack->fault != HPACK_SOUND)
		return;
	if (!name.len)
		hpack->is_partial = true;
	else if (!is_value(value))
		hpack->fault = HPACK_MALFORMED;
	else if (name.ptr[0] == ':')
		take_pseudo(hpack, name, value);
	else
		take_line(hpack, name, value);
	check_bufs(hpack);
}

/* --- blocks ----------------------------------------------------------------- */

static void inflate(struct hpack *hpack, struct slice bytes, bool is_last)
{
	int flags = 0;
	nghttp2_nv nv;
	ssize_t n;

	if (!hpack->inflater && !hpack->is_broken)
		renew(hpack);
	if (!hpack->inflater) {
		hpack->is_broken = hpack->is_partial = true;
		return;
	}
	do {
		flags = 0;
		n = inflate_hd(hpack->inflater, &nv, &flags, (const uint8_t *)bytes.ptr, bytes.len, is_last);
		if (n < 0) {
			if (n == NGHTTP2_ERR_NOMEM)
				hpack->fault = HPACK_NO_MEMORY;
			give_up_table(hpack);
			return;
		}
		slice_take(&bytes, (size_t)n);
		if (flags & NGHTTP2_HD_INFLATE_EMIT)
			take_field(hpack, &nv);
	} while (flags & NGHTTP2_HD_INFLATE_EMIT || (bytes.len && !(flags & NGHTTP2_HD_INFLATE_FINAL)));
	if (flags & NGHTTP2_HD_INFLATE_FINAL)
		nghttp2_hd_inflate_end_headers(hpack->inflater);
}

void hpack_add(struct hpack *hpack, struct slice bytes)
{
	if (bytes.len && !hpack->is_broken)
		inflate(hpack, bytes, /* is_last */ false);
}

static struct slice pseudo_of(const struct hpack *hpack, enum pseudo pseudo)
{
	const struct pseudo_value *value = &hpack->pseudo[pseudo];

	return value->is_known ? (struct slice){ hpack->values.ptr + value->at, value->len }
			       : (struct slice){ "", 0 };
}

static enum hpack_kind kind_of(const struct hpack *hpack)
{
	if (hpack->pseudo[STATUS].is_known)
		return HPACK_RESPONSE;
	return hpack->is_request || hpack->pseudo[METHOD].is_known || hpack->pseudo[PATH].is_known ||
	       hpack->pseudo[AUTHORITY].is_known ? HPACK_REQUEST : HPACK_FIELDS;
}

static bool read_status(struct slice text, unsigned *ret)
{
	unsigned status = 0;

	if (text.len != 3)
		return false;
	for (size_t i = 0; i < text.len; i++) {
		if (text.ptr[i] < '0' || text.ptr[i] > '9')
			return false;
		status = status * 10 + (unsigned)(text.ptr[i] - '0');
	}
	*ret = status;
	return status >= 100 && status <= 599;
}

/* The start line, with *ret's slices into it as offsets from its beginning. */
static void write_start(struct hpack *hpack, enum hpack_kind kind, struct http_head *ret)
{
	struct slice method = pseudo_of(hpack, METHOD), path = pseudo_of(hpack, PATH);
	struct slice authority = pseudo_of(hpack, AUTHORITY), status = pseudo_of(hpack, STATUS);

	/* CONNECT has no path: its target is the authority (RFC 9113 section 8.5). */
	if (slice_eq(method, SLICE("CONNECT")) && !path.len)
		path = authority;
	if (kind == HPACK_REQUEST) {
		buf_add_slice(&hpack->text, method);
		buf_add_char(&hpack->text, ' ');
		buf_add_slice(&hpack->text, path);
		buf_add_text(&hpack->text, " HTTP/2\r\n");
		ret->method.len = method.len;
		ret->target.len = path.len;
	} else {
		buf_add_text(&hpack->text, "HTTP/2 ");
		buf_add_slice(&hpack->text, status);
		buf_add_text(&hpack->text, "\r\n");
	}
	ret->fields.len = hpack->text.len;
	if (authority.len) {
		buf_add_text(&hpack->text, "host: ");
		buf_add_slice(&hpack->text, authority);
		buf_add_text(&hpack->text, "\r\n");
	}
}

/* Only now does the text stay where it is. */
static void write_head(struct hpack *hpack, struct hpack_block *block)
{
	struct http_head head = { .major = 2, .is_partial = hpack->is_partial };
	size_t start;

	write_start(hpack, block->kind, &head);
	buf_add_slice(&hpack->text, buf_slice(&hpack->lines));
	buf_add_text(&hpack->text, "\r\n");
	check_bufs(hpack);
	if (block->kind == HPACK_RESPONSE && !read_status(pseudo_of(hpack, STATUS), &head.status))
		hpack->fault = HPACK_MALFORMED;
	if (hpack->fault != HPACK_SOUND)
		return;
	start = head.fields.len;
	head.text = buf_slice(&hpack->text);
	head.method.ptr = head.text.ptr;
	head.target.ptr = head.text.ptr + head.method.len + (block->kind == HPACK_REQUEST);
	head.fields = (struct slice){ head.text.ptr + start, head.text.len - start - 2 };
	block->head = head;
}

static bool lacks_pseudo(const struct hpack *hpack, enum hpack_kind kind)
{
	bool is_connect = slice_eq(pseudo_of(hpack, METHOD), SLICE("CONNECT"));

	return kind == HPACK_REQUEST && (!hpack->pseudo[METHOD].is_known ||
					 (!hpack->pseudo[PATH].is_known && !is_connect));
}

static void forget_block(struct hpack *hpack)
{
	memset(hpack->pseudo, 0, sizeof(hpack->pseudo));
	buf_reset(&hpack->values);
	buf_reset(&hpack->lines);
	hpack->count = 0;
	hpack->is_request = hpack->has_protocol = hpack->is_partial = hpack->is_broken = false;
	hpack->fault = HPACK_SOUND;
}

void hpack_end(struct hpack *hpack, struct hpack_block *ret)
{
	struct hpack_block block = {};

	if (!hpack->is_broken)
		inflate(hpack, (struct slice){}, /* is_last */ true);
	block.kind = kind_of(hpack);
	block.has_protocol = hpack->has_protocol;
	buf_reset(&hpack->text);
	if (hpack->fault == HPACK_SOUND && !hpack->is_partial && lacks_pseudo(hpack, block.kind))
		hpack->fault = HPACK_MALFORMED;
	if (hpack->fault == HPACK_SOUND)
		write_head(hpack, &block);
	block.fault = hpack->fault;
	forget_block(hpack);
	*ret = block;
}
