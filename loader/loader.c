/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loader: from "these processes" to probes in them, and out again.
 *
 * A process becomes a target in this order, so that nothing it does after its
 * "attached" line is missed: its pid enters the kernel's table (sockets are seen
 * from here on, and its forks), then its TLS libraries get their probes, then
 * the line is said. Forked children enter the kernel's table by the fork itself.
 *
 * What can change later comes as an event on the control ring: FORK and EXEC (a
 * new target), MAP (perhaps a TLS library, Python loads it on first use), EXIT.
 * Mappings are scanned again at once after a MAP, then at most a fifth of the
 * time, so that a process that maps six hundred libraries is not slowed down.
 */
#include "loader/loader.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <glob.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <time.h>

#include "bpf/gentap.skel.h"
#include "base/text.h"
#include "limits.h"
#include "loader/ebpf_source.h"
#include "loader/maps.h"
#include "loader/process.h"
#include "loader/reaper.h"
#include "loader/target.h"

enum {
	RESCAN_MS = 500,	/* --name and --port: look for new processes */
	SCAN_GAP_MS = 5,	/* least time between two looks at mappings */
	DESCENDANT_ROUNDS = 16,	/* descendants that fork while we look */
};

struct loader {
	struct loader_options options;
	struct features features;
	struct gentap_bpf *bpf;
	enum link_kind kind;
	struct tls_cache *cache;
	struct targets targets;
	struct reaper *reaper;
	struct source *source;
	struct ring_buffer *control;
	int epoll_fd, scan_timer, rescan_timer;
	unsigned attached;
	uint64_t next_scan_ns;
	bool is_hooked;		/* process and socket programs are in */
	bool has_dirty;
};

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static _printf_(4, 5) void note(struct loader *loader, enum loader_note kind, int pid, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	loader->options.note(loader->options.ctx, kind, pid, text);
}

static _printf_(3, 4) int failed(char **ret_error, int r, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	if (vasprintf(ret_error, fmt, args) < 0)
		*ret_error = NULL;
	va_end(args);
	return r;
}

/* --- loading -------------------------------------------------------------- */

static int check_features(const struct features *features, char **ret_error)
{
	if (!features->is_privileged)
		return failed(ret_error, -EPERM, "loading eBPF programs needs %s: try `sudo gentap ...`",
			      features->missing_capability ? features->missing_capability
							   : "CAP_BPF and CAP_PERFMON");
	if (!features->is_initial_pid_namespace)
		return failed(ret_error, -EOPNOTSUPP, "gentap must run in the host's pid namespace: "
			      "in a container, start it with `--pid=host`");
	if (!features->has_btf)
		return failed(ret_error, -EOPNOTSUPP, "this kernel (%s) has no BTF (/sys/kernel/btf/vmlinux), "
			      "CONFIG_DEBUG_INFO_BTF is off: see `gentap doctor`", features->release);
	if (!features->has_ring_buffer || !features->has_bpf_loop)
		return failed(ret_error, -EOPNOTSUPP, "this kernel (%s) lacks %s, gentap needs 5.17 or later: "
			      "see `gentap doctor`", features->release,
			      features->has_ring_buffer ? "bpf_loop" : "the BPF ring buffer");
	return 0;
}

/* Unique per boot, also over several runs: microseconds of uptime, since no run
 * opens a million connections a second. Fits a double for JSON. */
static uint64_t conn_id_base(void)
{
	return now_ns() / 1000;
}

static void configure(struct loader *loader)
{
	struct gentap_bpf *bpf = loader->bpf;

	bpf->rodata->conn_id_base = conn_id_base();
	bpf->rodata->self_pid = getpid();
	bpf->rodata->wake_at_bytes = LIMIT_RING / 4;
	bpf->rodata->watches_every_exec = loader->options.targets.name_count > 0;
	bpf_map__set_max_entries(bpf->maps.ring, LIMIT_RING);
	bpf_map__set_max_entries(bpf->maps.control_ring, LIMIT_CONTROL_RING);
	bpf_map__set_max_entries(bpf->maps.targets, LIMIT_TARGETS);
	bpf_map__set_max_entries(bpf->maps.tls_conns, LIMIT_KERNEL_CONNS);
	bpf_map__set_max_entries(bpf->maps.sockets, LIMIT_KERNEL_CONNS);
	attach_prepare(bpf, loader->kind);
}

