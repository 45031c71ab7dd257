/* SPDX-License-Identifier: Apache-2.0 */
/* Items as HTTP/1.1 (RFC 9112), its bodies framed in each way that there is. */
#include "body.h"
#include "limits.h"
#include "script.h"

struct writer {
	struct script *script;
	const struct items *items;
	const struct http1_form *form;
	struct ws_writer *websocket;	/* owned; NULL for who is none */
	enum response_framing framing;	/* of the message that is open */
	bool has_body;			/* it has one, if an empty one */
	uint64_t last_ns;
	bool is_closed;
};

static void add_text(struct writer *writer, const struct item *item, bool is_lost, struct slice text)
{
	script_add(writer->script, item->side, item->at_ns, is_lost, text);
	writer->last_ns = item->at_ns;
}

/* --- heads ------------------------------------------------------------------ */

/* No body, not even an empty one (RFC 9112 section 6.3). */
static bool has_no_body(const struct item *head)
{
	unsigned status;

	if (head->side == SIDE_REQUEST)
		return false;
	status = items_status(head);
	return status < 200 || status == 204 || status == 304;
}

static enum response_framing framing_of_message(const struct writer *writer, const struct item *head)
{
	if (head->side == SIDE_REQUEST)
		return writer->form->chunk ? FRAME_CHUNKED : FRAME_LENGTH;
	if (writer->form->framing != FRAME_USUAL)
		return writer->form->framing;
	return body_is_stream(body_of(head->head)) ? FRAME_CHUNKED : FRAME_LENGTH;
}

