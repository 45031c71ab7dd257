/* SPDX-License-Identifier: Apache-2.0 */
/* What is given to a recorder is in its file, in time, and an error is told. */
#include "recording.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <time.h>

#include "source/recorder.h"

#define HEAD "GET /?key=CANARY HTTP/1.1\r\nCookie: CANARY\r\n\r\n"

static struct recorder *recorder_at(int fd, uint32_t flags)
{
	struct capture_header header = RECORDING_HEADER;
	struct recorder *recorder = NULL;

	header.flags = flags;
	cr_assert_eq(recorder_new(&recorder, fd, &header), 0);
	return recorder;
}

static void give(struct recorder *recorder, uint64_t offset, struct slice bytes)
{
	_cleanup_(freep) struct gt_data_event *data = calloc(1, sizeof(*data) + bytes.len);

	data->event = (struct gt_event){ .time_ns = 2000 + offset, .conn_id = 1, .type = GT_EVENT_DATA };
	data->offset = offset;
	data->direction = GT_WRITE;
	data->len = data->captured_len = (uint32_t)bytes.len;
	memcpy(data->bytes, bytes.ptr, bytes.len);
	recorder_event(recorder, &data->event);
	cr_assert_eq(memcmp(data->bytes, bytes.ptr, bytes.len), 0, "the caller's event is its own");
}

static void give_one_of_each(struct recorder *recorder)
{
	struct gt_open_event open = { .event = { .time_ns = 1, .conn_id = 1, .type = GT_EVENT_OPEN, .flags = GT_FLAG_BORN } };
	struct gt_process_event fork = { .event.type = GT_EVENT_FORK };
	uint64_t kernel[GT_LOSS_COUNT] = { [GT_LOSS_SENDFILE] = 4 }, losses[LOSS_COUNT] = { [LOSS_TLS_UNSEEN] = 5 };

	recorder_target(recorder, 1, 4242, "a name that is too long", "4242 python3: sockets");
	recorder_control(recorder, &fork);
	recorder_event(recorder, &open.event);
	give(recorder, 0, SLICE(HEAD));
	recorder_losses(recorder, kernel, losses);
}

static bool has_secret(const struct played *played)
{
	return played->events.len && memmem(played->events.ptr, played->events.len, "CANARY", 6);
}

static void play_file(struct played *ret, int fd)
{
	_cleanup_(freep) char *bytes = NULL;
	size_t len;

	bytes = read_recording(fd, &len);
	play_bytes(ret, bytes, len);
	cr_assert_eq(ret->error, 0);
}

Test(recorder, everything_is_in_the_file_at_the_end)
{
	for (uint32_t flags = 0; flags <= CAPTURE_SCRUBBED; flags++) {
		_cleanup_(played_done) struct played played = {};
		int fd = memfd_create("recording", MFD_CLOEXEC);
		struct recorder *recorder = recorder_at(dup(fd), flags);
		struct recorder_totals totals;

		give_one_of_each(recorder);
		cr_assert_eq(recorder_stop(&recorder, 777, &totals), 0);
		cr_expect_null(recorder);
		cr_expect_eq(totals.events, 2);
		cr_expect_eq(totals.bytes, (uint64_t)lseek(fd, 0, SEEK_END));
		play_file(&played, fd);
		cr_expect_eq(has_secret(&played), !flags);
		cr_expect_eq(played.status.end, REPLAY_WHOLE);
		cr_expect_eq(played.status.end_ns, 777);
		cr_expect_eq(played.status.events, 2);
		cr_expect_eq(played.status.kernel[GT_LOSS_SENDFILE], 4);
		cr_expect_eq(played.status.losses[LOSS_TLS_UNSEEN], 5);
		close(fd);
	}
}

Test(recorder, what_was_hidden_in_doubt_is_counted_in_the_file)
{
	_cleanup_(played_done) struct played played = {};
	int fd = memfd_create("recording", MFD_CLOEXEC);
	struct recorder *recorder = recorder_at(dup(fd), CAPTURE_SCRUBBED);
	uint64_t kernel[GT_LOSS_COUNT] = {}, losses[LOSS_COUNT] = {};
	struct recorder_totals totals;

	give(recorder, 0, SLICE("no HTTP"));
	recorder_losses(recorder, kernel, losses);
	cr_assert_eq(recorder_stop(&recorder, 1, &totals), 0);
	cr_expect_eq(totals.scrub_unsure, 7);
	play_file(&played, fd);
	cr_expect_eq(played.status.losses[LOSS_SCRUB_UNSURE], 7);
	close(fd);
}

/* No time is measured: the file is waited for, and a test that hangs has failed. */
Test(recorder, an_event_is_in_the_file_without_an_end, .timeout = 60)
{
	int fd = memfd_create("recording", MFD_CLOEXEC);
	struct recorder *recorder = recorder_at(dup(fd), 0);
	struct recorder_totals totals;
	uint64_t events = 0;

	give_one_of_each(recorder);
	while (events < 2) {
		_cleanup_(played_done) struct played played = {};

		play_file(&played, fd);
		events = played.status.events;
		nanosleep(&(struct timespec){ .tv_nsec = 10000000 }, NULL);
	}
	recorder_stop(&recorder, 1, &totals);
	close(fd);
}

Test(recorder, more_than_the_queue_holds_is_waited_for_not_lost)
{
	static char bytes[GT_CHUNK_BYTES];
	int fd = memfd_create("recording", MFD_CLOEXEC);
	struct recorder *recorder = recorder_at(dup(fd), CAPTURE_SCRUBBED);
	uint64_t count = 2 * LIMIT_CAPTURE_QUEUE / sizeof(bytes);
	struct recorder_totals totals;

	give(recorder, 0, SLICE("POST / HTTP/1.1\r\nContent-Length: 99999999999\r\n\r\n"));
	memset(bytes, 'x', sizeof(bytes));
	for (uint64_t i = 0; i < count; i++)
		give(recorder, 48 + i * sizeof(bytes), (struct slice){ bytes, sizeof(bytes) });
	cr_assert_eq(recorder_stop(&recorder, 1, &totals), 0);
	cr_expect_eq(totals.events, count + 1);
	cr_expect_eq(totals.scrub_unsure, 0);
	close(fd);
}

/* A file that may have no more than the header and a bit. */
Test(recorder, a_disk_that_is_full_is_told_and_nobody_waits, .timeout = 60)
{
	static char bytes[GT_CHUNK_BYTES];
	int pipe_fds[2];
	struct recorder_totals totals;
	struct recorder *recorder;
	struct pollfd told = { .events = POLLIN };

	cr_assert_eq(pipe2(pipe_fds, O_CLOEXEC), 0);
	signal(SIGPIPE, SIG_IGN);
	recorder = recorder_at(pipe_fds[1], 0);
	close(pipe_fds[0]);	/* every write from here on fails */
	for (uint64_t i = 0; i < 2 * LIMIT_CAPTURE_QUEUE / sizeof(bytes); i++)
		give(recorder, i * sizeof(bytes), (struct slice){ bytes, sizeof(bytes) });
	told.fd = recorder_error_fd(recorder);
	cr_expect_eq(poll(&told, 1, -1), 1);
	cr_expect_eq(recorder_stop(&recorder, 1, &totals), -EPIPE);
}

Test(recorder, a_file_that_takes_no_header_is_refused)
{
	struct capture_header header = RECORDING_HEADER;
	struct recorder *recorder = NULL;
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	cr_expect_eq(recorder_new(&recorder, fd, &header), -ENOSPC);
	cr_expect_null(recorder);
	cr_expect_eq(close(fd), 0, "the descriptor is the caller's");
}
