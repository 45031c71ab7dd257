/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `gentap replay`: the pipeline of a capture behind a file instead of the
 * kernel. Boot id, clock base, environment and release are the recording's, so
 * that the same file gives the same lines on any machine, at any time.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>

#include "base/clock.h"
#include "cli/commands.h"
#include "cli/exports.h"
#include "cli/sample.h"
#include "cli/say.h"
#include "cli/summary.h"
#include "pipeline.h"
#include "source/replay_source.h"

/* Langfuse may be slow. What is only for this machine is waited for. */
enum { FLUSH_LANGFUSE_MS = 60000, FLUSH_MS = 24 * 3600 * 1000 };

struct replay {
	const struct settings *settings;
	const char *name;		/* of the file, for people */
	struct exports exports;
	struct exporter *exporter;
	struct source *source;
	struct pipeline *pipeline;
	double sample_rate;
	struct summary summary;
};

/* --- opening -------------------------------------------------------------- */

static int fail_to_open(const struct replay *replay, int r, unsigned major)
{
	const char *name = replay->name;

	switch (r) {
	case -EBADMSG:
		return fail(EXIT_FAILED, "'%s' is not a gentap capture; make one with "
			    "`gentap record --pid N -o FILE.gtcap`", name);
	case -EPROTONOSUPPORT:
		return fail(EXIT_FAILED, "'%s' has version %u of the capture format, this gentap reads version %d: "
			    "replay it with the gentap that recorded it, or a newer one; see `gentap version`",
			    name, major, CAPTURE_MAJOR);
	case -EILSEQ:
		return fail(EXIT_FAILED, "the header of '%s' is damaged: nothing can be replayed; "
			    "record again with `gentap record`", name);
	case -ENODATA:
		return fail(EXIT_FAILED, "'%s' ends within its header: nothing was recorded; "
			    "record again with `gentap record`", name);
	}
	return fail(EXIT_FAILED, "cannot read '%s': %s", name, strerror(-r));
}

static void on_target(void *ctx, uint64_t time_ns, uint32_t pid, const char *comm, const char *text)
{
	const struct replay *replay = ctx;

	(void)time_ns;
	(void)pid;
	(void)comm;
	if (settings_flag(replay->settings, SETTING_VERBOSE) && !settings_flag(replay->settings, SETTING_QUIET))
		say_line(text);
}

static int open_source(struct replay *replay, const char *path)
{
	struct replay_options options = { .target = on_target, .ctx = replay };
	_cleanup_(closep) int fd = -1;
	unsigned major = 0;
	int r;

	fd = strcmp(path, "-") == 0 ? fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, 3) : open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return fail_to_open(replay, -errno, major);
	r = replay_source_new(&replay->source, fd, &options, &major);
	if (r < 0)
		return fail_to_open(replay, r, major);
	TAKE_FD(fd);
	return EXIT_OK;
}

static void on_line(void *ctx, struct slice line)
{
	struct replay *replay = ctx;

	/* What cannot be kept is counted by the exporter. */
	if (sample_keeps(line, replay->sample_rate))
		exporter_push_waiting(replay->exporter, line);
	else
		replay->summary.sampled_out++;
}

/* An option's value, or else what the recording had. */
static const char *told_or(const struct settings *settings, enum setting setting, const char *recorded)
{
	if (settings->values[setting].origin == ORIGIN_OPTION)
		return settings_text(settings, setting);
	return *recorded ? recorded : NULL;
}

static int open_pipeline(struct replay *replay)
{
	const struct capture_header *header = replay_source_header(replay->source);
	const struct settings *settings = replay->settings;
	struct pipeline_options options = {
		.generation = {
			.content = settings_content(settings),
			.realtime_offset_ns = header->realtime_offset_ns,
			.environment = told_or(settings, SETTING_ENVIRONMENT, header->environment),
			.release = told_or(settings, SETTING_RELEASE, header->release),
		},
		.max_content = settings_bytes(settings, SETTING_MAX_CONTENT),
		.line = on_line,
		.ctx = replay,
	};
	int r;

	snprintf(options.generation.boot_id, sizeof(options.generation.boot_id), "%.36s", header->boot_id);
	r = pipeline_new(&replay->pipeline, &options);
	return r < 0 ? fail(EXIT_FAILED, "cannot start the pipeline: %s", strerror(-r)) : EXIT_OK;
}

