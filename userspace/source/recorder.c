/* SPDX-License-Identifier: Apache-2.0 */
/*
 *	event -> queue --taken whole--> [ scrub ] -> capture_writer -> file
 *
 * The queue is bytes: entries in their order, each aligned to 8. It is taken when
 * it has enough for a block, or FLUSH_MS after its first entry; what was taken
 * goes to the file at once, so that a crash loses no more than that.
 */
#include "source/recorder.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/eventfd.h>
#include <time.h>

#include "base/buf.h"
#include "base/clock.h"
#include "source/scrub.h"

enum {
	FLUSH_MS = 500,			/* a second is promised */
	TAKE_BYTES = CAPTURE_FLUSH_BYTES,
	KEEP_BYTES = 1024 * 1024,	/* of an empty queue's memory */
};

/* Half of the limit waits while the other half is written. */
#define QUEUE_MAX (LIMIT_CAPTURE_QUEUE / 2)

struct entry {
	uint32_t type;		/* enum capture_record_type */
	uint32_t len;
	uint64_t bytes[];
};

struct recorder {
	struct capture_writer *writer;	/* the thread's, as the next */
	struct scrubber *scrubber;	/* NULL: events are written as they are */
	pthread_t thread;
	int error_fd;

	pthread_mutex_t lock;		/* of what follows */
	pthread_cond_t filled, taken;
	struct buf queue;
	struct recorder_totals totals;
	bool is_stopping;
	int error;			/* 0 or -errno */
};

/* --- into the queue ------------------------------------------------------- */

static void fail_with(struct recorder *recorder, int error)
{
	if (!recorder->error)
		eventfd_write(recorder->error_fd, 1);
	recorder->error = recorder->error ? recorder->error : error;
}

/* Under the lock. */
static void append(struct recorder *recorder, enum capture_record_type type, struct slice payload,
		   struct slice more)
{
	static const char zeros[8];
	struct entry entry = { .type = type, .len = (uint32_t)(payload.len + more.len) };
	size_t padding = -(size_t)entry.len & 7;

	buf_add(&recorder->queue, &entry, sizeof(entry));
	buf_add_slice(&recorder->queue, payload);
	buf_add_slice(&recorder->queue, more);
	buf_add(&recorder->queue, zeros, padding);
	if (!buf_ok(&recorder->queue))
		fail_with(recorder, -ENOMEM);
}

static void enqueue(struct recorder *recorder, enum capture_record_type type, struct slice payload,
		    struct slice more)
{
	size_t before, len = sizeof(struct entry) + payload.len + more.len + 7;

	pthread_mutex_lock(&recorder->lock);
	while (recorder->queue.len + len > QUEUE_MAX && !recorder->error)
		pthread_cond_wait(&recorder->taken, &recorder->lock);
	before = recorder->queue.len;
	if (!recorder->error)
		append(recorder, type, payload, more);
	/* A wake-up for each event would cost more than the event. */
	if (before == 0 || (before < TAKE_BYTES && recorder->queue.len >= TAKE_BYTES))
		pthread_cond_signal(&recorder->filled);
	pthread_mutex_unlock(&recorder->lock);
}

void recorder_event(struct recorder *recorder, const struct gt_event *event)
{
	struct slice bytes = { (const char *)event, capture_event_size(event) };

	if (bytes.len && bytes.len <= LIMIT_CAPTURE_RECORD)
		enqueue(recorder, CAPTURE_EVENT, bytes, (struct slice){});
}

void recorder_control(struct recorder *recorder, const struct gt_process_event *event)
{
	enqueue(recorder, CAPTURE_CONTROL, (struct slice){ (const char *)event, sizeof(*event) }, (struct slice){});
}

void recorder_target(struct recorder *recorder, uint64_t time_ns, uint32_t pid, const char *comm,
		     const char *text)
{
	struct capture_target target = { .time_ns = time_ns, .pid = pid };

	strncpy(target.comm, comm, sizeof(target.comm) - 1);
	/* With its NUL: the thread reads it as text. */
	enqueue(recorder, CAPTURE_TARGET, (struct slice){ (const char *)&target, sizeof(target) },
		(struct slice){ text, strlen(text) + 1 });
}

