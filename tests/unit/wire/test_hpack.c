/* SPDX-License-Identifier: Apache-2.0 */
/* Header blocks to heads: RFC 7541's own examples, what libnghttp2 compresses, at
 * every split, seen from the beginning or from any later block. */
#include "frames.h"
#include "wire/hpack.h"

static void decode(struct hpack *hpack, struct slice block, size_t cut, struct hpack_block *ret)
{
	cut = MIN(cut, block.len);
	hpack_add(hpack, (struct slice){ block.ptr, cut });
	hpack_add(hpack, (struct slice){ block.ptr + cut, block.len - cut });
	hpack_end(hpack, ret);
}

static void expect_text(const struct hpack_block *block, const char *want, const char *name, size_t cut)
{
	cr_assert_eq(block->fault, HPACK_SOUND, "%s, cut at %zu", name, cut);
	cr_expect(slice_eq(block->head.text, slice_of(want)), "%s, cut at %zu:\n%.*s", name, cut,
		  (int)block->head.text.len, block->head.text.ptr);
}

/* RFC 7541 appendix C.4: three requests of one connection, Huffman-coded. */
static const struct {
	struct slice block;
	const char *want;
} requests[] = {
	{ SLICE("\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff"),
	  "GET / HTTP/2\r\nhost: www.example.com\r\n\r\n" },
	{ SLICE("\x82\x86\x84\xbe\x58\x86\xa8\xeb\x10\x64\x9c\xbf"),
	  "GET / HTTP/2\r\nhost: www.example.com\r\ncache-control: no-cache\r\n\r\n" },
	{ SLICE("\x82\x87\x85\xbf\x40\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf"),
	  "GET /index.html HTTP/2\r\nhost: www.example.com\r\ncustom-key: custom-value\r\n\r\n" },
};

Test(hpack, the_rfcs_requests_hold_at_every_split)
{
	for (size_t cut = 0; cut < 30; cut++) {
		_cleanup_(hpack_free) struct hpack *hpack = hpack_new(/* is_late */ false);
		struct hpack_block block;

		for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
			decode(hpack, requests[i].block, cut, &block);
			expect_text(&block, requests[i].want, "request", cut);
			cr_expect_eq(block.kind, HPACK_REQUEST);
			cr_expect_eq(block.head.major, 2);
			cr_expect_not(block.head.is_partial);
			cr_expect(slice_eq(block.head.method, SLICE("GET")));
			cr_expect_eq(block.head.target.ptr[0], '/');
			hpack_drop_block(hpack);
		}
	}
}

Test(hpack, who_joins_late_knows_what_was_added_since)
{
	static const char *const late[] = {
		"",
		/* Its authority is from before; the rest is told in full. */
		"GET / HTTP/2\r\ncache-control: no-cache\r\n\r\n",
		"GET /index.html HTTP/2\r\ncustom-key: custom-value\r\n\r\n",
	};

	for (size_t first = 1; first < ARRAY_SIZE(requests); first++) {
		_cleanup_(hpack_free) struct hpack *hpack = hpack_new(/* is_late */ true);
		struct hpack_block block;

		for (size_t i = first; i < ARRAY_SIZE(requests); i++) {
			decode(hpack, requests[i].block, 3, &block);
			expect_text(&block, late[i], "late", first);
			cr_expect(block.head.is_partial);
		}
	}
}

#define FIELDS 12

/* Field @j of block @i: some come again in every block, some are new. */
static size_t fields_of(size_t i, char text[FIELDS][2][64], const char *fields[FIELDS][2])
{
	static const char *const fixed[][2] = {
		{ ":method", "POST" }, { ":scheme", "https" }, { ":path", "/v1/chat/completions" },
		{ ":authority", "model.test" }, { "content-type", "application/json" }, { "user-agent", "a test" },
	};
	size_t n = ARRAY_SIZE(fixed);

	for (size_t j = 0; j < n; j++)
		memcpy(fields[j], fixed[j], sizeof(fields[j]));
	for (size_t j = 0; j < FIELDS - n; j++) {
		snprintf(text[j][0], 64, "x-field-%zu", (i * 7 + j) % 23);
		snprintf(text[j][1], 64, "value %zu of some length to fill the table", i / (j + 1));
		fields[n + j][0] = text[j][0];
		fields[n + j][1] = text[j][1];
	}
	return FIELDS;
}

