/* SPDX-License-Identifier: Apache-2.0 */
/* Whole exchanges, from the kernel's events to the JSON line. */
#include <criterion/criterion.h>

#include "limits.h"
#include "llm/json.h"
#include "pipeline.h"

#define MS 1000000ull
#define CHAT "POST /v1/chat/completions HTTP/1.1\r\nHost: api.example\r\nAuthorization: Bearer sk-secret\r\n"
#define REQUEST CHAT "Content-Length: 68\r\n\r\n" \
	"{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"stream\":1}"
#define BODY "{\"id\":\"c-1\",\"model\":\"m-1\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"yo\"}," \
	"\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3,\"total_tokens\":12}}"
#define SSE_HEAD "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nx-request-id: r-1\r\ntransfer-encoding: chunked\r\n\r\n"
#define ROLE "{\"id\":\"c-1\",\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}"
#define DELTA(text) "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"" text "\"}}]}"
#define FINISH "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}"
#define USAGE(n) "{\"choices\":[],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":" #n ",\"total_tokens\":33}}"

struct tap {
	struct pipeline *pipeline;
	cJSON *lines[32];
	size_t count;
	uint64_t now_ms;
};

/* One connection of the traced process. */
struct wire {
	struct tap *tap;
	uint64_t id;
	bool is_server;
	uint64_t offset[GT_DIRECTIONS];
};

static void take_line(void *ctx, struct slice line)
{
	struct tap *tap = ctx;

	cr_assert_lt(tap->count, ARRAY_SIZE(tap->lines));
	tap->lines[tap->count] = cJSON_ParseWithLength(line.ptr, line.len);
	cr_assert_not_null(tap->lines[tap->count], "no JSON: %.*s", (int)line.len, line.ptr);
	cr_expect_null(memmem(line.ptr, line.len, "sk-secret", 9), "a secret left");
	tap->count++;
}

static void tap_init(struct tap *tap, enum content content)
{
	struct pipeline_options options = {
		.generation = { .content = content, .boot_id = "8b1a9953-c461-4a2b-8f5e-0d6f2a7b9c11" },
		.max_content = LIMIT_CONTENT,
		.line = take_line,
		.ctx = tap,
	};

	*tap = (struct tap){ .now_ms = 1000 };
	cr_assert_eq(pipeline_new(&tap->pipeline, &options), 0);
}

static void tap_done(struct tap *tap)
{
	pipeline_free(&tap->pipeline);
	for (size_t i = 0; i < tap->count; i++)
		cJSON_Delete(tap->lines[i]);
}

static struct gt_event event_of(const struct wire *wire, enum gt_event_type type)
{
	return (struct gt_event){
		.time_ns = wire->tap->now_ms * MS,
		.conn_id = wire->id,
		.pid = 4242,
		.tid = 4250,
		.type = type,
	};
}

static struct wire wire_open(struct tap *tap, uint64_t id, bool is_server)
{
	struct wire wire = { .tap = tap, .id = id, .is_server = is_server };
	struct gt_open_event open = {
		.event = event_of(&wire, GT_EVENT_OPEN),
		.key = id,
		.family = 2, /* AF_INET */
		.peer_port = 443,
		.peer_addr = { 192, 0, 2, 1 },
		.comm = "uvicorn",
	};

	open.event.flags = GT_FLAG_BORN | (is_server ? GT_FLAG_ACCEPTED : 0);
	pipeline_event(tap->pipeline, &open.event);
	return wire;
}

static void move(struct wire *wire, enum gt_direction direction, struct slice bytes)
{
	_cleanup_(freep) struct gt_data_event *data = calloc(1, sizeof(*data) + bytes.len);

	data->event = event_of(wire, GT_EVENT_DATA);
	data->offset = wire->offset[direction];
	data->direction = direction;
	data->len = data->captured_len = (uint32_t)bytes.len;
	memcpy(data->bytes, bytes.ptr, bytes.len);
	wire->offset[direction] += bytes.len;
	pipeline_event(wire->tap->pipeline, &data->event);
}

static void say_request(struct wire *wire, const char *text)
{
	move(wire, wire->is_server ? GT_READ : GT_WRITE, slice_of(text));
}

