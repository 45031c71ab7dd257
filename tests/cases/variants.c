/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Families of variants. Each family is one verdict: it passes when every run of it
 * gives the lines wanted.
 *
 * All bytes of a piece carry that piece's time in every variant, so the times of
 * the lines are the same, too.
 */
#include "limits.h"
#include "verdict.h"

/* --- families --------------------------------------------------------------- */

/* The case as it is meant to be sent. */
static bool usual_script(const struct job *job, struct script *ret)
{
	struct http1_form form = { .framing = job->test->framing };
	_cleanup_(items_done) struct items items = { 0 };

	return items_of(&items, job->test) && script_http1(ret, &items, &form);
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

	if (!case_is_broken(job->test) && usual_script(job, &script))
		run_gaps(job, "h1", &script, 0);
}

static void late(struct job *job)
{
	_cleanup_(script_done) struct script script = { 0 };

	if (!case_is_broken(job->test) && usual_script(job, &script))
		run_late(job, "h1", &script, 0);
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
	{ "content-length",	  { .framing = FRAME_LENGTH } },
	{ "a chunk a piece",	  { .framing = FRAME_CHUNKED } },
	{ "chunks of a byte",	  { .framing = FRAME_CHUNKED, .chunk = 1 } },
	{ "chunks of 7 bytes",	  { .framing = FRAME_CHUNKED, .chunk = 7 } },
	{ "chunks of 4096 bytes", { .framing = FRAME_CHUNKED, .chunk = 4096 } },
	{ "decorated chunks",	  { .framing = FRAME_CHUNKED, .chunk = 30, .is_decorated = true } },
	{ "until close",	  { .framing = FRAME_CLOSE } },
};

static void crlf(struct job *job)
{
	_cleanup_(items_done) struct items items = { 0 };
	_cleanup_(script_done) struct script script = { 0 };

	if (!case_is_broken(job->test) && items_of(&items, job->test) && items_crlf(&items) &&
	    script_http1(&script, &items, &(struct http1_form){ .framing = job->test->framing }))
		run_both(job, "events in CR LF", &script, IGNORE_BYTES);
}

static void framings(struct job *job)
{
	crlf(job);
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		_cleanup_(items_done) struct items items = { 0 };
		_cleanup_(script_done) struct script script = { 0 };

		if (!case_is_broken(job->test) && items_of(&items, job->test) && !items.is_tunnel &&
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

	if (case_is_broken(job->test) || !items_of(&items, job->test) ||
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

/* --- WebSocket -------------------------------------------------------------- */

static const struct { const char *name; struct ws_form form; } sockets[] = {
	{ "fragments of 16 bytes",	{ .fragment = 16 } },
	{ "fragments and pings",	{ .fragment = 5, .is_noisy = true } },
	{ "deflated",			{ .is_deflated = true } },
	{ "deflated each for itself",	{ .is_deflated = true, .is_fresh = true } },
	{ "deflated fragments",		{ .is_deflated = true, .fragment = 9, .is_noisy = true } },
};

static void websockets(struct job *job)
{
	for (size_t i = 0; i < ARRAY_SIZE(sockets); i++) {
		struct http1_form form = { .websocket = sockets[i].form };
		_cleanup_(items_done) struct items items = { 0 };
		_cleanup_(script_done) struct script script = { 0 };

		if (items_of(&items, job->test) && items.is_tunnel && script_http1(&script, &items, &form))
			run_both(job, sockets[i].name, &script, IGNORE_BYTES);
	}
}

/* --- all of them ------------------------------------------------------------ */

static const struct {
	const char *name;
	void (*run)(struct job *job);
	unsigned without;
} families[] = {
	{ "whole",	whole,		0 },
	{ "bytes",	bytes,		0 },
	{ "cuts",	cuts,		0 },
	{ "gaps",	gaps,		WITHOUT_GAPS },
	{ "late",	late,		WITHOUT_GAPS },
	{ "role",	other_role,	WITHOUT_ROLES },
	{ "framings",	framings,	WITHOUT_FRAMINGS },
	{ "codings",	codings,	WITHOUT_CODINGS },
	{ "websockets",	websockets,	0 },
	{ "h2",		family_h2,		WITHOUT_H2 },
	{ "h2-cuts",	family_h2_cuts,	WITHOUT_H2 },
	{ "h2-gaps",	family_h2_gaps,	WITHOUT_H2 | WITHOUT_GAPS },
	{ "h2-late",	family_h2_late,	WITHOUT_H2 | WITHOUT_GAPS },
	{ "h2-upgrade",	family_h2_upgrade,	WITHOUT_H2 },
	{ "h2-role",	family_h2_role,	WITHOUT_H2 | WITHOUT_ROLES },
	{ "h2-codings",	family_h2_codings,	WITHOUT_H2 | WITHOUT_CODINGS },
	{ "h2-two",	family_h2_two,		WITHOUT_H2 },
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