static int on_control(void *ctx, void *record, size_t size);

static int watch_fd(struct loader *loader, int fd)
{
	struct epoll_event event = { .events = EPOLLIN };

	return epoll_ctl(loader->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

static int open_timers(struct loader *loader)
{
	struct itimerspec every = {
		.it_interval.tv_nsec = RESCAN_MS * 1000000l,
		.it_value.tv_nsec = RESCAN_MS * 1000000l,
	};
	int r;

	loader->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	loader->scan_timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	loader->rescan_timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (loader->epoll_fd < 0 || loader->scan_timer < 0 || loader->rescan_timer < 0)
		return -errno;
	if (loader_is_waiting(loader) && timerfd_settime(loader->rescan_timer, 0, &every, NULL) < 0)
		return -errno;
	r = watch_fd(loader, loader->scan_timer);
	return r < 0 ? r : watch_fd(loader, loader->rescan_timer);
}

static int open_rings(struct loader *loader)
{
	struct ebpf_source_options options = {
		.ring_fd = bpf_map__fd(loader->bpf->maps.ring),
		.tls_conns_fd = bpf_map__fd(loader->bpf->maps.tls_conns),
		.sockets_fd = bpf_map__fd(loader->bpf->maps.sockets),
		.is_parked = &loader->bpf->bss->is_parked,
	};
	int r;

	loader->control = ring_buffer__new(bpf_map__fd(loader->bpf->maps.control_ring), on_control,
					   loader, NULL);
	if (!loader->control)
		return -errno;
	r = watch_fd(loader, ring_buffer__epoll_fd(loader->control));
	return r < 0 ? r : ebpf_source_new(&loader->source, &options);
}

static int libbpf_silent(enum libbpf_print_level level, const char *fmt, va_list args)
{
	(void)level;
	(void)fmt;
	(void)args;
	return 0;
}

static int load(struct loader *loader, char **ret_error)
{
	int r = check_features(&loader->features, ret_error);

	if (r < 0)
		return r;
	libbpf_set_print(libbpf_silent);
	loader->kind = link_kind_of(&loader->features);
	loader->bpf = gentap_bpf__open();
	if (!loader->bpf)
		return failed(ret_error, -errno, "cannot open the eBPF programs: %m");
	configure(loader);
	r = gentap_bpf__load(loader->bpf);
	if (r < 0)
		return failed(ret_error, r == -EPERM ? r : -EOPNOTSUPP,
			      "the kernel (%s) refused the eBPF programs: %s; see `gentap doctor`",
			      loader->features.release, strerror(-r));
	r = open_timers(loader);
	if (r == 0)
		r = open_rings(loader);
	if (r == 0)
		r = reaper_new(&loader->reaper);
	if (r == 0)
		r = tls_cache_new(&loader->cache);
	return r < 0 ? failed(ret_error, r, "cannot set up event rings: %s", strerror(-r)) : 0;
}

int loader_new(struct loader **ret, const struct loader_options *options, char **ret_error)
{
	struct loader *loader = calloc(1, sizeof(*loader));
	int r;

	if (!loader)
		return failed(ret_error, -ENOMEM, "out of memory");
	loader->options = *options;
	loader->epoll_fd = loader->scan_timer = loader->rescan_timer = -1;
	features_probe(&loader->features);
	r = load(loader, ret_error);
	if (r < 0) {
		loader_free(&loader);
		return r;
	}
	*ret = loader;
	return 0;
}

/* The hooks that are not of one process: forks and exits, plain sockets. */
static int hook(struct loader *loader, char **ret_error)
{
	struct bpf_program *const programs[] = {
		loader->bpf->progs.process_fork, loader->bpf->progs.process_exec,
		loader->bpf->progs.process_exit, loader->bpf->progs.socket_enter,
		loader->bpf->progs.socket_exit,
	};
	struct bpf_link **const links[] = {
		&loader->bpf->links.process_fork, &loader->bpf->links.process_exec,
		&loader->bpf->links.process_exit, &loader->bpf->links.socket_enter,
		&loader->bpf->links.socket_exit,
	};

	if (loader->is_hooked)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		*links[i] = bpf_program__attach(programs[i]);
		if (!*links[i])
			return failed(ret_error, -errno, "cannot attach '%s': %m; see `gentap doctor`",
				      bpf_program__name(programs[i]));
	}
	loader->is_hooked = true;
	return 0;
}

/* --- one target ----------------------------------------------------------- */

/* x86-64 kernels 6.11 to 6.13 implement return probes by a system call that a
 * strict seccomp filter answers with death (kernel commits ff474a78cef5,
 * cf6a6d9d0b10). */
static bool return_probes_could_kill(const struct loader *loader, int pid)
{
	return loader->features.has_uretprobe_syscall && loader->features.kernel_version < 0x060e00 &&
	       process_has_seccomp(pid);
}

static void note_sites(struct loader *loader, int pid, const struct tls_library *library)
{
	for (size_t i = 0; i < library->site_count; i++)
		note(loader, LOADER_DETAIL, pid, "%d: %s %s+0x%llx (%s, %s)", pid,
		     library->sites[i].function, library->name,
		     (unsigned long long)library->sites[i].offset, library->sites[i].rule,
		     link_kind_name(loader->kind));
}

static void attach_library(struct loader *loader, struct target *target, const char *path,
			   const struct tls_library *library)
{
	int r;

	if (return_probes_could_kill(loader, target->pid)) {
		if (!target->has_refused_tls)
			note(loader, LOADER_WARNING, target->pid,
			     "%d: TLS is not captured: it runs under seccomp, and return probes of kernel %s could kill it",
			     target->pid, loader->features.release);
		target->has_refused_tls = true;
		return;
	}
	r = attach_tls(loader->bpf, loader->kind, target->pid, path, library, &target->links);
	if (r == 0)
		r = target_add_library(target, library);
	if (r == 0)
		note_sites(loader, target->pid, library);
	else if (r != -ESRCH)
		note(loader, LOADER_WARNING, target->pid, "%d: cannot attach to %s: %s", target->pid,
		     library->name, strerror(-r));
}

struct scan {
	struct loader *loader;
	struct target *target;
	uint64_t exe_dev, exe_inode;
};

static bool scan_file(void *ctx, const struct mapped_file *file)
{
	struct scan *scan = ctx;
	const struct tls_library *library;
	char path[PROCESS_PATH_SIZE];
	bool is_exe = process_is_exe(scan->target->pid, file->dev, file->inode);

	if (target_has_library(scan->target, file->dev, file->inode))
		return true;
	if (tls_cache_get(scan->loader->cache, scan->target->pid, file, is_exe, &library) < 0)
		return true;
	if (mapped_file_path(scan->target->pid, file, path, sizeof(path)) == 0)
		attach_library(scan->loader, scan->target, path, library);
	return true;
}

static void say_attached(struct loader *loader, struct target *target, size_t had)
{
	char who[128] = "", what[512] = "";
	size_t len = 0;

	for (size_t i = target->is_noted ? had : 0; i < target->library_count; i++)
		len += (size_t)snprintf(what + MIN(len, sizeof(what) - 1), sizeof(what) - MIN(len, sizeof(what) - 1),
					"%s, ", target->libraries[i].text);
	process_describe(target->pid, who, sizeof(who));
	if (!target->is_noted)
		note(loader, LOADER_ATTACHED, target->pid, "attached %d %s: %ssockets", target->pid, who, what);
	else if (target->library_count > had)
		note(loader, LOADER_ATTACHED, target->pid, "attached %d %s: %sloaded later", target->pid, who, what);
	loader->attached += !target->is_noted;
	target->is_noted = true;
}

/* Puts probes into the TLS libraries that it maps now and did not before. */
static void scan_target(struct loader *loader, struct target *target)
{
	struct scan scan = { .loader = loader, .target = target };
	size_t had = target->library_count;

	target->is_dirty = false;
	if (maps_each_file(target->pid, scan_file, &scan) == 0)
		say_attached(loader, target, had);
}

static void warn_of_io_uring(struct loader *loader, struct target *target)
{
	if (target->has_io_uring)
		return;
	target->has_io_uring = true;
	note(loader, LOADER_WARNING, target->pid,
	     "%d uses io_uring: what its plain sockets move that way is not seen", target->pid);
}

static int enter_kernel_table(struct loader *loader, int pid)
{
	struct gt_target value = { .flags = GT_TARGET_SOCKETS };
	__u32 key = pid;

	if (loader->options.targets.has_children)
		value.flags |= GT_TARGET_CHILDREN;
	return bpf_map_update_elem(bpf_map__fd(loader->bpf->maps.targets), &key, &value, BPF_ANY);
}

static int add_target(struct loader *loader, int pid)
{
	unsigned sockets, listening;
	struct target *target;
	bool has_io_uring;

	if (pid == getpid() || targets_find(&loader->targets, pid))
		return 0;
	if (enter_kernel_table(loader, pid) < 0)
		return -errno;
	target = targets_add(&loader->targets, pid);
	if (!target)
		return -ENOMEM;
	scan_target(loader, target);
	if (process_sockets(pid, &sockets, &listening, &has_io_uring) == 0 && has_io_uring)
		warn_of_io_uring(loader, target);
	return 0;
}

/* The process and, as wanted, all that descend from it; again, until a look
 * finds no new ones: those that fork in between are followed by the kernel. */
static int add_tree(struct loader *loader, int pid)
{
	int r = add_target(loader, pid);

	if (!loader->options.targets.has_children)
		return r;
	for (int round = 0; r == 0 && round < DESCENDANT_ROUNDS; round++) {
		_cleanup_(freep) int *pids = NULL;
		size_t count = 0, before = loader->targets.count;

		if (process_descendants(pid, &pids, &count) < 0)
			return 0;
		for (size_t i = 0; i < count; i++)
			add_target(loader, pids[i]);
		if (loader->targets.count == before)
			return 0;
	}
	return r;
}

/* --- finding them --------------------------------------------------------- */

static void add_found(struct loader *loader, const int *pids, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!targets_find(&loader->targets, pids[i]))
			add_tree(loader, pids[i]);
}

