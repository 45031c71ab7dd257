/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cases through the whole pipeline while memory is short: every allocation fails in turn,
 * once alone and once with all that follow it. Nothing may crash or leak, and whatever
 * is missing in a line is said in it (no_memory), and counted. The same through the
 * scrubber, which may then leave nothing that it overwrites otherwise.
 *
 * Each case has a process of its own, so that one that crashes fails alone.
 */
#include <glob.h>
#include <openssl/err.h>
#include <sys/wait.h>

#include "allocate.h"
#include "../cases/play.h"
#include "limits.h"
#include "llm/json.h"
#include "source/scrub.h"

enum { FAILURES_TOLD = 5, TOLD = 2000 };

/* '*' in a Huffman string (RFC 7541 appendix B). */
#define STAR '\xf9'

struct sink {
	struct pipeline *pipeline;
	struct outcome outcome;
};

/* One way to send a case. */
struct wire {
	const char *name;
	bool (*script)(const struct test_case *test, const struct wire *wire, struct script *ret);
	int code;		/* content coding of the answer; -1: none */
	struct play how;
};

struct verdict {
	const char *path;
	const struct wire *wire;
	const struct test_case *test;
	struct script script;
	uint64_t runs, failed;
};

/* --- one run ------------------------------------------------------------------ */

static void take_line(void *ctx, struct slice line)
{
	struct sink *sink = ctx;

	allocate_watch(false);
	if (sink->outcome.count < CASE_LINES)
		sink->outcome.lines[sink->outcome.count] = strndup(line.ptr, line.len);
	sink->outcome.count++;
	allocate_watch(true);
}

static void on_event(void *ctx, const struct gt_event *event)
{
	struct sink *sink = ctx;

	allocate_watch(true);
	pipeline_event(sink->pipeline, event);
	allocate_watch(false);
}

static void on_detach(void *ctx, uint64_t time_ns)
{
	struct sink *sink = ctx;

	allocate_watch(true);
	pipeline_detach(sink->pipeline, time_ns);
	allocate_watch(false);
}

/* False when there was not even memory for the pipeline. */
static bool run(const struct verdict *verdict, struct sink *ret)
{
	struct pipeline_options options = {
		.generation = { .content = CONTENT_FULL, .boot_id = PLAY_BOOT_ID,
				.realtime_offset_ns = PLAY_REALTIME_NS - PLAY_START_NS },
		.max_content = LIMIT_CONTENT,
		.line = take_line,
		.ctx = ret,
	};
	struct player player = { on_event, on_detach, ret };
	struct play how = verdict->wire->how;
	struct pipeline_totals totals;
	int r;

	*ret = (struct sink){ 0 };
	allocate_watch(true);
	r = pipeline_new(&ret->pipeline, &options);
	allocate_watch(false);
	if (r < 0)
		return false;
	how.role = verdict->test->role;
	play(&verdict->script, verdict->test, &how, &player);
	pipeline_totals(ret->pipeline, &totals);
	memcpy(ret->outcome.losses, totals.losses, sizeof(totals.losses));
	allocate_watch(true);
	pipeline_free(&ret->pipeline);
	allocate_watch(false);
	return true;
}

/* --- what must be so ------------------------------------------------------------ */

static bool is_told(const char *text)
{
	_cleanup_(json_freep) cJSON *line = cJSON_Parse(text);
	const cJSON *reason;

	cJSON_ArrayForEach(reason, json_array(json_get(line, "evidence"), "reasons"))
		if (strcmp(cJSON_GetStringValue(reason), loss_name(LOSS_NO_MEMORY)) == 0)
			return true;
	return false;
}

static bool is_wanted(const struct outcome *wanted, const char *line)
{
	for (size_t i = 0; i < wanted->count; i++)
		if (strcmp(wanted->lines[i], line) == 0)
			return true;
	return false;
}

/* NULL when all is well. */
static const char *judge(const struct outcome *wanted, const struct outcome *got)
{
	bool is_all = got->count == wanted->count;

	if (got->count > wanted->count)
		return "a line too many";
	for (size_t i = 0; i < got->count; i++) {
		bool is_same = is_wanted(wanted, got->lines[i]);

		is_all &= is_same;
		if (!is_same && !is_told(got->lines[i]))
			return got->lines[i];
	}
	return is_all || got->losses[LOSS_NO_MEMORY] ? NULL : "what is missing was not counted";
}

/* Libcrypto remembers the texts of its last errors. */
static int64_t live_by_now(void)
{
	ERR_clear_error();
	return allocate_live();
}

