/* SPDX-License-Identifier: Apache-2.0 */
/* Compares lines, and says where they differ. */
#ifndef GENTAP_TESTS_CASES_EXPECT_H
#define GENTAP_TESTS_CASES_EXPECT_H

#include "case.h"

/* Members that a variant changes of itself. Everything else must be the same,
 * times and the order of members included. */
enum ignore {
	IGNORE_BYTES	= 1 << 1,	/* http.requestBytes, http.responseBytes */
	IGNORE_IDENTITY	= 1 << 2,	/* id, traceId, process, connection */
	OTHER_ROLE	= 1 << 3,	/* the role is the other one */
	HTTP_2		= 1 << 4,	/* http.version is "2" */
};

/* Whether @line is the one wanted. Both are compact JSON. */
bool expect_same(const char *line, const char *wanted, unsigned ignore);
/* The line wanted, as a variant changes it. The caller frees. */
char *expect_wanted(const char *wanted, unsigned ignore);
/* Appends how they differ, one member a line. */
void expect_difference(const char *line, const char *wanted, unsigned ignore, struct buf *ret);
/* Whether the line says itself that it is not all there is. */
bool expect_marked(const char *line);

#endif
