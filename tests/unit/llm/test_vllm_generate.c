/* SPDX-License-Identifier: Apache-2.0 */
#include "feed.h"
#include "llm/servers.h"

static const struct whole wholes[] = {
	{ "ids are counted", "{\"model\":\"m\",\"token_ids\":[1,2,3],\"sampling_params\":{\"max_tokens\":2}}",
	  "{\"request_id\":\"r\",\"choices\":[{\"index\":0,\"finish_reason\":\"length\",\"token_ids\":[7,8]}],\"kv_transfer_params\":null}",
	  "\"[3 tokens]\"", "\"[2 tokens]\"",
	  NULL, NULL },
};

Test(vllm_generate, a_whole_answer_gives_its_fields)
{
	for (size_t i = 0; i < ARRAY_SIZE(wholes); i++)
		expect_whole(&vllm_generate, &wholes[i]);
}

Test(vllm_generate, an_error_is_a_finish_reason)
{
	_cleanup_(call_free) struct call *call = feed_request(&vllm_generate, "{\"token_ids\":[1],\"sampling_params\":{\"max_tokens\":2}}");

	feed_response(call, 200, "{\"choices\":[{\"index\":0,\"finish_reason\":\"error\",\"token_ids\":[]}]}");
	cr_expect(call->is_error);
	expect_json(dialect_output(&vllm_generate, call), "\"[0 tokens]\"", "error", "output");
	expect_json(dialect_parameters(&vllm_generate, call), "{\"max_tokens\":2}", "error", "parameters");
}

Test(vllm_generate, a_stream_adds_up)
{
	_cleanup_(call_free) struct call *call = feed_request(&vllm_generate, "{\"token_ids\":[1]}");

	feed_events(call, "{\"choices\":[{\"index\":0,\"token_ids\":[7]}]}\n{\"choices\":[{\"index\":0,\"token_ids\":[8,9],\"finish_reason\":\"stop\"}]}\n[DONE]");
	expect_json(dialect_output(&vllm_generate, call), "\"[3 tokens]\"", "stream", "output");
	cr_expect_eq(call->chunks, 2);
}
