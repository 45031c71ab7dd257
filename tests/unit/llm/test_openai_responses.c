/* SPDX-License-Identifier: Apache-2.0 */
#include "feed.h"

static struct call *responses(const char *request)
{
	return feed_request(&openai_responses, request);
}

static const struct { const char *name, *request, *input; } inputs[] = {
	{ "a text", "{\"input\":\"Hi\"}", "\"Hi\"" },
	{ "items", "{\"input\":[{\"role\":\"user\",\"content\":\"Hi\"}]}", "[{\"role\":\"user\",\"content\":\"Hi\"}]" },
	{ "instructions before a text", "{\"input\":\"Hi\",\"instructions\":\"Be terse.\"}",
	  "[{\"role\":\"system\",\"content\":\"Be terse.\"},{\"role\":\"user\",\"content\":\"Hi\"}]" },
	{ "instructions before items", "{\"input\":[{\"role\":\"user\",\"content\":\"Hi\"}],\"instructions\":\"Be terse.\"}",
	  "[{\"role\":\"system\",\"content\":\"Be terse.\"},{\"role\":\"user\",\"content\":\"Hi\"}]" },
	{ "tools stand beside", "{\"input\":\"Hi\",\"tools\":[{\"type\":\"web_search\"}],\"tool_choice\":\"auto\"}",
	  "{\"tools\":[{\"type\":\"web_search\"}],\"tool_choice\":\"auto\",\"input\":\"Hi\"}" },
	{ "a stored prompt", "{\"prompt\":{\"id\":\"pmpt_1\"}}", "{\"prompt\":{\"id\":\"pmpt_1\"}}" },
	{ "nothing but what it follows", "{\"previous_response_id\":\"resp_0\"}", NULL },
};

Test(openai_responses, input_is_as_the_drop_in_has_it)
{
	for (size_t i = 0; i < ARRAY_SIZE(inputs); i++) {
		_cleanup_(call_free) struct call *call = responses(inputs[i].request);

		expect_json(openai_responses.input(call), inputs[i].input, inputs[i].name, "input");
		cr_expect(call_is_recognised(call), "%s", inputs[i].name);
	}
}

static const char *const others[] = {
	"{\"input\":[\"a\",\"b\"]}", "{\"input\":[1,2]}", "{\"input\":\"x\",\"encoding_format\":\"base64\"}",
	"{\"input\":\"x\",\"voice\":\"alloy\"}", "{\"input\":\"x\",\"questions\":[]}", "{\"model\":\"m\"}",
};

Test(openai_responses, requests_of_other_endpoints_have_another_shape)
{
	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		_cleanup_(json_freep) cJSON *body = cJSON_Parse(others[i]);

		cr_expect_not(openai_responses.is_request(body), "%s", others[i]);
	}
}

#define USAGE "\"usage\":{\"input_tokens\":20,\"input_tokens_details\":{\"cached_tokens\":8},\"output_tokens\":6," \
	      "\"output_tokens_details\":{\"reasoning_tokens\":0},\"total_tokens\":26}"
#define MESSAGE "{\"type\":\"message\",\"id\":\"msg_1\",\"role\":\"assistant\",\"status\":\"completed\"," \
		"\"content\":[{\"type\":\"output_text\",\"text\":\"Hello\",\"annotations\":[]}]}"
#define REASONING "{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[{\"type\":\"summary_text\",\"text\":\"Hm.\"}]}"

static const struct {
	const char *name, *body, *output, *finish;
	const char *refusal;	/* NULL: it is none */
	bool is_error;
} bodies[] = {
	{ "one item", "{\"object\":\"response\",\"status\":\"completed\",\"output\":[" MESSAGE "]}", MESSAGE, "completed", NULL, false },
	{ "reasoning apart from the answer", "{\"object\":\"response\",\"status\":\"completed\",\"output\":[" REASONING "," MESSAGE "]}",
	  "[" REASONING "," MESSAGE "]", "completed", NULL, false },
	{ "nothing", "{\"object\":\"response\",\"status\":\"completed\",\"output\":[]}", NULL, "completed", NULL, false },
	{ "cut by its length", "{\"object\":\"response\",\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":\"max_output_tokens\"},"
	  "\"output\":[" MESSAGE "]}", MESSAGE, "max_output_tokens", NULL, false },
	{ "cut by a filter", "{\"object\":\"response\",\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":\"content_filter\"},"
	  "\"output\":[]}", NULL, "content_filter", "stopped by the provider's content filter", false },
	{ "refused", "{\"object\":\"response\",\"status\":\"completed\",\"output\":[{\"type\":\"message\",\"content\":[{\"type\":\"refusal\","
	  "\"refusal\":\"I will not.\"}]}]}", "{\"type\":\"message\",\"content\":[{\"type\":\"refusal\",\"refusal\":\"I will not.\"}]}",
	  "completed", "I will not.", false },
	{ "failed", "{\"object\":\"response\",\"status\":\"failed\",\"error\":{\"code\":\"server_error\",\"message\":\"it broke\"},\"output\":[]}",
	  NULL, "failed", NULL, true },
	{ "failed without a word", "{\"object\":\"response\",\"status\":\"failed\",\"output\":[]}", NULL, "failed", NULL, true },
	{ "in the background", "{\"object\":\"response\",\"status\":\"queued\",\"background\":true,\"output\":[],\"usage\":null}",
	  NULL, NULL, NULL, false },
	{ "a compaction", "{\"object\":\"response.compaction\",\"output\":[{\"type\":\"compaction\",\"encrypted_content\":\"gAAA\"}]}",
	  "{\"type\":\"compaction\",\"encrypted_content\":\"gAAA\"}", NULL, NULL, false },
};

