/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The thread between the outbox and Langfuse.
 *
 *            wake, interval, batch full                 all sent
 *   IDLE ------------------------------> SENDING ---------------------> IDLE
 *                                        |  ^  |
 *           429, 5xx, no answer          |  |  |  401, 403, 404, 3xx
 *   BACKOFF <----------------------------+  |  +---------------------> GIVEN UP
 *      |      Retry-After, or 1 s doubled   |                          (for this run)
 *      +------------------------------------+
 *
 * A request that is refused (400) or too large (413) is halved until the
 * generation that is the cause stands alone; that one is marked refused.
 *
 * Invariant: a row is marked sent only after a 2xx, and is sent again in the
 * same run only if nobody answered.
 */
#include "export/shipper.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>

#include "export/note.h"
#include "limits.h"

enum {
	DEFAULT_INTERVAL_MS = 5000,
	BACKOFF_FIRST_MS = 1000,
	BACKOFF_MAX_MS = 60000,
};

#define NEVER UINT64_MAX

enum said { SAID_REFUSED = 1 << 0, SAID_LATER = 1 << 1 };

/* What ends a walk over the outbox. */
enum outcome { ALL_SENT, TRY_LATER, GIVE_UP };

struct shipper {
	struct shipper_options options;
	struct langfuse *langfuse;
	pthread_t thread;

	pthread_mutex_t lock;		/* of what follows, up to the next empty line */
	pthread_cond_t changed;
	size_t pending;			/* rows committed since the last walk began */
	uint64_t due_ns;		/* when the next walk begins; NEVER: nothing waits */
	uint64_t deadline_ns;		/* of the last walk */
	bool is_stopping;

	/* of the thread alone */
	uint64_t not_before_ns;		/* backoff */
	unsigned backoff_ms;
	bool is_stated;			/* the server itself named the wait */
	bool is_given_up;
	bool has_tried_last;		/* a walk began after is_stopping */
	int64_t after_rowid[SHIPPER_STORES_MAX]; /* sent up to here, though marking failed */
	unsigned said;			/* enum said */
	struct shipper_totals totals;
};

/* --- what goes together ------------------------------------------------------ */

struct batch {
	size_t store;			/* index in options.stores */
	size_t count, max;
	int64_t rowids[LIMIT_BATCH_GENERATIONS];
	size_t ends[LIMIT_BATCH_GENERATIONS];	/* of each line in text */
	struct slice lines[LIMIT_BATCH_GENERATIONS];
	struct buf text;		/* the lines, one behind the other */
	struct buf request;
};

static void batch_free(struct batch **batch)
{
	if (*batch) {
		buf_done(&(*batch)->text);
		buf_done(&(*batch)->request);
	}
	freep(batch);
}

static bool collect(void *ctx, const struct store_row *row)
{
	struct batch *batch = ctx;

	if (batch->count && batch->text.len + row->line.len > LIMIT_BATCH)
		return false;
	/* One that does not fit is cut, cannot be encoded, and so is refused. */
	buf_add_slice(&batch->text, row->line);
	if (batch->text.is_failed)
		return false;
	batch->rowids[batch->count] = row->rowid;
	batch->ends[batch->count++] = batch->text.len;
	return batch->count < batch->max;
}

static int fill_batch(struct shipper *shipper, struct batch *batch)
{
	size_t start = 0;
	int r;

	batch->count = 0;
	buf_reset(&batch->text);
	r = store_each_outbox(shipper->options.stores[batch->store], OUTBOX_UNSENT,
			      shipper->after_rowid[batch->store], (unsigned)batch->max, collect, batch);
	if (r < 0)
		return r;
	if (batch->text.is_failed)
		return -ENOMEM;
	for (size_t i = 0; i < batch->count; i++) {
		batch->lines[i] = (struct slice){ batch->text.ptr + start, batch->ends[i] - start };
		start = batch->ends[i];
	}
	return 0;
}

/* --- sending ----------------------------------------------------------------- */

static void say_once(struct shipper *shipper, enum said what, const char *text, const char *consequence)
{
	if (!shipper->options.is_quiet && !(shipper->said & what))
		note("%s%s", text, consequence);
	shipper->said |= what;
}

static void mark(struct shipper *shipper, const struct batch *batch, size_t from, size_t count,
		 enum outbox outbox)
{
	/* Where marking fails (disk full), this run at least does not send them twice. */
	if (store_mark(shipper->options.stores[batch->store], batch->rowids + from, count, outbox) < 0)
		shipper->after_rowid[batch->store] = batch->rowids[from + count - 1];
	if (outbox == OUTBOX_SENT)
		shipper->totals.sent += count;
	else
		shipper->totals.refused += count;
}

