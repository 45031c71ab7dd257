/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Two threads beside the exporter's: the pipeline thread polls the source and
 * decodes; the main thread waits for signals, timers and what the loader has to
 * do. They share is_ending, and nothing else that changes.
 *
 *	attach -> watch -> detach probes -> drain the source -> flush the exporter
 *
 * Probes go first at the end: from then on the target is as it was, however
 * long Langfuse takes.
 */
#include "cli/capture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "cli/exports.h"
#include "cli/notify.h"
#include "cli/sample.h"
#include "cli/say.h"
#include "cli/summary.h"
#include "loader/loader.h"
#include "pipeline.h"

enum {
	POLL_MS = 100,		/* how long the pipeline thread may not look at is_ending */
	DRAIN_NS = 2000000000,	/* most time for what the ring still holds */
	FLUSH_MS = 15000,	/* most time for Langfuse at the end */
};

struct capture {
	const struct options *options;
	const struct settings *settings;
	struct capture_command *command;	/* NULL but for run */
	struct recording *recording;		/* NULL but for record */
	struct exports exports;
	struct loader *loader;
	struct exporter *exporter;
	struct pipeline *pipeline;
	pthread_t thread;
	bool has_thread;
	atomic_bool is_ending;
	atomic_bool is_hurried;
	int signal_fd, timer_fd, tick_fd;
	bool is_attached;
	bool has_passed_signal;			/* to the command */
	uint64_t end_ns;			/* when the end was wished for */
	/* Of the pipeline thread, until it is joined. */
	struct generation_options generation;
	double sample_rate;
	uint64_t detached_ns;			/* what was in flight ended then */
	int source_error;
	struct summary summary;
};

/* --- the pipeline thread --------------------------------------------------- */

static void on_line(void *ctx, struct slice line)
{
	struct capture *capture = ctx;

	/* A full queue is counted by the exporter. */
	if (sample_keeps(line, capture->sample_rate))
		exporter_push(capture->exporter, line);
	else
		capture->summary.sampled_out++;
}

static void on_ignored(void *ctx, const struct conn *conn)
{
	struct capture *capture = ctx;
	struct source_conn ignored = {
		.id = conn->id, .key = conn->key, .pid = conn->pid, .is_tls = conn->is_tls,
	};

	source_drop(loader_source(capture->loader), &ignored);
}

/* The file has an event before anything is made of it. */
static void on_event(void *ctx, const struct gt_event *event)
{
	struct capture *capture = ctx;

	if (capture->recording)
		recorder_event(capture->recording->recorder, event);
	pipeline_event(capture->pipeline, event);
}

static void *run_pipeline(void *arg)
{
	struct capture *capture = arg;
	struct source *source = loader_source(capture->loader);
	uint64_t drain_start_ns;
	int r = 0;

	while (!atomic_load(&capture->is_ending) && (r >= 0 || r == -EINTR))
		r = source_poll(source, on_event, capture, POLL_MS);
	drain_start_ns = clock_ns(CLOCK_MONOTONIC);
	while (r >= 0 && clock_ns(CLOCK_MONOTONIC) - drain_start_ns < DRAIN_NS) {
		r = source_poll(source, on_event, capture, 0);
		if (r == 0)
			break;
	}
	capture->source_error = r < 0 && r != -EINTR ? r : 0;
	capture->detached_ns = clock_ns(CLOCK_MONOTONIC);
	pipeline_detach(capture->pipeline, capture->detached_ns);
	return NULL;
}

/* --- what the loader says --------------------------------------------------- */

static void on_note(void *ctx, enum loader_note note, int pid, const char *text)
{
	struct capture *capture = ctx;
	bool is_quiet = settings_flag(capture->settings, SETTING_QUIET);

	if (capture->recording)
		recording_clear_progress(capture->recording);
	switch (note) {
	case LOADER_ATTACHED:
		if (capture->recording)
			recording_target(capture->recording, pid, text);
		if (!is_quiet)
			say_line(text);
		break;
	case LOADER_WARNING:
		say("warning: %s", text);
		break;
	case LOADER_GONE:
	case LOADER_DETAIL:
		if (settings_flag(capture->settings, SETTING_VERBOSE) && !is_quiet)
			say_line(text);
		break;
	}
}

