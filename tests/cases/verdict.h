/* SPDX-License-Identifier: Apache-2.0 */
/* Runs of one case and what is made of them; shared by the files of variants. */
#ifndef GENTAP_TESTS_CASES_VERDICT_H
#define GENTAP_TESTS_CASES_VERDICT_H

#include "expect.h"
#include "play.h"
#include "variants.h"

struct job {
	const struct test_case *test, *partner;
	const struct variants_options *options;
	struct result *result;
	const char *family;
	bool is_failed;		/* the family is */
};

/* The family fails; @what says of the variant how. */
void fail(struct job *job, const char *variant, const char *what);

/* How the case's wire comes when nothing is done to it. */
struct play usual(const struct job *job);

/* One run that must give exactly what is wanted. Once a family has failed, more of
 * the same would not help. @ignore: enum ignore, as in all of these. */
void run(struct job *job, const char *variant, const struct script *script, const struct play *how,
	 unsigned ignore);
/* Whole, and byte by byte. */
void run_both(struct job *job, const char *form, const struct script *script, unsigned ignore);
/* In two events at the cut, for at most so many cuts, evenly apart. */
void run_cuts(struct job *job, const char *form, const struct script *script, unsigned ignore);
/* With a hole, of several lengths, at several places. */
void run_gaps(struct job *job, const char *form, const struct script *script, unsigned ignore);

/* With gentap there only from some byte on, at as many places. */
void run_late(struct job *job, const char *form, const struct script *script, unsigned ignore);

/* --- variants_http2.c ------------------------------------------------------- */

void family_h2(struct job *job);
void family_h2_cuts(struct job *job);
void family_h2_gaps(struct job *job);
void family_h2_late(struct job *job);
void family_h2_upgrade(struct job *job);
void family_h2_role(struct job *job);
void family_h2_codings(struct job *job);
void family_h2_two(struct job *job);

#endif
