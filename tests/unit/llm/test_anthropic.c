/* SPDX-License-Identifier: Apache-2.0 */
#include "feed.h"
#include "llm/anthropic.h"

#define REQUEST "{\"model\":\"claude\",\"max_tokens\":64,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"
#define START "{\"type\":\"message_start\",\"message\":{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\"," \
	"\"model\":\"claude-x\",\"content\":[],\"stop_reason\":null,\"usage\":{\"input_tokens\":12,\"output_tokens\":1}}}\n"
#define BLOCK(n, block) "{\"type\":\"content_block_start\",\"index\":" n ",\"content_block\":" block "}\n"
#define DELTA(n, delta) "{\"type\":\"content_block_delta\",\"index\":" n ",\"delta\":" delta "}\n"
#define STOP(n) "{\"type\":\"content_block_stop\",\"index\":" n "}\n"
#define TEXT(n, text) DELTA(n, "{\"type\":\"text_delta\",\"text\":\"" text "\"}")
#define JSON(n, json) DELTA(n, "{\"type\":\"input_json_delta\",\"partial_json\":\"" json "\"}")
#define END(reason) "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"" reason "\",\"stop_sequence\":null}," \
	"\"usage\":{\"output_tokens\":42}}\n{\"type\":\"message_stop\"}"
#define PING "{\"type\":\"ping\"}\n"