static void fail(struct verdict *verdict, uint64_t nth, bool is_for_good, const char *what)
{
	if (verdict->failed++ < FAILURES_TOLD)
		printf("FAIL  %s, %s: allocation %llu%s: %.*s\n", verdict->path, verdict->wire->name,
		       (unsigned long long)nth, is_for_good ? " and all after it" : "", TOLD, what);
}

static void check(struct verdict *verdict, const struct outcome *wanted, uint64_t nth, bool is_for_good)
{
	int64_t live = live_by_now();
	const char *wrong = NULL;
	struct sink sink;

	allocate_arm(nth, is_for_good);
	if (run(verdict, &sink))
		wrong = judge(wanted, &sink.outcome);
	verdict->runs++;
	if (wrong)
		fail(verdict, nth, is_for_good, wrong);
	outcome_done(&sink.outcome);
	if (live_by_now() != live)
		fail(verdict, nth, is_for_good, "it leaks");
}

static void starve_pipeline(struct verdict *verdict)
{
	struct sink wanted;
	uint64_t count;

	/* Libraries set themselves up at their first use. */
	if (run(verdict, &wanted))
		outcome_done(&wanted.outcome);
	allocate_arm(0, /* is_for_good */ false);
	if (!run(verdict, &wanted)) {
		fail(verdict, 0, /* is_for_good */ false, "no pipeline");
		return;
	}
	count = allocate_count();
	for (uint64_t nth = 1; nth <= count; nth++)
		for (int is_for_good = 0; is_for_good < 2; is_for_good++)
			check(verdict, &wanted.outcome, nth, is_for_good);
	outcome_done(&wanted.outcome);
}

/* --- the scrubber --------------------------------------------------------------- */

struct scrubbing {
	struct scrubber *scrubber;
	struct buf bytes;	/* of all events, as they are written */
	struct buf original;
};

static void scrub_event(void *ctx, const struct gt_event *event)
{
	const struct gt_data_event *data = (const void *)event;
	struct scrubbing *scrubbing = ctx;

	if (event->type == GT_EVENT_DATA)
		buf_add(&scrubbing->original, data->bytes, data->captured_len);
	/* The event is the player's, which has no more use for it. */
	allocate_watch(true);
	scrubber_event(scrubbing->scrubber, (struct gt_event *)event);
	allocate_watch(false);
	if (event->type == GT_EVENT_DATA)
		buf_add(&scrubbing->bytes, data->bytes, data->captured_len);
}

static void no_detach(void *ctx, uint64_t time_ns)
{
	(void)ctx;
	(void)time_ns;
}

static bool scrub(const struct verdict *verdict, struct scrubbing *ret)
{
	struct player player = { scrub_event, no_detach, ret };
	struct play how = verdict->wire->how;
	int r;

	*ret = (struct scrubbing){ .bytes = BUF_INIT(64 * MiB), .original = BUF_INIT(64 * MiB) };
	allocate_watch(true);
	r = scrubber_new(&ret->scrubber);
	allocate_watch(false);
	if (r < 0)
		return false;
	how.role = verdict->test->role;
	play(&verdict->script, verdict->test, &how, &player);
	scrubber_free(&ret->scrubber);
	return true;
}

/* What is short of memory may overwrite too much, never too little. */
static const char *judge_scrubbed(const struct scrubbing *wanted, const struct scrubbing *got)
{
	const char *original = wanted->original.ptr, *bytes = got->bytes.ptr;

	if (wanted->bytes.len != got->bytes.len)
		return "the scrubber changes lengths";
	for (size_t i = 0; i < got->bytes.len; i++) {
		char hidden = wanted->bytes.ptr[i];

		if (hidden != original[i] && bytes[i] != hidden && bytes[i] != '*' && bytes[i] != STAR)
			return "the scrubber leaves what it should overwrite";
	}
	return NULL;
}

static void scrubbing_done(struct scrubbing *scrubbing)
{
	buf_done(&scrubbing->bytes);
	buf_done(&scrubbing->original);
}

static void starve_scrubber(struct verdict *verdict)
{
	struct scrubbing wanted, got;
	const char *wrong = NULL;
	uint64_t count;

	allocate_arm(0, /* is_for_good */ false);
	if (!scrub(verdict, &wanted)) {
		fail(verdict, 0, /* is_for_good */ false, "no scrubber");
		return;
	}
	count = allocate_count();
	for (uint64_t nth = 1; nth <= 2 * count; nth++) {
		int64_t live = live_by_now();

		wrong = NULL;
		allocate_arm((nth + 1) / 2, nth % 2);
		if (scrub(verdict, &got))
			wrong = judge_scrubbed(&wanted, &got);
		scrubbing_done(&got);
		verdict->runs++;
		if (!wrong && live_by_now() != live)
			wrong = "the scrubber leaks";
		if (wrong)
			fail(verdict, (nth + 1) / 2, nth % 2, wrong);
	}
	scrubbing_done(&wanted);
}

