/* SPDX-License-Identifier: Apache-2.0 */
#include "feed.h"

#define REQUEST "{\"model\":\"m\",\"stream\":true,\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}]}"
#define DELTA(delta) "{\"id\":\"c-1\",\"model\":\"m-1\",\"choices\":[{\"index\":0,\"delta\":" delta "}]}\n"
#define FINISH(reason) "{\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"" reason "\"}]}\n"
#define ROLE DELTA("{\"role\":\"assistant\",\"content\":\"\"}")
#define DONE "[DONE]"

static const struct {
	const char *name, *events;
	const char *output;		/* JSON; NULL: none */
	uint64_t first, last, chunks;	/* numbers of the events that bear content; 0: none */
	const char *finish;
} streams[] = {
	{ "plain text; the role is no token", ROLE DELTA("{\"content\":\"Hel\"}") DELTA("{\"content\":\"lo\"}")
	  FINISH("stop") DONE, "\"Hello\"", 2, 3, 2, "stop" },
	{ "Azure: empty choices, empty names, a choice without delta",
	  "{\"id\":\"\",\"model\":\"\",\"choices\":[],\"prompt_filter_results\":[{\"prompt_index\":0}]}\n"
	  ROLE DELTA("{\"content\":\"a\"}")
	  "{\"id\":\"\",\"model\":\"\",\"choices\":[{\"index\":0,\"finish_reason\":null,"
	  "\"content_filter_offsets\":{\"start_offset\":1}}]}\n"
	  FINISH("stop") DONE, "\"a\"", 3, 3, 1, "stop" },
	{ "choices and usage may be null", "{\"choices\":null,\"usage\":null}\n" DELTA("{\"content\":\"a\"}") DONE,
	  "\"a\"", 2, 2, 1, "" },
	{ "obfuscation is no content", "{\"choices\":[{\"index\":0,\"delta\":{}}],\"obfuscation\":\"k3Jx\"}\n"
	  DELTA("{\"content\":\"a\"}") DONE, "\"a\"", 2, 2, 1, "" },
	{ "logprobs are left out", "{\"choices\":[{\"index\":0,\"delta\":{\"content\":\"a\"},"
	  "\"logprobs\":{\"content\":[{\"token\":\"a\",\"logprob\":-1}]}}]}\n" DONE, "\"a\"", 1, 1, 1, "" },
	{ "reasoning_content is kept apart (DeepSeek)", ROLE DELTA("{\"content\":null,\"reasoning_content\":\"hm\"}")
	  DELTA("{\"content\":\"a\",\"reasoning_content\":null}") DONE,
	  "{\"role\":\"assistant\",\"content\":\"a\",\"reasoning\":\"hm\"}", 2, 3, 2, "" },
	{ "reasoning is kept apart (vLLM, Groq, OpenRouter, Ollama)",
	  DELTA("{\"role\":\"assistant\",\"reasoning\":\"h\"}") DELTA("{\"reasoning\":\"m\"}") DONE,
	  "{\"role\":\"assistant\",\"reasoning\":\"hm\"}", 1, 2, 2, "" },
	{ "reasoning under both names counts once",
	  DELTA("{\"reasoning\":\"h\",\"reasoning_content\":\"h\"}") DONE,
	  "{\"role\":\"assistant\",\"reasoning\":\"h\"}", 1, 1, 1, "" },
	{ "refusal is an answer", ROLE DELTA("{\"refusal\":\"I \"}") DELTA("{\"refusal\":\"won't\"}") DONE,
	  "{\"role\":\"assistant\",\"content\":\"\",\"refusal\":\"I won't\"}", 2, 3, 2, "" },
	{ "Mistral's content is parts",
	  DELTA("{\"role\":\"assistant\",\"content\":[{\"type\":\"thinking\",\"thinking\":[{\"type\":\"text\",\"text\":\"hm\"}]}]}")
	  DELTA("{\"content\":[{\"type\":\"text\",\"text\":\"a\"}]}") DELTA("{\"content\":\"b\"}") DONE,
	  "{\"role\":\"assistant\",\"content\":\"ab\",\"reasoning\":\"hm\"}", 1, 3, 3, "" },
	{ "one tool call in fragments",
	  DELTA("{\"role\":\"assistant\",\"content\":null}")
	  DELTA("{\"tool_calls\":[{\"index\":0,\"id\":\"call_1\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}")
	  DELTA("{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"{\\\"a\\\":\"}}]}")
	  DELTA("{\"tool_calls\":[{\"index\":0,\"function\":{\"arguments\":\"1}\"}}]}") FINISH("tool_calls") DONE,
	  "{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"call_1\",\"type\":\"function\","
	  "\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}}]}", 2, 4, 3, "tool_calls" },
	{ "parallel tool calls interleave",
	  DELTA("{\"role\":\"assistant\",\"content\":\"ok\"}")
	  DELTA("{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"\"}}]}")
	  DELTA("{\"tool_calls\":[{\"index\":1,\"id\":\"b\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"\"}}]}")
	  DELTA("{\"tool_calls\":[{\"index\":1,\"function\":{\"arguments\":\"2\"}},{\"index\":0,\"function\":{\"arguments\":\"1\"}}]}") DONE,
	  "{\"role\":\"assistant\",\"content\":\"ok\",\"tool_calls\":["
	  "{\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"1\"}},"
	  "{\"id\":\"b\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"2\"}}]}", 1, 4, 4, "" },
	{ "no index: a new id is a new call, an old one is not",
	  DELTA("{\"tool_calls\":[{\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"1\"}}]}")
	  DELTA("{\"tool_calls\":[{\"id\":\"b\",\"function\":{\"name\":\"f\",\"arguments\":\"2\"}}]}")
	  DELTA("{\"tool_calls\":[{\"id\":\"a\",\"function\":{\"arguments\":\"3\"}}]}")
	  DELTA("{\"tool_calls\":[{\"function\":{\"arguments\":\"4\"}}]}") DONE,
	  "{\"role\":\"assistant\",\"tool_calls\":["
	  "{\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"13\"}},"
	  "{\"id\":\"b\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"24\"}}]}", 1, 4, 4, "" },
	{ "no index, no id: by position in the array",
	  DELTA("{\"tool_calls\":[{\"function\":{\"name\":\"f\",\"arguments\":\"1\"}},{\"function\":{\"name\":\"g\",\"arguments\":\"2\"}}]}") DONE,
	  "{\"role\":\"assistant\",\"tool_calls\":["
	  "{\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"1\"}},"
	  "{\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"2\"}}]}", 1, 1, 1, "" },
	{ "no index, no id: whole calls one by one (Gemini)",
	  DELTA("{\"tool_calls\":[{\"id\":\"\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}")
	  DELTA("{\"tool_calls\":[{\"id\":\"\",\"function\":{\"name\":\"f\",\"arguments\":\"[]\"}}]}") DONE,
	  "{\"role\":\"assistant\",\"tool_calls\":["
	  "{\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}},"
	  "{\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"[]\"}}]}", 1, 2, 2, "" },
	{ "the same index for two calls",
	  DELTA("{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"1\"}}]}")
	  DELTA("{\"tool_calls\":[{\"index\":0,\"id\":\"b\",\"function\":{\"name\":\"g\",\"arguments\":\"2\"}}]}") DONE,
	  "{\"role\":\"assistant\",\"tool_calls\":["
	  "{\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"1\"}},"
	  "{\"id\":\"b\",\"type\":\"function\",\"function\":{\"name\":\"g\",\"arguments\":\"2\"}}]}", 1, 2, 2, "" },
	{ "empty text beside a tool is there as it was sent",
	  ROLE DELTA("{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"f\",\"arguments\":\"1\"}}]}") DONE,
	  "{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"a\",\"type\":\"function\","
	  "\"function\":{\"name\":\"f\",\"arguments\":\"1\"}}],\"content\":\"\"}", 2, 2, 1, "" },
	{ "no text beside a tool is none",
	  DELTA("{\"role\":\"assistant\",\"content\":null,\"tool_calls\":[{\"index\":0,\"id\":\"a\","
		"\"function\":{\"name\":\"f\",\"arguments\":\"1\"}}]}") DONE,
	  "{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"a\",\"type\":\"function\","
	  "\"function\":{\"name\":\"f\",\"arguments\":\"1\"}}]}", 1, 1, 1, "" },
	{ "a repeated name is one name, one in pieces is joined",
	  DELTA("{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"function\":{\"name\":\"get_\"}}]}")
	  DELTA("{\"tool_calls\":[{\"index\":0,\"function\":{\"name\":\"time\"}}]}")
	  DELTA("{\"tool_calls\":[{\"index\":0,\"function\":{\"name\":\"get_time\",\"arguments\":\"{}\"}}]}") DONE,
	  "{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"a\",\"type\":\"function\","
	  "\"function\":{\"name\":\"get_time\",\"arguments\":\"{}\"}}]}", 1, 3, 3, "" },
	{ "a custom tool",
	  DELTA("{\"tool_calls\":[{\"index\":0,\"id\":\"a\",\"type\":\"custom\",\"custom\":{\"name\":\"t\",\"input\":\"x\"}}]}") DONE,
	  "{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"a\",\"type\":\"custom\",\"custom\":{\"name\":\"t\",\"input\":\"x\"}}]}",
	  1, 1, 1, "" },
	{ "the old function call",
	  DELTA("{\"role\":\"assistant\",\"function_call\":{\"name\":\"f\",\"arguments\":\"\"}}")
	  DELTA("{\"function_call\":{\"arguments\":\"{}\"}}") FINISH("function_call") DONE,
	  "{\"role\":\"assistant\",\"function_call\":{\"name\":\"f\",\"arguments\":\"{}\"}}", 1, 2, 2, "function_call" },
	{ "n > 1 interleaves by index",
	  "{\"choices\":[{\"index\":1,\"delta\":{\"role\":\"assistant\",\"content\":\"x\"}}]}\n"
	  "{\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"a\"}}]}\n"
	  "{\"choices\":[{\"index\":1,\"delta\":{\"content\":\"y\"}},{\"index\":0,\"delta\":{\"content\":\"b\"}}]}\n" DONE,
	  "[{\"role\":\"assistant\",\"content\":\"ab\"},{\"role\":\"assistant\",\"content\":\"xy\"}]", 1, 3, 3, "" },
	{ "audio: its transcript stands for the text",
	  DELTA("{\"role\":\"assistant\",\"audio\":{\"id\":\"au\",\"transcript\":\"He\"}}")
	  DELTA("{\"audio\":{\"data\":\"UklGRg==\"}}") DELTA("{\"audio\":{\"transcript\":\"y\"}}") DONE,
	  "\"Hey\"", 1, 3, 3, "" },
	{ "audio after the role",
	  ROLE DELTA("{\"audio\":{\"id\":\"au\",\"transcript\":\"He\"}}") DELTA("{\"audio\":{\"transcript\":\"y\"}}") DONE,
	  "\"Hey\"", 2, 3, 2, "" },
	{ "an answer without text is empty", ROLE FINISH("stop") DONE, "\"\"", 0, 0, 0, "stop" },
	{ "a stream that said nothing has no output", "{\"choices\":[]}\n" DONE, NULL, 0, 0, 0, "" },
	{ "what comes after [DONE] does not count", DELTA("{\"content\":\"a\"}") "[DONE]\n" DELTA("{\"content\":\"b\"}"),
	  "\"a\"", 1, 1, 1, "" },
};

Test(openai_chat, streams_become_what_was_said)
{
	for (size_t i = 0; i < ARRAY_SIZE(streams); i++) {
		const char *name = streams[i].name;
		_cleanup_(call_free) struct call *call = feed_request(&openai_chat, REQUEST);

		feed_events(call, streams[i].events);
		expect_json(dialect_output(&openai_chat, call), streams[i].output, name, "output");
		cr_expect_eq(call->times.first_token_ns, streams[i].first * EVENT_NS, "%s: first token", name);
		cr_expect_eq(call->times.last_token_ns, streams[i].last * EVENT_NS, "%s: last token", name);
		cr_expect_eq(call->times.first_event_ns, EVENT_NS, "%s: first event", name);
		cr_expect_eq(call->chunks, streams[i].chunks, "%s: %zu chunks", name, (size_t)call->chunks);
		cr_expect_eq(call->gap_count, call->chunks ? call->chunks - 1 : 0, "%s: gaps", name);
		cr_expect_eq(call->end, CALL_DONE, "%s: end", name);
		cr_expect_eq(call->marks, 0, "%s: marks", name);
		cr_expect(call_is_recognised(call), "%s", name);
		if (call->choice_count)
			cr_expect_str_eq(buf_text(&call->choices[0].finish_reason), streams[i].finish, "%s", name);
	}
}

Test(openai_chat, names_of_a_stream_survive_empty_ones)
{
	_cleanup_(call_free) struct call *call = feed_request(&openai_chat, REQUEST);

	feed_events(call, "{\"id\":\"\",\"model\":\"\",\"choices\":[]}\n"
		    "{\"id\":\"c-1\",\"model\":\"m-1\",\"service_tier\":\"default\",\"choices\":[]}\n"
		    "{\"id\":\"\",\"model\":\"\",\"choices\":[]}");
	cr_expect_str_eq(buf_text(&call->response_id), "c-1");
	cr_expect_str_eq(buf_text(&call->response_model), "m-1");
	cr_expect_str_eq(buf_text(&call->service_tier), "default");
	cr_expect_eq(call->end, CALL_OPEN);
}

Test(openai_chat, an_error_in_the_stream_keeps_what_was_said)
{
	_cleanup_(call_free) struct call *call = feed_request(&openai_chat, REQUEST);

	feed_events(call, DELTA("{\"content\":\"a\"}")
		    "{\"error\":{\"message\":\"engine died\",\"type\":\"InternalServerError\",\"code\":500}}\n" DONE);
	cr_expect(call->is_error);
	cr_expect_eq(call->end, CALL_DONE);
	cr_expect_str_eq(buf_text(&call->error_message), "engine died");
	cr_expect_str_eq(buf_text(&call->error_type), "InternalServerError");
	expect_json(dialect_output(&openai_chat, call), "\"a\"", "error in stream", "output");
}

Test(openai_chat, an_event_that_is_no_json_is_marked_and_passed_over)
{
	_cleanup_(call_free) struct call *call = feed_request(&openai_chat, REQUEST);

	feed_events(call, DELTA("{\"content\":\"a\"}") "{\"choi\n" DELTA("{\"content\":\"b\"}") DONE);
	cr_expect_eq(call->marks, LOSS_BIT(LOSS_BAD_JSON));
	expect_json(dialect_output(&openai_chat, call), "\"ab\"", "broken event", "output");
}

static const struct { const char *name, *body, *output; } bodies[] = {
	{ "plain", "{\"object\":\"chat.completion\",\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\","
	  "\"content\":\"a\",\"refusal\":null,\"annotations\":[]},\"logprobs\":null,\"finish_reason\":\"stop\"}]}",
	  "{\"role\":\"assistant\",\"content\":\"a\"}" },
	{ "empty text stays text", "{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"\"}}]}",
	  "{\"role\":\"assistant\",\"content\":\"\"}" },
	{ "tools", "{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":null,\"tool_calls\":["
	  "{\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}},"
	  "{\"id\":\"b\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}]}}]}",
	  "{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}},"
	  "{\"id\":\"b\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{}\"}}],\"content\":null}" },
	{ "arguments as an object", "{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":null,\"tool_calls\":["
	  "{\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":{\"x\":1}}}]}}]}",
	  "{\"role\":\"assistant\",\"tool_calls\":[{\"id\":\"a\",\"type\":\"function\",\"function\":{\"name\":\"f\",\"arguments\":\"{\\\"x\\\":1}\"}}],\"content\":null}" },
	{ "the old function call", "{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":null,"
	  "\"function_call\":{\"name\":\"f\",\"arguments\":\"{}\"}}}]}",
	  "{\"role\":\"assistant\",\"function_call\":{\"name\":\"f\",\"arguments\":\"{}\"},\"content\":null}" },
	{ "refusal", "{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":null,\"refusal\":\"no\"}}]}",
	  "{\"role\":\"assistant\",\"content\":null,\"refusal\":\"no\"}" },
	{ "reasoning", "{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"a\",\"reasoning_content\":\"hm\"}}]}",
	  "{\"role\":\"assistant\",\"content\":\"a\",\"reasoning\":\"hm\"}" },
	{ "audio", "{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":null,\"audio\":{\"id\":\"x\",\"data\":\"UA==\",\"transcript\":\"Hey\"}}}]}",
	  "{\"role\":\"assistant\",\"content\":\"Hey\"}" },
	{ "several choices, out of order", "{\"choices\":[{\"index\":1,\"message\":{\"role\":\"assistant\",\"content\":\"b\"}},"
	  "{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"a\"}}]}",
	  "[{\"role\":\"assistant\",\"content\":\"a\"},{\"role\":\"assistant\",\"content\":\"b\"}]" },
	{ "vLLM's extra keys", "{\"choices\":[{\"index\":0,\"message\":{\"role\":\"assistant\",\"content\":\"a\",\"reasoning\":null,"
	  "\"tool_calls\":[],\"audio\":null,\"function_call\":null},\"stop_reason\":null,\"token_ids\":null}],\"prompt_logprobs\":null,"
	  "\"kv_transfer_params\":null}", "{\"role\":\"assistant\",\"content\":\"a\"}" },
	{ "blank lines before the body (DeepSeek)", "\n\n\n{\"choices\":[{\"message\":{\"role\":\"assistant\",\"content\":\"a\"}}]}",
	  "{\"role\":\"assistant\",\"content\":\"a\"}" },
	{ "choices that are null", "{\"object\":\"chat.completion\",\"choices\":null}", NULL },
	{ "no JSON is kept as text", "plain words", "\"plain words\"" },
};

Test(openai_chat, bodies_become_what_was_said)
{
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		_cleanup_(call_free) struct call *call = feed_request(&openai_chat, "{\"messages\":[]}");

		feed_response(call, 200, bodies[i].body);
		expect_json(dialect_output(&openai_chat, call), bodies[i].output, bodies[i].name, "output");
		cr_expect_eq(call->end, CALL_DONE, "%s", bodies[i].name);
		cr_expect_eq(call->chunks, 0, "%s", bodies[i].name);
	}
}

Test(openai_chat, a_cut_body_keeps_what_came)
{
	_cleanup_(call_free) struct call *call = feed_request(&openai_chat, "{\"messages\":[]}");

	call_read_response(call, 200, SLICE("{\"id\":\"c\",\"choices\":[{\"index\":0,\"message\":"
			   "{\"role\":\"assistant\",\"content\":\"Hel"), /* is_truncated */ true);
	expect_json(dialect_output(&openai_chat, call), "{\"role\":\"assistant\",\"content\":\"Hel\"}", "cut", "output");
	cr_expect_eq(call->end, CALL_OPEN);
	cr_expect_eq(call->marks, LOSS_BIT(LOSS_CONTENT_TRUNCATED));
}

static const struct { const char *name, *request, *input; } inputs[] = {
	{ "messages", "{\"messages\":[{\"role\":\"user\",\"content\":\"hi\"}],\"tool_choice\":\"auto\"}",
	  "[{\"role\":\"user\",\"content\":\"hi\"}]" },
	{ "with tools", "{\"messages\":[],\"tools\":[{\"type\":\"function\"}],\"tool_choice\":\"auto\"}",
	  "{\"tools\":[{\"type\":\"function\"}],\"messages\":[]}" },
	{ "with functions", "{\"messages\":[],\"functions\":[{\"name\":\"f\"}],\"function_call\":\"auto\"}",
	  "{\"functions\":[{\"name\":\"f\"}],\"function_call\":\"auto\",\"messages\":[]}" },
	{ "tools that are null", "{\"messages\":[],\"tools\":null}", "[]" },
	{ "no messages", "{\"model\":\"m\"}", NULL },
	{ "no JSON", "some text", "\"some text\"" },
	{ "nothing", "", NULL },
};

Test(openai_chat, input_is_what_the_drop_in_records)
{
	for (size_t i = 0; i < ARRAY_SIZE(inputs); i++) {
		_cleanup_(call_free) struct call *call = feed_request(&openai_chat, inputs[i].request);

		expect_json(openai_chat.input(call), inputs[i].input, inputs[i].name, "input");
	}
}

Test(openai_chat, a_request_too_deep_is_kept_as_text_and_marked)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(64 * KiB);
	_cleanup_(call_free) struct call *call = NULL;
	cJSON *input;

	buf_add_text(&text, "{\"messages\":");
	for (int i = 0; i < 10000; i++)
		buf_add_char(&text, '[');
	call = feed_request(&openai_chat, buf_text(&text));
	input = openai_chat.input(call);
	cr_expect_str_eq(input->valuestring, buf_text(&text));
	cr_expect_eq(call->marks, LOSS_BIT(LOSS_BAD_JSON));
	cr_expect_not(call_is_recognised(call));
	cJSON_Delete(input);
}

Test(openai_chat, text_over_the_limit_is_cut_between_characters_and_marked)
{
	_cleanup_(call_free) struct call *call = call_new(&openai_chat, /* max_content */ 4);

	feed_events(call, DELTA("{\"content\":\"a\xe2\x82\xac\"}") DELTA("{\"content\":\"\xe2\x82\xac\"}")
		    DELTA("{\"content\":\"b\"}") DONE);
	expect_json(dialect_output(&openai_chat, call), "\"a\xe2\x82\xac\"", "cut", "output");
	cr_expect_eq(call->marks, LOSS_BIT(LOSS_CONTENT_TRUNCATED));
	cr_expect_eq(call->chunks, 3, "what is cut is still counted");
}
