/* SPDX-License-Identifier: Apache-2.0 */
/* The families of HTTP/2: the same lines but for the version, to the last byte count. */
#include "verdict.h"

static bool http2_script(const struct job *job, const struct http2_form *form, int code, struct script *ret)
{
	_cleanup_(items_done) struct items items = { 0 };
	const struct items *const all[] = { &items };

	return !case_is_broken(job->test) && items_of(&items, job->test) &&
	       (code < 0 || items_encode(&items, SIDE_RESPONSE, (enum code)code)) &&
	       script_http2(ret, all, 1, job->test->is_tls, form);
}

void family_h2(struct job *job)
{
	static const struct { const char *name; struct http2_form form; } forms2[] = {
		{ "a frame a piece",	     { 0 } },
		{ "frames of a byte",	     { .data = 1, .block = 1 } },
		{ "padding and other frames", { .data = 50, .block = 20, .padding = 9, .is_noisy = true } },
		{ "hints and trailers",	     { .is_decorated = true } },
		{ "stream reset",	     { .is_reset = true } },
	};

	for (size_t i = 0; i < ARRAY_SIZE(forms2); i++) {
		_cleanup_(script_done) struct script script = { 0 };

		if (http2_script(job, &forms2[i].form, /* code */ -1, &script))
			run_both(job, forms2[i].name, &script, HTTP_2);
	}
}

void family_h2_cuts(struct job *job)
{
	_cleanup_(script_done) struct script script = { 0 };

	if (http2_script(job, &(struct http2_form){ .padding = 3 }, /* code */ -1, &script))
		run_cuts(job, "h2", &script, HTTP_2);
}

void family_h2_gaps(struct job *job)
{
	_cleanup_(script_done) struct script script = { 0 };

	if (http2_script(job, &(struct http2_form){ 0 }, /* code */ -1, &script))
		run_gaps(job, "h2", &script, HTTP_2);
}

void family_h2_late(struct job *job)
{
	_cleanup_(script_done) struct script script = { 0 };

	if (http2_script(job, &(struct http2_form){ 0 }, /* code */ -1, &script))
		run_late(job, "h2", &script, HTTP_2);
}

/* The version is the request's: 1.1. */
void family_h2_upgrade(struct job *job)
{
	_cleanup_(script_done) struct script script = { 0 };

	if (job->test->line_count <= 1 && !job->test->is_tls &&
	    http2_script(job, &(struct http2_form){ .is_upgrade = true }, /* code */ -1, &script))
		run_both(job, "h2c", &script, 0);
}

void family_h2_role(struct job *job)
{
	_cleanup_(script_done) struct script script = { 0 };
	struct play how = usual(job);

	if (!http2_script(job, &(struct http2_form){ 0 }, /* code */ -1, &script))
		return;
	how.role = how.role == ROLE_CLIENT ? ROLE_SERVER : ROLE_CLIENT;
	run(job, "the other role", &script, &how, HTTP_2 | OTHER_ROLE);
}

void family_h2_codings(struct job *job)
{
	for (int code = 0; code < CODE_COUNT; code++) {
		_cleanup_(script_done) struct script script = { 0 };

		if (http2_script(job, &(struct http2_form){ 0 }, code, &script))
			run_both(job, code_name(code), &script, HTTP_2 | IGNORE_BYTES);
	}
}

/* The lines of both cases, in any order. */
static void compare_two(struct job *job, const struct outcome *outcome)
{
	const struct test_case *tests[] = { job->test, job->partner };
	size_t wanted = job->test->line_count + job->partner->line_count;
	const unsigned ignore = HTTP_2 | IGNORE_IDENTITY;

	if (outcome->count != wanted) {
		fail(job, job->partner->name, outcome->count < wanted ? "a line is missing" : "a line too many");
		return;
	}
	for (int i = 0; i < 2; i++)
		for (size_t k = 0; k < tests[i]->line_count; k++) {
			unsigned role = tests[i]->role == job->test->role ? 0 : OTHER_ROLE;
			bool has_it = false;

			for (size_t n = 0; n < outcome->count; n++)
				has_it |= expect_same(outcome->lines[n], tests[i]->lines[k], ignore | role);
			if (!has_it) {
				fail(job, job->partner->name, tests[i]->name);
				buf_printf(&job->result->text, "        not its line\n");
			}
		}
}

bool variants_may_share(const struct test_case *a, const struct test_case *b)
{
	const struct test_case *tests[] = { a, b };

	if (a->is_tls != b->is_tls)
		return false;
	for (int i = 0; i < 2; i++) {
		if (tests[i]->without & WITHOUT_H2 || case_is_broken(tests[i]) || !tests[i]->has_expectation)
			return false;
		for (size_t k = 0; k < tests[i]->step_count; k++)
			if (tests[i]->steps[k].kind == STEP_DETACH || tests[i]->steps[k].kind == STEP_EXIT ||
			    tests[i]->steps[k].kind == STEP_CLIENT || tests[i]->steps[k].kind == STEP_SERVER)
				return false;
	}
	return true;
}

/* Two cases on one connection, whose streams take turns. */
void family_h2_two(struct job *job)
{
	_cleanup_(items_done) struct items a = { 0 }, b = { 0 };
	_cleanup_(script_done) struct script script = { 0 };
	const struct items *const all[] = { &a, &b };
	struct http2_form form = { .data = 30, .is_reset = true };

	if (!job->partner || !items_of(&a, job->test) || !items_of(&b, job->partner) ||
	    !script_http2(&script, all, 2, job->test->is_tls, &form))
		return;
	for (size_t piece = 0; piece < 2; piece++) {
		_cleanup_(outcome_done) struct outcome outcome = { 0 };
		struct play how = usual(job);

		how.piece = piece;
		play_pipeline(&script, job->test, &how, &outcome);
		job->result->runs++;
		compare_two(job, &outcome);
	}
}
