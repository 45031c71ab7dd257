/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Connections that reach a limit, or make no sense, each in its own way: what is missing
 * is counted, and marked on the line if there is one. Beside them others work as ever.
 */
#include <criterion/criterion.h>
#include <zlib.h>

#include "limits.h"
#include "llm/json.h"
#include "pipeline.h"

#define CHAT "POST /v1/chat/completions HTTP/1.1\r\nHost: h\r\n"
#define ASK CHAT "Content-Length: 67\r\n\r\n{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Still there?\"}]}"

enum { GOOD = 8, GOOD_ID = 1000 };

struct tap {
	struct pipeline *pipeline;
	struct buf good[GOOD];		/* lines of those connections */
	struct buf bad;			/* and of all others, one behind the other */
	struct pipeline_totals totals;
};

struct wire {
	struct tap *tap;
	uint64_t id, now_ns;
	uint64_t offset[GT_DIRECTIONS];
};

static void take_line(void *ctx, struct slice line)
{
	_cleanup_(json_freep) cJSON *json = cJSON_ParseWithLength(line.ptr, line.len);
	uint64_t id = json_count(json_get(json, "connection"), "id");
	struct tap *tap = ctx;

	cr_assert(cJSON_IsObject(json));
	buf_add_slice(id >= GOOD_ID ? &tap->good[id - GOOD_ID] : &tap->bad, line);
}

static void tap_init(struct tap *tap)
{
	struct pipeline_options options = { .max_content = LIMIT_CONTENT, .line = take_line, .ctx = tap };

	*tap = (struct tap){ .bad = BUF_INIT(256 * MiB) };
	for (int i = 0; i < GOOD; i++)
		tap->good[i] = BUF_INIT(MiB);
	cr_assert_eq(pipeline_new(&tap->pipeline, &options), 0);
}

/* Ends everything; totals are there then. */
static void tap_end(struct tap *tap)
{
	pipeline_detach(tap->pipeline, 1);
	pipeline_totals(tap->pipeline, &tap->totals);
	pipeline_free(&tap->pipeline);
}

static void tap_done(struct tap *tap)
{
	for (int i = 0; i < GOOD; i++)
		buf_done(&tap->good[i]);
	buf_done(&tap->bad);
}

static struct wire wire_open(struct tap *tap, uint64_t id)
{
	struct gt_open_event open = { .event = { .time_ns = 1, .conn_id = id, .pid = 7, .type = GT_EVENT_OPEN,
						 .flags = GT_FLAG_BORN }, .key = id };

	pipeline_event(tap->pipeline, &open.event);
	return (struct wire){ .tap = tap, .id = id, .now_ns = 1 };
}

static void say(struct wire *wire, enum gt_direction direction, struct slice bytes)
{
	_cleanup_(freep) struct gt_data_event *data = calloc(1, sizeof(*data) + GT_CHUNK_BYTES);

	wire->now_ns++;
	while (bytes.len) {
		struct slice piece = slice_take(&bytes, MIN(bytes.len, (size_t)GT_CHUNK_BYTES));

		data->event = (struct gt_event){ .time_ns = wire->now_ns, .conn_id = wire->id, .pid = 7, .type = GT_EVENT_DATA };
		data->offset = wire->offset[direction];
		data->direction = direction;
		data->len = data->captured_len = (uint32_t)piece.len;
		memcpy(data->bytes, piece.ptr, piece.len);
		wire->offset[direction] += piece.len;
		pipeline_event(wire->tap->pipeline, &data->event);
	}
}

static void ask(struct wire *wire, const char *text)
{
	say(wire, GT_WRITE, slice_of(text));
}

static void answer(struct wire *wire, const char *text)
{
	say(wire, GT_READ, slice_of(text));
}

static void repeat(struct wire *wire, enum gt_direction direction, const char *text, size_t count)
{
	_cleanup_(buf_done) struct buf buf = BUF_INIT(256 * MiB);

	while (count--)
		buf_add_text(&buf, text);
	say(wire, direction, buf_slice(&buf));
}