/* What is known is right, and in place; without @late nothing is missing. */
static void check_head(const struct hpack_block *block, const char *fields[FIELDS][2], bool is_partial_ok,
		       size_t at)
{
	size_t known = 0;

	cr_assert_eq(block->fault, HPACK_SOUND, "block %zu", at);
	for (size_t j = 4; j < FIELDS; j++) {
		struct slice value;

		if (!http_field(&block->head, fields[j][0], &value))
			continue;
		known++;
		cr_assert(slice_eq(value, slice_of(fields[j][1])), "block %zu, %s: %.*s", at, fields[j][0],
			  (int)value.len, value.ptr);
	}
	if (!block->head.is_partial)
		cr_assert_eq(known, FIELDS - 4, "block %zu", at);
	cr_assert(is_partial_ok || !block->head.is_partial, "block %zu", at);
	cr_assert(!block->head.method.len || slice_eq(block->head.method, SLICE("POST")));
	cr_assert(!block->head.target.len || slice_eq(block->head.target, SLICE("/v1/chat/completions")));
}

enum { BLOCKS = 120 };

/* @size: of the sender's table, which it announces or not. */
static void join_at_each_block(size_t size, bool is_changed_later)
{
	char text[FIELDS][2][64];
	const char *fields[FIELDS][2];
	struct buf blocks[BLOCKS];
	nghttp2_hd_deflater *deflater;

	nghttp2_hd_deflate_new(&deflater, 64 * 1024);
	if (!is_changed_later)
		nghttp2_hd_deflate_change_table_size(deflater, size);
	for (size_t i = 0; i < BLOCKS; i++) {
		if (is_changed_later && i == BLOCKS / 3)
			nghttp2_hd_deflate_change_table_size(deflater, size);
		blocks[i] = BUF_INIT(MiB);
		add_block(&blocks[i], deflater, (const char *const (*)[2])fields, fields_of(i, text, fields));
	}
	for (size_t first = 0; first < BLOCKS; first += 1 + first / 4) {
		_cleanup_(hpack_free) struct hpack *hpack = hpack_new(/* is_late */ first > 0);
		struct hpack_block block;
		size_t whole = 0;

		for (size_t i = first; i < BLOCKS; i++) {
			fields_of(i, text, fields);
			decode(hpack, buf_slice(&blocks[i]), i % 50, &block);
			check_head(&block, fields, /* is_partial_ok */ first > 0, i);
			whole += !block.head.is_partial;
		}
		cr_expect(first ? true : whole == BLOCKS);
		cr_expect_leq(hpack_size(hpack), 5 * LIMIT_HPACK_TABLE + 8 * KiB, "%zu bytes", hpack_size(hpack));
	}
	for (size_t i = 0; i < BLOCKS; i++)
		buf_done(&blocks[i]);
	nghttp2_hd_deflate_del(deflater);
}

Test(hpack, joined_at_any_block_nothing_that_is_known_is_wrong)
{
	static const size_t sizes[] = { 0, 64, 500, 4096, 16384, 65536 };

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		join_at_each_block(sizes[i], false);
		join_at_each_block(sizes[i], true);
	}
}