struct losses {
	uint64_t kernel[GT_LOSS_COUNT], rest[LOSS_COUNT];
};

void recorder_losses(struct recorder *recorder, const uint64_t kernel[GT_LOSS_COUNT],
		     const uint64_t losses[LOSS_COUNT])
{
	enqueue(recorder, CAPTURE_LOSSES,
		(struct slice){ (const char *)kernel, sizeof(*kernel) * GT_LOSS_COUNT },
		(struct slice){ (const char *)losses, sizeof(*losses) * LOSS_COUNT });
}

int recorder_error_fd(const struct recorder *recorder)
{
	return recorder->error_fd;
}

struct recorder_totals recorder_totals(struct recorder *recorder)
{
	struct recorder_totals totals;

	pthread_mutex_lock(&recorder->lock);
	totals = recorder->totals;
	pthread_mutex_unlock(&recorder->lock);
	return totals;
}

/* --- the thread ----------------------------------------------------------- */

/* The entry is ours by now: it is scrubbed where it stands. */
static int write_event(struct recorder *recorder, struct gt_event *event, size_t len)
{
	int r;

	if (!capture_event_is_sound((struct slice){ (const char *)event, len }))
		return 0;
	if (recorder->scrubber)
		scrubber_event(recorder->scrubber, event);
	r = capture_writer_event(recorder->writer, event);
	return r == -EINVAL ? 0 : r;
}

static int write_target(struct recorder *recorder, const struct capture_target *target)
{
	return capture_writer_target(recorder->writer, target->time_ns, target->pid, target->comm, target->text);
}

static int write_losses(struct recorder *recorder, struct losses *losses)
{
	if (recorder->scrubber)
		losses->rest[LOSS_SCRUB_UNSURE] = scrubber_unsure(recorder->scrubber);
	return capture_writer_losses(recorder->writer, losses->kernel, losses->rest);
}

static int write_entry(struct recorder *recorder, struct entry *entry)
{
	switch (entry->type) {
	case CAPTURE_EVENT:
		return write_event(recorder, (void *)entry->bytes, entry->len);
	case CAPTURE_CONTROL:
		return capture_writer_control(recorder->writer, (const void *)entry->bytes);
	case CAPTURE_TARGET:
		return write_target(recorder, (const void *)entry->bytes);
	default:
		return write_losses(recorder, (void *)entry->bytes);
	}
}

static int write_entries(struct recorder *recorder, const struct buf *taken)
{
	int r = 0;

	for (size_t at = 0; at < taken->len && r == 0;) {
		struct entry *entry = (void *)(taken->ptr + at);

		at += sizeof(*entry) + (((size_t)entry->len + 7) & ~(size_t)7);
		r = write_entry(recorder, entry);
	}
	return r == 0 ? capture_writer_flush(recorder->writer) : r;
}

/* Waits for an entry, and then a while for more. Under the lock. */
static void wait_for_entries(struct recorder *recorder)
{
	uint64_t until_ns;
	struct timespec until;

	while (!recorder->queue.len && !recorder->is_stopping)
		pthread_cond_wait(&recorder->filled, &recorder->lock);
	until_ns = clock_ns(CLOCK_MONOTONIC) + FLUSH_MS * 1000000ull;
	until = (struct timespec){ (time_t)(until_ns / 1000000000), (long)(until_ns % 1000000000) };
	while (recorder->queue.len < TAKE_BYTES && !recorder->is_stopping)
		if (pthread_cond_clockwait(&recorder->filled, &recorder->lock, CLOCK_MONOTONIC, &until) == ETIMEDOUT)
			break;
}