static void on_control(void *ctx, const struct gt_process_event *event)
{
	struct capture *capture = ctx;

	if (capture->recording)
		recorder_control(capture->recording->recorder, event);
}

/* --- setting up ------------------------------------------------------------ */

/* The text of a failed call, with what to do; @r decides on the exit code. */
static int fail_with(char **error, int r, const char *what)
{
	enum exit_code code = EXIT_FAILED;

	if (r == -EPERM || r == -EACCES || r == -EOPNOTSUPP)
		code = EXIT_NOT_POSSIBLE;
	else if (r == -ESRCH)
		code = EXIT_NO_TARGET;
	if (*error)
		return fail(code, "%s", *error);
	return fail(code, "%s: %s", what, strerror(-r));
}

static int open_loader(struct capture *capture)
{
	const struct options *options = capture->options;
	struct loader_options loader = {
		.targets = {
			.pids = options->pids, .pid_count = options->pid_count,
			.ports = options->ports, .port_count = options->port_count,
			.names = options->names, .name_count = options->name_count,
			.has_children = !options->has_no_children,
		},
		.note = on_note,
		.control = on_control,
		.ctx = capture,
	};
	_cleanup_(freep) char *error = NULL;
	int r = loader_new(&capture->loader, &loader, &error);

	return r < 0 ? fail_with(&error, r, "cannot load the eBPF programs") : EXIT_OK;
}

static void read_boot_id(char ret[37])
{
	_cleanup_(closep) int fd = open("/proc/sys/kernel/random/boot_id", O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? 0 : read(fd, ret, 36);

	ret[MAX(len, (ssize_t)0)] = '\0';
}

/* What makes the lines of this capture those of this machine, at this time. */
static void set_generation(struct capture *capture)
{
	const struct settings *settings = capture->settings;

	capture->generation = (struct generation_options){
		.content = settings_content(settings),
		.realtime_offset_ns = clock_ns(CLOCK_REALTIME) - clock_ns(CLOCK_MONOTONIC),
		.environment = settings_text(settings, SETTING_ENVIRONMENT),
		.release = settings_text(settings, SETTING_RELEASE),
	};
	read_boot_id(capture->generation.boot_id);
}

static int open_recording(struct capture *capture)
{
	const struct generation_options *generation = &capture->generation;
	struct itimerspec every = { .it_interval.tv_sec = 1, .it_value.tv_sec = 1 };

	if (!capture->recording)
		return EXIT_OK;
	capture->tick_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (capture->tick_fd < 0 || timerfd_settime(capture->tick_fd, 0, &every, NULL) < 0)
		return fail(EXIT_FAILED, "cannot set a timer: %s", strerror(errno));
	return recording_open(capture->recording, capture->settings, generation->boot_id,
			      generation->realtime_offset_ns);
}

static int open_pipeline(struct capture *capture)
{
	struct pipeline_options pipeline = {
		.generation = capture->generation,
		.max_content = settings_bytes(capture->settings, SETTING_MAX_CONTENT),
		.line = on_line,
		.ignored = on_ignored,
		.ctx = capture,
	};
	int r;

	r = pipeline_new(&capture->pipeline, &pipeline);
	if (r == 0)
		r = -pthread_create(&capture->thread, NULL, run_pipeline, capture);
	if (r < 0)
		return fail(EXIT_FAILED, "cannot start the pipeline: %s", strerror(-r));
	capture->has_thread = true;
	return EXIT_OK;
}

/* Before the first thread, which inherits the mask. */
static int open_signals(struct capture *capture)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return fail(EXIT_FAILED, "cannot block signals: %s", strerror(errno));
	capture->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	capture->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (capture->signal_fd < 0 || capture->timer_fd < 0)
		return fail(EXIT_FAILED, "cannot wait for signals: %s", strerror(errno));
	return EXIT_OK;
}

