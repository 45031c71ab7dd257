/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where events come from: eBPF, a preloaded library, a recorded file. The
 * pipeline sees nothing else of them.
 */
#ifndef GENTAP_SOURCE_SOURCE_H
#define GENTAP_SOURCE_SOURCE_H

#include <stdbool.h>
#include <stdint.h>
#include <stddef.h>

#include "../../bpf/gentap.h"

/* @event and its bytes are borrowed for the duration of the call. */
typedef void (*event_fn)(void *ctx, const struct gt_event *event);

struct source;

/* How a source finds a connection again; all from its GT_EVENT_OPEN. */
struct source_conn {
	uint64_t id;
	uint64_t key;
	uint32_t pid;
	bool is_tls;
};

struct source_ops {
	/* Delivers what is there, waiting at most @timeout_ms for a first event.
	 * Returns the number of events delivered, or -errno. */
	int (*poll)(struct source *source, event_fn on_event, void *ctx, int timeout_ms);
	/* No more bytes of this connection are wanted; best effort, never fails. */
	void (*drop)(struct source *source, const struct source_conn *conn);
	void (*free)(struct source *source);
};

struct source {
	const struct source_ops *ops;
};

static inline int source_poll(struct source *source, event_fn on_event, void *ctx, int timeout_ms)
{
	return source->ops->poll(source, on_event, ctx, timeout_ms);
}

static inline void source_drop(struct source *source, const struct source_conn *conn)
{
	source->ops->drop(source, conn);
}

/* Frees and nulls; accepts NULL. */
static inline void source_free(struct source **source)
{
	if (*source)
		(*source)->ops->free(*source);
	*source = NULL;
}

#endif
