/* SPDX-License-Identifier: Apache-2.0 */
#include "export/sink.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/limits.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/stat.h>

#include "export/note.h"
#include "export/terminal.h"
#include "limits.h"

int sink_open(struct sink *sink, const struct sink_option *option)
{
	*sink = (struct sink){ .type = option->type, .fd = STDOUT_FILENO };
	if (option->type != SINK_JSONL)
		return 0;
	sink->path = option->path;
	/* Prompts are in it: nobody else reads it, and no link leads it elsewhere. */
	sink->fd = open(option->path, O_WRONLY | O_APPEND | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	return sink->fd < 0 ? -errno : 0;
}

void sink_close(struct sink *sink)
{
	if (sink->path)
		closep(&sink->fd);
}

/* Takes back the front of a line that did not fit, if nobody wrote behind it. */
static void take_back(int fd, size_t written)
{
	off_t end = lseek(fd, 0, SEEK_CUR);
	struct stat st;

	if (end < 0 || fstat(fd, &st) < 0 || st.st_size != end)
		return;
	if (ftruncate(fd, end - (off_t)written) < 0)
		return;
}

/* One write, so that the lines of several programs do not mix. */
static int write_file(int fd, struct slice text)
{
	ssize_t n;

	do
		n = write(fd, text.ptr, text.len);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return -errno;
	if ((size_t)n == text.len)
		return 0;
	take_back(fd, (size_t)n);
	return -ENOSPC;
}

/* The reader may stand still for as long as it likes, but not keep us when we
 * are to stop: so poll, and write no more than a pipe that polls ready takes. */
static int write_stdout(int fd, struct slice text, const _Atomic uint64_t *deadline_ns)
{
	enum { LOOK_MS = 100 };

	while (text.len) {
		struct pollfd poll_fd = { .fd = fd, .events = POLLOUT };
		ssize_t n;

		if (poll(&poll_fd, 1, LOOK_MS) <= 0) {
			if (monotonic_ns() >= atomic_load(deadline_ns))
				return -ETIMEDOUT;
			continue;
		}
		n = write(fd, text.ptr, MIN(text.len, (size_t)PIPE_BUF));
		if (n < 0 && errno != EINTR && errno != EAGAIN)
			return -errno;
		slice_take(&text, n > 0 ? (size_t)n : 0);
	}
	return 0;
}

static unsigned width_of(int fd)
{
	struct winsize size;

	return ioctl(fd, TIOCGWINSZ, &size) == 0 ? size.ws_col : 0;
}

static void add_for_people(struct sink *sink, const cJSON *generation, bool has_colour, struct buf *text)
{
	struct terminal_options options = { .has_colour = has_colour, .width = width_of(sink->fd) };

	if (!sink->has_heads)
		terminal_heads(&options, text);
	sink->has_heads = true;
	terminal_line(&options, generation, text);
}

int sink_write(struct sink *sink, struct slice line, const cJSON *generation, bool has_colour,
	       const _Atomic uint64_t *deadline_ns)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(line.len + 64 * KiB);
	int r;

	if (sink->is_dead)
		return -EPIPE;
	if (sink->type == SINK_TERMINAL) {
		add_for_people(sink, generation, has_colour, &text);
	} else {
		buf_add_slice(&text, line);
		buf_add_char(&text, '\n');
	}
	if (!buf_ok(&text))
		return -ENOMEM;
	if (sink->path)
		return write_file(sink->fd, buf_slice(&text));
	r = write_stdout(sink->fd, buf_slice(&text), deadline_ns);
	/* A line that was begun and not ended spoils those behind it. */
	sink->is_dead = r < 0;
	return r;
}
