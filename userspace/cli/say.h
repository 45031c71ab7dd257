/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What the program says beside its results: one line on stderr, scrubbed, that
 * begins with "gentap: ". With --json, a command that does not capture says its
 * errors as {"error":"…"} on stdout instead.
 */
#ifndef GENTAP_CLI_SAY_H
#define GENTAP_CLI_SAY_H

#include <cjson/cJSON.h>

#include "base/buf.h"

/* The contract's exit codes. */
enum exit_code {
	EXIT_OK = 0,
	EXIT_FAILED = 1,
	EXIT_USAGE = 2,
	EXIT_NO_TARGET = 3,	/* no such process, or it ended before anything was attached */
	EXIT_NOT_POSSIBLE = 4,	/* not permitted, or not possible on this kernel */
	EXIT_LOST = 5,		/* --strict */
};

enum { SAY_TEXT_MAX = 64 * 1024 };

void say_json_errors(bool is_json);

/* Says the error and returns @code, for `return fail(…)`. */
int fail(enum exit_code code, const char *fmt, ...) _printf_(2, 3);

void say(const char *fmt, ...) _printf_(1, 2);
/* One line as it is, only scrubbed: without "gentap: ". */
void say_line(const char *text);

/* Whether to colour what goes to @fd: a terminal, and NO_COLOR is unset. */
bool say_has_colour(int fd);

/* Appends @object as a line and deletes it. A failure marks @ret as failed. */
void json_line(cJSON *object, struct buf *ret);

/* Writes all of @buf to stdout. EXIT_OK, or EXIT_FAILED and said. */
int say_result(const struct buf *buf);

#endif