static void say_response(struct wire *wire, const char *text)
{
	move(wire, wire->is_server ? GT_WRITE : GT_READ, slice_of(text));
}

/* One event in a chunk of its own, at @at_ms. */
static void say_event(struct wire *wire, uint64_t at_ms, const char *data)
{
	_cleanup_(buf_done) struct buf chunk = BUF_INIT(64 * KiB);

	wire->tap->now_ms = at_ms;
	buf_printf(&chunk, "%zx\r\ndata: %s\n\n\r\n", strlen(data) + 8, data);
	say_response(wire, buf_text(&chunk));
}

static void say_body(struct wire *wire, unsigned status, const char *body)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(64 * KiB);

	buf_printf(&text, "HTTP/1.1 %u X\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
		   status, strlen(body), body);
	say_response(wire, buf_text(&text));
}

static void say_end(struct wire *wire, enum gt_event_type type, enum gt_direction direction)
{
	struct gt_end_event end = {
		.event = event_of(wire, type),
		.offset = { wire->offset[GT_READ], wire->offset[GT_WRITE] },
		.direction = direction,
	};

	pipeline_event(wire->tap->pipeline, &end.event);
}

static void say_close(struct wire *wire)
{
	say_end(wire, GT_EVENT_CLOSE, GT_READ);
}

/* The value at a dotted path of a line, as JSON; @want NULL: absent. */
static void expect(const cJSON *line, const char *path, const char *want)
{
	char name[64];
	const cJSON *item = line;
	_cleanup_(json_freep) cJSON *wanted = want ? cJSON_Parse(want) : NULL;
	_cleanup_(freep) char *text = NULL;

	for (const char *at = path; *at;) {
		size_t len = strcspn(at, "/");

		snprintf(name, sizeof(name), "%.*s", (int)len, at);
		item = json_get(item, name);
		at += len + (at[len] == '/');
	}
	text = item ? cJSON_PrintUnformatted(item) : NULL;
	cr_assert(!want || wanted, "%s: no JSON: %s", path, want ? want : "");
	cr_expect((!item && !want) || cJSON_Compare(item, wanted, /* case_sensitive */ 1),
		  "%s is %s, not %s", path, text ? text : "absent", want ? want : "absent");
}

Test(pipeline, a_plain_call_gives_one_line)
{
	_cleanup_(tap_done) struct tap tap;
	struct pipeline_totals totals;
	struct wire wire;

	tap_init(&tap, CONTENT_FULL);
	wire = wire_open(&tap, 17, /* is_server */ false);
	say_request(&wire, REQUEST);
	pipeline_totals(tap.pipeline, &totals);
	cr_expect_eq(totals.live_calls, 1);
	tap.now_ms = 1300;
	say_body(&wire, 200, BODY);
	cr_assert_eq(tap.count, 1);
	say_close(&wire);
	cr_expect_eq(tap.count, 1, "the end of the connection says nothing new");

	expect(tap.lines[0], "input", "[{\"role\":\"user\",\"content\":\"hi\"}]");
	expect(tap.lines[0], "output", "{\"role\":\"assistant\",\"content\":\"yo\"}");
	expect(tap.lines[0], "usageDetails", "{\"input\":9,\"output\":3,\"total\":12}");
	expect(tap.lines[0], "level", "\"DEFAULT\"");
	expect(tap.lines[0], "startTime", "\"1970-01-01T00:00:01.000000000Z\"");
	expect(tap.lines[0], "endTime", "\"1970-01-01T00:00:01.300000000Z\"");
	expect(tap.lines[0], "http/status", "200");
	expect(tap.lines[0], "connection/peer", "\"192.0.2.1:443\"");
	expect(tap.lines[0], "connection/reused", "false");
	expect(tap.lines[0], "role", "\"client\"");
	expect(tap.lines[0], "evidence/complete", "true");

	pipeline_totals(tap.pipeline, &totals);
	cr_expect_eq(totals.exchanges, 1);
	cr_expect_eq(totals.generations, 1);
	cr_expect_eq(totals.live_calls, 0);
	cr_expect_eq(totals.live_conns, 0);
	cr_expect_eq(totals.events, 4);
	cr_expect_eq(totals.bytes, wire.offset[GT_READ] + wire.offset[GT_WRITE]);
}