Test(hpack, a_block_that_does_not_decode_costs_itself_and_what_it_should_have_added)
{
	static const struct { const char *name; struct slice block; } bad[] = {
		{ "an index beyond the table", SLICE("\x82\xff\xff\xff\x7f") },
		{ "index 0", SLICE("\x80") },
		{ "an end within a literal", SLICE("\x82\x40\x05" "ab") },
		{ "Huffman code of nothing", SLICE("\x82\x40\x84\xff\xff\xff\xff\x01" "a") },
		{ "a table beyond the limit", SLICE("\x3f\xe2\xff\x03" "\x82") },
		{ "an integer without end", SLICE("\x82\x3f\xff\xff\xff\xff\xff\xff\xff\xff\xff") },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bad); i++)
		for (size_t cut = 0; cut <= bad[i].block.len; cut++) {
			_cleanup_(hpack_free) struct hpack *hpack = hpack_new(/* is_late */ false);
			struct hpack_block block;

			decode(hpack, requests[0].block, 0, &block);
			decode(hpack, bad[i].block, cut, &block);
			cr_expect_eq(block.fault, HPACK_SOUND, "%s", bad[i].name);
			cr_expect(block.head.is_partial, "%s", bad[i].name);
			decode(hpack, requests[1].block, 0, &block);
			expect_text(&block, "GET / HTTP/2\r\ncache-control: no-cache\r\n\r\n", bad[i].name, cut);
			cr_expect(block.head.is_partial, "%s: its authority is not known any more", bad[i].name);
		}
}

#define LIT(name_len, name, value_len, value) "\x00" name_len name value_len value
#define GET_ROOT "\x82\x84\x87"		/* :method GET, :path /, :scheme https */

static const struct {
	const char *name;
	struct slice block;
	enum hpack_fault fault;
	enum hpack_kind kind;
	const char *want;
} heads[] = {
	{ "a response", SLICE("\x88" LIT("\3", "x-a", "\1", "b")), HPACK_SOUND, HPACK_RESPONSE, "HTTP/2 200\r\nx-a: b\r\n\r\n" },
	{ "trailers", SLICE(LIT("\3", "x-a", "\1", "b")), HPACK_SOUND, HPACK_FIELDS, "HTTP/2 \r\nx-a: b\r\n\r\n" },
	{ "an empty block", SLICE(""), HPACK_SOUND, HPACK_FIELDS, "HTTP/2 \r\n\r\n" },
	{ "pseudo-headers after others", SLICE(LIT("\3", "x-a", "\1", "b") GET_ROOT), HPACK_SOUND, HPACK_REQUEST,
	  "GET / HTTP/2\r\nx-a: b\r\n\r\n" },
	{ "crumbs of a cookie", SLICE(GET_ROOT LIT("\6", "cookie", "\3", "a=1") LIT("\6", "cookie", "\3", "b=2")), HPACK_SOUND,
	  HPACK_REQUEST, "GET / HTTP/2\r\ncookie: a=1\r\ncookie: b=2\r\n\r\n" },
	{ "CONNECT", SLICE("\x02\7CONNECT" "\x01\4a:44"), HPACK_SOUND, HPACK_REQUEST,
	  "CONNECT a:44 HTTP/2\r\nhost: a:44\r\n\r\n" },
	{ "an empty value", SLICE("\x88" LIT("\3", "x-a", "\0", "")), HPACK_SOUND, HPACK_RESPONSE, "HTTP/2 200\r\nx-a: \r\n\r\n" },
	{ "an LF in a value", SLICE("\x88" LIT("\3", "x-a", "\2", "a\n")), HPACK_MALFORMED, HPACK_RESPONSE, NULL },
	{ "a CR in a value", SLICE("\x88" LIT("\3", "x-a", "\2", "a\r")), HPACK_MALFORMED, HPACK_RESPONSE, NULL },
	{ "a NUL in a value", SLICE("\x88" LIT("\3", "x-a", "\2", "a\0")), HPACK_MALFORMED, HPACK_RESPONSE, NULL },
	{ "a colon in a name", SLICE("\x88" LIT("\3", "x:a", "\1", "a")), HPACK_MALFORMED, HPACK_RESPONSE, NULL },
	{ "an LF in a name", SLICE("\x88" LIT("\3", "x\na", "\1", "a")), HPACK_MALFORMED, HPACK_RESPONSE, NULL },
	{ "a space in a path", SLICE("\x82\x87\x04\3/ a"), HPACK_MALFORMED, HPACK_REQUEST, NULL },
	{ "an LF in a path", SLICE("\x82\x87\x04\3/\na"), HPACK_MALFORMED, HPACK_REQUEST, NULL },
	{ "two paths", SLICE(GET_ROOT "\x85"), HPACK_MALFORMED, HPACK_REQUEST, NULL },
	{ "no path", SLICE("\x82\x87"), HPACK_MALFORMED, HPACK_REQUEST, NULL },
	{ "no method", SLICE("\x84\x87"), HPACK_MALFORMED, HPACK_REQUEST, NULL },
	{ "a status that is none", SLICE("\x08\3abc"), HPACK_MALFORMED, HPACK_RESPONSE, NULL },
	{ "a status out of range", SLICE("\x08\3" "099"), HPACK_MALFORMED, HPACK_RESPONSE, NULL },
};

