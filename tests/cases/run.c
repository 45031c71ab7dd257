/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Runs cases through the whole pipeline, in every variant. README.md says how.
 * Each case has a process of its own, so that one that crashes fails alone.
 */
#include <getopt.h>
#include <glob.h>
#include <sys/wait.h>
#include <time.h>

#include "limits.h"
#include "llm/json.h"
#include "play.h"
#include "pretty.h"
#include "record.h"
#include "variants.h"

static const char usage[] =
	"usage: run [OPTION] [FILE.case | FOLDER]...   (tests/cases by default)\n"
	"  --print      print what comes out of one case, to be read and then put into it\n"
	"  --gtcap DIR  write each case as DIR/NAME.gtcap, and the lines wanted as DIR/NAME.jsonl\n"
	"  --seeds DIR  write what fuzzers may start from, a folder for each decoder\n"
	"  --scrub      run them as `gentap record --scrub` would have recorded them\n"
	"  --cuts N     most places where a wire is cut in two (default 2000)\n"
	"  --gaps N     most places where bytes are lost (default 50)\n"
	"  --jobs N     cases at the same time (default: processors)\n";

struct paths {
	char **list;		/* owned */
	size_t count;
};

static void add_path(struct paths *paths, const char *path)
{
	paths->list = realloc(paths->list, (paths->count + 1) * sizeof(*paths->list));
	assert(paths->list);
	paths->list[paths->count++] = strdup(path);
}

static void paths_done(struct paths *paths)
{
	for (size_t i = 0; i < paths->count; i++)
		free(paths->list[i]);
	free(paths->list);
}

/* A file, or a folder's (and its folders') cases. */
static void find(struct paths *paths, const char *path)
{
	static const char *const patterns[] = { "%s/*.case", "%s/*/*.case" };
	glob_t found = { 0 };
	char pattern[512];

	if (slice_ends(slice_of(path), SLICE(".case"))) {
		add_path(paths, path);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
		snprintf(pattern, sizeof(pattern), patterns[i], path);
		glob(pattern, i ? GLOB_APPEND : 0, NULL, &found);
	}
	for (size_t i = 0; i < found.gl_pathc; i++)
		add_path(paths, found.gl_pathv[i]);
	globfree(&found);
}

/* --- one case --------------------------------------------------------------- */

static int print_case(const char *path)
{
	_cleanup_(outcome_done) struct outcome outcome = { 0 };
	_cleanup_(script_done) struct script script = { 0 };
	_cleanup_(items_done) struct items items = { 0 };
	_cleanup_(freep) struct test_case *test = calloc(1, sizeof(*test));
	struct http1_form form;
	struct play how;

	if (!case_load(test, path) || !items_of(&items, test))
		return 1;
	form = (struct http1_form){ .framing = test->framing };
	how = (struct play){ .role = test->role };
	if (!script_http1(&script, &items, &form))
		return 1;
	play_pipeline(&script, test, &how, &outcome);
	for (size_t i = 0; i < outcome.count; i++) {
		_cleanup_(json_freep) cJSON *line = cJSON_Parse(outcome.lines[i]);
		_cleanup_(buf_done) struct buf text = BUF_INIT(64 * MiB);

		pretty_json(line, &text);
		printf("%s@ line\n%s", i ? "\n" : "", buf_text(&text));
	}
	if (!outcome.count)
		puts("@ no line");
	for (int loss = 0; loss < LOSS_COUNT; loss++)
		if (outcome.losses[loss])
			fprintf(stderr, "counted: %s %llu\n", loss_name((enum loss)loss),
				(unsigned long long)outcome.losses[loss]);
	case_done(test);
	return 0;
}

/* Has each case written by @write. */
static int write_all(const struct paths *paths, const char *folder,
		     bool (*write)(const struct test_case *test, const char *folder))
{
	int code = 0;

	for (size_t i = 0; i < paths->count; i++) {
		_cleanup_(freep) struct test_case *test = calloc(1, sizeof(*test));

		if (!case_load(test, paths->list[i]) || !write(test, folder))
			code = 1;
		case_done(test);
	}
	return code;
}

/* The next case (of all, in a circle) that can share a connection with number @at. */
static bool find_partner(const struct paths *paths, size_t at, const struct test_case *test,
			 struct test_case *ret)
{
	for (size_t i = 1; i < paths->count; i++) {
		if (case_load(ret, paths->list[(at + i) % paths->count]) && variants_may_share(test, ret))
			return true;
		case_done(ret);
	}
	return false;
}

/* Runs in a process of its own. */
static int run_case(const struct paths *paths, size_t at, const struct variants_options *options, FILE *out)
{
	_cleanup_(freep) struct test_case *test = calloc(1, sizeof(*test));
	_cleanup_(freep) struct test_case *partner = calloc(1, sizeof(*partner));
	const char *path = paths->list[at];
	struct result result = { 0 };

	if (!case_load(test, path)) {
		fprintf(out, "FAIL  %s: cannot be read\n0 1 0\n", path);
	} else if (!test->has_expectation) {
		fprintf(out, "FAIL  %s: says not what must come out ('@ line', or '@ no line')\n0 1 0\n", path);
	} else {
		bool has_partner = find_partner(paths, at, test, partner);

		variants_run(test, has_partner ? partner : NULL, options, &result);
		/* The counts stand in the last line. */
		fprintf(out, "%s%u %u %u\n", buf_text(&result.text), result.passed, result.failed, result.runs);
	}
	buf_done(&result.text);
	case_done(partner);
	case_done(test);
	return fclose(out) == 0 ? 0 : 1;
}