static void find_by_port_and_name(struct loader *loader)
{
	const struct loader_targets *wanted = &loader->options.targets;

	for (size_t i = 0; i < wanted->port_count; i++) {
		_cleanup_(freep) int *pids = NULL;
		size_t count = 0;

		if (process_find_by_port(wanted->ports[i], &pids, &count) == 0)
			add_found(loader, pids, count);
	}
	for (size_t i = 0; i < wanted->name_count; i++) {
		_cleanup_(freep) int *pids = NULL;
		size_t count = 0;

		if (process_find_by_name(wanted->names[i], &pids, &count) == 0)
			add_found(loader, pids, count);
	}
}

int loader_attach(struct loader *loader, char **ret_error)
{
	const struct loader_targets *wanted = &loader->options.targets;
	int r;

	for (size_t i = 0; i < wanted->pid_count; i++)
		if (!process_is_alive(wanted->pids[i]))
			return failed(ret_error, -ESRCH, "no process with pid %d: list yours with `ps -e -o pid,args`",
				      wanted->pids[i]);
	r = hook(loader, ret_error);
	if (r < 0)
		return r;
	for (size_t i = 0; i < wanted->pid_count; i++) {
		r = add_tree(loader, wanted->pids[i]);
		if (r < 0)
			return failed(ret_error, r, "cannot attach to process %d: %s", wanted->pids[i], strerror(-r));
	}
	find_by_port_and_name(loader);
	return (int)loader_live(loader);
}

