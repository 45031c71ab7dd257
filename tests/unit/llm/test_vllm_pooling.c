/* SPDX-License-Identifier: Apache-2.0 */
#include "feed.h"
#include "llm/servers.h"

static const struct whole wholes[] = {
	{ "vectors", "{\"model\":\"m\",\"input\":[\"a\",\"b\"]}",
	  "{\"id\":\"pool-1\",\"object\":\"list\",\"data\":[{\"index\":0,\"object\":\"pooling\",\"data\":[0.1,0.2,0.3]},{\"index\":1,\"object\":\"pooling\",\"data\":[0,0,0]}],\"usage\":{\"prompt_tokens\":4,\"total_tokens\":4}}",
	  "[\"a\",\"b\"]", "{\"dimensions\":3,\"count\":2}",
	  "{\"input\":4,\"total\":4}", NULL },
	{ "a vector for each token", "{\"input\":\"a\"}",
	  "{\"data\":[{\"object\":\"pooling\",\"data\":[[0.1,0.2],[0.3,0.4],[0,0]]}]}",
	  "\"a\"", "{\"dimensions\":2,\"count\":1}",
	  NULL, NULL },
	{ "base64", "{\"input\":[1,2]}",
	  "{\"data\":[{\"object\":\"pooling\",\"data\":\"AACAPwAAAEA=\"}]}",
	  "\"[2 tokens]\"", "{\"dimensions\":2,\"count\":1}",
	  NULL, NULL },
};

Test(vllm_pooling, a_whole_answer_gives_its_fields)
{
	for (size_t i = 0; i < ARRAY_SIZE(wholes); i++)
		expect_whole(&vllm_pooling, &wholes[i]);
}

static const struct whole classes[] = {
	{ "vLLM's", "{\"model\":\"m\",\"input\":\"fine\"}",
	  "{\"id\":\"classify-1\",\"object\":\"list\",\"data\":[{\"index\":0,\"label\":\"good\",\"probs\":[0.1,0.9],\"num_classes\":2}],\"usage\":{\"prompt_tokens\":3,\"total_tokens\":3}}",
	  "\"fine\"", "[{\"index\":0,\"label\":\"good\",\"probs\":[0.1,0.9],\"num_classes\":2}]", "{\"input\":3,\"total\":3}", NULL },
	{ "Cohere's", "{\"inputs\":[\"fine\"],\"examples\":[]}", "{\"classifications\":[{\"input\":\"fine\",\"prediction\":\"good\"}]}",
	  "{\"inputs\":[\"fine\"],\"examples\":[]}", "[{\"input\":\"fine\",\"prediction\":\"good\"}]", NULL, NULL },
};

Test(vllm_pooling, labels_are_kept)
{
	for (size_t i = 0; i < ARRAY_SIZE(classes); i++)
		expect_whole(&vllm_classify, &classes[i]);
}

Test(vllm_pooling, of_a_cut_answer_nothing_is_counted)
{
	_cleanup_(call_free) struct call *call = feed_request(&vllm_pooling, "{\"input\":\"a\"}");

	call_read_response(call, 200, SLICE("{\"data\":[{\"object\":\"pooling\",\"data\":[0.1,0.2"), /* is_truncated */ true);
	expect_json(dialect_output(&vllm_pooling, call), NULL, "cut", "output");
}
