/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exporter end to end: every line that goes in is in the store, in the
 * sinks and at the fake Langfuse, or counted by name.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/mount.h>
#include <sys/stat.h>

#include "export/exporter.h"
#include "fake.h"

static char dir[64];
static struct fake fake;

static const char *in_dir(const char *name)
{
	static char path[4][128];
	static unsigned turn;
	char *ret = path[turn++ % ARRAY_SIZE(path)];

	snprintf(ret, sizeof(path[0]), "%s/%s", dir, name);
	return ret;
}

/* stdout and stderr of the test process become files, to be read afterwards. */
static void setup(void)
{
	strcpy(dir, "/tmp/gentap-exporter-XXXXXX");
	cr_assert(mkdtemp(dir));
	cr_assert(freopen(in_dir("stdout"), "w", stdout));
	cr_assert(freopen(in_dir("stderr"), "w", stderr));
	setvbuf(stderr, NULL, _IONBF, 0);
}

static void teardown(void)
{
	char command[128];

	if (fake.pid > 0)
		fake_stop(&fake);
	umount2(in_dir("small"), MNT_DETACH);
	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	cr_assert_eq(system(command), 0);
}

TestSuite(exporter, .init = setup, .fini = teardown, .timeout = 60);

/* --- what went where --------------------------------------------------------- */

static const char *read_file(const char *path)
{
	static struct buf text = BUF_INIT(64 * MiB);
	char bytes[65536];
	ssize_t n;
	int fd = open(path, O_RDONLY);

	buf_reset(&text);
	cr_assert_geq(fd, 0, "%s: %m", path);
	while ((n = read(fd, bytes, sizeof(bytes))) > 0)
		buf_add(&text, bytes, (size_t)n);
	close(fd);
	return buf_text(&text);
}

/* How many lines, each of which must be a whole generation, in order of their ids. */
static unsigned lines_in(const char *path)
{
	const char *at = read_file(path);
	unsigned count = 0, last = 0;

	while (*at) {
		const char *end = strchr(at, '\n');
		unsigned id = 0;
		cJSON *line;

		cr_assert(end, "%s: no line end behind '%.60s'", path, at);
		line = cJSON_ParseWithLength(at, (size_t)(end - at));
		cr_assert(line, "%s: torn line '%.60s'", path, at);
		sscanf(cJSON_GetStringValue(cJSON_GetObjectItem(line, "id")), "%x", &id);
		cr_assert_gt(id, last, "%s: order", path);
		last = id;
		count++;
		cJSON_Delete(line);
		at = end + 1;
	}
	return count;
}

static unsigned times_in(const char *text, const char *what)
{
	unsigned count = 0;

	for (; (text = strstr(text, what)); text++)
		count++;
	return count;
}

static unsigned stored(enum outbox outbox)
{
	struct store *store = NULL;
	uint64_t count = 0;

	cr_assert_eq(store_open(&store, in_dir("a.db"), true, NULL), 0);
	cr_assert_eq(store_count(store, outbox, &count), 0);
	store_close(&store);
	return (unsigned)count;
}

/* --- running one ------------------------------------------------------------- */

static struct exporter *start(struct exporter_options options, enum sink_type type, const char *path)
{
	static struct sink_option sink;
	struct exporter *exporter = NULL;
	char *error = NULL;

	sink = (struct sink_option){ type, path };
	options.sinks = &sink;
	options.sink_count = 1;
	cr_assert_eq(exporter_new(&exporter, &options, &error), 0, "%s", error);
	return exporter;
}

static struct exporter_options with_store(void)
{
	static char path[128];

	strcpy(path, in_dir("a.db"));
	return (struct exporter_options){ .store_path = path };
}

/* To the fake Langfuse, started if it is not. */
static struct exporter_options with_langfuse(void)
{
	struct exporter_options options = with_store();

	if (!fake.pid)
		fake_start(&fake);
	options.langfuse = &fake.options;
	options.flush_interval_ms = 20;
	return options;
}

static void push_text(struct exporter *exporter, unsigned n, const char *output)
{
	_cleanup_(buf_done) struct buf line = BUF_INIT(4 * MiB);

	fake_line(&line, n, output);
	cr_assert_eq(exporter_push(exporter, buf_slice(&line)), 0);
}

static void push_many(struct exporter *exporter, unsigned from, unsigned to)
{
	for (unsigned n = from; n <= to; n++)
		push_text(exporter, n, "hello");
}

static struct exporter_totals stop(struct exporter *exporter, unsigned timeout_ms)
{
	struct exporter_totals totals;

