/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Searches through all of /proc. Who shares a listening socket is told by its
 * inode number: those are unique over all network namespaces, so the tables of
 * each namespace are read once and then every process' descriptors are matched.
 */
#include "loader/process_private.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/base.h"

enum { TCP_STATE_LISTEN = 0x0a };

/* Numbers that grow, up to a maximum that is the caller's. */
struct numbers {
	uint64_t *items;	/* owned */
	size_t count, size;
};

static void numbers_done(struct numbers *numbers)
{
	free(numbers->items);
	*numbers = (struct numbers){};
}

static int numbers_add(struct numbers *numbers, uint64_t item)
{
	if (numbers->count == PROCESS_FOUND_MAX)
		return -E2BIG;
	if (numbers->count == numbers->size) {
		size_t size = numbers->size ? numbers->size * 2 : 16;
		uint64_t *items = reallocarray(numbers->items, size, sizeof(*items));

		if (!items)
			return -ENOMEM;
		numbers->items = items;
		numbers->size = size;
	}
	numbers->items[numbers->count++] = item;
	return 0;
}

static bool numbers_have(const struct numbers *numbers, uint64_t item)
{
	for (size_t i = 0; i < numbers->count; i++)
		if (numbers->items[i] == item)
			return true;
	return false;
}

/* Hands the numbers out as pids, without gentap's own. */
static int give_pids(const struct numbers *from, int **ret, size_t *ret_count)
{
	int *pids = calloc(from->count ? from->count : 1, sizeof(*pids));
	size_t count = 0;

	if (!pids)
		return -ENOMEM;
	for (size_t i = 0; i < from->count; i++)
		if ((int)from->items[i] != getpid())
			pids[count++] = from->items[i];
	*ret = pids;
	*ret_count = count;
	return 0;
}

static void closedirp(DIR **dir)
{
	if (*dir)
		closedir(*dir);
}

/* Calls @fn for every process until it fails. 0 or its -errno. */
static int each_process(int (*fn)(void *ctx, int pid), void *ctx)
{
	_cleanup_(closedirp) DIR *proc = opendir("/proc");
	struct dirent *entry;

	if (!proc)
		return -errno;
	while ((entry = readdir(proc))) {
		int pid = atoi(entry->d_name);
		int r = pid > 0 ? fn(ctx, pid) : 0;

		if (r < 0)
			return r;
	}
	return 0;
}

/* --- descendants ----------------------------------------------------------- */

/* Parent and child in one number, so that sorting brings siblings together. */
static uint64_t kinship(int ppid, int pid)
{
	return (uint64_t)ppid << 32 | (uint32_t)pid;
}

static int add_kinship(void *ctx, int pid)
{
	struct process_stat stat;

	if (process_stat(pid, &stat) < 0 || strchr("ZXx", stat.state))
		return 0;
	return numbers_add(ctx, kinship(stat.ppid, pid));
}

static int compare_numbers(const void *a, const void *b)
{
	const uint64_t *x = a, *y = b;

	return (*x > *y) - (*x < *y);
}

