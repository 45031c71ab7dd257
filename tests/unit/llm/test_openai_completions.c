/* SPDX-License-Identifier: Apache-2.0 */
#include "feed.h"

static const struct { const char *name, *request, *input; } inputs[] = {
	{ "a text", "{\"prompt\":\"Once\"}", "\"Once\"" },
	{ "several texts", "{\"prompt\":[\"a\",\"b\"]}", "[\"a\",\"b\"]" },
	{ "token ids are counted", "{\"prompt\":[1,2,3]}", "\"[3 tokens]\"" },
	{ "several rows of token ids", "{\"prompt\":[[1,2],[3]]}", "[\"[2 tokens]\",\"[1 tokens]\"]" },
	{ "no prompt", "{\"model\":\"m\"}", NULL },
};

Test(openai_completions, input_is_the_prompt)
{
	for (size_t i = 0; i < ARRAY_SIZE(inputs); i++) {
		_cleanup_(call_free) struct call *call = feed_request(&openai_completions, inputs[i].request);

		expect_json(openai_completions.input(call), inputs[i].input, inputs[i].name, "input");
		cr_expect_eq(call_is_recognised(call), inputs[i].input != NULL, "%s", inputs[i].name);
	}
}

Test(openai_completions, a_body_gives_its_text)
{
	_cleanup_(call_free) struct call *call = feed_request(&openai_completions, "{\"prompt\":\"x\"}");

	feed_response(call, 200, "{\"id\":\"cmpl-1\",\"object\":\"text_completion\",\"choices\":[{\"index\":0,\"text\":\" upon\","
		      "\"logprobs\":null,\"finish_reason\":\"length\"}],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":1,\"total_tokens\":2}}");
	expect_json(dialect_output(&openai_completions, call), "\" upon\"", "body", "output");
	expect_json(usage_json(&call->usage), "{\"input\":1,\"output\":1,\"total\":2}", "body", "usage");
	cr_expect_str_eq(buf_text(&call->choices[0].finish_reason), "length");
	cr_expect_str_eq(buf_text(&call->response_id), "cmpl-1");
}

Test(openai_completions, several_choices_are_an_array_by_index)
{
	_cleanup_(call_free) struct call *call = feed_request(&openai_completions, "{\"prompt\":[\"x\",\"y\"]}");

	feed_response(call, 200, "{\"choices\":[{\"index\":1,\"text\":\"b\"},{\"index\":0,\"text\":\"a\"}]}");
	expect_json(dialect_output(&openai_completions, call), "[\"a\",\"b\"]", "choices", "output");
}

Test(openai_completions, a_stream_is_joined_and_timed)
{
	_cleanup_(call_free) struct call *call = feed_request(&openai_completions, "{\"prompt\":\"x\"}");

	feed_events(call, "{\"choices\":[{\"index\":0,\"text\":\"\"}]}\n"
		    "{\"choices\":[{\"index\":0,\"text\":\" up\"}]}\n"
		    "{\"choices\":[{\"index\":0,\"text\":\"on\",\"finish_reason\":\"stop\"}]}\n"
		    "{\"choices\":[],\"usage\":{\"prompt_tokens\":1,\"completion_tokens\":24,\"total_tokens\":25}}\n[DONE]");
	expect_json(dialect_output(&openai_completions, call), "\" upon\"", "stream", "output");
	cr_expect_eq(call->times.first_token_ns, 2 * EVENT_NS);
	cr_expect_eq(call->times.last_token_ns, 3 * EVENT_NS);
	cr_expect_eq(call->times.end_ns, 5 * EVENT_NS);
	cr_expect_eq(call->chunks, 2);
	cr_expect_eq(call->usage.output_tokens, 24, "chunks are not tokens");
}