	exporter_stop(&exporter, timeout_ms, &totals);
	cr_assert_null(exporter);
	return totals;
}

static void expect_no_loss_but(const struct exporter_totals *totals, enum loss but)
{
	for (size_t i = 0; i < LOSS_COUNT; i++)
		if (i != but)
			cr_expect_eq(totals->losses[i], 0, "%s", loss_name((enum loss)i));
}

/* Until the fake has @count of @path, or the test's own timeout. */
static void wait_for(const char *path, int count)
{
	while (fake_count(&fake, path) < count)
		usleep(20000);
}

/* --- store and local sinks --------------------------------------------------- */

Test(exporter, every_line_is_in_the_store_and_on_stdout_in_order)
{
	struct exporter *exporter = start(with_store(), SINK_JSON, NULL);
	struct exporter_totals totals;

	push_many(exporter, 1, 200);
	totals = stop(exporter, 1000);
	cr_expect_eq(totals.generations, 200);
	expect_no_loss_but(&totals, LOSS_COUNT);
	cr_expect_eq(lines_in(in_dir("stdout")), 200);
	cr_expect_eq(stored(OUTBOX_NONE), 200, "nobody wanted them sent");
	cr_expect_str_eq(read_file(in_dir("stderr")), "");
}

Test(exporter, a_jsonl_file_is_0600_and_appended_to)
{
	struct stat st;

	umask(0);
	for (unsigned run = 0; run < 2; run++) {
		struct exporter *exporter = start(with_store(), SINK_JSONL, in_dir("out.jsonl"));

		push_many(exporter, run * 10 + 1, run * 10 + 10);
		stop(exporter, 1000);
	}
	cr_expect_eq(lines_in(in_dir("out.jsonl")), 20);
	cr_assert_eq(stat(in_dir("out.jsonl"), &st), 0);
	cr_expect_eq(st.st_mode & 0777, 0600);
}

Test(exporter, terminal_lines_have_heads_once)
{
	struct exporter *exporter = start(with_store(), SINK_TERMINAL, NULL);

	push_many(exporter, 1, 3);
	stop(exporter, 1000);
	cr_expect_eq(times_in(read_file(in_dir("stdout")), "PROCESS"), 1);
	cr_expect_eq(times_in(read_file(in_dir("stdout")), "app[7]"), 3);
	cr_expect_eq(times_in(read_file(in_dir("stdout")), "\n"), 4);
}

Test(exporter, without_sinks_there_is_the_store)
{
	struct exporter_options options = with_store();
	struct exporter *exporter = NULL;
	char *error = NULL;

	cr_assert_eq(exporter_new(&exporter, &options, &error), 0, "%s", error);
	push_many(exporter, 1, 5);
	stop(exporter, 1000);
	cr_expect_eq(stored(OUTBOX_NONE), 5);
}

Test(exporter, count_lets_exactly_so_many_through)
{
	struct exporter_options options = with_store();
	struct exporter_totals totals;
	struct exporter *exporter;
	struct pollfd ready;

	options.max_count = 3;
	exporter = start(options, SINK_JSON, NULL);
	ready = (struct pollfd){ exporter_count_fd(exporter), POLLIN, 0 };
	push_many(exporter, 1, 2);
	cr_expect_eq(poll(&ready, 1, 100), 0, "not before the third");
	push_many(exporter, 3, 10);
	cr_expect_eq(poll(&ready, 1, 10000), 1);
	totals = stop(exporter, 1000);
	cr_expect_eq(totals.generations, 3);
	expect_no_loss_but(&totals, LOSS_COUNT);
	cr_expect_eq(lines_in(in_dir("stdout")), 3);
	cr_expect_eq(stored(OUTBOX_NONE), 3);
}

Test(exporter, what_is_printed_survives_kill_9)
{
	char line[4096];
	FILE *lines;
	int fds[2];
	pid_t pid;

	cr_assert_eq(pipe(fds), 0);
	pid = fork();
	if (pid == 0) {
		struct exporter *exporter;

		dup2(fds[1], STDOUT_FILENO);
		exporter = start(with_store(), SINK_JSON, NULL);
		for (unsigned n = 1; ; n++) {
			push_text(exporter, n, "hello");
			usleep(100);
		}
	}
	close(fds[1]);
	lines = fdopen(fds[0], "r");
	for (unsigned n = 0; n < 100; n++)
		cr_assert(fgets(line, sizeof(line), lines));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	cr_expect_geq(stored(OUTBOX_NONE), 100);
	fclose(lines);
}

