/* SPDX-License-Identifier: Apache-2.0 */
/* Lines become the spans that Langfuse wants, and its answers the right verdict. */
#include <errno.h>
#include <pthread.h>
#include <time.h>

#include "fake.h"

/* --- encoding ---------------------------------------------------------------- */

static const struct langfuse_options plain_options = {
	.base_url = "http://127.0.0.1:1", .public_key = "pk-lf-test", .secret_key = "sk-lf-test",
};

static cJSON *encode(const struct langfuse_options *options, const struct slice *lines, size_t count,
		     size_t want_skipped)
{
	_cleanup_(buf_done) struct buf request = BUF_INIT(LIMIT_BATCH);
	size_t skipped = 99;
	cJSON *parsed;

	cr_assert_eq(langfuse_encode(options, lines, count, &request, &skipped), 0);
	cr_assert_eq(skipped, want_skipped);
	parsed = cJSON_Parse(buf_text(&request));
	cr_assert(parsed, "not JSON: %s", buf_text(&request));
	return parsed;
}

static const cJSON *get(const cJSON *object, const char *name)
{
	return cJSON_GetObjectItemCaseSensitive(object, name);
}

static const cJSON *span_at(const cJSON *request, int resource, int span)
{
	const cJSON *scopes = get(cJSON_GetArrayItem(get(request, "resourceSpans"), resource), "scopeSpans");

	return cJSON_GetArrayItem(get(cJSON_GetArrayItem(scopes, 0), "spans"), span);
}

/* The attributes array as an object, so that order does not matter. */
static cJSON *flatten(const cJSON *attributes)
{
	cJSON *flat = cJSON_CreateObject();
	const cJSON *attribute;

	cJSON_ArrayForEach(attribute, attributes) {
		const char *key = get(attribute, "key")->valuestring;

		cr_expect_null(get(flat, key), "%s twice", key);
		cJSON_AddItemToObject(flat, key, cJSON_Duplicate(get(attribute, "value"), true));
	}
	return flat;
}

static void expect_json(const cJSON *got, const char *want_text, const char *name)
{
	cJSON *want = cJSON_Parse(want_text);
	char *text = cJSON_PrintUnformatted(got);

	cr_assert(want, "%s: the test's own JSON is broken", name);
	cr_expect(cJSON_Compare(got, want, true), "%s:\n got %s\nwant %s", name, text, want_text);
	cJSON_free(text);
	cJSON_Delete(want);
}

static void expect_attributes(const char *line, const char *want, const char *name)
{
	struct slice lines[] = { slice_of(line) };
	cJSON *request = encode(&plain_options, lines, 1, 0);
	cJSON *flat = flatten(get(span_at(request, 0, 0), "attributes"));

	expect_json(flat, want, name);
	cJSON_Delete(flat);
	cJSON_Delete(request);
}

/* The attribute @key of a line with @member in it, or "(none)". */
static const char *attribute_of(const char *member, const char *key)
{
	static char found[1024];
	_cleanup_(buf_done) struct buf line = BUF_INIT(64 * KiB);
	struct slice lines[1];
	const char *text;
	cJSON *request, *flat;

	buf_printf(&line, "{\"type\":\"generation\",\"id\":\"eee19b7ec3c1b174\",\"name\":\"n\","
		   "\"traceId\":\"5b8efff798038103d269b633813fc60c\","
		   "\"startTime\":\"2026-11-18T11:06:40.000000000Z\",%s}", member);
	lines[0] = buf_slice(&line);
	request = encode(&plain_options, lines, 1, 0);
	flat = flatten(get(span_at(request, 0, 0), "attributes"));
	text = cJSON_GetStringValue(get(get(flat, key), "stringValue"));
	snprintf(found, sizeof(found), "%s", text ? text : "(none)");
	cJSON_Delete(flat);
	cJSON_Delete(request);
	return found;
}

