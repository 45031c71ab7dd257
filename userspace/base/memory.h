/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Allocations that failed where nobody could say so: bufs and JSON trees are built in
 * long rows of calls, whose results nobody asks for one by one. Who is responsible for
 * what they build asks before and after: if the number grew, something is missing.
 */
#ifndef GENTAP_BASE_MEMORY_H
#define GENTAP_BASE_MEMORY_H

#include <stdint.h>

void memory_failed(void);
/* Of this thread so far. */
uint64_t memory_failures(void);

#endif
