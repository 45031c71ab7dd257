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
 *
 * The backlog also brings them into the order of their times: a record stays HOLD_NS
 * there, for one that was made later and is older.
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
#include "source/backlog.h"

enum {
	DRAIN_MS = 5,
	IDLE_NS = 200 * 1000 * 1000,
	BUSY_NS = 1000 * 1000,		/* longest decoding between two looks at the ring */
	HOLD_NS = 5 * 1000 * 1000,	/* a writer may be off the CPU between its write and its word */
	EVENTS_MAX = 65536,		/* of one poll, so that its caller is heard */
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

/* Room was made before this was called, and is made for the next one. */
static int on_record(void *ctx, void *record, size_t size)
{
	struct ebpf_source *ebpf = ctx;

	if (is_sound(record, size) && size <= BACKLOG_RECORD_MAX)
		backlog_add(&ebpf->backlog, record, size);
	return backlog_make_room(&ebpf->backlog) ? 0 : -ENOBUFS;
}

/* Copies out what the ring holds, as far as there is room. */
static void drain(struct ebpf_source *ebpf)
{
	if (backlog_make_room(&ebpf->backlog))
		ring_buffer__consume(ebpf->ring);
}

/* Delivers what is older than @hold_ns; everything when the backlog finds no room. */
static int deliver(struct ebpf_source *ebpf, event_fn on_event, void *ctx, uint64_t hold_ns)
{
	uint64_t drained_ns = clock_ns(CLOCK_MONOTONIC);
	int count = 0;

	while (count < EVENTS_MAX) {
		uint64_t until_ns = backlog_make_room(&ebpf->backlog) ? drained_ns - hold_ns : UINT64_MAX;
		const struct gt_event *event = backlog_take(&ebpf->backlog, until_ns);

		if (!event)
			break;
		on_event(ctx, event);
		count++;
		if (clock_ns(CLOCK_MONOTONIC) - drained_ns < BUSY_NS)
			continue;
		drain(ebpf);
		drained_ns = clock_ns(CLOCK_MONOTONIC);
	}
	backlog_shrink(&ebpf->backlog);
	return count;
}

/* --- the source ----------------------------------------------------------- */

static void wait_for_events(struct ebpf_source *ebpf, int timeout_ms)
{
	struct epoll_event event;
	bool parks = backlog_is_empty(&ebpf->backlog) &&
		     clock_ns(CLOCK_MONOTONIC) - ebpf->last_event_ns > IDLE_NS;

	if (parks) {
		__atomic_store_n(ebpf->options.is_parked, 1, __ATOMIC_SEQ_CST);
		/* A record may have come between the last look and the word. */
		drain(ebpf);
	}
	if (backlog_time_ns(&ebpf->backlog) > clock_ns(CLOCK_MONOTONIC) - HOLD_NS)
		epoll_wait(ring_buffer__epoll_fd(ebpf->ring), &event, 1,
			   parks && backlog_is_empty(&ebpf->backlog) ? timeout_ms
								     : MIN(timeout_ms, (int)DRAIN_MS));
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
	/* Who does not wait wants all there is. */
	count = deliver(ebpf, on_event, ctx, timeout_ms > 0 ? HOLD_NS : 0);
	if (count || !backlog_is_empty(&ebpf->backlog))
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
	backlog_done(&ebpf->backlog);
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
