/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Loads naive.bpf.c and attaches it to the functions named, in the libssl that
 * the process maps. usage: naive OBJECT PID FUNCTION...
 *
 * Says "attached"; at SIGINT or SIGTERM says "N records" and ends.
 */
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <bpf/libbpf.h>

static volatile sig_atomic_t is_stopped;
static unsigned long record_count;

static void stop(int number)
{
	(void)number;
	is_stopped = true;
}

static int fail(const char *what)
{
	fprintf(stderr, "naive: %s: %s\n", what, strerror(errno));
	return 1;
}

/* The path of the libssl that @pid maps, as the process sees it. */
static bool find_libssl(int pid, char ret[PATH_MAX])
{
	char maps[64], line[PATH_MAX + 128];
	bool is_found = false;
	FILE *file;

	snprintf(maps, sizeof(maps), "/proc/%d/maps", pid);
	file = fopen(maps, "re");
	while (file && !is_found && fgets(line, sizeof(line), file)) {
		char *path = strchr(line, '/');

		if (!path || !strstr(path, "libssl"))
			continue;
		path[strcspn(path, "\n")] = '\0';
		snprintf(ret, PATH_MAX, "%s", path);
		is_found = true;
	}
	if (file)
		fclose(file);
	return is_found;
}

/* The links live as long as this process. */
static bool attach(struct bpf_object *object, const char *program, bool is_return, int pid,
		   const char *path, const char *function)
{
	LIBBPF_OPTS(bpf_uprobe_opts, options, .func_name = function, .retprobe = is_return,
		    .bpf_cookie = strstr(function, "_ex") != NULL);
	struct bpf_program *prog = bpf_object__find_program_by_name(object, program);

	return prog && bpf_program__attach_uprobe_opts(prog, pid, path, 0, &options);
}

static int count_record(void *ctx, void *data, size_t size)
{
	(void)ctx, (void)data, (void)size;
	record_count++;
	return 0;
}

static int poll_records(struct bpf_object *object)
{
	struct ring_buffer *ring;

	ring = ring_buffer__new(bpf_object__find_map_fd_by_name(object, "records"), count_record, NULL, NULL);
	if (!ring)
		return fail("ring");
	printf("attached\n");
	fflush(stdout);
	while (!is_stopped)
		ring_buffer__poll(ring, /* timeout_ms */ 100);
	printf("%lu records\n", record_count);
	return 0;
}

int main(int argc, char **argv)
{
	struct sigaction action = { .sa_handler = stop };
	struct bpf_object *object;
	char path[PATH_MAX];
	int pid;

	if (argc < 4) {
		fprintf(stderr, "usage: naive OBJECT PID FUNCTION...\n");
		return 2;
	}
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	pid = atoi(argv[2]);
	if (!find_libssl(pid, path))
		return fail("the process maps no libssl");
	object = bpf_object__open_file(argv[1], NULL);
	if (!object || bpf_object__load(object))
		return fail(argv[1]);
	for (int i = 3; i < argc; i++)
		if (!attach(object, "naive_enter", /* is_return */ false, pid, path, argv[i]) ||
		    !attach(object, "naive_leave", /* is_return */ true, pid, path, argv[i]))
			return fail(argv[i]);
	return poll_records(object);
}
