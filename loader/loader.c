/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The loader: from "these processes" to probes in them, and out again.
 *
 * What can change later comes as an event on the control ring: FORK and EXEC (a
 * new target), MAP (perhaps a TLS library, Python loads it on first use), EXIT.
 * Mappings are scanned again at once after a MAP, then at most a fifth of the
 * time, so that a process that maps six hundred libraries is not slowed down.
 */
#include "loader/loader_private.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/timerfd.h>

#include "bpf/gentap.skel.h"
#include "base/clock.h"
#include "limits.h"
#include "loader/ebpf_source.h"
#include "loader/process.h"

enum {
	RESCAN_MS = 500,	/* --name and --port: look for new processes */
	SCAN_GAP_MS = 5,	/* least time between two looks at mappings */
	CONTROL_NICE = -10,
};

void loader_say(struct loader *loader, enum loader_note kind, int pid, const char *fmt, ...)
{
	char text[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	loader->options.note(loader->options.ctx, kind, pid, text);
}

int loader_failed(char **ret_error, int r, const char *fmt, ...)
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
		return loader_failed(ret_error, -EPERM, "loading eBPF programs needs %s: try `sudo gentap ...`",
			      features->missing_capability ? features->missing_capability
							   : "CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE");
	if (!features->is_initial_pid_namespace)
		return loader_failed(ret_error, -EOPNOTSUPP, "gentap must run in the host's pid namespace: "
			      "in a container, start it with `--pid=host`");
	if (!features->has_btf)
		return loader_failed(ret_error, -EOPNOTSUPP, "this kernel (%s) has no BTF (/sys/kernel/btf/vmlinux), "
			      "CONFIG_DEBUG_INFO_BTF is off: see `gentap doctor`", features->release);
	if (!features->has_ring_buffer || !features->has_bpf_loop)
		return loader_failed(ret_error, -EOPNOTSUPP, "this kernel (%s) lacks %s, gentap needs 5.17 or later: "
			      "see `gentap doctor`", features->release,
			      features->has_ring_buffer ? "bpf_loop" : "the BPF ring buffer");
	return 0;
}

/* Unique per boot, also over several runs: microseconds of uptime, since no run
 * opens a million connections a second. Fits a double for JSON. */
static uint64_t conn_id_base(void)
{
	return clock_ns(CLOCK_MONOTONIC) / 1000;
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
	/* The tracepoint has this name since kernel 6.3 (commit 2ad57931db64). */
	loader->sees_io_uring = loader->features.kernel_version >= 0x060300;
	bpf_program__set_autoload(bpf->progs.io_uring_submit, loader->sees_io_uring);
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
		return loader_failed(ret_error, -errno, "cannot open the eBPF programs: %m");
	configure(loader);
	r = gentap_bpf__load(loader->bpf);
	if (r < 0)
		return loader_failed(ret_error, r == -EPERM ? r : -EOPNOTSUPP,
			      "the kernel (%s) refused the eBPF programs: %s; see `gentap doctor`",
			      loader->features.release, strerror(-r));
	r = open_timers(loader);
	if (r == 0)
		r = open_rings(loader);
	if (r == 0)
		r = reaper_new(&loader->reaper);
	if (r == 0)
		r = tls_cache_new(&loader->cache);
	return r < 0 ? loader_failed(ret_error, r, "cannot set up event rings: %s", strerror(-r)) : 0;
}