Test(hpack, heads_have_one_form_at_every_split)
{
	for (size_t i = 0; i < ARRAY_SIZE(heads); i++)
		for (size_t cut = 0; cut <= heads[i].block.len; cut++) {
			_cleanup_(hpack_free) struct hpack *hpack = hpack_new(/* is_late */ false);
			struct hpack_block block;

			decode(hpack, heads[i].block, cut, &block);
			cr_expect_eq(block.fault, heads[i].fault, "%s, cut at %zu", heads[i].name, cut);
			cr_expect_eq(block.kind, heads[i].kind, "%s, cut at %zu", heads[i].name, cut);
			cr_expect_not(block.has_protocol);
			if (heads[i].want)
				expect_text(&block, heads[i].want, heads[i].name, cut);
			/* A faulty head does no harm to the next one. */
			decode(hpack, requests[0].block, cut, &block);
			expect_text(&block, requests[0].want, heads[i].name, cut);
		}
}

Test(hpack, extended_connect_is_told)
{
	_cleanup_(hpack_free) struct hpack *hpack = hpack_new(/* is_late */ false);
	struct hpack_block block;

	decode(hpack, SLICE("\x02\7CONNECT" "\x87\x84\x01\1a" LIT("\x9", ":protocol", "\x9", "websocket")), 0, &block);
	cr_expect_eq(block.fault, HPACK_SOUND);
	cr_expect(block.has_protocol);
}

Test(hpack, limits_end_a_head_but_not_the_table)
{
	_cleanup_(hpack_free) struct hpack *hpack = hpack_new(/* is_late */ false);
	_cleanup_(buf_done) struct buf many = BUF_INIT(MiB), longer = BUF_INIT(MiB);
	_cleanup_(freep) char *value = malloc(LIMIT_HTTP_HEAD);
	const char *fields[][2] = { { ":status", "200" }, { "x-long", value }, { "x-new", "added" } };
	const char *again[][2] = { { ":status", "200" }, { "x-new", "added" } };
	nghttp2_hd_deflater *deflater;
	struct hpack_block block;

	buf_add_text(&many, "\x88");
	for (int i = 0; i < LIMIT_HTTP_HEADERS; i++)
		buf_add(&many, "\0\1a\1b", 5);
	decode(hpack, buf_slice(&many), 7, &block);
	cr_expect_eq(block.fault, HPACK_SOUND, "as many fields as may be");
	buf_add(&many, "\0\1a\1b", 5);
	decode(hpack, buf_slice(&many), 7, &block);
	cr_expect_eq(block.fault, HPACK_TOO_LONG, "one more");

	memset(value, 'v', LIMIT_HTTP_HEAD - 1);
	value[LIMIT_HTTP_HEAD - 1] = '\0';
	nghttp2_hd_deflate_new(&deflater, 4096);
	add_block(&longer, deflater, (const char *const (*)[2])fields, 3);
	decode(hpack, buf_slice(&longer), 7, &block);
	cr_expect_eq(block.fault, HPACK_TOO_LONG);
	buf_reset(&longer);
	add_block(&longer, deflater, (const char *const (*)[2])again, 2);
	cr_expect_leq(longer.len, 2, "by index");
	decode(hpack, buf_slice(&longer), 7, &block);
	expect_text(&block, "HTTP/2 200\r\nx-new: added\r\n\r\n", "behind a head that was too long", 7);
	nghttp2_hd_deflate_del(deflater);
}