/* --- sinks that fail --------------------------------------------------------- */

Test(exporter, a_closed_stdout_is_counted_and_the_store_goes_on)
{
	struct exporter_totals totals;
	struct exporter *exporter;
	int fds[2];

	cr_assert_eq(pipe(fds), 0);
	close(fds[0]);
	dup2(fds[1], STDOUT_FILENO);
	exporter = start(with_store(), SINK_JSON, NULL);
	push_many(exporter, 1, 10);
	totals = stop(exporter, 1000);
	cr_expect_eq(totals.losses[LOSS_SINK_FAILED], 10);
	cr_expect_eq(stored(OUTBOX_NONE), 10);
	cr_expect_eq(times_in(read_file(in_dir("stderr")), "gentap: "), 1, "said once");
}

Test(exporter, a_reader_that_stands_still_neither_loses_commits_nor_keeps_us)
{
	struct exporter_totals totals;
	struct exporter *exporter;
	char big[60001];
	int fds[2];

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	cr_assert_eq(pipe(fds), 0);
	dup2(fds[1], STDOUT_FILENO);
	exporter = start(with_store(), SINK_JSON, NULL);
	for (unsigned n = 1; n <= 20; n++)
		push_text(exporter, n, big);
	totals = stop(exporter, 300);
	cr_expect_eq(totals.generations, 20);
	cr_expect_gt(totals.losses[LOSS_SINK_FAILED], 0);
	expect_no_loss_but(&totals, LOSS_SINK_FAILED);
	cr_expect_eq(stored(OUTBOX_NONE), 20);
}

Test(exporter, a_full_queue_refuses_and_counts)
{
	_cleanup_(buf_done) struct buf line = BUF_INIT(4 * MiB);
	struct exporter_totals totals;
	struct exporter *exporter;
	unsigned refused = 0, pushed = 0;
	char *big = calloc(1, MiB);
	int fds[2];

	memset(big, 'x', MiB - 1);
	cr_assert_eq(pipe(fds), 0);
	dup2(fds[1], STDOUT_FILENO);
	exporter = start((struct exporter_options){ .is_quiet = true }, SINK_JSON, NULL);
	/* At most one queue is in the thread's hands, stuck at stdout, and one waits. */
	for (; pushed < 150; pushed++) {
		int r;

		fake_line(&line, pushed + 1, big);
		r = exporter_push(exporter, buf_slice(&line));
		cr_assert(r == 0 || r == -ENOBUFS, "%d", r);
		refused += r == -ENOBUFS;
	}
	totals = stop(exporter, 0);
	cr_expect_gt(refused, 0);
	cr_expect_eq(totals.losses[LOSS_QUEUE_FULL], refused);
	cr_expect_eq(totals.generations, pushed - refused);
	cr_expect_str_eq(read_file(in_dir("stderr")), "", "quiet is quiet");
	free(big);
}

Test(exporter, a_file_that_takes_nothing_is_counted_and_said_once)
{
	struct exporter *exporter = start(with_store(), SINK_JSONL, "/dev/full");
	struct exporter_totals totals;

	push_many(exporter, 1, 5);
	totals = stop(exporter, 1000);
	cr_expect_eq(totals.losses[LOSS_SINK_FAILED], 5);
	cr_expect_eq(times_in(read_file(in_dir("stderr")), "No space left"), 1);
}

static bool mount_small(void)
{
	cr_assert_eq(mkdir(in_dir("small"), 0700), 0);
	return mount("tmpfs", in_dir("small"), "tmpfs", 0, "size=256k") == 0;
}

Test(exporter, a_file_on_a_full_disk_holds_whole_lines_only)
{
	struct exporter_totals totals;
	struct exporter *exporter;
	char big[10001];

	if (!mount_small())
		cr_skip_test("mounting a tmpfs is not permitted here: %s", strerror(errno));
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	exporter = start(with_store(), SINK_JSONL, in_dir("small/out.jsonl"));
	for (unsigned n = 1; n <= 50; n++)
		push_text(exporter, n, big);
	totals = stop(exporter, 1000);
	cr_expect_gt(totals.losses[LOSS_SINK_FAILED], 0);
	cr_expect_eq(lines_in(in_dir("small/out.jsonl")) + totals.losses[LOSS_SINK_FAILED], 50);
}