Test(pipeline, a_stream_ends_at_done_and_only_once)
{
	_cleanup_(tap_done) struct tap tap;
	struct wire wire;

	tap_init(&tap, CONTENT_FULL);
	wire = wire_open(&tap, 1, /* is_server */ false);
	say_request(&wire, REQUEST);
	tap.now_ms = 1050;
	say_response(&wire, SSE_HEAD);
	say_event(&wire, 1100, ROLE);
	say_event(&wire, 1200, DELTA("Hel"));
	say_event(&wire, 1210, DELTA("lo"));
	say_event(&wire, 1220, FINISH);
	say_event(&wire, 1230, USAGE(3));
	cr_expect_eq(tap.count, 0);
	say_event(&wire, 1240, "[DONE]");
	cr_assert_eq(tap.count, 1, "the line does not wait for the end of HTTP");
	say_close(&wire);
	cr_expect_eq(tap.count, 1);

	expect(tap.lines[0], "output", "\"Hello\"");
	expect(tap.lines[0], "finishReason", "\"stop\"");
	expect(tap.lines[0], "completionStartTime", "\"1970-01-01T00:00:01.200000000Z\"");
	expect(tap.lines[0], "endTime", "\"1970-01-01T00:00:01.240000000Z\"");
	expect(tap.lines[0], "timing", "{\"ttftMs\":200,\"tpotMs\":5,\"itlP50Ms\":10,\"itlP99Ms\":10,\"itlMaxMs\":10,\"chunks\":2}");
	expect(tap.lines[0], "evidence", "{\"usage\":\"reported\",\"parent\":\"none\",\"complete\":true,\"reasons\":[],\"lostBytes\":0}");
	expect(tap.lines[0], "http/requestId", "\"r-1\"");
}

Test(pipeline, streams_of_two_connections_do_not_mix)
{
	_cleanup_(tap_done) struct tap tap;
	struct wire a, b;

	tap_init(&tap, CONTENT_FULL);
	a = wire_open(&tap, 1, /* is_server */ false);
	b = wire_open(&tap, 2, /* is_server */ false);
	say_request(&a, REQUEST);
	say_request(&b, REQUEST);
	say_response(&b, SSE_HEAD);
	say_response(&a, SSE_HEAD);
	say_event(&a, 1100, DELTA("a1"));
	say_event(&b, 1110, DELTA("b1"));
	say_event(&b, 1120, DELTA("b2"));
	say_event(&a, 1130, DELTA("a2"));
	say_event(&b, 1140, "[DONE]");
	say_event(&a, 1150, "[DONE]");
	cr_assert_eq(tap.count, 2);
	expect(tap.lines[0], "output", "\"b1b2\"");
	expect(tap.lines[0], "connection/id", "2");
	expect(tap.lines[1], "output", "\"a1a2\"");
	expect(tap.lines[1], "connection/id", "1");
	cr_expect_str_neq(json_string(tap.lines[0], "id"), json_string(tap.lines[1], "id"));
}

Test(pipeline, a_kept_connection_gives_a_line_for_each_call)
{
	_cleanup_(tap_done) struct tap tap;
	struct wire wire;

	tap_init(&tap, CONTENT_FULL);
	wire = wire_open(&tap, 1, /* is_server */ false);
	say_request(&wire, REQUEST);
	say_response(&wire, SSE_HEAD);
	say_event(&wire, 1100, DELTA("a"));
	say_event(&wire, 1110, "[DONE]");
	say_response(&wire, "0\r\n\r\n");
	tap.now_ms = 2000;
	say_request(&wire, REQUEST);
	say_body(&wire, 200, BODY);
	cr_assert_eq(tap.count, 2);
	expect(tap.lines[0], "connection/exchange", "1");
	expect(tap.lines[1], "connection/exchange", "2");
	expect(tap.lines[1], "connection/reused", "true");
	expect(tap.lines[1], "output", "{\"role\":\"assistant\",\"content\":\"yo\"}");
}

