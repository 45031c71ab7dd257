/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Links between probe sites and programs: made, kept, and taken out in such a
 * way that the kernel's waits overlap.
 */
#ifndef GENTAP_LOADER_ATTACH_H
#define GENTAP_LOADER_ATTACH_H

#include <stddef.h>

#include "loader/loader.h"
#include "loader/tls_library.h"

struct bpf_link;
struct gentap_bpf;

/* Owned: closing it takes the probes out. */
struct probe_link {
	int fd;			/* uprobe_multi, or -1 */
	struct bpf_link *perf;	/* or this */
};

struct links {
	struct probe_link *items;	/* owned */
	size_t count, size;
};

/* How TLS probes are linked on this kernel. */
enum link_kind {
	LINK_SESSION,	/* uprobe_multi, session for reads and writes (6.13) */
	LINK_MULTI,	/* uprobe_multi, entry and return (6.6; sound with a pid filter from 6.10) */
	LINK_PERF,	/* one perf event per site */
};

/* The best that the kernel has. GENTAP_LINKS=multi or perf in the environment
 * asks for what older kernels get, so that it can be tested here. */
enum link_kind link_kind_of(const struct features *features);
const char *link_kind_name(enum link_kind kind);

/* Sets the programs up for their kind of link; before the object is loaded. */
void attach_prepare(struct gentap_bpf *bpf, enum link_kind kind);

/* Puts the library's sites under probes, for this process only. @path opens the
 * very file. Adds to *links; on failure those of this call are closed again.
 * 0 or -errno. */
int attach_tls(struct gentap_bpf *bpf, enum link_kind kind, int pid, const char *path,
	       const struct tls_library *library, struct links *links);

/* Takes over what is in *from. 0 or -ENOMEM (then *from is as before). */
int links_move(struct links *to, struct links *from);
/* Closes all, up to 16 at a time: each waits for a grace period (45 ms here),
 * and those of several threads overlap. */
void links_close(struct links *links);

#endif
