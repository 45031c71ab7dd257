/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Writes a .gtcap file, block by block. Not for several threads at once, and it
 * may wait for the disk: recorder.h puts it behind a queue.
 *
 * The first error sticks: every later call returns it, and what was written
 * before stays readable.
 */
#ifndef GENTAP_SOURCE_CAPTURE_WRITER_H
#define GENTAP_SOURCE_CAPTURE_WRITER_H

#include "source/capture_file.h"

enum { CAPTURE_FLUSH_BYTES = 64 * 1024 };	/* then a block is written */

struct capture_writer;

/* Writes the preamble and @header. On success the writer owns @fd, which is at
 * the start of an empty file (or a pipe). 0 or -errno. */
int capture_writer_new(struct capture_writer **ret, int fd, const struct capture_header *header);
/* Closes the file without an end marker or what was not flushed: as a crash. */
void capture_writer_free(struct capture_writer **writer);

/* The event as the ring carried it; for the pipeline. All these return 0 or
 * -errno; -EINVAL, which does not stick, when the event is not sound. */
int capture_writer_event(struct capture_writer *writer, const struct gt_event *event);
/* An event of the control ring. */
int capture_writer_control(struct capture_writer *writer, const struct gt_process_event *event);
/* @comm and @text are cut to what fits. */
int capture_writer_target(struct capture_writer *writer, uint64_t time_ns, uint32_t pid,
			  const char *comm, const char *text);
/* Totals so far: of the kernel, and of what else was lost before the file. */
int capture_writer_losses(struct capture_writer *writer, const uint64_t kernel[GT_LOSS_COUNT],
			  const uint64_t losses[LOSS_COUNT]);

/* What is there so far goes to the file. */
int capture_writer_flush(struct capture_writer *writer);
/* The end marker, and everything to the file. */
int capture_writer_end(struct capture_writer *writer, uint64_t time_ns);

struct capture_writer_totals {
	uint64_t events, records;
	uint64_t bytes;		/* in the file */
};

struct capture_writer_totals capture_writer_totals(const struct capture_writer *writer);

#endif