/* --- replaying ------------------------------------------------------------ */

static int play(struct replay *replay)
{
	uint64_t start_ns = clock_ns(CLOCK_MONOTONIC);
	int r;

	do
		r = source_poll(replay->source, pipeline_event, replay->pipeline, /* timeout_ms */ 0);
	while (r > 0);
	pipeline_detach(replay->pipeline, replay_source_status(replay->source).end_ns);
	replay->summary.replayed_ns = clock_ns(CLOCK_MONOTONIC) - start_ns;
	return r < 0 ? fail(EXIT_FAILED, "cannot read '%s': %s", replay->name, strerror(-r)) : EXIT_OK;
}

static void add_recorded(struct summary *summary, const struct capture_header *header,
			 const struct replay_status *status)
{
	summary->is_replay = true;
	summary->recorded_ns = elapsed_ns(header->start_ns, status->end_ns);
	memcpy(summary->kernel, status->kernel, sizeof(summary->kernel));
	for (size_t i = 0; i < LOSS_COUNT; i++)
		summary->losses[i] += status->losses[i];
	summary->losses[LOSS_CAPTURE_TRUNCATED] += status->end == REPLAY_TRUNCATED;
	summary->losses[LOSS_CAPTURE_DAMAGED] += status->unsound + (status->end == REPLAY_CORRUPT);
}

static void add_up(struct replay *replay)
{
	unsigned timeout_ms = replay->exports.sinks.has_langfuse ? FLUSH_LANGFUSE_MS : FLUSH_MS;
	struct replay_status status = replay_source_status(replay->source);
	struct summary *summary = &replay->summary;
	struct exporter_totals exporter;
	struct pipeline_totals pipeline;

	exporter_stop(&replay->exporter, timeout_ms, &exporter);
	pipeline_totals(replay->pipeline, &pipeline);
	for (size_t i = 0; i < LOSS_COUNT; i++)
		summary->losses[i] = pipeline.losses[i] + exporter.losses[i];
	summary->generations = exporter.generations;
	summary->sent = exporter.sent;
	summary->unsent = exporter.unsent;
	summary->store = replay->exports.store;
	summary->has_langfuse = replay->exports.sinks.has_langfuse;
	add_recorded(summary, replay_source_header(replay->source), &status);
}

static int conclude(struct replay *replay)
{
	struct replay_status status = replay_source_status(replay->source);
	_cleanup_(buf_done) struct buf text = BUF_INIT(SAY_TEXT_MAX);

	add_up(replay);
	summary_text(&replay->summary, &text);
	say("%s", buf_text(&text));
	if (status.end == REPLAY_CORRUPT)
		return fail(EXIT_FAILED, "'%s' is damaged at byte %" PRIu64 " (record %" PRIu64 "): %s; "
			    "only what stands before was replayed", replay->name, status.damage_at,
			    status.damage_record, status.damage);
	if (settings_flag(replay->settings, SETTING_STRICT) && summary_has_loss(&replay->summary))
		return EXIT_LOST;
	return EXIT_OK;
}

static int replay_file(struct replay *replay, const char *path)
{
	int code = exports_plan(&replay->exports, replay->settings, EXPORTS_TERMINAL);

	/* The environment's share is for what runs; a file is asked for by name. */
	replay->sample_rate = replay->exports.sinks.has_langfuse ?
			      settings_number(replay->settings, SETTING_SAMPLE_RATE) : 1;
	if (code == EXIT_OK)
		code = open_source(replay, path);
	if (code == EXIT_OK)
		code = exports_open(&replay->exports, &replay->exporter, /* max_count */ 0, /* is_hurried */ NULL);
	if (code == EXIT_OK)
		code = open_pipeline(replay);
	if (code == EXIT_OK)
		code = play(replay);
	return code == EXIT_OK ? conclude(replay) : code;
}

int replay_run(const struct options *options)
{
	_cleanup_(settings_done) struct settings settings = {};
	struct replay replay = { .settings = &settings };
	struct exporter_totals unused;
	int code = options_settings(options, &settings);

	if (code != EXIT_OK)
		return code;
	replay.name = strcmp(options->operands[0], "-") == 0 ? "stdin" : options->operands[0];
	code = replay_file(&replay, options->operands[0]);
	pipeline_free(&replay.pipeline);
	exporter_stop(&replay.exporter, FLUSH_MS, &unused);
	source_free(&replay.source);
	return code;
}
