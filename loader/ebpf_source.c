/* SPDX-License-Identifier: Apache-2.0 */
/*
 * While events come, the ring is drained every DRAIN_MS without any wake-up
 * from the kernel side: a wake-up costs the target more than the record. After
 * IDLE_NS without events the reader parks: it says so in is_parked, and the next
 * record wakes it.
 *
 * Decoding a large prompt takes longer than a burst needs to fill the ring. So
 * records are first copied out, into a backlog bounded in bytes, and between
 * one event and the next the ring is looked after again. Only when the backlog
 * is full do records wait in the ring, and get lost there, counted.
 */
#include "loader/ebpf_source.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "base/base.h"
#include "base/clock.h"
#include "limits.h"

enum {
	DRAIN_MS = 5,
	IDLE_NS = 200 * 1000 * 1000,
	BUSY_NS = 1000 * 1000,		/* longest decoding between two looks at the ring */
	RECORD_MAX = 64 * 1024,		/* more than the largest record */
	EVENTS_MAX = 65536,		/* of one poll, so that its caller is heard */
};

/* Records in their order, each behind its size, 8-byte aligned. */
struct backlog {
	char *bytes;		/* owned */
	size_t first, end;	/* of what is in it */
	size_t size;		/* allocated; at most LIMIT_BACKLOG */
};

struct ebpf_source {
	struct source source;
	struct ebpf_source_options options;
	struct ring_buffer *ring;
	uint64_t last_event_ns;
	struct backlog backlog;
};

/* Whether @size bytes hold the event that they say they are. */
static bool is_sound(const struct gt_event *event, size_t size)
{
	const struct gt_data_event *data = (const void *)event;

	if (size < sizeof(*event))
		return false;
	if (event->type != GT_EVENT_DATA)
		return true;
	return size >= sizeof(*data) && size - sizeof(*data) >= data->captured_len;
}

/* --- the backlog ---------------------------------------------------------- */

static bool is_empty(const struct backlog *backlog)
{
	return backlog->first == backlog->end;
}

/* Room for one more record of any size. */
static bool make_room(struct backlog *backlog)
{
	size_t size = backlog->size ? backlog->size : 2 * RECORD_MAX;
	char *bytes;

	/* Moved only when half is free, so that each byte moves once or twice. */
	if (backlog->end + RECORD_MAX > backlog->size && backlog->first > backlog->size / 2) {
		backlog->end -= backlog->first;
		memmove(backlog->bytes, backlog->bytes + backlog->first, backlog->end);
		backlog->first = 0;
	}
	while (backlog->end + RECORD_MAX > size)
		size *= 2;
	if (size == backlog->size)
		return true;
	if (size > LIMIT_BACKLOG)
		return false;
	bytes = realloc(backlog->bytes, size);
	if (!bytes)
		return false;
	backlog->bytes = bytes;
	backlog->size = size;
	return true;
}

/* Room was made before this was called, and is made for the next one. */
static int on_record(void *ctx, void *record, size_t size)
{
	struct ebpf_source *ebpf = ctx;
	struct backlog *backlog = &ebpf->backlog;

	if (is_sound(record, size) && size <= RECORD_MAX - sizeof(uint64_t)) {
		*(uint64_t *)(backlog->bytes + backlog->end) = size;
		memcpy(backlog->bytes + backlog->end + sizeof(uint64_t), record, size);
		backlog->end += sizeof(uint64_t) + ((size + 7) & ~7ul);
	}
	return make_room(backlog) ? 0 : -ENOBUFS;
}

/* Copies out what the ring holds, as far as there is room. */
static void drain(struct ebpf_source *ebpf)
{
	if (make_room(&ebpf->backlog))
		ring_buffer__consume(ebpf->ring);
}

/* The oldest event. It stays in place until the next drain: the callee has it
 * for the call only. */
static const struct gt_event *take(struct backlog *backlog)
{
	uint64_t size = *(uint64_t *)(backlog->bytes + backlog->first);
	const char *record = backlog->bytes + backlog->first + sizeof(size);

	backlog->first += sizeof(size) + ((size + 7) & ~7ul);
	return (const struct gt_event *)record;
}

