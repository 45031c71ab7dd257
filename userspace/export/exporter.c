/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The exporter thread: a bounded queue at one end; at the other the store
 * first, in one transaction for all that waited, then the sinks.
 *
 *   push -> queue -> [ commit to store ] -> stdout, files
 *                            |
 *                            +-> shipper -> Langfuse     (a thread of its own)
 *
 * Invariants: what is printed or sent was committed before, or counted as
 * store_failed. push waits for nothing but the short lock of the queue.
 *
 * When the store does not take lines (disk full), or there is none, what
 * Langfuse shall have waits in an outbox in memory.
 */
#include "export/exporter.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <sys/eventfd.h>

#include "export/note.h"
#include "export/shipper.h"
#include "export/sink.h"
#include "limits.h"

struct item {
	struct item *next;
	size_t len;
	char line[];
};

struct exporter {
	struct exporter_options options;
	struct store *store;		/* NULL: --no-store */
	struct store *memory;		/* outbox in memory; NULL: no Langfuse */
	struct shipper *shipper;	/* NULL: no Langfuse */
	struct sink *sinks;
	size_t sink_count;
	int count_fd;			/* -1: no limit */
	pthread_t thread;
	_Atomic uint64_t deadline_ns;	/* of waits for a reader of stdout */
	bool is_store_said;		/* on stderr, that it fails */

	pthread_mutex_t lock;		/* of what follows */
	pthread_cond_t changed;
	pthread_cond_t emptied;
	struct item *first, **last;	/* the queue */
	size_t queued;			/* bytes */
	uint64_t pushed;
	bool is_stopping;
	uint64_t generations;
	uint64_t losses[LOSS_COUNT];
};

/* --- the queue --------------------------------------------------------------- */

static void count_loss(struct exporter *exporter, enum loss loss, uint64_t count)
{
	pthread_mutex_lock(&exporter->lock);
	exporter->losses[loss] += count;
	pthread_mutex_unlock(&exporter->lock);
}

static struct item *item_new(struct slice line)
{
	struct item *item = malloc(sizeof(*item) + line.len);

	if (!item)
		return NULL;
	item->next = NULL;
	item->len = line.len;
	memcpy(item->line, line.ptr, line.len);
	return item;
}

static bool is_count_reached(const struct exporter *exporter, uint64_t count)
{
	return exporter->options.max_count && count >= exporter->options.max_count;
}

/* Under the lock. */
static int enqueue(struct exporter *exporter, struct slice line)
{
	struct item *item;

	if (is_count_reached(exporter, exporter->pushed))
		return 0;
	if (exporter->queued + sizeof(*item) + line.len > LIMIT_QUEUE) {
		exporter->losses[LOSS_QUEUE_FULL]++;
		return -ENOBUFS;
	}
	item = item_new(line);
	if (!item) {
		exporter->losses[LOSS_NO_MEMORY]++;
		return -ENOMEM;
	}
	*exporter->last = item;
	exporter->last = &item->next;
	exporter->queued += sizeof(*item) + line.len;
	exporter->pushed++;
	pthread_cond_signal(&exporter->changed);
	return 0;
}

int exporter_push(struct exporter *exporter, struct slice line)
{
	int r;

	pthread_mutex_lock(&exporter->lock);
	r = enqueue(exporter, line);
	pthread_mutex_unlock(&exporter->lock);
	return r;
}

int exporter_push_waiting(struct exporter *exporter, struct slice line)
{
	int r;

	pthread_mutex_lock(&exporter->lock);
	while (exporter->queued && exporter->queued + sizeof(struct item) + line.len > LIMIT_QUEUE)
		pthread_cond_wait(&exporter->emptied, &exporter->lock);
	r = enqueue(exporter, line);
	pthread_mutex_unlock(&exporter->lock);
	return r;
}

/* All that waits, or NULL when nothing does and nothing will come. */
static struct item *take_all(struct exporter *exporter)
{
	struct item *items;

	pthread_mutex_lock(&exporter->lock);
	while (!exporter->first && !exporter->is_stopping)
		pthread_cond_wait(&exporter->changed, &exporter->lock);
	items = exporter->first;
	exporter->first = NULL;
	exporter->last = &exporter->first;
	exporter->queued = 0;
	pthread_cond_broadcast(&exporter->emptied);
	pthread_mutex_unlock(&exporter->lock);
	return items;
}

static void free_items(struct item *items)
{
	while (items) {
		struct item *next = items->next;

		free(items);
		items = next;
	}
}

static struct slice line_of(const struct item *item)
{
	return (struct slice){ item->line, item->len };
}

/* --- to the store ------------------------------------------------------------ */

static void say_store_failed(struct exporter *exporter, int error)
{
	if (!exporter->options.is_quiet && !exporter->is_store_said)
		note("the store '%s' does not take generations: %s", exporter->options.store_path,
		     strerror(-error));
	exporter->is_store_said = true;
}