static const char whole_line[] =
	"{\"gentap\":1,\"type\":\"generation\",\"id\":\"eee19b7ec3c1b174\",\"traceId\":\"5b8efff798038103d269b633813fc60c\","
	"\"name\":\"OpenAI-generation\",\"startTime\":\"2026-11-18T11:06:40.000000000Z\","
	"\"completionStartTime\":\"2026-11-18T11:06:40.310000123Z\",\"endTime\":\"2026-11-18T11:06:41.420000007Z\","
	"\"model\":\"gpt-4o-mini-2024-07-18\",\"modelParameters\":{\"temperature\":0.2,\"max_tokens\":256},"
	"\"input\":{\"tools\":[{\"type\":\"function\"}],\"messages\":[{\"role\":\"user\",\"content\":\"Weather in Oslo?\"}]},"
	"\"output\":{\"role\":\"assistant\",\"content\":null},"
	"\"usageDetails\":{\"input\":20,\"input_cached_tokens\":100,\"output\":20,\"output_reasoning_tokens\":10,\"total\":150},"
	"\"costDetails\":{},\"level\":\"DEFAULT\",\"finishReason\":\"tool_calls\",\"metadata\":{\"tenant\":\"acme\"},"
	"\"sessionId\":\"s-7\",\"userId\":\"u-42\",\"tags\":[\"ebpf\",\"beta\"],\"environment\":\"production\","
	"\"release\":\"2026.11.1\",\"version\":\"7\",\"promptName\":\"weather-bot\",\"promptVersion\":3,"
	"\"provider\":\"openai\",\"dialect\":\"openai.chat\",\"operation\":\"chat\",\"role\":\"client\","
	"\"http\":{\"version\":\"1.1\",\"method\":\"POST\",\"path\":\"/v1/chat/completions\",\"host\":\"api.example\","
	"\"status\":200,\"requestId\":\"req_1\",\"requestBytes\":812,\"responseBytes\":20311},"
	"\"process\":{\"pid\":4242,\"tid\":4250,\"comm\":\"uvicorn\"},"
	"\"timing\":{\"ttftMs\":310.0,\"tpotMs\":22.1,\"itlP50Ms\":21.8,\"itlP99Ms\":40.2,\"itlMaxMs\":55.0,\"chunks\":51},"
	"\"evidence\":{\"usage\":\"reported\",\"parent\":\"none\",\"complete\":true,\"reasons\":[],\"lostBytes\":0}}";

Test(encode, a_whole_generation_has_every_attribute_once)
{
	expect_attributes(whole_line,
	"{\"langfuse.observation.type\":{\"stringValue\":\"generation\"},"
	"\"langfuse.observation.level\":{\"stringValue\":\"DEFAULT\"},"
	"\"langfuse.observation.model.name\":{\"stringValue\":\"gpt-4o-mini-2024-07-18\"},"
	"\"langfuse.observation.model.parameters\":{\"stringValue\":\"{\\\"temperature\\\":0.2,\\\"max_tokens\\\":256}\"},"
	"\"langfuse.observation.input\":{\"stringValue\":\"{\\\"tools\\\":[{\\\"type\\\":\\\"function\\\"}],\\\"messages\\\":"
		"[{\\\"role\\\":\\\"user\\\",\\\"content\\\":\\\"Weather in Oslo?\\\"}]}\"},"
	"\"langfuse.observation.output\":{\"stringValue\":\"{\\\"role\\\":\\\"assistant\\\",\\\"content\\\":null}\"},"
	"\"langfuse.observation.usage_details\":{\"stringValue\":\"{\\\"input\\\":20,\\\"input_cached_tokens\\\":100,"
		"\\\"output\\\":20,\\\"output_reasoning_tokens\\\":10,\\\"total\\\":150}\"},"
	"\"langfuse.observation.completion_start_time\":{\"stringValue\":\"2026-11-18T11:06:40.310000Z\"},"
	"\"langfuse.observation.prompt.name\":{\"stringValue\":\"weather-bot\"},"
	"\"langfuse.observation.prompt.version\":{\"intValue\":3},"
	"\"langfuse.trace.name\":{\"stringValue\":\"OpenAI-generation\"},"
	"\"user.id\":{\"stringValue\":\"u-42\"},\"session.id\":{\"stringValue\":\"s-7\"},"
	"\"langfuse.trace.tags\":{\"arrayValue\":{\"values\":[{\"stringValue\":\"ebpf\"},{\"stringValue\":\"beta\"}]}},"
	"\"langfuse.environment\":{\"stringValue\":\"production\"},\"langfuse.release\":{\"stringValue\":\"2026.11.1\"},"
	"\"langfuse.version\":{\"stringValue\":\"7\"},\"langfuse.internal.is_app_root\":{\"boolValue\":true},"
	"\"langfuse.observation.metadata.tenant\":{\"stringValue\":\"acme\"},"
	"\"langfuse.observation.metadata.finish_reason\":{\"stringValue\":\"tool_calls\"},"
	"\"langfuse.observation.metadata.gentap.role\":{\"stringValue\":\"client\"},"
	"\"langfuse.observation.metadata.gentap.provider\":{\"stringValue\":\"openai\"},"
	"\"langfuse.observation.metadata.gentap.dialect\":{\"stringValue\":\"openai.chat\"},"
	"\"langfuse.observation.metadata.gentap.operation\":{\"stringValue\":\"chat\"},"
	"\"langfuse.observation.metadata.gentap.process\":{\"stringValue\":\"uvicorn\"},"
	"\"langfuse.observation.metadata.gentap.pid\":{\"stringValue\":\"4242\"},"
	"\"langfuse.observation.metadata.gentap.host\":{\"stringValue\":\"api.example\"},"
	"\"langfuse.observation.metadata.gentap.path\":{\"stringValue\":\"/v1/chat/completions\"},"
	"\"langfuse.observation.metadata.gentap.httpStatus\":{\"stringValue\":\"200\"},"
	"\"langfuse.observation.metadata.gentap.requestId\":{\"stringValue\":\"req_1\"},"
	"\"langfuse.observation.metadata.gentap.ttftMs\":{\"stringValue\":\"310\"},"
	"\"langfuse.observation.metadata.gentap.tpotMs\":{\"stringValue\":\"22.1\"},"
	"\"langfuse.observation.metadata.gentap.itlP99Ms\":{\"stringValue\":\"40.2\"},"
	"\"langfuse.observation.metadata.gentap.itlMaxMs\":{\"stringValue\":\"55\"},"
	"\"langfuse.observation.metadata.gentap.chunks\":{\"stringValue\":\"51\"},"
	"\"langfuse.observation.metadata.gentap.usage\":{\"stringValue\":\"reported\"},"
	"\"langfuse.observation.metadata.gentap.parent\":{\"stringValue\":\"none\"},"
	"\"langfuse.observation.metadata.gentap.complete\":{\"stringValue\":\"true\"},"
	"\"langfuse.observation.metadata.gentap.lostBytes\":{\"stringValue\":\"0\"}}",
	"the contract's example");
}

