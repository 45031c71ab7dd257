/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1 messages of both sides: the same items whole and in pieces, and over gaps. */
#include "fuzz.h"
#include "limits.h"
#include "wire/http1.h"

static void add_item(uint64_t *digest, struct http1_reader *reader, const struct http1_item *item)
{
	struct slice fields = item->head.fields, name, value;

	/* Body bytes come in other pieces: only what they are together counts. */
	if (item->type == HTTP1_BODY) {
		digest_add(digest, item->body.ptr, item->body.len);
		return;
	}
	digest_word(digest, item->type);
	if (item->type != HTTP1_HEAD)
		return;
	digest_slice(digest, item->head.method);
	digest_slice(digest, item->head.target);
	digest_word(digest, item->head.status);
	while (http_field_next(&fields, &name, &value)) {
		digest_slice(digest, name);
		digest_slice(digest, value);
	}
	if (reader->side == HTTP1_RESPONSE)
		http1_answers(reader, SLICE("POST"));
}

static enum parse read_some(struct http1_reader *reader, struct slice *in, uint64_t *digest)
{
	struct http1_item item;
	enum parse parse;

	while ((parse = http1_next(reader, in, &item)) == PARSE_ITEM)
		add_item(digest, reader, &item);
	return parse;
}

static uint64_t read_all(enum http1_side side, struct slice in, size_t step)
{
	_cleanup_(buf_done) struct buf residue = BUF_INIT(2 * LIMIT_HTTP_HEAD);
	struct http1_reader reader;
	enum parse parse = PARSE_MORE;
	uint64_t digest = 0;

	http1_init(&reader, side);
	while (in.len && parse != PARSE_BAD && reader.state != HTTP1_TUNNEL) {
		struct slice piece = fuzz_piece(&in, step), rest;

		buf_add_slice(&residue, piece);
		FUZZ_CHECK(buf_ok(&residue));
		rest = buf_slice(&residue);
		parse = read_some(&reader, &rest, &digest);
		buf_consume(&residue, residue.len - rest.len);
	}
	digest_word(&digest, parse);
	return digest;
}

static void read_with_gap(enum http1_side side, struct slice in, size_t at, size_t n)
{
	struct slice front = slice_take(&in, MIN(at, in.len));
	struct http1_reader reader;
	uint64_t digest = 0;

	http1_init(&reader, side);
	if (read_some(&reader, &front, &digest) == PARSE_BAD || front.len)
		return;
	slice_take(&in, MIN(n, in.len));
	if (http1_gap(&reader, n))
		read_some(&reader, &in, &digest);
	http1_eof(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz fuzz = { { (const char *)data, MIN(size, (size_t)LIMIT_HTTP_HEAD) } };
	size_t step = 1 + fuzz_byte(&fuzz) % 61, at = fuzz_byte(&fuzz), n = 1 + fuzz_byte(&fuzz);

	for (enum http1_side side = HTTP1_REQUEST; side <= HTTP1_RESPONSE; side++) {
		FUZZ_CHECK(read_all(side, fuzz.in, 0) == read_all(side, fuzz.in, step));
		read_with_gap(side, fuzz.in, at, n);
		http1_looks_like(side, fuzz.in);
		http1_may_become(side, fuzz.in);
	}
	return 0;
}
