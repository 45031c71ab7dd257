/* SPDX-License-Identifier: Apache-2.0 */
#include "socket.h"

static const struct { const char *method, *target, *fields; bool is_socket; } handshakes[] = {
	{ "GET", "/v1/responses", HANDSHAKE, true },
	{ "GET", "/v1/realtime?model=m", HANDSHAKE, true },
	{ "GET", "/openai/realtime?api-version=1&deployment=d", HANDSHAKE, true },
	{ "GET", "/v1/responses", "upgrade: h2c, WebSocket\r\n", true },
	{ "GET", "/v1/responses", "Host: api.example\r\n", false },
	{ "GET", "/v1/responses", "Upgrade: h2c\r\n", false },
	{ "GET", "/v1/responses/resp_1", HANDSHAKE, false },
	{ "GET", "/v1/chat/completions", HANDSHAKE, false },
	{ "GET", "/x?/v1/realtime", HANDSHAKE, false },
	{ "POST", "/v1/responses", HANDSHAKE, false },
	{ "GET", "", HANDSHAKE, false },
};

Test(lanes, begin_at_the_handshake_of_a_known_socket)
{
	for (size_t i = 0; i < ARRAY_SIZE(handshakes); i++) {
		struct http_head head = { .method = slice_of(handshakes[i].method), .target = slice_of(handshakes[i].target),
					  .fields = slice_of(handshakes[i].fields) };
		bool is_out_of_memory;
		_cleanup_(lanes_freep) struct lanes *lanes = lanes_begin(&head, LIMIT_CONTENT, /* budget */ NULL, &is_out_of_memory);

		cr_expect_eq(lanes != NULL, handshakes[i].is_socket, "%s %s %s", handshakes[i].method, handshakes[i].target, handshakes[i].fields);
		cr_expect_not(is_out_of_memory);
	}
}

Test(lanes, have_a_path_for_each_dialect_that_streams_over_websocket_and_for_no_other)
{
	for (const struct dialect *const *d = dialects; *d; d++) {
		bool is_said = (*d)->streams && strstr((*d)->streams, "WebSocket");
		const char *route = lanes_route(*d);

		cr_expect_eq(route != NULL, is_said, "%s", (*d)->name);
		cr_expect(is_said || (*d)->routes[0], "%s: no path leads to it", (*d)->name);
	}
	cr_expect_str_eq(lanes_route(&openai_realtime), "/realtime");
}

enum { NO_JSON = 2 };	/* of the first of these */

static const char *const nonsense[] = {
	"C no JSON", "C {\"type\":\"response.create\"", "S [1,2]", "S {\"type\":7}", "S {\"type\":\"response.done\"}",
	"S {\"type\":\"error\"}", "S {\"type\":\"response.output_text.delta\",\"delta\":\"x\"}", "C {\"type\":\"response.steer\"}",
	"S {\"type\":\"response.steer.failed\"}", "S {\"type\":\"conversation.item.created\",\"item\":\"x\"}",
	"S {\"type\":\"conversation.item.deleted\"}", "S {\"type\":\"conversation.item.input_audio_transcription.completed\"}",
	"S {\"type\":\"session.created\",\"session\":[1]}", "C {\"type\":\"session.update\"}",
};

Test(lanes, what_is_no_message_of_theirs_begins_nothing)
{
	static const char *const targets[] = { "/v1/responses", "/v1/realtime" };

	for (size_t t = 0; t < ARRAY_SIZE(targets); t++)
		for (size_t i = 0; i < ARRAY_SIZE(nonsense); i++) {
			_cleanup_(lanes_freep) struct lanes *lanes = open_socket(targets[t]);

			play(lanes, nonsense[i]);
			cr_expect_eq(lanes_count(lanes), 0, "%s: %s", targets[t], nonsense[i]);
			cr_expect_eq(lanes_take_marks(lanes), i < NO_JSON ? LOSS_BIT(LOSS_BAD_JSON) : 0, "%s: %s", targets[t], nonsense[i]);
			cr_expect_eq(lanes_take_marks(lanes), 0);
		}
}

