/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One reader for all framings: which it is, and the reader of that one. A framing
 * is an entry of the table, and its functions, which bring what its own reader
 * says into the common form.
 */
#include "wire/stream.h"

#include "limits.h"
#include "wire/media.h"
#include "wire/multipart.h"

struct opaque_reader {
	struct media media;
	struct buf content_type;
	struct stream_note note;
	bool is_told;
};

struct stream_reader {
	const struct framing_ops *ops;
	union {
		struct sse_reader sse;
		struct multipart_reader multipart;
		struct opaque_reader opaque;
	};
};

/* cut may be NULL: then there is nothing to tell. */
struct framing_ops {
	void (*init)(struct stream_reader *reader, struct slice content_type);
	void (*done)(struct stream_reader *reader);
	enum parse (*next)(struct stream_reader *reader, struct slice *in, struct stream_event *ret);
	bool (*gap)(struct stream_reader *reader, uint64_t n);
	enum parse (*eof)(struct stream_reader *reader, struct stream_event *ret);
	enum parse (*cut)(struct stream_reader *reader, struct stream_event *ret);
	struct stream_losses (*take_losses)(struct stream_reader *reader);
};

/* --- server-sent events ----------------------------------------------------- */

static void sse_begin(struct stream_reader *reader, struct slice content_type)
{
	(void)content_type;
	sse_init(&reader->sse);
}

static void sse_end(struct stream_reader *reader)
{
	sse_done(&reader->sse);
}

static enum parse give_sse(enum parse parse, const struct sse_event *event, struct stream_event *ret)
{
	if (parse == PARSE_ITEM)
		*ret = (struct stream_event){ .type = event->type, .data = event->data };
	return parse;
}

static enum parse next_sse(struct stream_reader *reader, struct slice *in, struct stream_event *ret)
{
	struct sse_event event;
	enum parse parse = sse_next(&reader->sse, in, &event);

	return give_sse(parse, &event, ret);
}

static bool gap_sse(struct stream_reader *reader, uint64_t n)
{
	(void)n;
	sse_gap(&reader->sse);
	return true;
}

static enum parse eof_sse(struct stream_reader *reader, struct stream_event *ret)
{
	struct sse_event event;
	enum parse parse = sse_eof(&reader->sse, &event);

	return give_sse(parse, &event, ret);
}

static struct stream_losses take_sse_losses(struct stream_reader *reader)
{
	struct stream_losses losses = { reader->sse.dropped, reader->sse.is_failed };

	reader->sse.dropped = 0;
	reader->sse.is_failed = false;
	return losses;
}

/* --- forms ------------------------------------------------------------------- */

static void multipart_begin(struct stream_reader *reader, struct slice content_type)
{
	multipart_init(&reader->multipart, content_type);
}

static void multipart_end(struct stream_reader *reader)
{
	multipart_done(&reader->multipart);
}

static enum parse next_part(struct stream_reader *reader, struct slice *in, struct stream_event *ret)
{
	return multipart_next(&reader->multipart, in, ret);
}

static bool gap_part(struct stream_reader *reader, uint64_t n)
{
	(void)n;
	multipart_gap(&reader->multipart);
	return true;
}

static enum parse eof_part(struct stream_reader *reader, struct stream_event *ret)
{
	return multipart_eof(&reader->multipart, ret);
}

static enum parse cut_part(struct stream_reader *reader, struct stream_event *ret)
{
	return multipart_cut(&reader->multipart, ret);
}

static struct stream_losses take_part_losses(struct stream_reader *reader)
{
	struct stream_losses losses = { reader->multipart.dropped, reader->multipart.is_failed };

	reader->multipart.dropped = 0;
	reader->multipart.is_failed = false;
	return losses;
}

/* --- media ------------------------------------------------------------------ */