Test(exporter, a_store_on_a_full_disk_does_not_stop_the_sinks)
{
	struct exporter_options options = with_langfuse();
	struct exporter_totals totals;
	struct exporter *exporter;
	char path[128], big[10001];

	if (!mount_small())
		cr_skip_test("mounting a tmpfs is not permitted here: %s", strerror(errno));
	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	strcpy(path, in_dir("small/a.db"));
	options.store_path = path;
	exporter = start(options, SINK_LANGFUSE, NULL);
	for (unsigned n = 1; n <= 80; n++)
		push_text(exporter, n, big);
	wait_for("/received", 80);
	totals = stop(exporter, 5000);
	cr_expect_eq(totals.generations, 80);
	cr_expect_eq(totals.sent, 80);
	cr_expect_gt(totals.losses[LOSS_STORE_FAILED], 0);
	expect_no_loss_but(&totals, LOSS_STORE_FAILED);
	cr_expect_eq(times_in(read_file(in_dir("stderr")), "does not take generations"), 1);
	fake_expect_no_violation(&fake);
}

/* --- Langfuse ---------------------------------------------------------------- */

Test(exporter, langfuse_gets_each_generation_once)
{
	struct exporter *exporter = start(with_langfuse(), SINK_LANGFUSE, NULL);
	struct exporter_totals totals;

	push_many(exporter, 1, 700);
	totals = stop(exporter, 10000);
	cr_expect_eq(totals.sent, 700);
	cr_expect_eq(totals.unsent, 0);
	expect_no_loss_but(&totals, LOSS_COUNT);
	cr_expect_eq(fake_count(&fake, "/received"), 700);
	cr_expect_eq(stored(OUTBOX_SENT), 700);
	fake_expect_no_violation(&fake);
	cr_expect_str_eq(read_file(in_dir("stderr")), "");
}

Test(exporter, batches_keep_to_their_number_and_bytes)
{
	struct exporter_options options = with_langfuse();
	char *big = calloc(1, 512 * KiB);
	struct exporter *exporter;
	cJSON *requests, *request;

	memset(big, 'x', 512 * KiB - 1);
	options.flush_at = 8;
	options.flush_interval_ms = 60000;
	exporter = start(options, SINK_LANGFUSE, NULL);
	push_many(exporter, 1, 8);
	wait_for("/received", 8);
	for (unsigned n = 11; n <= 30; n++)
		push_text(exporter, n, big);
	stop(exporter, 20000);
	cr_expect_eq(fake_count(&fake, "/received"), 28);
	requests = fake_ask(&fake, "/requests", NULL);
	cJSON_ArrayForEach(request, requests) {
		cr_expect_leq(cJSON_GetObjectItem(request, "spans")->valueint, 8);
		cr_expect_leq(cJSON_GetObjectItem(request, "bytes")->valuedouble, (double)LIMIT_BATCH);
	}
	cJSON_Delete(requests);
	free(big);
}

Test(exporter, wrong_keys_are_said_once_and_the_next_run_sends)
{
	struct exporter_options options = with_langfuse();
	struct langfuse_options wrong = fake.options;
	struct exporter_totals totals;
	struct exporter *exporter;

	wrong.secret_key = "sk-lf-wrong";
	options.langfuse = &wrong;
	exporter = start(options, SINK_LANGFUSE, NULL);
	for (unsigned n = 1; n <= 5; n++) {
		push_many(exporter, n, n);
		usleep(50000);
	}
	totals = stop(exporter, 5000);
	cr_expect_eq(totals.sent, 0);
	cr_expect_eq(totals.unsent, 5);
	expect_no_loss_but(&totals, LOSS_COUNT);
	cr_expect_eq(times_in(read_file(in_dir("stderr")), "LANGFUSE_SECRET_KEY"), 1);

	totals = stop(start(with_langfuse(), SINK_LANGFUSE, NULL), 5000);
	cr_expect_eq(totals.sent, 5);
	cr_expect_eq(totals.unsent, 0);
	cr_expect_eq(fake_count(&fake, "/received"), 5);
	fake_expect_no_violation(&fake);
}

Test(exporter, what_langfuse_could_not_take_goes_in_the_same_run)
{
	static const char *const controls[] = {
		"{\"status\":500,\"times\":1}",
		"{\"status\":503,\"times\":1}",
		"{\"status\":429,\"retry_after\":1,\"times\":2}",
	};
	struct exporter_options options = with_langfuse();
	struct exporter *exporter = start(options, SINK_LANGFUSE, NULL);
	struct exporter_totals totals;

	for (unsigned i = 0; i < ARRAY_SIZE(controls); i++) {
		fake_control(&fake, controls[i]);
		push_many(exporter, i * 3 + 1, i * 3 + 3);
		wait_for("/received", (int)i * 3 + 3);
	}
	totals = stop(exporter, 5000);
	cr_expect_eq(totals.sent, 9);
	expect_no_loss_but(&totals, LOSS_COUNT);
	cr_expect_eq(times_in(read_file(in_dir("stderr")), "gentap: "), 1, "the outage is said once");
	fake_expect_no_violation(&fake);
}

