/* SPDX-License-Identifier: Apache-2.0 */
/* One connection whose bytes go through a scrubber, cut as a test wants. */
#ifndef GENTAP_TESTS_SOURCE_SCRUBBING_H
#define GENTAP_TESTS_SOURCE_SCRUBBING_H

#include <criterion/criterion.h>

#include "base/buf.h"
#include "limits.h"
#include "source/scrub.h"

struct scrubbing {
	struct scrubber *scrubber;
	uint64_t offset[GT_DIRECTIONS];
	struct buf out[GT_DIRECTIONS];	/* what is left of the bytes */
};

static inline void scrubbing_open(struct scrubbing *s, uint16_t flags)
{
	struct gt_open_event open = { .event = { .conn_id = 1, .type = GT_EVENT_OPEN, .flags = flags } };

	*s = (struct scrubbing){ .out = { BUF_INIT(16 * MiB), BUF_INIT(16 * MiB) } };
	cr_assert_eq(scrubber_new(&s->scrubber), 0);
	scrubber_event(s->scrubber, &open.event);
}

static inline void scrubbing_done(struct scrubbing *s)
{
	scrubber_free(&s->scrubber);
	for (int i = 0; i < GT_DIRECTIONS; i++)
		buf_done(&s->out[i]);
}

static inline void scrub_move(struct scrubbing *s, enum gt_direction direction, struct slice bytes)
{
	_cleanup_(freep) struct gt_data_event *data = calloc(1, sizeof(*data) + bytes.len);

	if (!bytes.len)
		return;
	data->event = (struct gt_event){ .conn_id = 1, .type = GT_EVENT_DATA };
	data->offset = s->offset[direction];
	data->direction = direction;
	data->len = data->captured_len = (uint32_t)bytes.len;
	memcpy(data->bytes, bytes.ptr, bytes.len);
	s->offset[direction] += bytes.len;
	scrubber_event(s->scrubber, &data->event);
	cr_assert_eq(data->captured_len, bytes.len);
	buf_add(&s->out[direction], data->bytes, bytes.len);
}

/* In two events. */
static inline void scrub_cut(struct scrubbing *s, enum gt_direction direction, struct slice bytes, size_t cut)
{
	scrub_move(s, direction, slice_take(&bytes, MIN(cut, bytes.len)));
	scrub_move(s, direction, bytes);
}

static inline void scrub_bytewise(struct scrubbing *s, enum gt_direction direction, struct slice bytes)
{
	while (bytes.len)
		scrub_move(s, direction, slice_take(&bytes, 1));
}

#endif
