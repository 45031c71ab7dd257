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
};

void script_done(struct script *script);

/* Bytes that follow others of that side at the same time are one move with them. */
void script_add(struct script *script, enum side side, uint64_t at_ns, bool is_lost, struct slice bytes);
void script_add_end(struct script *script, enum move_kind kind, enum side side, uint64_t at_ns);
/* A case's cut. */
void script_add_cut(struct script *script, const struct item *cut);

/* --- http1.c ---------------------------------------------------------------- */

struct http1_form {
	enum response_framing framing;
	size_t chunk;		/* bytes of each chunk, of requests too; 0: each piece is one */
};

/* False when the items cannot be sent in that form. */
bool script_http1(struct script *ret, const struct items *items, const struct http1_form *form);

#endif
