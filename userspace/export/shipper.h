/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Sends what stores hold unsent to Langfuse, oldest first, from a thread of its
 * own: a server that hangs keeps nobody waiting.
 */
#ifndef GENTAP_EXPORT_SHIPPER_H
#define GENTAP_EXPORT_SHIPPER_H

#include <stdatomic.h>

#include "export/langfuse.h"
#include "export/store.h"

enum { SHIPPER_STORES_MAX = 2 };

struct shipper_options {
	const struct langfuse_options *langfuse;	/* borrowed until shipper_stop */
	struct store *stores[SHIPPER_STORES_MAX];	/* borrowed too; NULL: none */
	unsigned flush_at;				/* 0: LIMIT_BATCH_GENERATIONS */
	unsigned flush_interval_ms;			/* 0: 5 s */
	bool is_quiet;
	const atomic_bool *is_hurried;			/* as in exporter_options; may be NULL */
};

struct shipper_totals {
	uint64_t sent, refused;
};

struct shipper;

/* 0 or -errno. What is unsent already goes at once. */
int shipper_new(struct shipper **ret, const struct shipper_options *options);
/* @count rows more were committed as unsent. Any thread. */
void shipper_wake(struct shipper *shipper, size_t count);
/* Tries once more what is unsent, until @deadline_ns (CLOCK_MONOTONIC) at the
 * latest, and ends the thread. */
void shipper_stop(struct shipper **shipper, uint64_t deadline_ns, struct shipper_totals *ret);

#endif