static const char *reason_of(unsigned status)
{
	static const struct { unsigned status; const char *reason; } reasons[] = {
		{ 101, "Switching Protocols" }, { 200, "OK" }, { 400, "Bad Request" },
		{ 401, "Unauthorized" }, { 404, "Not Found" }, { 429, "Too Many Requests" },
		{ 500, "Internal Server Error" }, { 503, "Service Unavailable" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++)
		if (reasons[i].status == status)
			return reasons[i].reason;
	return "Status";
}

/* "POST /v1/x" and "200" become a request line and a status line; what is one
 * already stays. */
static void add_first_line(struct buf *text, const struct item *head, struct slice line)
{
	if (head->side == SIDE_RESPONSE && !memchr(line.ptr, ' ', line.len))
		buf_printf(text, "HTTP/1.1 %.*s %s\r\n", (int)line.len, line.ptr,
			   reason_of(items_status(head)));
	else if (head->side == SIDE_RESPONSE)
		buf_printf(text, "HTTP/1.1 %.*s\r\n", (int)line.len, line.ptr);
	else
		buf_printf(text, "%.*s HTTP/1.1\r\n", (int)line.len, line.ptr);
}

static void add_fields(struct buf *text, struct slice fields)
{
	struct slice line;

	while (case_line(&fields, &line))
		buf_printf(text, "%.*s\r\n", (int)line.len, line.ptr);
}

static void add_framing(struct writer *writer, struct buf *text, size_t at)
{
	const struct item *head = &writer->items->list[at];
	size_t len = items_body_len(writer->items, at);

	writer->has_body = !has_no_body(head) && (head->side == SIDE_RESPONSE || len);
	if (!writer->has_body)
		return;
	if (writer->framing == FRAME_CHUNKED)
		buf_add_text(text, "transfer-encoding: chunked\r\n");
	else if (writer->framing == FRAME_CLOSE)
		buf_add_text(text, "connection: close\r\n");
	else /* Of what is cut, more was announced than came. */
		buf_printf(text, "content-length: %zu\r\n",
			   len + (items_is_whole(writer->items, at) ? 0 : 1000));
}

static void add_head(struct writer *writer, size_t at)
{
	const struct item *head = &writer->items->list[at];
	_cleanup_(buf_done) struct buf text = BUF_INIT(1 * MiB);
	struct slice fields = head->head, line = { 0 };

	writer->framing = framing_of_message(writer, head);
	if (writer->form->is_decorated && head->side == SIDE_RESPONSE && items_status(head) >= 200)
		buf_add_text(&text, "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\n");
	case_line(&fields, &line);
	add_first_line(&text, head, line);
	add_fields(&text, fields);
	add_fields(&text, buf_slice(&head->extra));
	if (writer->websocket)
		add_fields(&text, slice_of(ws_extension(&writer->form->websocket)));
	add_framing(writer, &text, at);
	buf_add_text(&text, "\r\n");
	if (head->side == SIDE_REQUEST)
		script_add_begin(writer->script);
	add_text(writer, head, /* is_lost */ false, buf_slice(&text));
}

/* --- bodies ----------------------------------------------------------------- */

static void add_chunks(struct writer *writer, const struct item *item)
{
	size_t size = writer->form->chunk ? writer->form->chunk : item->bytes.len;
	_cleanup_(buf_done) struct buf text = BUF_INIT(64 * MiB);
	struct slice in = buf_slice(&item->bytes);

	while (in.len) {
		struct slice chunk = slice_take(&in, MIN(size, in.len));

		buf_printf(&text, writer->form->is_decorated ? "%04zX;sig=\"a b\"\r\n" : "%zx\r\n", chunk.len);
		buf_add_slice(&text, chunk);
		buf_add_text(&text, "\r\n");
	}
	add_text(writer, item, item->is_lost, buf_slice(&text));
}

static void add_end(struct writer *writer, const struct item *end)
{
	if (writer->has_body && writer->framing == FRAME_CHUNKED)
		add_text(writer, end, /* is_lost */ false,
			 writer->form->is_decorated ? SLICE("0\r\nx-sum: HTTP/1.1 200 OK\r\n\r\n")
						    : SLICE("0\r\n\r\n"));
	if (!writer->has_body || writer->framing != FRAME_CLOSE)
		return;
	script_add_end(writer->script, MOVE_CLOSE, SIDE_RESPONSE, end->at_ns);
	writer->is_closed = true;
}

/* --- WebSocket -------------------------------------------------------------- */

static void add_message(struct writer *writer, const struct item *item)
{
	_cleanup_(buf_done) struct buf frames = BUF_INIT(64 * MiB);

	ws_message(writer->websocket, item->side, buf_slice(&item->bytes), &frames);
	add_text(writer, item, item->is_lost, buf_slice(&frames));
}

static void add_goodbye(struct writer *writer)
{
	_cleanup_(buf_done) struct buf frame = BUF_INIT(64);

	ws_close(writer->websocket, SIDE_REQUEST, &frame);
	script_add(writer->script, SIDE_REQUEST, writer->last_ns + 1000000000, /* is_lost */ false,
		   buf_slice(&frame));
}

/* --- all of it -------------------------------------------------------------- */

static void add_item(struct writer *writer, size_t at)
{
	const struct item *item = &writer->items->list[at];

	switch (item->kind) {
	case ITEM_HEAD:
		add_head(writer, at);
		break;
	case ITEM_BODY:
		if (writer->framing == FRAME_CHUNKED)
			add_chunks(writer, item);
		else
			add_text(writer, item, item->is_lost, buf_slice(&item->bytes));
		break;
	case ITEM_END:
		add_end(writer, item);
		break;
	case ITEM_MESSAGE:
		add_message(writer, item);
		break;
	case ITEM_CUT:
		script_add_cut(writer->script, item);
		writer->is_closed = true;
		break;
	}
}

/* Only the last response of a connection can end with it, and only who is whole. */
static bool can_close(const struct items *items)
{
	const struct item *last = &items->list[items->count - 1];

	return items->exchanges == 1 && !items->is_tunnel && last->kind == ITEM_END &&
	       last->side == SIDE_RESPONSE;
}

bool script_http1(struct script *ret, const struct items *items, const struct http1_form *form)
{
	struct writer writer = { .script = ret, .items = items, .form = form };

	*ret = (struct script){ 0 };
	if (form->framing == FRAME_CLOSE && !can_close(items))
		return false;
	if (items->is_tunnel)
		writer.websocket = ws_new(&form->websocket);
	for (size_t i = 0; i < items->count; i++)
		add_item(&writer, i);
	if (writer.websocket && !writer.is_closed)
		add_goodbye(&writer);
	ws_free(&writer.websocket);
	/* Well after the last byte, so that a time of its end would show. */
	if (!writer.is_closed)
		script_add_end(ret, MOVE_CLOSE, SIDE_REQUEST, writer.last_ns + 1000000000);
	return true;
}