static const struct {
	const char *name, *events;
	const char *output;
	uint64_t first, last, chunks;	/* numbers of the events that bear content; 0: none */
	const char *finish;
} streams[] = {
	{ "text; what only announces is no token", START BLOCK("0", "{\"type\":\"text\",\"text\":\"\"}") PING
	  TEXT("0", "Hel") TEXT("0", "") TEXT("0", "lo") STOP("0") END("end_turn"),
	  "{\"role\":\"assistant\",\"content\":\"Hello\"}", 4, 6, 2, "end_turn" },
	{ "a block that begins with text bears content", START BLOCK("0", "{\"type\":\"text\",\"text\":\"He\"}")
	  TEXT("0", "y") STOP("0") END("end_turn"), "{\"role\":\"assistant\",\"content\":\"Hey\"}", 2, 3, 2, "end_turn" },
	{ "thinking is kept apart, its signature is none of it",
	  START BLOCK("0", "{\"type\":\"thinking\",\"thinking\":\"\",\"signature\":\"\"}")
	  DELTA("0", "{\"type\":\"thinking_delta\",\"thinking\":\"Hm\"}")
	  DELTA("0", "{\"type\":\"signature_delta\",\"signature\":\"Eq\"}") STOP("0")
	  BLOCK("1", "{\"type\":\"text\",\"text\":\"\"}") TEXT("1", "a") STOP("1") END("end_turn"),
	  "{\"role\":\"assistant\",\"content\":\"a\",\"reasoning\":\"Hm\"}", 3, 7, 2, "end_turn" },
	{ "thoughts between tools are thoughts of their own",
	  START BLOCK("0", "{\"type\":\"thinking\",\"thinking\":\"\"}") DELTA("0", "{\"type\":\"thinking_delta\",\"thinking\":\"A\"}") STOP("0")
	  BLOCK("1", "{\"type\":\"thinking\",\"thinking\":\"\"}") DELTA("1", "{\"type\":\"thinking_delta\",\"thinking\":\"B\"}") STOP("1")
	  END("end_turn"), "{\"role\":\"assistant\",\"reasoning\":\"A\\n\\nB\"}", 3, 6, 2, "end_turn" },
	{ "tools are counted among blocks, and may interleave",
	  START BLOCK("0", "{\"type\":\"text\",\"text\":\"\"}") TEXT("0", "ok") STOP("0")
	  BLOCK("1", "{\"type\":\"tool_use\",\"id\":\"toolu_1\",\"name\":\"f\",\"input\":{}}")
	  BLOCK("2", "{\"type\":\"tool_use\",\"id\":\"toolu_2\",\"name\":\"g\",\"input\":{}}")
	  JSON("1", "{\\\"a\\\":") JSON("2", "{}") JSON("1", "1}") STOP("1") STOP("2") END("tool_use"),
	  "{\"role\":\"assistant\",\"content\":\"ok\",\"tool_calls\":["
	  "{\"id\":\"toolu_1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}},"
	  "{\"id\":\"toolu_2\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}]}", 3, 9, 6, "tool_use" },
	{ "no input is {}",
	  START BLOCK("0", "{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{}}") JSON("0", "") STOP("0") END("tool_use"),
	  "{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"t\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}",
	  2, 2, 1, "tool_use" },
	{ "input that is there from the start",
	  START BLOCK("0", "{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{\"a\":1}}") STOP("0") END("tool_use"),
	  "{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"t\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}}]}",
	  2, 2, 1, "tool_use" },
	{ "the server's tools and what they brought are parts",
	  START BLOCK("0", "{\"type\":\"server_tool_use\",\"id\":\"srv\",\"name\":\"web_search\",\"input\":{}}")
	  JSON("0", "{\\\"query\\\":") JSON("0", "\\\"x\\\"}") STOP("0")
	  BLOCK("1", "{\"type\":\"web_search_tool_result\",\"tool_use_id\":\"srv\",\"content\":[{\"url\":\"u\"}]}") STOP("1")
	  BLOCK("2", "{\"type\":\"text\",\"text\":\"\",\"citations\":[]}")
	  DELTA("2", "{\"type\":\"citations_delta\",\"citation\":{\"type\":\"web_search_result_location\",\"url\":\"u\"}}")
	  TEXT("2", "a") STOP("2") END("end_turn"),
	  "{\"role\":\"assistant\",\"content\":\"a\",\"parts\":["
	  "{\"type\":\"server_tool_use\",\"id\":\"srv\",\"name\":\"web_search\",\"input\":{\"query\":\"x\"}},"
	  "{\"type\":\"web_search_tool_result\",\"tool_use_id\":\"srv\",\"content\":[{\"url\":\"u\"}]},"
	  "{\"type\":\"web_search_result_location\",\"url\":\"u\"}]}", 2, 10, 4, "end_turn" },
	{ "input of a server's tool that was cut off is text",
	  START BLOCK("0", "{\"type\":\"server_tool_use\",\"name\":\"s\",\"input\":{}}") JSON("0", "{\\\"q") STOP("0") END("max_tokens"),
	  "{\"role\":\"assistant\",\"parts\":[{\"type\":\"server_tool_use\",\"name\":\"s\",\"input\":\"{\\\"q\"}]}", 2, 3, 2, "max_tokens" },
	{ "redacted thinking is a part",
	  START BLOCK("0", "{\"type\":\"redacted_thinking\",\"data\":\"Eq\"}") STOP("0") END("end_turn"),
	  "{\"role\":\"assistant\",\"parts\":[{\"type\":\"redacted_thinking\",\"data\":\"Eq\"}]}", 0, 0, 0, "end_turn" },
	{ "an empty answer is one", START END("end_turn"), "{\"role\":\"assistant\"}", 0, 0, 0, "end_turn" },
	{ "deltas of blocks that never began, and nonsense",
	  "{\"type\":\"content_block_delta\"}\n{\"type\":\"content_block_start\"}\n{\"type\":7}\n[]\n"
	  "{\"type\":\"content_block_start\",\"index\":\"x\",\"content_block\":[]}\n"
	  "{\"type\":\"content_block_delta\",\"index\":5,\"delta\":{\"type\":\"input_json_delta\",\"partial_json\":\"{}\"}}\n"
	  "{\"type\":\"content_block_stop\",\"index\":9}\n{\"type\":\"message_start\"}\n{\"type\":\"message_stop\"}",
	  "{\"role\":\"assistant\"}", 0, 0, 0, "" },
};

Test(anthropic, streams_become_one_message)
{
	for (size_t i = 0; i < ARRAY_SIZE(streams); i++) {
		_cleanup_(call_free) struct call *call = feed_request(&anthropic_messages, REQUEST);
		const struct choice *choice;

		feed_events(call, streams[i].events);
		expect_json(dialect_output(&anthropic_messages, call), streams[i].output, streams[i].name, "output");
		cr_assert_eq(call->choice_count, 1, "%s", streams[i].name);
		choice = &call->choices[0];
		cr_expect_str_eq(buf_text(&choice->finish_reason), streams[i].finish, "%s", streams[i].name);
		cr_expect_eq(call->times.first_token_ns, streams[i].first * EVENT_NS, "%s: first at %lu", streams[i].name,
			     (unsigned long)(call->times.first_token_ns / EVENT_NS));
		cr_expect_eq(call->times.last_token_ns, streams[i].last * EVENT_NS, "%s: last at %lu", streams[i].name,
			     (unsigned long)(call->times.last_token_ns / EVENT_NS));
		cr_expect_eq(call->chunks, streams[i].chunks, "%s: %lu chunks", streams[i].name, (unsigned long)call->chunks);
		cr_expect_eq(call->end, CALL_DONE, "%s", streams[i].name);
		cr_expect(!call->is_error, "%s", streams[i].name);
	}
}