/* --- a command of our own ------------------------------------------------- */

static void prepare_file(struct loader *loader, struct target *target, const char *path, bool is_exe)
{
	const char *slash = strrchr(path, '/');
	struct tls_library library;

	if (tls_library_inspect(path, slash ? slash + 1 : path, is_exe, &library) == 0 &&
	    !target_has_library(target, library.dev, library.inode))
		attach_library(loader, target, path, &library);
}

/* A command that starts loads its TLS library and uses it within milliseconds;
 * the usual places are put under probes before it runs. */
static void prepare_system_libraries(struct loader *loader, struct target *target)
{
	static const char *const patterns[] = {
		"/lib/*-linux-gnu/libssl.so.*", "/lib64/libssl.so.*", "/usr/lib/libssl.so.*",
		"/usr/local/lib/libssl.so.*",
	};

	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
		glob_t found = {};

		if (glob(patterns[i], 0, NULL, &found) == 0)
			for (size_t j = 0; j < found.gl_pathc; j++)
				prepare_file(loader, target, found.gl_pathv[j], false);
		globfree(&found);
	}
}

int loader_attach_child(struct loader *loader, int pid, const char *file, char **ret_error)
{
	_cleanup_(freep) char *path = NULL;
	struct target *target;
	int r = hook(loader, ret_error);

	if (r < 0)
		return r;
	target = targets_add(&loader->targets, pid);
	if (!target || enter_kernel_table(loader, pid) < 0)
		return failed(ret_error, -ENOMEM, "out of memory");
	if (process_find_command(file, &path) == 0)
		prepare_file(loader, target, path, true);
	prepare_system_libraries(loader, target);
	return 0;
}

