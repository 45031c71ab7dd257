/* SPDX-License-Identifier: Apache-2.0 */
/* A script as the events that the kernel would have made of it. */
#ifndef GENTAP_TESTS_CASES_PLAY_H
#define GENTAP_TESTS_CASES_PLAY_H

#include "pipeline.h"
#include "script.h"
#include "source/source.h"

/* Constants of the runner, so that lines are the same on every run. */
#define PLAY_BOOT_ID	"8b1a9953-c461-4a2b-8f5e-0d6f2a7b9c11"
#define PLAY_CONN_ID	17
#define PLAY_START_NS	1000000000000ull		/* CLOCK_MONOTONIC at a case's begin */
#define PLAY_REALTIME_NS 1767225600000000000ull		/* then it is 2026-01-01T00:00:00Z */

/* How the wire's bytes come. Offsets count the bytes of both sides, in the order they moved. */
struct play {
	enum role role;
	size_t piece;		/* most bytes of one event; 0: as they moved */
	size_t cut;		/* an event ends before this byte; 0: none */
	size_t gap, gap_len;	/* bytes from offset @gap on are lost */
	bool is_late;		/* gentap came later than the connection: nothing is told of the gap */
	bool is_gap_told;	/* by captured_len < len, not only by the next offset */
};

struct player {
	event_fn on_event;
	void (*on_detach)(void *ctx, uint64_t time_ns);
	void *ctx;
};

void play(const struct script *script, const struct test_case *test, const struct play *how,
	  const struct player *player);

/* What came out of the pipeline. */
struct outcome {
	char *lines[CASE_LINES];	/* owned */
	size_t count;			/* may be more than there are kept */
	uint64_t losses[LOSS_COUNT];
};

void play_pipeline(const struct script *script, const struct test_case *test,
		   const struct play *how, struct outcome *ret);
/* From here on, every event goes through the scrubber of `gentap record` first. */
void play_scrubbed(void);
void outcome_done(struct outcome *outcome);

#endif
