/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The local store and outbox over SQLite.
 *
 * WAL with synchronous=NORMAL: what is committed is in the kernel's page cache,
 * so kill -9 loses none of it; a power cut may lose the last commits, never the
 * file. That saves an fsync for every batch.
 *
 * The file is made by us, with mode 0600, before SQLite sees it: SQLite gives
 * its -wal and -shm the mode of the database.
 *
 * Leaves out: what a line says. Only what is searched for becomes a column.
 */
#include "export/store.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/stat.h>

#include <cjson/cJSON.h>
#include <sqlite3.h>

#include "limits.h"

enum {
	SCHEMA_VERSION = 1,
	BUSY_TIMEOUT_MS = 5000,
	TRIM_ROWS = 64,		/* removed between two looks at the size */
};

enum statement { PUT, EACH_OUTBOX, EACH_NEWEST, EACH_ID, COUNT, MARK, FORGET, TRIM, STATEMENT_COUNT };

static const char *const statement_sql[STATEMENT_COUNT] = {
	/* The same line again (a replay) does not go back from sent to unsent. */
	[PUT] = "INSERT INTO generation(id, trace_id, start_time, type, level, model, role, outbox, line)"
		" VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)"
		" ON CONFLICT(id) DO UPDATE SET trace_id = excluded.trace_id,"
		" start_time = excluded.start_time, type = excluded.type, level = excluded.level,"
		" model = excluded.model, role = excluded.role, line = excluded.line,"
		" outbox = CASE WHEN line = excluded.line OR excluded.outbox = 0"
		" THEN max(outbox, excluded.outbox) ELSE excluded.outbox END",
	[EACH_OUTBOX] = "SELECT rowid, outbox, line FROM generation"
		" WHERE outbox = ?1 AND rowid > ?2 ORDER BY rowid LIMIT ?3",
	[EACH_NEWEST] = "SELECT rowid, outbox, line FROM generation ORDER BY rowid DESC LIMIT ?1",
	/* Ids are hex digits: '~' is behind them all. */
	[EACH_ID] = "SELECT rowid, outbox, line FROM generation"
		" WHERE id BETWEEN ?1 AND ?1 || '~' OR trace_id BETWEEN ?1 AND ?1 || '~'"
		" ORDER BY rowid LIMIT ?2",
	[COUNT] = "SELECT count(*) FROM generation WHERE outbox = ?1",
	[MARK] = "UPDATE generation SET outbox = ?1 WHERE rowid = ?2",
	[FORGET] = "DELETE FROM generation WHERE rowid = ?2",
	[TRIM] = "DELETE FROM generation WHERE rowid IN (SELECT rowid FROM generation"
		" WHERE (outbox = 1) = ?1 ORDER BY rowid LIMIT ?2)",
};

struct store {
	sqlite3 *db;
	sqlite3_stmt *statements[STATEMENT_COUNT];	/* prepared at first use */
	pthread_mutex_t lock;				/* recursive: a put within a transaction */
	bool is_memory;
};

/* --- errors ------------------------------------------------------------------ */

static int db_errno(sqlite3 *db, int rc)
{
	switch (rc & 0xff) {
	case SQLITE_OK:
	case SQLITE_ROW:
	case SQLITE_DONE:
		return 0;
	case SQLITE_FULL:
		return -ENOSPC;
	case SQLITE_NOMEM:
		return -ENOMEM;
	case SQLITE_BUSY:
	case SQLITE_LOCKED:
		return -EBUSY;
	case SQLITE_READONLY:
		return -EROFS;
	case SQLITE_PERM:
	case SQLITE_AUTH:
		return -EACCES;
	case SQLITE_CANTOPEN:
		return db && sqlite3_system_errno(db) ? -sqlite3_system_errno(db) : -EACCES;
	case SQLITE_NOTADB:
	case SQLITE_CORRUPT:
		return -EUCLEAN;
	default:
		return -EIO;
	}
}

