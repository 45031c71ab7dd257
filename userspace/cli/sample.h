/* SPDX-License-Identifier: Apache-2.0 */
/* LANGFUSE_SAMPLE_RATE, decided as the Python SDK decides it: by trace id. */
#ifndef GENTAP_CLI_SAMPLE_H
#define GENTAP_CLI_SAMPLE_H

#include "base/slice.h"

/* Whether the trace of a JSON line is among the share @rate, 0 to 1. A line
 * without a trace id is kept. */
bool sample_keeps(struct slice line, double rate);

#endif
