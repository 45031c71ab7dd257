/* SPDX-License-Identifier: Apache-2.0 */
/* A recording made in a test: what it says, in memory, and what a replay of it says. */
#ifndef GENTAP_TESTS_SOURCE_RECORDING_H
#define GENTAP_TESTS_SOURCE_RECORDING_H

#include <criterion/criterion.h>
#include <sys/mman.h>

#include "base/buf.h"
#include "source/capture_writer.h"
#include "source/replay_source.h"

#define RECORDING_HEADER ((struct capture_header){						\
	.realtime_offset_ns = 1700000000000000000, .start_ns = 1000,				\
	.boot_id = "8b1a9953-c461-4a2b-8f5e-0d6f2a7b9c11", .gentap = "0.1.0", .kernel = "6.18.0" })

/* The writer closes its descriptor; *ret_fd sees the same file. */
static inline struct capture_writer *recording_new(int *ret_fd)
{
	struct capture_header header = RECORDING_HEADER;
	struct capture_writer *writer = NULL;

	*ret_fd = memfd_create("recording", MFD_CLOEXEC);
	cr_assert(*ret_fd >= 0);
	cr_assert_eq(capture_writer_new(&writer, dup(*ret_fd), &header), 0);
	return writer;
}

static inline void record_open(struct capture_writer *writer, uint64_t conn_id, uint16_t flags)
{
	struct gt_open_event open = {
		.event = { .time_ns = 2000, .conn_id = conn_id, .pid = 4242, .tid = 4250,
			   .type = GT_EVENT_OPEN, .flags = flags },
		.key = conn_id, .family = 2, .peer_port = 443, .peer_addr = { 192, 0, 2, 1 }, .comm = "uvicorn",
	};

	cr_assert_eq(capture_writer_event(writer, &open.event), 0);
}

static inline void record_data(struct capture_writer *writer, uint64_t conn_id, enum gt_direction direction,
			       uint64_t offset, struct slice bytes)
{
	_cleanup_(freep) struct gt_data_event *data = calloc(1, sizeof(*data) + bytes.len);

	data->event = (struct gt_event){ .time_ns = 3000 + offset, .conn_id = conn_id, .pid = 4242, .tid = 4250,
					 .type = GT_EVENT_DATA };
	data->offset = offset;
	data->direction = direction;
	data->len = data->captured_len = (uint32_t)bytes.len;
	if (bytes.len)
		memcpy(data->bytes, bytes.ptr, bytes.len);
	cr_assert_eq(capture_writer_event(writer, &data->event), 0);
}

/* All of @fd from its start; the caller frees. */
static inline char *read_recording(int fd, size_t *ret_len)
{
	off_t len = lseek(fd, 0, SEEK_END);
	char *bytes = malloc((size_t)len + 1);

	cr_assert_eq(pread(fd, bytes, (size_t)len, 0), len);
	*ret_len = (size_t)len;
	return bytes;
}

/* Every event that came out, byte for byte, one behind the other, each at a
 * multiple of 8. */
struct played {
	struct buf events;
	struct replay_status status;
	int error;		/* of opening; 0 or -errno */
	unsigned major;
};

static inline void keep_event(void *ctx, const struct gt_event *event)
{
	static const char zeros[8];
	struct played *played = ctx;
	size_t size = capture_event_size(event);

	buf_add(&played->events, event, size);
	buf_add(&played->events, zeros, -size & 7);
}

static inline void played_done(struct played *played)
{
	buf_done(&played->events);
}

static inline void play_bytes(struct played *ret, const char *bytes, size_t len)
{
	struct replay_options options = {};
	struct source *source = NULL;
	int fd = memfd_create("replay", MFD_CLOEXEC), r;

	*ret = (struct played){ .events = BUF_INIT(64 * MiB) };
	cr_assert_eq(write(fd, bytes, len), (ssize_t)len);
	lseek(fd, 0, SEEK_SET);
	ret->error = replay_source_new(&source, fd, &options, &ret->major);
	if (ret->error < 0) {
		close(fd);
		return;
	}
	do
		r = source_poll(source, keep_event, ret, 0);
	while (r > 0);
	cr_assert_eq(r, 0);
	ret->status = replay_source_status(source);
	source_free(&source);
}

#endif
