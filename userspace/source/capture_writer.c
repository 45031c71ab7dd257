/* SPDX-License-Identifier: Apache-2.0 */
#include "source/capture_writer.h"

#include <errno.h>
#include <zstd.h>

#include "base/buf.h"

/* The fastest level: a recorder shares its machine with what it records. */
enum { LEVEL = 1 };

struct capture_writer {
	int fd;
	int error;		/* the first; 0 or -errno */
	ZSTD_CCtx *zstd;	/* owned */
	struct buf raw;		/* records of the block to come */
	char *stored;		/* owned: room for a block's header and its frame */
	size_t stored_size;
	struct capture_writer_totals totals;
};

/* --- to the file ---------------------------------------------------------- */

static int write_all(int fd, const char *bytes, size_t len)
{
	while (len) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		len -= (size_t)n;
	}
	return 0;
}

static int write_out(struct capture_writer *writer, const void *bytes, size_t len)
{
	int r = write_all(writer->fd, bytes, len);

	if (r == 0) {
		writer->totals.bytes += len;
		return 0;
	}
	writer->error = r;
	/* Half a block helps nobody. A pipe cannot take it back. */
	if (ftruncate(writer->fd, (off_t)writer->totals.bytes) < 0)
		return r;
	return r;
}

static int write_header(struct capture_writer *writer, const struct capture_header *header)
{
	char bytes[sizeof(struct capture_preamble) + sizeof(*header) + sizeof(uint32_t)];
	struct capture_preamble preamble = {
		.major = CAPTURE_MAJOR, .minor = CAPTURE_MINOR, .header_len = sizeof(*header),
	};
	uint32_t crc;

	memcpy(preamble.magic, CAPTURE_MAGIC, sizeof(preamble.magic));
	memcpy(bytes, &preamble, sizeof(preamble));
	memcpy(bytes + sizeof(preamble), header, sizeof(*header));
	crc = capture_crc(0, bytes, sizeof(bytes) - sizeof(crc));
	memcpy(bytes + sizeof(bytes) - sizeof(crc), &crc, sizeof(crc));
	return write_out(writer, bytes, sizeof(bytes));
}

int capture_writer_flush(struct capture_writer *writer)
{
	struct capture_block block = { .magic = CAPTURE_BLOCK_MAGIC, .raw_len = (uint32_t)writer->raw.len };
	size_t len;

	if (writer->error || !writer->raw.len)
		return writer->error;
	len = ZSTD_compressCCtx(writer->zstd, writer->stored + sizeof(block), writer->stored_size - sizeof(block),
				writer->raw.ptr, writer->raw.len, LEVEL);
	if (ZSTD_isError(len))
		return writer->error = -ENOMEM;
	block.stored_len = (uint32_t)len;
	block.crc = capture_block_crc(&block);
	memcpy(writer->stored, &block, sizeof(block));
	buf_reset(&writer->raw);
	return write_out(writer, writer->stored, sizeof(block) + len);
}

/* --- records -------------------------------------------------------------- */

/* The payload in two parts, either may be empty. */
static int add_record(struct capture_writer *writer, enum capture_record_type type, struct slice payload,
		      struct slice more)
{
	static const char zeros[8];
	struct capture_record record = { .len = (uint32_t)(payload.len + more.len), .type = (uint16_t)type };
	size_t padding = capture_record_size(record.len) - sizeof(record) - record.len;

	if (writer->error)
		return writer->error;
	assert(payload.len + more.len <= LIMIT_CAPTURE_RECORD);
	record.crc = capture_crc(0, &record, offsetof(struct capture_record, crc));
	record.crc = capture_crc(record.crc, payload.ptr, payload.len);
	if (more.len)
		record.crc = capture_crc(record.crc, more.ptr, more.len);
	buf_add(&writer->raw, &record, sizeof(record));
	buf_add_slice(&writer->raw, payload);
	buf_add_slice(&writer->raw, more);
	buf_add(&writer->raw, zeros, padding);
	if (!buf_ok(&writer->raw))
		return writer->error = -ENOMEM;
	writer->totals.records++;
	return writer->raw.len >= CAPTURE_FLUSH_BYTES ? capture_writer_flush(writer) : 0;
}

