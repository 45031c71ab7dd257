/* SPDX-License-Identifier: Apache-2.0 */
/*
 * uprobe_multi is linked by the bare system call: libbpf before 1.3 does not
 * know it, and Debian 12 has 1.1.
 */
#include "loader/attach.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/base.h"
#include "bpf/gentap.skel.h"

/* Of enum bpf_attach_type, newer than Debian 12's headers: kernel commits
 * 89ae89f53d20 (uprobe_multi, 6.6) and d920179b3d4842 (session, 6.13). */
#define ATTACH_UPROBE_MULTI	((enum bpf_attach_type)48)
#define ATTACH_UPROBE_SESSION	((enum bpf_attach_type)57)
enum { UPROBE_MULTI_RETURN = 1 };

/* The BPF_LINK_CREATE part of union bpf_attr, for uprobe_multi. */
struct uprobe_multi_attr {
	__u32 prog_fd, target_fd, attach_type, flags;
	__u64 path, offsets, ref_ctr_offsets, cookies;
	__u32 count, multi_flags, pid, _pad;
};

/* Sites of one kind, in the form that the system call wants. */
struct site_list {
	unsigned long offsets[TLS_SITES_MAX];
	__u64 cookies[TLS_SITES_MAX];
	size_t count;
};

static enum link_kind best_link_kind(const struct features *features)
{
	if (!features->has_uprobe_multi || !features->is_multi_pid_filter_sound)
		return LINK_PERF;
	return features->has_uprobe_session ? LINK_SESSION : LINK_MULTI;
}

enum link_kind link_kind_of(const struct features *features)
{
	enum link_kind best = best_link_kind(features);
	const char *older = getenv("GENTAP_LINKS");

	if (older && strcmp(older, "perf") == 0)
		return LINK_PERF;
	if (older && strcmp(older, "multi") == 0)
		return best == LINK_PERF ? LINK_PERF : LINK_MULTI;
	return best;
}

const char *link_kind_name(enum link_kind kind)
{
	switch (kind) {
	case LINK_SESSION:
		return "uprobe session";
	case LINK_MULTI:
		return "uprobe multi";
	case LINK_PERF:
		return "perf uprobe";
	}
	return "";
}

void attach_prepare(struct gentap_bpf *bpf, enum link_kind kind)
{
	bool is_session = kind == LINK_SESSION;

	bpf_program__set_autoload(bpf->progs.tls_session, is_session);
	bpf_program__set_autoload(bpf->progs.tls_enter, !is_session);
	bpf_program__set_autoload(bpf->progs.tls_leave, !is_session);
	if (kind == LINK_PERF)
		return;
	bpf_program__set_expected_attach_type(bpf->progs.tls_session, ATTACH_UPROBE_SESSION);
	bpf_program__set_expected_attach_type(bpf->progs.tls_enter, ATTACH_UPROBE_MULTI);
	bpf_program__set_expected_attach_type(bpf->progs.tls_leave, ATTACH_UPROBE_MULTI);
	bpf_program__set_expected_attach_type(bpf->progs.tls_once, ATTACH_UPROBE_MULTI);
}

static int links_add(struct links *links, struct probe_link link)
{
	if (links->count == links->size) {
		size_t size = links->size ? links->size * 2 : 4;
		struct probe_link *items = reallocarray(links->items, size, sizeof(*items));

		if (!items)
			return -ENOMEM;
		links->items = items;
		links->size = size;
	}
	links->items[links->count++] = link;
	return 0;
}

int links_move(struct links *to, struct links *from)
{
	for (size_t i = 0; i < from->count; i++)
		if (links_add(to, from->items[i]) < 0) {
			to->count -= i;
			return -ENOMEM;
		}
	free(from->items);
	*from = (struct links){};
	return 0;
}

static void close_link(struct probe_link *link)
{
	closep(&link->fd);
	if (link->perf)
		bpf_link__destroy(link->perf);
	link->perf = NULL;
}

struct closing {
	struct links *links;
	atomic_size_t next;
};

static void *close_some(void *arg)
{
	struct closing *closing = arg;
	size_t i;

	while ((i = atomic_fetch_add(&closing->next, 1)) < closing->links->count)
		close_link(&closing->links->items[i]);
	return NULL;
}

