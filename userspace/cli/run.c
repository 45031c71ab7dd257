/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `gentap run`: the command is forked before anything else is opened, waits at
 * a gate until its probes are in, and then becomes what was asked for, with the
 * signals, files and (under sudo) the user that gentap's caller has.
 */
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "cli/capture.h"
#include "cli/commands.h"
#include "cli/say.h"

enum {
	EXIT_NOT_EXECUTABLE = 126,	/* as shells say it */
	EXIT_NOT_FOUND = 127,
	EXIT_SIGNALLED = 128,		/* plus the signal */
};

/* An id from sudo's environment; false when there is none. */
static bool id_from(const char *name, unsigned *ret)
{
	const char *text = getenv(name);
	unsigned long id;
	char *end;

	if (!text || !*text)
		return false;
	id = strtoul(text, &end, 10);
	if (*end || id > UINT32_MAX - 1)
		return false;
	*ret = (unsigned)id;
	return true;
}

/* Becomes the user who called sudo. 0 also when there was no sudo. */
static int drop_root(void)
{
	const struct passwd *user;
	unsigned uid, gid;

	if (geteuid() != 0 || !id_from("SUDO_UID", &uid) || !id_from("SUDO_GID", &gid))
		return 0;
	user = getpwuid(uid);
	if ((user ? initgroups(user->pw_name, gid) : setgroups(0, NULL)) < 0 || setgid(gid) < 0 || setuid(uid) < 0)
		return -errno;
	if (user) {
		setenv("HOME", user->pw_dir, /* overwrite */ 1);
		setenv("USER", user->pw_name, /* overwrite */ 1);
		setenv("LOGNAME", user->pw_name, /* overwrite */ 1);
	}
	return 0;
}

static _Noreturn void become_command(char **argv, int gate_fd, bool as_root)
{
	char byte;
	int r;

	/* No byte: gentap could not attach and has said why. */
	if (read(gate_fd, &byte, 1) != 1)
		_exit(EXIT_NOT_EXECUTABLE);
	r = as_root ? 0 : drop_root();
	if (r < 0) {
		fail(EXIT_FAILED, "cannot run '%s' as who called sudo: %s; or use --as-root", argv[0], strerror(-r));
		_exit(EXIT_NOT_EXECUTABLE);
	}
	execvp(argv[0], argv);
	r = errno;
	fail(EXIT_FAILED, "cannot run '%s': %s", argv[0], strerror(r));
	_exit(r == ENOENT ? EXIT_NOT_FOUND : EXIT_NOT_EXECUTABLE);
}

static int start(struct capture_command *ret, char **argv, bool as_root)
{
	_cleanup_(closep) int read_fd = -1;
	_cleanup_(closep) int write_fd = -1;
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -errno;
	read_fd = fds[0];
	write_fd = fds[1];
	ret->pid = fork();
	if (ret->pid < 0)
		return -errno;
	if (ret->pid == 0) {
		/* Else its own end of the gate keeps the gate from closing. */
		closep(&write_fd);
		become_command(argv, read_fd, as_root);
	}
	ret->gate_fd = TAKE_FD(write_fd);
	ret->file = argv[0];
	return 0;
}

/* The capture may have ended first (--for, --count): the command goes on, and
 * gentap stays to hand its result on, as a shell's foreground job. */
static int result_of(struct capture_command *command)
{
	sigset_t none;

	if (command->left_by && !command->has_ended)
		return EXIT_SIGNALLED + command->left_by;
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	while (!command->has_ended) {
		if (waitpid(command->pid, &command->status, 0) == command->pid)
			command->has_ended = true;
		else if (errno != EINTR)
			return EXIT_FAILED;
	}
	if (WIFSIGNALED(command->status))
		return EXIT_SIGNALLED + WTERMSIG(command->status);
	return WEXITSTATUS(command->status);
}

int run_run(const struct options *options)
{
	_cleanup_(settings_done) struct settings settings = {};
	struct capture_command command = { .gate_fd = -1 };
	int code, result, r;

	code = options_settings(options, &settings);
	if (code != EXIT_OK)
		return code;
	r = start(&command, options->operands, options->as_root);
	if (r < 0)
		return fail(EXIT_FAILED, "cannot start '%s': %s", options->operands[0], strerror(-r));
	code = capture(options, &settings, &command, /* recording */ NULL);
	closep(&command.gate_fd);
	result = result_of(&command);
	if (code != EXIT_OK && code != EXIT_LOST)
		return code;
	return result ? result : code;
}