/* Encodes and sends batch rows @from to @from + @count. What cannot go as one
 * request has the answer that the server would give. */
static void send_rows(struct shipper *shipper, struct batch *batch, size_t from, size_t count,
		      struct langfuse_answer *ret)
{
	size_t skipped = 0;
	int r;

	r = langfuse_encode(shipper->options.langfuse, batch->lines + from, count, &batch->request, &skipped);
	if (r == -ENOMEM)
		*ret = (struct langfuse_answer){ .verdict = LANGFUSE_LATER, .text = "out of memory" };
	else if (skipped)
		*ret = (struct langfuse_answer){ .verdict = LANGFUSE_REFUSED, .text = "a line of the store is damaged" };
	else if (r < 0 || (count > 1 && batch->request.len > LIMIT_BATCH))
		*ret = (struct langfuse_answer){ .verdict = LANGFUSE_TOO_LARGE, .text = "a generation is too large to send" };
	else
		langfuse_send(shipper->langfuse, buf_slice(&batch->request), ret);
}

static void back_off(struct shipper *shipper, const struct langfuse_answer *answer)
{
	unsigned wait_ms = answer->retry_after_ms;

	shipper->is_stated = wait_ms > 0;
	if (!wait_ms) {
		shipper->backoff_ms = shipper->backoff_ms ? MIN(shipper->backoff_ms * 2, (unsigned)BACKOFF_MAX_MS)
							  : (unsigned)BACKOFF_FIRST_MS;
		/* 80 to 120 %: many gentaps must not come back at the same moment. */
		wait_ms = (unsigned)(shipper->backoff_ms * (80 + monotonic_ns() / 1000 % 41) / 100);
	}
	shipper->not_before_ns = after_ms(wait_ms);
}

static enum outcome ship_rows(struct shipper *shipper, struct batch *batch, size_t from, size_t count)
{
	struct langfuse_answer answer;
	enum outcome outcome;

	send_rows(shipper, batch, from, count, &answer);
	switch (answer.verdict) {
	case LANGFUSE_SENT:
		shipper->backoff_ms = 0;
		mark(shipper, batch, from, count, OUTBOX_SENT);
		return ALL_SENT;
	case LANGFUSE_STOP:
		if (!shipper->options.is_quiet)
			note("%s", answer.text);
		return GIVE_UP;
	case LANGFUSE_LATER:
		say_once(shipper, SAID_LATER, answer.text, "; generations are kept and sent later");
		back_off(shipper, &answer);
		return TRY_LATER;
	case LANGFUSE_REFUSED:
	case LANGFUSE_TOO_LARGE:
		break;
	}
	if (count == 1) {
		say_once(shipper, SAID_REFUSED, answer.text, "; this generation is not sent again");
		mark(shipper, batch, from, 1, OUTBOX_REFUSED);
		return ALL_SENT;
	}
	outcome = ship_rows(shipper, batch, from, count / 2);
	return outcome == ALL_SENT ? ship_rows(shipper, batch, from + count / 2, count - count / 2) : outcome;
}

static enum outcome ship_store(struct shipper *shipper, struct batch *batch)
{
	enum outcome outcome = ALL_SENT;

	while (outcome == ALL_SENT) {
		int r = fill_batch(shipper, batch);

		if (r < 0) {
			back_off(shipper, &(struct langfuse_answer){ 0 });
			return TRY_LATER;
		}
		if (!batch->count)
			break;
		outcome = ship_rows(shipper, batch, 0, batch->count);
	}
	return outcome;
}

/* Memory is taken for a walk, and given back after it. */
static enum outcome ship_all(struct shipper *shipper)
{
	_cleanup_(batch_free) struct batch *batch = calloc(1, sizeof(*batch));
	enum outcome outcome = ALL_SENT;

	if (!batch) {
		back_off(shipper, &(struct langfuse_answer){ 0 });
		return TRY_LATER;
	}
	batch->max = shipper->options.flush_at;
	batch->text = BUF_INIT(LIMIT_BATCH_SINGLE);
	batch->request = BUF_INIT(LIMIT_BATCH_SINGLE);
	for (; batch->store < SHIPPER_STORES_MAX && outcome == ALL_SENT; batch->store++)
		if (shipper->options.stores[batch->store])
			outcome = ship_store(shipper, batch);
	return outcome;
}

/* --- when -------------------------------------------------------------------- */

