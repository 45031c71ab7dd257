/* SPDX-License-Identifier: Apache-2.0 */
/* What a case says of a body, as the bytes that it stands for. */
#ifndef GENTAP_TESTS_CASES_BODY_H
#define GENTAP_TESTS_CASES_BODY_H

#include "base/buf.h"

enum body {
	BODY_PLAIN,		/* as it is, less the line ends at its end */
	BODY_SSE,		/* as it is */
	BODY_LINES,		/* NDJSON: as it is, less empty lines */
	BODY_EVENTSTREAM,	/* AWS: messages as text, a blank line between them */
	BODY_MULTIPART,		/* lines end in CRLF */
};

/* By the content type that the head (as the case says it) has. */
enum body body_of(struct slice head);
/* Whether it is one that is sent piece by piece. */
bool body_is_stream(enum body body);
/* Appends. A line that ends in a backslash has no line end. */
bool body_bytes(enum body body, struct slice text, struct buf *ret);

#endif