Test(lanes, beyond_their_limit_the_socket_is_given_up)
{
	_cleanup_(lanes_freep) struct lanes *lanes = open_socket("/v1/responses");
	struct lane lane;
	size_t count = 0;

	for (int i = 0; i < LIMIT_LANES; i++)
		play(lanes, "C {\"type\":\"response.create\",\"input\":\"x\"}");
	cr_expect_eq(lanes_count(lanes), LIMIT_LANES);
	cr_expect_not(lanes_next(lanes, &lane), "all of them are under way");
	play(lanes, "C {\"type\":\"response.create\",\"input\":\"x\"}\nC {\"type\":\"response.create\",\"input\":\"x\"}");
	cr_expect_eq(lanes_count(lanes), 0);
	for (; lanes_next(lanes, &lane); count++) {
		cr_expect_eq(lane.call->marks, LOSS_BIT(LOSS_LANES_LIMIT));
		cr_expect_eq(lane.call->end, CALL_OPEN);
		call_free(&lane.call);
	}
	cr_expect_eq(count, LIMIT_LANES);
}

Test(lanes, too_many_steers_are_the_same)
{
	_cleanup_(lanes_freep) struct lanes *lanes = open_socket("/v1/responses");
	struct lane lane;

	play(lanes, "C {\"type\":\"response.create\",\"input\":\"x\"}");
	for (int i = 0; i <= LIMIT_LANES; i++)
		play(lanes, "C {\"type\":\"response.steer\",\"previous_response_id\":\"r\",\"input\":\"y\"}");
	cr_assert(lanes_next(lanes, &lane));
	cr_expect_eq(lane.call->marks, LOSS_BIT(LOSS_LANES_LIMIT));
	call_free(&lane.call);
}

Test(lanes, a_long_request_is_cut_to_what_is_kept)
{
	_cleanup_(lanes_freep) struct lanes *lanes = open_socket("/v1/responses");
	_cleanup_(buf_done) struct buf text = BUF_INIT(LIMIT_BODY);
	_cleanup_(call_free) struct call *call = NULL;

	buf_add_text(&text, "C {\"type\":\"response.create\",\"model\":\"m\",\"input\":\"");
	while (text.len < 3 * LIMIT_CONTENT)
		buf_add_text(&text, "word ");
	buf_add_text(&text, "\"}");
	play(lanes, buf_text(&text));
	lanes_end(lanes, EVENT_NS);
	call = next_call(lanes);
	cr_expect_eq(call->marks, LOSS_BIT(LOSS_CONTENT_TRUNCATED));
	cr_expect_leq(strlen(json_string(call->request, "input")), 2 * LIMIT_CONTENT);
	cr_expect_str_eq(json_string(call->request, "model"), "m");
}

Test(lanes, a_message_that_does_not_parse_marks_what_it_may_be_of)
{
	_cleanup_(lanes_freep) struct lanes *lanes = open_socket("/v1/responses");
	_cleanup_(call_free) struct call *call = NULL;

	play(lanes, "C {\"type\":\"response.create\",\"input\":\"x\"}\nS {\"type\":\"response.out");
	cr_expect_eq(lanes_take_marks(lanes), 0, "the call carries it");
	lanes_end(lanes, EVENT_NS);
	call = next_call(lanes);
	cr_expect_eq(call->marks, LOSS_BIT(LOSS_BAD_JSON));
}

Test(lanes, bytes_and_losses_are_told_by_call)
{
	_cleanup_(lanes_freep) struct lanes *lanes = open_socket("/v1/responses");
	static const char create[] = "{\"type\":\"response.create\",\"input\":\"x\"}";
	static const char done[] = "{\"type\":\"response.completed\",\"response\":{\"id\":\"r\",\"status\":\"completed\"}}";
	struct lane lane;

	lanes_message(lanes, /* is_from_client */ true, EVENT_NS, 100, slice_of(create));
	lanes_message(lanes, /* is_from_client */ false, 2 * EVENT_NS, 160, slice_of(done));
	cr_assert(lanes_next(lanes, &lane));
	cr_expect_eq(lane.request_bytes, strlen(create));
	cr_expect_eq(lane.response_bytes, strlen(done));
	cr_expect_eq(lane.lost_before, 100);
	call_free(&lane.call);
}
