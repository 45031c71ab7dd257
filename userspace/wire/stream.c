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
#include "wire/websocket.h"

struct opaque_reader {
	struct media media;
	struct buf content_type;
	struct stream_note note;
	bool is_told;
};

struct stream_reader {
	const struct framing_ops *ops;
	max_align_t state[];	/* the framing's reader, of its size: most streams are of the smallest */
};

/* init: of those that need no more than a content type. cut may be NULL: then there is
 * nothing to tell. */
struct framing_ops {
	size_t size;		/* of its reader, which is what the functions get */
	void (*init)(void *state, struct slice content_type);
	void (*done)(void *state);
	enum parse (*next)(void *state, struct slice *in, struct stream_event *ret);
	bool (*gap)(void *state, uint64_t n);
	enum parse (*eof)(void *state, struct stream_event *ret);
	enum parse (*cut)(void *state, struct stream_event *ret);
	struct stream_losses (*take_losses)(void *state);
	size_t (*memory)(const void *state);
};

/* --- server-sent events ----------------------------------------------------- */

static void sse_begin(void *state, struct slice content_type)
{
	(void)content_type;
	sse_init(state);
}

static void sse_end(void *state)
{
	sse_done(state);
}

static enum parse give_sse(enum parse parse, const struct sse_event *event, struct stream_event *ret)
{
	if (parse == PARSE_ITEM)
		*ret = (struct stream_event){ .type = event->type, .data = event->data };
	return parse;
}

static enum parse next_sse(void *state, struct slice *in, struct stream_event *ret)
{
	struct sse_event event;
	enum parse parse = sse_next(state, in, &event);

	return give_sse(parse, &event, ret);
}

static bool gap_sse(void *state, uint64_t n)
{
	(void)n;
	sse_gap(state);
	return true;
}

static enum parse eof_sse(void *state, struct stream_event *ret)
{
	struct sse_event event;
	enum parse parse = sse_eof(state, &event);

	return give_sse(parse, &event, ret);
}

static struct stream_losses take_sse_losses(void *state)
{
	struct sse_reader *sse = state;
	struct stream_losses losses = { sse->dropped, sse->is_failed };

	sse->dropped = 0;
	sse->is_failed = false;
	return losses;
}

static size_t sse_memory(const void *state)
{
	const struct sse_reader *sse = state;

	return sse->line.size + sse->data.size + sse->type.size;
}

/* --- forms ------------------------------------------------------------------- */

static void multipart_begin(void *state, struct slice content_type)
{
	multipart_init(state, content_type);
}

static void multipart_end(void *state)
{
	multipart_done(state);
}

static enum parse next_part(void *state, struct slice *in, struct stream_event *ret)
{
	return multipart_next(state, in, ret);
}

static bool gap_part(void *state, uint64_t n)
{
	(void)n;
	multipart_gap(state);
	return true;
}

static enum parse eof_part(void *state, struct stream_event *ret)
{
	return multipart_eof(state, ret);
}

static enum parse cut_part(void *state, struct stream_event *ret)
{
	return multipart_cut(state, ret);
}

static struct stream_losses take_part_losses(void *state)
{
	struct multipart_reader *form = state;
	struct stream_losses losses = { form->dropped, form->is_failed };

	form->dropped = 0;
	form->is_failed = false;
	return losses;
}

static size_t multipart_memory(const void *state)
{
	const struct multipart_reader *form = state;

	return form->head.size + form->name.size + form->filename.size + form->content_type.size + form->data.size;
}

/* --- media ------------------------------------------------------------------ */

static void opaque_begin(void *state, struct slice content_type)
{
	struct opaque_reader *opaque = state;

	*opaque = (struct opaque_reader){ .content_type = BUF_INIT(LIMIT_MEDIA_TYPE) };
	buf_add_slice(&opaque->content_type, content_type);
}

static void opaque_end(void *state)
{
	struct opaque_reader *opaque = state;

	media_reset(&opaque->media);
	buf_done(&opaque->content_type);
}

static enum parse next_opaque(void *state, struct slice *in, struct stream_event *ret)
{
	struct opaque_reader *opaque = state;

	(void)ret;
	media_add(&opaque->media, slice_take(in, in->len));
	return PARSE_MORE;
}

