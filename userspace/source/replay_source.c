/* SPDX-License-Identifier: Apache-2.0 */
#include "source/replay_source.h"

#include <errno.h>
#include <zstd.h>

#include "base/buf.h"
#include "base/text.h"

struct replay_source {
	struct source source;
	struct replay_options options;
	int fd;
	struct capture_header header;
	ZSTD_DCtx *zstd;	/* owned */
	char *stored, *raw;	/* owned: a block, before and after */
	size_t raw_len, at;	/* of the block that is delivered */
	uint64_t offset;	/* in the file, behind that block */
	uint64_t records;
	struct replay_status status;
};

static struct replay_source *replay_of(const struct source *source)
{
	return (struct replay_source *)source;
}

/* --- reading -------------------------------------------------------------- */

/* How many bytes there were, fewer than @len only at the end; or -errno. */
static ssize_t read_up_to(struct replay_source *replay, void *ret, size_t len)
{
	size_t got = 0;

	while (got < len) {
		ssize_t n = read(replay->fd, (char *)ret + got, len - got);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		got += (size_t)n;
	}
	replay->offset += got;
	return (ssize_t)got;
}

/* @is_short is what a file that ends here means. 0 or -errno. */
static int read_whole(struct replay_source *replay, void *ret, size_t len, int is_short)
{
	ssize_t n = read_up_to(replay, ret, len);

	if (n < 0)
		return (int)n;
	return (size_t)n == len ? 0 : is_short;
}

/* --- the header ----------------------------------------------------------- */

/* In place: the text may have come from anywhere. */
static int clean_text(char *text, size_t size)
{
	_cleanup_(buf_done) struct buf clean = BUF_INIT(size - 1);

	text[size - 1] = '\0';
	text_add_scrubbed(&clean, slice_of(text));
	if (clean.is_failed)
		return -ENOMEM;
	clean.len = utf8_prefix(buf_slice(&clean), clean.len);
	memset(text, 0, size);
	if (clean.len)
		memcpy(text, clean.ptr, clean.len);
	return 0;
}

static int clean_header(struct capture_header *header)
{
	struct { char *text; size_t size; } texts[] = {
		{ header->boot_id, sizeof(header->boot_id) },
		{ header->gentap, sizeof(header->gentap) },
		{ header->kernel, sizeof(header->kernel) },
		{ header->environment, sizeof(header->environment) },
		{ header->release, sizeof(header->release) },
	};
	int r = 0;

	for (size_t i = 0; i < ARRAY_SIZE(texts) && r == 0; i++)
		r = clean_text(texts[i].text, texts[i].size);
	return r;
}

static int read_preamble(struct replay_source *replay, struct capture_preamble *ret, unsigned *ret_major)
{
	int r = read_whole(replay, ret, sizeof(*ret), -EBADMSG);

	if (r < 0)
		return r;
	if (memcmp(ret->magic, CAPTURE_MAGIC, sizeof(ret->magic)) != 0)
		return -EBADMSG;
	/* Before the checksum, which another version may keep elsewhere. */
	if (ret->major != CAPTURE_MAJOR) {
		*ret_major = ret->major;
		return -EPROTONOSUPPORT;
	}
	if (ret->header_len < sizeof(replay->header) || ret->header_len > LIMIT_CAPTURE_HEADER)
		return -EILSEQ;
	return 0;
}

static int read_header(struct replay_source *replay, unsigned *ret_major)
{
	char bytes[LIMIT_CAPTURE_HEADER];
	struct capture_preamble preamble;
	uint32_t crc, want;
	int r = read_preamble(replay, &preamble, ret_major);

	if (r == 0)
		r = read_whole(replay, bytes, preamble.header_len, -ENODATA);
	if (r == 0)
		r = read_whole(replay, &want, sizeof(want), -ENODATA);
	if (r < 0)
		return r;
	crc = capture_crc(0, &preamble, sizeof(preamble));
	if (capture_crc(crc, bytes, preamble.header_len) != want)
		return -EILSEQ;
	memcpy(&replay->header, bytes, sizeof(replay->header));
	return clean_header(&replay->header);
}

/* --- blocks --------------------------------------------------------------- */

static void corrupt(struct replay_source *replay, const char *damage)
{
	replay->status.end = REPLAY_CORRUPT;
	replay->status.damage = damage;
	replay->status.damage_record = replay->records;
}

static bool is_block(const struct capture_block *block)
{
	return block->magic == CAPTURE_BLOCK_MAGIC && block->crc == capture_block_crc(block) &&
	       block->raw_len && block->raw_len <= LIMIT_CAPTURE_BLOCK && block->stored_len &&
	       block->stored_len <= ZSTD_compressBound(LIMIT_CAPTURE_BLOCK);
}

/* The next block, or an end in the status. 0 or -errno. */
static int read_block(struct replay_source *replay)
{
	struct capture_block block;
	size_t len;
	int r;

	replay->at = replay->raw_len = 0;
	replay->status.damage_at = replay->offset;
	r = read_whole(replay, &block, sizeof(block), -ENODATA);
	if (r == 0 && !is_block(&block)) {
		corrupt(replay, "not the start of a block");
		return 0;
	}
	if (r == 0)
		r = read_whole(replay, replay->stored, block.stored_len, -ENODATA);
	if (r == -ENODATA) {
		replay->status.end = REPLAY_TRUNCATED;
		return 0;
	}
	if (r < 0)
		return r;
	len = ZSTD_decompressDCtx(replay->zstd, replay->raw, block.raw_len, replay->stored, block.stored_len);
	if (ZSTD_isError(len) || len != block.raw_len)
		corrupt(replay, "does not decompress");
	else
		replay->raw_len = len;
	return 0;
}

/* --- records -------------------------------------------------------------- */