/* Bursts are rare: what one took is given back. */
static void shrink(struct backlog *backlog)
{
	backlog->first = backlog->end = 0;
	if (backlog->size > LIMIT_RING) {
		freep(&backlog->bytes);
		backlog->size = 0;
	}
}

static int deliver(struct ebpf_source *ebpf, event_fn on_event, void *ctx)
{
	uint64_t drained_ns = clock_ns(CLOCK_MONOTONIC);
	int count = 0;

	for (; !is_empty(&ebpf->backlog) && count < EVENTS_MAX; count++) {
		on_event(ctx, take(&ebpf->backlog));
		if (clock_ns(CLOCK_MONOTONIC) - drained_ns < BUSY_NS)
			continue;
		drain(ebpf);
		drained_ns = clock_ns(CLOCK_MONOTONIC);
	}
	if (is_empty(&ebpf->backlog))
		shrink(&ebpf->backlog);
	return count;
}

/* --- the source ----------------------------------------------------------- */

static void wait_for_events(struct ebpf_source *ebpf, int timeout_ms)
{
	struct epoll_event event;
	bool parks = clock_ns(CLOCK_MONOTONIC) - ebpf->last_event_ns > IDLE_NS;

	if (parks) {
		__atomic_store_n(ebpf->options.is_parked, 1, __ATOMIC_SEQ_CST);
		/* A record may have come between the last look and the word. */
		drain(ebpf);
	}
	if (is_empty(&ebpf->backlog))
		epoll_wait(ring_buffer__epoll_fd(ebpf->ring), &event, 1,
			   parks ? timeout_ms : MIN(timeout_ms, (int)DRAIN_MS));
	if (parks)
		__atomic_store_n(ebpf->options.is_parked, 0, __ATOMIC_SEQ_CST);
}

static int ebpf_poll(struct source *source, event_fn on_event, void *ctx, int timeout_ms)
{
	struct ebpf_source *ebpf = (struct ebpf_source *)source;
	int count;

	if (timeout_ms > 0)
		wait_for_events(ebpf, timeout_ms);
	drain(ebpf);
	count = deliver(ebpf, on_event, ctx);
	if (count)
		ebpf->last_event_ns = clock_ns(CLOCK_MONOTONIC);
	return count;
}

static void ebpf_drop(struct source *source, const struct source_conn *conn)
{
	struct ebpf_source *ebpf = (struct ebpf_source *)source;
	int map = conn->is_tls ? ebpf->options.tls_conns_fd : ebpf->options.sockets_fd;
	struct gt_conn_key key = { .key = conn->key, .pid = conn->pid };
	struct gt_conn value;

	/* The key may have been born again since. Offsets that the kernel counts on
	 * in between are lost, and nobody reads them any more. */
	if (bpf_map_lookup_elem(map, &key, &value) || value.id != conn->id)
		return;
	value.state = GT_CONN_IGNORED;
	bpf_map_update_elem(map, &key, &value, BPF_EXIST);
}

static void ebpf_free(struct source *source)
{
	struct ebpf_source *ebpf = (struct ebpf_source *)source;

	ring_buffer__free(ebpf->ring);
	free(ebpf->backlog.bytes);
	free(ebpf);
}

static const struct source_ops ebpf_ops = {
	.poll = ebpf_poll,
	.drop = ebpf_drop,
	.free = ebpf_free,
};

int ebpf_source_new(struct source **ret, const struct ebpf_source_options *options)
{
	struct ebpf_source *ebpf = calloc(1, sizeof(*ebpf));
	int r;

	if (!ebpf)
		return -ENOMEM;
	ebpf->source.ops = &ebpf_ops;
	ebpf->options = *options;
	ebpf->last_event_ns = clock_ns(CLOCK_MONOTONIC);
	ebpf->ring = ring_buffer__new(options->ring_fd, on_record, ebpf, NULL);
	if (!ebpf->ring) {
		r = -errno;
		free(ebpf);
		return r;
	}
	*ret = &ebpf->source;
	return 0;
}
