/* SPDX-License-Identifier: Apache-2.0 */
#include "feed.h"
#include "llm/servers.h"

static const struct whole wholes[] = {
	{ "vLLM", "{\"model\":\"bge\",\"text_1\":\"a\",\"text_2\":[\"b\",\"c\"]}",
	  "{\"id\":\"score-1\",\"object\":\"list\",\"model\":\"bge\",\"data\":[{\"index\":0,\"object\":\"score\",\"score\":0.75},{\"index\":1,\"object\":\"score\",\"score\":0.5}],\"usage\":{\"prompt_tokens\":17,\"total_tokens\":17}}",
	  "{\"text_1\":\"a\",\"text_2\":[\"b\",\"c\"]}", "[0.75,0.5]",
	  "{\"input\":17,\"total\":17}", NULL },
	{ "vLLM, newer names", "{\"queries\":\"a\",\"documents\":[\"b\"]}",
	  "{\"object\":\"list\",\"data\":[{\"index\":0,\"object\":\"score\",\"score\":1}]}",
	  "{\"queries\":\"a\",\"documents\":[\"b\"]}", "[1]",
	  NULL, NULL },
	{ "SGLang", "{\"query\":\"a\",\"items\":[\"b\"],\"label_token_ids\":[1,2]}",
	  "{\"scores\":[[0.25,0.75]],\"object\":\"scoring\"}",
	  "{\"query\":\"a\",\"items\":[\"b\"]}", "[[0.25,0.75]]",
	  NULL, NULL },
};

Test(vllm_score, a_whole_answer_gives_its_fields)
{
	for (size_t i = 0; i < ARRAY_SIZE(wholes); i++)
		expect_whole(&vllm_score, &wholes[i]);
}
