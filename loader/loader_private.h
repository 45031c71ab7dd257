/* SPDX-License-Identifier: Apache-2.0 */
/* What loader.c (the interface, loading, events) and follow.c (from a process
 * to its probes) share. */
#ifndef GENTAP_LOADER_LOADER_PRIVATE_H
#define GENTAP_LOADER_LOADER_PRIVATE_H

#include "loader/loader.h"
#include "loader/reaper.h"
#include "loader/target.h"

#include "base/base.h"

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
	uint64_t tls_unseen;	/* of targets that ended */
	struct prepared {	/* TLS libraries in the usual places */
		char *path;	/* owned */
		struct tls_library library;
	} *prepared;		/* owned */
	size_t prepared_count;
	bool is_prepared;	/* they were looked for */
	uint64_t next_scan_ns;
	bool is_hooked;		/* process and socket programs are in */
	bool sees_io_uring;	/* the kernel can tell which operations it is used for */
	bool has_dirty;
};

void loader_say(struct loader *loader, enum loader_note kind, int pid, const char *fmt, ...) _printf_(4, 5);
/* Sets *ret_error and returns @r. */
int loader_failed(char **ret_error, int r, const char *fmt, ...) _printf_(3, 4);
/* Puts in the hooks that are not of one process; once. */
int loader_hook(struct loader *loader, char **ret_error);

/* The process and, as wanted, its descendants become targets. 0 or -errno. */
int follow_tree(struct loader *loader, int pid);
/* A target forked this one. */
void follow_fork(struct loader *loader, int pid);
/* Puts probes into the TLS libraries that the target maps now and did not before. */
void follow_mappings(struct loader *loader, struct target *target);
/* A program that starts loads its TLS library and uses it within milliseconds:
 * those in the usual places get their probes before it maps them. */
void follow_exec(struct loader *loader, struct target *target);
/* Every process that fits --port or --name now. */
void follow_found(struct loader *loader);
void follow_warn_of_io_uring(struct loader *loader, struct target *target);

#endif
