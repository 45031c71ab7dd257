/* SPDX-License-Identifier: Apache-2.0 */
/* The processes being traced, and which of their TLS libraries are under probes. */
#ifndef GENTAP_LOADER_TARGET_H
#define GENTAP_LOADER_TARGET_H

#include "loader/attach.h"

struct attached_library {
	uint64_t dev, inode;
	char text[80];		/* "openssl libssl.so.3" */
	bool is_mapped;		/* the process has it; else it was prepared */
	bool is_said;		/* a line named it */
};

struct target {
	int pid;
	struct links links;
	struct attached_library *libraries;	/* owned */
	size_t library_count;
	bool is_noted;		/* its "attached" line was said */
	bool is_dirty;		/* its mappings changed since the last scan */
	bool has_refused_tls;	/* return probes could kill it: said once */
	bool has_io_uring;	/* said once */
};

struct targets {
	struct target **items;	/* owned; sorted by nothing, a few hundred at most */
	size_t count, size;
};

struct target *targets_find(const struct targets *targets, int pid);
/* Made if new; NULL when out of memory. */
struct target *targets_add(struct targets *targets, int pid);
/* Takes it out of the table; the caller closes its links and frees it. */
struct target *targets_take(struct targets *targets, int pid);
void target_free(struct target **target);
void targets_done(struct targets *targets);

/* NULL when it is not under probes in this target. */
struct attached_library *target_library(const struct target *target, uint64_t dev, uint64_t inode);
int target_add_library(struct target *target, const struct tls_library *library);

#endif