/* All of them in one transaction, or none. *ret_refused: lines that are none. */
static int put_all(struct store *store, const struct item *items, enum outbox outbox, uint64_t *ret_refused)
{
	uint64_t refused = 0;
	int r;

	r = store_begin(store);
	if (r < 0)
		return r;
	for (; items; items = items->next) {
		r = store_put(store, line_of(items), outbox);
		if (r == -EBADMSG) {
			refused++;
		} else if (r < 0) {
			store_rollback(store);
			return r;
		}
	}
	r = store_commit(store);
	if (r == 0)
		*ret_refused = refused;
	return r;
}

static void bound(struct exporter *exporter, struct store *store, uint64_t max_bytes)
{
	uint64_t unsent = 0;

	/* A trim that fails is tried again after the next batch. */
	(void)store_trim(store, max_bytes, &unsent);
	count_loss(exporter, LOSS_STORE_LIMIT, unsent);
}

static void keep_in_memory(struct exporter *exporter, const struct item *items, uint64_t count)
{
	uint64_t refused = 0;

	if (!exporter->memory)
		return;
	if (put_all(exporter->memory, items, OUTBOX_UNSENT, &refused) < 0)
		refused = count;
	count_loss(exporter, LOSS_SINK_FAILED, refused);
	bound(exporter, exporter->memory, LIMIT_MEMORY_OUTBOX);
}

static void commit(struct exporter *exporter, const struct item *items, uint64_t count)
{
	uint64_t refused = 0;
	int r;

	if (!exporter->store) {
		keep_in_memory(exporter, items, count);
		return;
	}
	r = put_all(exporter->store, items, exporter->shipper ? OUTBOX_UNSENT : OUTBOX_NONE, &refused);
	if (r < 0) {
		say_store_failed(exporter, r);
		count_loss(exporter, LOSS_STORE_FAILED, count);
		keep_in_memory(exporter, items, count);
		return;
	}
	count_loss(exporter, LOSS_STORE_FAILED, refused);
	bound(exporter, exporter->store, LIMIT_STORE);
}

/* --- to the sinks ------------------------------------------------------------ */

static void say_sink_failed(const struct exporter *exporter, struct sink *sink, int error)
{
	if (!exporter->options.is_quiet && !sink->is_said)
		note("'%s' does not take generations: %s", sink->path ? sink->path : "stdout", strerror(-error));
	sink->is_said = true;
}

static void give_to_sinks(struct exporter *exporter, const struct item *item)
{
	cJSON *generation = NULL;

	for (size_t i = 0; i < exporter->sink_count; i++) {
		struct sink *sink = &exporter->sinks[i];
		int r;

		if (sink->type == SINK_TERMINAL && !generation)
			generation = cJSON_ParseWithLength(item->line, item->len);
		r = sink_write(sink, line_of(item), generation, exporter->options.has_colour,
			       &exporter->deadline_ns);
		if (r < 0) {
			say_sink_failed(exporter, sink, r);
			count_loss(exporter, LOSS_SINK_FAILED, 1);
		}
	}
	cJSON_Delete(generation);
}

static void count_up(struct exporter *exporter, uint64_t count)
{
	bool is_reached;

	pthread_mutex_lock(&exporter->lock);
	exporter->generations += count;
	is_reached = is_count_reached(exporter, exporter->generations);
	pthread_mutex_unlock(&exporter->lock);
	if (is_reached)
		eventfd_write(exporter->count_fd, 1);
}

static void *export_until_stopped(void *arg)
{
	struct exporter *exporter = arg;
	struct item *items;

	while ((items = take_all(exporter))) {
		uint64_t count = 0;

		for (const struct item *item = items; item; item = item->next)
			count++;
		commit(exporter, items, count);
		if (exporter->shipper)
			shipper_wake(exporter->shipper, count);
		for (const struct item *item = items; item; item = item->next)
			give_to_sinks(exporter, item);
		count_up(exporter, count);
		free_items(items);
	}
	return NULL;
}

/* --- life -------------------------------------------------------------------- */

_printf_(2, 3)
static void explain(char **ret_error, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	if (vasprintf(ret_error, fmt, args) < 0)
		*ret_error = NULL;
	va_end(args);
}

static int open_store(struct exporter *exporter, char **ret_error)
{
	const char *path = exporter->options.store_path;
	const char *reason = NULL;
	int r;

	if (!path)
		return 0;
	r = store_open(&exporter->store, path, false, &reason);
	if (r < 0)
		explain(ret_error, "cannot open the store '%s': %s; name another with GENTAP_STORE, or use --no-store",
			path, reason);
	return r;
}

static int open_sinks(struct exporter *exporter, char **ret_error)
{
	const struct exporter_options *options = &exporter->options;

	exporter->sinks = calloc(options->sink_count + 1, sizeof(*exporter->sinks));
	if (!exporter->sinks)
		return -ENOMEM;
	for (size_t i = 0; i < options->sink_count; i++) {
		int r;

		if (options->sinks[i].type == SINK_LANGFUSE)
			continue;
		r = sink_open(&exporter->sinks[exporter->sink_count], &options->sinks[i]);
		if (r < 0) {
			explain(ret_error, "cannot write '%s': %s; name another file after `--to jsonl:`",
				options->sinks[i].path, strerror(-r));
			return r;
		}
		exporter->sink_count++;
	}
	return 0;
}