/* A head and a body whose length it says. */
static void message(struct wire *wire, enum gt_direction direction, const char *head, const struct buf *body)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(64 * KiB);

	buf_printf(&text, "%sContent-Length: %zu\r\n\r\n", head, body->len);
	say(wire, direction, buf_slice(&text));
	say(wire, direction, buf_slice(body));
}

#define OK "HTTP/1.1 200 OK\r\n"
#define OK_JSON OK "Content-Type: application/json\r\n"
#define OK_SSE OK "Content-Type: text/event-stream\r\n\r\n"

/* --- HTTP/1 -------------------------------------------------------------------- */

static void long_request_head(struct wire *wire)
{
	ask(wire, CHAT "X: ");
	repeat(wire, GT_WRITE, "0123456789abcdef", LIMIT_HTTP_HEAD / 16);
}

static void long_response_head(struct wire *wire)
{
	ask(wire, ASK);
	answer(wire, OK "X: ");
	repeat(wire, GT_READ, "0123456789abcdef", LIMIT_HTTP_HEAD / 16);
}

static void many_fields(struct wire *wire)
{
	ask(wire, ASK);
	answer(wire, OK);
	repeat(wire, GT_READ, "a: b\r\n", LIMIT_HTTP_HEADERS + 1);
	answer(wire, "\r\n");
}

static void long_chunk_line(struct wire *wire)
{
	ask(wire, ASK);
	answer(wire, OK "Transfer-Encoding: chunked\r\n\r\n5;");
	repeat(wire, GT_READ, "0123456789abcdef", LIMIT_CHUNK_LINE / 16);
}

