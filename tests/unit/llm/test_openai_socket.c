/* SPDX-License-Identifier: Apache-2.0 */
#include "socket.h"

#define CREATE(text)		"C {\"type\":\"response.create\",\"model\":\"m\",\"input\":\"" text "\"}\n"
#define CREATE_ON(stream, text)	"C {\"type\":\"response.create\",\"stream_id\":\"" stream "\",\"model\":\"m\",\"input\":\"" text "\"}\n"
#define ON(stream)		",\"stream_id\":\"" stream "\""
#define CREATED(id, more)	"S {\"type\":\"response.created\",\"response\":{\"id\":\"" id "\",\"status\":\"in_progress\",\"model\":\"m-1\"}" more "}\n"
#define DELTA(text, more)	"S {\"type\":\"response.output_text.delta\",\"output_index\":0,\"delta\":\"" text "\"" more "}\n"
#define ITEM(text)		"{\"type\":\"message\",\"content\":[{\"type\":\"output_text\",\"text\":\"" text "\"}]}"
#define DONE(id, text, more)	"S {\"type\":\"response.completed\",\"response\":{\"id\":\"" id "\",\"status\":\"completed\",\"model\":\"m-1\",\"output\":[" \
				ITEM(text) "],\"usage\":{\"input_tokens\":3,\"output_tokens\":2,\"total_tokens\":5}}" more "}\n"

Test(openai_socket, one_response_after_the_other)
{
	_cleanup_(lanes_freep) struct lanes *lanes = open_socket("/v1/responses");
	_cleanup_(call_free) struct call *first = NULL, *second = NULL;

	play(lanes, CREATE("one") CREATED("r1", "") DELTA("Un", "") DONE("r1", "Un", "")
	     CREATE("two") CREATED("r2", "") DELTA("De", "") DELTA("ux", "") DONE("r2", "Deux", ""));
	first = next_call(lanes);
	second = next_call(lanes);
	expect_call(first, "\"one\"", ITEM("Un"), "first");
	expect_call(second, "\"two\"", ITEM("Deux"), "second");
	cr_expect_eq(first->lane, 1);
	cr_expect_eq(second->lane, 2);
	cr_expect_eq(first->end, CALL_DONE);
	cr_expect_eq(first->times.request_first_ns, 1 * EVENT_NS);
	cr_expect_eq(first->times.response_first_ns, 2 * EVENT_NS);
	cr_expect_eq(first->times.first_token_ns, 3 * EVENT_NS);
	cr_expect_eq(first->times.end_ns, 4 * EVENT_NS);
	cr_expect_eq(second->times.request_first_ns, 5 * EVENT_NS);
	cr_expect_eq(second->chunks, 2);
	cr_expect_str_eq(buf_text(&second->response_id), "r2");
	cr_expect_str_eq(buf_text(&second->response_model), "m-1");
	expect_json(usage_json(&second->usage), "{\"input\":3,\"output\":2,\"total\":5}", "second", "usage");
	cr_expect_eq(first->marks | second->marks, 0);
}

Test(openai_socket, streams_interleave)
{
	_cleanup_(lanes_freep) struct lanes *lanes = open_socket("/v1/responses");
	_cleanup_(call_free) struct call *a = NULL, *b = NULL;

	play(lanes, CREATE_ON("a", "one") CREATE_ON("b", "two") CREATED("r2", ON("b")) CREATED("r1", ON("a"))
	     DELTA("De", ON("b")) DELTA("Un", ON("a")) DELTA("ux", ON("b")) DONE("r2", "Deux", ON("b")) DONE("r1", "Un", ON("a")));
	b = next_call(lanes);
	a = next_call(lanes);
	expect_call(b, "\"two\"", ITEM("Deux"), "b");
	expect_call(a, "\"one\"", ITEM("Un"), "a");
	cr_expect_eq(b->chunks, 2);
	cr_expect_eq(a->chunks, 1);
	expect_json(cJSON_Duplicate(a->facts, /* recurse */ 1), "{\"streamId\":\"a\"}", "a", "facts");
}

