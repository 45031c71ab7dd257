/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `gentap ship`: what the store still holds as unsent goes to Langfuse. The
 * exporter does the same at its start, but once and within limits of time that
 * suit a capture; here sending is all there is to do.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cli/commands.h"
#include "llm/json.h"
#include "cli/list.h"
#include "cli/say.h"
#include "limits.h"

/* Rows that go out together. */
struct batch {
	struct buf text;			/* the lines, one after the other */
	size_t offsets[LIMIT_BATCH_GENERATIONS + 1];
	int64_t rowids[LIMIT_BATCH_GENERATIONS];
	size_t count;
};

struct shipping {
	struct store *store;
	struct langfuse *langfuse;
	struct langfuse_options options;
	struct batch batch;
	struct buf request;
	uint64_t sent, refused;
};

/* A first line is taken whatever its size: alone it is as small as it gets. */
static bool add_row(void *ctx, const struct store_row *row)
{
	struct batch *batch = ctx;

	if (batch->count && batch->text.len + row->line.len > LIMIT_BATCH)
		return false;
	if (buf_add_slice(&batch->text, row->line) < 0)
		return false;
	batch->rowids[batch->count++] = row->rowid;
	batch->offsets[batch->count] = batch->text.len;
	return batch->count < LIMIT_BATCH_GENERATIONS;
}

static int send_rows(struct shipping *shipping, size_t from, size_t count);

/* One bad generation makes Langfuse refuse its whole request: halve, until it
 * stands alone. */
static int send_halves(struct shipping *shipping, size_t from, size_t count)
{
	int code = send_rows(shipping, from, count / 2);

	return code == EXIT_OK ? send_rows(shipping, from + count / 2, count - count / 2) : code;
}

static int mark(struct shipping *shipping, size_t from, size_t count, enum outbox outbox)
{
	int r = store_mark(shipping->store, shipping->batch.rowids + from, count, outbox);

	if (r < 0)
		return fail(EXIT_FAILED, "cannot mark generations in the store: %s", strerror(-r));
	*(outbox == OUTBOX_SENT ? &shipping->sent : &shipping->refused) += count;
	return EXIT_OK;
}

static int send_rows(struct shipping *shipping, size_t from, size_t count)
{
	struct slice lines[LIMIT_BATCH_GENERATIONS];
	const struct batch *batch = &shipping->batch;
	struct langfuse_answer answer;
	size_t skipped = 0;
	int r;

	for (size_t i = 0; i < count; i++)
		lines[i] = (struct slice){ batch->text.ptr + batch->offsets[from + i],
					   batch->offsets[from + i + 1] - batch->offsets[from + i] };
	buf_reset(&shipping->request);
	r = langfuse_encode(&shipping->options, lines, count, &shipping->request, &skipped);
	if (r < 0)
		return fail(EXIT_FAILED, "cannot encode generations: %s", strerror(-r));
	if (skipped == count)	/* nothing of them can ever be sent */
		return mark(shipping, from, count, OUTBOX_REFUSED);
	langfuse_send(shipping->langfuse, buf_slice(&shipping->request), &answer);
	switch (answer.verdict) {
	case LANGFUSE_SENT:
		return mark(shipping, from, count, OUTBOX_SENT);
	case LANGFUSE_REFUSED:
	case LANGFUSE_TOO_LARGE:
		return count > 1 ? send_halves(shipping, from, count) : mark(shipping, from, count, OUTBOX_REFUSED);
	case LANGFUSE_STOP:
	case LANGFUSE_LATER:
		break;
	}
	return fail(EXIT_FAILED, "%s; %" PRIu64 " sent before that", answer.text, shipping->sent);
}

static int ship_all(struct shipping *shipping)
{
	int r, code = EXIT_OK;

	do {
		buf_reset(&shipping->batch.text);
		shipping->batch.count = 0;
		/* What was sent is no longer unsent: always the oldest that are. */
		r = store_each_outbox(shipping->store, OUTBOX_UNSENT, /* after_rowid */ 0, LIMIT_BATCH_GENERATIONS,
				      add_row, &shipping->batch);
		if (r < 0)
			return fail(EXIT_FAILED, "cannot read the store: %s", strerror(-r));
		if (shipping->batch.count)
			code = send_rows(shipping, 0, shipping->batch.count);
	} while (code == EXIT_OK && shipping->batch.count);
	return code;
}

static int say_shipped(const struct shipping *shipping, bool is_json)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(SAY_TEXT_MAX);
	cJSON *object;

	if (is_json) {
		object = cJSON_CreateObject();
		cJSON_AddNumberToObject(object, "sent", (double)shipping->sent);
		cJSON_AddNumberToObject(object, "refused", (double)shipping->refused);
		json_line(object, &text);
		return say_result(&text);
	}
	buf_printf(&text, "%" PRIu64 " sent", shipping->sent);
	if (shipping->refused)
		buf_printf(&text, ", %" PRIu64 " refused for good", shipping->refused);
	buf_add_char(&text, '\n');
	return say_result(&text);
}

static void shipping_done(struct shipping *shipping)
{
	buf_done(&shipping->batch.text);
	buf_done(&shipping->request);
	langfuse_free(&shipping->langfuse);
	store_close(&shipping->store);
}

static int open_store(const struct settings *settings, struct store **ret)
{
	const char *path = settings_text(settings, SETTING_STORE), *error = NULL;
	int r;

	if (!path || access(path, F_OK) < 0)
		return fail(EXIT_FAILED, "no store at '%s' yet: `gentap attach` writes it", path ? path : "");
	r = store_open(ret, path, /* is_read_only */ false, &error);
	if (r < 0)
		return fail(EXIT_FAILED, "cannot open '%s': %s", path, error ? error : strerror(-r));
	return EXIT_OK;
}

int ship_run(const struct options *options)
{
	_cleanup_(settings_done) struct settings settings = {};
	_cleanup_(shipping_done) struct shipping shipping = {
		/* Beyond the batch: one line alone may be larger than it. */
		.batch.text = BUF_INIT(LIMIT_BATCH + LIST_LINE_MAX),
		.request = BUF_INIT(2 * (LIMIT_BATCH + LIST_LINE_MAX)),
	};
	int r, code = options_settings(options, &settings);

	if (code != EXIT_OK)
		return code;
	if (!settings_text(&settings, SETTING_PUBLIC_KEY) || !settings_text(&settings, SETTING_SECRET_KEY))
		return fail(EXIT_USAGE, "shipping needs LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY");
	code = open_store(&settings, &shipping.store);
	if (code != EXIT_OK)
		return code;
	shipping.options = settings_langfuse(&settings);
	r = langfuse_new(&shipping.langfuse, &shipping.options);
	if (r < 0)
		return fail(EXIT_FAILED, "cannot prepare to send: %s", strerror(-r));
	code = ship_all(&shipping);
	return code == EXIT_OK ? say_shipped(&shipping, options->is_json) : code;
}
