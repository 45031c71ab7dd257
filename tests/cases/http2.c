/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Items as HTTP/2 (RFC 9113): frames are ours, header compression is libnghttp2's.
 * Several cases may share one connection, a stream each; what they send takes turns
 * by its times.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <nghttp2/nghttp2.h>

#include "body.h"
#include "limits.h"
#include "script.h"

enum { DATA = 0, HEADERS = 1, RST_STREAM = 3, SETTINGS = 4, PING = 6, WINDOW_UPDATE = 8, CONTINUATION = 9,
       UNKNOWN = 0xf7 };
enum { END_STREAM = 1, ACK = 1, END_HEADERS = 4, PADDED = 8 };
enum { STREAMS = 32, FIELDS = 64, CANCEL = 8 };

struct writer {
	struct script *script;
	const struct http2_form *form;
	nghttp2_hd_deflater *deflaters[2];	/* of each side */
	uint32_t streams;			/* so far */
	uint64_t last_ns;
	bool is_closed;
};

/* One case's place in its items. */
struct track {
	const struct items *items;
	size_t at;
	bool is_tls;
	uint32_t streams[STREAMS];	/* of each exchange; 0: not begun */
};

/* --- frames ----------------------------------------------------------------- */

static void add_frame(struct writer *writer, const struct item *item, unsigned type, unsigned flags,
		      uint32_t stream, struct slice payload)
{
	_cleanup_(buf_done) struct buf frame = BUF_INIT(64 * MiB);
	size_t padding = writer->form->padding && (type == DATA || type == HEADERS) ? writer->form->padding : 0;
	size_t len = payload.len + (padding ? 1 + padding : 0);
	uint32_t id = htonl(stream);

	buf_add(&frame, (const char[]){ (char)(len >> 16), (char)(len >> 8), (char)len, (char)type,
					(char)(flags | (padding ? PADDED : 0)) }, 5);
	buf_add(&frame, &id, sizeof(id));
	if (padding)
		buf_add_char(&frame, (char)padding);
	buf_add_slice(&frame, payload);
	for (size_t i = 0; i < padding; i++)
		buf_add_char(&frame, '\0');
	script_add(writer->script, item->side, item->at_ns, item->is_lost, buf_slice(&frame));
	writer->last_ns = item->at_ns;
}