static int set_up(struct capture *capture)
{
	int code = open_signals(capture);

	set_generation(capture);
	/* Privilege first: without it no store is made, no file opened. */
	if (code == EXIT_OK)
		code = open_loader(capture);
	if (code == EXIT_OK)
		code = open_recording(capture);
	if (code == EXIT_OK)
		code = exports_open(&capture->exports, &capture->exporter, capture->options->count,
				    &capture->is_hurried);
	if (code == EXIT_OK)
		code = open_pipeline(capture);
	return code;
}

/* --- attaching ------------------------------------------------------------- */

static int attach_command(struct capture *capture)
{
	struct capture_command *command = capture->command;
	_cleanup_(freep) char *error = NULL;
	int r = loader_attach_child(capture->loader, command->pid, command->file, &error);

	if (r < 0)
		return fail_with(&error, r, "cannot attach to the command");
	if (write(command->gate_fd, "", 1) != 1)
		return fail(EXIT_FAILED, "cannot start '%s': %s", command->file, strerror(errno));
	closep(&command->gate_fd);
	return EXIT_OK;
}

static void say_what_for(const struct options *options)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(SAY_TEXT_MAX);

	for (size_t i = 0; i < options->port_count; i++)
		buf_printf(&text, "%s%s%u", text.len ? " or " : "waiting for a process ",
			   text.len ? "" : "that listens on port ", options->ports[i]);
	for (size_t i = 0; i < options->name_count; i++)
		buf_printf(&text, "%s%s'%s'", text.len ? " or " : "waiting for a process ",
			   i ? "" : "named ", options->names[i]);
	say("%s (Ctrl-C to stop)", buf_text(&text));
}

static int attach_targets(struct capture *capture)
{
	_cleanup_(freep) char *error = NULL;
	int r = loader_attach(capture->loader, &error);

	if (r < 0)
		return fail_with(&error, r, "cannot attach");
	if (loader_total(capture->loader) > 0)
		return EXIT_OK;
	if (!loader_is_waiting(capture->loader))
		return fail(EXIT_NO_TARGET, "the process ended before anything was attached");
	if (!settings_flag(capture->settings, SETTING_QUIET))
		say_what_for(capture->options);
	return EXIT_OK;
}

static int attach(struct capture *capture)
{
	uint64_t for_ns = capture->options->for_ns;
	struct itimerspec end = {
		.it_value = { .tv_sec = (time_t)(for_ns / 1000000000), .tv_nsec = (long)(for_ns % 1000000000) },
	};
	int r, code = capture->command ? attach_command(capture) : attach_targets(capture);

	if (code != EXIT_OK)
		return code;
	capture->is_attached = true;
	if (for_ns && timerfd_settime(capture->timer_fd, 0, &end, NULL) < 0)
		return fail(EXIT_FAILED, "cannot set a timer: %s", strerror(errno));
	r = notify("READY=1");
	if (r < 0)
		say("warning: cannot tell $NOTIFY_SOCKET: %s", strerror(-r));
	return EXIT_OK;
}

/* --- watching -------------------------------------------------------------- */

static void reap(struct capture_command *command)
{
	if (command && !command->has_ended && waitpid(command->pid, &command->status, WNOHANG) == command->pid)
		command->has_ended = true;
}

/* Whether the signal ends the capture. The first one that asks a `run` to end
 * asks its command, and the capture goes on until that has ended. */
static bool on_signal(struct capture *capture, const struct signalfd_siginfo *signal)
{
	struct capture_command *command = capture->command;

	if (signal->ssi_signo == SIGCHLD) {
		reap(command);
		return false;
	}
	if (!command || command->has_ended)
		return true;
	if (capture->has_passed_signal) {
		command->left_by = (int)signal->ssi_signo;
		return true;
	}
	/* The terminal's Ctrl-C has reached the command already. */
	if (signal->ssi_code <= 0)
		kill(command->pid, (int)signal->ssi_signo);
	capture->has_passed_signal = true;
	return false;
}