/* How a stream of one word is broken off. */
enum cut { CLIENT_CLOSES, SERVER_CLOSES, GENTAP_DETACHES, TARGET_EXITS, CUTS };

static const struct { const char *reason, *message; } cuts[] = {
	[CLIENT_CLOSES] = { "[\"cut_by_client\"]", "\"connection closed by the client before the end of the stream\"" },
	[SERVER_CLOSES] = { "[\"cut_by_server\"]", "\"stream ended by the server before its own end\"" },
	[GENTAP_DETACHES] = { "[\"detached\"]", "\"still running when gentap detached\"" },
	[TARGET_EXITS] = { "[\"target_exited\"]", "\"the process ended first\"" },
};

static void cut(struct wire *wire, enum cut how)
{
	struct gt_process_event exit = { .event = event_of(wire, GT_EVENT_EXIT) };

	switch (how) {
	case CLIENT_CLOSES:
		say_close(wire);
		break;
	case SERVER_CLOSES:
		say_end(wire, GT_EVENT_EOF, GT_READ);
		say_close(wire);
		break;
	case GENTAP_DETACHES:
		pipeline_detach(wire->tap->pipeline, wire->tap->now_ms * MS);
		break;
	default:
		exit.event.conn_id = 0;
		pipeline_event(wire->tap->pipeline, &exit.event);
	}
}

Test(pipeline, a_cut_stream_keeps_what_came_and_says_who_cut_it)
{
	for (int how = 0; how < CUTS; how++) {
		_cleanup_(tap_done) struct tap tap;
		struct wire wire;

		tap_init(&tap, CONTENT_FULL);
		wire = wire_open(&tap, 1, /* is_server */ false);
		say_request(&wire, REQUEST);
		say_response(&wire, SSE_HEAD);
		say_event(&wire, 1100, DELTA("Hel"));
		tap.now_ms = 1500;
		cut(&wire, how);
		cr_assert_eq(tap.count, 1, "cut %d", how);
		expect(tap.lines[0], "output", "\"Hel\"");
		expect(tap.lines[0], "level", "\"WARNING\"");
		expect(tap.lines[0], "statusMessage", cuts[how].message);
		expect(tap.lines[0], "evidence/reasons", cuts[how].reason);
		expect(tap.lines[0], "evidence/complete", "false");
		expect(tap.lines[0], "usageDetails", NULL);
		expect(tap.lines[0], "costDetails", NULL);
		expect(tap.lines[0], "endTime", "\"1970-01-01T00:00:01.500000000Z\"");
	}
}

Test(pipeline, a_request_without_an_answer_is_an_error)
{
	_cleanup_(tap_done) struct tap tap;
	struct wire wire;

	tap_init(&tap, CONTENT_FULL);
	wire = wire_open(&tap, 1, /* is_server */ false);
	say_request(&wire, REQUEST);
	say_close(&wire);
	cr_assert_eq(tap.count, 1);
	expect(tap.lines[0], "level", "\"ERROR\"");
	expect(tap.lines[0], "statusMessage", "\"connection closed by the client before a response\"");
	expect(tap.lines[0], "model", "\"m\"");
}

Test(pipeline, a_request_cut_in_two_keeps_what_was_sent)
{
	_cleanup_(tap_done) struct tap tap;
	struct wire wire;

	tap_init(&tap, CONTENT_FULL);
	wire = wire_open(&tap, 1, /* is_server */ false);
	say_request(&wire, CHAT "Content-Length: 500\r\n\r\n{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hel");
	say_close(&wire);
	cr_assert_eq(tap.count, 1);
	expect(tap.lines[0], "input", "[{\"role\":\"user\",\"content\":\"Hel\"}]");
	expect(tap.lines[0], "evidence/complete", "false");
}

