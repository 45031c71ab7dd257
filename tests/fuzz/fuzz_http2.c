/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2 frames and header blocks: the same items whole and in pieces, and over gaps. */
#include "fuzz.h"
#include "limits.h"
#include "wire/hpack.h"
#include "wire/http2.h"

struct reading {
	struct http2_reader reader;
	struct hpack *hpack;
	uint64_t digest;
};

static void add_block(struct reading *reading)
{
	struct hpack_block block;
	struct slice fields, name, value;

	hpack_end(reading->hpack, &block);
	digest_word(&reading->digest, (uint64_t)block.fault << 8 | block.kind);
	if (block.fault != HPACK_SOUND)
		return;
	digest_slice(&reading->digest, block.head.text);
	fields = block.head.fields;
	while (http_field_next(&fields, &name, &value))
		FUZZ_CHECK(name.len || block.head.is_partial);
}

static void add_item(struct reading *reading, const struct http2_item *item)
{
	if (item->type == HTTP2_BLOCK) {
		hpack_add(reading->hpack, item->bytes);
		return;
	}
	if (item->type == HTTP2_DATA) {
		digest_add(&reading->digest, item->bytes.ptr, item->bytes.len);
		return;
	}
	digest_word(&reading->digest, (uint64_t)item->type << 32 | item->stream_id);
	if (item->type == HTTP2_BLOCK_END)
		add_block(reading);
}

static enum parse read_some(struct reading *reading, struct slice *in)
{
	struct http2_item item;
	enum parse parse;

	while ((parse = http2_next(&reading->reader, in, &item)) == PARSE_ITEM)
		add_item(reading, &item);
	return parse;
}

static uint64_t read_all(struct slice in, size_t step, bool is_late)
{
	_cleanup_(buf_done) struct buf residue = BUF_INIT(2 * LIMIT_HTTP_HEAD);
	struct reading reading = { .hpack = hpack_new(is_late) };
	enum parse parse = PARSE_MORE;

	FUZZ_CHECK(reading.hpack);
	http2_init(&reading.reader, /* is_preface */ slice_starts(in, SLICE("PRI")));
	while (in.len && parse != PARSE_BAD) {
		struct slice rest;

		buf_add_slice(&residue, fuzz_piece(&in, step));
		FUZZ_CHECK(buf_ok(&residue));
		rest = buf_slice(&residue);
		parse = read_some(&reading, &rest);
		buf_consume(&residue, residue.len - rest.len);
	}
	hpack_free(&reading.hpack);
	digest_word(&reading.digest, parse);
	return reading.digest;
}

static void read_with_gap(struct slice in, size_t at, size_t n)
{
	struct reading reading = { .hpack = hpack_new(/* is_late */ true) };
	struct slice front = slice_take(&in, MIN(at, in.len));
	uint64_t body;
	uint32_t id;

	FUZZ_CHECK(reading.hpack);
	http2_init(&reading.reader, /* is_preface */ false);
	if (read_some(&reading, &front) != PARSE_BAD && !front.len) {
		slice_take(&in, MIN(n, in.len));
		if (http2_gap(&reading.reader, n, &id, &body))
			read_some(&reading, &in);
	}
	hpack_free(&reading.hpack);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz fuzz = { { (const char *)data, MIN(size, (size_t)LIMIT_HTTP_HEAD) } };
	size_t step = 1 + fuzz_byte(&fuzz) % 61, at = fuzz_byte(&fuzz), n = 1 + fuzz_byte(&fuzz);
	bool is_late = fuzz_byte(&fuzz) & 1;

	FUZZ_CHECK(read_all(fuzz.in, 0, is_late) == read_all(fuzz.in, step, is_late));
	read_with_gap(fuzz.in, at, n);
	http2_looks_like(fuzz.in);
	http2_may_become(fuzz.in);
	return 0;
}