Test(encode, envelope_resource_and_scope_are_those_of_the_contract)
{
	struct langfuse_options options = plain_options;
	struct slice lines[] = { slice_of(whole_line) };
	cJSON *request, *flat, *span;

	options.environment = "production";
	options.release = "r1";
	request = encode(&options, lines, 1, 0);
	flat = flatten(get(get(cJSON_GetArrayItem(get(request, "resourceSpans"), 0), "resource"), "attributes"));
	cJSON_DeleteItemFromObject(flat, "telemetry.sdk.version");
	expect_json(flat, "{\"service.name\":{\"stringValue\":\"uvicorn\"},"
		    "\"telemetry.sdk.name\":{\"stringValue\":\"gentap\"},"
		    "\"telemetry.sdk.language\":{\"stringValue\":\"c\"},"
		    "\"langfuse.environment\":{\"stringValue\":\"production\"},"
		    "\"langfuse.release\":{\"stringValue\":\"r1\"}}", "resource");
	span = cJSON_Duplicate(span_at(request, 0, 0), true);
	cJSON_DeleteItemFromObject(span, "attributes");
	expect_json(span, "{\"traceId\":\"5b8efff798038103d269b633813fc60c\",\"spanId\":\"eee19b7ec3c1b174\","
		    "\"name\":\"OpenAI-generation\",\"kind\":3,\"startTimeUnixNano\":\"1795000000000000000\","
		    "\"endTimeUnixNano\":\"1795000001420000007\",\"status\":{}}", "span");
	cJSON_Delete(span);
	cJSON_Delete(flat);
	cJSON_Delete(request);
}

