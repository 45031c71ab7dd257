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

/* A run with a hole: a line that is as wanted, or that says that it is not, or none
 * and a loss that was counted. Exchanges are counted as they are seen, so that after a
 * lost one the next has its number, and with it another id. */
static void run_gap(struct job *job, const char *variant, const struct script *script,
		    const struct play *how, unsigned ignore)
{
	_cleanup_(outcome_done) struct outcome outcome = { 0 };
	const struct test_case *test = job->test;
	bool is_counted = false;

	ignore |= IGNORE_BYTES | IGNORE_IDENTITY;
	if (job->is_failed)
		return;
	play_pipeline(script, test, how, &outcome);
	job->result->runs++;
	for (int loss = 0; loss < LOSS_COUNT; loss++)
		is_counted |= outcome.losses[loss] > 0;
	if (outcome.count > test->line_count)
		fail(job, variant, "a line too many");
	if (outcome.count < test->line_count && !is_counted)
		fail(job, variant, "a line is missing, and no loss is counted");
	for (size_t i = 0; i < outcome.count && !job->is_failed; i++) {
		bool is_same = false;

		for (size_t k = 0; k < test->line_count; k++)
			is_same |= expect_same(outcome.lines[i], test->lines[k], ignore);
		if (is_same || expect_marked(outcome.lines[i]))
			continue;
		fail(job, variant, "a wrong line that does not say so");
		expect_difference(outcome.lines[i], test->lines[MIN(i, test->line_count - 1)],
				  ignore, &job->result->text);
	}
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

void run_late(struct job *job, const char *form, const struct script *script, unsigned ignore)
{
	size_t stride = script->bytes / job->options->gaps + 1;
	char variant[96];

	for (size_t from = 1; from < script->bytes; from += stride) {
		struct play how = usual(job);

		how.is_late = true;
		how.gap_len = from;
		snprintf(variant, sizeof(variant), "%s, joined at byte %zu", form, from);
		run_gap(job, variant, script, &how, ignore);
	}
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