Test(anthropic, a_whole_answer_reads_like_its_stream)
{
	_cleanup_(call_free) struct call *call = feed_request(&anthropic_messages, REQUEST);

	feed_response(call, 200, "{\"id\":\"msg_1\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"claude-x\",\"content\":["
		      "{\"type\":\"thinking\",\"thinking\":\"Hm\",\"signature\":\"Eq\"},{\"type\":\"text\",\"text\":\"ok\"},"
		      "{\"type\":\"server_tool_use\",\"name\":\"s\",\"input\":{\"q\":1}},"
		      "{\"type\":\"tool_use\",\"id\":\"t\",\"name\":\"f\",\"input\":{\"a\":1}},"
		      "{\"type\":\"tool_use\",\"id\":\"u\",\"name\":\"g\",\"input\":{}}],"
		      "\"stop_reason\":\"tool_use\",\"stop_sequence\":null,\"usage\":{\"input_tokens\":3,\"output_tokens\":4}}");
	expect_json(dialect_output(&anthropic_messages, call), "{\"role\":\"assistant\",\"content\":\"ok\",\"reasoning\":\"Hm\",\"tool_calls\":["
		    "{\"id\":\"t\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}},"
		    "{\"id\":\"u\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"{}\"}}],"
		    "\"parts\":[{\"type\":\"server_tool_use\",\"name\":\"s\",\"input\":{\"q\":1}}]}", "whole", "output");
	expect_json(usage_json(&call->usage), "{\"input\":3,\"output\":4,\"total\":7}", "whole", "usage");
	cr_expect_str_eq(buf_text(&call->response_id), "msg_1");
	cr_expect_str_eq(buf_text(&call->response_model), "claude-x");
	cr_expect_str_eq(buf_text(&call->choices[0].finish_reason), "tool_use");
	cr_expect_eq(call->end, CALL_DONE);
}

#define USAGE_START(usage) "{\"type\":\"message_start\",\"message\":{\"model\":\"claude-x\",\"usage\":" usage "}}\n"
#define USAGE_DELTA(usage) "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\"},\"usage\":" usage "}\n"