Test(encode, an_error_has_status_and_zero_costs_and_no_output)
{
	struct slice lines[] = { SLICE(
		"{\"type\":\"generation\",\"id\":\"a1b2c3d4e5f60718\",\"traceId\":\"0af7651916cd43dd8448eb211c80319c\","
		"\"parentId\":\"b7ad6b7169203331\",\"name\":\"OpenAI-generation\",\"role\":\"server\","
		"\"startTime\":\"2026-11-18T11:06:40Z\",\"endTime\":\"2026-11-18T11:06:40.05Z\",\"level\":\"ERROR\","
		"\"statusMessage\":\"HTTP 429: \\\"slow\\\" down\",\"costDetails\":{\"input\":0,\"output\":0,\"total\":0}}") };
	cJSON *request = encode(&plain_options, lines, 1, 0);
	cJSON *span = cJSON_Duplicate(span_at(request, 0, 0), true);
	cJSON *flat = flatten(get(span, "attributes"));

	cJSON_DeleteItemFromObject(span, "attributes");
	expect_json(span, "{\"traceId\":\"0af7651916cd43dd8448eb211c80319c\",\"spanId\":\"a1b2c3d4e5f60718\","
		    "\"parentSpanId\":\"b7ad6b7169203331\",\"name\":\"OpenAI-generation\",\"kind\":2,"
		    "\"startTimeUnixNano\":\"1795000000000000000\",\"endTimeUnixNano\":\"1795000000050000000\","
		    "\"status\":{\"code\":2,\"message\":\"HTTP 429: \\\"slow\\\" down\"}}", "span");
	expect_json(flat, "{\"langfuse.observation.type\":{\"stringValue\":\"generation\"},"
		    "\"langfuse.observation.level\":{\"stringValue\":\"ERROR\"},"
		    "\"langfuse.observation.status_message\":{\"stringValue\":\"HTTP 429: \\\"slow\\\" down\"},"
		    "\"langfuse.observation.cost_details\":{\"stringValue\":\"{\\\"input\\\":0,\\\"output\\\":0,\\\"total\\\":0}\"},"
		    "\"langfuse.observation.metadata.gentap.role\":{\"stringValue\":\"server\"}}",
		    "attributes: a child is no root and names no trace");
	cJSON_Delete(flat);
	cJSON_Delete(span);
	cJSON_Delete(request);
}

