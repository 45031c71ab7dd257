/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where lines go on this machine: stdout, for people or as JSON, and JSONL
 * files. Writes whole lines or none.
 */
#ifndef GENTAP_EXPORT_SINK_H
#define GENTAP_EXPORT_SINK_H

#include <stdatomic.h>

#include <cjson/cJSON.h>

#include "export/exporter.h"

struct sink {
	enum sink_type type;
	int fd;			/* owned only if it is a file's */
	const char *path;	/* borrowed; NULL: stdout */
	bool has_heads;		/* of the terminal's columns */
	bool is_dead;		/* its reader is gone for good */
	bool is_said;		/* on stderr, that it fails */
};

#define SINK_INIT	((struct sink){ .fd = -1 })

/* Not for SINK_LANGFUSE. 0 or -errno. */
int sink_open(struct sink *sink, const struct sink_option *option);
void sink_close(struct sink *sink);

/* @generation is @line parsed. Waits for a reader that does not read until
 * *deadline_ns (CLOCK_MONOTONIC), which another thread may bring forward. 0 or
 * -errno: the line was not taken. */
int sink_write(struct sink *sink, struct slice line, const cJSON *generation, bool has_colour,
	       const _Atomic uint64_t *deadline_ns);

#endif
