/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Families of variants. Each family is one verdict: it passes when every run of it
 * gives the lines wanted.
 *
 * All bytes of a piece carry that piece's time in every variant, so the times of
 * the lines are the same, too.
 */
#include "variants.h"

#include "expect.h"
#include "limits.h"
#include "play.h"

struct job {
	const struct test_case *test, *partner;
	const struct variants_options *options;
	struct result *result;
	const char *family;
	bool is_failed;		/* the family is */
};

/* --- verdicts --------------------------------------------------------------- */

static void fail(struct job *job, const char *variant, const char *what)
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

/* One run that must give exactly what is wanted. Once a family has failed, more of
 * the same would not help. */
static void run(struct job *job, const char *variant, const struct script *script,
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

static struct play usual(const struct job *job)
{
	return (struct play){ .role = job->test->role };
}

/* In two events at the cut, for at most so many cuts, evenly apart. */
static void run_cuts(struct job *job, const char *form, const struct script *script, unsigned ignore)
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

static void run_gaps(struct job *job, const char *form, const struct script *script, unsigned ignore)
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

/* Whole, and byte by byte. */
static void run_both(struct job *job, const char *form, const struct script *script, unsigned ignore)
{
	struct play how = usual(job);
	char variant[96];

	run(job, form, script, &how, ignore);
	how.piece = 1;
	snprintf(variant, sizeof(variant), "%s byte by byte", form);
	run(job, variant, script, &how, ignore);
}

/* --- families --------------------------------------------------------------- */

/* The case as it is meant to be sent. */
static bool usual_script(const struct job *job, struct script *ret)
{
	struct http1_form form = { .framing = job->test->framing };
	_cleanup_(items_done) struct items items = { 0 };

	return items_of(&items, job->test) && script_http1(ret, &items, &form);
}

static bool is_broken(const struct test_case *test)
{
	for (size_t i = 0; i < test->step_count; i++)
		if (test->steps[i].kind == STEP_LOST)
			return true;
	return false;
}

static void whole(struct job *job)
{
	_cleanup_(script_done) struct script script = { 0 };
	struct play how = usual(job);

	if (!usual_script(job, &script)) {
		fail(job, "h1", "it cannot be sent so");
		return;
	}
	run(job, "h1", &script, &how, 0);
}

static void bytes(struct job *job)
{
	_cleanup_(script_done) struct script script = { 0 };
	struct play how = usual(job);

	if (!usual_script(job, &script))
		return;
	how.piece = 1;
	run(job, "h1", &script, &how, 0);
}

static void cuts(struct job *job)
{
	_cleanup_(script_done) struct script script = { 0 };

	if (usual_script(job, &script))
		run_cuts(job, "h1", &script, 0);
}

static void gaps(struct job *job)
{
	_cleanup_(script_done) struct script script = { 0 };

	if (!is_broken(job->test) && usual_script(job, &script))
		run_gaps(job, "h1", &script, 0);
}

static void other_role(struct job *job)
{
	_cleanup_(script_done) struct script script = { 0 };
	struct play how = usual(job);

	if (!usual_script(job, &script))
		return;
	how.role = how.role == ROLE_CLIENT ? ROLE_SERVER : ROLE_CLIENT;
	run(job, "the other role", &script, &how, OTHER_ROLE);
}

static const struct { const char *name; struct http1_form form; } forms[] = {
	{ "content-length",	  { FRAME_LENGTH, 0 } },
	{ "a chunk a piece",	  { FRAME_CHUNKED, 0 } },
	{ "chunks of a byte",	  { FRAME_CHUNKED, 1 } },
	{ "chunks of 7 bytes",	  { FRAME_CHUNKED, 7 } },
	{ "chunks of 4096 bytes", { FRAME_CHUNKED, 4096 } },
	{ "until close",	  { FRAME_CLOSE, 0 } },
};

static void framings(struct job *job)
{
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		_cleanup_(items_done) struct items items = { 0 };
		_cleanup_(script_done) struct script script = { 0 };

		if (!is_broken(job->test) && items_of(&items, job->test) && !items.is_tunnel &&
		    script_http1(&script, &items, &forms[i].form))
			run_both(job, forms[i].name, &script, 0);
	}
}

static void run_coding(struct job *job, enum side side, enum code code)
{
	struct http1_form form = { .framing = job->test->framing };
	_cleanup_(items_done) struct items items = { 0 };
	_cleanup_(script_done) struct script script = { 0 };
	char name[64];

	if (is_broken(job->test) || !items_of(&items, job->test) ||
	    !items_encode(&items, side, code) || !script_http1(&script, &items, &form))
		return;
	snprintf(name, sizeof(name), "%s in %s", side == SIDE_REQUEST ? "request" : "response",
		 code_name(code));
	run_both(job, name, &script, IGNORE_BYTES);
}

static void codings(struct job *job)
{
	static const enum code codes[] = { CODE_GZIP, CODE_DEFLATE, CODE_DEFLATE_RAW, CODE_BR, CODE_ZSTD };

	for (size_t i = 0; i < ARRAY_SIZE(codes); i++)
		run_coding(job, SIDE_RESPONSE, codes[i]);
	run_coding(job, SIDE_REQUEST, CODE_GZIP);
}

static const struct {
	const char *name;
	void (*run)(struct job *job);
	unsigned without;
} families[] = {
	{ "whole",	whole,		0 },
	{ "bytes",	bytes,		0 },
	{ "cuts",	cuts,		0 },
	{ "gaps",	gaps,		WITHOUT_GAPS },
	{ "role",	other_role,	WITHOUT_ROLES },
	{ "framings",	framings,	WITHOUT_FRAMINGS },
	{ "codings",	codings,	WITHOUT_CODINGS },
};

void variants_run(const struct test_case *test, const struct test_case *partner,
		  const struct variants_options *options, struct result *ret)
{
	struct job job = { .test = test, .partner = partner, .options = options, .result = ret };
	_cleanup_(buf_done) struct buf passed = BUF_INIT(4 * KiB);

	*ret = (struct result){ .text = BUF_INIT(1 * MiB) };
	for (size_t i = 0; i < ARRAY_SIZE(families); i++) {
		unsigned runs = ret->runs;

		if (test->without & families[i].without)
			continue;
		job.family = families[i].name;
		job.is_failed = false;
		families[i].run(&job);
		if (job.is_failed)
			ret->failed++;
		else if (ret->runs > runs)
			ret->passed++;
		if (!job.is_failed && ret->runs > runs)
			buf_printf(&passed, " %s %u", job.family, ret->runs - runs);
	}
	if (passed.len)
		buf_printf(&ret->text, "ok    %s:%s\n", test->name, buf_text(&passed));
}
