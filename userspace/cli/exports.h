/* SPDX-License-Identifier: Apache-2.0 */
/* Where a command's generations go, from its settings to a running exporter. */
#ifndef GENTAP_CLI_EXPORTS_H
#define GENTAP_CLI_EXPORTS_H

#include "cli/settings.h"

/* What is written when no option says where to. */
enum exports_default {
	EXPORTS_USUAL,		/* terminal, Langfuse if it has keys, the store */
	EXPORTS_TERMINAL,	/* only the terminal */
	EXPORTS_NOTHING,
};

struct exports {
	const struct settings *settings;	/* borrowed, as all that these point at */
	struct sinks sinks;
	struct langfuse_options langfuse;
	const char *store;			/* NULL: none is written */
};

/* What the settings ask for that cannot be is found here, before anything is
 * touched. EXIT_OK, or said and an exit code. */
int exports_plan(struct exports *ret, const struct settings *settings, enum exports_default when_not_asked);

/* Opens store and sinks; see exporter.h for the last two. @exports must outlive
 * *ret. EXIT_OK, or said and an exit code. */
int exports_open(struct exports *exports, struct exporter **ret, uint64_t max_count,
		 const atomic_bool *is_hurried);

#endif