int loader_new(struct loader **ret, const struct loader_options *options, char **ret_error)
{
	struct loader *loader = calloc(1, sizeof(*loader));
	int r;

	if (!loader)
		return loader_failed(ret_error, -ENOMEM, "out of memory");
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
int loader_hook(struct loader *loader, char **ret_error)
{
	struct bpf_program *const programs[] = {
		loader->bpf->progs.process_fork, loader->bpf->progs.process_exec,
		loader->bpf->progs.process_exit, loader->bpf->progs.socket_enter,
		loader->bpf->progs.socket_exit, loader->bpf->progs.io_uring_submit,
	};
	struct bpf_link **const links[] = {
		&loader->bpf->links.process_fork, &loader->bpf->links.process_exec,
		&loader->bpf->links.process_exit, &loader->bpf->links.socket_enter,
		&loader->bpf->links.socket_exit, &loader->bpf->links.io_uring_submit,
	};

	if (loader->is_hooked)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(programs); i++) {
		if (!bpf_program__autoload(programs[i]))
			continue;
		*links[i] = bpf_program__attach(programs[i]);
		if (!*links[i])
			return loader_failed(ret_error, -errno, "cannot attach '%s': %m; see `gentap doctor`",
				      bpf_program__name(programs[i]));
	}
	loader->is_hooked = true;
	/* A new worker gets its probes in time only if this thread, which seldom runs,
	 * runs soon when every core is busy. Failing is no harm. */
	setpriority(PRIO_PROCESS, gettid(), CONTROL_NICE);
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

static void on_exit_of(struct loader *loader, int pid, unsigned tls_unseen)
{
	struct target *target = targets_take(&loader->targets, pid);

	loader->tls_unseen += tls_unseen;
	forget_conns(bpf_map__fd(loader->bpf->maps.tls_conns), pid);
	forget_conns(bpf_map__fd(loader->bpf->maps.sockets), pid);
	if (!target)
		return;
	loader_say(loader, LOADER_GONE, pid, "process %d ended", pid);
	reaper_take(loader->reaper, target);
}

static void on_exec_of(struct loader *loader, int pid)
{
	struct target *target = targets_find(&loader->targets, pid);

	if (target) {
		follow_exec(loader, target);
		target->is_dirty = loader->has_dirty = true;
		return;
	}
	for (size_t i = 0; i < loader->options.targets.name_count; i++)
		if (process_matches_name(pid, loader->options.targets.names[i]))
			follow_tree(loader, pid);
}

static int on_control(void *ctx, void *record, size_t size)
{
	const struct gt_process_event *event = record;
	struct loader *loader = ctx;
	struct target *target;

	if (size < sizeof(*event))
		return 0;
	if (loader->options.control)
		loader->options.control(loader->options.ctx, event);
	target = targets_find(&loader->targets, event->event.pid);
	switch (event->event.type) {
	case GT_EVENT_FORK:
		follow_fork(loader, event->peer_pid);
		break;
	case GT_EVENT_EXEC:
		on_exec_of(loader, event->event.pid);
		break;
	case GT_EVENT_EXIT:
		on_exit_of(loader, event->event.pid, event->tls_unseen);
		break;
	case GT_EVENT_MAP:
		if (target)
			target->is_dirty = loader->has_dirty = true;
		break;
	case GT_EVENT_IO_URING:
		if (target)
			follow_warn_of_io_uring(loader, target);
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
	uint64_t start_ns = clock_ns(CLOCK_MONOTONIC), end_ns;

	if (!loader->has_dirty)
		return;
	if (start_ns < loader->next_scan_ns) {
		arm_scan(loader, loader->next_scan_ns);
		return;
	}
	loader->has_dirty = false;
	for (size_t i = 0; i < loader->targets.count; i++)
		if (loader->targets.items[i]->is_dirty)
			follow_mappings(loader, loader->targets.items[i]);
	end_ns = clock_ns(CLOCK_MONOTONIC);
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
		follow_found(loader);
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

uint64_t loader_tls_unseen(const struct loader *loader)
{
	uint64_t unseen = loader->tls_unseen;

	for (size_t i = 0; i < loader->targets.count; i++) {
		__u32 pid = loader->targets.items[i]->pid;
		struct gt_target target;

		if (bpf_map_lookup_elem(bpf_map__fd(loader->bpf->maps.targets), &pid, &target) == 0 &&
		    target.tls_sockets > target.tls_conns)
			unseen += target.tls_sockets - target.tls_conns;
	}
	return unseen;
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
	uint64_t start_ns = clock_ns(CLOCK_MONOTONIC);
	struct links links = {};

	take_links(loader, &links);
	gentap_bpf__detach(loader->bpf);
	links_close(&links);
	loader->tls_unseen = loader_tls_unseen(loader);
	reaper_free(&loader->reaper);
	targets_done(&loader->targets);
	loader->is_hooked = false;
	return clock_ns(CLOCK_MONOTONIC) - start_ns;
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
	for (size_t i = 0; i < l->prepared_count; i++)
		free(l->prepared[i].path);
	free(l->prepared);
	closep(&l->scan_timer);
	closep(&l->rescan_timer);
	closep(&l->epoll_fd);
	freep(loader);
}
