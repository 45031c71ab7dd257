/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Records are nearly in order when they come: a new one finds its place from the end,
 * a step or two away.
 */
#include "source/backlog.h"

#include <string.h>

#include "limits.h"

enum { FIRST_SLOTS = 256 };

void backlog_done(struct backlog *backlog)
{
	free(backlog->bytes);
	free(backlog->slots);
	*backlog = BACKLOG_INIT;
}

/* Moves what is not taken yet to the front of both arrays. */
static void compact(struct backlog *backlog)
{
	size_t count = backlog->last - backlog->first, from = backlog->end;

	memmove(backlog->slots, backlog->slots + backlog->first, count * sizeof(*backlog->slots));
	backlog->first = 0;
	backlog->last = count;
	for (size_t i = 0; i < count; i++)
		from = MIN(from, backlog->slots[i].at);
	memmove(backlog->bytes, backlog->bytes + from, backlog->end - from);
	backlog->end -= from;
	for (size_t i = 0; i < count; i++)
		backlog->slots[i].at -= from;
}

static bool has_room(const struct backlog *backlog)
{
	return backlog->end + BACKLOG_RECORD_MAX <= backlog->size && backlog->last < backlog->slots_size;
}

static bool grow_bytes(struct backlog *backlog)
{
	size_t size = backlog->size ? 2 * backlog->size : 4 * BACKLOG_RECORD_MAX;
	char *bytes;

	if (backlog->end + BACKLOG_RECORD_MAX <= backlog->size)
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

static bool grow_slots(struct backlog *backlog)
{
	size_t size = backlog->slots_size ? 2 * backlog->slots_size : FIRST_SLOTS;
	struct backlog_slot *slots;

	if (backlog->last < backlog->slots_size)
		return true;
	if (size * sizeof(*slots) > LIMIT_BACKLOG)
		return false;
	slots = reallocarray(backlog->slots, size, sizeof(*slots));
	if (!slots)
		return false;
	backlog->slots = slots;
	backlog->slots_size = size;
	return true;
}

bool backlog_make_room(struct backlog *backlog)
{
	if (has_room(backlog))
		return true;
	/* Only when half of what is there is free, so that each byte moves once or twice. */
	if (backlog->first > backlog->last / 2)
		compact(backlog);
	return grow_bytes(backlog) && grow_slots(backlog);
}

void backlog_add(struct backlog *backlog, const struct gt_event *event, size_t size)
{
	size_t place = backlog->last++;

	assert(size <= BACKLOG_RECORD_MAX && backlog->end + size <= backlog->size);
	for (; place > backlog->first && backlog->slots[place - 1].time_ns > event->time_ns; place--)
		backlog->slots[place] = backlog->slots[place - 1];
	backlog->slots[place] = (struct backlog_slot){ event->time_ns, backlog->end };
	memcpy(backlog->bytes + backlog->end, event, size);
	backlog->end += (size + 7) & ~(size_t)7;
}

const struct gt_event *backlog_take(struct backlog *backlog, uint64_t until_ns)
{
	if (backlog_time_ns(backlog) > until_ns || backlog_is_empty(backlog))
		return NULL;
	return (const struct gt_event *)(backlog->bytes + backlog->slots[backlog->first++].at);
}

void backlog_shrink(struct backlog *backlog)
{
	if (!backlog_is_empty(backlog))
		return;
	backlog->first = backlog->last = backlog->end = 0;
	if (backlog->size > LIMIT_RING)
		backlog_done(backlog);
}
