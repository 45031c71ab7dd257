/* SPDX-License-Identifier: Apache-2.0 */
#include "feed.h"

static const struct whole wholes[] = {
	{ "a predicate and a choice", "{\"model\":\"gpt-5.1\",\"input\":\"It rains.\",\"questions\":[{\"type\":\"predicate\",\"instructions\":\"Is it wet?\"}]}",
	  "{\"answers\":[{\"type\":\"predicate\",\"probability\":0.97}],\"model\":\"gpt-5.1-2026\",\"usage\":{\"input_tokens\":9,\"input_tokens_details\":{\"cached_tokens\":0,\"cache_write_tokens\":0},\"output_tokens\":4,\"output_tokens_details\":{\"reasoning_tokens\":0},\"total_tokens\":13}}",
	  "{\"input\":\"It rains.\",\"questions\":[{\"type\":\"predicate\",\"instructions\":\"Is it wet?\"}]}", "[{\"type\":\"predicate\",\"probability\":0.97}]",
	  "{\"input\":9,\"input_cached_tokens\":0,\"input_cache_creation\":0,\"output\":4,\"output_reasoning_tokens\":0,\"total\":13}", NULL },
};

Test(openai_decisions, a_whole_answer_gives_its_fields)
{
	for (size_t i = 0; i < ARRAY_SIZE(wholes); i++)
		expect_whole(&openai_decisions, &wholes[i]);
}

Test(openai_decisions, a_refused_question_is_a_refusal)
{
	_cleanup_(call_free) struct call *call = feed_request(&openai_decisions, "{\"input\":\"x\",\"questions\":[]}");

	feed_response(call, 200, "{\"answers\":[{\"type\":\"score\",\"score\":1},{\"type\":\"refusal\",\"name\":null}]}");
	cr_expect_not_null(call_refusal(call));
	cr_expect_not(call->is_error);
}
