/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/process_private.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/base.h"

enum { SECCOMP_MODE_OF_FILTERS = 2 };

int process_read(int pid, const char *name, char *ret, size_t size)
{
	_cleanup_(closep) int fd = -1;
	char path[64];
	size_t len = 0;
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	while (len < size - 1) {
		n = read(fd, ret + len, size - 1 - len);
		if (n < 0)
			return -errno;
		if (n == 0)
			break;
		len += n;
	}
	ret[len] = '\0';
	return len;
}

int process_readlink(int pid, const char *name, char *ret, size_t size)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	n = readlink(path, ret, size - 1);
	if (n < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	ret[n] = '\0';
	return n;
}

int process_stat(int pid, struct process_stat *ret)
{
	/* Fields 3, 4 and 20 of proc_pid_stat(5). */
	static const char format[] = " %c %d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u"
				     " %*d %*d %*d %*d %lu";
	unsigned long threads;
	char text[1024], state;
	const char *end;
	int ppid, r;

	r = process_read(pid, "stat", text, sizeof(text));
	if (r < 0)
		return r;
	/* The comm before it may hold anything, a ")" too. */
	end = strrchr(text, ')');
	if (!end || sscanf(end + 1, format, &state, &ppid, &threads) != 3)
		return -ESRCH;
	*ret = (struct process_stat){ ppid, state, threads };
	return 0;
}

int process_comm(int pid, char ret[GT_COMM_BYTES])
{
	char text[GT_COMM_BYTES + 1];
	int r = process_read(pid, "comm", text, sizeof(text));

	if (r < 0)
		return r;
	if (r > 0 && text[r - 1] == '\n')
		r--;
	if (r >= (int)GT_COMM_BYTES)
		r = GT_COMM_BYTES - 1;
	memcpy(ret, text, r);
	ret[r] = '\0';
	return 0;
}

bool process_is_alive(int pid)
{
	struct process_stat stat;

	return pid > 0 && process_stat(pid, &stat) == 0 && !strchr("ZXx", stat.state);
}

unsigned process_threads(int pid)
{
	struct process_stat stat;

	return process_stat(pid, &stat) == 0 ? stat.threads : 0;
}

bool process_has_seccomp(int pid)
{
	char text[16384];
	const char *line;

	if (process_read(pid, "status", text, sizeof(text)) < 0)
		return false;
	line = strstr(text, "\nSeccomp:");
	return line && atoi(line + strlen("\nSeccomp:")) == SECCOMP_MODE_OF_FILTERS;
}

bool process_is_32bit(int pid)
{
	char ident[EI_NIDENT + 1];

	return process_read(pid, "exe", ident, sizeof(ident)) == EI_NIDENT &&
	       memcmp(ident, ELFMAG, SELFMAG) == 0 && ident[EI_CLASS] == ELFCLASS32;
}

bool process_is_exe(int pid, uint64_t dev, uint64_t inode)
{
	struct stat exe;
	char path[64];

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	return stat(path, &exe) == 0 && exe.st_dev == dev && exe.st_ino == inode;
}

static bool is_executable(const char *path)
{
	struct stat file;

	return stat(path, &file) == 0 && S_ISREG(file.st_mode) && access(path, X_OK) == 0;
}

int process_find_command(const char *file, char **ret)
{
	const char *dirs = getenv("PATH"), *end;

	if (strchr(file, '/')) {
		if (!is_executable(file))
			return -ENOENT;
		*ret = strdup(file);
		return *ret ? 0 : -ENOMEM;
	}
	for (dirs = dirs ? dirs : "/usr/local/bin:/usr/bin:/bin"; ; dirs = end + 1) {
		_cleanup_(freep) char *path = NULL;

		end = strchrnul(dirs, ':');
		/* An empty entry is the working directory. */
		if (asprintf(&path, "%.*s%s%s", (int)(end - dirs), dirs, end > dirs ? "/" : "./", file) < 0)
			return -ENOMEM;
		if (is_executable(path)) {
			*ret = TAKE_PTR(path);
			return 0;
		}
		if (!*end)
			return -ENOENT;
	}
}
