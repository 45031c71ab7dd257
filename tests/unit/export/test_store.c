/* SPDX-License-Identifier: Apache-2.0 */
/* The store: what is committed stays, what cannot be opened says why. */
#include <criterion/criterion.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include <sqlite3.h>

#include "base/buf.h"
#include "export/store.h"
#include "limits.h"

static char dir[64];

static const char *in_dir(const char *name)
{
	static char path[4][128];
	static unsigned turn;
	char *ret = path[turn++ % ARRAY_SIZE(path)];

	snprintf(ret, sizeof(path[0]), "%s/%s", dir, name);
	return ret;
}

static void make_dir(void)
{
	strcpy(dir, "/tmp/gentap-store-XXXXXX");
	cr_assert(mkdtemp(dir));
}

static void remove_dir(void)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf '%s'", dir);
	cr_assert_eq(system(command), 0);
}

TestSuite(store, .init = make_dir, .fini = remove_dir);

static struct store *open_store(const char *path, bool is_read_only)
{
	struct store *store = NULL;
	const char *error = "";

	cr_assert_eq(store_open(&store, path, is_read_only, &error), 0, "%s", error);
	return store;
}

/* A generation number @n, with @text of any length in it. */
static int put_text(struct store *store, unsigned n, const char *text, enum outbox outbox)
{
	_cleanup_(buf_done) struct buf line = BUF_INIT(MiB);

	buf_printf(&line, "{\"gentap\":1,\"type\":\"generation\",\"id\":\"%016x\",\"traceId\":\"%032x\","
		   "\"model\":\"m\",\"output\":\"%s\"}", n, n + 0x1000, text);
	return store_put(store, buf_slice(&line), outbox);
}

static int put(struct store *store, unsigned n, enum outbox outbox)
{
	return put_text(store, n, "x", outbox);
}

/* What a walk saw: how many rows, and the lines joined. */
struct seen {
	unsigned count;
	int64_t rowids[512];
	enum outbox outbox[512];
	char first[256];
};

static bool see(void *ctx, const struct store_row *row)
{
	struct seen *seen = ctx;

	if (!seen->count)
		snprintf(seen->first, sizeof(seen->first), "%.*s", (int)row->line.len, row->line.ptr);
	seen->rowids[seen->count] = row->rowid;
	seen->outbox[seen->count++] = row->outbox;
	return seen->count < ARRAY_SIZE(seen->rowids);
}

static struct seen newest(struct store *store)
{
	struct seen seen = { 0 };

	cr_assert_eq(store_each_newest(store, 512, see, &seen), 0);
	return seen;
}

static struct seen unsent(struct store *store)
{
	struct seen seen = { 0 };

	cr_assert_eq(store_each_outbox(store, OUTBOX_UNSENT, 0, 512, see, &seen), 0);
	return seen;
}

static mode_t mode_of(const char *path)
{
	struct stat st;

	cr_assert_eq(stat(path, &st), 0, "%s: %m", path);
	return st.st_mode & 0777;
}

Test(store, files_are_0600_and_directories_0700_whatever_the_umask)
{
	static const mode_t masks[] = { 0, 022, 077 };

	for (size_t i = 0; i < ARRAY_SIZE(masks); i++) {
		char path[128], name[160];
		struct store *store;

		snprintf(path, sizeof(path), "%s/%zu/deep/gentap.db", dir, i);
		umask(masks[i]);
		store = open_store(path, false);
		cr_assert_eq(put(store, 1, OUTBOX_NONE), 0);
		cr_expect_eq(mode_of(path), 0600, "umask %o", masks[i]);
		snprintf(name, sizeof(name), "%s-wal", path);
		cr_expect_eq(mode_of(name), 0600, "-wal, umask %o", masks[i]);
		snprintf(name, sizeof(name), "%s-shm", path);
		cr_expect_eq(mode_of(name), 0600, "-shm, umask %o", masks[i]);
		snprintf(name, sizeof(name), "%s/%zu/deep", dir, i);
		cr_expect_eq(mode_of(name), 0700, "directory, umask %o", masks[i]);
		store_close(&store);
	}
}

Test(store, a_file_others_could_read_is_closed_to_them)
{
	struct store *store = open_store(in_dir("a.db"), false);

	store_close(&store);
	cr_assert_eq(chmod(in_dir("a.db"), 0644), 0);
	store = open_store(in_dir("a.db"), false);
	cr_expect_eq(mode_of(in_dir("a.db")), 0600);
	store_close(&store);
}

