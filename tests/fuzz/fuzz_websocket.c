/* SPDX-License-Identifier: Apache-2.0 */
/* One direction of a WebSocket, compressed or not: the same messages whole and in pieces,
 * and no harm from gaps. */
#include "fuzz.h"
#include "limits.h"
#include "wire/websocket.h"

static void add_event(uint64_t *digest, const struct stream_event *event)
{
	digest_word(digest, event->is_binary);
	digest_slice(digest, event->data);
}

static void add_end(uint64_t *digest, struct stream_reader *reader, enum parse parse)
{
	struct slice reason = {};
	unsigned code = 0;

	digest_word(digest, parse);
	if (parse == PARSE_BAD)
		digest_word(digest, stream_failure(reader));
	digest_word(digest, stream_close(reader, &code, &reason));
	digest_word(digest, code);
	digest_slice(digest, reason);
	digest_word(digest, stream_take_losses(reader).dropped);
	FUZZ_CHECK(stream_memory(reader) <= LIMIT_WEBSOCKET_MESSAGE + 64 * KiB);
}

static uint64_t read_all(const struct websocket_params *params, struct slice in, size_t step)
{
	struct stream_reader *reader = stream_new_websocket(params);
	enum parse parse = PARSE_MORE;
	struct stream_event event;
	uint64_t digest = 0;

	FUZZ_CHECK(reader);
	while (in.len && parse != PARSE_BAD) {
		struct slice piece = fuzz_piece(&in, step);

		while ((parse = stream_next(reader, &piece, &event)) == PARSE_ITEM)
			add_event(&digest, &event);
		FUZZ_CHECK(parse == PARSE_BAD || !piece.len);
	}
	add_end(&digest, reader, parse);
	stream_free(&reader);
	return digest;
}

/* A hole somewhere: messages may be missing, nothing may break. */
static void read_with_gap(const struct websocket_params *params, struct slice in, size_t at, size_t n)
{
	struct stream_reader *reader = stream_new_websocket(params);
	struct slice front = slice_take(&in, MIN(at, in.len));
	struct stream_event event;
	enum parse parse;

	FUZZ_CHECK(reader);
	while ((parse = stream_next(reader, &front, &event)) == PARSE_ITEM)
		;
	slice_take(&in, MIN(n, in.len));
	if (parse != PARSE_BAD && stream_gap(reader, n))
		while ((parse = stream_next(reader, &in, &event)) == PARSE_ITEM)
			;
	stream_free(&reader);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz fuzz = { { (const char *)data, size } };
	size_t step = 1 + fuzz_byte(&fuzz) % 17, at = fuzz_byte(&fuzz), n = 1 + fuzz_byte(&fuzz);
	unsigned how = fuzz_byte(&fuzz);
	/* Agreed always: frames that are not compressed may come all the same. */
	struct websocket_params params = { how & 1, { true, how & 2 } };

	FUZZ_CHECK(read_all(&params, fuzz.in, 0) == read_all(&params, fuzz.in, step));
	read_with_gap(&params, fuzz.in, at, n);
	return 0;
}
