/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <math.h>

#include "export/generation.h"
#include "export/langfuse.h"
#include "limits.h"
#include "llm/json.h"

#define MS 1000000ull
#define REQUEST "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"metadata\":{\"k\":\"v\",\"n\":null,\"gentap.role\":\"x\"}," \
		"\"response_format\":{\"type\":\"json_object\"}}"
#define BODY "{\"id\":\"chatcmpl-1\",\"model\":\"m-2026\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"yo\"}," \
	     "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":9,\"completion_tokens\":3,\"total_tokens\":12}}"
#define RATE_LIMIT "{\"error\":{\"message\":\"Rate limit reached\",\"type\":\"requests\",\"code\":\"rate_limit_exceeded\"}}"

static const struct generation_options full = {
	.content = CONTENT_FULL,
	.realtime_offset_ns = 1794913600000000000ull,
	.boot_id = "8b1a9953-c461-4a2b-8f5e-0d6f2a7b9c11",
};

/* A conn and an exchange with no more to them than the line needs. */
struct scene {
	struct conn conn;
	struct exchange exchange;
	struct call *call;
};

static void scene_done(struct scene *scene)
{
	call_free(&scene->call);
}

static void set_head(struct message *message, const char *fields)
{
	message->has_head = true;
	message->is_whole = true;
	message->head.major = message->head.minor = 1;
	message->head.fields = slice_of(fields);
	message->head.text = message->head.fields;
}

static void scene_init(struct scene *scene, const char *target, const char *request)
{
	bool is_out_of_memory;

	*scene = (struct scene){
		.conn = { .id = 17, .pid = 4242, .tid = 4250, .is_tls = true, .comm = "uvicorn",
			  .server_name = "api.example", .family = 2, .peer_port = 443,
			  .peer_addr = { 192, 0, 2, 1 } },
		.exchange = { .number = 3, .role = ROLE_CLIENT },
	};
	scene->exchange.conn = &scene->conn;
	set_head(&scene->exchange.request, "Host: api.example\r\nAuthorization: Bearer sk-secret\r\n"
		 "x-api-key: sk-secret\r\nCookie: sk-secret\r\n");
	scene->exchange.request.head.method = SLICE("POST");
	scene->exchange.request.head.target = slice_of(target);
	scene->exchange.request.body_wire_bytes = 812;
	scene->call = call_begin(&scene->exchange.request.head, LIMIT_CONTENT, &is_out_of_memory);
	cr_assert_not_null(scene->call);
	scene->call->times.request_first_ns = 1000 * MS;
	scene->call->times.end_ns = 2420 * MS + 123456;
	call_read_request(scene->call, slice_of(request), /* is_truncated */ false);
}

static void scene_answer(struct scene *scene, unsigned status, const char *body)
{
	set_head(&scene->exchange.response, "content-type: application/json\r\nx-request-id: req_1\r\n"
		 "Set-Cookie: sk-secret\r\n");
	scene->exchange.response.head.status = status;
	scene->exchange.response.body_wire_bytes = 20311;
	if (body)
		call_read_response(scene->call, status, slice_of(body), /* is_truncated */ false);
}

static cJSON *scene_line(struct scene *scene, const struct generation_options *options)
{
	_cleanup_(buf_done) struct buf line = BUF_INIT(8 * MiB);
	cJSON *json;

	cr_assert_eq(generation_line(options, scene->call, &scene->exchange, &line), 0);
	json = cJSON_Parse(buf_text(&line));
	cr_assert_not_null(json, "no JSON: %s", buf_text(&line));
	cr_expect_null(strchr(buf_text(&line), '\n'), "a line is one line");
	cr_expect_null(strstr(buf_text(&line), "sk-secret"), "a secret left: %s", buf_text(&line));
	return json;
}

/* The member @name of @line is @want; NULL: absent. */
static void expect(const cJSON *line, const char *name, const char *want, const char *what)
{
	const cJSON *item = cJSON_GetObjectItemCaseSensitive(line, name);
	_cleanup_(json_freep) cJSON *wanted = want ? cJSON_Parse(want) : NULL;
	_cleanup_(freep) char *text = item ? cJSON_PrintUnformatted(item) : NULL;

	cr_assert(!want || wanted, "%s: %s is no JSON", what, want ? want : "");
	cr_expect((!item && !want) || cJSON_Compare(item, wanted, /* case_sensitive */ 1),
		  "%s: %s is %s, not %s", what, name, text ? text : "absent", want ? want : "absent");
}

