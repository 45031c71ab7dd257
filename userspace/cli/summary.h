/* SPDX-License-Identifier: Apache-2.0 */
/* The closing line of a capture, and whether anything was lost. */
#ifndef GENTAP_CLI_SUMMARY_H
#define GENTAP_CLI_SUMMARY_H

#include "base/buf.h"
#include "base/loss.h"
#include "bpf/gentap.h"

struct summary {
	uint64_t generations;
	uint64_t sampled_out;		/* LANGFUSE_SAMPLE_RATE */
	uint64_t kernel[GT_LOSS_COUNT];
	uint64_t losses[LOSS_COUNT];	/* pipeline's and exporter's together */
	bool has_langfuse;
	uint64_t sent, unsent;
	const char *store;		/* NULL: none was written */
	uint64_t detach_ns;		/* from the wish to end to the last probe gone */
	const char *recorded_to;	/* NULL: nothing was recorded */
	uint64_t recorded_events, recorded_bytes;
	bool is_replay;			/* then not detach_ns, but: */
	uint64_t recorded_ns, replayed_ns; /* what the recording took, and its replay */
};

/* Marks (joined late, cut…) are no losses. */
bool summary_has_loss(const struct summary *summary);

/* "200 generations, nothing lost, detached in 48 ms": no line end, no prefix. */
void summary_text(const struct summary *summary, struct buf *ret);

#endif
