/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The privileged part: finds targets, resolves their TLS libraries, attaches
 * and detaches probes, follows forks and execs. Meets the collector only
 * through struct source (events) and the calls below.
 *
 * All calls from one thread (the control thread); the source it hands out is
 * polled by another.
 */
#ifndef GENTAP_LOADER_LOADER_H
#define GENTAP_LOADER_LOADER_H

#include "source/source.h"

/* Which processes. Any combination; they add up. */
struct loader_targets {
	const int *pids;
	size_t pid_count;
	const uint16_t *ports;
	size_t port_count;
	const char *const *names;	/* globs: comm, basename of argv[0], script, -m module */
	size_t name_count;
	bool has_children;		/* descendants too */
};

enum loader_note {
	LOADER_ATTACHED,	/* "attached 4242 uvicorn (python3.11): openssl libssl.so.3, sockets" */
	LOADER_GONE,		/* a target ended */
	LOADER_WARNING,		/* something will not be seen, and why */
	LOADER_DETAIL,		/* -v: which site in which file by which rule */
};

struct loader_options {
	struct loader_targets targets;
	/* For people, one line without its end; @pid 0 when of no process. */
	void (*note)(void *ctx, enum loader_note note, int pid, const char *text);
	/* What the control ring carries (forks, execs, exits, mappings). May be NULL. */
	void (*control)(void *ctx, const struct gt_process_event *event);
	void *ctx;
};

struct loader;

/* Loads the programs into the kernel; attaches nothing yet. 0 or -errno: -EPERM,
 * -EACCES without privilege, -EOPNOTSUPP when the kernel lacks a feature. On
 * failure *ret_error is a text for people that ends in what to do (caller frees). */
int loader_new(struct loader **ret, const struct loader_options *options, char **ret_error);

/* Attaches to every target there is. Returns how many processes, or -errno
 * (-ESRCH: a --pid is not there), *ret_error as above. */
int loader_attach(struct loader *loader, char **ret_error);

/* `run`: prepares the TLS libraries that the command is likely to use, for a
 * child that has not exec'd yet. 0 or -errno. */
int loader_attach_child(struct loader *loader, int pid, const char *file, char **ret_error);

/* To be polled for input (epoll fd); then call loader_dispatch. */
int loader_fd(const struct loader *loader);
/* Handles forks, execs, exits, late libraries, rescans. 0 or -errno. */
int loader_dispatch(struct loader *loader);

/* Live targets now; targets attached since the start. */
unsigned loader_live(const struct loader *loader);
unsigned loader_total(const struct loader *loader);
/* Whether new targets may still turn up (--name, --port). */
bool loader_is_waiting(const struct loader *loader);

/* The events; valid until loader_free. One thread may poll it. */
struct source *loader_source(struct loader *loader);

/* GT_LOSS_COUNT counters of the kernel so far. */
void loader_losses(const struct loader *loader, uint64_t ret[GT_LOSS_COUNT]);
/* TLS connections of targets whose inside no probe saw: a library without hooks,
 * or over before its probes were in. So far; final after loader_detach_ns. */
uint64_t loader_tls_unseen(const struct loader *loader);

/* Takes every probe out; the source still delivers what the ring holds. Returns
 * how long it took. */
uint64_t loader_detach_ns(struct loader *loader);
void loader_free(struct loader **loader);

/* What this kernel can do; probed once. */
struct features {
	bool is_privileged;		/* may load BPF, attach uprobes, look into processes */
	const char *missing_capability;	/* static; NULL, or the names of those missing */
	bool has_btf;
	bool has_ring_buffer;		/* 5.8 */
	bool has_bpf_loop;		/* 5.17 */
	bool has_uprobe_multi;		/* 6.6 */
	bool is_multi_pid_filter_sound;	/* 6.10: earlier ones drop other threads' hits */
	bool has_uprobe_session;	/* 6.13 */
	bool has_uretprobe_syscall;	/* 6.11: strict seccomp may kill on 6.11..6.13 */
	bool is_initial_pid_namespace;
	unsigned kernel_version;	/* 0x061200 for 6.18.0 */
	char release[65];
};

void features_probe(struct features *ret);

/* For doctor: what a process has, and what would be probed, as text lines
 * through @line. 0 or -errno (-ESRCH, -EACCES). */
struct doctor_tls {
	const char *path;		/* as mapped */
	const char *library;		/* "openssl", "boringssl" */
	const char *function;		/* "SSL_read" */
	uint64_t offset;		/* in the file */
	const char *rule;		/* "symbol", "inner function", "single-stepped" */
};
struct doctor_process {
	char comm[GT_COMM_BYTES];
	char exe[256];
	unsigned threads, descendants;
	unsigned sockets, listening;
	bool has_io_uring;
	bool has_seccomp;
	bool is_32bit;
	const struct doctor_tls *sites;
	size_t site_count;
	const char *const *unhooked;	/* TLS libraries without hooks (rustls, GnuTLS…): names */
	size_t unhooked_count;
};
int loader_inspect(int pid, void (*fn)(void *ctx, const struct doctor_process *), void *ctx);

#endif
