/* SPDX-License-Identifier: Apache-2.0 */
/* What is written comes back; what is cut or damaged comes back up to there. */
#include "recording.h"

#include <errno.h>
#include <fcntl.h>
#include <zstd.h>

#define BYTES "POST / HTTP/1.1\r\n\r\n"

/* One of each type, in the size that the ring has for it. */
static void record_each_type(struct capture_writer *writer)
{
	static const enum gt_event_type of_processes[] = {
		GT_EVENT_FORK, GT_EVENT_EXEC, GT_EVENT_EXIT, GT_EVENT_MAP, GT_EVENT_IO_URING,
	};
	struct gt_name_event name = { .event = { .type = GT_EVENT_NAME, .conn_id = 1 }, .name = "api.example" };
	struct gt_end_event end = { .event = { .type = GT_EVENT_EOF, .conn_id = 1 }, .direction = GT_WRITE };

	record_open(writer, 1, GT_FLAG_BORN);
	cr_assert_eq(capture_writer_event(writer, &name.event), 0);
	record_data(writer, 1, GT_WRITE, 0, SLICE(BYTES));
	record_data(writer, 1, GT_READ, 0, (struct slice){});
	cr_assert_eq(capture_writer_event(writer, &end.event), 0);
	end.event.type = GT_EVENT_CLOSE;
	cr_assert_eq(capture_writer_event(writer, &end.event), 0);
	for (size_t i = 0; i < ARRAY_SIZE(of_processes); i++) {
		struct gt_process_event process = {
			.event = { .type = (__u16)of_processes[i], .pid = 4242 }, .peer_pid = 7, .comm = "python3",
		};

		cr_assert_eq(capture_writer_event(writer, &process.event), 0);
	}
}

enum { EACH_TYPE = 11 };

/* A small recording of several blocks, all of its bytes; the caller frees. */
static char *small_recording(size_t *ret_len)
{
	uint64_t kernel[GT_LOSS_COUNT] = { [GT_LOSS_RING_FULL] = 3 }, losses[LOSS_COUNT] = { [LOSS_TLS_UNSEEN] = 2 };
	struct gt_process_event control = { .event = { .type = GT_EVENT_FORK, .pid = 4242 }, .peer_pid = 8 };
	struct capture_writer *writer;
	char *bytes;
	int fd;

	writer = recording_new(&fd);
	cr_assert_eq(capture_writer_target(writer, 1500, 4242, "uvicorn", "4242 uvicorn: sockets"), 0);
	cr_assert_eq(capture_writer_control(writer, &control), 0);
	record_each_type(writer);
	cr_assert_eq(capture_writer_flush(writer), 0);
	record_each_type(writer);
	cr_assert_eq(capture_writer_losses(writer, kernel, losses), 0);
	cr_assert_eq(capture_writer_end(writer, 987654), 0);
	capture_writer_free(&writer);
	bytes = read_recording(fd, ret_len);
	close(fd);
	return bytes;
}

Test(capture_file, every_type_of_event_comes_back_byte_for_byte)
{
	_cleanup_(played_done) struct played played = {};
	_cleanup_(freep) char *bytes = NULL;
	const struct gt_event *event;
	struct gt_data_event *data;
	size_t len, at = 0, types = 0;

	bytes = small_recording(&len);
	play_bytes(&played, bytes, len);
	cr_assert_eq(played.error, 0);
	cr_expect_eq(played.status.end, REPLAY_WHOLE);
	cr_expect_eq(played.status.events, 2 * EACH_TYPE);
	cr_expect_eq(played.status.end_ns, 987654);
	cr_expect_eq(played.status.unsound + played.status.unknown, 0);
	cr_expect_eq(played.status.kernel[GT_LOSS_RING_FULL], 3);
	cr_expect_eq(played.status.losses[LOSS_TLS_UNSEEN], 2);
	for (; at < played.events.len / 2; types++) {
		event = (const void *)(played.events.ptr + at);
		at += (capture_event_size(event) + 7) & ~(size_t)7;
		if (event->type == GT_EVENT_NAME)
			cr_expect_str_eq(((const struct gt_name_event *)event)->name, "api.example");
		data = (void *)event;
		if (event->type == GT_EVENT_DATA && data->len)
			cr_expect_eq(memcmp(data->bytes, BYTES, sizeof(BYTES) - 1), 0);
	}
	cr_expect_eq(types, EACH_TYPE);
	cr_expect_eq(at, played.events.len / 2);
	cr_expect_eq(memcmp(played.events.ptr, played.events.ptr + at, at), 0, "the second half is the same");
}

