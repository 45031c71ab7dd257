/* SPDX-License-Identifier: Apache-2.0 */
#include "feed.h"

Test(call, chunks_keep_first_last_and_the_gaps_between)
{
	_cleanup_(call_free) struct call *call = call_new(&openai_chat, LIMIT_CONTENT);

	call_chunk(call, 100);
	call_chunk(call, 30100);
	call_chunk(call, 30149);
	cr_expect_eq(call->times.first_token_ns, 100);
	cr_expect_eq(call->times.last_token_ns, 30149);
	cr_expect_eq(call->chunks, 3);
	cr_assert_eq(call->gap_count, 2);
	cr_expect_eq(call->gaps[0], 30000 / GAP_UNIT_NS);
	cr_expect_eq(call->gaps[1], 0);
}

Test(call, a_gap_of_many_minutes_is_marked_as_cut)
{
	_cleanup_(call_free) struct call *call = call_new(&openai_chat, LIMIT_CONTENT);

	call_chunk(call, 0);
	call_chunk(call, 500ull * 1000000000);
	cr_expect_eq(call->gaps[0], UINT32_MAX);
	cr_expect_eq(call->marks, LOSS_BIT(LOSS_TIMES_LIMIT));
}

Test(call, gaps_stop_at_their_limit_and_chunks_do_not)
{
	_cleanup_(call_free) struct call *call = call_new(&openai_chat, LIMIT_CONTENT);

	for (uint64_t i = 0; i < LIMIT_CHUNK_TIMES + 10; i++)
		call_chunk(call, i);
	cr_expect_eq(call->gap_count, LIMIT_CHUNK_TIMES);
	cr_expect_eq(call->chunks, LIMIT_CHUNK_TIMES + 10);
	cr_expect_eq(call->marks, LOSS_BIT(LOSS_TIMES_LIMIT));
}

Test(call, choices_and_tools_stop_at_their_limits)
{
	_cleanup_(call_free) struct call *call = call_new(&openai_chat, LIMIT_CONTENT);
	struct choice *choice = NULL;

	for (uint64_t i = 0; i < LIMIT_CHOICES; i++)
		choice = call_choice(call, i * 1000);
	cr_assert_not_null(choice);
	cr_expect_null(call_choice(call, 7));
	cr_expect_eq(call_choice(call, 1000)->index, 1000);
	cr_expect_not_null(choice_tool(call, choice, LIMIT_TOOL_CALLS - 1));
	cr_expect_null(choice_tool(call, choice, LIMIT_TOOL_CALLS));
	cr_expect_eq(choice->tool_count, LIMIT_TOOL_CALLS);
	cr_expect_eq(call->marks, LOSS_BIT(LOSS_CONTENT_TRUNCATED));
}

Test(call, nothing_follows_a_cut)
{
	_cleanup_(call_free) struct call *call = call_new(&openai_chat, /* max_content */ 4);
	struct choice *choice = call_choice(call, 0);

	call_add(call, &choice->content, "abc\xc3\xa9");
	call_add(call, &choice->content, "d");
	cr_expect_str_eq(buf_text(&choice->content), "abc");
	cr_expect_eq(call->marks, LOSS_BIT(LOSS_CONTENT_TRUNCATED));
}

Test(call, free_takes_nothing_and_leaves_nothing)
{
	struct call *call = NULL;

	call_free(&call);
	call = call_new(&openai_chat, LIMIT_CONTENT);
	call_free(&call);
	cr_expect_null(call);
}

Test(call, calls_share_a_budget_and_give_back_what_they_held)
{
	size_t budget = LIMIT_CALLS - 10;
	struct call *call = call_new(&openai_chat, LIMIT_CONTENT);
	_cleanup_(call_free) struct call *next = call_new(&openai_chat, LIMIT_CONTENT);

	call->budget = next->budget = &budget;
	call_add(call, &call->response_id, "12345678");
	cr_expect_eq(budget, LIMIT_CALLS - 2);
	call_add(next, &next->response_id, "123");
	cr_expect_eq(next->response_id.len, 0, "what has no room is left out whole");
	cr_expect_eq(next->marks, LOSS_BIT(LOSS_MEMORY_LIMIT));
	call_read_request(next, SLICE("{\"messages\":[]}"), /* is_truncated */ false);
	cr_expect_null(next->request);
	cr_expect(call_is_recognised(next), "it was looked at before it was given up");
	call_free(&call);
	cr_expect_eq(budget, LIMIT_CALLS - 10);
	call_read_request(next, SLICE("{}"), /* is_truncated */ false);
	cr_expect_null(next->request, "a tree has its size, too");
}
