/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The head of an HTTP message, whatever the version: text in HTTP/1 form (RFC
 * 9112) and slices into it. HTTP/2's heads are brought into this form by hpack.c,
 * so that everybody above reads one kind of head.
 */
#ifndef GENTAP_WIRE_HTTP_HEAD_H
#define GENTAP_WIRE_HTTP_HEAD_H

#include "base/slice.h"

/* Slices borrow from the input of the call that returned it. */
struct http_head {
	struct slice text;		/* the whole head, its empty line included */
	struct slice method, target;	/* request; empty when unknown (is_partial) */
	unsigned status;		/* response: 100..599; 0 when unknown (is_partial) */
	unsigned major, minor;		/* HTTP/major.minor */
	struct slice fields;		/* field lines; walk with http_field_next */
	bool is_partial;		/* HTTP/2 joined late: some fields are not known, and
					 * are not among the fields */
};

/* Walks the field lines of a head: *fields starts as head.fields. Value is
 * trimmed; obsolete line folding stays inside it. False at the end. */
bool http_field_next(struct slice *fields, struct slice *ret_name, struct slice *ret_value);

/* First field of that name (case ignored); false when there is none. */
bool http_field(const struct http_head *head, const char *name, struct slice *ret_value);

#endif