struct told {
	uint32_t pid;
	char text[64];
};

static void take_target(void *ctx, uint64_t time_ns, uint32_t pid, const char *comm, const char *text)
{
	struct told *told = ctx;

	cr_expect_eq(time_ns, 1500);
	told->pid = pid;
	snprintf(told->text, sizeof(told->text), "%s|%s", comm, text);
}

Test(capture_file, header_and_targets_come_back)
{
	struct told told = {};
	struct replay_options options = { .target = take_target, .ctx = &told };
	_cleanup_(source_free) struct source *source = NULL;
	_cleanup_(played_done) struct played unused = { .events = BUF_INIT(MiB) };
	_cleanup_(freep) char *bytes = NULL;
	int fd = memfd_create("replay", MFD_CLOEXEC);
	unsigned major;
	size_t len;

	bytes = small_recording(&len);
	cr_assert_eq(pwrite(fd, bytes, len, 0), (ssize_t)len);
	cr_assert_eq(replay_source_new(&source, fd, &options, &major), 0);
	cr_expect_str_eq(replay_source_header(source)->boot_id, "8b1a9953-c461-4a2b-8f5e-0d6f2a7b9c11");
	cr_expect_eq(replay_source_header(source)->realtime_offset_ns, 1700000000000000000);
	cr_expect_str_eq(replay_source_header(source)->kernel, "6.18.0");
	cr_assert_gt(source_poll(source, keep_event, &unused, 0), 0);
	cr_expect_eq(told.pid, 4242);
	cr_expect_str_eq(told.text, "uvicorn|4242 uvicorn: sockets");
}

static bool is_front_of(const struct played *part, const struct played *whole)
{
	return part->events.len <= whole->events.len &&
	       (!part->events.len || memcmp(part->events.ptr, whole->events.ptr, part->events.len) == 0);
}

Test(capture_file, cut_anywhere_it_gives_what_is_whole_and_says_so)
{
	_cleanup_(played_done) struct played whole = {};
	_cleanup_(freep) char *bytes = NULL;
	uint64_t before = 0;
	size_t len;

	bytes = small_recording(&len);
	play_bytes(&whole, bytes, len);
	for (size_t cut = 0; cut < len; cut++) {
		_cleanup_(played_done) struct played part = {};

		play_bytes(&part, bytes, cut);
		if (part.error) {
			cr_expect_eq(part.error, cut < sizeof(struct capture_preamble) ? -EBADMSG : -ENODATA, "cut at %zu", cut);
			continue;
		}
		cr_expect_eq(part.status.end, REPLAY_TRUNCATED, "cut at %zu: %s", cut, part.status.damage);
		cr_expect(is_front_of(&part, &whole), "cut at %zu", cut);
		cr_expect_geq(part.status.events, before, "cut at %zu", cut);
		before = part.status.events;
	}
	cr_expect_eq(before, EACH_TYPE, "the first block was whole");
}

/* Whether a flip of this byte may go unnoticed: it changes nothing that is read. */
static void expect_noticed(const struct played *part, const struct played *whole, size_t at)
{
	if (part->error || part->status.end == REPLAY_CORRUPT || part->status.end == REPLAY_TRUNCATED) {
		cr_expect(is_front_of(part, whole), "byte %zu", at);
		return;
	}
	cr_expect_eq(part->events.len, whole->events.len, "byte %zu", at);
	cr_expect(is_front_of(part, whole), "byte %zu", at);
	cr_expect_eq(part->status.end_ns, whole->status.end_ns, "byte %zu", at);
}

