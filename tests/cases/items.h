/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A case as HTTP sees it, before any version of HTTP frames it: heads, pieces of
 * bodies, ends. Bodies are bytes by now (body.c made them of what the case says),
 * in the content coding that is asked for.
 */
#ifndef GENTAP_TESTS_CASES_ITEMS_H
#define GENTAP_TESTS_CASES_ITEMS_H

#include "case.h"
#include "encode.h"

enum item_kind {
	ITEM_HEAD,
	ITEM_BODY,
	ITEM_END,	/* of the message */
	ITEM_MESSAGE,	/* of a WebSocket */
	ITEM_CUT,
};

struct item {
	enum item_kind kind;
	enum side side;
	unsigned exchange;	/* from 0 */
	uint64_t at_ns;
	struct slice head;	/* as the case says it: a first line, then fields */
	struct buf extra;	/* fields beside it, each with its line end; owned */
	struct buf bytes;	/* BODY, MESSAGE; owned */
	bool is_lost;		/* moved, but not captured */
	enum step_kind cut;	/* CUT: which of them */
};

struct items {
	struct item *list;	/* owned */
	size_t count, size;
	size_t exchanges;
	bool is_tunnel;		/* ends in a WebSocket */
};

/* Bodies in the content coding their heads name, where that is one of ours. False
 * with a word on stderr when the case cannot be understood. */
bool items_of(struct items *ret, const struct test_case *test);
void items_done(struct items *items);

/* Encodes the bodies of that side. False when one is encoded already, or there is none. */
bool items_encode(struct items *items, enum side side, enum code code);

/* Server-sent events of the response get line ends of CR LF. False when there are none. */
bool items_crlf(struct items *items);

/* The bytes of the body that begins behind head number @head. */
size_t items_body_len(const struct items *items, size_t head);
/* Whether the message of head number @head comes to its end. */
bool items_is_whole(const struct items *items, size_t head);
/* Status of a response's head. */
unsigned items_status(const struct item *head);
/* A field of the head, as the case says it or as added. */
bool items_field(const struct item *head, const char *name, struct slice *ret);

#endif
