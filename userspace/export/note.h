/* SPDX-License-Identifier: Apache-2.0 */
/* What the exporter's threads say on stderr, and the clock they share. */
#ifndef GENTAP_EXPORT_NOTE_H
#define GENTAP_EXPORT_NOTE_H

#include <time.h>

#include "base/base.h"

/* One write, so that the threads' lines do not mix. Text from elsewhere must
 * come scrubbed. */
#define note(fmt, ...)	fprintf(stderr, "gentap: " fmt "\n", ##__VA_ARGS__)

static inline uint64_t monotonic_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

static inline uint64_t after_ms(uint64_t ms)
{
	return monotonic_ns() + ms * 1000000ull;
}

static inline struct timespec timespec_of(uint64_t ns)
{
	return (struct timespec){ (time_t)(ns / 1000000000ull), (long)(ns % 1000000000ull) };
}

#endif
