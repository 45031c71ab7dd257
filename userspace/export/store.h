/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The local store and outbox: one SQLite file (WAL, mode 0600), one writer.
 * A generation is committed before it is sent and marked when acknowledged.
 *
 * Several threads may share a store: from store_begin to its end the others
 * wait, and callbacks run while they do.
 */
#ifndef GENTAP_EXPORT_STORE_H
#define GENTAP_EXPORT_STORE_H

#include "base/slice.h"

struct store;

enum outbox {
	OUTBOX_NONE = 0,	/* nobody wanted it sent */
	OUTBOX_UNSENT = 1,
	OUTBOX_SENT = 2,
	OUTBOX_REFUSED = 3,	/* refused for good; kept, never retried */
};

/* @path NULL: in memory (--no-store), where a row goes once it need not be sent
 * any more. Makes missing parent directories (0700). is_read_only: for ls and
 * show. 0 or -errno; *ret_error (may be NULL) gets a static reason text for
 * people. */
int store_open(struct store **ret, const char *path, bool is_read_only, const char **ret_error);
void store_close(struct store **store);

/* Transactions around many puts. 0 or -errno (-ENOSPC disk full, -EIO…). What
 * began ends in one call of commit, which rolls back when it fails, or of
 * rollback. */
int store_begin(struct store *store);
int store_commit(struct store *store);
void store_rollback(struct store *store);
/* Inserts or replaces by id; a row that was sent stays so while its line is the
 * same. @line is the JSON line. 0, -EBADMSG (not such a line) or -errno. */
int store_put(struct store *store, struct slice line, enum outbox outbox);

struct store_row {
	int64_t rowid;
	struct slice line;	/* borrowed for the call */
	enum outbox outbox;
};

/* Return false to stop. */
typedef bool (*store_row_fn)(void *ctx, const struct store_row *row);

/* Oldest first. Rows of @outbox with rowid > @after_rowid, at most @limit. */
int store_each_outbox(struct store *store, enum outbox outbox, int64_t after_rowid,
		      unsigned limit, store_row_fn fn, void *ctx);
int store_count(struct store *store, enum outbox outbox, uint64_t *ret);
int store_mark(struct store *store, const int64_t *rowids, size_t count, enum outbox outbox);
/* Newest first; at most @limit. */
int store_each_newest(struct store *store, unsigned limit, store_row_fn fn, void *ctx);
/* Whose id or trace id begins with @prefix. */
int store_each_id(struct store *store, const char *prefix, unsigned limit,
		  store_row_fn fn, void *ctx);

/* Removes oldest rows until the file is within LIMIT_STORE, those that were
 * sent (or never to be sent) first. *ret_unsent: how many unsent ones went. */
int store_trim(struct store *store, uint64_t max_bytes, uint64_t *ret_unsent);

#endif
