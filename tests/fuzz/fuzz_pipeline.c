/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The whole pipeline from an event stream, as a source would hand it over: records back
 * to back, each of its own length. Every line that comes out is JSON, and what was held
 * is given back.
 */
#include "fuzz.h"
#include "llm/json.h"
#include "pipeline.h"
#include "source/capture_file.h"

static void on_line(void *ctx, struct slice line)
{
	_cleanup_(json_freep) cJSON *json = cJSON_ParseWithLength(line.ptr, line.len);

	(void)ctx;
	FUZZ_CHECK(cJSON_IsObject(json));
	FUZZ_CHECK(!memchr(line.ptr, '\n', line.len));
}

/* The next record, aligned as the ring aligns it; NULL when what is left is none. */
static const struct gt_event *take_event(struct slice *in, struct buf *room)
{
	struct gt_event head;
	size_t size;

	if (in->len < sizeof(head))
		return NULL;
	buf_reset(room);
	buf_add(room, in->ptr, MIN(in->len, sizeof(struct gt_data_event) + GT_CHUNK_BYTES));
	size = room->len >= sizeof(struct gt_data_event) ? capture_event_size((void *)room->ptr) : 0;
	if (!size || size > room->len || !capture_event_is_sound((struct slice){ room->ptr, size }))
		return NULL;
	slice_take(in, MIN((size + 7) & ~(size_t)7, in->len));
	return (void *)room->ptr;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	_cleanup_(buf_done) struct buf room = BUF_INIT(2 * (sizeof(struct gt_data_event) + GT_CHUNK_BYTES));
	struct fuzz fuzz = { { (const char *)data, size } };
	struct pipeline_options options = { .max_content = 4 * KiB, .line = on_line };
	struct pipeline_totals totals;
	struct pipeline *pipeline = NULL;
	const struct gt_event *event;
	uint64_t last_ns = 0;

	FUZZ_CHECK(pipeline_new(&pipeline, &options) == 0);
	while ((event = take_event(&fuzz.in, &room))) {
		last_ns = event->time_ns;
		pipeline_event(pipeline, event);
	}
	pipeline_detach(pipeline, last_ns);
	pipeline_totals(pipeline, &totals);
	FUZZ_CHECK(!totals.live_calls);
	pipeline_free(&pipeline);
	return 0;
}