Test(encode, metadata_strings_that_read_as_json_are_quoted)
{
	static const struct { const char *name, *value, *want; } cases[] = {
		{ "plain text",		"\"stop\"",		"stop" },
		{ "text with spaces",	"\"a b\"",		"a b" },
		{ "empty text",		"\"\"",			"" },
		{ "digits",		"\"123\"",		"\"123\"" },
		{ "true as text",	"\"true\"",		"\"true\"" },
		{ "null as text",	"\"null\"",		"\"null\"" },
		{ "quoted text",	"\"\\\"x\\\"\"",	"\"\\\"x\\\"\"" },
		{ "object as text",	"\"{\\\"a\\\":1}\"",	"\"{\\\"a\\\":1}\"" },
		{ "almost JSON",	"\"{a}\"",		"{a}" },
		{ "number",		"3",			"3" },
		{ "fraction",		"1.5",			"1.5" },
		{ "boolean",		"true",			"true" },
		{ "array",		"[1,\"a\"]",		"[1,\"a\"]" },
		{ "object",		"{\"x\":{\"y\":1}}",	"{\"x\":{\"y\":1}}" },
		{ "null",		"null",			"(none)" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char member[128];

		snprintf(member, sizeof(member), "\"metadata\":{\"k\":%s}", cases[i].value);
		cr_expect_str_eq(attribute_of(member, "langfuse.observation.metadata.k"), cases[i].want,
				 "%s", cases[i].name);
	}
	cr_expect_str_eq(attribute_of("\"http\":{\"requestId\":\"42\"}",
				      "langfuse.observation.metadata.gentap.requestId"), "\"42\"",
			 "facts from the wire are quoted by the same rule");
}

Test(encode, texts_survive_whatever_they_hold)
{
	static const struct { const char *name, *value, *want; } cases[] = {
		{ "quotes, backslashes",	"\"a\\\"b\\\\c\"",	"a\"b\\c" },
		{ "line ends and tabs",		"\"a\\r\\n\\tb\"",	"a\r\n\tb" },
		{ "other controls",		"\"\\u0001\\u001f\"",	"\x01\x1f" },
		{ "beyond the BMP",		"\"\\ud83d\\ude00\"",	"\xf0\x9f\x98\x80" },
		{ "empty",			"\"\"",			"" },
		{ "array",			"[\"\\n\"]",		"[\"\\n\"]" },
		{ "number",			"7",			"7" },
		{ "null",			"null",			"(none)" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char member[128];

		snprintf(member, sizeof(member), "\"output\":%s", cases[i].value);
		cr_expect_str_eq(attribute_of(member, "langfuse.observation.output"), cases[i].want,
				 "%s", cases[i].name);
	}
}

Test(encode, what_is_half_or_empty_is_left_out)
{
	static const struct { const char *member, *key; } cases[] = {
		{ "\"tags\":[]",				"langfuse.trace.tags" },
		{ "\"usageDetails\":{}",			"langfuse.observation.usage_details" },
		{ "\"modelParameters\":{}",			"langfuse.observation.model.parameters" },
		{ "\"promptName\":\"p\"",			"langfuse.observation.prompt.name" },
		{ "\"promptVersion\":3",			"langfuse.observation.prompt.version" },
		{ "\"evidence\":{\"reasons\":[]}",		"langfuse.observation.metadata.gentap.reasons" },
		{ "\"metadata\":[1]",				"langfuse.observation.metadata.(null)" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_expect_str_eq(attribute_of(cases[i].member, cases[i].key), "(none)", "%s", cases[i].member);
	cr_expect_str_eq(attribute_of("\"evidence\":{\"reasons\":[\"joined_late\"]}",
				      "langfuse.observation.metadata.gentap.reasons"), "[\"joined_late\"]");
}

Test(encode, a_parent_of_zeros_or_of_another_form_is_no_parent)
{
	static const char *const parents[] = { "", "0000000000000000", "EEE19B7EC3C1B174", "12", "eee19b7ec3c1b1745" };

	for (size_t i = 0; i < ARRAY_SIZE(parents); i++) {
		char line[512];
		struct slice lines[1];
		cJSON *request;

		snprintf(line, sizeof(line), "{\"type\":\"span\",\"id\":\"eee19b7ec3c1b174\",\"parentId\":\"%s\","
			 "\"traceId\":\"5b8efff798038103d269b633813fc60c\",\"startTime\":\"2026-11-18T11:06:40Z\"}",
			 parents[i]);
		lines[0] = slice_of(line);
		request = encode(&plain_options, lines, 1, 0);
		cr_expect_null(get(span_at(request, 0, 0), "parentSpanId"), "'%s'", parents[i]);
		cJSON_Delete(request);
	}
}

Test(encode, lines_of_one_process_share_a_resource_in_their_order)
{
	static const char *const comms[] = { "a", "b", "a", "b", "c" };
	struct buf texts[ARRAY_SIZE(comms)];
	struct slice lines[ARRAY_SIZE(comms)];
	cJSON *request;

	for (size_t i = 0; i < ARRAY_SIZE(comms); i++) {
		texts[i] = BUF_INIT(KiB);
		buf_printf(&texts[i], "{\"type\":\"span\",\"id\":\"%016zx\",\"traceId\":\"5b8efff798038103d269b633813fc60c\","
			   "\"startTime\":\"2026-11-18T11:06:40Z\",\"process\":{\"comm\":\"%s\"}}", i + 1, comms[i]);
		lines[i] = buf_slice(&texts[i]);
	}
	request = encode(&plain_options, lines, ARRAY_SIZE(comms), 0);
	cr_expect_eq(cJSON_GetArraySize(get(request, "resourceSpans")), 3);
	cr_expect_str_eq(get(span_at(request, 0, 1), "spanId")->valuestring, "0000000000000003");
	cr_expect_str_eq(get(span_at(request, 1, 1), "spanId")->valuestring, "0000000000000004");
	cr_expect_str_eq(get(span_at(request, 2, 0), "spanId")->valuestring, "0000000000000005");
	cJSON_Delete(request);
	for (size_t i = 0; i < ARRAY_SIZE(comms); i++)
		buf_done(&texts[i]);
}

Test(encode, lines_that_cannot_be_a_span_are_left_out_and_counted)
{
	struct slice lines[] = {
		SLICE(""), SLICE("{"), SLICE("[1]"), slice_of(whole_line),
		SLICE("{\"type\":\"generation\",\"id\":\"EEE19B7EC3C1B174\",\"traceId\":\"5b8efff798038103d269b633813fc60c\",\"startTime\":\"2026-11-18T11:06:40Z\"}"),
		SLICE("{\"type\":\"generation\",\"id\":\"eee19b7ec3c1b174\",\"traceId\":\"5b8e\",\"startTime\":\"2026-11-18T11:06:40Z\"}"),
		SLICE("{\"type\":\"generation\",\"id\":\"eee19b7ec3c1b174\",\"traceId\":\"5b8efff798038103d269b633813fc60c\",\"startTime\":\"yesterday\"}"),
	};
	cJSON *request = encode(&plain_options, lines, ARRAY_SIZE(lines), 6);

	cr_expect_str_eq(get(span_at(request, 0, 0), "spanId")->valuestring, "eee19b7ec3c1b174");
	cr_expect_null(span_at(request, 0, 1));
	cJSON_Delete(request);
}

Test(encode, more_than_the_buffer_may_hold_is_said)
{
	_cleanup_(buf_done) struct buf request = BUF_INIT(sizeof(whole_line));
	struct slice lines[] = { slice_of(whole_line) };
	size_t skipped;

	cr_expect_eq(langfuse_encode(&plain_options, lines, 1, &request, &skipped), -ENOBUFS);
}

/* --- sending ----------------------------------------------------------------- */

static struct fake fake;

static void start(void)
{
	fake_start(&fake);
}

static void stop(void)
{
	if (fake.pid > 0)
		fake_stop(&fake);
}

TestSuite(send, .init = start, .fini = stop);

static struct langfuse *connect_to(const struct langfuse_options *options)
{
	struct langfuse *langfuse = NULL;

	cr_assert_eq(langfuse_new(&langfuse, options), 0);
	return langfuse;
}

static struct langfuse_answer send_one(struct langfuse *langfuse, unsigned n)
{
	_cleanup_(buf_done) struct buf line = BUF_INIT(KiB), request = BUF_INIT(LIMIT_BATCH);
	struct langfuse_answer answer;
	struct slice lines[1];
	size_t skipped;

	fake_line(&line, n, "hello");
	lines[0] = buf_slice(&line);
	cr_assert_eq(langfuse_encode(&fake.options, lines, 1, &request, &skipped), 0);
	langfuse_send(langfuse, buf_slice(&request), &answer);
	return answer;
}

Test(send, a_strict_server_takes_what_was_encoded)
{
	struct langfuse *langfuse = connect_to(&fake.options);
	_cleanup_(buf_done) struct buf request = BUF_INIT(LIMIT_BATCH);
	struct slice lines[] = { slice_of(whole_line) };
	struct langfuse_answer answer;
	cJSON *requests, *received;
	size_t skipped;

	cr_assert_eq(langfuse_encode(&fake.options, lines, 1, &request, &skipped), 0);
	langfuse_send(langfuse, buf_slice(&request), &answer);
	cr_expect_eq(answer.verdict, LANGFUSE_SENT, "%s", answer.text);
	cr_expect_str_eq(answer.text, "");
	fake_expect_no_violation(&fake);

	received = fake_ask(&fake, "/received", NULL);
	cr_expect_eq(cJSON_GetArraySize(received), 1);
	cr_expect_str_eq(get(get(cJSON_GetArrayItem(received, 0), "attributes"), "user.id")->valuestring, "u-42");
	requests = fake_ask(&fake, "/requests", NULL);
	cr_expect_eq(get(cJSON_GetArrayItem(requests, 0), "bytes")->valueint, (int)request.len);
	cr_expect_lt(get(cJSON_GetArrayItem(requests, 0), "encoded_bytes")->valueint, (int)request.len,
		     "it went compressed");
	cJSON_Delete(requests);
	cJSON_Delete(received);
	langfuse_free(&langfuse);
}

Test(send, every_status_has_its_verdict_and_a_text_that_helps)
{
	static const struct {
		const char *control;
		enum langfuse_verdict verdict;
		long status;
		unsigned retry_after_ms;
		const char *text;
	} cases[] = {
		{ "{\"status\":201}", LANGFUSE_SENT, 201, 0, "" },
		{ "{\"status\":207}", LANGFUSE_SENT, 207, 0, "" },
		{ "{\"status\":301,\"location\":\"/x\"}", LANGFUSE_STOP, 301, 0, "LANGFUSE_BASE_URL" },
		{ "{\"status\":400,\"body\":\"bad span\"}", LANGFUSE_REFUSED, 400, 0, "bad span" },
		{ "{\"status\":401}", LANGFUSE_STOP, 401, 0, "LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY" },
		{ "{\"status\":403,\"body\":\"suspended\"}", LANGFUSE_STOP, 403, 0, "suspended" },
		{ "{\"status\":404}", LANGFUSE_STOP, 404, 0, "gentap ship" },
		{ "{\"status\":405}", LANGFUSE_STOP, 405, 0, "LANGFUSE_BASE_URL" },
		{ "{\"status\":413}", LANGFUSE_TOO_LARGE, 413, 0, "--max-content" },
		{ "{\"status\":422}", LANGFUSE_LATER, 422, 0, "422" },
		{ "{\"status\":429,\"retry_after\":7}", LANGFUSE_LATER, 429, 7000, "429" },
		{ "{\"status\":429,\"retry_after\":99999}", LANGFUSE_LATER, 429, 3600000, "429" },
		{ "{\"status\":500}", LANGFUSE_LATER, 500, 0, "500" },
		{ "{\"status\":502,\"body\":\"<html>\"}", LANGFUSE_LATER, 502, 0, "<html>" },
		{ "{\"status\":503,\"retry_after\":2}", LANGFUSE_LATER, 503, 2000, "503" },
	};
	struct langfuse *langfuse = connect_to(&fake.options);

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct langfuse_answer answer;

		fake_control(&fake, cases[i].control);
		answer = send_one(langfuse, (unsigned)i + 1);
		cr_expect_eq(answer.verdict, cases[i].verdict, "%s", cases[i].control);
		cr_expect_eq(answer.status, cases[i].status, "%s", cases[i].control);
		cr_expect_eq(answer.retry_after_ms, cases[i].retry_after_ms, "%s: %u", cases[i].control,
			     answer.retry_after_ms);
		cr_expect(strstr(answer.text, cases[i].text), "%s: '%s'", cases[i].control, answer.text);
	}
	cr_expect_eq(fake_count(&fake, "/received"), 0);
	langfuse_free(&langfuse);
}

Test(send, retry_after_may_be_a_date)
{
	struct langfuse *langfuse = connect_to(&fake.options);
	struct langfuse_answer answer;
	time_t when = time(NULL) + 600;
	char date[64], control[128];

	strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S GMT", gmtime(&when));
	snprintf(control, sizeof(control), "{\"status\":429,\"retry_after\":\"%s\"}", date);
	fake_control(&fake, control);
	answer = send_one(langfuse, 1);
	cr_expect_gt(answer.retry_after_ms, 500000, "%u", answer.retry_after_ms);
	cr_expect_leq(answer.retry_after_ms, 600000, "%u", answer.retry_after_ms);
	langfuse_free(&langfuse);
}

Test(send, wrong_keys_are_said_without_the_secret)
{
	struct langfuse_options options = fake.options;
	struct langfuse *langfuse;
	struct langfuse_answer answer;

	options.secret_key = "sk-lf-wrong-and-secret";
	langfuse = connect_to(&options);
	answer = send_one(langfuse, 1);
	cr_expect_eq(answer.verdict, LANGFUSE_STOP);
	cr_expect(strstr(answer.text, "pk-lf-te"), "%s", answer.text);
	cr_expect_null(strstr(answer.text, "secret"), "%s", answer.text);
	langfuse_free(&langfuse);
}

Test(send, what_the_server_says_is_scrubbed_of_secrets_and_controls)
{
	struct langfuse *langfuse = connect_to(&fake.options);
	struct langfuse_answer answer;

	fake_control(&fake, "{\"status\":500,\"body\":\"key sk-lf-test, basic cGstbGYtdGVzdDpzay1sZi10ZXN0, "
			    "\\u001b[31mred\\nline\"}");
	answer = send_one(langfuse, 1);
	cr_expect_null(strstr(answer.text, "sk-lf-test"), "%s", answer.text);
	cr_expect_null(strstr(answer.text, "cGstbGYtdGVzdDpzay1sZi10ZXN0"), "%s", answer.text);
	cr_expect_null(strpbrk(answer.text, "\x1b\n"), "%s", answer.text);
	cr_expect(strstr(answer.text, "red line"), "%s", answer.text);
	langfuse_free(&langfuse);
}

Test(send, a_long_answer_is_cut_and_the_connection_still_serves)
{
	struct langfuse *langfuse = connect_to(&fake.options);
	_cleanup_(buf_done) struct buf control = BUF_INIT(MiB);
	struct langfuse_answer answer;

	buf_add_text(&control, "{\"status\":500,\"times\":1,\"body\":\"");
	for (int i = 0; i < 50000; i++)
		buf_add_text(&control, "\u00e9\u00e9");
	buf_add_text(&control, "\"}");
	fake_control(&fake, buf_text(&control));
	answer = send_one(langfuse, 1);
	cr_expect_eq(answer.verdict, LANGFUSE_LATER);
	cr_expect_lt(strlen(answer.text), sizeof(answer.text));
	answer = send_one(langfuse, 1);
	cr_expect_eq(answer.verdict, LANGFUSE_SENT, "%s", answer.text);
	langfuse_free(&langfuse);
}

Test(send, a_server_that_never_answers_ends_at_the_timeout)
{
	struct langfuse_options options = fake.options;
	struct langfuse *langfuse;
	struct langfuse_answer answer;

	options.timeout_ms = 300;
	langfuse = connect_to(&options);
	fake_control(&fake, "{\"mode\":\"hang\"}");
	answer = send_one(langfuse, 1);
	cr_expect_eq(answer.verdict, LANGFUSE_LATER);
	cr_expect_eq(answer.status, 0);
	fake_control(&fake, "{\"mode\":\"ok\"}");
	answer = send_one(langfuse, 1);
	cr_expect_eq(answer.verdict, LANGFUSE_SENT, "the next one goes: %s", answer.text);
	langfuse_free(&langfuse);
}

static void *limit_soon(void *langfuse)
{
	/* Once the request is there, so that the limit meets it on its way. */
	while (fake_count(&fake, "/requests") == 0)
		usleep(10000);
	langfuse_limit(langfuse, 1);
	return NULL;
}

Test(send, a_limit_ends_the_request_under_way, .timeout = 20)
{
	struct langfuse_options options = fake.options;
	struct langfuse *langfuse;
	struct langfuse_answer answer;
	pthread_t thread;

	options.timeout_ms = 600000;
	langfuse = connect_to(&options);
	fake_control(&fake, "{\"mode\":\"hang\"}");
	cr_assert_eq(pthread_create(&thread, NULL, limit_soon, langfuse), 0);
	answer = send_one(langfuse, 1);
	cr_expect_eq(answer.verdict, LANGFUSE_LATER);
	pthread_join(thread, NULL);
	answer = send_one(langfuse, 1);
	cr_expect_eq(answer.verdict, LANGFUSE_LATER, "and none begins after it");
	cr_expect_eq(fake_count(&fake, "/requests"), 1);
	langfuse_free(&langfuse);
}

Test(send, nobody_there_is_later_and_named)
{
	struct langfuse_options options = fake.options;
	struct langfuse *langfuse;
	struct langfuse_answer answer;

	options.base_url = "http://user:hunter2@127.0.0.1:1/";
	langfuse = connect_to(&options);
	answer = send_one(langfuse, 1);
	cr_expect_eq(answer.verdict, LANGFUSE_LATER);
	cr_expect(strstr(answer.text, "http://127.0.0.1:1"), "%s", answer.text);
	cr_expect_null(strstr(answer.text, "hunter2"), "%s", answer.text);
	langfuse_free(&langfuse);
}

Test(send, slashes_between_base_and_path_do_not_matter)
{
	char url[128];
	struct langfuse_options options = fake.options;
	struct langfuse *langfuse;
	struct langfuse_answer answer;

	snprintf(url, sizeof(url), "%s/proxy//", fake.url);
	options.base_url = url;
	options.export_path = "/api/public/otel/v1/traces";
	langfuse = connect_to(&options);
	answer = send_one(langfuse, 1);
	cr_expect_eq(answer.verdict, LANGFUSE_SENT, "%s", answer.text);
	langfuse_free(&langfuse);
}

Test(send, check_names_the_project_or_refuses_the_keys)
{
	struct langfuse_options options = fake.options;
	struct langfuse *langfuse = connect_to(&options);
	_cleanup_(buf_done) struct buf project = BUF_INIT(256);
	struct langfuse_answer answer;

	langfuse_check(langfuse, &project, &answer);
	cr_expect_eq(answer.verdict, LANGFUSE_SENT, "%s", answer.text);
	cr_expect_str_eq(buf_text(&project), "demo");
	cr_expect_eq(send_one(langfuse, 1).verdict, LANGFUSE_SENT, "a GET between POSTs changes nothing");
	langfuse_check(langfuse, NULL, &answer);
	cr_expect_eq(answer.verdict, LANGFUSE_SENT);
	langfuse_free(&langfuse);

	options.secret_key = "sk-lf-wrong";
	langfuse = connect_to(&options);
	langfuse_check(langfuse, &project, &answer);
	cr_expect_eq(answer.verdict, LANGFUSE_STOP);
	langfuse_free(&langfuse);
}

Test(langfuse, keys_and_urls_that_cannot_be_are_refused)
{
	static const struct { const char *url, *public_key, *secret_key; } cases[] = {
		{ NULL,			"pk",		"sk" },
		{ "",			"pk",		"sk" },
		{ "ftp://h",		"pk",		"sk" },
		{ "localhost:3000",	"pk",		"sk" },
		{ "http://h",		"",		"sk" },
		{ "http://h",		"pk",		NULL },
		{ "http://h",		"pk:x",		"sk" },
		{ "http://h",		"pk\r\nX: y",	"sk" },
		{ "http://h",		"pk",		"sk\n" },
		{ "http://h",		"pk",		"sk " },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct langfuse_options options = {
			.base_url = cases[i].url, .public_key = cases[i].public_key, .secret_key = cases[i].secret_key,
		};
		struct langfuse *langfuse = NULL;

		cr_expect_eq(langfuse_new(&langfuse, &options), -EINVAL, "case %zu", i);
		cr_expect_null(langfuse, "case %zu", i);
	}
}
