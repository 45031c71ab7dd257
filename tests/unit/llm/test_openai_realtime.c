/* SPDX-License-Identifier: Apache-2.0 */
#include "socket.h"

#define SESSION		"S {\"type\":\"session.created\",\"session\":{\"type\":\"realtime\",\"model\":\"gpt-realtime-2026\",\"instructions\":\"Be kind.\"," \
			"\"tools\":[],\"audio\":{\"output\":{\"voice\":\"marin\",\"speed\":1}}}}\n"
#define SAID(id, text)	"S {\"type\":\"conversation.item.created\",\"item\":{\"id\":\"" id "\",\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"" text "\"}]}}\n"
#define CREATE		"C {\"type\":\"response.create\"}\n"
#define CREATED(id)	"S {\"type\":\"response.created\",\"response\":{\"object\":\"realtime.response\",\"id\":\"" id "\",\"status\":\"in_progress\",\"output\":[]}}\n"
#define SOUND(id)	"S {\"type\":\"response.output_audio.delta\",\"response_id\":\"" id "\",\"item_id\":\"i\",\"output_index\":0,\"delta\":\"AAECAwQF\"}\n"
#define WORDS(id, text)	"S {\"type\":\"response.output_audio_transcript.delta\",\"response_id\":\"" id "\",\"item_id\":\"i\",\"output_index\":0,\"delta\":\"" text "\"}\n"
#define ANSWER(id, text) "{\"id\":\"" id "\",\"type\":\"message\",\"role\":\"assistant\",\"content\":[{\"type\":\"output_audio\",\"transcript\":\"" text "\"}]}"
#define DONE(id, item, text) "S {\"type\":\"response.done\",\"response\":{\"object\":\"realtime.response\",\"id\":\"" id "\",\"status\":\"completed\",\"conversation_id\":\"conv\"," \
			"\"output\":[" ANSWER(item, text) "],\"usage\":{\"total_tokens\":150,\"input_tokens\":100,\"output_tokens\":50," \
			"\"input_token_details\":{\"text_tokens\":40,\"audio_tokens\":60,\"cached_tokens\":30,\"cached_tokens_details\":{\"text_tokens\":10,\"audio_tokens\":20}}," \
			"\"output_token_details\":{\"text_tokens\":20,\"audio_tokens\":30}}}}\n"
#define USER(id, text)	"{\"id\":\"" id "\",\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"" text "\"}]}"
#define SYSTEM		"{\"role\":\"system\",\"content\":\"Be kind.\"}"

Test(openai_realtime, a_response_has_the_conversation_for_its_input)
{
	_cleanup_(lanes_freep) struct lanes *lanes = open_socket("/v1/realtime?model=gpt-realtime");
	_cleanup_(call_free) struct call *first = NULL, *second = NULL;

	play(lanes, SESSION "C {\"type\":\"conversation.item.create\",\"item\":{}}\n" CREATE SAID("u1", "Hi") CREATED("r1") SOUND("r1") WORDS("r1", "Hello") DONE("r1", "a1", "Hello")
	     SAID("u2", "Bye") CREATE CREATED("r2") DONE("r2", "a2", "Farewell"));
	first = next_call(lanes);
	second = next_call(lanes);
	expect_call(first, "[" SYSTEM "," USER("u1", "Hi") "]", ANSWER("a1", "Hello"), "first");
	expect_call(second, "[" SYSTEM "," USER("u1", "Hi") "," ANSWER("a1", "Hello") "," USER("u2", "Bye") "]", ANSWER("a2", "Farewell"), "second");
	expect_json(usage_json(&first->usage), "{\"input_text_tokens\":30,\"input_audio_tokens\":40,\"input_cached_text_tokens\":10,\"input_cached_audio_tokens\":20,"
		    "\"output_text_tokens\":20,\"output_audio_tokens\":30,\"total\":150}", "first", "usage");
	expect_json(dialect_parameters(&openai_realtime, first), "{\"voice\":\"marin\",\"speed\":1}", "first", "parameters");
	expect_json(cJSON_Duplicate(first->facts, /* recurse */ 1), "{\"audioBytes\":6}", "first", "facts");
	cr_expect_str_eq(call_model(first), "gpt-realtime-2026");
	cr_expect_str_eq(buf_text(&first->choices[0].finish_reason), "completed");
	cr_expect_eq(first->times.request_first_ns, 3 * EVENT_NS);
	cr_expect_eq(first->times.first_token_ns, 6 * EVENT_NS);
	cr_expect_eq(first->times.end_ns, 8 * EVENT_NS);
	cr_expect_eq(first->chunks, 2);
	cr_expect_null(first->metadata);
	cr_expect_eq(first->marks | second->marks, 0);
}