static bool has_langfuse(const struct exporter_options *options)
{
	for (size_t i = 0; i < options->sink_count; i++)
		if (options->sinks[i].type == SINK_LANGFUSE)
			return true;
	return false;
}

static int start_shipper(struct exporter *exporter, char **ret_error)
{
	struct shipper_options options = {
		.langfuse = exporter->options.langfuse,
		.flush_at = exporter->options.flush_at,
		.flush_interval_ms = exporter->options.flush_interval_ms,
		.is_quiet = exporter->options.is_quiet,
		.is_hurried = exporter->options.is_hurried,
	};
	int r;

	if (!has_langfuse(&exporter->options))
		return 0;
	assert(options.langfuse);
	r = store_open(&exporter->memory, NULL, false, NULL);
	if (r < 0)
		return r;
	options.stores[0] = exporter->store;
	options.stores[1] = exporter->memory;
	r = shipper_new(&exporter->shipper, &options);
	if (r == -EINVAL)
		explain(ret_error, "LANGFUSE_BASE_URL, LANGFUSE_PUBLIC_KEY or LANGFUSE_SECRET_KEY cannot be right; "
			"see them with `gentap config`");
	return r;
}

/* Signals are the main thread's business, and a closed pipe is an error here. */
static int start_thread(struct exporter *exporter)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&exporter->thread, NULL, export_until_stopped, exporter);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}

/* What runs must have ended. */
static void exporter_free(struct exporter **exporter)
{
	struct exporter *e = *exporter;
	struct shipper_totals unused;

	*exporter = NULL;
	if (!e)
		return;
	shipper_stop(&e->shipper, 0, &unused);
	free_items(e->first);
	for (size_t i = 0; i < e->sink_count; i++)
		sink_close(&e->sinks[i]);
	free(e->sinks);
	store_close(&e->memory);
	store_close(&e->store);
	closep(&e->count_fd);
	pthread_cond_destroy(&e->emptied);
	pthread_cond_destroy(&e->changed);
	pthread_mutex_destroy(&e->lock);
	free(e);
}

int exporter_new(struct exporter **ret, const struct exporter_options *options, char **ret_error)
{
	_cleanup_(exporter_free) struct exporter *exporter = calloc(1, sizeof(*exporter));
	char *error = NULL;
	int r;

	if (exporter) {
		exporter->options = *options;
		exporter->last = &exporter->first;
		exporter->count_fd = options->max_count ? eventfd(0, EFD_CLOEXEC) : -1;
		atomic_init(&exporter->deadline_ns, UINT64_MAX);
		pthread_mutex_init(&exporter->lock, NULL);
		pthread_cond_init(&exporter->changed, NULL);
		pthread_cond_init(&exporter->emptied, NULL);
	}
	r = !exporter ? -ENOMEM : options->max_count && exporter->count_fd < 0 ? -errno : 0;
	if (r == 0)
		r = open_store(exporter, &error);
	if (r == 0)
		r = open_sinks(exporter, &error);
	if (r == 0)
		r = start_shipper(exporter, &error);
	if (r == 0)
		r = start_thread(exporter);
	if (r < 0) {
		if (!error)
			explain(&error, "cannot start the exporter: %s", strerror(-r));
		*ret_error = error;
		return r;
	}
	*ret = TAKE_PTR(exporter);
	return 0;
}

int exporter_count_fd(const struct exporter *exporter)
{
	return exporter->count_fd;
}

/* What memory still holds goes with us: that is a loss. */
static void count_unsent(struct exporter *exporter, struct exporter_totals *totals)
{
	uint64_t lost = 0;

	if (!exporter->memory)
		return;
	if (exporter->store)
		(void)store_count(exporter->store, OUTBOX_UNSENT, &totals->unsent);
	(void)store_count(exporter->memory, OUTBOX_UNSENT, &lost);
	totals->losses[LOSS_SINK_FAILED] += lost;
}

void exporter_stop(struct exporter **exporter, unsigned timeout_ms, struct exporter_totals *ret)
{
	uint64_t deadline_ns = after_ms(timeout_ms);
	struct shipper_totals shipped = { 0 };
	struct exporter *e = *exporter;

	*ret = (struct exporter_totals){ 0 };
	if (!e)
		return;
	pthread_mutex_lock(&e->lock);
	e->is_stopping = true;
	pthread_cond_signal(&e->changed);
	pthread_mutex_unlock(&e->lock);
	atomic_store(&e->deadline_ns, deadline_ns);
	while (!join_within(e->thread, HURRY_LOOK_MS))
		if (e->options.is_hurried && atomic_load(e->options.is_hurried))
			atomic_store(&e->deadline_ns, 0);

	ret->generations = e->generations;
	memcpy(ret->losses, e->losses, sizeof(ret->losses));
	shipper_stop(&e->shipper, deadline_ns, &shipped);
	count_unsent(e, ret);
	ret->sent = shipped.sent;
	ret->losses[LOSS_REFUSED] += shipped.refused;
	exporter_free(exporter);
}
