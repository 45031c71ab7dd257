/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The files that a process has mapped to execute, each once, and how to open
 * the very file: also when it lives in another mount namespace or was deleted
 * or replaced on disk.
 */
#ifndef GENTAP_LOADER_MAPS_H
#define GENTAP_LOADER_MAPS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Most files looked at of one process. */
#define MAPS_FILES_MAX	4096

struct mapped_file {
	const char *path;	/* as the process sees it; borrowed for the call */
	bool is_deleted;
	uint64_t start, end;	/* addresses of one executable mapping */
	uint64_t dev, inode;	/* as stat says: overlayfs and btrfs show others in the maps */
};

/* Calls @fn for each file until it returns false. 0 or -errno (-ESRCH, -EACCES). */
int maps_each_file(int pid, bool (*fn)(void *ctx, const struct mapped_file *file), void *ctx);

/* A path that opens this file, of at most PROCESS_PATH_SIZE bytes. 0, or -errno:
 * -ENOENT when neither the mapping nor the path leads to it any more. */
int mapped_file_path(int pid, const struct mapped_file *file, char *ret, size_t size);

#endif
