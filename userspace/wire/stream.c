/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One reader for all framings: which it is, and the reader of that one. A framing
 * is an entry of the table, and its functions, which bring what its own reader
 * says into the common form.
 */
#include "wire/stream.h"

#include "limits.h"
#include "wire/eventstream.h"
#include "wire/json_array.h"
#include "wire/media.h"
#include "wire/multipart.h"
#include "wire/ndjson.h"

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
		struct ndjson_reader ndjson;
		struct json_array_reader json_array;
		struct eventstream_reader eventstream;
	};
};

/* A reader's size up to the end of its member of the union: the smallest framing, of
 * which there are the most, does not pay for the largest. */
#define SIZE_WITH(member) (offsetof(struct stream_reader, member) + sizeof(((struct stream_reader *)NULL)->member))

/* cut may be NULL: then there is nothing to tell. */
struct framing_ops {
	size_t size;		/* of the reader, as SIZE_WITH says */
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

/* --- those whose own form is the common one ---------------------------------- */

static struct stream_losses take_losses(struct stream_losses *losses)
{
	struct stream_losses taken = *losses;

	*losses = (struct stream_losses){ 0 };
	return taken;
}

static void ndjson_begin(struct stream_reader *reader, struct slice content_type)
{
	(void)content_type;
	ndjson_init(&reader->ndjson);
}

static void ndjson_end(struct stream_reader *reader)
{
	ndjson_done(&reader->ndjson);
}

static enum parse next_ndjson(struct stream_reader *reader, struct slice *in, struct stream_event *ret)
{
	return ndjson_next(&reader->ndjson, in, ret);
}

static bool gap_ndjson(struct stream_reader *reader, uint64_t n)
{
	(void)n;
	ndjson_gap(&reader->ndjson);
	return true;
}

static enum parse eof_ndjson(struct stream_reader *reader, struct stream_event *ret)
{
	return ndjson_eof(&reader->ndjson, ret);
}

static struct stream_losses take_ndjson_losses(struct stream_reader *reader)
{
	return take_losses(&reader->ndjson.losses);
}

static void json_array_begin(struct stream_reader *reader, struct slice content_type)
{
	(void)content_type;
	json_array_init(&reader->json_array);
}

static void json_array_end(struct stream_reader *reader)
{
	json_array_done(&reader->json_array);
}

static enum parse next_json_array(struct stream_reader *reader, struct slice *in, struct stream_event *ret)
{
	return json_array_next(&reader->json_array, in, ret);
}

static bool gap_json_array(struct stream_reader *reader, uint64_t n)
{
	return json_array_gap(&reader->json_array, n);
}

static enum parse eof_json_array(struct stream_reader *reader, struct stream_event *ret)
{
	return json_array_eof(&reader->json_array, ret);
}

static struct stream_losses take_json_array_losses(struct stream_reader *reader)
{
	return take_losses(&reader->json_array.losses);
}

static void eventstream_begin(struct stream_reader *reader, struct slice content_type)
{
	(void)content_type;
	eventstream_init(&reader->eventstream);
}

static void eventstream_end(struct stream_reader *reader)
{
	eventstream_done(&reader->eventstream);
}

static enum parse next_eventstream(struct stream_reader *reader, struct slice *in, struct stream_event *ret)
{
	return eventstream_next(&reader->eventstream, in, ret);
}

static bool gap_eventstream(struct stream_reader *reader, uint64_t n)
{
	return eventstream_gap(&reader->eventstream, n);
}

static enum parse eof_eventstream(struct stream_reader *reader, struct stream_event *ret)
{
	return eventstream_eof(&reader->eventstream, ret);
}

static struct stream_losses take_eventstream_losses(struct stream_reader *reader)
{
	return take_losses(&reader->eventstream.losses);
}

/* --- all of them ------------------------------------------------------------ */

static const struct framing_ops ops[] = {
	[FRAMING_SSE] = { SIZE_WITH(sse), sse_begin, sse_end, next_sse, gap_sse, eof_sse, NULL, take_sse_losses },
	[FRAMING_MULTIPART] = { SIZE_WITH(multipart), multipart_begin, multipart_end, next_part, gap_part, eof_part,
				cut_part, take_part_losses },
	[FRAMING_OPAQUE] = { SIZE_WITH(opaque), opaque_begin, opaque_end, next_opaque, gap_opaque, eof_opaque,
			     cut_opaque, take_opaque_losses },
	[FRAMING_NDJSON] = { SIZE_WITH(ndjson), ndjson_begin, ndjson_end, next_ndjson, gap_ndjson, eof_ndjson,
			     NULL, take_ndjson_losses },
	[FRAMING_JSON_ARRAY] = { SIZE_WITH(json_array), json_array_begin, json_array_end, next_json_array,
				 gap_json_array, eof_json_array, NULL, take_json_array_losses },
	[FRAMING_EVENTSTREAM] = { SIZE_WITH(eventstream), eventstream_begin, eventstream_end, next_eventstream,
				  gap_eventstream, eof_eventstream, NULL, take_eventstream_losses },
};

/* Media types that say how a body is framed; those of media are media.c's. */
static const struct {
	const char *type;
	enum framing framing;
} types[] = {
	{ "text/event-stream", FRAMING_SSE },
	{ "application/x-ndjson", FRAMING_NDJSON },
	{ "application/ndjson", FRAMING_NDJSON },
	{ "application/jsonl", FRAMING_NDJSON },
	{ "application/x-jsonlines", FRAMING_NDJSON },
	{ "application/stream+json", FRAMING_NDJSON },
	{ "multipart/form-data", FRAMING_MULTIPART },
	{ "application/vnd.amazon.eventstream", FRAMING_EVENTSTREAM },
};

enum framing framing_of(struct slice content_type)
{
	struct slice type = media_type(content_type);

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (slice_eq_nocase(type, slice_of(types[i].type)))
			return types[i].framing;
	return media_is_type(content_type) ? FRAMING_OPAQUE : FRAMING_BODY;
}

struct stream_reader *stream_new(enum framing framing, struct slice content_type)
{
	struct stream_reader *reader;

	assert(framing < ARRAY_SIZE(ops) && ops[framing].next);
	reader = calloc(1, ops[framing].size);
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