Test(capture_file, damaged_anywhere_it_gives_what_stands_before_and_no_wrong_event)
{
	static const unsigned char flips[] = { 0x01, 0x80, 0xff };
	_cleanup_(played_done) struct played whole = {};
	_cleanup_(freep) char *bytes = NULL;
	size_t len, noticed = 0;

	bytes = small_recording(&len);
	play_bytes(&whole, bytes, len);
	for (size_t at = 0; at < len; at++)
		for (size_t i = 0; i < ARRAY_SIZE(flips); i++) {
			_cleanup_(played_done) struct played part = {};

			bytes[at] ^= (char)flips[i];
			play_bytes(&part, bytes, len);
			bytes[at] ^= (char)flips[i];
			expect_noticed(&part, &whole, at);
			noticed += part.error || part.status.end == REPLAY_CORRUPT;
			cr_expect(part.status.end != REPLAY_CORRUPT || part.status.damage, "byte %zu", at);
		}
	cr_expect_gt(noticed, ARRAY_SIZE(flips) * len * 9 / 10);
}

Test(capture_file, where_the_damage_is_is_said)
{
	_cleanup_(played_done) struct played played = {};
	_cleanup_(freep) char *bytes = NULL;
	struct capture_block block;
	size_t len, at = sizeof(struct capture_preamble) + sizeof(struct capture_header) + 4;

	bytes = small_recording(&len);
	memcpy(&block, bytes + at, sizeof(block));
	at += sizeof(block) + block.stored_len;
	bytes[at] ^= 1;
	play_bytes(&played, bytes, len);
	cr_expect_eq(played.status.end, REPLAY_CORRUPT);
	cr_expect_eq(played.status.damage_at, at);
	cr_expect_eq(played.status.damage_record, EACH_TYPE + 2, "a target and a control event stand before");
	cr_expect_str_eq(played.status.damage, "not the start of a block");
}

Test(capture_file, another_major_version_is_refused_and_a_newer_minor_is_read)
{
	struct capture_preamble *preamble;
	_cleanup_(freep) char *bytes = NULL;
	size_t len, crc_at = sizeof(*preamble) + sizeof(struct capture_header);
	uint32_t crc;

	bytes = small_recording(&len);
	preamble = (void *)bytes;
	for (unsigned major = 0; major < 4; major++) {
		_cleanup_(played_done) struct played played = {};

		preamble->major = (uint16_t)major;
		play_bytes(&played, bytes, len);
		if (major == CAPTURE_MAJOR)
			continue;
		cr_expect_eq(played.error, -EPROTONOSUPPORT, "version %u", major);
		cr_expect_eq(played.major, major);
	}
	preamble->major = CAPTURE_MAJOR;
	preamble->minor = CAPTURE_MINOR + 9;
	crc = capture_crc(0, bytes, crc_at);
	memcpy(bytes + crc_at, &crc, sizeof(crc));
	{
		_cleanup_(played_done) struct played played = {};

		play_bytes(&played, bytes, len);
		cr_expect_eq(played.error, 0);
		cr_expect_eq(played.status.end, REPLAY_WHOLE);
	}
}

/* A file whose one block holds @raw, and says of it what a test wants to. */
static char *hostile(const void *raw, size_t raw_len, uint32_t said_raw, uint32_t said_stored, size_t *ret_len)
{
	struct capture_header header = RECORDING_HEADER;
	struct capture_block block = { .magic = CAPTURE_BLOCK_MAGIC };
	struct capture_writer *writer = NULL;
	char frame[4096], *bytes;
	size_t len = ZSTD_compress(frame, sizeof(frame), raw, raw_len, 1);
	int fd = memfd_create("hostile", MFD_CLOEXEC);

	cr_assert(!ZSTD_isError(len));
	cr_assert_eq(capture_writer_new(&writer, dup(fd), &header), 0);
	capture_writer_free(&writer);
	block.raw_len = said_raw ? said_raw : (uint32_t)raw_len;
	block.stored_len = said_stored ? said_stored : (uint32_t)len;
	block.crc = capture_block_crc(&block);
	cr_assert_eq(write(fd, &block, sizeof(block)), (ssize_t)sizeof(block));
	cr_assert_eq(write(fd, frame, len), (ssize_t)len);
	bytes = read_recording(fd, ret_len);
	close(fd);
	return bytes;
}

static void expect_end(const void *raw, size_t raw_len, uint32_t said_raw, uint32_t said_stored,
		       enum replay_end want, const char *name)
{
	_cleanup_(played_done) struct played played = {};
	_cleanup_(freep) char *bytes = NULL;
	size_t len;

