/* SPDX-License-Identifier: Apache-2.0 */
/* Every framing of a body: the same events whole and in pieces, and no harm from gaps. */
#include "fuzz.h"
#include "wire/stream.h"

#define CONTENT_TYPE SLICE("multipart/form-data; boundary=b")

static const enum framing framings[] = {
	FRAMING_SSE, FRAMING_MULTIPART, FRAMING_OPAQUE, FRAMING_NDJSON, FRAMING_JSON_ARRAY,
	FRAMING_EVENTSTREAM,
};

static void add_event(uint64_t *digest, const struct stream_event *event)
{
	digest_slice(digest, event->type);
	digest_word(digest, event->is_exception | event->is_cut << 1);
	if (!event->note) {
		digest_slice(digest, event->data);
		return;
	}
	digest_slice(digest, event->note->filename);
	digest_slice(digest, event->note->content_type);
	digest_word(digest, event->note->size);
	digest_slice(digest, slice_of(event->note->sha256));
}

static uint64_t read_all(enum framing framing, struct slice in, size_t step)
{
	struct stream_reader *reader = stream_new(framing, CONTENT_TYPE);
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
	while (parse != PARSE_BAD && (parse = stream_eof(reader, &event)) == PARSE_ITEM)
		add_event(&digest, &event);
	digest_word(&digest, parse);
	stream_free(&reader);
	return digest;
}

/* A hole somewhere: events may be missing, nothing may break. */
static void read_with_gap(enum framing framing, struct slice in, size_t at, size_t n)
{
	struct stream_reader *reader = stream_new(framing, CONTENT_TYPE);
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

	for (size_t i = 0; i < ARRAY_SIZE(framings); i++) {
		FUZZ_CHECK(read_all(framings[i], fuzz.in, 0) == read_all(framings[i], fuzz.in, step));
		read_with_gap(framings[i], fuzz.in, at, n);
	}
	return 0;
}
