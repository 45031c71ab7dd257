/* SPDX-License-Identifier: Apache-2.0 */
/* What ls and show share: the store opened for reading, a generation as a row. */
#ifndef GENTAP_CLI_LIST_H
#define GENTAP_CLI_LIST_H

#include "cli/settings.h"
#include "export/store.h"

/* Most bytes of one generation's line, whatever made it. */
enum { LIST_LINE_MAX = 96 * 1024 * 1024 };

/* EXIT_OK, or said and an exit code. */
int list_open(const struct settings *settings, struct store **ret);

void list_heads(struct buf *ret);
/* Time, id, model, role, status, tokens, TTFT, duration and first words, with a
 * line end; unknown is "-". */
void list_line(struct slice line, struct buf *ret);

#endif