Test(openai_realtime, the_model_may_stand_in_the_address_alone)
{
	static const struct { const char *target, *model; } targets[] = {
		{ "/v1/realtime?model=gpt-realtime", "gpt-realtime" },
		{ "/openai/realtime?api-version=2025-04-01-preview&deployment=my%2Drealtime", "my-realtime" },
		{ "/v1/realtime", "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(targets); i++) {
		_cleanup_(lanes_freep) struct lanes *lanes = open_socket(targets[i].target);
		_cleanup_(call_free) struct call *call = NULL;

		play(lanes, CREATE CREATED("r1") DONE("r1", "a1", "Hello"));
		call = next_call(lanes);
		cr_expect_str_eq(call_model(call), targets[i].model, "%s", targets[i].target);
	}
}

Test(openai_realtime, a_response_to_what_was_heard_begins_when_it_was)
{
	_cleanup_(lanes_freep) struct lanes *lanes = open_socket("/v1/realtime");
	_cleanup_(call_free) struct call *call = NULL;
	struct lane lane;

	play(lanes, SESSION "C {\"type\":\"input_audio_buffer.append\",\"audio\":\"AAAA\"}\n"
	     "S {\"type\":\"input_audio_buffer.committed\",\"item_id\":\"u1\"}\n"
	     "S {\"type\":\"conversation.item.added\",\"item\":{\"id\":\"u1\",\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_audio\",\"transcript\":null}]}}\n"
	     "S {\"type\":\"conversation.item.input_audio_transcription.completed\",\"item_id\":\"u1\",\"content_index\":0,\"transcript\":\"Hi there\"}\n"
	     CREATED("r1") WORDS("r1", "Hello") DONE("r1", "a1", "Hello"));
	cr_assert(lanes_next(lanes, &lane));
	call = lane.call;
	expect_call(call, "[" SYSTEM ",{\"id\":\"u1\",\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_audio\",\"transcript\":\"Hi there\"}]}]",
		    ANSWER("a1", "Hello"), "heard");
	cr_expect_eq(call->times.request_first_ns, 3 * EVENT_NS);
	cr_expect_eq(lane.request_bytes, 0, "nobody asked in words");
	cr_expect_eq(call->marks, 0);
}

Test(openai_realtime, what_a_request_says_goes_over_the_session)
{
	_cleanup_(lanes_freep) struct lanes *lanes = open_socket("/v1/realtime");
	_cleanup_(call_free) struct call *call = NULL;

	play(lanes, SESSION "C {\"type\":\"session.update\",\"session\":{\"instructions\":\"Be terse.\",\"temperature\":0.7}}\n" SAID("u1", "Hi")
	     "C {\"type\":\"response.create\",\"response\":{\"conversation\":\"none\",\"output_modalities\":[\"text\"],\"metadata\":{\"topic\":\"x\"},"
	     "\"input\":[{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"Sum up.\"}]}]}}\n"
	     CREATED("r1") DONE("r1", "a1", "All well."));
	call = next_call(lanes);
	expect_json(openai_realtime.input(call), "[{\"role\":\"system\",\"content\":\"Be terse.\"},{\"type\":\"message\",\"role\":\"user\",\"content\":[{\"type\":\"input_text\",\"text\":\"Sum up.\"}]}]",
		    "out of band", "input");
	expect_json(dialect_parameters(&openai_realtime, call), "{\"temperature\":0.7,\"output_modalities\":[\"text\"],\"voice\":\"marin\",\"speed\":1}", "out of band", "parameters");
	expect_json(cJSON_Duplicate(json_get(call->request, "metadata"), /* recurse */ 1), "{\"topic\":\"x\"}", "out of band", "metadata");
}

#define CREATED_IN(id, conversation) "S {\"type\":\"response.created\",\"response\":{\"id\":\"" id "\",\"status\":\"in_progress\",\"conversation_id\":" conversation "}}\n"
#define COMMITTED	"S {\"type\":\"input_audio_buffer.committed\",\"item_id\":\"u9\"}\n"

Test(openai_realtime, a_request_apart_is_not_answered_by_the_conversation)
{
	_cleanup_(lanes_freep) struct lanes *lanes = open_socket("/v1/realtime");
	_cleanup_(call_free) struct call *heard = NULL, *apart = NULL;

	play(lanes, COMMITTED "C {\"type\":\"response.create\",\"response\":{\"conversation\":\"none\",\"input\":[],\"metadata\":{\"topic\":\"x\"}}}\n"
	     CREATED_IN("r1", "\"conv\"") CREATED_IN("r2", "null") DONE("r1", "a1", "Heard") DONE("r2", "a2", "Apart"));
	heard = next_call(lanes);
	apart = next_call(lanes);
	expect_call(heard, NULL, ANSWER("a1", "Heard"), "heard");
	expect_call(apart, "[]", ANSWER("a2", "Apart"), "apart");
	cr_expect_eq(heard->times.request_first_ns, 1 * EVENT_NS);
	cr_expect_eq(apart->times.request_first_ns, 2 * EVENT_NS);
	cr_expect_eq(heard->marks | apart->marks, 0);
}

Test(openai_realtime, a_response_that_nobody_asked_for_says_that_something_is_missing)
{
	_cleanup_(lanes_freep) struct lanes *lanes = open_socket("/v1/realtime");
	_cleanup_(call_free) struct call *heard = NULL, *lost = NULL;

	play(lanes, COMMITTED CREATED("r1") DONE("r1", "a1", "Heard") CREATED("r2") DONE("r2", "a2", "Lost"));
	heard = next_call(lanes);
	lost = next_call(lanes);
	cr_expect_eq(heard->marks, 0);
	cr_expect_eq(lost->marks, LOSS_BIT(LOSS_GAP));
}

Test(openai_realtime, items_are_replaced_and_deleted)
{
	_cleanup_(lanes_freep) struct lanes *lanes = open_socket("/v1/realtime");
	_cleanup_(call_free) struct call *call = NULL;

	play(lanes, SAID("u1", "Hi") SAID("u2", "What") SAID("u1", "Hello") "S {\"type\":\"conversation.item.deleted\",\"item_id\":\"u2\"}\n" CREATE CREATED("r1") DONE("r1", "a1", "Yes"));
	call = next_call(lanes);
	expect_call(call, "[" USER("u1", "Hello") "]", ANSWER("a1", "Yes"), "items");
}

Test(openai_realtime, responses_interleave_by_their_ids)
{
	_cleanup_(lanes_freep) struct lanes *lanes = open_socket("/v1/realtime");
	_cleanup_(call_free) struct call *first = NULL, *second = NULL;

	play(lanes, CREATE CREATE CREATED("r1") CREATED("r2") WORDS("r2", "De") WORDS("r1", "Un") WORDS("r2", "ux") DONE("r1", "a1", "Un") DONE("r2", "a2", "Deux"));
	first = next_call(lanes);
	second = next_call(lanes);
	expect_call(first, NULL, ANSWER("a1", "Un"), "first");
	expect_call(second, NULL, ANSWER("a2", "Deux"), "second");
	cr_expect_eq(first->chunks, 1);
	cr_expect_eq(second->chunks, 2);
}

static const struct { const char *name, *done, *finish, *message; bool is_error, is_refused; } ends[] = {
	{ "failed", "\"status\":\"failed\",\"status_details\":{\"type\":\"failed\",\"error\":{\"type\":\"server_error\",\"code\":\"overloaded\",\"message\":\"it broke\"}}",
	  "failed", "it broke", true, false },
	{ "cancelled", "\"status\":\"cancelled\",\"status_details\":{\"type\":\"cancelled\",\"reason\":\"turn_detected\"}", "turn_detected", "", false, false },
	{ "filtered", "\"status\":\"incomplete\",\"status_details\":{\"type\":\"incomplete\",\"reason\":\"content_filter\"}", "content_filter", "", false, true },
};

Test(openai_realtime, a_response_says_how_it_ended)
{
	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		_cleanup_(lanes_freep) struct lanes *lanes = open_socket("/v1/realtime");
		_cleanup_(buf_done) struct buf script = BUF_INIT(4 * KiB);
		_cleanup_(call_free) struct call *call = NULL;

		buf_printf(&script, CREATE CREATED("r1") "S {\"type\":\"response.done\",\"response\":{\"id\":\"r1\",%s,\"output\":[]}}", ends[i].done);
		play(lanes, buf_text(&script));
		call = next_call(lanes);
		cr_expect_str_eq(buf_text(&call->choices[0].finish_reason), ends[i].finish, "%s", ends[i].name);
		cr_expect_str_eq(buf_text(&call->error_message), ends[i].message, "%s", ends[i].name);
		cr_expect_eq(call->is_error, ends[i].is_error, "%s", ends[i].name);
		cr_expect_eq(call_refusal(call) != NULL, ends[i].is_refused, "%s", ends[i].name);
		cr_expect_eq(call->end, CALL_DONE, "%s", ends[i].name);
	}
}

