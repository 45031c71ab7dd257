/* SPDX-License-Identifier: Apache-2.0 */
/* What terminal.c and show.c share: widths and colours. */
#ifndef GENTAP_EXPORT_COLUMNS_H
#define GENTAP_EXPORT_COLUMNS_H

#include "base/buf.h"

#define COLOUR_NONE	"\x1b[0m"
#define COLOUR_BOLD	"\x1b[1m"
#define COLOUR_DIM	"\x1b[2m"
#define COLOUR_RED	"\x1b[31m"
#define COLOUR_GREEN	"\x1b[32m"
#define COLOUR_YELLOW	"\x1b[33m"

/* Columns that scrubbed text takes on a terminal. */
unsigned columns_of(struct slice text);
/* Appends of scrubbed @text what fits into @max columns; what is cut ends in "…". */
void columns_add(struct buf *out, struct slice text, unsigned max);

/* "310ms", "1.42s", "2m05s". */
void duration_text(double ms, char *ret, size_t size);

#endif