/* --- what happens later --------------------------------------------------- */

/* The kernel's connections of a process that is gone. */
static void forget_conns(int map, __u32 pid)
{
	struct gt_conn_key key, next;
	bool has_next = bpf_map_get_next_key(map, NULL, &next) == 0;

	while (has_next) {
		key = next;
		has_next = bpf_map_get_next_key(map, &key, &next) == 0;
		if (key.pid == pid)
			bpf_map_delete_elem(map, &key);
	}
}

static void on_exit_of(struct loader *loader, int pid)
{
	struct target *target = targets_take(&loader->targets, pid);

	forget_conns(bpf_map__fd(loader->bpf->maps.tls_conns), pid);
	forget_conns(bpf_map__fd(loader->bpf->maps.sockets), pid);
	if (!target)
		return;
	note(loader, LOADER_GONE, pid, "process %d ended", pid);
	reaper_take(loader->reaper, target);
}

static void on_exec_of(struct loader *loader, int pid)
{
	struct target *target = targets_find(&loader->targets, pid);

	if (target) {
		/* Another program now: it gets a line of its own. */
		target->is_noted = false;
		target->is_dirty = loader->has_dirty = true;
		return;
	}
	for (size_t i = 0; i < loader->options.targets.name_count; i++)
		if (process_matches_name(pid, loader->options.targets.names[i]))
			add_tree(loader, pid);
}

static int on_control(void *ctx, void *record, size_t size)
{
	const struct gt_process_event *event = record;
	struct loader *loader = ctx;
	struct target *target;

	if (size < sizeof(*event))
		return 0;
	target = targets_find(&loader->targets, event->event.pid);
	switch (event->event.type) {
	case GT_EVENT_FORK:
		add_target(loader, event->peer_pid);
		break;
	case GT_EVENT_EXEC:
		on_exec_of(loader, event->event.pid);
		break;
	case GT_EVENT_EXIT:
		on_exit_of(loader, event->event.pid);
		break;
	case GT_EVENT_MAP:
		if (target)
			target->is_dirty = loader->has_dirty = true;
		break;
	case GT_EVENT_IO_URING:
		if (target)
			warn_of_io_uring(loader, target);
		break;
	}
	return 0;
}

