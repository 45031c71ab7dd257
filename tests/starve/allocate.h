/* SPDX-License-Identifier: Apache-2.0 */
/* Allocations of the whole program as a test wants them. reallocarray, strdup, asprintf
 * and the like come to these, too, as libc makes them of malloc. */
#ifndef GENTAP_TESTS_STARVE_ALLOCATE_H
#define GENTAP_TESTS_STARVE_ALLOCATE_H

#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

/* Counts from 1 on again; that number fails (0: none does), and with @is_for_good all
 * that follow it. */
void allocate_arm(uint64_t nth, bool is_for_good);
/* Whether what is allocated now is counted and may fail. */
void allocate_watch(bool is_watched);

uint64_t allocate_count(void);		/* since armed, while watched */
uint64_t allocate_failures(void);	/* of those */
int64_t allocate_live(void);		/* not freed by now, watched or not */

#endif
