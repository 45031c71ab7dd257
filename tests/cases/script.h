/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What moves on the connection: the bytes of either side with their times, ends.
 * Made from items by http1.c and http2.c; played by play.c.
 */
#ifndef GENTAP_TESTS_CASES_SCRIPT_H
#define GENTAP_TESTS_CASES_SCRIPT_H

#include "items.h"

enum move_kind {
	MOVE_BYTES,
	MOVE_LOST,	/* bytes that nobody captured */
	MOVE_EOF,	/* that side sends no more */
	MOVE_CLOSE,	/* the connection is gone, by that side's doing */
	MOVE_DETACH,
	MOVE_EXIT,
};

struct move {
	enum move_kind kind;
	enum side side;
	uint64_t at_ns;
	struct buf bytes;	/* owned */
};

struct script {
	struct move *list;	/* owned */
	size_t count, size;
	size_t bytes;		/* of all moves together */
	size_t begins[CASE_LINES]; /* offsets at which requests begin */
	size_t begin_count;
};

void script_done(struct script *script);

/* Bytes that follow others of that side at the same time are one move with them. */
void script_add(struct script *script, enum side side, uint64_t at_ns, bool is_lost, struct slice bytes);
/* A request begins with the next byte. */
void script_add_begin(struct script *script);
void script_add_end(struct script *script, enum move_kind kind, enum side side, uint64_t at_ns);
/* A case's cut. */
void script_add_cut(struct script *script, const struct item *cut);

/* --- http1.c ---------------------------------------------------------------- */

struct ws_form {
	size_t fragment;	/* most bytes in a frame; 0: each message is one */
	bool is_deflated;	/* permessage-deflate (RFC 7692) */
	bool is_fresh;		/* each message of its own: no context is taken over */
	bool is_noisy;		/* pings between fragments */
};

struct http1_form {
	enum response_framing framing;
	size_t chunk;		/* bytes of each chunk, of requests too; 0: each piece is one */
	bool is_decorated;	/* interim responses, chunk extensions, trailers */
	struct ws_form websocket;
};

/* False when the items cannot be sent in that form. */
bool script_http1(struct script *ret, const struct items *items, const struct http1_form *form);

/* --- websocket.c ------------------------------------------------------------ */

struct ws_writer;

struct ws_writer *ws_new(const struct ws_form *form);
void ws_free(struct ws_writer **websocket);
/* What the heads say of the extension, with its line end; "" for none. */
const char *ws_extension(const struct ws_form *form);
/* Appends the message's frames. */
void ws_message(struct ws_writer *websocket, enum side side, struct slice text, struct buf *ret);
/* Appends a close frame. */
void ws_close(struct ws_writer *websocket, enum side side, struct buf *ret);

/* --- http2.c ---------------------------------------------------------------- */

struct http2_form {
	size_t data, block;	/* most bytes in a frame of a body, of a head; 0: as large as may be */
	unsigned padding;	/* bytes after those of a body or head */
	bool is_noisy;		/* frames that carry nothing stand between the others */
	bool is_decorated;	/* interim responses, trailers */
	bool is_upgrade;	/* begins as HTTP/1.1 with Upgrade: h2c (RFC 7540 section 3.2) */
	bool is_reset;		/* who cuts resets the stream, and the connection goes on */
};

/* At most two cases on one connection. False when one cannot be sent so. */
bool script_http2(struct script *ret, const struct items *const *items, size_t count, bool is_tls,
		  const struct http2_form *form);

#endif
