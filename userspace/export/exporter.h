/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exporter thread: takes finished lines, commits them to the store, gives
 * them to the sinks. A dead sink never stalls capture: push never waits.
 */
#ifndef GENTAP_EXPORT_EXPORTER_H
#define GENTAP_EXPORT_EXPORTER_H

#include <stdatomic.h>

#include "base/loss.h"
#include "export/langfuse.h"
#include "export/store.h"

enum sink_type { SINK_TERMINAL, SINK_JSON, SINK_JSONL, SINK_LANGFUSE };

struct sink_option {
	enum sink_type type;
	const char *path;		/* SINK_JSONL */
};

/* All that it points at is borrowed until exporter_stop. */
struct exporter_options {
	const char *store_path;		/* NULL: --no-store */
	const struct sink_option *sinks;
	size_t sink_count;
	const struct langfuse_options *langfuse; /* NULL when no sink is langfuse */
	bool has_colour;		/* terminal sink */
	bool is_quiet;			/* no notes on stderr */
	uint64_t max_count;		/* --count: 0 for no limit; then count_fd becomes readable */
	unsigned flush_at;		/* Langfuse: generations of a full batch; 0: the limit's */
	unsigned flush_interval_ms;	/* Langfuse: until a batch goes that is not full; 0: 5 s */
	/* NULL, or the caller's, set from any thread: all is still written to store
	 * and files, but Langfuse is no longer waited for (a request under way ends
	 * within 200 ms). Must outlive the exporter. */
	const atomic_bool *is_hurried;
};

struct exporter;

/* Opens store and files, starts the thread. On failure *ret_error is a text for
 * people that ends in what to do (owned by the caller, free()), and the result
 * is -errno. */
int exporter_new(struct exporter **ret, const struct exporter_options *options, char **ret_error);

/* Copies the line. 0, -ENOBUFS (counted as queue_full) or -ENOMEM (no_memory).
 * Any thread. Beyond max_count a line is dropped, which is no loss. */
int exporter_push(struct exporter *exporter, struct slice line);

/* The same, for who can wait until the queue has room: a recorded file, not a
 * process that goes on meanwhile. */
int exporter_push_waiting(struct exporter *exporter, struct slice line);

/* Readable (eventfd) once max_count generations are through. -1 without a limit. */
int exporter_count_fd(const struct exporter *exporter);

struct exporter_totals {
	uint64_t generations;		/* written to store and sinks */
	uint64_t sent, unsent;		/* Langfuse: acknowledged; left in the store */
	uint64_t losses[LOSS_COUNT];
};

/* Drains the queue, sends what is pending (at most @timeout_ms), stops the
 * thread, closes everything. */
void exporter_stop(struct exporter **exporter, unsigned timeout_ms, struct exporter_totals *ret);

#endif