Test(generation, a_plain_call_is_the_contracts_line)
{
	_cleanup_(scene_done) struct scene scene = { 0 };
	_cleanup_(json_freep) cJSON *line = NULL;
	static const struct { const char *name, *want; } members[] = {
		{ "gentap", "1" }, { "type", "\"generation\"" }, { "name", "\"OpenAI-generation\"" },
		{ "parentId", NULL }, { "completionStartTime", NULL }, { "timing", NULL },
		{ "startTime", "\"2026-11-17T11:06:41.000000000Z\"" },
		{ "endTime", "\"2026-11-17T11:06:42.420123456Z\"" },
		{ "model", "\"m-2026\"" },
		{ "modelParameters", "{\"temperature\":1,\"max_tokens\":\"Infinity\",\"top_p\":1,\"frequency_penalty\":0,\"presence_penalty\":0}" },
		{ "input", "[{\"role\":\"user\",\"content\":\"hi\"}]" },
		{ "output", "{\"role\":\"assistant\",\"content\":\"yo\"}" },
		{ "usageDetails", "{\"input\":9,\"output\":3,\"total\":12}" }, { "costDetails", NULL },
		{ "level", "\"DEFAULT\"" }, { "statusMessage", NULL }, { "finishReason", "\"stop\"" },
		{ "metadata", "{\"k\":\"v\",\"response_format\":{\"type\":\"json_object\"},\"gentap.responseId\":\"chatcmpl-1\"}" },
		{ "environment", NULL }, { "release", NULL }, { "version", NULL },
		{ "provider", NULL }, { "dialect", "\"openai.chat\"" }, { "operation", "\"chat\"" }, { "role", "\"client\"" },
		{ "http", "{\"version\":\"1.1\",\"method\":\"POST\",\"path\":\"/v1/chat/completions\",\"host\":\"api.example\","
			  "\"status\":200,\"requestId\":\"req_1\",\"requestBytes\":812,\"responseBytes\":20311}" },
		{ "process", "{\"pid\":4242,\"tid\":4250,\"comm\":\"uvicorn\"}" },
		{ "connection", "{\"id\":17,\"exchange\":3,\"tls\":true,\"reused\":true,\"peer\":\"192.0.2.1:443\",\"serverName\":\"api.example\"}" },
		{ "evidence", "{\"usage\":\"reported\",\"parent\":\"none\",\"complete\":true,\"reasons\":[],\"lostBytes\":0}" },
	};

	scene_init(&scene, "/v1/chat/completions?key=sk-secret", REQUEST);
	scene_answer(&scene, 200, BODY);
	line = scene_line(&scene, &full);
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		expect(line, members[i].name, members[i].want, "plain call");
}

Test(generation, ids_are_of_boot_connection_exchange_and_lane)
{
	struct generation_options other = full;
	struct conn conn = { .id = 17 };
	char trace[6][33], id[6][17];

	generation_ids(&full, &conn, 3, 0, trace[0], id[0]);
	generation_ids(&full, &conn, 3, 0, trace[1], id[1]);
	generation_ids(&full, &conn, 4, 0, trace[2], id[2]);
	other.boot_id[0] = '9';
	generation_ids(&other, &conn, 3, 0, trace[3], id[3]);
	conn.id = 18;
	generation_ids(&full, &conn, 3, 0, trace[4], id[4]);
	conn.id = 17;
	generation_ids(&full, &conn, 3, 1, trace[5], id[5]);
	/* printf 8b1a9953-c461-4a2b-8f5e-0d6f2a7b9c11:17:3 | sha256sum */
	cr_expect_str_eq(trace[0], "8754c40f4121b829df4ef56c05cd1b19");
	cr_expect_eq(memcmp(trace[0], id[0], 16), 0, "the seed rule gives both one beginning");
	cr_expect_eq(strlen(id[0]), 16);
	cr_expect_str_eq(trace[1], trace[0]);
	for (int i = 2; i < 6; i++)
		cr_expect_str_neq(id[i], id[0], "variant %d", i);
}