Test(openai_responses, a_body_gives_its_items_and_how_it_ended)
{
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		_cleanup_(call_free) struct call *call = responses("{\"input\":\"x\"}");
		const struct buf *refusal;

		feed_response(call, 200, bodies[i].body);
		expect_json(dialect_output(&openai_responses, call), bodies[i].output, bodies[i].name, "output");
		cr_expect_str_eq(call->choice_count ? buf_text(&call->choices[0].finish_reason) : "",
				 bodies[i].finish ? bodies[i].finish : "", "%s", bodies[i].name);
		refusal = call_refusal(call);
		cr_expect_str_eq(refusal ? buf_text(refusal) : "", bodies[i].refusal ? bodies[i].refusal : "", "%s", bodies[i].name);
		cr_expect_eq(refusal != NULL, bodies[i].refusal != NULL, "%s", bodies[i].name);
		cr_expect_eq(call->is_error, bodies[i].is_error, "%s", bodies[i].name);
		cr_expect_eq(call->end, CALL_DONE, "%s", bodies[i].name);
		cr_expect_null(call->metadata, "%s: the drop-in has none of what is no stream", bodies[i].name);
	}
}

Test(openai_responses, a_failure_has_code_and_message)
{
	_cleanup_(call_free) struct call *call = responses("{\"input\":\"x\"}");

	feed_events(call, "{\"type\":\"response.failed\",\"response\":{\"status\":\"failed\",\"error\":{\"code\":\"server_error\",\"message\":\"it broke\"}}}");
	cr_expect_str_eq(buf_text(&call->error_message), "it broke");
	cr_expect_str_eq(buf_text(&call->error_type), "server_error");
	cr_expect_eq(call->end, CALL_DONE);
}

Test(openai_responses, an_error_event_is_an_error_and_the_stream_may_go_on)
{
	_cleanup_(call_free) struct call *call = responses("{\"input\":\"x\"}");

	feed_events(call, "{\"type\":\"error\",\"sequence_number\":3,\"code\":\"rate_limit_exceeded\",\"message\":\"slow down\",\"param\":null}");
	cr_expect(call->is_error);
	cr_expect_str_eq(buf_text(&call->error_message), "slow down");
	cr_expect_str_eq(buf_text(&call->error_type), "rate_limit_exceeded");
	cr_expect_eq(call->end, CALL_OPEN);
	cr_expect(call_close(call));
}

Test(openai_responses, a_background_answer_is_marked)
{
	_cleanup_(call_free) struct call *call = responses("{\"input\":\"x\",\"background\":true,\"conversation\":{\"id\":\"conv_1\"}}");

	feed_response(call, 200, "{\"id\":\"resp_1\",\"object\":\"response\",\"status\":\"in_progress\",\"output\":[],\"error\":null}");
	expect_json(cJSON_Duplicate(call->facts, /* recurse */ 1), "{\"conversationId\":\"conv_1\",\"status\":\"in_progress\"}", "background", "facts");
}

