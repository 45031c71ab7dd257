/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The parts of scrub.c, each a state machine over bytes that come in any pieces
 * and are overwritten in place. Zeroed is their start, unless there is a function
 * for it.
 */
#ifndef GENTAP_SOURCE_SCRUB_PRIVATE_H
#define GENTAP_SOURCE_SCRUB_PRIVATE_H

#include "source/scrub.h"

enum { SCRUB_NAME_MAX = 64 };	/* longer names are not kept */

/* A name while it comes, in lower case. */
struct scrub_name {
	char text[SCRUB_NAME_MAX];
	uint8_t len;
	bool is_too_long;
};

void scrub_name_add(struct scrub_name *name, char c);

/* --- scrub_head.c: request targets and heads of HTTP/1 ---------------------- */

struct scrub_target {
	enum { TARGET_SCHEME, TARGET_AUTHORITY, TARGET_UNSURE, TARGET_PATH, TARGET_NAME, TARGET_VALUE } state;
	uint8_t slashes;	/* of "://", so far */
	bool is_kept;
	struct scrub_name name;
};

/* @is_last: the target ends with these bytes. */
void scrub_target(struct scrub_target *target, char *bytes, size_t len, bool is_last);

struct scrub_head {
	enum { HEAD_START, HEAD_TARGET, HEAD_LINE, HEAD_NAME, HEAD_VALUE } state;
	bool is_kept;
	struct scrub_name name;
	struct scrub_target target;
};

void scrub_head_begin(struct scrub_head *head, bool is_request);
/* Bytes of the head, as far as it goes; empty lines before it, too. */
void scrub_head(struct scrub_head *head, char *bytes, size_t len);

/* --- scrub_text.c: bodies ---------------------------------------------------- */

enum { SCRUB_PATTERNS_MAX = 32 };

struct scrub_text {
	enum { TEXT_SEEK, TEXT_MAYBE, TEXT_TOKEN, TEXT_MEMBER, TEXT_QUOTED, TEXT_BARE } state;
	uint8_t matched[SCRUB_PATTERNS_MAX];	/* bytes of each pattern, just before here */
	bool is_matching;			/* any of them */
	char before;				/* last byte; 0: none */
	uint8_t least;				/* TEXT_MAYBE: bytes that make a token */
	uint8_t gap;				/* TEXT_MEMBER: bytes since the name */
	bool has_separator, is_assigned;	/* a colon or '='; '=' */
};

void scrub_text(struct scrub_text *text, char *bytes, size_t len);
/* Bytes are missing here: a token that is being overwritten may go on. */
void scrub_text_gap(struct scrub_text *text);
/* Whether a body with these two field values is text that may be changed. */
bool scrub_is_text(struct slice content_type, struct slice content_encoding);

/* --- scrub_hpack.c: header blocks of HTTP/2 ----------------------------------- */

struct scrub_hpack;

/* As hpack_new. */
struct scrub_hpack *scrub_hpack_new(bool is_late);
void scrub_hpack_free(struct scrub_hpack **hpack);

/* The next bytes of a header block, in any pieces. Returns how many of them were
 * overwritten since the block cannot be understood. */
size_t scrub_hpack(struct scrub_hpack *hpack, char *bytes, size_t len);
/* The block is whole. *ret_is_text: as scrub_is_text, of its fields. */
void scrub_hpack_end(struct scrub_hpack *hpack, bool *ret_is_text);

#endif
