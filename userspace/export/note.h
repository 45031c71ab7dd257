/* SPDX-License-Identifier: Apache-2.0 */
/* What the exporter's threads share: their word on stderr, the clock, the end. */
#ifndef GENTAP_EXPORT_NOTE_H
#define GENTAP_EXPORT_NOTE_H

#include <pthread.h>
#include <time.h>

#include "base/base.h"

/* One write, so that the threads' lines do not mix. Text from elsewhere must
 * come scrubbed. */
#define note(fmt, ...)	fprintf(stderr, "gentap: " fmt "\n", ##__VA_ARGS__)

enum { HURRY_LOOK_MS = 100 };	/* between two looks at exporter_options.is_hurried */

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

/* Joins a thread that is to end. False: it has not, within @ms. */
static inline bool join_within(pthread_t thread, unsigned ms)
{
	struct timespec at = timespec_of(after_ms(ms));

	return pthread_clockjoin_np(thread, NULL, CLOCK_MONOTONIC, &at) == 0;
}

#endif
