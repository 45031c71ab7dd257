/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A capture file written by a thread of its own, so that neither the disk nor
 * compression nor scrubbing holds up who decodes the events. What comes faster
 * than the disk takes it waits in a queue; when that is full, recorder_event
 * waits too, and what is lost then is lost in the kernel's ring, counted there.
 */
#ifndef GENTAP_SOURCE_RECORDER_H
#define GENTAP_SOURCE_RECORDER_H

#include "source/capture_writer.h"

struct recorder;

/* Writes @header and starts the thread; with CAPTURE_SCRUBBED in its flags events
 * are scrubbed (scrub.h). On success the recorder owns @fd. 0 or -errno. */
int recorder_new(struct recorder **ret, int fd, const struct capture_header *header);

/* Each from any thread. Events of one thread keep their order. Once writing has
 * failed they do nothing. */
void recorder_event(struct recorder *recorder, const struct gt_event *event);
void recorder_control(struct recorder *recorder, const struct gt_process_event *event);
void recorder_target(struct recorder *recorder, uint64_t time_ns, uint32_t pid, const char *comm,
		     const char *text);
void recorder_losses(struct recorder *recorder, const uint64_t kernel[GT_LOSS_COUNT],
		     const uint64_t losses[LOSS_COUNT]);

/* Readable (eventfd) once writing has failed. */
int recorder_error_fd(const struct recorder *recorder);

struct recorder_totals {
	uint64_t events;	/* in the file, as far as it is whole */
	uint64_t bytes;		/* of the file */
	uint64_t scrub_unsure;	/* bytes overwritten since they might have been secret */
};

/* So far; from any thread. */
struct recorder_totals recorder_totals(struct recorder *recorder);

/* Writes what waits and the end marker, stops the thread, closes the file. 0, or
 * the -errno with which writing failed. Accepts NULL. */
int recorder_stop(struct recorder **recorder, uint64_t end_ns, struct recorder_totals *ret);

#endif
