/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The calls that share one WebSocket: OpenAI's Responses and Realtime. Each response
 * is a call of its own; several may be under way at once and interleave. Pure, as
 * dialects are: no I/O, no clock.
 *
 * Beyond LIMIT_LANES calls at once, or without memory, which call an answer belongs to
 * could no longer be told: then the socket is given up, and what is under way ends with
 * LOSS_LANES_LIMIT or LOSS_NO_MEMORY.
 */
#ifndef GENTAP_LLM_LANES_H
#define GENTAP_LLM_LANES_H

#include "llm/dialect.h"

struct lanes;

/* A call that is over. */
struct lane {
	struct call *call;		/* owned by who took it; its lane is its number */
	uint64_t request_bytes, response_bytes;	/* of its messages */
	uint64_t lost_before;		/* bytes the socket had lost before what concerns it */
};

/* How the path of a WebSocket with calls of that dialect ends; NULL: there is none. Static. */
const char *lanes_route(const struct dialect *dialect);

/* For the handshake's request. @budget: see struct call; may be NULL. NULL when it asks for no socket of a kind that is known,
 * or (then *ret_no_memory) for want of memory. */
struct lanes *lanes_begin(const struct http_head *request, size_t max_content, size_t *budget,
			  bool *ret_no_memory);
void lanes_free(struct lanes **lanes);

/* One text message. @lost_bytes: how many the socket has lost by now. */
void lanes_message(struct lanes *lanes, bool is_from_client, uint64_t time_ns, uint64_t lost_bytes,
		   struct slice text);
/* The socket is over: what is under way ends here, its end open. */
void lanes_end(struct lanes *lanes, uint64_t time_ns);

/* Takes the next call that is over; false when there is none. */
bool lanes_next(struct lanes *lanes, struct lane *ret);
/* What was lost of the socket since the last time, and that no call is marked with. */
loss_set lanes_take_marks(struct lanes *lanes);
/* Calls under way. */
size_t lanes_count(const struct lanes *lanes);

#endif