Test(openai_socket, requests_of_one_stream_wait_for_each_other)
{
	_cleanup_(lanes_freep) struct lanes *lanes = open_socket("/v1/responses");
	_cleanup_(call_free) struct call *first = NULL, *second = NULL;

	play(lanes, CREATE("one") CREATE("two") CREATED("r1", "") DELTA("Un", "") DONE("r1", "Un", "") CREATED("r2", "")
	     DELTA("Deux", ""));
	first = next_call(lanes);
	expect_call(first, "\"one\"", ITEM("Un"), "first");
	cr_expect_eq(lanes_count(lanes), 1);
	lanes_end(lanes, 20 * EVENT_NS);
	second = next_call(lanes);
	expect_call(second, "\"two\"", "{\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_text\",\"text\":\"Deux\"}]}", "second");
	cr_expect_eq(second->end, CALL_OPEN, "the socket ended first");
	cr_expect_eq(second->times.end_ns, 20 * EVENT_NS);
}

Test(openai_socket, an_error_ends_the_request_that_it_is_of)
{
	_cleanup_(lanes_freep) struct lanes *lanes = open_socket("/v1/responses");
	_cleanup_(call_free) struct call *refused = NULL, *broken = NULL, *other = NULL;

	play(lanes, CREATE_ON("a", "one") CREATE_ON("b", "two")
	     "S {\"type\":\"error\",\"status\":400,\"stream_id\":\"b\",\"error\":{\"type\":\"invalid_request_error\",\"code\":\"previous_response_not_found\",\"message\":\"no such\"}}\n"
	     CREATED("r1", ON("a")) "S {\"type\":\"error\",\"stream_id\":\"a\",\"error\":{\"type\":\"server_error\",\"message\":\"it broke\"}}\n"
	     "S {\"type\":\"response.failed\",\"stream_id\":\"a\",\"response\":{\"id\":\"r1\",\"status\":\"failed\"}}\n"
	     CREATE_ON("a", "three") CREATED("r3", ON("a")) DONE("r3", "Trois", ON("a")));
	refused = next_call(lanes);
	broken = next_call(lanes);
	other = next_call(lanes);
	expect_call(refused, "\"two\"", NULL, "refused");
	cr_expect(refused->is_error);
	cr_expect_str_eq(buf_text(&refused->error_message), "no such");
	cr_expect_str_eq(buf_text(&refused->error_type), "previous_response_not_found");
	expect_call(broken, "\"one\"", NULL, "broken");
	cr_expect_str_eq(buf_text(&broken->error_message), "it broke");
	expect_call(other, "\"three\"", ITEM("Trois"), "what comes after it");
	cr_expect_not(other->is_error);
}

#define STEER(id, text)		"C {\"type\":\"response.steer\",\"previous_response_id\":\"" id "\",\"input\":\"" text "\"}\n" \
				"S {\"type\":\"response.steer.accepted\",\"steer\":{\"id\":\"s\",\"previous_response_id\":\"" id "\"}}\n"
#define STEERED(id)		"S {\"type\":\"response.incomplete\",\"response\":{\"id\":\"" id "\",\"status\":\"incomplete\",\"incomplete_details\":{\"reason\":\"steered\"},\"output\":[]}}\n"
#define SUCCESSOR(id, of)	"S {\"type\":\"response.created\",\"response\":{\"id\":\"" id "\",\"status\":\"in_progress\",\"model\":\"m-1\",\"previous_response_id\":\"" of "\"}}\n"