	bytes = hostile(raw, raw_len, said_raw, said_stored, &len);
	play_bytes(&played, bytes, len);
	cr_expect_eq(played.error, 0, "%s", name);
	cr_expect_eq(played.status.end, want, "%s: %s", name, played.status.damage);
	cr_expect_eq(played.events.len, 0, "%s", name);
}

Test(capture_file, sizes_that_lie_are_damage_not_memory)
{
	static const char zeros[LIMIT_CAPTURE_BLOCK * 2];
	struct capture_record record = { .len = UINT32_MAX, .type = CAPTURE_EVENT };

	expect_end(zeros, sizeof(zeros), 0, 0, REPLAY_CORRUPT, "a block over the limit");
	expect_end(zeros, LIMIT_CAPTURE_BLOCK, 16, 0, REPLAY_CORRUPT, "more than it says");
	expect_end(zeros, 16, LIMIT_CAPTURE_BLOCK, 0, REPLAY_CORRUPT, "less than it says");
	expect_end(zeros, 16, UINT32_MAX, 0, REPLAY_CORRUPT, "4 GiB of content");
	expect_end(zeros, 16, 0, UINT32_MAX, REPLAY_CORRUPT, "4 GiB of frame");
	expect_end(zeros, 16, 0, 4096, REPLAY_TRUNCATED, "a frame that is not there");
	expect_end(zeros, 7, 0, 0, REPLAY_CORRUPT, "half a record");
	expect_end(&record, sizeof(record), 0, 0, REPLAY_CORRUPT, "a record of 4 GiB");
	record.len = LIMIT_CAPTURE_RECORD + 1;
	expect_end(&record, sizeof(record), 0, 0, REPLAY_CORRUPT, "a record over the limit");
	record.len = 8;
	expect_end(&record, sizeof(record), 0, 0, REPLAY_CORRUPT, "a record over the end");
	record.len = 0;
	expect_end(&record, sizeof(record), 0, 0, REPLAY_CORRUPT, "a record without its checksum");
}

/* One record with a sound checksum, around anything. */
static void expect_passed_over(uint16_t type, const void *payload, uint32_t len, const char *name)
{
	_cleanup_(played_done) struct played played = {};
	_cleanup_(freep) char *bytes = NULL;
	char raw[512] = {};
	struct capture_record *record = (void *)raw;
	size_t file_len;

	cr_assert_leq(capture_record_size(len), sizeof(raw));
	*record = (struct capture_record){ .len = len, .type = type };
	memcpy(record + 1, payload, len);
	record->crc = capture_record_crc(record, payload);
	bytes = hostile(raw, capture_record_size(len), 0, 0, &file_len);
	play_bytes(&played, bytes, file_len);
	cr_expect_eq(played.status.end, REPLAY_TRUNCATED, "%s", name);
	cr_expect_eq(played.status.events, 0, "%s", name);
	cr_expect_eq(played.status.unsound, type == CAPTURE_EVENT, "%s", name);
	cr_expect_eq(played.status.unknown, type > CAPTURE_END, "%s", name);
}

