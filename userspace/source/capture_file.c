/* SPDX-License-Identifier: Apache-2.0 */
#include "source/capture_file.h"

#include <zlib.h>

_Static_assert(sizeof(struct gt_data_event) + GT_CHUNK_BYTES <= LIMIT_CAPTURE_RECORD,
	       "every event of the ring fits a record");
_Static_assert(2 * (LIMIT_CAPTURE_RECORD + sizeof(struct capture_record)) <= LIMIT_CAPTURE_BLOCK,
	       "a block that is to be written soon has room for one more record");

uint32_t capture_crc(uint32_t crc, const void *bytes, size_t len)
{
	return (uint32_t)crc32(crc, bytes, (uInt)len);
}

uint32_t capture_block_crc(const struct capture_block *block)
{
	return capture_crc(0, block, offsetof(struct capture_block, crc));
}

uint32_t capture_record_crc(const struct capture_record *record, const void *payload)
{
	uint32_t crc = capture_crc(0, record, offsetof(struct capture_record, crc));

	return record->len ? capture_crc(crc, payload, record->len) : crc;
}

/* Without the bytes of a data event. */
static size_t fixed_size(uint16_t type)
{
	switch (type) {
	case GT_EVENT_OPEN:
		return sizeof(struct gt_open_event);
	case GT_EVENT_NAME:
		return sizeof(struct gt_name_event);
	case GT_EVENT_DATA:
		return sizeof(struct gt_data_event);
	case GT_EVENT_EOF:
	case GT_EVENT_CLOSE:
		return sizeof(struct gt_end_event);
	case GT_EVENT_FORK:
	case GT_EVENT_EXEC:
	case GT_EVENT_EXIT:
	case GT_EVENT_MAP:
	case GT_EVENT_IO_URING:
		return sizeof(struct gt_process_event);
	}
	return 0;
}

size_t capture_event_size(const struct gt_event *event)
{
	size_t size = fixed_size(event->type);

	if (event->type == GT_EVENT_DATA)
		size += ((const struct gt_data_event *)event)->captured_len;
	return size;
}

static bool is_sound_data(const struct gt_data_event *data, size_t size)
{
	return data->direction < GT_DIRECTIONS && data->captured_len <= data->len &&
	       data->captured_len == size - sizeof(*data) &&
	       data->offset <= UINT64_MAX - data->len;
}

bool capture_event_is_sound(struct slice bytes)
{
	const struct gt_event *event = (const void *)bytes.ptr;
	size_t fixed;

	if (bytes.len < sizeof(*event))
		return false;
	fixed = fixed_size(event->type);
	if (!fixed || bytes.len < fixed)
		return false;
	if (event->type == GT_EVENT_DATA)
		return is_sound_data((const struct gt_data_event *)event, bytes.len);
	if (event->type == GT_EVENT_EOF && ((const struct gt_end_event *)event)->direction >= GT_DIRECTIONS)
		return false;
	return bytes.len == fixed;
}

const char *capture_kernel_loss_name(enum gt_loss loss)
{
	static const char *const names[GT_LOSS_COUNT] = {
#define X(name, text, help) [GT_LOSS_##name] = text,
		GT_LOSSES(X)
#undef X
	};

	assert(loss < GT_LOSS_COUNT);
	return names[loss];
}