Test(exporter, at_the_end_a_stated_retry_after_is_waited_for)
{
	struct exporter_options options = with_langfuse();
	struct exporter_totals totals;
	struct exporter *exporter;

	options.flush_interval_ms = 60000;
	fake_control(&fake, "{\"status\":429,\"retry_after\":1,\"times\":1}");
	exporter = start(options, SINK_LANGFUSE, NULL);
	push_many(exporter, 1, 4);
	totals = stop(exporter, 30000);
	cr_expect_eq(totals.sent, 4);
	cr_expect_eq(totals.unsent, 0);
}

Test(exporter, too_large_a_batch_is_halved_until_it_fits)
{
	struct exporter_options options = with_langfuse();
	struct exporter_totals totals;
	struct exporter *exporter;

	options.flush_interval_ms = 60000;
	fake_control(&fake, "{\"status\":413,\"max_spans\":3}");
	exporter = start(options, SINK_LANGFUSE, NULL);
	push_many(exporter, 1, 50);
	totals = stop(exporter, 20000);
	cr_expect_eq(totals.sent, 50);
	expect_no_loss_but(&totals, LOSS_COUNT);
	cr_expect_eq(fake_count(&fake, "/received"), 50);
	fake_expect_no_violation(&fake);
}

Test(exporter, one_that_is_too_large_alone_is_refused_and_the_rest_goes)
{
	struct exporter_options options = with_langfuse();
	struct exporter_totals totals;
	struct exporter *exporter;
	char big[50001];

	memset(big, 'x', sizeof(big) - 1);
	big[sizeof(big) - 1] = '\0';
	options.flush_interval_ms = 60000;
	fake_control(&fake, "{\"status\":413,\"max_bytes\":40000}");
	exporter = start(options, SINK_LANGFUSE, NULL);
	push_many(exporter, 1, 5);
	push_text(exporter, 6, big);
	push_many(exporter, 7, 10);
	totals = stop(exporter, 20000);
	cr_expect_eq(totals.sent, 9);
	cr_expect_eq(totals.losses[LOSS_REFUSED], 1);
	cr_expect_eq(stored(OUTBOX_REFUSED), 1);
	cr_expect_eq(totals.unsent, 0);
}

Test(exporter, a_refused_batch_is_halved_until_the_offenders_stand_alone)
{
	struct exporter_options options = with_langfuse();
	struct exporter_totals totals;
	struct exporter *exporter;

	options.flush_interval_ms = 60000;
	fake_control(&fake, "{\"status\":400,\"poison\":\"poison\",\"body\":\"malformed\"}");
	exporter = start(options, SINK_LANGFUSE, NULL);
	for (unsigned n = 1; n <= 100; n++)
		push_text(exporter, n, n == 1 || n == 63 ? "poison" : "good");
	totals = stop(exporter, 20000);
	cr_expect_eq(totals.sent, 98);
	cr_expect_eq(totals.losses[LOSS_REFUSED], 2);
	expect_no_loss_but(&totals, LOSS_REFUSED);
	cr_expect_eq(stored(OUTBOX_REFUSED), 2);
	cr_expect_eq(times_in(read_file(in_dir("stderr")), "malformed"), 1, "said once");

	fake_control(&fake, "{\"mode\":\"ok\"}");
	totals = stop(start(with_langfuse(), SINK_LANGFUSE, NULL), 5000);
	cr_expect_eq(totals.sent, 0, "refused is refused for good");
}