static void take_event(struct replay_source *replay, struct slice payload, event_fn on_event, void *ctx)
{
	const struct gt_event *event = (const void *)payload.ptr;
	struct replay_status *status = &replay->status;

	if (!capture_event_is_sound(payload)) {
		status->unsound++;
		return;
	}
	status->end_ns = MAX(status->end_ns, event->time_ns);
	status->events++;
	on_event(ctx, event);
}

static void take_target(const struct replay_source *replay, struct slice payload)
{
	const struct capture_target *target = (const void *)payload.ptr;
	char comm[GT_COMM_BYTES], text[CAPTURE_TEXT_MAX + 1] = "";
	size_t len;

	if (payload.len < sizeof(*target) || !replay->options.target)
		return;
	memcpy(comm, target->comm, sizeof(comm));
	comm[sizeof(comm) - 1] = '\0';
	len = MIN(payload.len - sizeof(*target), (size_t)CAPTURE_TEXT_MAX);
	memcpy(text, target->text, len);
	replay->options.target(replay->options.ctx, target->time_ns, target->pid, comm, text);
}

static void take_loss(struct replay_status *status, const struct capture_loss *loss)
{
	for (enum gt_loss i = 0; i < GT_LOSS_COUNT; i++)
		if (strncmp(loss->name, capture_kernel_loss_name(i), sizeof(loss->name)) == 0)
			status->kernel[i] = loss->count;
	for (enum loss i = 0; i < LOSS_COUNT; i++)
		if (strncmp(loss->name, loss_name(i), sizeof(loss->name)) == 0)
			status->losses[i] = loss->count;
}

static void take_losses(struct replay_source *replay, struct slice payload)
{
	while (payload.len >= sizeof(struct capture_loss))
		take_loss(&replay->status, (const void *)slice_take(&payload, sizeof(struct capture_loss)).ptr);
}

static void take_end(struct replay_source *replay, struct slice payload)
{
	if (payload.len >= sizeof(struct capture_end))
		replay->status.end_ns = ((const struct capture_end *)(const void *)payload.ptr)->time_ns;
	replay->status.end = REPLAY_WHOLE;
}

static void take_record(struct replay_source *replay, uint16_t type, struct slice payload,
			event_fn on_event, void *ctx)
{
	switch (type) {
	case CAPTURE_EVENT:
		take_event(replay, payload, on_event, ctx);
		break;
	case CAPTURE_CONTROL:
		break;
	case CAPTURE_TARGET:
		take_target(replay, payload);
		break;
	case CAPTURE_LOSSES:
		take_losses(replay, payload);
		break;
	case CAPTURE_END:
		take_end(replay, payload);
		break;
	default:
		replay->status.unknown++;
	}
}

/* Everything in the block stays aligned to 8, as records are. */
static void next_record(struct replay_source *replay, event_fn on_event, void *ctx)
{
	const struct capture_record *record = (const void *)(replay->raw + replay->at);
	size_t left = replay->raw_len - replay->at;

	if (left < sizeof(*record) || record->len > LIMIT_CAPTURE_RECORD || capture_record_size(record->len) > left) {
		corrupt(replay, "a record is longer than its block");
		return;
	}
	if (record->crc != capture_record_crc(record, record + 1)) {
		corrupt(replay, "the checksum of a record is wrong");
		return;
	}
	replay->at += capture_record_size(record->len);
	replay->records++;
	take_record(replay, record->type, (struct slice){ (const char *)(record + 1), record->len }, on_event, ctx);
}

/* --- the source ----------------------------------------------------------- */

static int replay_poll(struct source *source, event_fn on_event, void *ctx, int timeout_ms)
{
	struct replay_source *replay = replay_of(source);
	uint64_t before = replay->status.events;
	int r = 0;

	(void)timeout_ms;
	while (replay->status.events == before && replay->status.end == REPLAY_GOES_ON && r == 0) {
		r = read_block(replay);
		while (r == 0 && replay->status.end == REPLAY_GOES_ON && replay->at < replay->raw_len)
			next_record(replay, on_event, ctx);
	}
	return r < 0 ? r : (int)(replay->status.events - before);
}

static void replay_drop(struct source *source, const struct source_conn *conn)
{
	(void)source;
	(void)conn;
}

static void replay_free(struct source *source)
{
	struct replay_source *replay = replay_of(source);

	closep(&replay->fd);
	ZSTD_freeDCtx(replay->zstd);
	free(replay->stored);
	free(replay->raw);
	free(replay);
}

static const struct source_ops replay_ops = {
	.poll = replay_poll,
	.drop = replay_drop,
	.free = replay_free,
};

int replay_source_new(struct source **ret, int fd, const struct replay_options *options, unsigned *ret_major)
{
	struct replay_source *replay = calloc(1, sizeof(*replay));
	_cleanup_(source_free) struct source *source = (struct source *)replay;
	int r;

	if (!replay)
		return -ENOMEM;
	replay->source.ops = &replay_ops;
	replay->options = *options;
	replay->fd = -1;
	replay->stored = malloc(ZSTD_compressBound(LIMIT_CAPTURE_BLOCK));
	replay->raw = malloc(LIMIT_CAPTURE_BLOCK);
	replay->zstd = ZSTD_createDCtx();
	if (!replay->stored || !replay->raw || !replay->zstd)
		return -ENOMEM;
	replay->fd = fd;
	r = read_header(replay, ret_major);
	if (r < 0) {
		replay->fd = -1;	/* still the caller's */
		return r;
	}
	*ret = TAKE_PTR(source);
	return 0;
}

const struct capture_header *replay_source_header(const struct source *source)
{
	return &replay_of(source)->header;
}

struct replay_status replay_source_status(const struct source *source)
{
	return replay_of(source)->status;
}