Test(pipeline, an_error_in_the_stream_wins_over_its_end)
{
	_cleanup_(tap_done) struct tap tap;
	struct wire wire;

	tap_init(&tap, CONTENT_FULL);
	wire = wire_open(&tap, 1, /* is_server */ false);
	say_request(&wire, REQUEST);
	say_response(&wire, SSE_HEAD);
	say_event(&wire, 1100, DELTA("Hel"));
	say_event(&wire, 1200, "{\"error\":{\"message\":\"engine died\",\"type\":\"InternalServerError\",\"code\":500}}");
	cr_expect_eq(tap.count, 0);
	say_event(&wire, 1300, "[DONE]");
	cr_assert_eq(tap.count, 1);
	expect(tap.lines[0], "level", "\"ERROR\"");
	expect(tap.lines[0], "statusMessage", "\"engine died\"");
	expect(tap.lines[0], "output", "\"Hel\"");
	expect(tap.lines[0], "http/status", "200");
}

static const struct { const char *name, *last, *level, *complete; } undone[] = {
	{ "a finish reason is an end too", FINISH, "\"DEFAULT\"", "true" },
	{ "without one the server cut it", DELTA("x"), "\"WARNING\"", "false" },
	{ "an error is an end", "{\"error\":{\"message\":\"m\"}}", "\"ERROR\"", "true" },
};

Test(pipeline, a_stream_without_done_ends_with_http)
{
	for (size_t i = 0; i < ARRAY_SIZE(undone); i++) {
		_cleanup_(tap_done) struct tap tap;
		struct wire wire;

		tap_init(&tap, CONTENT_FULL);
		wire = wire_open(&tap, 1, /* is_server */ false);
		say_request(&wire, REQUEST);
		say_response(&wire, SSE_HEAD);
		say_event(&wire, 1100, DELTA("Hel"));
		say_event(&wire, 1200, undone[i].last);
		tap.now_ms = 1300;
		say_response(&wire, "0\r\n\r\n");
		cr_assert_eq(tap.count, 1, "%s", undone[i].name);
		expect(tap.lines[0], "level", undone[i].level);
		expect(tap.lines[0], "evidence/complete", undone[i].complete);
	}
}

Test(pipeline, a_server_answers_as_vllm_does)
{
	_cleanup_(tap_done) struct tap tap;
	struct wire wire;

	tap_init(&tap, CONTENT_FULL);
	wire = wire_open(&tap, 1, /* is_server */ true);
	say_request(&wire, REQUEST);
	tap.now_ms = 1003;
	say_response(&wire, SSE_HEAD);
	say_event(&wire, 1100, ROLE);
	say_event(&wire, 1200, DELTA("twenty-four tokens in one event"));
	say_event(&wire, 1210, USAGE(24));
	say_event(&wire, 1220, "[DONE]");
	cr_assert_eq(tap.count, 1);
	expect(tap.lines[0], "role", "\"server\"");
	expect(tap.lines[0], "timing", "{\"ttftMs\":200,\"chunks\":1}");
	expect(tap.lines[0], "usageDetails/output", "24");
	expect(tap.lines[0], "role", "\"server\"");
}

Test(pipeline, content_metadata_lets_no_text_out)
{
	_cleanup_(tap_done) struct tap tap;
	struct wire wire;

	tap_init(&tap, CONTENT_METADATA);
	wire = wire_open(&tap, 1, /* is_server */ false);
	say_request(&wire, REQUEST);
	say_body(&wire, 200, BODY);
	cr_assert_eq(tap.count, 1);
	expect(tap.lines[0], "input", NULL);
	expect(tap.lines[0], "output", NULL);
	expect(tap.lines[0], "usageDetails/total", "12");
}

static const char *const strangers[] = {
	"GET /v1/models HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET /v1/chat/completions HTTP/1.1\r\nHost: x\r\n\r\n",
	"POST /api/public/otel/v1/traces HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
	"POST /jobs/completions HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n{\"job\":1}",
};

Test(pipeline, what_is_no_llm_call_gives_no_line)
{
	for (size_t i = 0; i < ARRAY_SIZE(strangers); i++) {
		_cleanup_(tap_done) struct tap tap;
		struct pipeline_totals totals;
		struct wire wire;

		tap_init(&tap, CONTENT_FULL);
		wire = wire_open(&tap, 1, /* is_server */ false);
		say_request(&wire, strangers[i]);
		say_body(&wire, 200, "{\"ok\":true}");
		say_close(&wire);
		pipeline_totals(tap.pipeline, &totals);
		cr_expect_eq(tap.count, 0, "%s", strangers[i]);
		cr_expect_eq(totals.exchanges, 1, "%s", strangers[i]);
		cr_expect_eq(totals.live_calls, 0, "%s", strangers[i]);
	}
}

