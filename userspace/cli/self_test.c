/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The watching side of the self-test. In one thread, in this order: the child
 * has loaded its libssl, its probes are in, it is told to make its calls, and
 * events are read until both ends of each came out as generations.
 */
#include "cli/self_test.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "limits.h"
#include "llm/json.h"
#include "loader/loader.h"
#include "pipeline.h"

enum {
	LIMIT_MS = 2000,	/* from the first call on; and for the child to get ready */
	POLL_MS = 10,
};

struct watch {
	struct self_test *test;
	int pid, fd;		/* of the child */
	bool is_done;		/* it has made its calls */
	struct loader *loader;
	struct pipeline *pipeline;
};

static uint64_t now_ms(void)
{
	return clock_ns(CLOCK_MONOTONIC) / 1000000;
}

/* --- what a line proves ------------------------------------------------------ */

static bool is_text(const cJSON *object, const char *name, const char *want)
{
	const char *text = json_string(object, name);

	return text && strcmp(text, want) == 0;
}

static bool is_whole(const cJSON *line)
{
	const cJSON *usage = json_get(line, "usageDetails"), *output = json_get(line, "output");

	return cJSON_IsTrue(json_get(json_get(line, "evidence"), "complete")) &&
	       is_text(line, "model", SELF_TEST_MODEL) && json_count(usage, "total") == 10 &&
	       is_text(cJSON_GetArrayItem(json_array(line, "input"), 0), "content", SELF_TEST_QUESTION) &&
	       is_text(output, "content", SELF_TEST_ANSWER);
}

void self_test_judge(struct self_test *test, struct slice text)
{
	loss_set marks = 0;
	_cleanup_(json_freep) cJSON *line = json_parse(text, 0, &marks);
	bool is_tls = cJSON_IsTrue(json_get(json_get(line, "connection"), "tls"));
	bool is_server = is_text(line, "role", "server");

	if (is_whole(line) && (is_server || is_text(line, "role", "client")))
		test->is_seen[is_tls ? SELF_TEST_TLS : SELF_TEST_SOCKETS]
			     [is_server ? SELF_TEST_SERVER : SELF_TEST_CLIENT] = true;
}

static bool has_seen_all(const struct watch *watch)
{
	const struct self_test *test = watch->test;

	for (int path = 0; path < SELF_TEST_PATHS; path++) {
		bool is_made = !test->calls.errors[path] && (path != SELF_TEST_TLS || *test->calls.libssl);

		if (is_made && !(test->is_seen[path][SELF_TEST_CLIENT] && test->is_seen[path][SELF_TEST_SERVER]))
			return false;
	}
	return true;
}

/* --- the child --------------------------------------------------------------- */

/* One message, waited for at most @timeout_ms. */
static int receive(int fd, void *ret, size_t size, int timeout_ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = POLLIN };
	int r = poll(&poll_fd, 1, timeout_ms);

	if (r <= 0)
		return r < 0 ? -errno : -ETIMEDOUT;
	return recv(fd, ret, size, 0) == (ssize_t)size ? 0 : -EPIPE;
}

static int start_child(struct watch *watch)
{
	int fds[2];
	char ready;

	/* Packets: gentap looks at stream sockets only, so these are no noise. */
	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) < 0)
		return -errno;
	watch->pid = fork();
	if (watch->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		close(fds[0]);
		self_test_child(fds[1]);
	}
	close(fds[1]);
	watch->fd = fds[0];
	if (watch->pid < 0)
		return -errno;
	return receive(watch->fd, &ready, 1, LIMIT_MS);
}

static void end_child(struct watch *watch)
{
	closep(&watch->fd);
	if (watch->pid <= 0)
		return;
	kill(watch->pid, SIGKILL);
	waitpid(watch->pid, NULL, 0);
}

/* --- watching it ------------------------------------------------------------- */

static void on_note(void *ctx, enum loader_note note, int pid, const char *text)
{
	struct watch *watch = ctx;

	(void)pid;	/* there is but one */
	if (note == LOADER_WARNING)
		snprintf(watch->test->warning, sizeof(watch->test->warning), "%s", text);
}

static void on_line(void *ctx, struct slice line)
{
	struct watch *watch = ctx;

	self_test_judge(watch->test, line);
}

static int attach(struct watch *watch, char **ret_error)
{
	struct loader_options loader = {
		.targets = { .pids = &watch->pid, .pid_count = 1 },
		.note = on_note,
		.ctx = watch,
	};
	struct pipeline_options pipeline = { .max_content = LIMIT_CONTENT, .line = on_line, .ctx = watch };
	int r = pipeline_new(&watch->pipeline, &pipeline);

	if (r == 0)
		r = loader_new(&watch->loader, &loader, ret_error);
	return r < 0 ? r : loader_attach(watch->loader, ret_error);
}

static int watch_calls(struct watch *watch)
{
	struct self_test_calls *calls = &watch->test->calls;
	uint64_t end_ms = now_ms() + LIMIT_MS;
	int r = 0;

	if (send(watch->fd, "", 1, MSG_NOSIGNAL) < 0)
		return -errno;
	while (r >= 0 && now_ms() < end_ms && !(watch->is_done && has_seen_all(watch))) {
		r = source_poll(loader_source(watch->loader), pipeline_event, watch->pipeline, POLL_MS);
		if (r == -EINTR)
			r = 0;
		if (!watch->is_done)
			watch->is_done = receive(watch->fd, calls, sizeof(*calls), 0) == 0;
	}
	if (r < 0)
		return r;
	return watch->is_done ? 0 : -ETIMEDOUT;
}

int self_test_run(struct self_test *ret, char **ret_error)
{
	struct self_test test = {};
	struct watch watch = { .test = &test, .fd = -1 };
	int r;

	*ret_error = NULL;
	r = start_child(&watch);
	if (r == 0)
		r = attach(&watch, ret_error);
	if (r >= 0)
		r = watch_calls(&watch);
	loader_free(&watch.loader);
	pipeline_free(&watch.pipeline);
	end_child(&watch);
	if (r == 0)
		*ret = test;
	return r;
}
