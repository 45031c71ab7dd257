/* SPDX-License-Identifier: Apache-2.0 */
#include "verdict.h"

#include "limits.h"

/* --- verdicts --------------------------------------------------------------- */

void fail(struct job *job, const char *variant, const char *what)
{
	job->is_failed = true;
	buf_printf(&job->result->text, "FAIL  %s: %s, %s: %s\n", job->test->name, job->family, variant, what);
}

static void compare(struct job *job, const char *variant, const struct outcome *outcome, unsigned ignore)
{
	const struct test_case *test = job->test;

	if (outcome->count != test->line_count) {
		fail(job, variant, outcome->count < test->line_count ? "a line is missing"
								     : "a line too many");
		return;
	}
	for (size_t i = 0; i < test->line_count; i++)
		if (!expect_same(outcome->lines[i], test->lines[i], ignore)) {
			fail(job, variant, "another line than wanted");
			expect_difference(outcome->lines[i], test->lines[i], ignore, &job->result->text);
			return;
		}
}

void run(struct job *job, const char *variant, const struct script *script,
		const struct play *how, unsigned ignore)
{
	_cleanup_(outcome_done) struct outcome outcome = { 0 };

	if (job->is_failed)
		return;
	play_pipeline(script, job->test, how, &outcome);
	job->result->runs++;
	compare(job, variant, &outcome, ignore);
}

/* Each line is as wanted, or says that it is not. Exchanges are counted as they are seen,
 * so that after a lost one the next has its number, and with it another id. */
static void compare_marked(struct job *job, const char *variant, const struct outcome *outcome,
			   unsigned ignore)
{
	const struct test_case *test = job->test;

	if (outcome->count > test->line_count)
		fail(job, variant, "a line too many");
	for (size_t i = 0; i < outcome->count && !job->is_failed; i++) {
		bool is_same = false;

		for (size_t k = 0; k < test->line_count; k++)
			is_same |= expect_same(outcome->lines[i], test->lines[k], ignore);
		if (is_same || expect_marked(outcome->lines[i]))
			continue;
		fail(job, variant, "a wrong line that does not say so");
		expect_difference(outcome->lines[i], test->lines[MIN(i, test->line_count - 1)], ignore,
				  &job->result->text);
	}
}

/* A run with a hole. A line that is missing must have been counted as lost. */
static void run_gap(struct job *job, const char *variant, const struct script *script,
		    const struct play *how, unsigned ignore)
{
	_cleanup_(outcome_done) struct outcome outcome = { 0 };
	bool is_counted = false;

	if (job->is_failed)
		return;
	play_pipeline(script, job->test, how, &outcome);
	job->result->runs++;
	for (int loss = 0; loss < LOSS_COUNT; loss++)
		is_counted |= outcome.losses[loss] > 0;
	if (outcome.count < job->test->line_count && !is_counted)
		fail(job, variant, "a line is missing, and no loss is counted");
	compare_marked(job, variant, &outcome, ignore | IGNORE_BYTES | IGNORE_IDENTITY);
}

/* Where something moves; gentap begins to see a connection there, hardly ever between. */
static bool is_move(const struct script *script, size_t from)
{
	size_t at = 0;

	for (size_t i = 0; i < script->count && at <= from; at += script->list[i++].bytes.len)
		if (at == from)
			return true;
	return false;
}

/* How many of the lines are of requests that begin at @from or later. */
static size_t lines_since(const struct job *job, const struct script *script, size_t from)
{
	size_t count = 0;

	/* Else nobody knows which request has no line. */
	if (script->begin_count != job->test->line_count)
		return 0;
	for (size_t i = 0; i < script->begin_count; i++)
		count += script->begins[i] >= from;
	return count;
}

/* A run that joins late. What began before may have no line; what begins later has one,
 * unless the first bytes seen are the middle of something. */
static void run_join(struct job *job, const char *variant, const struct script *script,
		     const struct play *how, unsigned ignore)
{
	_cleanup_(outcome_done) struct outcome outcome = { 0 };

	if (job->is_failed)
		return;
	play_pipeline(script, job->test, how, &outcome);
	job->result->runs++;
	if (is_move(script, how->gap_len) && outcome.count < lines_since(job, script, how->gap_len))
		fail(job, variant, "a call that began later has no line");
	compare_marked(job, variant, &outcome, ignore | IGNORE_BYTES | IGNORE_IDENTITY);
}

/* --- the ways a wire can come ----------------------------------------------- */

struct play usual(const struct job *job)
{
	return (struct play){ .role = job->test->role };
}

void run_cuts(struct job *job, const char *form, const struct script *script, unsigned ignore)
{
	size_t stride = script->bytes / job->options->cuts + 1;
	char variant[96];

	for (size_t cut = 1; cut < script->bytes; cut += stride) {
		struct play how = usual(job);

		how.cut = cut;
		snprintf(variant, sizeof(variant), "%s cut at byte %zu", form, cut);
		run(job, variant, script, &how, ignore);
	}
}

/* What was lost at the very end shows in the close's byte counts, where there is one. */
static bool has_close(const struct script *script)
{
	return script->list[script->count - 1].kind == MOVE_CLOSE;
}

void run_gaps(struct job *job, const char *form, const struct script *script, unsigned ignore)
{
	static const size_t lens[] = { 1, 7, 100, 1000 };
	size_t stride = script->bytes / job->options->gaps + 1;
	char variant[96];
	size_t n = 0;

	for (size_t gap = 0; gap < script->bytes; gap += stride, n++) {
		struct play how = usual(job);

		how.gap = gap;
		how.gap_len = MIN(lens[n % ARRAY_SIZE(lens)], script->bytes - gap);
		how.is_gap_told = n / ARRAY_SIZE(lens) % 2 || !has_close(script);
		snprintf(variant, sizeof(variant), "%s, bytes %zu to %zu lost", form, gap,
			 gap + how.gap_len - 1);
		run_gap(job, variant, script, &how, ignore);
	}
}

static void run_late_from(struct job *job, const char *form, const struct script *script, size_t from,
			  unsigned ignore)
{
	struct play how = usual(job);
	char variant[96];

	how.is_late = true;
	how.gap_len = from;
	snprintf(variant, sizeof(variant), "%s, joined at byte %zu", form, from);
	run_join(job, variant, script, &how, ignore);
}

void run_late(struct job *job, const char *form, const struct script *script, unsigned ignore)
{
	size_t stride = script->bytes / job->options->gaps + 1;
	size_t at = 0;

	for (size_t from = 1; from < script->bytes; from += stride)
		run_late_from(job, form, script, from, ignore);
	for (size_t i = 0; i < script->count; at += script->list[i++].bytes.len)
		if (at)
			run_late_from(job, form, script, at, ignore);
}

void run_both(struct job *job, const char *form, const struct script *script, unsigned ignore)
{
	struct play how = usual(job);
	char variant[96];

	run(job, form, script, &how, ignore);
	how.piece = 1;
	snprintf(variant, sizeof(variant), "%s byte by byte", form);
	run(job, variant, script, &how, ignore);
}