static const struct { const char *name, *events, *usage; uint64_t output_tokens, reasoning_tokens; } usages[] = {
	{ "in two events", USAGE_START("{\"input_tokens\":12,\"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":300,\"output_tokens\":1}")
	  USAGE_DELTA("{\"output_tokens\":42}"),
	  "{\"input\":12,\"input_cached_tokens\":300,\"input_cache_creation\":0,\"output\":42,\"total\":354}", 42, COUNT_UNKNOWN },
	{ "the output of a stream that was cut is unknown",
	  USAGE_START("{\"input_tokens\":12,\"cache_read_input_tokens\":300,\"output_tokens\":1}"),
	  "{\"input\":12,\"input_cached_tokens\":300}", COUNT_UNKNOWN, COUNT_UNKNOWN },
	{ "cache writes by their life", USAGE_START("{\"input_tokens\":12,\"cache_read_input_tokens\":300,\"cache_creation_input_tokens\":50,"
	  "\"cache_creation\":{\"ephemeral_5m_input_tokens\":50,\"ephemeral_1h_input_tokens\":0},\"output_tokens\":1}")
	  USAGE_DELTA("{\"output_tokens\":42}"),
	  "{\"input\":12,\"input_cached_tokens\":300,\"input_cache_creation_5m\":50,\"output\":42,\"total\":404}", 42, COUNT_UNKNOWN },
	{ "both lives and a remainder", USAGE_START("{\"input_tokens\":1,\"cache_creation_input_tokens\":60,"
	  "\"cache_creation\":{\"ephemeral_5m_input_tokens\":10,\"ephemeral_1h_input_tokens\":20}}") USAGE_DELTA("{\"output_tokens\":2}"),
	  "{\"input\":1,\"input_cache_creation\":30,\"input_cache_creation_5m\":10,\"input_cache_creation_1h\":20,\"output\":2,\"total\":63}",
	  2, COUNT_UNKNOWN },
	{ "a delta replaces field by field, null replaces nothing",
	  USAGE_START("{\"input_tokens\":10,\"cache_read_input_tokens\":5,\"cache_creation_input_tokens\":7,\"output_tokens\":1}")
	  USAGE_DELTA("{\"input_tokens\":110,\"cache_read_input_tokens\":null,\"output_tokens\":9,\"server_tool_use\":{\"web_search_requests\":1}}"),
	  "{\"input\":110,\"input_cached_tokens\":5,\"input_cache_creation\":7,\"output\":9,\"total\":131}", 9, COUNT_UNKNOWN },
	{ "a larger sum of cache writes leaves the split", USAGE_START("{\"input_tokens\":1,\"cache_creation_input_tokens\":10,"
	  "\"cache_creation\":{\"ephemeral_5m_input_tokens\":10,\"ephemeral_1h_input_tokens\":0}}")
	  USAGE_DELTA("{\"cache_creation_input_tokens\":25,\"output_tokens\":2}"),
	  "{\"input\":1,\"input_cache_creation\":15,\"input_cache_creation_5m\":10,\"output\":2,\"total\":28}", 2, COUNT_UNKNOWN },
	{ "deltas are cumulative, never added", USAGE_START("{\"input_tokens\":1,\"output_tokens\":1}")
	  USAGE_DELTA("{\"output_tokens\":10}") USAGE_DELTA("{\"output_tokens\":25}"), "{\"input\":1,\"output\":25,\"total\":26}", 25, COUNT_UNKNOWN },
	{ "thinking stays in the output", USAGE_START("{\"input_tokens\":1}")
	  USAGE_DELTA("{\"output_tokens\":50,\"output_tokens_details\":{\"thinking_tokens\":30}}"),
	  "{\"input\":1,\"output\":50,\"total\":51}", 50, 30 },
	{ "a server that knows no input", USAGE_START("null") USAGE_DELTA("{\"output_tokens\":5}"), "{\"output\":5,\"total\":5}", 5, COUNT_UNKNOWN },
	{ "none", USAGE_START("null") "{\"type\":\"message_stop\"}", NULL, COUNT_UNKNOWN, COUNT_UNKNOWN },
};

Test(anthropic, usage_of_two_events_becomes_disjoint_buckets)
{
	for (size_t i = 0; i < ARRAY_SIZE(usages); i++) {
		_cleanup_(call_free) struct call *call = feed_request(&anthropic_messages, REQUEST);

		feed_events(call, usages[i].events);
		expect_json(usage_json(&call->usage), usages[i].usage, usages[i].name, "usage");
		cr_expect_eq(call->usage.output_tokens, usages[i].output_tokens, "%s: output tokens", usages[i].name);
		cr_expect_eq(call->usage.reasoning_tokens, usages[i].reasoning_tokens, "%s: thinking", usages[i].name);
		cr_expect(!call->usage.is_inconsistent, "%s", usages[i].name);
	}
}

Test(anthropic, tools_tier_speed_and_stop_sequence_are_told)
{
	_cleanup_(call_free) struct call *call = feed_request(&anthropic_messages, REQUEST);

	feed_response(call, 200, "{\"type\":\"message\",\"content\":[],\"stop_reason\":\"stop_sequence\",\"stop_sequence\":\"END\","
		      "\"usage\":{\"input_tokens\":1,\"output_tokens\":2,\"service_tier\":\"priority\",\"speed\":\"fast\","
		      "\"server_tool_use\":{\"web_search_requests\":3,\"web_fetch_requests\":0}}}");
	expect_json(cJSON_Duplicate(call->facts, 1), "{\"webSearchRequests\":3,\"webFetchRequests\":0,\"speed\":\"fast\",\"stopSequence\":\"END\"}",
		    "facts", "facts");
	cr_expect_str_eq(buf_text(&call->service_tier), "priority");
}