void links_close(struct links *links)
{
	struct closing closing = { .links = links };
	pthread_t threads[16];
	size_t started = 0;

	while (started < ARRAY_SIZE(threads) && started + 1 < links->count &&
	       pthread_create(&threads[started], NULL, close_some, &closing) == 0)
		started++;
	close_some(&closing);
	for (size_t i = 0; i < started; i++)
		pthread_join(threads[i], NULL);
	free(links->items);
	*links = (struct links){};
}

static int link_multi(struct bpf_program *program, enum bpf_attach_type attach_type, unsigned multi_flags, int pid,
		      const char *path, const struct site_list *sites, struct links *links)
{
	struct uprobe_multi_attr attr = {
		.prog_fd = bpf_program__fd(program),
		.attach_type = attach_type,
		.path = (uintptr_t)path,
		.offsets = (uintptr_t)sites->offsets,
		.cookies = (uintptr_t)sites->cookies,
		.count = sites->count,
		.multi_flags = multi_flags,
		.pid = pid,
	};
	_cleanup_(closep) int fd = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	int r;

	if (fd < 0)
		return -errno;
	r = links_add(links, (struct probe_link){ .fd = fd });
	if (r == 0)
		TAKE_FD(fd);
	return r;
}

static int link_perf(struct bpf_program *program, bool is_return, int pid, const char *path,
		     const struct site_list *sites, struct links *links)
{
	for (size_t i = 0; i < sites->count; i++) {
		LIBBPF_OPTS(bpf_uprobe_opts, opts, .retprobe = is_return, .bpf_cookie = sites->cookies[i]);
		struct bpf_link *link = bpf_program__attach_uprobe_opts(program, pid, path,
									sites->offsets[i], &opts);
		int r;

		if (!link)
			return -errno;
		r = links_add(links, (struct probe_link){ .fd = -1, .perf = link });
		if (r < 0) {
			bpf_link__destroy(link);
			return r;
		}
	}
	return 0;
}

static void add_site(struct site_list *list, const struct tls_site *site)
{
	list->offsets[list->count] = site->offset;
	list->cookies[list->count++] = site->op;
}

static int attach_moves(struct gentap_bpf *bpf, enum link_kind kind, int pid, const char *path,
			const struct site_list *sites, struct links *links)
{
	int r;

	switch (kind) {
	case LINK_SESSION:
		return link_multi(bpf->progs.tls_session, ATTACH_UPROBE_SESSION, 0, pid, path,
				  sites, links);
	case LINK_MULTI:
		/* The return first: an entry without its return would leave stale state. */
		r = link_multi(bpf->progs.tls_leave, ATTACH_UPROBE_MULTI, UPROBE_MULTI_RETURN, pid,
			       path, sites, links);
		return r < 0 ? r : link_multi(bpf->progs.tls_enter, ATTACH_UPROBE_MULTI, 0, pid, path,
					      sites, links);
	case LINK_PERF:
		r = link_perf(bpf->progs.tls_leave, true, pid, path, sites, links);
		return r < 0 ? r : link_perf(bpf->progs.tls_enter, false, pid, path, sites, links);
	}
	return -EINVAL;
}

int attach_tls(struct gentap_bpf *bpf, enum link_kind kind, int pid, const char *path,
	       const struct tls_library *library, struct links *links)
{
	struct site_list moves = {}, once = {};
	struct links made = {};
	int r = 0;

	for (size_t i = 0; i < library->site_count; i++)
		add_site(library->sites[i].is_entry_only ? &once : &moves, &library->sites[i]);
	/* The first link waits for a grace period (7 ms here), the next one does not:
	 * reads and writes are what must not be missed. */
	if (moves.count)
		r = attach_moves(bpf, kind, pid, path, &moves, &made);
	if (r == 0 && once.count)
		r = kind == LINK_PERF ?
			link_perf(bpf->progs.tls_once, false, pid, path, &once, &made) :
			link_multi(bpf->progs.tls_once, ATTACH_UPROBE_MULTI, 0, pid, path, &once, &made);
	if (r == 0)
		r = links_move(links, &made);
	if (r < 0)
		links_close(&made);
	return r;
}
