/* SPDX-License-Identifier: Apache-2.0 */
/* Between http1.c, which follows a message, and http1_head.c, which reads its head. */
#ifndef GENTAP_WIRE_HTTP1_HEAD_H
#define GENTAP_WIRE_HTTP1_HEAD_H

#include "wire/http1.h"

/* Largest length of a body or a chunk; sums of two do not overflow. */
#define HTTP1_LENGTH_MAX	(UINT64_MAX >> 2)

/* What a head says about its body's length. */
struct http1_framing {
	bool is_chunked;	/* then has_length is to be ignored (RFC 9112 section 6.3) */
	bool has_length;
	uint64_t length;
};

/* @text is a head from its start line to its empty line. False if it is none. */
bool http1_head_read(enum http1_side side, struct slice text, struct http_head *ret);

/* Whether it has too many fields, sound or not. */
bool http1_head_is_too_long(struct slice text);

/* False when the fields contradict each other or are not understood. */
bool http1_framing_read(const struct http_head *head, struct http1_framing *ret);

#endif