Test(anthropic, an_error_event_is_the_end)
{
	_cleanup_(call_free) struct call *call = feed_request(&anthropic_messages, REQUEST);

	feed_events(call, START TEXT("0", "Hel")
		    "{\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded\"}}");
	cr_expect(call->is_error);
	cr_expect_str_eq(buf_text(&call->error_message), "Overloaded");
	cr_expect_str_eq(buf_text(&call->error_type), "overloaded_error");
	cr_expect_eq(call->end, CALL_DONE);
	expect_json(dialect_output(&anthropic_messages, call), "{\"role\":\"assistant\",\"content\":\"Hel\"}", "error", "output");
}

Test(anthropic, an_http_error_has_type_and_message)
{
	_cleanup_(call_free) struct call *call = feed_request(&anthropic_messages, REQUEST);

	feed_response(call, 429, "{\"type\":\"error\",\"error\":{\"type\":\"rate_limit_error\",\"message\":\"Slow down\"},\"request_id\":\"req_1\"}");
	cr_expect_str_eq(buf_text(&call->error_message), "Slow down");
	cr_expect_str_eq(buf_text(&call->error_type), "rate_limit_error");
}

static const struct { const char *name, *details, *reason; } refusals[] = {
	{ "with its reason", ",\"stop_details\":{\"type\":\"refusal\",\"category\":\"bio\",\"explanation\":\"No.\"}", "No." },
	{ "without one", ",\"stop_details\":null", "" },
	{ "of old", "", "" },
};

Test(anthropic, a_refusal_is_marked)
{
	for (size_t i = 0; i < ARRAY_SIZE(refusals); i++) {
		_cleanup_(call_free) struct call *call = feed_request(&anthropic_messages, REQUEST);
		_cleanup_(buf_done) struct buf end = BUF_INIT(KiB);

		buf_printf(&end, START "{\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"refusal\"%s},\"usage\":{\"output_tokens\":3}}\n"
			   "{\"type\":\"message_stop\"}", refusals[i].details);
		feed_events(call, buf_text(&end));
		cr_assert_not_null(call_refusal(call), "%s", refusals[i].name);
		cr_expect_str_eq(buf_text(call_refusal(call)), refusals[i].reason, "%s", refusals[i].name);
		cr_expect(!call->is_error, "%s", refusals[i].name);
	}
}

static const struct { const char *name, *request, *input, *parameters; } requests[] = {
	{ "system is the first message", "{\"system\":\"Be brief\",\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"max_tokens\":9}",
	  "[{\"role\":\"system\",\"content\":\"Be brief\"},{\"role\":\"user\",\"content\":\"hi\"}]", "{\"max_tokens\":9}" },
	{ "tools and system blocks", "{\"system\":[{\"type\":\"text\",\"text\":\"s\"}],\"tools\":[{\"name\":\"f\",\"input_schema\":{}}],\"messages\":[]}",
	  "{\"tools\":[{\"name\":\"f\",\"input_schema\":{}}],\"messages\":[{\"role\":\"system\",\"content\":[{\"type\":\"text\",\"text\":\"s\"}]}]}", NULL },
	{ "parameters that are scalars", "{\"messages\":[],\"max_tokens\":9,\"temperature\":0.5,\"top_p\":0.9,\"top_k\":5,\"stop_sequences\":[\"x\"],"
	  "\"thinking\":{\"type\":\"enabled\",\"budget_tokens\":1024},\"output_config\":{\"effort\":\"high\"},\"service_tier\":\"auto\",\"speed\":\"fast\"}",
	  "[]", "{\"max_tokens\":9,\"temperature\":0.5,\"top_p\":0.9,\"top_k\":5,\"speed\":\"fast\",\"thinking\":\"enabled\","
	  "\"thinking_budget_tokens\":1024,\"effort\":\"high\",\"service_tier\":\"auto\"}" },
	{ "no JSON", "x=1", "\"x=1\"", NULL },
};

Test(anthropic, input_and_parameters_come_from_the_request)
{
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		_cleanup_(call_free) struct call *call = feed_request(&anthropic_messages, requests[i].request);

		expect_json(anthropic_messages.input(call), requests[i].input, requests[i].name, "input");
		expect_json(dialect_parameters(&anthropic_messages, call), requests[i].parameters, requests[i].name, "parameters");
	}
}

