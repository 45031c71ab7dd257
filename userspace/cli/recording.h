/* SPDX-License-Identifier: Apache-2.0 */
/* The file of `gentap record`: opened, fed and closed by capture.c. */
#ifndef GENTAP_CLI_RECORDING_H
#define GENTAP_CLI_RECORDING_H

#include "cli/options.h"
#include "source/recorder.h"

struct recording {
	const char *path;		/* borrowed */
	bool is_forced;			/* overwrites */
	bool is_scrubbed;
	bool has_progress;		/* a line on stderr, rewritten each second */
	struct recorder *recorder;	/* owned */
	uint64_t start_ns;
};

/* Makes the file, mode 0600. EXIT_OK, or said and an exit code; then nothing is
 * left behind. */
int recording_open(struct recording *recording, const struct settings *settings, const char *boot_id,
		   uint64_t realtime_offset_ns);

/* A process was attached; @text as the loader says it. */
void recording_target(struct recording *recording, int pid, const char *text);

/* Each second: the counters so far, and the line of progress. */
void recording_tick(struct recording *recording, const uint64_t kernel[GT_LOSS_COUNT],
		    const uint64_t losses[LOSS_COUNT]);
/* Before anything else is said on stderr. */
void recording_clear_progress(const struct recording *recording);

/* The end marker. EXIT_OK, or said and EXIT_FAILED. */
int recording_close(struct recording *recording, uint64_t end_ns, struct recorder_totals *ret);
/* Nothing was attached: the file goes, too. */
void recording_abandon(struct recording *recording);

#endif
