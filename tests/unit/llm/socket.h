/* SPDX-License-Identifier: Apache-2.0 */
/* Feeds a WebSocket's messages to lanes and compares what comes of them. */
#ifndef GENTAP_TESTS_LLM_SOCKET_H
#define GENTAP_TESTS_LLM_SOCKET_H

#include "feed.h"
#include "llm/lanes.h"

#define HANDSHAKE "Host: api.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"

static inline void lanes_freep(struct lanes **lanes)
{
	lanes_free(lanes);
}

static inline struct lanes *open_socket(const char *target)
{
	struct http_head head = { .method = SLICE("GET"), .target = slice_of(target), .fields = SLICE(HANDSHAKE) };
	bool is_out_of_memory;

	return lanes_begin(&head, LIMIT_CONTENT, /* budget */ NULL, &is_out_of_memory);
}

/* @script: a message a line, "C " or "S " (who sends it) before it; number n comes at
 * n * EVENT_NS. */
static inline void play(struct lanes *lanes, const char *script)
{
	uint64_t number = 0;

	while (*script) {
		size_t len = strcspn(script, "\n");

		cr_assert(len > 2 && (*script == 'C' || *script == 'S'), "no message: %.40s", script);
		lanes_message(lanes, *script == 'C', ++number * EVENT_NS, 0,
			      (struct slice){ script + 2, len - 2 });
		script += len + (script[len] == '\n');
	}
}

/* The next that is over; the caller frees. Fails when there is none. */
static inline struct call *next_call(struct lanes *lanes)
{
	struct lane lane;

	cr_assert(lanes_next(lanes, &lane), "no more calls");
	return lane.call;
}

static inline void expect_call(const struct call *call, const char *input, const char *output, const char *what)
{
	expect_json(call->dialect->input(call), input, what, "input");
	expect_json(dialect_output(call->dialect, call), output, what, "output");
}

#endif