/* Index of the first number that is not less than @item. */
static size_t lower_bound(const struct numbers *sorted, uint64_t item)
{
	size_t low = 0, high = sorted->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (sorted->items[middle] < item)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static int add_children(const struct numbers *kin, int parent, int root, struct numbers *found)
{
	for (size_t i = lower_bound(kin, kinship(parent, 0));
	     i < kin->count && kin->items[i] >> 32 == (uint32_t)parent; i++) {
		int child = (uint32_t)kin->items[i];
		/* A pid that was reused during the scan could close a circle. */
		int r = child == root ? 0 : numbers_add(found, child);

		if (r < 0)
			return r;
	}
	return 0;
}

int process_descendants(int pid, int **ret, size_t *ret_count)
{
	_cleanup_(numbers_done) struct numbers kin = {}, found = {};
	int r = each_process(add_kinship, &kin);

	if (r < 0)
		return r;
	if (kin.count)
		qsort(kin.items, kin.count, sizeof(*kin.items), compare_numbers);
	r = add_children(&kin, pid, pid, &found);
	for (size_t i = 0; r == 0 && i < found.count; i++)
		r = add_children(&kin, found.items[i], pid, &found);
	return r < 0 ? r : give_pids(&found, ret, ret_count);
}

/* --- by name --------------------------------------------------------------- */

struct name_search {
	const char *glob;
	struct numbers found;
};

static int add_if_named(void *ctx, int pid)
{
	struct name_search *search = ctx;

	if (!process_matches_name(pid, search->glob) || !process_is_alive(pid))
		return 0;
	return numbers_add(&search->found, pid);
}

int process_find_by_name(const char *glob, int **ret, size_t *ret_count)
{
	struct name_search search = { .glob = glob };
	int r = each_process(add_if_named, &search);

	if (r == 0)
		r = give_pids(&search.found, ret, ret_count);
	numbers_done(&search.found);
	return r;
}

/* --- sockets --------------------------------------------------------------- */

/* Adds the inodes of the sockets that listen, on @port or (0) on any. @name is
 * net/tcp or net/tcp6: "sl: address:port address:port state ... inode". */
static int read_listeners(int pid, const char *name, uint16_t port, struct numbers *ret)
{
	_cleanup_(fclosep) FILE *file = NULL;
	_cleanup_(freep) char *line = NULL;
	size_t size = 0;
	char path[64];
	int r = 0;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	file = fopen(path, "re");
	if (!file)
		return 0;
	while (r == 0 && getline(&line, &size, file) > 0) {
		unsigned local_port, state;
		unsigned long inode;

		if (sscanf(line, " %*u: %*[0-9A-Fa-f]:%x %*[0-9A-Fa-f]:%*x %x %*x:%*x %*x:%*x %*x %*u %*u %lu",
			   &local_port, &state, &inode) == 3 &&
		    state == TCP_STATE_LISTEN && inode && (!port || local_port == port))
			r = numbers_add(ret, inode);
	}
	return r;
}

static int read_all_listeners(int pid, uint16_t port, struct numbers *ret)
{
	int r = read_listeners(pid, "net/tcp", port, ret);

	return r < 0 ? r : read_listeners(pid, "net/tcp6", port, ret);
}

struct port_search {
	uint16_t port;
	struct numbers namespaces, listeners, found;
};

static int add_listeners_of_namespace(void *ctx, int pid)
{
	struct port_search *search = ctx;
	struct stat ns;
	char path[64];
	int r;

	snprintf(path, sizeof(path), "/proc/%d/ns/net", pid);
	if (stat(path, &ns) < 0 || numbers_have(&search->namespaces, ns.st_ino))
		return 0;
	r = numbers_add(&search->namespaces, ns.st_ino);
	return r < 0 ? r : read_all_listeners(pid, search->port, &search->listeners);
}

/* Calls @fn with what every descriptor of the process is a link to, until it
 * returns false. 0 or -errno. */
static int each_descriptor(int pid, bool (*fn)(void *ctx, const char *link), void *ctx)
{
	_cleanup_(closedirp) DIR *dir = NULL;
	struct dirent *entry;
	char text[64];

	snprintf(text, sizeof(text), "/proc/%d/fd", pid);
	dir = opendir(text);
	if (!dir)
		return errno == ENOENT ? -ESRCH : -errno;
	while ((entry = readdir(dir))) {
		ssize_t n = readlinkat(dirfd(dir), entry->d_name, text, sizeof(text) - 1);

		if (n < 0)
			continue;
		text[n] = '\0';
		if (!fn(ctx, text))
			break;
	}
	return 0;
}

/* The inode of "socket:[123]", or 0. */
static uint64_t socket_inode(const char *link)
{
	unsigned long inode;

	return sscanf(link, "socket:[%lu]", &inode) == 1 ? inode : 0;
}

struct holder {
	const struct numbers *listeners;
	bool holds;
};

static bool look_for_listener(void *ctx, const char *link)
{
	struct holder *holder = ctx;
	uint64_t inode = socket_inode(link);

	holder->holds = inode && numbers_have(holder->listeners, inode);
	return !holder->holds;
}

static int add_if_holder(void *ctx, int pid)
{
	struct port_search *search = ctx;
	struct holder holder = { .listeners = &search->listeners };

	if (each_descriptor(pid, look_for_listener, &holder) < 0 || !holder.holds)
		return 0;
	return numbers_add(&search->found, pid);
}

int process_find_by_port(uint16_t port, int **ret, size_t *ret_count)
{
	struct port_search search = { .port = port };
	int r = each_process(add_listeners_of_namespace, &search);

	if (r == 0 && search.listeners.count)
		r = each_process(add_if_holder, &search);
	if (r == 0)
		r = give_pids(&search.found, ret, ret_count);
	numbers_done(&search.namespaces);
	numbers_done(&search.listeners);
	numbers_done(&search.found);
	return r;
}

struct socket_count {
	struct numbers listeners;
	unsigned sockets, listening;
	bool has_io_uring;
};

static bool count_socket(void *ctx, const char *link)
{
	struct socket_count *count = ctx;
	uint64_t inode = socket_inode(link);

	count->sockets += inode != 0;
	count->listening += inode && numbers_have(&count->listeners, inode);
	count->has_io_uring |= strcmp(link, "anon_inode:[io_uring]") == 0;
	return true;
}

int process_sockets(int pid, unsigned *ret_sockets, unsigned *ret_listening, bool *ret_has_io_uring)
{
	struct socket_count count = {};
	int r = read_all_listeners(pid, 0, &count.listeners);

	if (r == 0)
		r = each_descriptor(pid, count_socket, &count);
	numbers_done(&count.listeners);
	if (r < 0)
		return r;
	*ret_sockets = count.sockets;
	*ret_listening = count.listening;
	*ret_has_io_uring = count.has_io_uring;
	return 0;
}