static bool gap_opaque(void *state, uint64_t n)
{
	struct opaque_reader *opaque = state;

	(void)n;
	media_gap(&opaque->media);
	return true;
}

static enum parse eof_opaque(void *state, struct stream_event *ret)
{
	struct opaque_reader *opaque = state;

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

static enum parse cut_opaque(void *state, struct stream_event *ret)
{
	struct opaque_reader *opaque = state;

	media_gap(&opaque->media);
	return eof_opaque(opaque, ret);
}

static struct stream_losses take_opaque_losses(void *state)
{
	struct opaque_reader *opaque = state;

	return (struct stream_losses){ .is_failed = media_take_failure(&opaque->media) };
}

static size_t opaque_memory(const void *state)
{
	const struct opaque_reader *opaque = state;

	return opaque->content_type.size;
}

/* --- those whose own form is the common one ---------------------------------- */

static struct stream_losses take_losses(struct stream_losses *losses)
{
	struct stream_losses taken = *losses;

	*losses = (struct stream_losses){ 0 };
	return taken;
}

static void ndjson_begin(void *state, struct slice content_type)
{
	(void)content_type;
	ndjson_init(state);
}

static void ndjson_end(void *state)
{
	ndjson_done(state);
}

static enum parse next_ndjson(void *state, struct slice *in, struct stream_event *ret)
{
	return ndjson_next(state, in, ret);
}

static bool gap_ndjson(void *state, uint64_t n)
{
	(void)n;
	ndjson_gap(state);
	return true;
}

static enum parse eof_ndjson(void *state, struct stream_event *ret)
{
	return ndjson_eof(state, ret);
}

static struct stream_losses take_ndjson_losses(void *state)
{
	return take_losses(&((struct ndjson_reader *)state)->losses);
}

static size_t ndjson_memory(const void *state)
{
	return ((const struct ndjson_reader *)state)->line.size;
}

static void json_array_begin(void *state, struct slice content_type)
{
	(void)content_type;
	json_array_init(state);
}

static void json_array_end(void *state)
{
	json_array_done(state);
}

static enum parse next_json_array(void *state, struct slice *in, struct stream_event *ret)
{
	return json_array_next(state, in, ret);
}

static bool gap_json_array(void *state, uint64_t n)
{
	return json_array_gap(state, n);
}

static enum parse eof_json_array(void *state, struct stream_event *ret)
{
	return json_array_eof(state, ret);
}

static struct stream_losses take_json_array_losses(void *state)
{
	return take_losses(&((struct json_array_reader *)state)->losses);
}

static size_t json_array_memory(const void *state)
{
	return ((const struct json_array_reader *)state)->element.size;
}

static void eventstream_begin(void *state, struct slice content_type)
{
	(void)content_type;
	eventstream_init(state);
}

static void eventstream_end(void *state)
{
	eventstream_done(state);
}

static enum parse next_eventstream(void *state, struct slice *in, struct stream_event *ret)
{
	return eventstream_next(state, in, ret);
}

static bool gap_eventstream(void *state, uint64_t n)
{
	return eventstream_gap(state, n);
}

static enum parse eof_eventstream(void *state, struct stream_event *ret)
{
	return eventstream_eof(state, ret);
}

static struct stream_losses take_eventstream_losses(void *state)
{
	return take_losses(&((struct eventstream_reader *)state)->losses);
}

static size_t eventstream_memory(const void *state)
{
	return ((const struct eventstream_reader *)state)->message.size;
}

static void websocket_end(void *state)
{
	websocket_done(state);
}

static enum parse next_websocket(void *state, struct slice *in, struct stream_event *ret)
{
	return websocket_next(state, in, ret);
}

static bool gap_websocket(void *state, uint64_t n)
{
	return websocket_gap(state, n);
}

static enum parse eof_websocket(void *state, struct stream_event *ret)
{
	(void)state;
	(void)ret;
	return PARSE_MORE;
}

static struct stream_losses take_websocket_losses(void *state)
{
	return take_losses(&((struct websocket_reader *)state)->losses);
}

static size_t memory_of_websocket(const void *state)
{
	return websocket_memory(state);
}

/* --- all of them ------------------------------------------------------------ */

static const struct framing_ops ops[] = {
	[FRAMING_SSE] = {
		sizeof(struct sse_reader), sse_begin, sse_end, next_sse, gap_sse, eof_sse, NULL,
		take_sse_losses, sse_memory,
	},
	[FRAMING_MULTIPART] = {
		sizeof(struct multipart_reader), multipart_begin, multipart_end, next_part, gap_part, eof_part, cut_part,
		take_part_losses, multipart_memory,
	},
	[FRAMING_OPAQUE] = {
		sizeof(struct opaque_reader), opaque_begin, opaque_end, next_opaque, gap_opaque, eof_opaque, cut_opaque,
		take_opaque_losses, opaque_memory,
	},
	[FRAMING_NDJSON] = {
		sizeof(struct ndjson_reader), ndjson_begin, ndjson_end, next_ndjson, gap_ndjson, eof_ndjson, NULL,
		take_ndjson_losses, ndjson_memory,
	},
	[FRAMING_JSON_ARRAY] = {
		sizeof(struct json_array_reader), json_array_begin, json_array_end, next_json_array, gap_json_array, eof_json_array, NULL,
		take_json_array_losses, json_array_memory,
	},
	[FRAMING_EVENTSTREAM] = {
		sizeof(struct eventstream_reader), eventstream_begin, eventstream_end, next_eventstream, gap_eventstream, eof_eventstream, NULL,
		take_eventstream_losses, eventstream_memory,
	},
	[FRAMING_WEBSOCKET] = {
		sizeof(struct websocket_reader), NULL, websocket_end, next_websocket, gap_websocket, eof_websocket, NULL,
		take_websocket_losses, memory_of_websocket,
	},
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

enum framing framing_sniff(struct slice front)
{
	static const char *const fields[] = { "data:", "event:", "id:", "retry:", ":" };

	if (slice_starts(front, SLICE("\xEF\xBB\xBF")))
		slice_take(&front, 3);
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++)
		if (slice_starts(front, slice_of(fields[i])))
			return FRAMING_SSE;
	return FRAMING_BODY;
}

static struct stream_reader *new_reader(enum framing framing)
{
	struct stream_reader *reader = calloc(1, sizeof(*reader) + ops[framing].size);

