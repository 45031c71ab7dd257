/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A source that delivers the events of a .gtcap file, as fast as it is polled.
 * The file may be cut anywhere, damaged, or made to harm: what is whole in front
 * of the damage is delivered, memory stays within the limits.
 */
#ifndef GENTAP_SOURCE_REPLAY_SOURCE_H
#define GENTAP_SOURCE_REPLAY_SOURCE_H

#include "source/capture_file.h"
#include "source/source.h"

enum replay_end {
	REPLAY_GOES_ON,
	REPLAY_WHOLE,		/* up to the end marker */
	REPLAY_TRUNCATED,	/* the file ends before it */
	REPLAY_CORRUPT,		/* damaged; nothing behind that is delivered */
};

struct replay_status {
	enum replay_end end;
	const char *damage;	/* REPLAY_CORRUPT: what; static */
	uint64_t damage_at;	/* offset in the file of the damaged block */
	uint64_t damage_record;	/* number of the damaged record in the file, from 0 */
	uint64_t events;	/* delivered */
	uint64_t unsound;	/* events that are none: passed over */
	uint64_t unknown;	/* records of unknown types: passed over */
	uint64_t end_ns;	/* of the end marker, or else of the latest event; 0: none yet */
	/* Lost before the file, as the recording counted. */
	uint64_t kernel[GT_LOSS_COUNT];
	uint64_t losses[LOSS_COUNT];
};

struct replay_options {
	/* A process that was attached; its texts may hold any byte but NUL. May be NULL. */
	void (*target)(void *ctx, uint64_t time_ns, uint32_t pid, const char *comm, const char *text);
	void *ctx;
};

/* Reads the header of the file that @fd (or a pipe) is at the start of. On success
 * the caller owns *ret, and it owns @fd. Fails with -EBADMSG for what is no
 * capture, -EPROTONOSUPPORT for another major version (then *ret_major), -EILSEQ
 * for a damaged header, -ENODATA for one that is cut, or another -errno. */
int replay_source_new(struct source **ret, int fd, const struct replay_options *options, unsigned *ret_major);

/* Its texts are NUL-terminated valid UTF-8 without control characters. */
const struct capture_header *replay_source_header(const struct source *source);

/* poll() delivers at least one event, or returns 0 at the end, or -errno when
 * reading or memory fails. */
struct replay_status replay_source_status(const struct source *source);

#endif
