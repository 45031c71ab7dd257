/* SPDX-License-Identifier: Apache-2.0 */
/* Real children: what /proc says of them. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "base/base.h"
#include "loader/process.h"

/* --- children ----------------------------------------------------------------------- */

/* Says one number to the parent and waits to be killed. */
static _Noreturn void report_and_wait(int fd, int value)
{
	if (write(fd, &value, sizeof(value)) != sizeof(value))
		_exit(1);
	alarm(60);	/* should the test die */
	for (;;)
		pause();
}

/* Forks a child that runs @fn, which reports a number; the caller stops it. */
static pid_t start(void (*fn)(int fd), int *ret_value)
{
	int fds[2];
	pid_t pid;

	cr_assert_eq(pipe(fds), 0);
	pid = fork();
	cr_assert(pid >= 0);
	if (pid == 0)
		fn(fds[1]);
	cr_assert_eq(read(fds[0], ret_value, sizeof(*ret_value)), (ssize_t)sizeof(*ret_value));
	close(fds[0]);
	close(fds[1]);
	return pid;
}

static void stop(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static bool has_pid(const int *pids, size_t count, int pid)
{
	for (size_t i = 0; i < count; i++)
		if (pids[i] == pid)
			return true;
	return false;
}

/* --- one process --------------------------------------------------------------------- */

static void be_renamed(int fd)
{
	prctl(PR_SET_NAME, "gt) R 1 (worker");	/* what a careless reader of stat trips over */
	report_and_wait(fd, 0);
}

Test(process, name_with_parentheses)
{
	char comm[GT_COMM_BYTES];
	int value;
	pid_t pid = start(be_renamed, &value);

	cr_expect_eq(process_comm(pid, comm), 0);
	cr_expect_str_eq(comm, "gt) R 1 (worker");
	cr_expect(process_is_alive(pid));
	cr_expect_eq(process_threads(pid), 1);
	cr_expect(process_matches_name(pid, "gt) R 1 (w*"));
	cr_expect_not(process_matches_name(pid, "gentap-no-such-name"));
	stop(pid);
}

static const char hostile_name[] = "\033[2J\n\xff\x80)";

static void be_hostile(int fd)
{
	prctl(PR_SET_NAME, hostile_name);
	report_and_wait(fd, 0);
}

Test(process, a_hostile_name_is_handed_on_as_it_is)
{
	char comm[GT_COMM_BYTES], text[128], little[4];
	int value;
	pid_t pid = start(be_hostile, &value);

	cr_expect_eq(process_comm(pid, comm), 0);
	cr_expect_str_eq(comm, hostile_name);
	cr_expect_eq(process_describe(pid, text, sizeof(text)), 0);
	cr_expect_eq(strncmp(text, hostile_name, strlen(hostile_name)), 0, "nothing is taken out");
	cr_expect_eq(text[strlen(hostile_name)], ' ', "then the executable: %s", text + strlen(hostile_name));
	cr_expect_eq(process_describe(pid, little, sizeof(little)), 0);
	cr_expect_str_eq(little, "\033[2", "cut, with its end");
	cr_expect(process_is_alive(pid));
	stop(pid);
}

Test(process, a_zombie_is_not_alive)
{
	int value;
	pid_t pid = start(be_renamed, &value);
	siginfo_t info;

	kill(pid, SIGKILL);
	cr_assert_eq(waitid(P_PID, pid, &info, WEXITED | WNOWAIT), 0);
	cr_expect_not(process_is_alive(pid));
	waitpid(pid, NULL, 0);
	cr_expect_not(process_is_alive(pid));
	cr_expect_eq(process_comm(pid, (char[GT_COMM_BYTES]){ 0 }), -ESRCH);
}

Test(process, the_executable_is_known_by_its_numbers)
{
	struct stat st;

	cr_assert_eq(stat("/proc/self/exe", &st), 0);
	cr_expect(process_is_exe(getpid(), st.st_dev, st.st_ino));
	cr_expect_not(process_is_exe(getpid(), st.st_dev, st.st_ino + 1));
	cr_expect_not(process_is_32bit(getpid()));
	cr_expect_not(process_has_seccomp(getpid()));
}

Test(process, finds_a_command_as_execvp_would)
{
	_cleanup_(freep) char *found = NULL;

	setenv("PATH", "/gentap/no/such/dir:/usr/bin:/bin", 1);
	cr_expect_eq(process_find_command("gentap-no-such-command", &found), -ENOENT);
	cr_expect_eq(process_find_command("/etc/passwd", &found), -ENOENT, "it is not executable");
	cr_expect_eq(process_find_command("/usr/bin", &found), -ENOENT, "it is a directory");
	cr_assert_eq(process_find_command("env", &found), 0);
	cr_expect_str_eq(found, "/usr/bin/env");
}

/* --- names ------------------------------------------------------------------------------- */

enum { ARGUMENTS_MAX = 6 };

/* A shell under another name takes the place of the interpreter: it knows -u and
 * -m, and runs the "module" as a script from the working directory. */
static const struct {
	const char *what;
	const char *args[ARGUMENTS_MAX];	/* the interpreter's name first */
	const char *yes, *no;
	const char *description;		/* starts with */
} programs[] = {
	{ "the interpreter",	{ "python3.11", "-u", "./uvicorn", "app:app" }, "python3*", "app:app", "uvicorn (" },
	{ "the script",		{ "python3.11", "-u", "./uvicorn", "app:app" }, "uvicorn", "-u", "uvicorn (" },
	{ "the whole module",	{ "python3.11", "-m", "vllm.entrypoints.api" }, "vllm.entrypoints.api", "api", "vllm (" },
	{ "the package",	{ "python3.11", "-u", "-m", "vllm.entrypoints.api" }, "vllm", "entrypoints", "vllm (" },
	{ "options in one",	{ "python3.11", "-um", "vllm.entrypoints.api" }, "vllm", "-um", "vllm (" },
	{ "a command is none",	{ "python3.11", "-c", "read x", "uvicorn" }, "python3.11", "uvicorn", "python3.11 (" },
	{ "Node's script",	{ "node", "./app.js" }, "app.js", "app", "app.js (" },
	{ "no interpreter",	{ "server", "./uvicorn" }, "server", "uvicorn", "server (" },
};

static void touch_script(const char *name)
{
	FILE *file = fopen(name, "w");

	cr_assert(file);
	fputs("read x\n", file);
	fclose(file);
}

/* Returns when the program runs; it waits for its standard input to end. */
static pid_t start_program(const char *const args[], int *ret_stdin)
{
	int in[2], ready[2];
	char byte;
	pid_t pid;

	cr_assert_eq(pipe2(in, O_CLOEXEC), 0);
	cr_assert_eq(pipe2(ready, O_CLOEXEC), 0);
	pid = fork();
	cr_assert(pid >= 0);
	if (pid == 0) {
		dup2(in[0], STDIN_FILENO);
		dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);	/* "no job control" */
		execv(args[0], (char *const *)args);
		_exit(127);
	}
	close(in[0]);
	close(ready[1]);
	cr_assert_eq(read(ready[0], &byte, 1), 0, "closed by exec");
	close(ready[0]);
	*ret_stdin = in[1];
	return pid;
}

