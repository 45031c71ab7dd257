/* SPDX-License-Identifier: Apache-2.0 */
/* A clock's reading. For those who wait and report; the pipeline has only the
 * times of events. */
#ifndef GENTAP_BASE_CLOCK_H
#define GENTAP_BASE_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline uint64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

#endif