/* When the next walk begins, as things stand; NEVER: none does. */
static uint64_t next_walk_ns(const struct shipper *shipper)
{
	uint64_t at_ns = MAX(shipper->due_ns, shipper->not_before_ns);

	if (shipper->is_given_up)
		return NEVER;
	if (!shipper->is_stopping)
		return at_ns;
	/* The last chance: at once, or when the server said, and then no more. */
	if (shipper->deadline_ns <= monotonic_ns())
		return NEVER;
	if (shipper->is_stated && shipper->not_before_ns <= shipper->deadline_ns)
		return shipper->not_before_ns;
	return shipper->has_tried_last || shipper->is_stated ? NEVER : 0;
}

/* True: a walk is due. False: there will be none. */
static bool wait_for_walk(struct shipper *shipper)
{
	uint64_t at_ns;

	pthread_mutex_lock(&shipper->lock);
	while ((at_ns = next_walk_ns(shipper)) > monotonic_ns()) {
		struct timespec at = timespec_of(at_ns);

		if (at_ns == NEVER && shipper->is_stopping)
			break;
		if (at_ns == NEVER)
			pthread_cond_wait(&shipper->changed, &shipper->lock);
		else
			pthread_cond_timedwait(&shipper->changed, &shipper->lock, &at);
	}
	shipper->pending = 0;
	shipper->due_ns = NEVER;
	shipper->has_tried_last = shipper->is_stopping;
	pthread_mutex_unlock(&shipper->lock);
	return at_ns != NEVER;
}

static void *ship_until_stopped(void *arg)
{
	struct shipper *shipper = arg;

	while (wait_for_walk(shipper)) {
		enum outcome outcome;

		shipper->is_stated = false;
		outcome = ship_all(shipper);
		shipper->is_given_up = outcome == GIVE_UP;
		if (outcome == TRY_LATER) {
			pthread_mutex_lock(&shipper->lock);
			shipper->due_ns = 0;
			pthread_mutex_unlock(&shipper->lock);
		}
	}
	return NULL;
}

void shipper_wake(struct shipper *shipper, size_t count)
{
	uint64_t due_ns;

	pthread_mutex_lock(&shipper->lock);
	shipper->pending += count;
	due_ns = shipper->pending >= shipper->options.flush_at ? 0 : after_ms(shipper->options.flush_interval_ms);
	if (due_ns < shipper->due_ns) {
		shipper->due_ns = due_ns;
		pthread_cond_signal(&shipper->changed);
	}
	pthread_mutex_unlock(&shipper->lock);
}

static void end_by(struct shipper *shipper, uint64_t deadline_ns)
{
	pthread_mutex_lock(&shipper->lock);
	shipper->is_stopping = true;
	shipper->deadline_ns = deadline_ns;
	langfuse_limit(shipper->langfuse, deadline_ns);
	pthread_cond_signal(&shipper->changed);
	pthread_mutex_unlock(&shipper->lock);
}

/* --- life -------------------------------------------------------------------- */

/* Signals are the main thread's business, and a closed pipe is an error here. */
static int start_thread(struct shipper *shipper)
{
	sigset_t all, before;
	int r;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	r = pthread_create(&shipper->thread, NULL, ship_until_stopped, shipper);
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return -r;
}

static void shipper_free(struct shipper **shipper)
{
	if (*shipper) {
		langfuse_free(&(*shipper)->langfuse);
		pthread_cond_destroy(&(*shipper)->changed);
		pthread_mutex_destroy(&(*shipper)->lock);
	}
	freep(shipper);
}

int shipper_new(struct shipper **ret, const struct shipper_options *options)
{
	_cleanup_(shipper_free) struct shipper *shipper = calloc(1, sizeof(*shipper));
	pthread_condattr_t attr;
	int r;

	if (!shipper)
		return -ENOMEM;
	shipper->options = *options;
	if (!options->flush_at || options->flush_at > LIMIT_BATCH_GENERATIONS)
		shipper->options.flush_at = LIMIT_BATCH_GENERATIONS;
	if (!options->flush_interval_ms)
		shipper->options.flush_interval_ms = DEFAULT_INTERVAL_MS;
	pthread_mutex_init(&shipper->lock, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&shipper->changed, &attr);
	pthread_condattr_destroy(&attr);

	r = langfuse_new(&shipper->langfuse, options->langfuse);
	if (r == 0)
		r = start_thread(shipper);
	if (r < 0)
		return r;
	*ret = TAKE_PTR(shipper);
	return 0;
}

void shipper_stop(struct shipper **shipper, uint64_t deadline_ns, struct shipper_totals *ret)
{
	struct shipper *s = *shipper;

	if (!s)
		return;
	end_by(s, deadline_ns);
	while (!join_within(s->thread, HURRY_LOOK_MS))
		if (s->options.is_hurried && atomic_load(s->options.is_hurried))
			end_by(s, 0);
	*ret = s->totals;
	shipper_free(shipper);
}