Test(process, names_that_people_use)
{
	char dir[] = "/tmp/gentap-names-XXXXXX";

	cr_assert(mkdtemp(dir));
	cr_assert_eq(chdir(dir), 0);
	touch_script("uvicorn");
	touch_script("vllm.entrypoints.api");
	touch_script("app.js");
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		char text[128];
		int in;
		pid_t pid;

		cr_assert(symlink("/bin/sh", programs[i].args[0]) == 0 || errno == EEXIST);
		pid = start_program(programs[i].args, &in);
		cr_expect(process_matches_name(pid, programs[i].yes), "%s: is %s", programs[i].what, programs[i].yes);
		cr_expect_not(process_matches_name(pid, programs[i].no), "%s: is no %s", programs[i].what, programs[i].no);
		cr_assert_eq(process_describe(pid, text, sizeof(text)), 0);
		cr_expect(strncmp(text, programs[i].description, strlen(programs[i].description)) == 0,
			  "%s: %s", programs[i].what, text);
		stop(pid);
		close(in);
	}
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++)
		unlink(programs[i].args[0]);
	unlink("uvicorn");
	unlink("vllm.entrypoints.api");
	unlink("app.js");
	rmdir(dir);
}

Test(process, found_by_name_but_never_itself)
{
	_cleanup_(freep) int *pids = NULL;
	size_t count = 0;
	int value;
	pid_t pid = start(be_renamed, &value);

	prctl(PR_SET_NAME, "gt) R 1 (worker");
	cr_assert_eq(process_find_by_name("gt) R 1*", &pids, &count), 0);
	cr_expect(has_pid(pids, count, pid));
	cr_expect_not(has_pid(pids, count, getpid()));
	stop(pid);
}