static void opaque_begin(struct stream_reader *reader, struct slice content_type)
{
	struct opaque_reader *opaque = &reader->opaque;

	*opaque = (struct opaque_reader){ .content_type = BUF_INIT(LIMIT_MEDIA_TYPE) };
	buf_add_slice(&opaque->content_type, content_type);
}

static void opaque_end(struct stream_reader *reader)
{
	media_reset(&reader->opaque.media);
	buf_done(&reader->opaque.content_type);
}

static enum parse next_opaque(struct stream_reader *reader, struct slice *in, struct stream_event *ret)
{
	(void)ret;
	media_add(&reader->opaque.media, slice_take(in, in->len));
	return PARSE_MORE;
}

static bool gap_opaque(struct stream_reader *reader, uint64_t n)
{
	(void)n;
	media_gap(&reader->opaque.media);
	return true;
}

static enum parse eof_opaque(struct stream_reader *reader, struct stream_event *ret)
{
	struct opaque_reader *opaque = &reader->opaque;

	if (opaque->is_told)
		return PARSE_MORE;
	opaque->is_told = true;
	opaque->note = (struct stream_note){
		.content_type = buf_slice(&opaque->content_type),
		.size = opaque->media.size,
		.is_incomplete = opaque->media.has_gap,
	};
	media_hash(&opaque->media, opaque->note.sha256);
	*ret = (struct stream_event){ .note = &opaque->note };
	return PARSE_ITEM;
}

static enum parse cut_opaque(struct stream_reader *reader, struct stream_event *ret)
{
	media_gap(&reader->opaque.media);
	return eof_opaque(reader, ret);
}

static struct stream_losses take_opaque_losses(struct stream_reader *reader)
{
	return (struct stream_losses){ .is_failed = media_take_failure(&reader->opaque.media) };
}

/* --- all of them ------------------------------------------------------------ */

static const struct framing_ops ops[] = {
	[FRAMING_SSE] = { sse_begin, sse_end, next_sse, gap_sse, eof_sse, NULL, take_sse_losses },
	[FRAMING_MULTIPART] = { multipart_begin, multipart_end, next_part, gap_part, eof_part, cut_part,
				take_part_losses },
	[FRAMING_OPAQUE] = { opaque_begin, opaque_end, next_opaque, gap_opaque, eof_opaque, cut_opaque,
			     take_opaque_losses },
};

enum framing framing_of(struct slice content_type)
{
	struct slice type = media_type(content_type);

	if (slice_eq_nocase(type, SLICE("text/event-stream")))
		return FRAMING_SSE;
	if (slice_eq_nocase(type, SLICE("multipart/form-data")))
		return FRAMING_MULTIPART;
	return media_is_type(content_type) ? FRAMING_OPAQUE : FRAMING_BODY;
}

struct stream_reader *stream_new(enum framing framing, struct slice content_type)
{
	struct stream_reader *reader = calloc(1, sizeof(*reader));

	assert(framing < ARRAY_SIZE(ops) && ops[framing].next);
	if (!reader)
		return NULL;
	reader->ops = &ops[framing];
	reader->ops->init(reader, content_type);
	return reader;
}

void stream_free(struct stream_reader **readerp)
{
	if (!*readerp)
		return;
	(*readerp)->ops->done(*readerp);
	free(*readerp);
	*readerp = NULL;
}

enum parse stream_next(struct stream_reader *reader, struct slice *in, struct stream_event *ret)
{
	return reader->ops->next(reader, in, ret);
}

bool stream_gap(struct stream_reader *reader, uint64_t n)
{
	return reader->ops->gap(reader, n);
}

enum parse stream_eof(struct stream_reader *reader, struct stream_event *ret)
{
	return reader->ops->eof(reader, ret);
}

enum parse stream_cut(struct stream_reader *reader, struct stream_event *ret)
{
	return reader->ops->cut ? reader->ops->cut(reader, ret) : PARSE_MORE;
}

struct stream_losses stream_take_losses(struct stream_reader *reader)
{
	return reader->ops->take_losses(reader);
}