#define START "{\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"resp_1\",\"object\":\"response\",\"status\":\"in_progress\"," \
	      "\"model\":\"gpt-5.1-2026\",\"output\":[],\"usage\":null}}\n" \
	      "{\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":{\"type\":\"reasoning\",\"id\":\"rs_1\",\"summary\":[]}}\n" \
	      "{\"type\":\"response.reasoning_summary_text.delta\",\"output_index\":0,\"summary_index\":0,\"delta\":\"Hm.\",\"obfuscation\":\"x\"}\n" \
	      "{\"type\":\"response.output_item.added\",\"output_index\":1,\"item\":{\"type\":\"message\",\"role\":\"assistant\",\"content\":[]}}\n" \
	      "{\"type\":\"response.output_text.delta\",\"output_index\":1,\"content_index\":0,\"delta\":\"\"}\n" \
	      "{\"type\":\"response.output_text.delta\",\"output_index\":1,\"content_index\":0,\"delta\":\"Hel\"}\n" \
	      "{\"type\":\"response.output_text.delta\",\"output_index\":1,\"content_index\":0,\"delta\":\"lo\"}\n"
#define TEMPLATE "{\"id\":\"resp_1\",\"object\":\"response\",\"status\":\"completed\",\"created_at\":1,\"model\":\"gpt-5.1-2026\",\"tools\":[]," \
		 "\"error\":null,\"text\":{},\"temperature\":1,\"service_tier\":\"default\",\"output\":[" REASONING "," MESSAGE "]," USAGE "}"

Test(openai_responses, a_streams_last_event_is_what_counts)
{
	_cleanup_(call_free) struct call *call = responses("{\"input\":\"x\",\"stream\":true}");

	feed_events(call, START "{\"type\":\"response.completed\",\"response\":" TEMPLATE "}");
	expect_json(dialect_output(&openai_responses, call), "[" REASONING "," MESSAGE "]", "stream", "output");
	expect_json(usage_json(&call->usage), "{\"input\":12,\"input_cached_tokens\":8,\"output\":6,\"output_reasoning_tokens\":0,\"total\":26}", "stream", "usage");
	expect_json(cJSON_Duplicate(call->metadata, /* recurse */ 1), "{\"id\":\"resp_1\",\"object\":\"response\",\"status\":\"completed\",\"temperature\":1,"
		    "\"service_tier\":\"default\"}", "stream", "metadata");
	cr_expect_str_eq(buf_text(&call->response_model), "gpt-5.1-2026");
	cr_expect_str_eq(buf_text(&call->response_id), "resp_1");
	cr_expect_str_eq(buf_text(&call->service_tier), "default");
	cr_expect_str_eq(buf_text(&call->choices[0].finish_reason), "completed");
	cr_expect_eq(call->times.first_token_ns, 3 * EVENT_NS, "reasoning is the first content");
	cr_expect_eq(call->times.last_token_ns, 7 * EVENT_NS);
	cr_expect_eq(call->times.end_ns, 8 * EVENT_NS);
	cr_expect_eq(call->chunks, 3);
	cr_expect_eq(call->end, CALL_DONE);
}

Test(openai_responses, a_cut_stream_has_what_its_deltas_brought)
{
	_cleanup_(call_free) struct call *call = responses("{\"input\":\"x\",\"stream\":true}");

	feed_events(call, START);
	expect_json(dialect_output(&openai_responses, call), "[{\"type\":\"reasoning\",\"summary\":[{\"type\":\"summary_text\",\"text\":\"Hm.\"}]},"
		    "{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"Hello\"}]}]", "cut", "output");
	cr_expect_not(call_close(call));
}

static const struct { const char *name, *events, *output; size_t chunks; } items[] = {
	{ "a function call in pieces", "{\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":{\"type\":\"function_call\",\"call_id\":\"call_1\",\"name\":\"f\",\"arguments\":\"\"}}\n"
	  "{\"type\":\"response.function_call_arguments.delta\",\"output_index\":0,\"delta\":\"{\\\"a\\\":\"}\n"
	  "{\"type\":\"response.function_call_arguments.delta\",\"output_index\":0,\"delta\":\"1}\"}",
	  "{\"type\":\"function_call\",\"call_id\":\"call_1\",\"name\":\"f\",\"arguments\":\"{\\\"a\\\":1}\"}", 2 },
	{ "a custom call", "{\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":{\"type\":\"custom_tool_call\",\"call_id\":\"c\",\"name\":\"sql\"}}\n"
	  "{\"type\":\"response.custom_tool_call_input.delta\",\"output_index\":0,\"delta\":\"SELECT\"}",
	  "{\"type\":\"custom_tool_call\",\"call_id\":\"c\",\"name\":\"sql\",\"input\":\"SELECT\"}", 1 },
	{ "the item as it became", "{\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":{\"type\":\"web_search_call\",\"id\":\"ws\"}}\n"
	  "{\"type\":\"response.web_search_call.completed\",\"output_index\":0}\n"
	  "{\"type\":\"response.output_item.done\",\"output_index\":0,\"item\":{\"type\":\"web_search_call\",\"id\":\"ws\",\"action\":{\"query\":\"q\"}}}",
	  "{\"type\":\"web_search_call\",\"id\":\"ws\",\"action\":{\"query\":\"q\"}}", 0 },
	{ "a refusal", "{\"type\":\"response.refusal.delta\",\"output_index\":0,\"delta\":\"No.\"}",
	  "{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"refusal\",\"refusal\":\"No.\"}]}", 1 },
	{ "an image on its way is a chunk, and no output", "{\"type\":\"response.image_generation_call.in_progress\",\"output_index\":0}\n"
	  "{\"type\":\"response.image_generation_call.partial_image\",\"output_index\":0,\"partial_image_b64\":\"AAAA\"}", NULL, 1 },
	{ "sound is a chunk, its transcript text", "{\"type\":\"response.audio.delta\",\"delta\":\"AAAA\"}\n"
	  "{\"type\":\"response.audio.transcript.delta\",\"delta\":\"Hi\"}",
	  "{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"Hi\"}]}", 2 },
	{ "what a shell printed is no token", "{\"type\":\"response.shell_call_output_content.delta\",\"output_index\":0,\"delta\":{\"stdout\":\"x\"}}", NULL, 0 },
	{ "a first item that never filled", "{\"type\":\"response.output_text.delta\",\"output_index\":1,\"delta\":\"Hi\"}\n"
	  "{\"type\":\"response.output_item.added\",\"output_index\":0,\"item\":{\"type\":\"message\",\"role\":\"assistant\"}}",
	  "{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"Hi\"}]}", 1 },
	{ "types that nobody knows", "{\"type\":\"response.hologram.delta\",\"delta\":\"zz\"}\n{\"type\":\"response.compaction.compacting\"}\n{\"delta\":\"x\"}", NULL, 1 },
};

Test(openai_responses, items_are_put_together_from_their_events)
{
	for (size_t i = 0; i < ARRAY_SIZE(items); i++) {
		_cleanup_(call_free) struct call *call = responses("{\"input\":\"x\"}");

		feed_events(call, items[i].events);
		expect_json(dialect_output(&openai_responses, call), items[i].output, items[i].name, "output");
		cr_expect_eq(call->chunks, items[i].chunks, "%s: %zu chunks", items[i].name, (size_t)call->chunks);
	}
}

Test(openai_responses, a_generated_image_becomes_a_note)
{
	_cleanup_(call_free) struct call *call = responses("{\"input\":\"x\"}");
	_cleanup_(buf_done) struct buf body = BUF_INIT(LIMIT_BODY);
	_cleanup_(json_freep) cJSON *output = NULL;

	buf_add_text(&body, "{\"object\":\"response\",\"status\":\"completed\",\"output\":[{\"type\":\"image_generation_call\",\"result\":\"");
	for (int i = 0; i < 5000; i++)
		buf_add_text(&body, "iVBO");
	buf_add_text(&body, "\"}]}");
	feed_response(call, 200, buf_text(&body));
	output = dialect_output(&openai_responses, call);
	cr_expect(strncmp(json_string(output, "result"), "[omitted data, 20000 bytes base64, sha256 ", 20) == 0, "%s", json_string(output, "result"));
}

/* What authorizes at a tool's server is no content. */
Test(openai_responses, keys_of_tools_do_not_leave)
{
	static const char request[] = "{\"input\":\"x\",\"tools\":[{\"type\":\"mcp\",\"server_url\":\"https://x.example\",\"authorization\":\"sk-secret\","
				      "\"headers\":{\"x-key\":\"sk-secret\",\"n\":1}},{\"type\":\"function\",\"name\":\"authorization\"}]}";
	static const struct dialect *const family[] = { &openai_responses, &openai_realtime, &openai_chat };

	for (size_t i = 0; i < ARRAY_SIZE(family); i++) {
		_cleanup_(call_free) struct call *call = feed_request(family[i], request);

		expect_json(cJSON_Duplicate(json_get(call->request, "tools"), /* recurse */ 1),
			    "[{\"type\":\"mcp\",\"server_url\":\"https://x.example\",\"authorization\":\"[hidden]\",\"headers\":{\"x-key\":\"[hidden]\",\"n\":1}},"
			    "{\"type\":\"function\",\"name\":\"authorization\"}]", family[i]->name, "tools");
	}
}

Test(openai_responses, parameters_are_as_the_drop_in_has_them)
{
	_cleanup_(call_free) struct call *call = responses("{\"input\":\"x\",\"temperature\":0.2,\"max_output_tokens\":50,"
							   "\"reasoning\":{\"effort\":\"low\",\"summary\":\"auto\"},\"text\":{\"verbosity\":\"high\"}}");

	expect_json(dialect_parameters(&openai_responses, call), "{\"temperature\":0.2,\"top_p\":1,\"frequency_penalty\":0,\"presence_penalty\":0,"
		    "\"max_output_tokens\":50,\"reasoning_effort\":\"low\",\"reasoning_summary\":\"auto\",\"verbosity\":\"high\"}", "given", "parameters");
}
