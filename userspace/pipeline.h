/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From events to finished generations: a pure function of the events. One
 * thread calls it; it has no clock, does no I/O and prints nothing.
 */
#ifndef GENTAP_PIPELINE_H
#define GENTAP_PIPELINE_H

#include "export/generation.h"

struct pipeline;

struct pipeline_options {
	struct generation_options generation;
	size_t max_content;		/* bytes of each input or output text */
	/* A generation is finished: its JSON line, borrowed. */
	void (*line)(void *ctx, struct slice line);
	/* No more bytes of this connection are wanted; may be NULL. */
	void (*ignored)(void *ctx, const struct conn *conn);
	void *ctx;
};

/* 0 or -ENOMEM. The caller owns *ret. */
int pipeline_new(struct pipeline **ret, const struct pipeline_options *options);
void pipeline_free(struct pipeline **pipeline);

/* An event_fn: @ctx is the struct pipeline. */
void pipeline_event(void *ctx, const struct gt_event *event);

/* gentap detaches now: what is in flight ends here, marked. */
void pipeline_detach(struct pipeline *pipeline, uint64_t time_ns);

struct pipeline_totals {
	uint64_t events, bytes;		/* taken in */
	uint64_t exchanges;		/* begun, of any kind */
	uint64_t generations;		/* given to line() */
	size_t live_conns, live_calls;
	uint64_t losses[LOSS_COUNT];
};

void pipeline_totals(const struct pipeline *pipeline, struct pipeline_totals *ret);

#endif
