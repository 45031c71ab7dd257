/* SPDX-License-Identifier: Apache-2.0 */
#include "feed.h"

static const struct { const char *name, *body, *output; } bodies[] = {
	{ "numbers", "{\"object\":\"list\",\"data\":[{\"index\":0,\"embedding\":[0.1,-0.2,3]},{\"index\":1,\"embedding\":[1,2,3]}]}",
	  "{\"dimensions\":3,\"count\":2}" },
	{ "base64 of three floats", "{\"data\":[{\"embedding\":\"AACAPwAAAEAAAEBA\"}]}", "{\"dimensions\":3,\"count\":1}" },
	{ "base64 of one float, padded", "{\"data\":[{\"embedding\":\"AACAPw==\"}]}", "{\"dimensions\":1,\"count\":1}" },
	{ "nothing embedded", "{\"data\":[]}", "{\"count\":0}" },
	{ "no data", "{\"object\":\"list\"}", NULL },
};

Test(openai_embeddings, vectors_are_measured_not_kept)
{
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		_cleanup_(call_free) struct call *call = feed_request(&openai_embeddings, "{\"input\":\"x\"}");

		feed_response(call, 200, bodies[i].body);
		expect_json(dialect_output(&openai_embeddings, call), bodies[i].output, bodies[i].name, "output");
	}
}

Test(openai_embeddings, a_cut_body_gives_no_count)
{
	_cleanup_(call_free) struct call *call = feed_request(&openai_embeddings, "{\"input\":\"x\"}");

	call_read_response(call, 200, SLICE("{\"data\":[{\"embedding\":[1,2,"), /* is_truncated */ true);
	expect_json(dialect_output(&openai_embeddings, call), NULL, "cut", "output");
	cr_expect_eq(call->end, CALL_OPEN);
}

Test(openai_embeddings, usage_is_input_and_total)
{
	_cleanup_(call_free) struct call *call = feed_request(&openai_embeddings, "{\"input\":\"x\"}");

	feed_response(call, 200, "{\"data\":[],\"model\":\"e\",\"usage\":{\"prompt_tokens\":5,\"total_tokens\":5}}");
	expect_json(usage_json(&call->usage), "{\"input\":5,\"total\":5}", "embeddings", "usage");
}

static const struct { const char *name, *request, *input, *parameters; } requests[] = {
	{ "a text, as the client sends it", "{\"input\":\"a\",\"encoding_format\":\"base64\"}", "\"a\"", NULL },
	{ "texts and dimensions", "{\"input\":[\"a\",\"b\"],\"dimensions\":256,\"encoding_format\":\"float\"}", "[\"a\",\"b\"]",
	  "{\"dimensions\":256}" },
	{ "token ids", "{\"input\":[[1,2,3]],\"encoding_format\":\"int8\"}", "[\"[3 tokens]\"]", "{\"encoding_format\":\"int8\"}" },
	{ "messages (vLLM)", "{\"messages\":[{\"role\":\"user\",\"content\":\"a\"}]}", "[{\"role\":\"user\",\"content\":\"a\"}]", NULL },
};

Test(openai_embeddings, input_and_parameters_are_what_the_drop_in_records)
{
	for (size_t i = 0; i < ARRAY_SIZE(requests); i++) {
		_cleanup_(call_free) struct call *call = feed_request(&openai_embeddings, requests[i].request);

		expect_json(openai_embeddings.input(call), requests[i].input, requests[i].name, "input");
		expect_json(dialect_parameters(&openai_embeddings, call), requests[i].parameters, requests[i].name, "parameters");
		cr_expect(call_is_recognised(call), "%s", requests[i].name);
	}
}