static bool has_ended_by_signal(struct capture *capture)
{
	struct signalfd_siginfo signal;
	bool ends = false;

	while (!ends && read(capture->signal_fd, &signal, sizeof(signal)) == sizeof(signal))
		ends = on_signal(capture, &signal);
	return ends;
}

static bool are_all_gone(const struct capture *capture)
{
	if (capture->command)
		return capture->command->has_ended && loader_live(capture->loader) == 0;
	return !loader_is_waiting(capture->loader) && loader_live(capture->loader) == 0;
}

static void read_losses(const struct capture *capture, uint64_t kernel[GT_LOSS_COUNT], uint64_t losses[LOSS_COUNT])
{
	memset(losses, 0, sizeof(*losses) * LOSS_COUNT);
	loader_losses(capture->loader, kernel);
	losses[LOSS_TLS_UNSEEN] = loader_tls_unseen(capture->loader);
}

static void tick(struct capture *capture)
{
	uint64_t kernel[GT_LOSS_COUNT], losses[LOSS_COUNT], ticks;

	if (read(capture->tick_fd, &ticks, sizeof(ticks)) != sizeof(ticks))
		return;
	read_losses(capture, kernel, losses);
	recording_tick(capture->recording, kernel, losses);
}

static int watch(struct capture *capture)
{
	struct pollfd fds[] = {
		{ .fd = loader_fd(capture->loader), .events = POLLIN },
		{ .fd = capture->signal_fd, .events = POLLIN },
		{ .fd = capture->timer_fd, .events = POLLIN },
		/* -1 without --count: poll() passes over it. */
		{ .fd = exporter_count_fd(capture->exporter), .events = POLLIN },
		/* -1, too, without a recording. */
		{ .fd = capture->recording ? recorder_error_fd(capture->recording->recorder) : -1, .events = POLLIN },
		{ .fd = capture->tick_fd, .events = POLLIN },
	};

	while (!are_all_gone(capture)) {
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0 && errno != EINTR)
			return fail(EXIT_FAILED, "cannot wait for events: %s", strerror(errno));
		if (fds[0].revents) {
			int r = loader_dispatch(capture->loader);

			if (r < 0)
				return fail(EXIT_FAILED, "cannot follow the targets: %s", strerror(-r));
		}
		if ((fds[1].revents && has_ended_by_signal(capture)) || fds[2].revents || fds[3].revents ||
		    fds[4].revents)
			break;
		if (fds[5].revents)
			tick(capture);
	}
	return EXIT_OK;
}

/* --- leaving --------------------------------------------------------------- */

struct flush {
	struct exporter **exporter;
	struct exporter_totals totals;
	int done_fd;
};

static void *run_flush(void *arg)
{
	struct flush *flush = arg;

	exporter_stop(flush->exporter, FLUSH_MS, &flush->totals);
	eventfd_write(flush->done_fd, 1);
	return NULL;
}

/* A signal while Langfuse is waited for ends the waiting. */
static void wait_for_flush(struct capture *capture, int done_fd)
{
	struct pollfd fds[] = {
		{ .fd = done_fd, .events = POLLIN },
		{ .fd = capture->signal_fd, .events = POLLIN },
	};
	struct signalfd_siginfo signal;

	while (!fds[0].revents) {
		if (poll(fds, ARRAY_SIZE(fds), -1) < 0 && errno != EINTR)
			return;
		while (fds[1].revents && read(capture->signal_fd, &signal, sizeof(signal)) == sizeof(signal))
			if (signal.ssi_signo != SIGCHLD)
				atomic_store(&capture->is_hurried, true);
	}
}

static void flush_exporter(struct capture *capture, struct exporter_totals *ret)
{
	_cleanup_(closep) int done_fd = eventfd(0, EFD_CLOEXEC);
	struct flush flush = { .exporter = &capture->exporter, .done_fd = done_fd };
	pthread_t thread;

	/* Without a thread to spare it is waited for as long as it takes. */
	if (done_fd < 0 || pthread_create(&thread, NULL, run_flush, &flush) != 0) {
		exporter_stop(&capture->exporter, FLUSH_MS, ret);
		return;
	}
	wait_for_flush(capture, done_fd);
	pthread_join(thread, NULL);
	*ret = flush.totals;
}