static const struct {
	const char *name;
	unsigned status;		/* 0: no answer */
	const char *body;
	loss_set marks;
	const char *level, *message;	/* JSON */
	bool has_zero_cost;
} failures[] = {
	{ "an error the provider explains", 429, RATE_LIMIT, 0, "\"ERROR\"",
	  "\"Error code: 429 - Rate limit reached\"", true },
	{ "an error page", 502, "<html>Bad Gateway</html>", 0, "\"ERROR\"", "\"Error code: 502\"", true },
	{ "an error without a body", 503, "", 0, "\"ERROR\"", "\"Error code: 503\"", true },
	{ "an error in a good answer", 200, "{\"error\":{\"message\":\"overloaded\"}}", 0, "\"ERROR\"", "\"overloaded\"", false },
	{ "no answer before the client left", 0, NULL, LOSS_BIT(LOSS_CUT_BY_CLIENT), "\"ERROR\"",
	  "\"connection closed by the client before a response\"", true },
	{ "no answer before the server left", 0, NULL, LOSS_BIT(LOSS_CUT_BY_SERVER), "\"ERROR\"",
	  "\"connection closed by the server before a response\"", true },
	{ "no answer before gentap left", 0, NULL, LOSS_BIT(LOSS_DETACHED), "\"WARNING\"",
	  "\"still running when gentap detached\"", false },
	{ "the process died in the answer", 200, NULL, LOSS_BIT(LOSS_TARGET_EXITED), "\"WARNING\"",
	  "\"the process ended first\"", false },
	{ "the answer was lost", 200, NULL, LOSS_BIT(LOSS_GAP), "\"WARNING\"", "\"bytes of the call were lost\"", false },
	{ "the client left in the answer", 200, NULL, LOSS_BIT(LOSS_CUT_BY_CLIENT), "\"WARNING\"",
	  "\"connection closed by the client before the end of the response\"", false },
};

Test(generation, failures_say_what_failed_and_claim_no_usage)
{
	for (size_t i = 0; i < ARRAY_SIZE(failures); i++) {
		_cleanup_(scene_done) struct scene scene = { 0 };
		_cleanup_(json_freep) cJSON *line = NULL;

		scene_init(&scene, "/v1/chat/completions", REQUEST);
		if (failures[i].status)
			scene_answer(&scene, failures[i].status, failures[i].body);
		scene.call->marks |= failures[i].marks;
		line = scene_line(&scene, &full);
		expect(line, "level", failures[i].level, failures[i].name);
		expect(line, "statusMessage", failures[i].message, failures[i].name);
		expect(line, "model", "\"m\"", failures[i].name);
		expect(line, "output", NULL, failures[i].name);
		expect(line, "usageDetails", NULL, failures[i].name);
		expect(line, "costDetails", failures[i].has_zero_cost
		       ? "{\"input\":0,\"output\":0,\"total\":0}" : NULL, failures[i].name);
	}
}

Test(generation, a_refusal_is_an_error_in_the_models_words)
{
	struct generation_options metadata = full;

	metadata.content = CONTENT_METADATA;
	for (int is_kept_back = 0; is_kept_back < 2; is_kept_back++) {
		_cleanup_(scene_done) struct scene scene = { 0 };
		_cleanup_(json_freep) cJSON *line = NULL;

		scene_init(&scene, "/v1/chat/completions", REQUEST);
		scene_answer(&scene, 200, "{\"choices\":[{\"message\":{\"role\":\"assistant\",\"refusal\":\"I will not.\"},"
			     "\"finish_reason\":\"stop\"}],\"usage\":{\"prompt_tokens\":1}}");
		line = scene_line(&scene, is_kept_back ? &metadata : &full);
		expect(line, "level", "\"ERROR\"", "refusal");
		expect(line, "statusMessage", is_kept_back ? "\"refused\"" : "\"I will not.\"", "refusal");
		expect(line, "usageDetails", "{\"input\":1}", "it is paid for all the same");
		expect(line, "costDetails", NULL, "refusal");
	}
}

