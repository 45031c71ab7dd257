/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Processes as /proc shows them: what they are called, whose children they are,
 * which sockets they hold. Processes come and go while one looks: whoever
 * vanishes midway is left out, not an error.
 *
 * process.c reads one process, process_name.c knows what people call it,
 * process_find.c looks through all of them.
 */
#ifndef GENTAP_LOADER_PROCESS_H
#define GENTAP_LOADER_PROCESS_H

#include <linux/limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/gentap.h"

/* Holds "/proc/PID/root" and a path, or "/proc/PID/map_files/START-END". */
#define PROCESS_PATH_SIZE	(PATH_MAX + 64)
/* Most processes that a search returns. */
#define PROCESS_FOUND_MAX	65536

/* --- one process; 0 or -errno (-ESRCH: gone) ------------------------------- */

int process_comm(int pid, char ret[GT_COMM_BYTES]);
/* Zombies are not. */
bool process_is_alive(int pid);
unsigned process_threads(int pid);
/* Runs under a seccomp filter. */
bool process_has_seccomp(int pid);
bool process_is_32bit(int pid);
/* Whether the file (numbers as of stat) is the one it executes. */
bool process_is_exe(int pid, uint64_t dev, uint64_t inode);
/* What execvp would run for @file. The caller frees *ret. */
int process_find_command(const char *file, char **ret);

/* Descriptors that are sockets, TCP listeners among them, and whether one is an
 * io_uring. */
int process_sockets(int pid, unsigned *ret_sockets, unsigned *ret_listening, bool *ret_has_io_uring);

/* --- its name -------------------------------------------------------------- */

/* "uvicorn (python3.11)": the program, and the executable when it is called
 * otherwise. NUL-terminated, cut to @size. The process chose every byte of it, as
 * of process_comm: it may hold escape sequences, newlines and broken UTF-8. It is
 * handed on as it is; who shows it to people scrubs it, whoever called. */
int process_describe(int pid, char *ret, size_t size);
/* @glob fits its comm, the basename of argv[0], of the script that an
 * interpreter runs, or Python's -m module, whole or its first part. */
bool process_matches_name(int pid, const char *glob);

/* --- searches; the caller frees *ret; never gentap itself ------------------- */

/* All live descendants, nearer generations first. */
int process_descendants(int pid, int **ret, size_t *ret_count);
/* Everyone who holds a TCP socket listening on @port, in any network namespace. */
int process_find_by_port(uint16_t port, int **ret, size_t *ret_count);
int process_find_by_name(const char *glob, int **ret, size_t *ret_count);

#endif