Test(store, rows_come_back_in_order_and_by_id)
{
	struct store *store = open_store(in_dir("a.db"), false);
	struct seen seen = { 0 };

	for (unsigned n = 1; n <= 40; n++)
		cr_assert_eq(put(store, n, n % 2 ? OUTBOX_UNSENT : OUTBOX_NONE), 0);
	cr_expect_eq(newest(store).count, 40);
	cr_expect(strstr(newest(store).first, "\"id\":\"0000000000000028\""), "newest first");
	cr_expect_eq(unsent(store).count, 20);
	cr_expect(strstr(unsent(store).first, "\"id\":\"0000000000000001\""), "oldest first");

	cr_assert_eq(store_each_id(store, "000000000000002", 9, see, &seen), 0);
	cr_expect_eq(seen.count, 9, "0x20 to 0x28");
	seen.count = 0;
	cr_assert_eq(store_each_id(store, "00000000000000000000000000001003", 9, see, &seen), 0);
	cr_expect_eq(seen.count, 1, "by trace id");
	seen.count = 0;
	cr_assert_eq(store_each_id(store, "%", 9, see, &seen), 0);
	cr_expect_eq(seen.count, 0, "nothing in a prefix is a wildcard");
	store_close(&store);
}

Test(store, a_walk_stops_when_told_and_goes_on_after_a_row)
{
	struct store *store = open_store(NULL, false);
	struct seen seen = { 0 };

	for (unsigned n = 1; n <= 5; n++)
		put(store, n, OUTBOX_UNSENT);
	cr_assert_eq(store_each_outbox(store, OUTBOX_UNSENT, 0, 2, see, &seen), 0);
	cr_expect_eq(seen.count, 2);
	cr_assert_eq(store_each_outbox(store, OUTBOX_UNSENT, seen.rowids[1], 9, see, &seen), 0);
	cr_expect_eq(seen.count, 5);
	seen.count = ARRAY_SIZE(seen.rowids) - 1;
	cr_assert_eq(store_each_outbox(store, OUTBOX_UNSENT, 0, 9, see, &seen), 0);
	cr_expect_eq(seen.count, ARRAY_SIZE(seen.rowids));
	store_close(&store);
}

Test(store, the_same_line_again_stays_sent_and_a_changed_one_goes_again)
{
	struct store *store = open_store(in_dir("a.db"), false);
	int64_t rowid;

	put(store, 1, OUTBOX_UNSENT);
	rowid = unsent(store).rowids[0];
	cr_assert_eq(store_mark(store, &rowid, 1, OUTBOX_SENT), 0);
	cr_expect_eq(unsent(store).count, 0);
	put(store, 1, OUTBOX_UNSENT);
	cr_expect_eq(unsent(store).count, 0, "a replay sends nothing twice");
	put_text(store, 1, "y", OUTBOX_UNSENT);
	cr_expect_eq(unsent(store).count, 1);
	put_text(store, 1, "y", OUTBOX_NONE);
	cr_expect_eq(unsent(store).count, 1, "a run without Langfuse takes nothing out of the outbox");
	cr_expect_eq(newest(store).count, 1);
	store_close(&store);
}

Test(store, a_rolled_back_transaction_leaves_nothing)
{
	struct store *store = open_store(in_dir("a.db"), false);

	cr_assert_eq(store_begin(store), 0);
	put(store, 1, OUTBOX_NONE);
	store_rollback(store);
	cr_expect_eq(newest(store).count, 0);
	cr_assert_eq(store_begin(store), 0);
	put(store, 2, OUTBOX_NONE);
	cr_assert_eq(store_commit(store), 0);
	cr_expect_eq(newest(store).count, 1);
	store_close(&store);
}

Test(store, what_is_no_generation_is_refused)
{
	static const char *const lines[] = { "", "{", "[]", "{\"id\":1}", "nonsense", "{\"traceId\":\"a\"}" };
	struct store *store = open_store(NULL, false);

	for (size_t i = 0; i < ARRAY_SIZE(lines); i++)
		cr_expect_eq(store_put(store, slice_of(lines[i]), OUTBOX_NONE), -EBADMSG, "'%s'", lines[i]);
	store_close(&store);
}

Test(store, in_memory_a_sent_row_is_gone)
{
	struct store *store = open_store(NULL, false);
	int64_t rowid;

	put(store, 1, OUTBOX_UNSENT);
	rowid = unsent(store).rowids[0];
	cr_assert_eq(store_mark(store, &rowid, 1, OUTBOX_SENT), 0);
	cr_expect_eq(newest(store).count, 0);
	store_close(&store);
}

