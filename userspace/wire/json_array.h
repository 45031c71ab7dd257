/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A JSON array (RFC 8259) whose elements, objects or arrays, come one by one, as
 * Gemini's and Vertex' streamGenerateContent send it when not asked for alt=sse:
 * "[{...}\n,\r\n{...}]". An object instead of the array, an error, is one element.
 * Elements are told by the depth of brackets outside of strings; whether they are
 * sound JSON is not looked at. Owns only the element being put together.
 *
 *   START --[--> BEFORE --{--> INSIDE --its end--> AFTER --,--> BEFORE
 *     |             +--]--> OVER           |         +--]--> OVER
 *     +--{--> INSIDE, alone --its end--> OVER
 */
#ifndef GENTAP_WIRE_JSON_ARRAY_H
#define GENTAP_WIRE_JSON_ARRAY_H

#include "base/buf.h"
#include "wire/stream.h"

enum json_array_state {
	JSON_ARRAY_START,
	JSON_ARRAY_BEFORE,	/* an element, or the end of an array */
	JSON_ARRAY_INSIDE,	/* an element */
	JSON_ARRAY_AFTER,	/* an element: a comma, or the end of the array */
	JSON_ARRAY_EITHER,	/* before or after one: the byte that told is missing */
	JSON_ARRAY_OVER,
	JSON_ARRAY_BAD,		/* nothing more can be had */
};

struct json_array_reader {
	enum json_array_state state;
	bool is_alone;		/* an object that is in no array */
	bool is_in_string, is_escaped;
	bool is_skipping;	/* the element is over a limit */
	bool is_given;		/* the element was given out; clear it next */
	uint64_t depth;		/* brackets open inside the element */
	struct buf element;	/* its front; no memory between elements */
	struct stream_losses losses;
};

void json_array_init(struct json_array_reader *reader);
void json_array_done(struct json_array_reader *reader);

/* As stream_next: an event is an element. Those over LIMIT_JSON_ELEMENT or
 * LIMIT_JSON_DEPTH are skipped and counted. The event may point into what *in was. */
enum parse json_array_next(struct json_array_reader *reader, struct slice *in, struct stream_event *ret);

/* As stream_gap. True only where no element can have begun in the gap: behind the
 * end of the array, or one byte behind the end of an element. */
bool json_array_gap(struct json_array_reader *reader, uint64_t n);

/* As stream_eof: PARSE_BAD in the middle of the array. */
enum parse json_array_eof(struct json_array_reader *reader, struct stream_event *ret);

#endif
