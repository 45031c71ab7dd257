/* SPDX-License-Identifier: Apache-2.0 */
/* A generation for people: one line when it ends, or all of it for `show`. */
#ifndef GENTAP_EXPORT_TERMINAL_H
#define GENTAP_EXPORT_TERMINAL_H

#include <cjson/cJSON.h>

#include "base/buf.h"

struct terminal_options {
	bool has_colour;
	unsigned width;		/* columns; 0: no limit */
};

/* Appends one line with its line end; @generation is a parsed JSON line. All
 * text in it is scrubbed. */
void terminal_line(const struct terminal_options *options, const cJSON *generation, struct buf *ret);
/* Appends the whole generation, many lines. */
void terminal_show(const struct terminal_options *options, const cJSON *generation, struct buf *ret);
/* Appends the column heads of terminal_line, with a line end. */
void terminal_heads(const struct terminal_options *options, struct buf *ret);

#endif