	if (reader)
		reader->ops = &ops[framing];
	return reader;
}

struct stream_reader *stream_new(enum framing framing, struct slice content_type)
{
	struct stream_reader *reader;

	assert(framing < ARRAY_SIZE(ops) && ops[framing].init);
	reader = new_reader(framing);
	if (reader)
		reader->ops->init(reader->state, content_type);
	return reader;
}

struct stream_reader *stream_new_websocket(const struct websocket_params *params)
{
	struct stream_reader *reader = new_reader(FRAMING_WEBSOCKET);

	if (reader)
		websocket_init((void *)reader->state, params);
	return reader;
}

void stream_free(struct stream_reader **readerp)
{
	if (!*readerp)
		return;
	(*readerp)->ops->done((*readerp)->state);
	free(*readerp);
	*readerp = NULL;
}

enum parse stream_next(struct stream_reader *reader, struct slice *in, struct stream_event *ret)
{
	return reader->ops->next(reader->state, in, ret);
}

bool stream_gap(struct stream_reader *reader, uint64_t n)
{
	return reader->ops->gap(reader->state, n);
}

enum parse stream_eof(struct stream_reader *reader, struct stream_event *ret)
{
	return reader->ops->eof(reader->state, ret);
}

enum parse stream_cut(struct stream_reader *reader, struct stream_event *ret)
{
	return reader->ops->cut ? reader->ops->cut(reader->state, ret) : PARSE_MORE;
}

struct stream_losses stream_take_losses(struct stream_reader *reader)
{
	return reader->ops->take_losses(reader->state);
}

static bool is_websocket(const struct stream_reader *reader)
{
	return reader->ops == &ops[FRAMING_WEBSOCKET];
}

enum loss stream_failure(const struct stream_reader *reader)
{
	const struct websocket_reader *websocket = (const void *)reader->state;

	return is_websocket(reader) ? websocket->failure : LOSS_BAD_STREAM;
}

size_t stream_memory(const struct stream_reader *reader)
{
	return reader->ops->memory(reader->state);
}

bool stream_close(const struct stream_reader *reader, unsigned *ret_code, struct slice *ret_reason)
{
	return is_websocket(reader) && websocket_close((const void *)reader->state, ret_code, ret_reason);
}