/* Commits 30 rows, then begins a transaction that never ends, says so, waits to be killed. */
static void write_until_killed(const char *path, int ready_fd)
{
	struct store *store = open_store(path, false);

	for (unsigned n = 1; n <= 30; n++)
		put(store, n, OUTBOX_UNSENT);
	store_begin(store);
	put(store, 99, OUTBOX_UNSENT);
	if (write(ready_fd, "r", 1) != 1)
		_exit(1);
	pause();
}

Test(store, kill_9_of_the_writer_loses_nothing_committed)
{
	struct store *store;
	int fds[2];
	char ready;
	pid_t pid;

	cr_assert_eq(pipe(fds), 0);
	pid = fork();
	if (pid == 0)
		write_until_killed(in_dir("a.db"), fds[1]);
	cr_assert_eq(read(fds[0], &ready, 1), 1);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);

	store = open_store(in_dir("a.db"), false);
	cr_expect_eq(unsent(store).count, 30);
	cr_expect_eq(put(store, 31, OUTBOX_NONE), 0, "and it can be written again");
	store_close(&store);
}

Test(store, a_reader_sees_what_a_running_writer_commits)
{
	struct store *reader, *writer = open_store(in_dir("a.db"), false);

	put(writer, 1, OUTBOX_NONE);
	reader = open_store(in_dir("a.db"), true);
	cr_expect_eq(newest(reader).count, 1);
	cr_assert_eq(store_begin(writer), 0);
	put(writer, 2, OUTBOX_NONE);
	cr_expect_eq(newest(reader).count, 1, "not what is not committed");
	cr_assert_eq(store_commit(writer), 0);
	cr_expect_eq(newest(reader).count, 2);
	cr_expect_lt(put(reader, 3, OUTBOX_NONE), 0, "a reader writes nothing");
	store_close(&writer);
	cr_expect_eq(newest(reader).count, 2);
	store_close(&reader);
	reader = open_store(in_dir("a.db"), true);
	cr_expect_eq(newest(reader).count, 2, "also with no writer there");
	store_close(&reader);
}

static void write_file(const char *path, const char *text)
{
	FILE *file = fopen(path, "w");

	cr_assert(file);
	for (int i = 0; i < 200; i++)
		fputs(text, file);
	fclose(file);
}

static void make_database(const char *path, const char *sql)
{
	sqlite3 *db;

	cr_assert_eq(sqlite3_open(path, &db), SQLITE_OK);
	cr_assert_eq(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
	sqlite3_close(db);
}

static void expect_error(const char *path, bool is_read_only, int want, const char *text)
{
	struct store *store = NULL;
	const char *error = "(none)";
	int r = store_open(&store, path, is_read_only, &error);

	cr_expect_eq(r, want, "%s: %d, not %d (%s)", path, r, want, error);
	cr_expect(strstr(error, text), "%s: '%s' does not say '%s'", path, error, text);
	cr_expect_null(store, "%s: output touched", path);
	store_close(&store);
}

Test(store, what_cannot_be_opened_says_why)
{
	write_file(in_dir("text"), "this is no database, but it is long enough for a header\n");
	make_database(in_dir("newer"), "PRAGMA user_version = 7; CREATE TABLE generation(a)");
	make_database(in_dir("other"), "CREATE TABLE songs(a)");
	cr_assert_eq(symlink("text", in_dir("link")), 0);

	expect_error(in_dir("text"), false, -EUCLEAN, "not a gentap store");
	expect_error(in_dir("newer"), false, -EPROTONOSUPPORT, "newer gentap");
	expect_error(in_dir("newer"), true, -EPROTONOSUPPORT, "newer gentap");
	expect_error(in_dir("other"), false, -EUCLEAN, "not a gentap store");
	expect_error(in_dir("link"), false, -ELOOP, "symbolic link");
	expect_error(dir, false, -EISDIR, "is a directory");
	expect_error(in_dir("text/a.db"), false, -ENOTDIR, "not a directory");
	expect_error(in_dir("none/a.db"), true, -ENOENT, "none yet");
}

Test(store, a_damaged_file_is_said_and_not_made_anew)
{
	struct store *store = open_store(in_dir("a.db"), false);
	int fd;

	for (unsigned n = 1; n <= 100; n++)
		put(store, n, OUTBOX_NONE);
	store_close(&store);
	fd = open(in_dir("a.db"), O_WRONLY);
	cr_assert_geq(fd, 0);
	cr_assert_eq(pwrite(fd, "garbage garbage garbage garbage garbage garbage garbage garbage garbage garbage", 80, 0), 80);
	close(fd);
	expect_error(in_dir("a.db"), false, -EUCLEAN, "damaged");
}

/* Permissions do not bind root: drop to nobody in a child. */
static int open_as_nobody(const char *path)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		struct store *store = NULL;
		const char *error = NULL;

		if (geteuid() == 0 && (setgid(65534) < 0 || setuid(65534) < 0))
			_exit(99);
		_exit(-store_open(&store, path, false, &error));
	}
	waitpid(pid, &status, 0);
	return WEXITSTATUS(status);
}