/* What a connection begins with: of the client after its preface. */
static void add_greeting(struct writer *writer, enum side side, uint64_t at_ns)
{
	struct item item = { .side = side, .at_ns = at_ns };

	if (side == SIDE_REQUEST)
		script_add(writer->script, side, at_ns, /* is_lost */ false,
			   SLICE("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
	/* ENABLE_PUSH 0, INITIAL_WINDOW_SIZE 1 MiB */
	add_frame(writer, &item, SETTINGS, 0, 0, SLICE("\0\2\0\0\0\0\0\4\0\x10\0\0"));
	add_frame(writer, &item, WINDOW_UPDATE, 0, 0, SLICE("\0\x10\0\0"));
}

/* Frames that carry nothing, between any two of a message. */
static void add_noise(struct writer *writer, const struct item *item)
{
	struct item noise = { .side = item->side, .at_ns = item->at_ns };

	if (!writer->form->is_noisy)
		return;
	add_frame(writer, &noise, PING, 0, 0, SLICE("POST / H"));
	add_frame(writer, &noise, UNKNOWN, 0xff, 0, SLICE("HTTP/1.1 200 OK\r\n\r\n"));
}

/* --- heads ------------------------------------------------------------------ */

struct fields {
	nghttp2_nv list[FIELDS];
	size_t count;
	struct buf text;	/* names and values */
};

static void add_field(struct fields *fields, struct slice name, struct slice value)
{
	nghttp2_nv *field = &fields->list[fields->count++];
	size_t at = fields->text.len;

	assert(fields->count <= FIELDS && fields->text.len + name.len + value.len < fields->text.max);
	for (size_t i = 0; i < name.len; i++)
		buf_add_char(&fields->text, (char)tolower((unsigned char)name.ptr[i]));
	buf_add_slice(&fields->text, value);
	*field = (nghttp2_nv){ (uint8_t *)at, NULL, name.len, value.len, NGHTTP2_NV_FLAG_NONE };
	if (slice_eq_nocase(name, SLICE("authorization")))
		field->flags = NGHTTP2_NV_FLAG_NO_INDEX;
}

/* Fields that are of one connection of HTTP/1 only (RFC 9113 section 8.2.2), and those that
 * have become pseudo-header fields. */
static bool is_dropped(struct slice name)
{
	static const char *const dropped[] = { "host", "connection", "keep-alive", "upgrade", "te" };

	for (size_t i = 0; i < ARRAY_SIZE(dropped); i++)
		if (slice_eq_nocase(name, slice_of(dropped[i])))
			return true;
	return false;
}

static void add_lines(struct fields *fields, struct slice lines)
{
	struct slice line;

	while (case_line(&lines, &line)) {
		const char *colon = line.len ? memchr(line.ptr, ':', line.len) : NULL;
		struct slice name;

		if (!colon)
			continue;
		name = slice_take(&line, (size_t)(colon - line.ptr));
		slice_take(&line, 1);
		if (!is_dropped(name))
			add_field(fields, name, slice_trim(line));
	}
}

/* "POST /v1/x" */
static void add_request_line(struct fields *fields, const struct track *track, const struct item *head,
			     struct slice line)
{
	size_t method = strcspn(line.ptr, " \n");
	struct slice host = { 0 };

	items_field(head, "host", &host);
	add_field(fields, SLICE(":method"), slice_take(&line, MIN(method, line.len)));
	add_field(fields, SLICE(":scheme"), track->is_tls ? SLICE("https") : SLICE("http"));
	if (host.len)
		add_field(fields, SLICE(":authority"), host);
	add_field(fields, SLICE(":path"), slice_trim(line));
}

static void add_length(struct fields *fields, const struct track *track)
{
	const struct item *head = &track->items->list[track->at];
	size_t len = items_body_len(track->items, track->at);
	char text[24];

	if (!len || body_is_stream(body_of(head->head)) || !items_is_whole(track->items, track->at))
		return;
	snprintf(text, sizeof(text), "%zu", len);
	add_field(fields, SLICE("content-length"), slice_of(text));
}

/* The text has its last place by now. */
static void place_fields(struct fields *fields)
{
	for (size_t i = 0; i < fields->count; i++) {
		fields->list[i].name = (uint8_t *)fields->text.ptr + (size_t)fields->list[i].name;
		fields->list[i].value = fields->list[i].name + fields->list[i].namelen;
	}
}

static void add_head_fields(struct fields *fields, const struct track *track)
{
	const struct item *head = &track->items->list[track->at];
	struct slice lines = head->head, line = { 0 };

	case_line(&lines, &line);
	if (head->side == SIDE_REQUEST)
		add_request_line(fields, track, head, line);
	else
		add_field(fields, SLICE(":status"), (struct slice){ line.ptr, 3 });
	add_lines(fields, lines);
	add_lines(fields, buf_slice(&head->extra));
	add_length(fields, track);
}

/* A block in one frame, or in one and its continuations. */
static void add_block(struct writer *writer, const struct item *item, uint32_t stream, unsigned flags,
		      struct slice block)
{
	size_t size = writer->form->block ? writer->form->block : block.len;
	unsigned type = HEADERS;

	while (block.len || type == HEADERS) {
		struct slice part = slice_take(&block, MIN(size, block.len));

		add_frame(writer, item, type, (type == HEADERS ? flags : 0) | (block.len ? 0 : END_HEADERS),
			  stream, part);
		type = CONTINUATION;
	}
}

static void add_fields(struct writer *writer, const struct item *item, uint32_t stream, unsigned flags,
		       struct fields *fields)
{
	uint8_t block[65536];
	ssize_t len;

	place_fields(fields);
	len = nghttp2_hd_deflate_hd(writer->deflaters[item->side], block, sizeof(block), fields->list,
				    fields->count);
	assert(len > 0);
	add_block(writer, item, stream, flags, (struct slice){ (char *)block, (size_t)len });
	buf_done(&fields->text);
}

static void add_hints(struct writer *writer, const struct item *head, uint32_t stream)
{
	struct fields fields = { .text = BUF_INIT(1 * MiB) };

	if (!writer->form->is_decorated || head->side == SIDE_REQUEST)
		return;
	add_field(&fields, SLICE(":status"), SLICE("103"));
	add_field(&fields, SLICE("link"), SLICE("</a.css>; rel=preload"));
	add_fields(writer, head, stream, 0, &fields);
}

static void add_head(struct writer *writer, const struct track *track, uint32_t stream, unsigned flags)
{
	const struct item *head = &track->items->list[track->at];
	struct fields fields = { .text = BUF_INIT(1 * MiB) };

	if (head->side == SIDE_REQUEST)
		script_add_begin(writer->script);
	add_hints(writer, head, stream);
	add_head_fields(&fields, track);
	add_fields(writer, head, stream, flags, &fields);
}

static void add_trailers(struct writer *writer, const struct item *end, uint32_t stream)
{
	struct fields fields = { .text = BUF_INIT(1 * MiB) };

	add_field(&fields, SLICE("x-sum"), SLICE("HTTP/1.1 200 OK"));
	add_fields(writer, end, stream, END_STREAM, &fields);
}

/* --- items ------------------------------------------------------------------ */

/* Whether nothing but the message's end follows the item. */
static bool is_last_of_message(const struct track *track)
{
	const struct items *items = track->items;
	const struct item *item = &items->list[track->at];

	for (size_t i = track->at + 1; i < items->count; i++)
		if (items->list[i].side == item->side && items->list[i].exchange == item->exchange)
			return items->list[i].kind == ITEM_END;
	return false;
}

static void add_body(struct writer *writer, const struct item *item, uint32_t stream, unsigned flags)
{
	struct slice body = buf_slice(&item->bytes);
	size_t size = writer->form->data ? writer->form->data : 16384;

	while (body.len) {
		struct slice part = slice_take(&body, MIN(size, body.len));

		add_frame(writer, item, DATA, body.len ? 0 : flags, stream, part);
		add_noise(writer, item);
	}
}

static uint32_t stream_of(struct writer *writer, struct track *track, unsigned exchange)
{
	assert(exchange < STREAMS);
	if (!track->streams[exchange])
		track->streams[exchange] = 2 * writer->streams++ + 1;
	return track->streams[exchange];
}

static void add_cut(struct writer *writer, const struct item *item, uint32_t stream)
{
	struct item reset = *item;

	reset.side = item->cut == STEP_CUT_BY_CLIENT ? SIDE_REQUEST : SIDE_RESPONSE;
	if (writer->form->is_reset && (item->cut == STEP_CUT_BY_CLIENT || item->cut == STEP_CUT_BY_SERVER)) {
		add_frame(writer, &reset, RST_STREAM, 0, stream, SLICE("\0\0\0\x8"));
		return;
	}
	script_add_cut(writer->script, item);
	writer->is_closed = true;
}

static void add_item(struct writer *writer, struct track *track)
{
	const struct item *item = &track->items->list[track->at];
	uint32_t stream = stream_of(writer, track, item->exchange);
	bool is_decorated = writer->form->is_decorated;
	unsigned flags = is_last_of_message(track) && !is_decorated ? END_STREAM : 0;

	switch (item->kind) {
	case ITEM_HEAD:
		add_head(writer, track, stream, flags);
		add_noise(writer, item);
		break;
	case ITEM_BODY:
		add_body(writer, item, stream, flags);
		break;
	case ITEM_CUT:
		add_cut(writer, item, stream);
		break;
	case ITEM_END:
		if (is_decorated)
			add_trailers(writer, item, stream);
		break;
	case ITEM_MESSAGE:
		break;
	}
	track->at++;
}

/* --- upgrade ---------------------------------------------------------------- */

/* The items of the first request, alone. */
static size_t count_first_request(const struct items *items)
{
	size_t n = 0;

	while (n < items->count && items->list[n].side == SIDE_REQUEST && items->list[n].kind != ITEM_CUT)
		n++;
	return n;
}

/* The first request goes over HTTP/1.1; its stream is number 1, half closed. False when
 * it ends in no response. */
static bool add_upgrade(struct writer *writer, struct track *track)
{
	struct items request = { .list = track->items->list, .count = count_first_request(track->items),
				 .exchanges = 1 };
	struct item *head = &request.list[0], response;
	struct script script;

	if (request.count == track->items->count || track->items->list[request.count].kind != ITEM_HEAD)
		return false;
	buf_add_text(&head->extra, "connection: Upgrade, HTTP2-Settings\nupgrade: h2c\n"
				   "http2-settings: AAMAAABkAARAAAAAAAIAAAAA\n");
	script_http1(&script, &request, &(struct http1_form){ 0 });
	for (size_t i = 0; i < script.count; i++)
		script_add(writer->script, SIDE_REQUEST, script.list[i].at_ns, /* is_lost */ false,
			   buf_slice(&script.list[i].bytes));
	script_done(&script);
	track->at = request.count;
	response = track->items->list[track->at];
	script_add(writer->script, SIDE_RESPONSE, response.at_ns, /* is_lost */ false,
		   SLICE("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"));
	stream_of(writer, track, 0);
	add_greeting(writer, SIDE_RESPONSE, response.at_ns);
	add_greeting(writer, SIDE_REQUEST, response.at_ns);
	return true;
}

/* --- all of it -------------------------------------------------------------- */

/* The one whose next item is the earliest; NULL at the end. */
static struct track *next_track(struct track *tracks, size_t count)
{
	struct track *next = NULL;

	for (size_t i = 0; i < count; i++) {
		struct track *track = &tracks[i];

		if (track->at < track->items->count &&
		    (!next || track->items->list[track->at].at_ns < next->items->list[next->at].at_ns))
			next = track;
	}
	return next;
}

static bool begin(struct writer *writer, struct track *track)
{
	if (writer->form->is_upgrade)
		return add_upgrade(writer, track);
	add_greeting(writer, SIDE_REQUEST, 0);
	add_greeting(writer, SIDE_RESPONSE, 0);
	return true;
}

static bool write_all(struct writer *writer, struct track *tracks, size_t count)
{
	struct track *track;
	bool is_begun;

	for (int side = 0; side < 2; side++)
		if (nghttp2_hd_deflate_new(&writer->deflaters[side], 4096) != 0)
			abort();
	is_begun = begin(writer, &tracks[0]);
	while (is_begun && !writer->is_closed && (track = next_track(tracks, count)))
		add_item(writer, track);
	if (is_begun && !writer->is_closed)
		script_add_end(writer->script, MOVE_CLOSE, SIDE_REQUEST, writer->last_ns + 1000000000);
	for (int side = 0; side < 2; side++)
		nghttp2_hd_deflate_del(writer->deflaters[side]);
	return is_begun;
}

bool script_http2(struct script *ret, const struct items *const *items, size_t count, bool is_tls,
		  const struct http2_form *form)
{
	struct writer writer = { .script = ret, .form = form };
	struct track tracks[2] = { 0 };

	*ret = (struct script){ 0 };
	assert(count <= ARRAY_SIZE(tracks));
	for (size_t i = 0; i < count; i++) {
		if (items[i]->is_tunnel)
			return false;
		tracks[i] = (struct track){ .items = items[i], .is_tls = is_tls };
	}
	return write_all(&writer, tracks, count);
}
