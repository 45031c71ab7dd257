/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records taken from the kernel's ring and not yet decoded, in the order of their
 * times. The ring has them in the order in which they were made, and a write is made
 * known when it returns: with a reader in another thread, the answer may come first.
 */
#ifndef GENTAP_SOURCE_BACKLOG_H
#define GENTAP_SOURCE_BACKLOG_H

#include "../../bpf/gentap.h"
#include "base/base.h"

#define BACKLOG_RECORD_MAX	(64ull * 1024)	/* more than the largest record */

/* Where a record lies, and when it was. */
struct backlog_slot {
	uint64_t time_ns;
	size_t at;
};

struct backlog {
	char *bytes;			/* owned: records behind each other as they came, 8-byte aligned */
	size_t end, size;		/* used; allocated, at most LIMIT_BACKLOG */
	struct backlog_slot *slots;	/* owned: of those not taken yet, from @first on, by time */
	size_t first, last, slots_size;
};

#define BACKLOG_INIT ((struct backlog){})

void backlog_done(struct backlog *backlog);

/* Room for one more record of any size. False at LIMIT_BACKLOG, or without memory. */
bool backlog_make_room(struct backlog *backlog);

/* A copy of the record, for which room was made; those of equal times stay in order. */
void backlog_add(struct backlog *backlog, const struct gt_event *event, size_t size);

/* The earliest record; NULL when none is of @until_ns or earlier. Borrowed, until room
 * is made. */
const struct gt_event *backlog_take(struct backlog *backlog, uint64_t until_ns);

static inline bool backlog_is_empty(const struct backlog *backlog)
{
	return backlog->first == backlog->last;
}

/* The time of the earliest record; UINT64_MAX when there is none. */
static inline uint64_t backlog_time_ns(const struct backlog *backlog)
{
	return backlog_is_empty(backlog) ? UINT64_MAX : backlog->slots[backlog->first].time_ns;
}

/* Of an empty one, gives back what a burst took. */
void backlog_shrink(struct backlog *backlog);

#endif