/* --- families and sockets ------------------------------------------------------------------ */

static void have_a_child(int fd)
{
	int grandchild;

	start(be_renamed, &grandchild);
	report_and_wait(fd, 0);
}

Test(process, descendants_of_two_generations)
{
	_cleanup_(freep) int *pids = NULL;
	_cleanup_(freep) int *grandchildren = NULL;
	size_t count = 0, grandchild_count = 0;
	int value;
	pid_t pid = start(have_a_child, &value);

	cr_assert_eq(process_descendants(pid, &grandchildren, &grandchild_count), 0);
	cr_assert_eq(grandchild_count, 1);
	cr_assert_eq(process_descendants(getppid(), &pids, &count), 0);
	cr_expect(has_pid(pids, count, pid));
	cr_expect(has_pid(pids, count, grandchildren[0]));
	cr_expect_not(has_pid(pids, count, getppid()));
	kill(grandchildren[0], SIGKILL);
	stop(pid);
}

/* Reports the port it listens on, which a child of it shares. */
static void listen_and_share(int fd)
{
	struct sockaddr_in address = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(address);
	int listener = socket(AF_INET, SOCK_STREAM, 0), value;

	if (listener < 0 || bind(listener, (struct sockaddr *)&address, len) < 0 || listen(listener, 1) < 0 ||
	    getsockname(listener, (struct sockaddr *)&address, &len) < 0)
		_exit(1);
	start(be_renamed, &value);
	report_and_wait(fd, ntohs(address.sin_port));
}

Test(process, all_who_share_a_listening_socket)
{
	_cleanup_(freep) int *pids = NULL;
	_cleanup_(freep) int *children = NULL;
	size_t count = 0, child_count = 0;
	unsigned sockets, listening;
	bool has_io_uring;
	int port;
	pid_t pid = start(listen_and_share, &port);

	cr_assert_eq(process_descendants(pid, &children, &child_count), 0);
	cr_assert_eq(child_count, 1);
	cr_assert_eq(process_find_by_port(port, &pids, &count), 0);
	cr_expect_eq(count, 2, "%zu hold it", count);
	cr_expect(has_pid(pids, count, pid));
	cr_expect(has_pid(pids, count, children[0]));
	cr_expect_eq(process_sockets(pid, &sockets, &listening, &has_io_uring), 0);
	cr_expect(sockets >= 1);
	cr_expect_eq(listening, 1);
	cr_expect_not(has_io_uring);
	kill(children[0], SIGKILL);
	stop(pid);
}

/* Bound, but no server: nobody may be found by its port. */
Test(process, a_port_nobody_listens_on)
{
	struct sockaddr_in6 address = { .sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT };
	_cleanup_(closep) int fd = socket(AF_INET6, SOCK_STREAM, 0);
	_cleanup_(freep) int *pids = NULL;
	socklen_t len = sizeof(address);
	size_t count = 1;

	cr_assert_eq(bind(fd, (struct sockaddr *)&address, len), 0);
	cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
	cr_expect_eq(process_find_by_port(ntohs(address.sin6_port), &pids, &count), 0);
	cr_expect_eq(count, 0);
}

Test(process, nothing_of_a_process_that_is_gone)
{
	unsigned sockets = 7, listening = 7;
	bool has_io_uring = true;
	char text[64] = "as before";
	int value;
	pid_t pid = start(be_renamed, &value);

	stop(pid);
	cr_expect_eq(process_describe(pid, text, sizeof(text)), -ESRCH);
	cr_expect_str_eq(text, "as before");
	cr_expect_eq(process_sockets(pid, &sockets, &listening, &has_io_uring), -ESRCH);
	cr_expect_eq(sockets, 7, "an output is untouched on failure");
	cr_expect_not(process_matches_name(pid, "*"));
}
