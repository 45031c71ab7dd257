/* SPDX-License-Identifier: Apache-2.0 */
/* The whole program run inside a test: its exit code, stdout and stderr. */
#ifndef GENTAP_TESTS_CLI_PROGRAM_H
#define GENTAP_TESTS_CLI_PROGRAM_H

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "cli/options.h"

struct program_result {
	int code;
	char out[65536], err[65536];
};

/* No setting from the machine the test runs on. */
static inline void unset_surroundings(void)
{
	clearenv();
	setenv("XDG_CONFIG_HOME", "/nonexistent", 1);
	setenv("XDG_STATE_HOME", "/nonexistent", 1);
	setenv("TZ", "UTC", 1);
}

static inline int divert(FILE *file, int to)
{
	int kept = dup(fileno(file));

	fflush(file);
	cr_assert(kept >= 0 && dup2(to, fileno(file)) >= 0);
	return kept;
}

static inline void restore(FILE *file, int kept, int from, char *ret, size_t size)
{
	ssize_t len;

	fflush(file);
	dup2(kept, fileno(file));
	close(kept);
	len = pread(from, ret, size - 1, 0);
	ret[len < 0 ? 0 : len] = '\0';
	close(from);
}

/* @line split at spaces, without the program's name. */
static inline void run_program(const char *line, struct program_result *ret)
{
	int out = memfd_create("out", 0), err = memfd_create("err", 0), kept_out, kept_err, argc = 1;
	char words[1024], *argv[34] = { "gentap" };

	cr_assert(snprintf(words, sizeof(words), "%s", line) < (int)sizeof(words));
	for (char *word = strtok(words, " "); word && argc < 33; word = strtok(NULL, " "))
		argv[argc++] = word;
	kept_out = divert(stdout, out);
	kept_err = divert(stderr, err);
	ret->code = command_main(argc, argv);
	restore(stdout, kept_out, out, ret->out, sizeof(ret->out));
	restore(stderr, kept_err, err, ret->err, sizeof(ret->err));
}

#endif