/* --- all of them ------------------------------------------------------------ */

struct job {
	const char *path;
	pid_t pid;
	FILE *out;
};

struct totals {
	unsigned passed, failed, runs;
};

static void start(struct job *job, const struct paths *paths, size_t at,
		  const struct variants_options *options)
{
	*job = (struct job){ .path = paths->list[at], .out = tmpfile() };
	assert(job->out);
	fflush(NULL);
	job->pid = fork();
	if (job->pid == 0)
		exit(run_case(paths, at, options, job->out));
	assert(job->pid > 0);
}

/* Prints what the case said, its counts excepted. */
static void collect(struct job *job, int status, struct totals *totals)
{
	unsigned passed = 0, failed = 0, runs = 0;
	char line[8192];
	int n = 0;

	rewind(job->out);
	while (fgets(line, sizeof(line), job->out)) {
		n = sscanf(line, "%u %u %u", &passed, &failed, &runs);
		if (n != 3)
			fputs(line, stdout);
	}
	if (n != 3 || !WIFEXITED(status) || WEXITSTATUS(status)) {
		printf("FAIL  %s: ended with %s %d\n", job->path, WIFSIGNALED(status) ? "signal" : "status",
		       WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
		failed++;
	}
	totals->passed += passed;
	totals->failed += failed;
	totals->runs += runs;
	fclose(job->out);
	*job = (struct job){ 0 };
}

static void wait_for_one(struct job *jobs, size_t count, struct totals *totals)
{
	int status;
	pid_t pid = wait(&status);

	for (size_t i = 0; i < count; i++)
		if (jobs[i].pid == pid)
			collect(&jobs[i], status, totals);
}

static struct job *free_job(struct job *jobs, size_t count, struct totals *totals)
{
	for (;;) {
		for (size_t i = 0; i < count; i++)
			if (!jobs[i].pid)
				return &jobs[i];
		wait_for_one(jobs, count, totals);
	}
}

static bool is_running(const struct job *jobs, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (jobs[i].pid)
			return true;
	return false;
}

static int run_all(const struct paths *paths, const struct variants_options *options, size_t count)
{
	_cleanup_(freep) struct job *jobs = calloc(count, sizeof(*jobs));
	struct totals totals = { 0 };
	struct timespec from, to;

	assert(jobs);
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (size_t i = 0; i < paths->count; i++)
		start(free_job(jobs, count, &totals), paths, i, options);
	while (is_running(jobs, count))
		wait_for_one(jobs, count, &totals);
	clock_gettime(CLOCK_MONOTONIC, &to);
	printf("%zu cases, %u runs in %.1f s; at most %zu cuts and %zu gaps a wire, evenly apart\n", paths->count,
	       totals.runs, (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9,
	       options->cuts, options->gaps);
	printf("%u passed, %u failed\n", totals.passed, totals.failed);
	return totals.failed || !totals.passed;
}

struct arguments {
	bool is_print;
	const char *gtcap, *seeds;	/* folders */
	struct variants_options variants;
	size_t jobs;
};

static bool take_arguments(int argc, char **argv, struct arguments *ret)
{
	static const struct option options[] = {
		{ "print", no_argument, NULL, 'p' }, { "cuts", required_argument, NULL, 'c' },
		{ "gaps", required_argument, NULL, 'g' }, { "jobs", required_argument, NULL, 'j' },
		{ "gtcap", required_argument, NULL, 't' }, { "seeds", required_argument, NULL, 's' }, { "scrub", no_argument, NULL, 'x' }, { 0 },
	};
	bool is_ok = true;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1) {
		size_t n = optarg ? strtoul(optarg, NULL, 10) : 0;

		switch (option) {
		case 'p':
			ret->is_print = true;
			break;
		case 'x':
			play_scrubbed();
			break;
		case 't':
			ret->gtcap = optarg;
			break;
		case 's':
			ret->seeds = optarg;
			break;
		case 'c':
		case 'g':
		case 'j':
			*(option == 'c' ? &ret->variants.cuts : option == 'g' ? &ret->variants.gaps
									      : &ret->jobs) = n;
			is_ok &= n > 0;
			break;
		default:
			is_ok = false;
		}
	}
	return is_ok;
}

int main(int argc, char **argv)
{
	struct arguments arguments = { .variants = { .cuts = 2000, .gaps = 50 } };
	_cleanup_(paths_done) struct paths paths = { 0 };

	arguments.jobs = (size_t)MAX(sysconf(_SC_NPROCESSORS_ONLN), 1l);
	if (!take_arguments(argc, argv, &arguments)) {
		fputs(usage, stderr);
		return 2;
	}
	for (int i = optind; i < argc; i++)
		find(&paths, argv[i]);
	if (optind == argc)
		find(&paths, "tests/cases");
	if (!paths.count) {
		fputs("run: no cases there\n", stderr);
		return 2;
	}
	if (arguments.is_print)
		return print_case(paths.list[0]);
	if (arguments.gtcap)
		return write_all(&paths, arguments.gtcap, record_case);
	if (arguments.seeds)
		return write_all(&paths, arguments.seeds, seed_case);
	return run_all(&paths, &arguments.variants, arguments.jobs);
}