Test(exporter, a_hung_langfuse_stalls_neither_files_nor_the_end)
{
	struct exporter_options options = with_langfuse();
	struct exporter_totals totals;
	struct sink_option sinks[] = { { SINK_LANGFUSE, NULL }, { SINK_JSONL, in_dir("out.jsonl") } };
	struct exporter *exporter = NULL;
	char *error = NULL;

	fake.options.timeout_ms = 600000;
	options.sinks = sinks;
	options.sink_count = ARRAY_SIZE(sinks);
	fake_control(&fake, "{\"mode\":\"hang\"}");
	cr_assert_eq(exporter_new(&exporter, &options, &error), 0, "%s", error);
	push_many(exporter, 1, 1);
	wait_for("/requests", 1);
	push_many(exporter, 2, 20);
	while (lines_in(in_dir("out.jsonl")) < 20)
		usleep(10000);
	totals = stop(exporter, 200);
	cr_expect_eq(totals.sent, 0);
	cr_expect_eq(totals.unsent, 20);
	expect_no_loss_but(&totals, LOSS_COUNT);

	fake_control(&fake, "{\"mode\":\"ok\"}");
	totals = stop(start(with_langfuse(), SINK_LANGFUSE, NULL), 10000);
	cr_expect_eq(totals.sent, 20);
	fake_expect_no_violation(&fake);
}

static void *hurry_soon(void *is_hurried)
{
	wait_for("/requests", 1);
	atomic_store((atomic_bool *)is_hurried, true);
	return NULL;
}

Test(exporter, hurry_ends_a_stop_that_waits_for_langfuse)
{
	struct exporter_options options = with_langfuse();
	atomic_bool is_hurried = false;
	struct exporter_totals totals;
	struct exporter *exporter;
	pthread_t thread;

	options.is_hurried = &is_hurried;
	fake.options.timeout_ms = 600000;
	options.flush_interval_ms = 60000;
	fake_control(&fake, "{\"mode\":\"hang\"}");
	exporter = start(options, SINK_LANGFUSE, NULL);
	push_many(exporter, 1, 7);
	cr_assert_eq(pthread_create(&thread, NULL, hurry_soon, &is_hurried), 0);
	totals = stop(exporter, 600000);
	pthread_join(thread, NULL);
	cr_expect_eq(totals.unsent, 7);
}

Test(exporter, without_a_store_memory_is_the_outbox)
{
	struct exporter_options options = with_langfuse();
	struct exporter_totals totals;
	struct exporter *exporter;

	options.store_path = NULL;
	exporter = start(options, SINK_LANGFUSE, NULL);
	push_many(exporter, 1, 10);
	totals = stop(exporter, 5000);
	cr_expect_eq(totals.sent, 10);
	expect_no_loss_but(&totals, LOSS_COUNT);

	fake_control(&fake, "{\"status\":500}");
	exporter = start(options, SINK_LANGFUSE, NULL);
	push_many(exporter, 11, 15);
	totals = stop(exporter, 5000);
	cr_expect_eq(totals.unsent, 0, "nothing is left anywhere");
	cr_expect_eq(totals.losses[LOSS_SINK_FAILED], 5, "what memory held is lost, and says so");
}

/* --- what cannot start ------------------------------------------------------- */

Test(exporter, what_cannot_be_opened_is_named_with_what_to_do)
{
	static const struct langfuse_options bad_keys = {
		.base_url = "http://127.0.0.1:1", .public_key = "pk:x", .secret_key = "sk-secret",
	};
	static const struct { enum sink_type type; const char *store, *path, *want[2]; } cases[] = {
		{ SINK_JSON, "file/a.db", NULL, { "file/a.db': a part of its path is not a directory", "--no-store" } },
		{ SINK_JSONL, "a.db", "none/out.jsonl", { "none/out.jsonl': No such file", "jsonl:" } },
		{ SINK_JSONL, "a.db", "link", { "link': Too many levels of symbolic links", "jsonl:" } },
		{ SINK_LANGFUSE, "a.db", NULL, { "LANGFUSE_SECRET_KEY", "gentap config" } },
	};

	cr_assert_geq(close(creat(in_dir("file"), 0600)), 0);
	cr_assert_eq(symlink("file", in_dir("link")), 0);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct sink_option sink = { cases[i].type, cases[i].path ? in_dir(cases[i].path) : NULL };
		struct exporter_options options = {
			.store_path = in_dir(cases[i].store), .sinks = &sink, .sink_count = 1, .langfuse = &bad_keys,
		};
		struct exporter *exporter = NULL;
		char *error = NULL;

		cr_expect_lt(exporter_new(&exporter, &options, &error), 0, "case %zu", i);
		cr_expect_null(exporter, "case %zu", i);
		cr_expect(strstr(error, cases[i].want[0]), "case %zu: %s", i, error);
		cr_expect(strstr(error, cases[i].want[1]), "case %zu: %s", i, error);
		cr_expect_null(strstr(error, "sk-secret"), "case %zu: %s", i, error);
		free(error);
	}
}