Test(openai_realtime, an_error_is_of_the_request_that_it_names)
{
	_cleanup_(lanes_freep) struct lanes *lanes = open_socket("/v1/realtime");
	_cleanup_(call_free) struct call *call = NULL;

	play(lanes, SESSION "C {\"type\":\"response.create\",\"event_id\":\"e7\"}\n"
	     "S {\"type\":\"error\",\"event_id\":\"x\",\"error\":{\"type\":\"invalid_request_error\",\"message\":\"about something else\",\"event_id\":\"e3\"}}\n"
	     "S {\"type\":\"error\",\"event_id\":\"y\",\"error\":{\"type\":\"invalid_request_error\",\"code\":\"conversation_already_has_active_response\",\"message\":\"busy\",\"event_id\":\"e7\"}}\n");
	call = next_call(lanes);
	cr_expect(call->is_error);
	cr_expect_str_eq(buf_text(&call->error_message), "busy");
	cr_expect_eq(call->end, CALL_DONE);
	cr_expect_eq(lanes_count(lanes), 0);
}

Test(openai_realtime, a_long_conversation_is_cut_at_its_start)
{
	_cleanup_(lanes_freep) struct lanes *lanes = open_socket("/v1/realtime");
	_cleanup_(buf_done) struct buf item = BUF_INIT(4 * KiB);
	_cleanup_(call_free) struct call *call = NULL;

	for (int i = 0; i <= LIMIT_SOCKET_ITEMS; i++) {
		buf_reset(&item);
		buf_printf(&item, "S {\"type\":\"conversation.item.added\",\"item\":{\"id\":\"u%d\",\"type\":\"message\",\"role\":\"user\"}}", i);
		play(lanes, buf_text(&item));
	}
	play(lanes, CREATE CREATED("r1") DONE("r1", "a1", "Yes"));
	call = next_call(lanes);
	cr_expect_eq(call->marks, LOSS_BIT(LOSS_CONTENT_TRUNCATED));
	cr_expect_str_eq(json_string(json_array(call->request, "input")->child, "id"), "u1");
	cr_expect_eq(cJSON_GetArraySize(json_array(call->request, "input")), LIMIT_SOCKET_ITEMS);
}
