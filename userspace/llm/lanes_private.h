/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the files about WebSockets share.
 *
 *   lanes.c            which calls are under way, from begin to end
 *   openai_socket.c    Responses over WebSocket
 *   openai_realtime.c  the Realtime API
 */
#ifndef GENTAP_LLM_LANES_PRIVATE_H
#define GENTAP_LLM_LANES_PRIVATE_H

#include "llm/lanes.h"

struct open_lane {
	struct lane lane;
	struct open_lane *next;		/* younger */
	bool is_answered;		/* the server began its response */
	struct buf key;			/* what the client told it by: stream_id (Responses) or
					 * event_id (Realtime); "" none */
};

struct socket_message {
	uint64_t time_ns;
	size_t len;
	const char *type;
	const cJSON *data;		/* borrowed for the call */
	loss_set marks;			/* of reading it */
};

struct socket_grammar {
	const char *route;		/* how the path ends */
	const struct dialect *dialect;	/* of its calls */
	bool has_state;			/* what a call is made of may have been said long before it */
	void (*client)(struct lanes *lanes, const struct socket_message *message);
	void (*server)(struct lanes *lanes, const struct socket_message *message);
};

extern const struct socket_grammar responses_socket, realtime_socket;

struct lanes {
	const struct socket_grammar *grammar;
	size_t max_content;
	size_t *budget;			/* of its calls */
	uint64_t number;		/* of the last call */
	uint64_t lost_bytes;
	uint64_t last_end_ns;		/* of the call that ended last */
	struct open_lane *open, *finished;	/* owned; oldest first */
	size_t count;			/* open ones */
	bool is_given_up;
	loss_set marks;			/* that no call carries */
	struct buf model;		/* of the handshake's query */
	/* Responses */
	cJSON *steers;			/* owned array, or NULL: what is not committed yet */
	struct buf failed_id;		/* of the response that an error ended last */
	/* Realtime */
	cJSON *session;			/* owned object, or NULL */
	cJSON *items;			/* owned array, or NULL: the conversation */
	bool is_items_cut;		/* its oldest are gone */
	uint64_t trigger_ns;		/* since when the server has a reason of its own to respond;
					 * 0: it has none */
};

/* Begins a call; owns @request (may be NULL) from here on, cut to what is kept. NULL
 * when it cannot: the socket is given up then. */
struct open_lane *lanes_open(struct lanes *lanes, uint64_t time_ns, cJSON *request);
/* The request of a call that is open becomes another one. */
void lane_set_request(struct lanes *lanes, struct open_lane *open, cJSON *request);
/* A server's event of it; ends it where its protocol does. */
void lane_event(struct lanes *lanes, struct open_lane *open, const struct socket_message *message);
/* It is over. @open is freed. */
void lane_end(struct lanes *lanes, struct open_lane *open, uint64_t time_ns);
/* All is over, for that reason, and nothing more is read. */
void lanes_give_up(struct lanes *lanes, enum loss loss, uint64_t time_ns);

/* The answered call with that response id; NULL for NULL. */
struct open_lane *lanes_find(struct lanes *lanes, const char *response_id);

#endif