int capture_writer_event(struct capture_writer *writer, const struct gt_event *event)
{
	struct slice bytes = { (const char *)event, capture_event_size(event) };

	if (bytes.len > LIMIT_CAPTURE_RECORD || !capture_event_is_sound(bytes))
		return -EINVAL;
	writer->totals.events++;
	return add_record(writer, CAPTURE_EVENT, bytes, (struct slice){});
}

int capture_writer_control(struct capture_writer *writer, const struct gt_process_event *event)
{
	struct slice bytes = { (const char *)event, sizeof(*event) };

	return add_record(writer, CAPTURE_CONTROL, bytes, (struct slice){});
}

int capture_writer_target(struct capture_writer *writer, uint64_t time_ns, uint32_t pid,
			  const char *comm, const char *text)
{
	struct capture_target target = { .time_ns = time_ns, .pid = pid };
	struct slice line = slice_of(text);

	strncpy(target.comm, comm, sizeof(target.comm) - 1);
	line.len = MIN(line.len, (size_t)CAPTURE_TEXT_MAX);
	return add_record(writer, CAPTURE_TARGET, (struct slice){ (const char *)&target, sizeof(target) }, line);
}

static void add_loss(struct capture_loss *losses, size_t *count, const char *name, uint64_t n)
{
	struct capture_loss *loss = &losses[*count];

	if (!n)
		return;
	*loss = (struct capture_loss){ .count = n };
	strncpy(loss->name, name, sizeof(loss->name) - 1);
	++*count;
}

int capture_writer_losses(struct capture_writer *writer, const uint64_t kernel[GT_LOSS_COUNT],
			  const uint64_t losses[LOSS_COUNT])
{
	struct capture_loss list[GT_LOSS_COUNT + LOSS_COUNT];
	size_t count = 0;

	for (enum gt_loss i = 0; i < GT_LOSS_COUNT; i++)
		add_loss(list, &count, capture_kernel_loss_name(i), kernel[i]);
	for (enum loss i = 0; i < LOSS_COUNT; i++)
		add_loss(list, &count, loss_name(i), losses[i]);
	if (!count)
		return writer->error;
	return add_record(writer, CAPTURE_LOSSES, (struct slice){ (const char *)list, count * sizeof(*list) },
			  (struct slice){});
}

int capture_writer_end(struct capture_writer *writer, uint64_t time_ns)
{
	struct capture_end end = { .time_ns = time_ns };
	int r = add_record(writer, CAPTURE_END, (struct slice){ (const char *)&end, sizeof(end) }, (struct slice){});

	return r < 0 ? r : capture_writer_flush(writer);
}

struct capture_writer_totals capture_writer_totals(const struct capture_writer *writer)
{
	return writer->totals;
}

/* --- life ----------------------------------------------------------------- */

int capture_writer_new(struct capture_writer **ret, int fd, const struct capture_header *header)
{
	_cleanup_(capture_writer_free) struct capture_writer *writer = calloc(1, sizeof(*writer));
	int r;

	if (!writer)
		return -ENOMEM;
	writer->fd = -1;
	writer->raw = BUF_INIT(LIMIT_CAPTURE_BLOCK);
	writer->stored_size = sizeof(struct capture_block) + ZSTD_compressBound(LIMIT_CAPTURE_BLOCK);
	writer->stored = malloc(writer->stored_size);
	writer->zstd = ZSTD_createCCtx();
	if (!writer->stored || !writer->zstd)
		return -ENOMEM;
	writer->fd = fd;
	r = write_header(writer, header);
	if (r < 0) {
		writer->fd = -1;
		return r;
	}
	*ret = TAKE_PTR(writer);
	return 0;
}

void capture_writer_free(struct capture_writer **writerp)
{
	struct capture_writer *writer = *writerp;

	*writerp = NULL;
	if (!writer)
		return;
	closep(&writer->fd);
	ZSTD_freeCCtx(writer->zstd);
	buf_done(&writer->raw);
	free(writer->stored);
	free(writer);
}