/* Swaps the queue for an empty one. False: it is over. */
static bool take(struct recorder *recorder, struct buf *taken)
{
	struct buf queue;

	pthread_mutex_lock(&recorder->lock);
	wait_for_entries(recorder);
	queue = recorder->queue;
	recorder->queue = *taken;
	*taken = queue;
	pthread_cond_broadcast(&recorder->taken);
	pthread_mutex_unlock(&recorder->lock);
	return queue.len > 0;
}

static void tell(struct recorder *recorder, int r)
{
	struct capture_writer_totals totals = capture_writer_totals(recorder->writer);

	pthread_mutex_lock(&recorder->lock);
	recorder->totals.events = totals.events;
	recorder->totals.bytes = totals.bytes;
	if (recorder->scrubber)
		recorder->totals.scrub_unsure = scrubber_unsure(recorder->scrubber);
	if (r < 0)
		fail_with(recorder, r);
	pthread_cond_broadcast(&recorder->taken);
	pthread_mutex_unlock(&recorder->lock);
}

static void *record_until_stopped(void *arg)
{
	struct recorder *recorder = arg;
	struct buf taken = BUF_INIT(QUEUE_MAX);

	/* After an error too: the queue is emptied, so that nobody waits for it. */
	while (take(recorder, &taken)) {
		tell(recorder, write_entries(recorder, &taken));
		buf_reset(&taken);
		if (taken.size > KEEP_BYTES)
			buf_done(&taken);
	}
	buf_done(&taken);
	return NULL;
}

/* --- life ----------------------------------------------------------------- */

/* The thread must have ended, or not begun. */
static void recorder_free(struct recorder **recorderp)
{
	struct recorder *recorder = *recorderp;

	*recorderp = NULL;
	if (!recorder)
		return;
	capture_writer_free(&recorder->writer);
	scrubber_free(&recorder->scrubber);
	closep(&recorder->error_fd);
	buf_done(&recorder->queue);
	pthread_cond_destroy(&recorder->filled);
	pthread_cond_destroy(&recorder->taken);
	pthread_mutex_destroy(&recorder->lock);
	free(recorder);
}

int recorder_new(struct recorder **ret, int fd, const struct capture_header *header)
{
	_cleanup_(recorder_free) struct recorder *recorder = calloc(1, sizeof(*recorder));
	_cleanup_(closep) int kept = -1;
	int r;

	if (!recorder)
		return -ENOMEM;
	recorder->queue = BUF_INIT(QUEUE_MAX);
	pthread_mutex_init(&recorder->lock, NULL);
	pthread_cond_init(&recorder->filled, NULL);
	pthread_cond_init(&recorder->taken, NULL);
	recorder->error_fd = eventfd(0, EFD_CLOEXEC);
	if (recorder->error_fd < 0)
		return -errno;
	r = header->flags & CAPTURE_SCRUBBED ? scrubber_new(&recorder->scrubber) : 0;
	if (r < 0)
		return r;
	/* The caller's stays the caller's until nothing can fail any more. */
	kept = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	if (kept < 0)
		return -errno;
	r = capture_writer_new(&recorder->writer, kept, header);
	if (r < 0)
		return r;
	TAKE_FD(kept);
	r = -pthread_create(&recorder->thread, NULL, record_until_stopped, recorder);
	if (r < 0)
		return r;
	close(fd);
	*ret = TAKE_PTR(recorder);
	return 0;
}

int recorder_stop(struct recorder **recorderp, uint64_t end_ns, struct recorder_totals *ret)
{
	struct recorder *recorder = *recorderp;
	int r;

	*ret = (struct recorder_totals){};
	if (!recorder)
		return 0;
	pthread_mutex_lock(&recorder->lock);
	recorder->is_stopping = true;
	pthread_cond_signal(&recorder->filled);
	pthread_mutex_unlock(&recorder->lock);
	pthread_join(recorder->thread, NULL);
	r = recorder->error;
	if (r == 0) {
		r = capture_writer_end(recorder->writer, end_ns);
		tell(recorder, r);
	}
	*ret = recorder->totals;
	recorder_free(recorderp);
	return r;
}
