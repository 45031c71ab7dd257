/* SPDX-License-Identifier: Apache-2.0 */
/* Looks into a parsed JSON line of the command line's contract. */
#ifndef GENTAP_EXPORT_LINE_H
#define GENTAP_EXPORT_LINE_H

#include <cjson/cJSON.h>

#include "base/base.h"

/* A member of a line, or "parent.member"; NULL when it is not there. */
const cJSON *line_at(const cJSON *line, const char *path);
/* Its string; NULL when it is not there, or is none. */
const char *line_text(const cJSON *line, const char *path);
bool line_number(const cJSON *line, const char *path, double *ret);
bool line_time_ns(const cJSON *line, const char *path, uint64_t *ret_ns);
/* The sum of the usage buckets whose name contains @side, as Langfuse sums. */
bool line_tokens(const cJSON *line, const char *side, uint64_t *ret);

#endif