static void long_body(struct wire *wire)
{
	_cleanup_(buf_done) struct buf body = BUF_INIT(8 * MiB);

	buf_add_text(&body, "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"");
	while (body.len < LIMIT_BODY + 1)
		buf_add_text(&body, "0123456789abcdef");
	buf_add_text(&body, "\"}}]}");
	ask(wire, ASK);
	message(wire, GT_READ, OK_JSON, &body);
}

static void pipelined(struct wire *wire)
{
	for (int i = 0; i <= LIMIT_PIPELINED; i++)
		ask(wire, ASK);
}

static void no_http(struct wire *wire)
{
	ask(wire, ASK);
	answer(wire, "SSH-2.0-OpenSSH_9.2\r\n");
}

/* --- streams -------------------------------------------------------------------- */

static void long_sse_event(struct wire *wire)
{
	ask(wire, ASK);
	answer(wire, OK_SSE "data: ");
	repeat(wire, GT_READ, "0123456789abcdef", LIMIT_SSE_EVENT / 16);
	answer(wire, "\n\ndata: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\n");
}

static void long_line(struct wire *wire)
{
	ask(wire, "POST /api/chat HTTP/1.1\r\nContent-Length: 27\r\n\r\n{\"model\":\"m\",\"messages\":[]}");
	answer(wire, OK "Content-Type: application/x-ndjson\r\n\r\n");
	repeat(wire, GT_READ, "0123456789abcdef", LIMIT_NDJSON_LINE / 16 + 1);
	answer(wire, "\n{\"model\":\"m\",\"message\":{\"content\":\"x\"},\"done\":true}\n");
}

static void long_element(struct wire *wire)
{
	ask(wire, "POST /v1beta/models/g:streamGenerateContent HTTP/1.1\r\nContent-Length: 15\r\n\r\n{\"contents\":[]}");
	answer(wire, OK_JSON "\r\n[{\"a\":\"");
	repeat(wire, GT_READ, "0123456789abcdef", LIMIT_JSON_ELEMENT / 16 + 1);
	answer(wire, "\"},{\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"x\"}]},\"finishReason\":\"STOP\"}]}]");
}

static void add_u32(struct buf *buf, uint32_t n)
{
	buf_add(buf, (const char[]){ (char)(n >> 24), (char)(n >> 16), (char)(n >> 8), (char)n }, 4);
}

static void long_frame(struct wire *wire)
{
	_cleanup_(buf_done) struct buf frame = BUF_INIT(8 * MiB);

	ask(wire, "POST /model/m/converse-stream HTTP/1.1\r\nContent-Length: 55\r\n\r\n"
	    "{\"messages\":[{\"role\":\"user\",\"content\":[{\"text\":\"a\"}]}]}");
	answer(wire, OK "Content-Type: application/vnd.amazon.eventstream\r\n\r\n");
	add_u32(&frame, LIMIT_EVENTSTREAM_PAYLOAD + 17);
	add_u32(&frame, 0);
	add_u32(&frame, (uint32_t)crc32(0, (const unsigned char *)frame.ptr, 8));
	while (frame.len < LIMIT_EVENTSTREAM_PAYLOAD + 13)
		buf_add_char(&frame, 'x');
	add_u32(&frame, (uint32_t)crc32(0, (const unsigned char *)frame.ptr, (unsigned)frame.len));
	say(wire, GT_READ, buf_slice(&frame));
}

static void long_field(struct wire *wire)
{
	_cleanup_(buf_done) struct buf body = BUF_INIT(8 * MiB);

	buf_add_text(&body, "--b\r\nContent-Disposition: form-data; name=\"prompt\"\r\n\r\n");
	while (body.len < LIMIT_FORM_FIELD + KiB)
		buf_add_text(&body, "0123456789abcdef");
	buf_add_text(&body, "\r\n--b\r\nContent-Disposition: form-data; name=\"model\"\r\n\r\nw\r\n--b--\r\n");
	message(wire, GT_WRITE, "POST /v1/audio/transcriptions HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=b\r\n", &body);
	answer(wire, OK_JSON "Content-Length: 12\r\n\r\n{\"text\":\"x\"}");
}

static void many_chunks(struct wire *wire)
{
	static const char event[] = "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\n";

	ask(wire, ASK);
	answer(wire, OK_SSE);
	repeat(wire, GT_READ, event, LIMIT_CHUNK_TIMES + 2);
}

/* --- codings -------------------------------------------------------------------- */

static void bomb(struct wire *wire)
{
	_cleanup_(buf_done) struct buf body = BUF_INIT(8 * MiB);
	_cleanup_(freep) char *zeros = calloc(1, 16 * MiB);
	uLongf len = compressBound(16 * MiB);
	_cleanup_(freep) unsigned char *out = malloc(len);

	/* Of zlib's 1032 to 1 nothing is over the limit but a bomb in a bomb. */
	cr_assert_eq(compress2(out, &len, (const unsigned char *)zeros, 16 * MiB, 9), Z_OK);
	buf_add(&body, out, len);
	ask(wire, ASK);
	message(wire, GT_READ, OK_JSON "Content-Encoding: deflate\r\n", &body);
}

static void broken_coding(struct wire *wire)
{
	ask(wire, ASK);
	answer(wire, OK_JSON "Content-Encoding: gzip\r\nContent-Length: 4\r\n\r\nnope");
}

static void unknown_coding(struct wire *wire)
{
	ask(wire, ASK);
	answer(wire, OK_JSON "Content-Encoding: dcz\r\nContent-Length: 4\r\n\r\nnope");
}

/* --- JSON ----------------------------------------------------------------------- */

static void deep(struct wire *wire)
{
	_cleanup_(buf_done) struct buf body = BUF_INIT(8 * MiB);

	for (int i = 0; i <= LIMIT_JSON_DEPTH; i++)
		buf_add_char(&body, '[');
	ask(wire, ASK);
	message(wire, GT_READ, OK_JSON, &body);
}

static void many_values(struct wire *wire)
{
	_cleanup_(buf_done) struct buf body = BUF_INIT(8 * MiB);

	buf_add_text(&body, "{\"choices\":[0");
	for (size_t i = 0; i <= LIMIT_JSON_VALUES; i++)
		buf_add_text(&body, ",0");
	buf_add_text(&body, "]}");
	ask(wire, ASK);
	message(wire, GT_READ, OK_JSON, &body);
}

static void many_choices(struct wire *wire)
{
	_cleanup_(buf_done) struct buf body = BUF_INIT(8 * MiB);

	buf_add_text(&body, "{\"choices\":[");
	for (int i = 0; i <= LIMIT_CHOICES; i++)
		buf_printf(&body, "%s{\"index\":%d,\"message\":{\"content\":\"x\"}}", i ? "," : "", i);
	buf_add_text(&body, "]}");
	ask(wire, ASK);
	message(wire, GT_READ, OK_JSON, &body);
}

static void many_tools(struct wire *wire)
{
	_cleanup_(buf_done) struct buf body = BUF_INIT(8 * MiB);

	buf_add_text(&body, "{\"choices\":[{\"index\":0,\"message\":{\"tool_calls\":[");
	for (int i = 0; i <= LIMIT_TOOL_CALLS; i++)
		buf_printf(&body, "%s{\"id\":\"%d\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}", i ? "," : "", i);
	buf_add_text(&body, "]}}]}");
	ask(wire, ASK);
	message(wire, GT_READ, OK_JSON, &body);
}

static void long_metadata(struct wire *wire)
{
	_cleanup_(buf_done) struct buf body = BUF_INIT(8 * MiB);

	buf_add_text(&body, "{\"model\":\"m\",\"messages\":[],\"metadata\":{\"a\":\"");
	while (body.len < LIMIT_METADATA + KiB)
		buf_add_text(&body, "0123456789abcdef");
	buf_add_text(&body, "\"}}");
	message(wire, GT_WRITE, CHAT, &body);
	answer(wire, OK_JSON "Content-Length: 14\r\n\r\n{\"choices\":[]}");
}

static void long_content(struct wire *wire)
{
	_cleanup_(buf_done) struct buf body = BUF_INIT(8 * MiB);

	buf_add_text(&body, "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"");
	while (body.len < LIMIT_CONTENT + KiB)
		buf_add_text(&body, "0123456789abcdef");
	buf_add_text(&body, "\"},\"finish_reason\":\"stop\"}]}");
	ask(wire, ASK);
	message(wire, GT_READ, OK_JSON, &body);
}

static void long_error(struct wire *wire)
{
	_cleanup_(buf_done) struct buf body = BUF_INIT(8 * MiB);

	buf_add_text(&body, "{\"error\":{\"message\":\"");
	while (body.len < LIMIT_ERROR_TEXT + KiB)
		buf_add_text(&body, "0123456789abcdef");
	buf_add_text(&body, "\"}}");
	ask(wire, ASK);
	message(wire, GT_READ, "HTTP/1.1 400 X\r\nContent-Type: application/json\r\n", &body);
}

/* Of llama.cpp's timings, which are told as they are. */
static void long_fact(struct wire *wire)
{
	_cleanup_(buf_done) struct buf body = BUF_INIT(8 * MiB);

	buf_add_text(&body, "{\"choices\":[{\"index\":0,\"message\":{\"content\":\"x\"},\"finish_reason\":\"stop\"}],\"timings\":{\"prompt_n\":1,\"a\":\"");
	while (body.len < LIMIT_FACT + KiB)
		buf_add_text(&body, "0123456789abcdef");
	buf_add_text(&body, "\"}}");
	ask(wire, ASK);
	message(wire, GT_READ, OK_JSON, &body);
}

/* --- HTTP/2 --------------------------------------------------------------------- */

#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

static void add_frame(struct buf *buf, unsigned type, unsigned flags, uint32_t stream, struct slice payload)
{
	buf_add(buf, (const char[]){ (char)(payload.len >> 16), (char)(payload.len >> 8), (char)payload.len, (char)type,
				     (char)flags }, 5);
	add_u32(buf, stream);
	buf_add_slice(buf, payload);
}

/* POST /v1/chat/completions, by the static table and one literal (RFC 7541). */
static void add_request(struct buf *buf, uint32_t stream, unsigned flags)
{
	static const char block[] = "\x83\x86\x04\x14/v1/chat/completions";

	add_frame(buf, /* HEADERS */ 1, /* END_HEADERS */ 4 | flags, stream, (struct slice){ block, sizeof(block) - 1 });
}

static void begin_http2(struct buf *buf)
{
	buf_add_text(buf, PREFACE);
	add_frame(buf, /* SETTINGS */ 4, 0, 0, (struct slice){});
}

static void long_http2_frame(struct wire *wire)
{
	_cleanup_(buf_done) struct buf wire_bytes = BUF_INIT(8 * MiB), body = BUF_INIT(8 * MiB);

	begin_http2(&wire_bytes);
	add_request(&wire_bytes, 1, 0);
	add_frame(&wire_bytes, /* DATA */ 0, 0, 1, slice_of("{\"model\":\"m\",\"messages\":[]}"));
	while (body.len <= LIMIT_HTTP2_FRAME)
		buf_add_char(&body, 'x');
	add_frame(&wire_bytes, /* DATA */ 0, 0, 1, buf_slice(&body));
	say(wire, GT_WRITE, buf_slice(&wire_bytes));
}

static void long_http2_head(struct wire *wire)
{
	_cleanup_(buf_done) struct buf wire_bytes = BUF_INIT(8 * MiB), block = BUF_INIT(8 * MiB);

	begin_http2(&wire_bytes);
	buf_add_text(&block, "\x83\x86\x04\x14/v1/chat/completions");
	/* Names and values of 100 bytes, as many as pass the limit. */
	while (block.len < LIMIT_HTTP_HEAD + KiB) {
		buf_add(&block, "\0\x64", 2);
		for (int i = 0; i < 100; i++)
			buf_add_char(&block, 'a');
		buf_add_char(&block, 100);
		for (int i = 0; i < 100; i++)
			buf_add_char(&block, 'b');
	}
	add_frame(&wire_bytes, /* HEADERS */ 1, 4, 1, buf_slice(&block));
	say(wire, GT_WRITE, buf_slice(&wire_bytes));
}

static void many_streams(struct wire *wire)
{
	_cleanup_(buf_done) struct buf wire_bytes = BUF_INIT(8 * MiB);

	begin_http2(&wire_bytes);
	for (uint32_t i = 0; i <= LIMIT_HTTP2_STREAMS; i++)
		add_request(&wire_bytes, 2 * i + 1, /* END_STREAM */ 1);
	say(wire, GT_WRITE, buf_slice(&wire_bytes));
}

static void broken_http2(struct wire *wire)
{
	_cleanup_(buf_done) struct buf wire_bytes = BUF_INIT(8 * MiB);

	begin_http2(&wire_bytes);
	add_request(&wire_bytes, 1, 0);
	add_frame(&wire_bytes, /* DATA */ 0, 0, 1, slice_of("{\"model\":\"m\",\"messages\":[]}"));
	add_frame(&wire_bytes, /* DATA */ 0, 0, 0, slice_of("of no stream"));
	say(wire, GT_WRITE, buf_slice(&wire_bytes));
}

/* --- WebSocket ------------------------------------------------------------------ */

/* A text message; a client's is masked, with zeros here. */
static void add_message(struct buf *buf, bool is_client, struct slice text)
{
	unsigned masked = is_client ? 0x80 : 0;

	/* Lengths have their shortest form (RFC 6455 section 5.2). */
	buf_add_char(buf, (char)0x81);
	if (text.len < 126) {
		buf_add_char(buf, (char)(masked | text.len));
	} else {
		cr_assert_gt(text.len, UINT16_MAX);
		buf_add(buf, (const char[]){ (char)(masked | 127), 0, 0, 0, 0 }, 5);
		add_u32(buf, (uint32_t)text.len);
	}
	buf_add(buf, "\0\0\0\0", is_client ? 4 : 0);
	buf_add_slice(buf, text);
}

static void open_socket(struct wire *wire)
{
	ask(wire, "GET /v1/responses HTTP/1.1\r\nHost: h\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
	    "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n");
	answer(wire, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
}

static void add_create(struct buf *buf, int id)
{
	char text[128];

	snprintf(text, sizeof(text), "{\"type\":\"response.create\",\"stream_id\":\"%d\",\"model\":\"m\",\"input\":\"x\"}", id);
	add_message(buf, /* is_client */ true, slice_of(text));
}

static void long_message(struct wire *wire)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(8 * MiB), messages = BUF_INIT(8 * MiB);

	open_socket(wire);
	add_create(&messages, 1);
	say(wire, GT_WRITE, buf_slice(&messages));
	buf_reset(&messages);
	while (text.len <= LIMIT_WEBSOCKET_MESSAGE)
		buf_add_text(&text, "0123456789abcdef");
	add_message(&messages, /* is_client */ false, buf_slice(&text));
	say(wire, GT_READ, buf_slice(&messages));
}

static void many_lanes(struct wire *wire)
{
	_cleanup_(buf_done) struct buf messages = BUF_INIT(8 * MiB);

	open_socket(wire);
	for (int i = 0; i <= LIMIT_LANES; i++)
		add_create(&messages, i);
	say(wire, GT_WRITE, buf_slice(&messages));
}

/* --- losses of the kernel, ends -------------------------------------------------- */

static void gap(struct wire *wire)
{
	ask(wire, ASK);
	answer(wire, OK_JSON "Content-Length: 100\r\n\r\n{\"cho");
	wire->offset[GT_READ] += 50;
	answer(wire, "content\":\"x\"}}]}");
}

static void cut(struct wire *wire)
{
	struct gt_end_event end = { .event = { .time_ns = 9, .conn_id = wire->id, .pid = 7, .type = GT_EVENT_CLOSE } };

	ask(wire, ASK);
	answer(wire, OK_SSE "data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}\n\n");
	memcpy(end.offset, wire->offset, sizeof(end.offset));
	pipeline_event(wire->tap->pipeline, &end.event);
}

static const struct {
	const char *name;
	void (*say)(struct wire *wire);
	enum loss loss;
	bool has_line;
} bad[] = {
	{ "a request head over the limit",	long_request_head,	LOSS_HEAD_LIMIT,		false },
	{ "a response head over the limit",	long_response_head,	LOSS_HEAD_LIMIT,		true },
	{ "too many fields",			many_fields,		LOSS_HEAD_LIMIT,		true },
	{ "a chunk's line over the limit",	long_chunk_line,	LOSS_MALFORMED_HTTP,		true },
	{ "a body over the limit",		long_body,		LOSS_BODY_LIMIT,		true },
	{ "too many pipelined requests",	pipelined,		LOSS_PIPELINE_LIMIT,		true },
	{ "an answer that is no HTTP",		no_http,		LOSS_MALFORMED_HTTP,		true },
	{ "a server-sent event over the limit", long_sse_event,		LOSS_EVENT_LIMIT,		true },
	{ "a line of NDJSON over the limit",	long_line,		LOSS_EVENT_LIMIT,		true },
	{ "an element over the limit",		long_element,		LOSS_EVENT_LIMIT,		true },
	{ "an event stream's frame over the limit", long_frame,		LOSS_EVENT_LIMIT,		true },
	{ "a form's field over the limit",	long_field,		LOSS_EVENT_LIMIT,		true },
	{ "more chunks than are timed",		many_chunks,		LOSS_TIMES_LIMIT,		true },
	{ "a bomb",				bomb,			LOSS_RATIO_LIMIT,		true },
	{ "a coding that does not decode",	broken_coding,		LOSS_BAD_ENCODING,		true },
	{ "a coding that nobody knows",		unknown_coding,		LOSS_UNSUPPORTED_ENCODING,	true },
	{ "JSON too deep",			deep,			LOSS_BAD_JSON,			true },
	{ "JSON of too many values",		many_values,		LOSS_BAD_JSON,			true },
	{ "too many choices",			many_choices,		LOSS_CONTENT_TRUNCATED,		true },
	{ "too many tool calls",		many_tools,		LOSS_CONTENT_TRUNCATED,		true },
	{ "metadata over the limit",		long_metadata,		LOSS_CONTENT_TRUNCATED,		true },
	{ "an answer over the limit",		long_content,		LOSS_CONTENT_TRUNCATED,		true },
	{ "an error over the limit",		long_error,		LOSS_CONTENT_TRUNCATED,		true },
	{ "a fact over the limit",		long_fact,		LOSS_CONTENT_TRUNCATED,		true },
	{ "an HTTP/2 frame over the limit",	long_http2_frame,	LOSS_FRAME_LIMIT,		true },
	{ "an HTTP/2 head over the limit",	long_http2_head,	LOSS_HEAD_LIMIT,		false },
	{ "too many streams",			many_streams,		LOSS_STREAMS_LIMIT,		false },
	{ "an HTTP/2 frame that makes no sense", broken_http2,		LOSS_MALFORMED_HTTP,		true },
	{ "a WebSocket's message over the limit", long_message,		LOSS_EVENT_LIMIT,		true },
	{ "too many calls on a WebSocket",	many_lanes,		LOSS_LANES_LIMIT,		true },
	{ "lost bytes",				gap,			LOSS_GAP,			true },
	{ "a connection that closes in a stream", cut,			LOSS_CUT_BY_CLIENT,		true },
};

static bool is_marked(const struct buf *line, enum loss loss)
{
	_cleanup_(json_freep) cJSON *json = cJSON_ParseWithLength(line->ptr, line->len);
	const cJSON *evidence = json_get(json, "evidence"), *reason;

	cJSON_ArrayForEach(reason, json_get(evidence, "reasons"))
		if (strcmp(cJSON_GetStringValue(reason), loss_name(loss)) == 0)
			return true;
	return false;
}

Test(limits, each_is_counted_and_marked, .timeout = 120)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct wire wire;
		struct tap tap;

		tap_init(&tap);
		wire = wire_open(&tap, 1);
		bad[i].say(&wire);
		tap_end(&tap);
		cr_expect_gt(tap.totals.losses[bad[i].loss], 0, "%s is counted", bad[i].name);
		cr_expect_eq(tap.bad.len > 0, bad[i].has_line, "%s: %.300s", bad[i].name, buf_text(&tap.bad));
		cr_expect(!bad[i].has_line || is_marked(&tap.bad, bad[i].loss), "%s is marked: %s", bad[i].name,
			  tap.bad.len > 400 ? tap.bad.ptr + tap.bad.len - 400 : buf_text(&tap.bad));
		tap_done(&tap);
	}
}

