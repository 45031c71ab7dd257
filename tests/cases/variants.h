/* SPDX-License-Identifier: Apache-2.0 */
/* The ways in which one case can be told, all of which must come to the same lines. */
#ifndef GENTAP_TESTS_CASES_VARIANTS_H
#define GENTAP_TESTS_CASES_VARIANTS_H

#include "case.h"

struct result {
	unsigned passed, failed;	/* families */
	unsigned runs;			/* of the pipeline */
	struct buf text;		/* which families passed; then the failures, a paragraph each */
};

struct variants_options {
	size_t cuts;		/* most places where a wire is cut, per case and family */
	size_t gaps;
};

/* Whether the two can be told on one connection of HTTP/2. */
bool variants_may_share(const struct test_case *a, const struct test_case *b);

/* Runs every family that the case has. @partner: another case, for variants with two
 * on one connection; NULL: none. */
void variants_run(const struct test_case *test, const struct test_case *partner,
		  const struct variants_options *options, struct result *ret);

#endif