Test(store, a_directory_that_may_not_be_written_is_permission_denied)
{
	cr_assert_eq(mkdir(in_dir("shut"), 0555), 0);
	cr_assert_eq(chmod(dir, 0755), 0);
	cr_expect_eq(open_as_nobody(in_dir("shut/a.db")), EACCES);
	cr_expect_eq(open_as_nobody(in_dir("shut/new/a.db")), EACCES);
}

/* A file system of its own, or what there is where mounting is not allowed. */
static bool mount_small(const char *path, unsigned long flags)
{
	cr_assert(mkdir(path, 0700) == 0 || errno == EEXIST);
	return mount("tmpfs", path, "tmpfs", flags, "size=256k") == 0;
}

Test(store, a_read_only_file_system_is_said)
{
	if (!mount_small(in_dir("ro"), MS_RDONLY))
		cr_skip_test("mounting a tmpfs is not permitted here: %s", strerror(errno));
	expect_error(in_dir("ro/a.db"), false, -EROFS, "read-only file system");
	umount(in_dir("ro"));
}

/* Puts big rows until one does not fit; the store must say so and live on. */
static void fill(struct store *store, int want)
{
	char text[16384];
	unsigned n = 0;
	int r;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	do {
		r = store_begin(store);
		if (r == 0) {
			r = put_text(store, ++n, text, OUTBOX_UNSENT);
			if (r < 0)
				store_rollback(store);
			else
				r = store_commit(store);
		}
	} while (r == 0 && n < 1000);
	cr_expect_eq(r, want, "row %u: %s", n, strerror(-r));
	cr_expect_eq(unsent(store).count, n - 1, "rows committed before are there");
}

Test(store, a_full_disk_is_no_space_and_keeps_what_was_committed)
{
	struct store *store;

	if (!mount_small(in_dir("small"), 0))
		cr_skip_test("mounting a tmpfs is not permitted here: %s", strerror(errno));
	store = open_store(in_dir("small/a.db"), false);
	fill(store, -ENOSPC);
	store_close(&store);
	umount(in_dir("small"));
}

Test(store, a_file_size_limit_is_an_error_and_keeps_what_was_committed)
{
	struct rlimit limit = { 256 * KiB, 256 * KiB };
	struct store *store = open_store(in_dir("a.db"), false);

	signal(SIGXFSZ, SIG_IGN);
	cr_assert_eq(setrlimit(RLIMIT_FSIZE, &limit), 0);
	fill(store, -EIO);
	store_close(&store);
}

static off_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 ? st.st_size : 0;
}

Test(store, trim_takes_the_oldest_of_those_not_to_be_sent_first)
{
	struct store *store = open_store(in_dir("a.db"), false);
	char text[4096];
	uint64_t lost;

	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	for (unsigned n = 1; n <= 400; n++)
		put_text(store, n, text, n % 2 ? OUTBOX_UNSENT : OUTBOX_SENT);

	cr_assert_eq(store_trim(store, 100 * MiB, &lost), 0);
	cr_expect_eq(newest(store).count, 400, "within the bound nothing goes");
	cr_assert_eq(store_trim(store, MiB + 128 * KiB, &lost), 0);
	cr_expect_eq(lost, 0);
	cr_expect_eq(unsent(store).count, 200);
	cr_expect_lt(newest(store).count, 400);
	cr_assert_eq(store_trim(store, 128 * KiB, &lost), 0);
	cr_expect_gt(lost, 0);
	cr_expect_eq(unsent(store).count, 200 - lost, "each unsent one that went is told");
	store_close(&store);
	cr_expect_leq(size_of(in_dir("a.db")), 128 * KiB, "the file itself became small");
}
