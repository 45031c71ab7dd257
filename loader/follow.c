/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From a process to its probes. A process becomes a target in this order, so
 * that nothing it does after its "attached" line is missed: its pid enters the
 * kernel's table (sockets are seen from here on, and its forks), then its TLS
 * libraries get their probes, then the line is said.
 */
#include "loader/loader_private.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <glob.h>
#include <string.h>

#include "base/buf.h"
#include "bpf/gentap.skel.h"
#include "loader/maps.h"
#include "loader/process.h"

enum { DESCENDANT_ROUNDS = 16 };	/* descendants that fork while we look */

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
		loader_say(loader, LOADER_DETAIL, pid, "%d: %s %s+0x%llx (%s, %s)", pid,
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
			loader_say(loader, LOADER_WARNING, target->pid,
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
	else if (r != -ESRCH && process_is_alive(target->pid))
		loader_say(loader, LOADER_WARNING, target->pid, "%d: cannot attach to %s: %s", target->pid,
		     library->name, strerror(-r));
}

struct scan {
	struct loader *loader;
	struct target *target;
};

static bool scan_file(void *ctx, const struct mapped_file *file)
{
	struct scan *scan = ctx;
	struct target *target = scan->target;
	struct attached_library *known = target_library(target, file->dev, file->inode);
	const struct tls_library *library;
	char path[PROCESS_PATH_SIZE];

	if (!known && tls_cache_get(scan->loader->cache, target->pid, file,
				    process_is_exe(target->pid, file->dev, file->inode), &library) == 0 &&
	    mapped_file_path(target->pid, file, path, sizeof(path)) == 0) {
		attach_library(scan->loader, target, path, library);
		known = target_library(target, file->dev, file->inode);
	}
	if (known)
		known->is_mapped = true;
	return true;
}

/* One line for a process, and one more for each library that comes later. */
static void say_attached(struct loader *loader, struct target *target)
{
	_cleanup_(buf_done) struct buf what = BUF_INIT(512);
	char who[128] = "";

	for (size_t i = 0; i < target->library_count; i++) {
		struct attached_library *library = &target->libraries[i];

		if (!library->is_mapped || library->is_said)
			continue;
		library->is_said = true;
		buf_printf(&what, "%s, ", library->text);
	}
	if (target->is_noted && !what.len)
		return;
	if (process_describe(target->pid, who, sizeof(who)) < 0)
		return;
	loader_say(loader, LOADER_ATTACHED, target->pid, "attached %d %s: %s%s", target->pid, who,
		   buf_text(&what), target->is_noted ? "loaded later" : "sockets");
	loader->attached += !target->is_noted;
	target->is_noted = true;
}

void follow_mappings(struct loader *loader, struct target *target)
{
	struct scan scan = { .loader = loader, .target = target };

	target->is_dirty = false;
	if (maps_each_file(target->pid, scan_file, &scan) == 0)
		say_attached(loader, target);
}

void follow_warn_of_io_uring(struct loader *loader, struct target *target)
{
	if (target->has_io_uring)
		return;
	target->has_io_uring = true;
	loader_say(loader, LOADER_WARNING, target->pid,
	     "%d uses io_uring: what its sockets move that way is not seen", target->pid);
}

static int enter_kernel_table(struct loader *loader, int pid)
{
	struct gt_target value = { .flags = GT_TARGET_SOCKETS };
	__u32 key = pid;

	if (loader->options.targets.has_children)
		value.flags |= GT_TARGET_CHILDREN;
	/* A forked child is there already, and has counted. */
	if (bpf_map_update_elem(bpf_map__fd(loader->bpf->maps.targets), &key, &value, BPF_NOEXIST) < 0 &&
	    errno != EEXIST)
		return -errno;
	return 0;
}

static void forget_process(struct loader *loader, int pid)
{
	struct target *target = targets_take(&loader->targets, pid);
	__u32 key = pid;

	bpf_map_delete_elem(bpf_map__fd(loader->bpf->maps.targets), &key);
	target_free(&target);
}

/* In the kernel's table from here on; NULL when it is a target already, or gentap
 * itself. */
static int admit(struct loader *loader, int pid, struct target **ret)
{
	int r;

	*ret = NULL;
	if (pid == getpid() || targets_find(&loader->targets, pid))
		return 0;
	r = enter_kernel_table(loader, pid);
	if (r < 0)
		return r;
	*ret = targets_add(&loader->targets, pid);
	return *ret ? 0 : -ENOMEM;
}

static void settle(struct loader *loader, struct target *target)
{
	unsigned sockets, listening;
	bool has_io_uring;

	follow_mappings(loader, target);
	if (!process_is_alive(target->pid))
		/* It ended before it was in the kernel's table: no EXIT will come. */
		forget_process(loader, target->pid);
	else if (!loader->sees_io_uring &&
		 process_sockets(target->pid, &sockets, &listening, &has_io_uring) == 0 && has_io_uring)
		follow_warn_of_io_uring(loader, target);
}

static int follow_process(struct loader *loader, int pid)
{
	struct target *target;
	int r = admit(loader, pid, &target);

	if (r == 0 && target)
		settle(loader, target);
	return r;
}

/* The process and, as wanted, all that descend from it; again, until a look
 * finds no new ones: those that fork in between are followed by the kernel. */
int follow_tree(struct loader *loader, int pid)
{
	int r = follow_process(loader, pid);

	if (!loader->options.targets.has_children)
		return r;
	for (int round = 0; r == 0 && round < DESCENDANT_ROUNDS; round++) {
		_cleanup_(freep) int *pids = NULL;
		size_t count = 0, before = loader->targets.count;

		if (process_descendants(pid, &pids, &count) < 0)
			return 0;
		for (size_t i = 0; i < count; i++)
			follow_process(loader, pids[i]);
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
			follow_tree(loader, pids[i]);
}

void follow_found(struct loader *loader)
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
			return loader_failed(ret_error, -ESRCH, "no process with pid %d: list yours with `ps -e -o pid,args`",
				      wanted->pids[i]);
	r = loader_hook(loader, ret_error);
	if (r < 0)
		return r;
	for (size_t i = 0; i < wanted->pid_count; i++) {
		r = follow_tree(loader, wanted->pids[i]);
		if (r < 0)
			return loader_failed(ret_error, r, "cannot attach to process %d: %s", wanted->pids[i], strerror(-r));
	}
	follow_found(loader);
	return (int)loader_live(loader);
}

/* --- before it maps anything ---------------------------------------------- */

static void prepare(struct loader *loader, struct target *target, const char *path,
		    const struct tls_library *library)
{
	if (!target_library(target, library->dev, library->inode))
		attach_library(loader, target, path, library);
}

static void find_prepared(struct loader *loader, const char *path)
{
	struct prepared *prepared = reallocarray(loader->prepared, loader->prepared_count + 1,
						 sizeof(*prepared));
	const char *slash = strrchr(path, '/');

	if (!prepared)
		return;
	loader->prepared = prepared;
	prepared += loader->prepared_count;
	if (tls_library_inspect(path, slash + 1, /* with_symtab */ false, &prepared->library) < 0)
		return;
	prepared->path = strdup(path);
	if (prepared->path)
		loader->prepared_count++;
}

static void find_all_prepared(struct loader *loader)
{
	static const char *const patterns[] = {
		"/lib/*-linux-gnu/libssl.so.*", "/lib64/libssl.so.*", "/usr/lib/libssl.so.*",
		"/usr/local/lib/libssl.so.*",
	};

	loader->is_prepared = true;
	for (size_t i = 0; i < ARRAY_SIZE(patterns); i++) {
		glob_t found = {};

		if (glob(patterns[i], 0, NULL, &found) == 0)
			for (size_t j = 0; j < found.gl_pathc; j++)
				find_prepared(loader, found.gl_pathv[j]);
		globfree(&found);
	}
}

void follow_exec(struct loader *loader, struct target *target)
{
	if (!loader->is_prepared)
		find_all_prepared(loader);
	for (size_t i = 0; i < loader->prepared_count; i++)
		prepare(loader, target, loader->prepared[i].path, &loader->prepared[i].library);
}

void follow_fork(struct loader *loader, int pid)
{
	struct target *target;

	if (admit(loader, pid, &target) < 0 || !target)
		return;
	/* It may be about to exec: from its exec on there would not be time. */
	follow_exec(loader, target);
	settle(loader, target);
}

int loader_attach_child(struct loader *loader, int pid, const char *file, char **ret_error)
{
	_cleanup_(freep) char *path = NULL;
	struct tls_library library;
	struct target *target;
	int r = loader_hook(loader, ret_error);

	if (r < 0)
		return r;
	target = targets_add(&loader->targets, pid);
	if (!target || enter_kernel_table(loader, pid) < 0)
		return loader_failed(ret_error, -ENOMEM, "out of memory");
	if (process_find_command(file, &path) == 0 &&
	    tls_library_inspect(path, basename(path), /* with_symtab */ true, &library) == 0)
		prepare(loader, target, path, &library);
	follow_exec(loader, target);
	return 0;
}