Test(generation, what_is_incomplete_says_why)
{
	_cleanup_(scene_done) struct scene scene = { 0 };
	_cleanup_(json_freep) cJSON *line = NULL;

	scene_init(&scene, "/v1/chat/completions", "{\"messages\":[]}");
	scene_answer(&scene, 200, NULL);
	scene.exchange.marks = LOSS_BIT(LOSS_GAP);
	scene.exchange.kernel_flags = GT_FLAG_TLS | GT_FLAG_RING_FULL | GT_FLAG_CALL_LIMIT;
	scene.exchange.response.lost_bytes = 100;
	scene.exchange.request.lost_bytes = 1;
	scene.call->marks = LOSS_BIT(LOSS_CUT_BY_SERVER);
	line = scene_line(&scene, &full);
	expect(line, "evidence", "{\"usage\":\"absent\",\"parent\":\"none\",\"complete\":false,\"reasons\":[\"lost_bytes\","
	       "\"cut_by_server\",\"ring_full\",\"call_limit\"],\"lostBytes\":101}", "incomplete");
}

Test(generation, unknown_codings_are_named)
{
	static const struct {
		struct slice request, response;
		const char *want;
	} cases[] = {
		{ SLICE(""), SLICE("dcz"), "[\"unsupported_encoding\",\"unsupported_encoding:dcz\"]" },
		{ SLICE("a"), SLICE("b"), "[\"unsupported_encoding\",\"unsupported_encoding:a\",\"unsupported_encoding:b\"]" },
		{ SLICE(""), SLICE("a\x1b[2J\xff"), "[\"unsupported_encoding\",\"unsupported_encoding:a\\ufffd[2J\\ufffd\"]" },
		{ SLICE(""), SLICE("0123456789abcdef0123456789abcdefghi"),
		  "[\"unsupported_encoding\",\"unsupported_encoding:0123456789abcdef0123456789abcdef\"]" },
		{ SLICE(""), SLICE("0123456789abcdef0123456789abcd\xc3\xa9"),
		  "[\"unsupported_encoding\",\"unsupported_encoding:0123456789abcdef0123456789abcd\\u00e9\"]" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_(scene_done) struct scene scene = { 0 };
		_cleanup_(json_freep) cJSON *line = NULL;

		scene_init(&scene, "/v1/chat/completions", "{\"messages\":[]}");
		scene_answer(&scene, 200, NULL);
		scene.exchange.request.codings.unknown = cases[i].request;
		scene.exchange.response.codings.unknown = cases[i].response;
		scene.exchange.marks = LOSS_BIT(LOSS_UNSUPPORTED_ENCODING);
		line = scene_line(&scene, &full);
		expect(json_get(line, "evidence"), "reasons", cases[i].want, "unknown coding");
	}
}

Test(generation, repaired_text_is_still_complete)
{
	_cleanup_(scene_done) struct scene scene = { 0 };
	_cleanup_(json_freep) cJSON *line = NULL;

	scene_init(&scene, "/v1/chat/completions", "{\"messages\":\"\\u0000\"}");
	scene_answer(&scene, 200, BODY);
	line = scene_line(&scene, &full);
	expect(line, "input", "\"\xef\xbf\xbd\"", "repaired");
	expect(line, "evidence", "{\"usage\":\"reported\",\"parent\":\"none\",\"complete\":true,\"reasons\":[\"text_repaired\"],\"lostBytes\":0}",
	       "repaired");
}

/* Content-bearing events at the given milliseconds. */
static void stream(struct scene *scene, const unsigned *at_ms, size_t count, const char *usage)
{
	static const char delta[] = "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"x\"}}]}";

	call_read_event(scene->call, 1100 * MS, &(struct stream_event){ .data = SLICE("{\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}") });
	for (size_t i = 0; i < count; i++)
		call_read_event(scene->call, at_ms[i] * MS, &(struct stream_event){ .data = SLICE(delta) });
	if (usage)
		call_read_event(scene->call, 1900 * MS, &(struct stream_event){ .data = slice_of(usage) });
	call_read_event(scene->call, 2000 * MS, &(struct stream_event){ .data = SLICE("[DONE]") });
}

static double number(const cJSON *object, const char *name)
{
	const cJSON *item = json_get(object, name);

	return cJSON_IsNumber(item) ? item->valuedouble : NAN;
}

Test(generation, a_stream_is_timed_from_the_requests_first_byte)
{
	static const unsigned at_ms[] = { 1200, 1210, 1230, 1290, 1290 };
	_cleanup_(scene_done) struct scene scene = { 0 };
	_cleanup_(json_freep) cJSON *line = NULL;
	const cJSON *timing;

	scene_init(&scene, "/v1/chat/completions", REQUEST);
	scene_answer(&scene, 200, NULL);
	stream(&scene, at_ms, ARRAY_SIZE(at_ms),
	       "{\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":10,\"total_tokens\":11}}");
	line = scene_line(&scene, &full);
	expect(line, "completionStartTime", "\"2026-11-17T11:06:41.200000000Z\"", "stream");
	expect(line, "endTime", "\"2026-11-17T11:06:42.000000000Z\"", "stream");
	expect(line, "output", "\"xxxxx\"", "stream");
	timing = json_get(line, "timing");
	cr_expect_float_eq(number(timing, "ttftMs"), 200, 1e-9);
	cr_expect_float_eq(number(timing, "tpotMs"), 10, 1e-9, "90 ms between ten tokens");
	/* numpy.percentile([0, 10, 20, 60], [50, 99]) */
	cr_expect_float_eq(number(timing, "itlP50Ms"), 15, 1e-9);
	cr_expect_float_eq(number(timing, "itlP99Ms"), 58.8, 1e-9);
	cr_expect_float_eq(number(timing, "itlMaxMs"), 60, 1e-9);
	cr_expect_eq(number(timing, "chunks"), 5);
}

Test(generation, a_stream_without_usage_or_tokens_claims_no_more_than_it_saw)
{
	static const unsigned at_ms[] = { 1200 };
	_cleanup_(scene_done) struct scene one = { 0 }, none = { 0 };
	_cleanup_(json_freep) cJSON *one_line = NULL, *none_line = NULL;

	scene_init(&one, "/v1/chat/completions", REQUEST);
	scene_answer(&one, 200, NULL);
	stream(&one, at_ms, 1, NULL);
	one_line = scene_line(&one, &full);
	expect(one_line, "timing", "{\"ttftMs\":200,\"chunks\":1}", "one chunk");
	expect(one_line, "usageDetails", NULL, "one chunk");

	scene_init(&none, "/v1/chat/completions", REQUEST);
	scene_answer(&none, 200, NULL);
	stream(&none, at_ms, 0, NULL);
	none_line = scene_line(&none, &full);
	expect(none_line, "timing", "{\"chunks\":0}", "no chunk");
	expect(none_line, "completionStartTime", NULL, "no chunk");
}

Test(generation, content_metadata_keeps_every_text_in)
{
	const struct generation_options metadata = { .content = CONTENT_METADATA };
	static const struct { unsigned status; const char *body, *message; } answers[] = {
		{ 200, BODY, NULL },
		{ 400, "{\"error\":{\"message\":\"hi there: yo\",\"code\":\"bad\"}}", "\"Error code: 400\"" },
		{ 500, "hi <yo>", "\"Error code: 500\"" },
		{ 200, "{\"error\":{\"message\":\"yo\"}}", "\"error reported by the provider\"" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		_cleanup_(scene_done) struct scene scene = { 0 };
		_cleanup_(json_freep) cJSON *line = NULL;
		_cleanup_(freep) char *text = NULL;

		scene_init(&scene, "/v1/chat/completions", REQUEST);
		scene_answer(&scene, answers[i].status, answers[i].body);
		line = scene_line(&scene, &metadata);
		text = cJSON_PrintUnformatted(line);
		expect(line, "statusMessage", answers[i].message, answers[i].body);
		expect(line, "input", NULL, answers[i].body);
		expect(line, "output", NULL, answers[i].body);
		for (const char *const *word = (const char *const[]){ "\"hi", "yo", "\"k\"", "json_object", NULL }; *word; word++)
			cr_expect_null(strstr(text, *word), "%s in %s", *word, text);
	}
}

Test(generation, input_and_output_keep_to_max_content)
{
	_cleanup_(buf_done) struct buf request = BUF_INIT(64 * KiB);
	_cleanup_(scene_done) struct scene scene = { 0 };
	_cleanup_(json_freep) cJSON *line = NULL;
	_cleanup_(freep) char *input = NULL;

	buf_add_text(&request, "{\"model\":\"m\",\"messages\":[{\"role\":\"system\",\"content\":\"be brief\"},"
		     "{\"role\":\"user\",\"content\":\"");
	for (int i = 0; i < 1000; i++)
		buf_add_text(&request, "\xe2\x82\xac\\n");
	buf_add_text(&request, "\"}]}");
	scene_init(&scene, "/v1/chat/completions", buf_text(&request));
	scene.call->max_content = 200;
	scene_answer(&scene, 200, BODY);
	line = scene_line(&scene, &full);
	input = cJSON_PrintUnformatted(json_get(line, "input"));
	cr_expect_leq(strlen(input), 200);
	cr_expect_gt(strlen(input), 190, "no more is cut than must be: %s", input);
	cr_expect_not_null(strstr(input, "be brief"));
	expect(line, "evidence", "{\"usage\":\"reported\",\"parent\":\"none\",\"complete\":false,\"reasons\":[\"content_truncated\"],\"lostBytes\":0}",
	       "cut");
	cr_expect(scene.call->marks & LOSS_BIT(LOSS_CONTENT_TRUNCATED));
}

/* The metadata that Langfuse gets, as an object; each key must be there once. */
static cJSON *sent_metadata(const cJSON *line)
{
	static const char prefix[] = "langfuse.observation.metadata.";
	_cleanup_(buf_done) struct buf request = BUF_INIT(1 * MiB);
	_cleanup_(freep) char *text = cJSON_PrintUnformatted(line);
	_cleanup_(json_freep) cJSON *json = NULL;
	cJSON *sent = cJSON_CreateObject();
	const cJSON *span, *attribute;
	size_t skipped;

	cr_assert_eq(langfuse_encode(&(struct langfuse_options){ 0 }, &(struct slice){ text, strlen(text) },
				     1, &request, &skipped), 0);
	json = cJSON_Parse(buf_text(&request));
	span = json_array(json_array(json_array(json, "resourceSpans")->child, "scopeSpans")->child, "spans")->child;
	cJSON_ArrayForEach(attribute, json_array(span, "attributes")) {
		const char *key = json_string(attribute, "key");

		if (strncmp(key, prefix, strlen(prefix)) != 0)
			continue;
		key += strlen(prefix);
		cr_expect_null(json_get(sent, key), "%s goes twice", key);
		json_add_copy(sent, key, json_get(json_get(attribute, "value"), "stringValue"));
	}
	return sent;
}

Test(generation, every_metadata_key_goes_to_langfuse_once)
{
	_cleanup_(scene_done) struct scene scene = { 0 };
	_cleanup_(json_freep) cJSON *line = NULL, *sent = NULL;
	static const struct { const char *key, *want; } keys[] = {
		{ "k", "\"2\"" },	/* the last one, as JSON parsers have it */
		{ "response_format", "\"{\\\"type\\\":\\\"text\\\"}\"" },
		{ "finish_reason", "\"stop\"" },
		{ "gentap.role", "\"client\"" },
		{ "gentap.responseId", "\"chatcmpl-1\"" },
		{ "gentap.complete", "\"false\"" },
		{ "gentap.reasons", "\"[\\\"cut_by_server\\\"]\"" },
	};

	scene_init(&scene, "/v1/chat/completions", "{\"messages\":[],\"response_format\":{\"type\":\"text\"},"
		   "\"metadata\":{\"k\":1,\"k\":2,\"finish_reason\":\"mine\",\"gentap.role\":\"x\","
		   "\"gentap.complete\":true,\"response_format\":\"x\"}}");
	scene_answer(&scene, 200, BODY);
	scene.call->marks |= LOSS_BIT(LOSS_CUT_BY_SERVER);
	line = scene_line(&scene, &full);
	sent = sent_metadata(line);
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		expect(sent, keys[i].key, keys[i].want, "sent");
}

Test(generation, a_request_brings_no_more_metadata_than_langfuse_takes)
{
	_cleanup_(buf_done) struct buf request = BUF_INIT(64 * KiB);
	_cleanup_(scene_done) struct scene scene = { 0 };
	_cleanup_(json_freep) cJSON *line = NULL;

	buf_add_text(&request, "{\"messages\":[],\"metadata\":{\"a\":1");
	for (int i = 1; i < LIMIT_METADATA_KEYS + 1; i++)
		buf_printf(&request, ",\"k%d\":1", i);
	buf_add_text(&request, "}}");
	scene_init(&scene, "/v1/chat/completions", buf_text(&request));
	line = scene_line(&scene, &full);
	cr_expect_eq(cJSON_GetArraySize(json_get(line, "metadata")), LIMIT_METADATA_KEYS);
	expect(json_get(line, "evidence"), "reasons", "[\"content_truncated\"]", "too many keys");
}

static const struct { const char *target, *path, *model; } targets[] = {
	{ "/openai/deployments/gpt-d/chat/completions?api-version=1&api-key=sk-secret",
	  "\"/openai/deployments/gpt-d/chat/completions\"", "\"gpt-d\"" },
	{ "http://user:sk-secret@proxy:80/v1/chat/completions?x=http://a/b", "\"/v1/chat/completions\"", NULL },
	{ "/v1/chat/completions#sk-secret", "\"/v1/chat/completions\"", NULL },
	{ "/x?u=http://sk-secret/chat/completions", "\"/x\"", NULL },
};

Test(generation, the_path_loses_query_and_authority_and_names_azures_model)
{
	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		_cleanup_(scene_done) struct scene scene = { 0 };
		_cleanup_(json_freep) cJSON *line = NULL;

		scene_init(&scene, targets[i].model ? targets[i].target : "/v1/chat/completions", "{\"messages\":[]}");
		scene.exchange.request.head.target = slice_of(targets[i].target);
		line = scene_line(&scene, &full);
		expect(json_get(line, "http"), "path", targets[i].path, targets[i].target);
		expect(line, "model", targets[i].model, targets[i].target);
	}
}

Test(generation, an_embedding_is_one)
{
	_cleanup_(scene_done) struct scene scene = { 0 };
	_cleanup_(json_freep) cJSON *line = NULL;
	struct generation_options named = full;

	named.environment = "production";
	named.release = "r1";
	named.version = "v1";
	scene_init(&scene, "/v1/embeddings", "{\"model\":\"e\",\"input\":\"a\"}");
	scene_answer(&scene, 200, "{\"data\":[{\"embedding\":[1,2]}],\"model\":\"e-1\",\"usage\":{\"prompt_tokens\":5,\"total_tokens\":5}}");
	scene.exchange.role = ROLE_SERVER;
	line = scene_line(&scene, &named);
	expect(line, "type", "\"embedding\"", "embedding");
	expect(line, "name", "\"OpenAI-embedding\"", "embedding");
	expect(line, "output", "{\"dimensions\":2,\"count\":1}", "embedding");
	expect(line, "usageDetails", "{\"input\":5,\"total\":5}", "embedding");
	expect(line, "modelParameters", NULL, "embedding");
	expect(line, "role", "\"server\"", "embedding");
	expect(line, "environment", "\"production\"", "embedding");
	expect(line, "release", "\"r1\"", "embedding");
	expect(line, "version", "\"v1\"", "embedding");
}

Test(generation, text_of_the_wire_leaves_as_valid_utf8)
{
	_cleanup_(scene_done) struct scene scene = { 0 };
	_cleanup_(json_freep) cJSON *line = NULL;

	scene_init(&scene, "/v1/chat/completions", "{\"messages\":[]}");
	scene_answer(&scene, 200, BODY);
	scene.exchange.request.head.target = SLICE("/a\xff\0/chat/completions");
	memcpy(scene.conn.comm, "\xffomm", 5);
	line = scene_line(&scene, &full);
	expect(json_get(line, "http"), "path", "\"/a\xef\xbf\xbd\xef\xbf\xbd/chat/completions\"", "path");
	expect(json_get(line, "process"), "comm", "\"\xef\xbf\xbdomm\"", "comm");
}

Test(generation, the_providers_cost_is_kept)
{
	_cleanup_(scene_done) struct scene scene = { 0 };
	_cleanup_(json_freep) cJSON *line = NULL;

	scene_init(&scene, "/v1/chat/completions", "{\"messages\":[]}");
	scene_answer(&scene, 200, "{\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":2,\"cost\":0.00125,"
		     "\"prompt_tokens_details\":{\"cached_tokens\":2},\"completion_tokens_details\":{\"reasoning_tokens\":1}}}");
	line = scene_line(&scene, &full);
	expect(line, "costDetails", "{\"total\":0.00125}", "cost");
	expect(line, "usageDetails", "{\"input\":0,\"input_cached_tokens\":2,\"output\":2}", "cost");
	expect(line, "metadata", "{\"gentap.usageInconsistent\":true,\"gentap.reasoningTokens\":1}", "cost");
}
