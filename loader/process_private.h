/* SPDX-License-Identifier: Apache-2.0 */
/* What the three parts of process.h share. */
#ifndef GENTAP_LOADER_PROCESS_PRIVATE_H
#define GENTAP_LOADER_PROCESS_PRIVATE_H

#include "loader/process.h"

/* The facts of /proc/PID/stat in use. */
struct process_stat {
	int ppid;
	char state;
	uint64_t threads;
};

/* Reads the beginning of /proc/PID/@name, NUL-terminated. Its length, or -errno. */
int process_read(int pid, const char *name, char *ret, size_t size);
/* The target of the link /proc/PID/@name, NUL-terminated. Its length, or -errno. */
int process_readlink(int pid, const char *name, char *ret, size_t size);
int process_stat(int pid, struct process_stat *ret);

#endif
