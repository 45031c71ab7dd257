/* SPDX-License-Identifier: Apache-2.0 */
/* One reader for all framings: which it is, and the reader of that one. */
#include "wire/stream.h"

struct stream_reader {
	enum framing framing;
	struct sse_reader sse;
};

/* Less its parameters. */
static struct slice media_type(struct slice content_type)
{
	const char *end = content_type.len ? memchr(content_type.ptr, ';', content_type.len) : NULL;

	if (end)
		content_type.len = (size_t)(end - content_type.ptr);
	return slice_trim(content_type);
}

enum framing framing_of(struct slice content_type)
{
	return slice_eq_nocase(media_type(content_type), SLICE("text/event-stream")) ? FRAMING_SSE
										      : FRAMING_BODY;
}

struct stream_reader *stream_new(enum framing framing, struct slice content_type)
{
	struct stream_reader *reader = calloc(1, sizeof(*reader));

	(void)content_type;
	if (!reader)
		return NULL;
	reader->framing = framing;
	sse_init(&reader->sse);
	return reader;
}

void stream_free(struct stream_reader **readerp)
{
	if (!*readerp)
		return;
	sse_done(&(*readerp)->sse);
	free(*readerp);
	*readerp = NULL;
}

static void give(const struct sse_event *sse, struct stream_event *ret)
{
	*ret = (struct stream_event){ .type = sse->type, .data = sse->data };
}

enum parse stream_next(struct stream_reader *reader, struct slice *in, struct stream_event *ret)
{
	struct sse_event event;
	enum parse parse = sse_next(&reader->sse, in, &event);

	if (parse == PARSE_ITEM)
		give(&event, ret);
	return parse;
}

bool stream_gap(struct stream_reader *reader, uint64_t n)
{
	(void)n;
	sse_gap(&reader->sse);
	return true;
}

enum parse stream_eof(struct stream_reader *reader, struct stream_event *ret)
{
	struct sse_event event;
	enum parse parse = sse_eof(&reader->sse, &event);

	if (parse == PARSE_ITEM)
		give(&event, ret);
	return parse;
}

struct stream_losses stream_take_losses(struct stream_reader *reader)
{
	struct stream_losses losses = { reader->sse.dropped, reader->sse.is_failed };

	reader->sse.dropped = 0;
	reader->sse.is_failed = false;
	return losses;
}