static void add_up(struct capture *capture, const struct exporter_totals *exporter)
{
	struct summary *summary = &capture->summary;
	struct pipeline_totals pipeline = {};

	if (capture->pipeline)
		pipeline_totals(capture->pipeline, &pipeline);
	for (size_t i = 0; i < LOSS_COUNT; i++)
		summary->losses[i] += pipeline.losses[i] + exporter->losses[i];
	summary->generations = exporter->generations;
	summary->sent = exporter->sent;
	summary->unsent = exporter->unsent;
	loader_losses(capture->loader, summary->kernel);
	summary->losses[LOSS_TLS_UNSEEN] += loader_tls_unseen(capture->loader);
}

/* EXIT_OK, or said and an exit code. */
static int close_recording(struct capture *capture)
{
	uint64_t kernel[GT_LOSS_COUNT], losses[LOSS_COUNT];
	struct summary *summary = &capture->summary;
	struct recorder_totals totals;
	int code;

	if (!capture->recording || !capture->recording->recorder)
		return EXIT_OK;
	if (!capture->is_attached) {
		recording_abandon(capture->recording);
		return EXIT_OK;
	}
	read_losses(capture, kernel, losses);
	recorder_losses(capture->recording->recorder, kernel, losses);
	code = recording_close(capture->recording, capture->detached_ns, &totals);
	summary->recorded_to = capture->recording->path;
	summary->recorded_events = totals.events;
	summary->recorded_bytes = totals.bytes;
	summary->losses[LOSS_SCRUB_UNSURE] = totals.scrub_unsure;
	return code;
}

/* Probes out, everything decoded, everything written. EXIT_OK, or said and an
 * exit code. */
static int leave(struct capture *capture)
{
	struct exporter_totals totals = {};
	int code;

	capture->end_ns = clock_ns(CLOCK_MONOTONIC);
	if (capture->loader) {
		loader_detach_ns(capture->loader);
		capture->summary.detach_ns = clock_ns(CLOCK_MONOTONIC) - capture->end_ns;
	}
	atomic_store(&capture->is_ending, true);
	if (capture->has_thread)
		pthread_join(capture->thread, NULL);
	code = close_recording(capture);
	if (capture->exporter)
		flush_exporter(capture, &totals);
	if (capture->loader)
		add_up(capture, &totals);
	pipeline_free(&capture->pipeline);
	loader_free(&capture->loader);
	closep(&capture->signal_fd);
	closep(&capture->timer_fd);
	closep(&capture->tick_fd);
	return code;
}

static int conclude(const struct capture *capture)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(SAY_TEXT_MAX);

	summary_text(&capture->summary, &text);
	say("%s", buf_text(&text));
	if (capture->source_error < 0)
		return fail(EXIT_FAILED, "reading events failed: %s", strerror(-capture->source_error));
	if (settings_flag(capture->settings, SETTING_STRICT) && summary_has_loss(&capture->summary))
		return EXIT_LOST;
	return EXIT_OK;
}

int capture(const struct options *options, const struct settings *settings,
	    struct capture_command *command, struct recording *recording)
{
	struct capture capture = {
		.options = options, .settings = settings, .command = command, .recording = recording,
		.signal_fd = -1, .timer_fd = -1, .tick_fd = -1,
		.sample_rate = settings_number(settings, SETTING_SAMPLE_RATE),
	};
	int left, code = exports_plan(&capture.exports, settings, recording ? EXPORTS_NOTHING : EXPORTS_USUAL);

	if (code != EXIT_OK)
		return code;
	capture.summary.store = capture.exports.store;
	capture.summary.has_langfuse = capture.exports.sinks.has_langfuse;
	code = set_up(&capture);
	if (code == EXIT_OK)
		code = attach(&capture);
	if (code == EXIT_OK)
		code = watch(&capture);
	left = leave(&capture);
	if (code != EXIT_OK)
		return code;
	code = conclude(&capture);
	return left != EXIT_OK ? left : code;
}