Test(openai_socket, a_steered_response_has_a_successor_with_what_steered_it)
{
	_cleanup_(lanes_freep) struct lanes *lanes = open_socket("/v1/responses");
	_cleanup_(call_free) struct call *first = NULL, *second = NULL;

	play(lanes, CREATE("one") CREATED("r1", "") STEER("r1", "shorter") STEER("r1", "in French") STEERED("r1")
	     SUCCESSOR("r2", "r1") DONE("r2", "Un", ""));
	first = next_call(lanes);
	second = next_call(lanes);
	expect_call(first, "\"one\"", NULL, "steered");
	cr_expect_str_eq(buf_text(&first->choices[0].finish_reason), "steered");
	expect_call(second, "[{\"role\":\"user\",\"content\":\"shorter\"},{\"role\":\"user\",\"content\":\"in French\"}]", ITEM("Un"), "successor");
	expect_json(cJSON_Duplicate(second->facts, /* recurse */ 1), "{\"previousResponseId\":\"r1\"}", "successor", "facts");
	cr_expect_eq(second->times.request_first_ns, 7 * EVENT_NS, "it began when the one before it ended");
	cr_expect_eq(second->marks, 0);
}

Test(openai_socket, steers_wait_for_a_request_that_goes_on)
{
	_cleanup_(lanes_freep) struct lanes *lanes = open_socket("/v1/responses");
	_cleanup_(call_free) struct call *first = NULL, *second = NULL;

	play(lanes, CREATE("one") CREATED("r1", "") STEER("r1", "shorter") DONE("r1", "Un", "")
	     "S {\"type\":\"response.steer.pending\",\"reason\":\"waiting_for_required_input\",\"steer\":{\"id\":\"s\",\"previous_response_id\":\"r1\"}}\n"
	     "C {\"type\":\"response.create\",\"model\":\"m\",\"previous_response_id\":\"r1\",\"input\":[{\"type\":\"function_call_output\",\"call_id\":\"c\",\"output\":\"7\"}]}\n"
	     SUCCESSOR("r2", "r1") DONE("r2", "Sept", ""));
	first = next_call(lanes);
	second = next_call(lanes);
	expect_call(second, "[{\"role\":\"user\",\"content\":\"shorter\"},{\"type\":\"function_call_output\",\"call_id\":\"c\",\"output\":\"7\"}]", ITEM("Sept"), "second");
}

Test(openai_socket, a_steer_that_failed_is_nobodys_input)
{
	_cleanup_(lanes_freep) struct lanes *lanes = open_socket("/v1/responses");
	_cleanup_(call_free) struct call *first = NULL, *second = NULL;

	play(lanes, CREATE("one") CREATED("r1", "") STEER("r1", "shorter")
	     "S {\"type\":\"response.steer.failed\",\"error\":{\"code\":\"response_already_completed\",\"message\":\"late\"},\"steer\":{\"previous_response_id\":\"r1\",\"input\":\"shorter\"}}\n"
	     DONE("r1", "Un", "") "C {\"type\":\"response.create\",\"previous_response_id\":\"r1\",\"input\":\"two\"}\n" SUCCESSOR("r2", "r1") DONE("r2", "Deux", ""));
	first = next_call(lanes);
	second = next_call(lanes);
	cr_expect_not(first->is_error);
	expect_call(second, "\"two\"", ITEM("Deux"), "second");
}

Test(openai_socket, a_lost_end_is_told_by_the_next_beginning)
{
	_cleanup_(lanes_freep) struct lanes *lanes = open_socket("/v1/responses");
	_cleanup_(call_free) struct call *first = NULL, *second = NULL;

	play(lanes, CREATE("one") CREATED("r1", "") DELTA("Un", "") CREATE("two") CREATED("r2", "") DELTA("Deux", "") DONE("r2", "Deux", ""));
	first = next_call(lanes);
	second = next_call(lanes);
	cr_expect_eq(first->end, CALL_OPEN);
	cr_expect_eq(first->marks, LOSS_BIT(LOSS_GAP));
	cr_expect_eq(first->chunks, 1);
	expect_call(second, "\"two\"", ITEM("Deux"), "second");
}

Test(openai_socket, a_response_whose_request_was_lost_says_so)
{
	_cleanup_(lanes_freep) struct lanes *lanes = open_socket("/v1/responses");
	_cleanup_(call_free) struct call *call = NULL;

	play(lanes, CREATED("r1", "") DONE("r1", "Un", ""));
	call = next_call(lanes);
	expect_call(call, NULL, ITEM("Un"), "lost");
	cr_expect_eq(call->marks, LOSS_BIT(LOSS_GAP));
}