/* --- neighbours ------------------------------------------------------------------ */

static const char good_answer[] = OK_SSE
	"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\"Still\"}}]}\n\n"
	"data: {\"choices\":[{\"index\":0,\"delta\":{\"content\":\" here.\"},\"finish_reason\":\"stop\"}]}\n\n"
	"data: [DONE]\n\n";

/* Piece number @i of every good connection's answer. */
static void go_on(struct wire *good, size_t i, size_t pieces)
{
	size_t len = sizeof(good_answer) - 1, from = len * i / pieces, to = len * (i + 1) / pieces;

	for (int k = 0; k < GOOD; k++)
		say(&good[k], GT_READ, (struct slice){ good_answer + from, to - from });
}

static void talk(struct tap *tap, bool is_alone)
{
	struct wire good[GOOD];

	tap_init(tap);
	for (int i = 0; i < GOOD; i++) {
		good[i] = wire_open(tap, GOOD_ID + (uint64_t)i);
		ask(&good[i], ASK);
	}
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct wire wire;

		if (!is_alone) {
			wire = wire_open(tap, 1 + i);
			bad[i].say(&wire);
		}
		go_on(good, i, ARRAY_SIZE(bad));
	}
	tap_end(tap);
}

Test(limits, a_bad_connection_disturbs_no_other, .timeout = 120)
{
	struct tap alone, beside;

	talk(&alone, /* is_alone */ true);
	talk(&beside, /* is_alone */ false);
	cr_expect_eq(alone.totals.generations, GOOD);
	cr_expect_gt(beside.totals.generations, GOOD);
	for (int i = 0; i < GOOD; i++) {
		cr_expect(strstr(buf_text(&alone.good[i]), "Still here."), "%s", buf_text(&alone.good[i]));
		cr_expect_str_eq(buf_text(&beside.good[i]), buf_text(&alone.good[i]));
	}
	tap_done(&alone);
	tap_done(&beside);
}