Test(anthropic, parts_over_the_limit_are_marked_and_input_stays_with_its_own)
{
	_cleanup_(call_free) struct call *call = feed_request(&anthropic_messages, REQUEST);
	struct choice *choice = call_choice(call, 0);

	for (size_t i = 0; i < LIMIT_PARTS - 1; i++)
		choice_add_part(call, choice, cJSON_CreateObject());
	feed_events(call, BLOCK("1", "{\"type\":\"server_tool_use\",\"name\":\"s\",\"input\":{}}") JSON("1", "{\\\"q\\\":1}") STOP("1")
		    BLOCK("2", "{\"type\":\"server_tool_use\",\"name\":\"t\",\"input\":{}}") JSON("2", "{\\\"q\\\":2}") STOP("2"));
	choice = call_choice(call, 0);
	expect_json(cJSON_Duplicate(cJSON_GetArrayItem(choice->parts, LIMIT_PARTS - 1), 1),
		    "{\"type\":\"server_tool_use\",\"name\":\"s\",\"input\":{\"q\":1}}", "last part", "part");
	cr_expect_eq(call->marks, LOSS_BIT(LOSS_CONTENT_TRUNCATED));
}

/* Text inside of text: a NUL would end it in silence. */
Test(anthropic, input_of_a_servers_tool_is_cleaned_as_the_event_was)
{
	_cleanup_(call_free) struct call *call = feed_request(&anthropic_messages, REQUEST);

	feed_events(call, START BLOCK("0", "{\"type\":\"server_tool_use\",\"name\":\"s\",\"input\":{}}")
		    JSON("0", "{\\\"q\\\":\\\"a\\\\u0000b\\\"}") STOP("0"));
	expect_json(dialect_output(&anthropic_messages, call), "{\"role\":\"assistant\",\"parts\":[{\"type\":\"server_tool_use\",\"name\":\"s\","
		    "\"input\":{\"q\":\"a\xef\xbf\xbd" "b\"}}]}", "NUL", "output");
	cr_expect_eq(call->marks, LOSS_BIT(LOSS_BAD_TEXT));
}

Test(anthropic, legacy_completions)
{
	_cleanup_(call_free) struct call *call = feed_request(&anthropic_complete,
		"{\"model\":\"claude-2.1\",\"prompt\":\"\\n\\nHuman: hi\\n\\nAssistant:\",\"max_tokens_to_sample\":9}");

	feed_events(call, "{\"type\":\"completion\",\"id\":\"compl_1\",\"completion\":\" He\",\"stop_reason\":null,\"model\":\"claude-2.1\"}\n"
		    "{\"type\":\"ping\"}\n"
		    "{\"type\":\"completion\",\"completion\":\"y\",\"stop_reason\":null,\"model\":\"claude-2.1\"}\n"
		    "{\"type\":\"completion\",\"completion\":\"\",\"stop_reason\":\"stop_sequence\",\"model\":\"claude-2.1\"}");
	expect_json(dialect_output(&anthropic_complete, call), "\" Hey\"", "complete", "output");
	expect_json(anthropic_complete.input(call), "\"\\n\\nHuman: hi\\n\\nAssistant:\"", "complete", "input");
	expect_json(dialect_parameters(&anthropic_complete, call), "{\"max_tokens_to_sample\":9}", "complete", "parameters");
	expect_json(usage_json(&call->usage), NULL, "complete", "usage");
	cr_expect_eq(call->chunks, 2);
	cr_expect_str_eq(buf_text(&call->choices[0].finish_reason), "stop_sequence");
	cr_expect_eq(call->end, CALL_DONE);
}

/* A path that is not known: shapes decide. */
Test(anthropic, is_told_by_its_answer_where_no_path_is_known)
{
	struct http_head head = { .is_partial = true };
	bool is_out_of_memory;
	_cleanup_(call_free) struct call *call = call_begin(&head, LIMIT_CONTENT, &is_out_of_memory);

	cr_assert_not_null(call);
	call_read_request(call, SLICE(REQUEST), /* is_truncated */ false);
	feed_events(call, START TEXT("0", "Hi") END("end_turn"));
	cr_expect_eq(call->dialect, &anthropic_messages, "%s", call->dialect->name);
	expect_json(dialect_output(call->dialect, call), "{\"role\":\"assistant\",\"content\":\"Hi\"}", "no path", "output");
}
