/* SPDX-License-Identifier: Apache-2.0 */
/*
 * While events come, the ring is drained every DRAIN_MS without any wake-up
 * from the kernel side: a wake-up costs the target more than the record. After
 * IDLE_NS without events the reader parks: it says so in is_parked, and the next
 * record wakes it.
 */
#include "loader/ebpf_source.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <sys/epoll.h>

#include "base/base.h"
#include "base/clock.h"

enum { DRAIN_MS = 5, IDLE_NS = 200 * 1000 * 1000 };

struct ebpf_source {
	struct source source;
	struct ebpf_source_options options;
	struct ring_buffer *ring;
	uint64_t last_event_ns;
	/* Of the poll under way. */
	event_fn on_event;
	void *ctx;
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

static int on_record(void *ctx, void *record, size_t size)
{
	struct ebpf_source *ebpf = ctx;

	if (is_sound(record, size))
		ebpf->on_event(ebpf->ctx, record);
	return 0;
}

static int wait_for_events(struct ebpf_source *ebpf, int timeout_ms)
{
	struct epoll_event event;
	bool parks = clock_ns(CLOCK_MONOTONIC) - ebpf->last_event_ns > IDLE_NS;
	int count = 0;

	if (parks) {
		__atomic_store_n(ebpf->options.is_parked, 1, __ATOMIC_SEQ_CST);
		/* A record may have come between the last look and the word. */
		count = ring_buffer__consume(ebpf->ring);
	}
	if (!count)
		epoll_wait(ring_buffer__epoll_fd(ebpf->ring), &event, 1,
			   parks ? timeout_ms : MIN(timeout_ms, (int)DRAIN_MS));
	if (parks)
		__atomic_store_n(ebpf->options.is_parked, 0, __ATOMIC_SEQ_CST);
	return count;
}

static int ebpf_poll(struct source *source, event_fn on_event, void *ctx, int timeout_ms)
{
	struct ebpf_source *ebpf = (struct ebpf_source *)source;
	int count;

	ebpf->on_event = on_event;
	ebpf->ctx = ctx;
	if (timeout_ms > 0) {
		count = wait_for_events(ebpf, timeout_ms);
		if (count < 0)
			return count;
	} else {
		count = 0;
	}
	count += MAX(ring_buffer__consume(ebpf->ring), 0);
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