/* --- one case --------------------------------------------------------------------- */

static bool over_http1(const struct test_case *test, const struct wire *wire, struct script *ret)
{
	struct http1_form form = { .framing = test->framing, .websocket.is_deflated = wire->code == CODE_DEFLATE };
	_cleanup_(items_done) struct items items = { 0 };

	return items_of(&items, test) &&
	       (wire->code < 0 || items.is_tunnel || items_encode(&items, SIDE_RESPONSE, (enum code)wire->code)) &&
	       script_http1(ret, &items, &form);
}

static bool over_http2(const struct test_case *test, const struct wire *wire, struct script *ret)
{
	_cleanup_(items_done) struct items items = { 0 };
	const struct items *const all[] = { &items };

	(void)wire;
	return items_of(&items, test) && script_http2(ret, all, 1, test->is_tls, &(struct http2_form){ .padding = 2 });
}

static const struct wire wires[] = {
	{ "HTTP/1", over_http1, -1, { 0 } },
	{ "HTTP/1 in pieces", over_http1, -1, { .piece = 7 } },
	{ "HTTP/2", over_http2, -1, { 0 } },
	{ "HTTP/2 in pieces", over_http2, -1, { .piece = 7 } },
	{ "HTTP/2, joined late", over_http2, -1, { .is_late = true, .gap = 0, .gap_len = 100 } },
	{ "gzip", over_http1, CODE_GZIP, { 0 } },
	{ "deflate", over_http1, CODE_DEFLATE, { 0 } },
	{ "br", over_http1, CODE_BR, { 0 } },
	{ "zstd", over_http1, CODE_ZSTD, { 0 } },
};

/* Runs in a process of its own. @is_all: every wire, not only the first. */
static int starve_case(const char *path, bool is_all)
{
	_cleanup_(freep) struct test_case *test = calloc(1, sizeof(*test));
	struct verdict verdict = { .path = path, .test = test };

	if (!case_load(test, path))
		return 1;
	for (size_t i = 0; i < (is_all ? ARRAY_SIZE(wires) : 1); i++) {
		verdict.wire = &wires[i];
		verdict.script = (struct script){ 0 };
		if (wires[i].script(test, &wires[i], &verdict.script)) {
			starve_pipeline(&verdict);
			starve_scrubber(&verdict);
		}
		script_done(&verdict.script);
	}
	printf("%s  %s: %llu runs, %llu failed\n", verdict.failed ? "FAIL" : "ok  ", path,
	       (unsigned long long)verdict.runs, (unsigned long long)verdict.failed);
	fflush(stdout);
	case_done(test);
	return verdict.failed != 0;
}

/* --- all of them -------------------------------------------------------------------- */

struct totals {
	unsigned passed, failed;
};

static void wait_for_one(struct totals *totals)
{
	int status;

	assert(wait(&status) > 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		totals->passed++;
	else
		totals->failed++;
	if (WIFSIGNALED(status))
		printf("FAIL  a case was ended by signal %d\n", WTERMSIG(status));
}

/* One or two of each dialect do. */
static bool goes_every_way(const char *path)
{
	static const char *const names[] = { "/stream.case", "/plain.case", "/socket.case", "/text.case" };

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (slice_ends(slice_of(path), slice_of(names[i])))
			return true;
	return false;
}

static void start(const char *path)
{
	pid_t pid;

	fflush(NULL);
	pid = fork();
	assert(pid >= 0);
	if (pid == 0)
		exit(starve_case(path, goes_every_way(path)));
}

int main(int argc, char **argv)
{
	long jobs = MAX(sysconf(_SC_NPROCESSORS_ONLN), 1l), running = 0;
	struct totals totals = { 0 };
	static char buffer[BUFSIZ];
	glob_t found = { 0 };

	/* Its buffer would be an allocation. */
	setvbuf(stdout, buffer, _IOLBF, sizeof(buffer));
	if (argc == 1)
		glob("tests/cases/*/*.case", 0, NULL, &found);
	for (int i = 1; i < argc; i++)
		glob(argv[i], i > 1 ? GLOB_APPEND : 0, NULL, &found);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		if (running == jobs) {
			wait_for_one(&totals);
			running--;
		}
		start(found.gl_pathv[i]);
		running++;
	}
	while (running--)
		wait_for_one(&totals);
	globfree(&found);
	printf("%u passed, %u failed\n", totals.passed, totals.failed);
	return totals.failed || !totals.passed;
}