Test(capture_file, records_that_are_no_events_and_types_that_nobody_knows_are_passed_over)
{
	struct { struct gt_data_event data; char bytes[8]; } moved = {
		.data = { .event.type = GT_EVENT_DATA, .len = 8, .captured_len = 8 },
	};
	struct gt_event event = { .type = GT_EVENT_OPEN };
	struct gt_end_event end = { .event.type = GT_EVENT_EOF, .direction = 2 };

	expect_passed_over(77, &event, sizeof(event), "an unknown record");
	expect_passed_over(CAPTURE_LOSSES, &event, 5, "losses that end early");
	expect_passed_over(CAPTURE_TARGET, &event, 5, "a target that ends early");
	expect_passed_over(CAPTURE_EVENT, &event, 0, "no event");
	expect_passed_over(CAPTURE_EVENT, &event, sizeof(event) - 1, "half a header");
	expect_passed_over(CAPTURE_EVENT, &event, sizeof(event), "an open without its fields");
	event.type = 0;
	expect_passed_over(CAPTURE_EVENT, &event, sizeof(event), "no type");
	event.type = 999;
	expect_passed_over(CAPTURE_EVENT, &event, sizeof(event), "an unknown type");
	expect_passed_over(CAPTURE_EVENT, &end, sizeof(end), "a third direction");
	end.direction = 0;
	expect_passed_over(CAPTURE_EVENT, &end, sizeof(end) - 8, "an end that is short");
	expect_passed_over(CAPTURE_EVENT, &moved, sizeof(moved) - 1, "one byte fewer than it says");
	moved.data.captured_len = 7;
	expect_passed_over(CAPTURE_EVENT, &moved, sizeof(moved), "one byte more than it says");
	moved.data.captured_len = 8;
	moved.data.len = 7;
	expect_passed_over(CAPTURE_EVENT, &moved, sizeof(moved), "more captured than moved");
	moved.data.len = 8;
	moved.data.offset = UINT64_MAX - 7;
	expect_passed_over(CAPTURE_EVENT, &moved, sizeof(moved), "an end beyond all numbers");
	moved.data.offset = 0;
	moved.data.direction = 2;
	expect_passed_over(CAPTURE_EVENT, &moved, sizeof(moved), "data in a third direction");
}

Test(capture_file, what_was_flushed_is_there_after_a_crash)
{
	_cleanup_(played_done) struct played played = {};
	_cleanup_(freep) char *bytes = NULL;
	struct capture_writer *writer;
	size_t len;
	int fd;

	writer = recording_new(&fd);
	record_each_type(writer);
	cr_assert_eq(capture_writer_flush(writer), 0);
	record_open(writer, 2, 0);
	capture_writer_free(&writer);	/* as kill -9: no end, no flush */
	bytes = read_recording(fd, &len);
	close(fd);
	play_bytes(&played, bytes, len);
	cr_expect_eq(played.status.end, REPLAY_TRUNCATED);
	cr_expect_eq(played.status.events, EACH_TYPE);
}

Test(capture_file, blocks_go_out_by_themselves_before_they_are_large)
{
	static char noise[GT_CHUNK_BYTES];
	_cleanup_(played_done) struct played played = {};
	_cleanup_(freep) char *bytes = NULL;
	struct capture_writer *writer;
	uint32_t seed = 1;
	size_t len;
	int fd;

	writer = recording_new(&fd);
	for (uint64_t i = 0; i < 100; i++) {
		/* Nothing that could be compressed. */
		for (size_t j = 0; j < sizeof(noise); j++)
			noise[j] = (char)((seed = seed * 1103515245 + 12345) >> 16);
		record_data(writer, 1, GT_READ, i * sizeof(noise), (struct slice){ noise, sizeof(noise) });
		cr_expect_geq(capture_writer_totals(writer).bytes + CAPTURE_FLUSH_BYTES, i * sizeof(noise),
			      "event %zu", (size_t)i);
	}
	capture_writer_free(&writer);
	bytes = read_recording(fd, &len);
	close(fd);
	play_bytes(&played, bytes, len);
	cr_expect_geq(played.status.events, 95);
	cr_expect_eq(played.status.end, REPLAY_TRUNCATED);
}

Test(capture_file, a_full_disk_is_an_error_that_sticks)
{
	struct capture_header header = RECORDING_HEADER;
	struct capture_writer *writer = NULL;
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	cr_assert_geq(fd, 0);
	cr_expect_eq(capture_writer_new(&writer, fd, &header), -ENOSPC);
	cr_expect_null(writer);
	close(fd);
}

Test(capture_file, an_event_that_is_none_is_not_written)
{
	struct gt_data_event data = { .event.type = GT_EVENT_DATA, .len = 1 << 20, .captured_len = 1 << 20 };
	struct gt_event event = { .type = 77 };
	struct capture_writer *writer;
	int fd;

	writer = recording_new(&fd);
	cr_expect_eq(capture_writer_event(writer, &data.event), -EINVAL, "larger than a record may be");
	cr_expect_eq(capture_writer_event(writer, &event), -EINVAL);
	cr_expect_eq(capture_writer_end(writer, 0), 0, "which does not stick");
	capture_writer_free(&writer);
	close(fd);
}