Test(pipeline, what_the_answer_cut_is_counted)
{
	_cleanup_(tap_done) struct tap tap;
	struct pipeline_totals totals;
	struct wire wire;

	tap_init(&tap, CONTENT_FULL);
	wire = wire_open(&tap, 1, /* is_server */ false);
	say_request(&wire, REQUEST);
	say_body(&wire, 200, "{\"choices\":[{");
	pipeline_totals(tap.pipeline, &totals);
	cr_expect_eq(totals.losses[LOSS_BAD_JSON], 1);
	expect(tap.lines[0], "output", "\"{\\\"choices\\\":[{\"");
}

Test(pipeline, a_body_over_the_limit_is_kept_as_far_as_it_goes)
{
	_cleanup_(freep) char *body = malloc(5 * MiB + 256);
	_cleanup_(tap_done) struct tap tap;
	struct wire wire;
	char head[128];
	size_t len;

	len = (size_t)sprintf(body, "{\"model\":\"m-1\",\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"");
	memset(body + len, 'x', 5 * MiB);
	len += 5 * MiB;
	len += (size_t)sprintf(body + len, "\"}}]}");
	tap_init(&tap, CONTENT_FULL);
	wire = wire_open(&tap, 1, /* is_server */ false);
	say_request(&wire, REQUEST);
	snprintf(head, sizeof(head), "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", len);
	say_response(&wire, head);
	for (size_t at = 0; at < len; at += MIN((size_t)GT_CHUNK_BYTES, len - at))
		move(&wire, GT_READ, (struct slice){ body + at, MIN((size_t)GT_CHUNK_BYTES, len - at) });
	cr_assert_eq(tap.count, 1);
	expect(tap.lines[0], "model", "\"m-1\"");
	expect(tap.lines[0], "level", "\"DEFAULT\"");
	expect(tap.lines[0], "evidence/complete", "false");
	expect(tap.lines[0], "evidence/reasons", "[\"body_limit\",\"content_truncated\"]");
	cr_expect_leq(strlen(json_string(json_get(tap.lines[0], "output"), "content")), LIMIT_CONTENT);
}

/* The line of one streamed call whose response is cut into two reads at @at. */
static char *line_split_at(size_t at)
{
	static const char response[] = SSE_HEAD "90\r\ndata: " DELTA("Hel\xc3\xa9") "\n\ndata: " FINISH "\r\n\r\ndata: [DONE]\n\n\r\n0\r\n\r\n";
	_cleanup_(tap_done) struct tap tap;
	struct wire wire;

	tap_init(&tap, CONTENT_FULL);
	wire = wire_open(&tap, 1, /* is_server */ false);
	say_request(&wire, REQUEST);
	move(&wire, GT_READ, (struct slice){ response, MIN(at, sizeof(response) - 1) });
	if (at < sizeof(response) - 1)
		move(&wire, GT_READ, (struct slice){ response + at, sizeof(response) - 1 - at });
	cr_assert_eq(tap.count, 1, "cut at %zu", at);
	/* At [DONE] the bytes behind it may or may not be in. */
	cJSON_DeleteItemFromObject((cJSON *)json_get(tap.lines[0], "http"), "responseBytes");
	return cJSON_PrintUnformatted(tap.lines[0]);
}

Test(pipeline, equal_events_give_equal_lines_at_every_split)
{
	_cleanup_(freep) char *whole = line_split_at(SIZE_MAX);

	for (size_t at = 1; at < strlen(SSE_HEAD) + 0x90 + 10; at++) {
		_cleanup_(freep) char *line = line_split_at(at);

		cr_expect_str_eq(line, whole, "cut at %zu", at);
	}
}

/* A whole text message of a WebSocket (RFC 6455 section 5.2); the client's mask is zero. */
static void say_message(struct wire *wire, bool is_from_client, const char *text)
{
	_cleanup_(buf_done) struct buf frame = BUF_INIT(64 * KiB);
	size_t len = strlen(text);

	buf_add_char(&frame, (char)0x81);
	buf_add_char(&frame, (char)(126 | (is_from_client ? 0x80 : 0)));
	buf_add_char(&frame, (char)(len >> 8));
	buf_add_char(&frame, (char)len);
	buf_add(&frame, "\0\0\0", is_from_client ? 4 : 0);
	buf_add_text(&frame, text);
	move(wire, is_from_client == wire->is_server ? GT_READ : GT_WRITE, buf_slice(&frame));
}

#define SOCKET "GET /v1/responses HTTP/1.1\r\nHost: api.example\r\nAuthorization: Bearer sk-secret\r\n" \
	       "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"
#define UPGRADED "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n"
#define CREATE "{\"type\":\"response.create\",\"model\":\"m\",\"input\":\"a question of some length, so that its frame has the longer head; more of it, and more, and more\"}"
#define CREATED "{\"type\":\"response.created\",\"response\":{\"id\":\"resp_1\",\"object\":\"response\",\"status\":\"in_progress\",\"model\":\"m-1\",\"output\":[],\"usage\":null}}"
#define COMPLETED "{\"type\":\"response.completed\",\"response\":{\"id\":\"resp_1\",\"object\":\"response\",\"status\":\"completed\",\"model\":\"m-1\",\"output\":[]," \
		  "\"usage\":{\"input_tokens\":9,\"output_tokens\":3,\"total_tokens\":12}}}"

Test(pipeline, calls_of_a_websocket_are_lines_of_their_own)
{
	_cleanup_(tap_done) struct tap tap;
	struct pipeline_totals totals;
	struct wire wire;

	tap_init(&tap, CONTENT_FULL);
	wire = wire_open(&tap, 17, /* is_server */ false);
	say_request(&wire, SOCKET);
	say_response(&wire, UPGRADED);
	pipeline_totals(tap.pipeline, &totals);
	cr_expect_eq(totals.live_calls, 0, "a socket is no call yet");
	say_message(&wire, /* is_from_client */ true, CREATE);
	say_message(&wire, /* is_from_client */ false, CREATED);
	pipeline_totals(tap.pipeline, &totals);
	cr_expect_eq(totals.live_calls, 1);
	say_message(&wire, /* is_from_client */ false, COMPLETED);
	cr_assert_eq(tap.count, 1, "at its own end, not the socket's");
	say_message(&wire, /* is_from_client */ true, CREATE);
	pipeline_detach(tap.pipeline, (tap.now_ms + 5) * MS);
	cr_assert_eq(tap.count, 2);
	pipeline_totals(tap.pipeline, &totals);
	cr_expect_eq(totals.live_calls, 0);
	cr_expect_eq(totals.generations, 2);

	cr_expect_str_neq(json_string(tap.lines[0], "id"), json_string(tap.lines[1], "id"));
	expect(tap.lines[0], "usageDetails", "{\"input\":9,\"output\":3,\"total\":12}");
	expect(tap.lines[0], "level", "\"DEFAULT\"");
	expect(tap.lines[0], "http/status", "101");
	expect(tap.lines[0], "http/method", "\"GET\"");
	cr_expect_eq(json_get(json_get(tap.lines[0], "http"), "requestBytes")->valueint, (int)strlen(CREATE));
	cr_expect_eq(json_get(json_get(tap.lines[0], "http"), "responseBytes")->valueint, (int)strlen(CREATED COMPLETED));
	expect(tap.lines[1], "level", "\"WARNING\"");
	expect(tap.lines[1], "evidence/reasons", "[\"detached\"]");
}

Test(pipeline, a_refused_handshake_is_no_call)
{
	_cleanup_(tap_done) struct tap tap;
	struct wire wire;

	tap_init(&tap, CONTENT_FULL);
	wire = wire_open(&tap, 17, /* is_server */ false);
	say_request(&wire, SOCKET);
	say_body(&wire, 401, "{\"error\":{\"message\":\"no key\"}}");
	say_close(&wire);
	cr_expect_eq(tap.count, 0);
}
