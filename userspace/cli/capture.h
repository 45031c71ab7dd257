/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What every capturing command shares: from settings to loader, pipeline and
 * exporter, then watching until the end, then leaving no probe behind.
 */
#ifndef GENTAP_CLI_CAPTURE_H
#define GENTAP_CLI_CAPTURE_H

#include "cli/options.h"
#include "cli/recording.h"

/* `run`: a child that waits to exec until a byte arrives at its gate. */
struct capture_command {
	int pid;
	int gate_fd;		/* the capture writes and closes it */
	const char *file;	/* what it will exec, as typed */
	int status;		/* of wait(2), once has_ended */
	bool has_ended;
	int left_by;		/* the signal on which it was left running; else 0 */
};

/* Runs to the end; returns an exit code. @command NULL but for `run`, @recording
 * NULL but for `record`, which exports nothing unless an option says where to. */
int capture(const struct options *options, const struct settings *settings,
	    struct capture_command *command, struct recording *recording);

#endif