static void arm_scan(struct loader *loader, uint64_t at_ns)
{
	struct itimerspec once = {
		.it_value = { .tv_sec = at_ns / 1000000000, .tv_nsec = at_ns % 1000000000 },
	};

	timerfd_settime(loader->scan_timer, TFD_TIMER_ABSTIME, &once, NULL);
}

static void scan_dirty(struct loader *loader)
{
	uint64_t start_ns = now_ns(), end_ns;

	if (!loader->has_dirty)
		return;
	if (start_ns < loader->next_scan_ns) {
		arm_scan(loader, loader->next_scan_ns);
		return;
	}
	loader->has_dirty = false;
	for (size_t i = 0; i < loader->targets.count; i++)
		if (loader->targets.items[i]->is_dirty)
			scan_target(loader, loader->targets.items[i]);
	end_ns = now_ns();
	loader->next_scan_ns = end_ns + MAX(SCAN_GAP_MS * 1000000ull, 4 * (end_ns - start_ns));
}

static bool drain_timer(int fd)
{
	uint64_t ticks;

	return read(fd, &ticks, sizeof(ticks)) == sizeof(ticks);
}

int loader_dispatch(struct loader *loader)
{
	int r = ring_buffer__consume(loader->control);

	drain_timer(loader->scan_timer);
	if (drain_timer(loader->rescan_timer))
		find_by_port_and_name(loader);
	scan_dirty(loader);
	return r < 0 ? r : 0;
}

/* --- the rest of the interface -------------------------------------------- */

int loader_fd(const struct loader *loader)
{
	return loader->epoll_fd;
}

unsigned loader_live(const struct loader *loader)
{
	return (unsigned)loader->targets.count;
}

unsigned loader_total(const struct loader *loader)
{
	return loader->attached;
}

bool loader_is_waiting(const struct loader *loader)
{
	return loader->options.targets.name_count || loader->options.targets.port_count;
}

struct source *loader_source(struct loader *loader)
{
	return loader->source;
}

void loader_losses(const struct loader *loader, uint64_t ret[GT_LOSS_COUNT])
{
	for (size_t i = 0; i < GT_LOSS_COUNT; i++)
		ret[i] = __atomic_load_n(&loader->bpf->bss->losses[i], __ATOMIC_RELAXED);
}

/* All links of all targets in one list, so that their waits overlap. */
static void take_links(struct loader *loader, struct links *ret)
{
	for (size_t i = 0; i < loader->targets.count; i++)
		if (links_move(ret, &loader->targets.items[i]->links) < 0)
			links_close(&loader->targets.items[i]->links);
}

uint64_t loader_detach_ns(struct loader *loader)
{
	uint64_t start_ns = now_ns();
	struct links links = {};

	take_links(loader, &links);
	gentap_bpf__detach(loader->bpf);
	links_close(&links);
	reaper_free(&loader->reaper);
	targets_done(&loader->targets);
	loader->is_hooked = false;
	return now_ns() - start_ns;
}

void loader_free(struct loader **loader)
{
	struct loader *l = *loader;

	if (!l)
		return;
	if (l->is_hooked)
		loader_detach_ns(l);
	reaper_free(&l->reaper);
	targets_done(&l->targets);
	source_free(&l->source);
	ring_buffer__free(l->control);
	gentap_bpf__destroy(l->bpf);
	tls_cache_free(&l->cache);
	closep(&l->scan_timer);
	closep(&l->rescan_timer);
	closep(&l->epoll_fd);
	freep(loader);
}