static const char *reason(int error)
{
	switch (-error) {
	case EACCES:
	case EPERM:
		return "permission denied";
	case EROFS:
		return "read-only file system";
	case ENOSPC:
	case EDQUOT:
		return "no space left on its disk";
	case ENOTDIR:
		return "a part of its path is not a directory";
	case EISDIR:
		return "it is a directory";
	case ENOENT:
		return "there is none yet; `gentap attach` makes it";
	case ELOOP:
		return "it is a symbolic link; name the file itself";
	case ENAMETOOLONG:
		return "the path is too long";
	case EUCLEAN:
		return "it is not a gentap store, or it is damaged; move it away";
	case EPROTONOSUPPORT:
		return "a newer gentap made it; use that one, or move the file away";
	case EBUSY:
		return "another program keeps it locked";
	case ENOMEM:
		return "out of memory";
	default:
		return "input/output error";
	}
}

/* --- opening ----------------------------------------------------------------- */

static int make_parents(const char *path)
{
	_cleanup_(freep) char *copy = strdup(path);

	if (!copy)
		return -ENOMEM;
	for (char *slash = strchr(copy + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		/* What cannot be made because of a file in the way is said by open(). */
		if (mkdir(copy, 0700) < 0 && errno != EEXIST)
			return -errno;
		*slash = '/';
	}
	return 0;
}

/* There is a file that we may use, and nobody else may read. Never opens one
 * that exists: closing it would drop the POSIX locks that another store of this
 * process holds on it. */
static int prepare_file(const char *path, bool is_read_only)
{
	_cleanup_(closep) int fd = -1;
	struct stat st;

	if (!is_read_only) {
		int r = make_parents(path);

		if (r < 0)
			return r;
		fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
		if (fd >= 0)
			return 0;
		if (errno != EEXIST)
			return -errno;
	}
	if (lstat(path, &st) < 0)
		return -errno;
	if (S_ISLNK(st.st_mode))
		return -ELOOP;
	if (S_ISDIR(st.st_mode))
		return -EISDIR;
	if (!S_ISREG(st.st_mode))
		return -EUCLEAN;
	if (faccessat(AT_FDCWD, path, is_read_only ? R_OK : R_OK | W_OK, AT_EACCESS) < 0)
		return -errno;
	if (!is_read_only && (st.st_mode & 077) && chmod(path, 0600) < 0)
		return -errno;
	return 0;
}

static int run(struct store *store, const char *sql)
{
	return db_errno(store->db, sqlite3_exec(store->db, sql, NULL, NULL, NULL));
}

/* The number that @pragma answers with; -errno. */
static int64_t ask(struct store *store, const char *pragma)
{
	sqlite3_stmt *stmt = NULL;
	int64_t value = 0;
	int rc;

	rc = sqlite3_prepare_v2(store->db, pragma, -1, &stmt, NULL);
	if (rc != SQLITE_OK)
		return db_errno(store->db, rc);
	rc = sqlite3_step(stmt);
	if (rc == SQLITE_ROW)
		value = sqlite3_column_int64(stmt, 0);
	sqlite3_finalize(stmt);
	return rc == SQLITE_ROW ? value : db_errno(store->db, rc);
}

static int make_schema(struct store *store)
{
	_Static_assert(SCHEMA_VERSION == 1, "the SQL below sets user_version");

	/* IF NOT EXISTS: two gentaps may be first at the same time. */
	return run(store, "BEGIN IMMEDIATE;"
		"CREATE TABLE IF NOT EXISTS generation(rowid INTEGER PRIMARY KEY AUTOINCREMENT,"
		" id TEXT NOT NULL UNIQUE, trace_id TEXT, start_time TEXT, type TEXT, level TEXT,"
		" model TEXT, role TEXT, outbox INTEGER NOT NULL, line TEXT NOT NULL);"
		"CREATE INDEX IF NOT EXISTS generation_outbox ON generation(outbox);"
		"CREATE INDEX IF NOT EXISTS generation_trace ON generation(trace_id);"
		"PRAGMA user_version = 1;"
		"COMMIT");
}

static int check_schema(struct store *store, bool is_read_only)
{
	int64_t version = ask(store, "PRAGMA user_version");
	int64_t tables;

	if (version < 0)
		return (int)version;
	if (version > SCHEMA_VERSION)
		return -EPROTONOSUPPORT;
	if (version == SCHEMA_VERSION)
		return 0;
	/* Somebody else's database is not ours to add tables to. */
	tables = ask(store, "SELECT count(*) FROM sqlite_master WHERE name NOT LIKE '%generation%'"
			    " AND name NOT LIKE 'sqlite_%'");
	if (tables < 0)
		return (int)tables;
	if (tables > 0)
		return -EUCLEAN;
	/* Made, but its maker has not come to the schema: nothing to read yet. */
	return is_read_only ? -ENOENT : make_schema(store);
}

static int open_db(struct store *store, const char *path, bool is_read_only)
{
	int flags = is_read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE;
	int r;

	/* A path that begins with "file:" is a file's name too: no SQLITE_OPEN_URI. */
	r = db_errno(NULL, sqlite3_open_v2(path ? path : ":memory:", &store->db, flags, NULL));
	if (r < 0)
		return store->db ? db_errno(store->db, sqlite3_errcode(store->db)) : r;
	sqlite3_busy_timeout(store->db, BUSY_TIMEOUT_MS);
	if (!is_read_only) {
		/* auto_vacuum must come before the first table. */
		r = run(store, "PRAGMA auto_vacuum = INCREMENTAL;"
			       "PRAGMA journal_mode = WAL;"
			       "PRAGMA synchronous = NORMAL;"
			       "PRAGMA journal_size_limit = 16777216");
		if (r < 0)
			return r;
	}
	return check_schema(store, is_read_only);
}

static void init_lock(pthread_mutex_t *lock)
{
	pthread_mutexattr_t attr;

	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(lock, &attr);
	pthread_mutexattr_destroy(&attr);
}

int store_open(struct store **ret, const char *path, bool is_read_only, const char **ret_error)
{
	_cleanup_(store_close) struct store *store = NULL;
	int r;

	assert(ret);
	assert(path || !is_read_only);

	r = path ? prepare_file(path, is_read_only) : 0;
	if (r == 0) {
		store = calloc(1, sizeof(*store));
		if (store) {
			init_lock(&store->lock);
			store->is_memory = !path;
		}
		r = store ? open_db(store, path, is_read_only) : -ENOMEM;
	}
	if (r < 0) {
		if (ret_error)
			*ret_error = reason(r);
		return r;
	}
	*ret = TAKE_PTR(store);
	return 0;
}

void store_close(struct store **store)
{
	struct store *s = *store;

	*store = NULL;
	if (!s)
		return;
	for (size_t i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(s->statements[i]);
	sqlite3_close(s->db);
	pthread_mutex_destroy(&s->lock);
	free(s);
}

/* --- statements -------------------------------------------------------------- */

static int prepare(struct store *store, enum statement which, sqlite3_stmt **ret)
{
	sqlite3_stmt **stmt = &store->statements[which];

	if (!*stmt) {
		int rc = sqlite3_prepare_v3(store->db, statement_sql[which], -1,
					    SQLITE_PREPARE_PERSISTENT, stmt, NULL);
		if (rc != SQLITE_OK)
			return db_errno(store->db, rc);
	}
	*ret = *stmt;
	return 0;
}

/* Runs what gives no rows, and makes the statement ready for its next use. */
static int finish(struct store *store, sqlite3_stmt *stmt)
{
	int r = db_errno(store->db, sqlite3_step(stmt));

	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	return r;
}

int store_begin(struct store *store)
{
	int r;

	pthread_mutex_lock(&store->lock);
	/* IMMEDIATE: the wait for another writer is here, not in the middle. */
	r = run(store, "BEGIN IMMEDIATE");
	if (r < 0)
		pthread_mutex_unlock(&store->lock);
	return r;
}

void store_rollback(struct store *store)
{
	/* A full disk may have rolled it back already. */
	if (!sqlite3_get_autocommit(store->db))
		run(store, "ROLLBACK");
	pthread_mutex_unlock(&store->lock);
}

int store_commit(struct store *store)
{
	int r = run(store, "COMMIT");

	if (r < 0)
		store_rollback(store);
	else
		pthread_mutex_unlock(&store->lock);
	return r;
}

static void bind_text(sqlite3_stmt *stmt, int column, const cJSON *generation, const char *name)
{
	const char *text = cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(generation, name));

	if (text)
		sqlite3_bind_text(stmt, column, text, -1, SQLITE_STATIC);
}

static int put(struct store *store, struct slice line, const cJSON *generation, enum outbox outbox)
{
	static const char *const columns[] = {
		"id", "traceId", "startTime", "type", "level", "model", "role",
	};
	sqlite3_stmt *stmt = NULL;
	int r;

	r = prepare(store, PUT, &stmt);
	if (r < 0)
		return r;
	for (size_t i = 0; i < ARRAY_SIZE(columns); i++)
		bind_text(stmt, (int)i + 1, generation, columns[i]);
	sqlite3_bind_int(stmt, 8, outbox);
	sqlite3_bind_text64(stmt, 9, line.ptr, line.len, SQLITE_STATIC, SQLITE_UTF8);
	return finish(store, stmt);
}

int store_put(struct store *store, struct slice line, enum outbox outbox)
{
	cJSON *generation = cJSON_ParseWithLength(line.ptr, line.len);
	int r = -EBADMSG;

	if (cJSON_GetStringValue(cJSON_GetObjectItemCaseSensitive(generation, "id"))) {
		pthread_mutex_lock(&store->lock);
		r = put(store, line, generation, outbox);
		pthread_mutex_unlock(&store->lock);
	}
	cJSON_Delete(generation);
	return r;
}

static int each_row(struct store *store, sqlite3_stmt *stmt, store_row_fn fn, void *ctx)
{
	bool is_wanted = true;
	int rc = SQLITE_DONE;

	while (is_wanted && (rc = sqlite3_step(stmt)) == SQLITE_ROW) {
		struct store_row row = {
			.rowid = sqlite3_column_int64(stmt, 0),
			.outbox = (enum outbox)sqlite3_column_int(stmt, 1),
			.line.ptr = (const char *)sqlite3_column_text(stmt, 2),
			.line.len = (size_t)sqlite3_column_bytes(stmt, 2),
		};

		is_wanted = fn(ctx, &row);
	}
	sqlite3_reset(stmt);
	sqlite3_clear_bindings(stmt);
	return db_errno(store->db, rc);
}

int store_each_outbox(struct store *store, enum outbox outbox, int64_t after_rowid,
		      unsigned limit, store_row_fn fn, void *ctx)
{
	sqlite3_stmt *stmt = NULL;
	int r;

	pthread_mutex_lock(&store->lock);
	r = prepare(store, EACH_OUTBOX, &stmt);
	if (r == 0) {
		sqlite3_bind_int(stmt, 1, outbox);
		sqlite3_bind_int64(stmt, 2, after_rowid);
		sqlite3_bind_int64(stmt, 3, limit);
		r = each_row(store, stmt, fn, ctx);
	}
	pthread_mutex_unlock(&store->lock);
	return r;
}

int store_each_newest(struct store *store, unsigned limit, store_row_fn fn, void *ctx)
{
	sqlite3_stmt *stmt = NULL;
	int r;

	pthread_mutex_lock(&store->lock);
	r = prepare(store, EACH_NEWEST, &stmt);
	if (r == 0) {
		sqlite3_bind_int64(stmt, 1, limit);
		r = each_row(store, stmt, fn, ctx);
	}
	pthread_mutex_unlock(&store->lock);
	return r;
}

int store_each_id(struct store *store, const char *prefix, unsigned limit,
		  store_row_fn fn, void *ctx)
{
	sqlite3_stmt *stmt = NULL;
	int r;

	pthread_mutex_lock(&store->lock);
	r = prepare(store, EACH_ID, &stmt);
	if (r == 0) {
		sqlite3_bind_text(stmt, 1, prefix, -1, SQLITE_STATIC);
		sqlite3_bind_int64(stmt, 2, limit);
		r = each_row(store, stmt, fn, ctx);
	}
	pthread_mutex_unlock(&store->lock);
	return r;
}

int store_count(struct store *store, enum outbox outbox, uint64_t *ret)
{
	sqlite3_stmt *stmt = NULL;
	int r;

	pthread_mutex_lock(&store->lock);
	r = prepare(store, COUNT, &stmt);
	if (r == 0) {
		int rc;

		sqlite3_bind_int(stmt, 1, outbox);
		rc = sqlite3_step(stmt);
		if (rc == SQLITE_ROW)
			*ret = (uint64_t)sqlite3_column_int64(stmt, 0);
		else
			r = db_errno(store->db, rc);
		sqlite3_reset(stmt);
	}
	pthread_mutex_unlock(&store->lock);
	return r;
}

static int mark_rows(struct store *store, const int64_t *rowids, size_t count, enum outbox outbox)
{
	bool is_done = store->is_memory && outbox != OUTBOX_UNSENT;
	sqlite3_stmt *stmt = NULL;
	int r;

	r = prepare(store, is_done ? FORGET : MARK, &stmt);
	for (size_t i = 0; r == 0 && i < count; i++) {
		sqlite3_bind_int64(stmt, 2, rowids[i]);
		if (!is_done)
			sqlite3_bind_int(stmt, 1, outbox);
		r = finish(store, stmt);
	}
	return r;
}

int store_mark(struct store *store, const int64_t *rowids, size_t count, enum outbox outbox)
{
	int r;

	r = store_begin(store);
	if (r < 0)
		return r;
	r = mark_rows(store, rowids, count, outbox);
	if (r < 0) {
		store_rollback(store);
		return r;
	}
	return store_commit(store);
}

/* --- the bound --------------------------------------------------------------- */

static uint64_t used_bytes(struct store *store)
{
	int64_t pages = ask(store, "PRAGMA page_count") - ask(store, "PRAGMA freelist_count");
	int64_t page_size = ask(store, "PRAGMA page_size");

	return pages > 0 && page_size > 0 ? (uint64_t)pages * (uint64_t)page_size : 0;
}

/* How many of the oldest rows went, of those unsent or of the others; -errno. */
static int remove_oldest(struct store *store, bool is_unsent)
{
	sqlite3_stmt *stmt = NULL;
	int r;

	r = prepare(store, TRIM, &stmt);
	if (r < 0)
		return r;
	sqlite3_bind_int(stmt, 1, is_unsent);
	sqlite3_bind_int(stmt, 2, TRIM_ROWS);
	r = finish(store, stmt);
	return r < 0 ? r : sqlite3_changes(store->db);
}

static int trim(struct store *store, uint64_t max_bytes, uint64_t *ret_unsent)
{
	bool is_unsent = false;
	uint64_t unsent = 0;
	int removed = 0;

	while (used_bytes(store) > max_bytes) {
		removed = remove_oldest(store, is_unsent);
		if (removed < 0)
			break;
		if (removed == 0 && is_unsent)
			break;
		if (is_unsent)
			unsent += (uint64_t)removed;
		is_unsent |= removed == 0;
	}
	*ret_unsent = unsent;
	return removed < 0 ? removed : run(store, "PRAGMA incremental_vacuum");
}

int store_trim(struct store *store, uint64_t max_bytes, uint64_t *ret_unsent)
{
	uint64_t unsent = 0;
	int r = 0;

	pthread_mutex_lock(&store->lock);
	if (used_bytes(store) > max_bytes)
		r = trim(store, max_bytes, &unsent);
	pthread_mutex_unlock(&store->lock);
	*ret_unsent = unsent;
	return r;
}
