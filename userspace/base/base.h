/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The idioms everything leans on: ownership of locals, sizes, assertions.
 * Leaves out: anything that allocates or does I/O.
 */
#ifndef GENTAP_BASE_BASE_H
#define GENTAP_BASE_BASE_H

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Runs fn(&local) when the local leaves its scope. The local must be initialised. */
#define _cleanup_(fn)	__attribute__((cleanup(fn)))
#define _printf_(fmt, args) __attribute__((format(printf, fmt, args)))

/* Hands a local's ownership on; its _cleanup_ then has nothing left to do. */
#define TAKE_FD(fd)	({ int taken_ = (fd); (fd) = -1; taken_; })
#define TAKE_PTR(ptr)	({ __typeof__(ptr) taken_ = (ptr); (ptr) = NULL; taken_; })

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define MIN(a, b)	({ __typeof__(a) a_ = (a); __typeof__(b) b_ = (b); a_ < b_ ? a_ : b_; })
#define MAX(a, b)	({ __typeof__(a) a_ = (a); __typeof__(b) b_ = (b); a_ > b_ ? a_ : b_; })

static inline void freep(void *p)
{
	free(*(void **)p);
	*(void **)p = NULL;
}

static inline void closep(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static inline void fclosep(FILE **file)
{
	if (*file)
		fclose(*file);
	*file = NULL;
}

/* Later minus earlier; 0 when the clock readings of two threads crossed. */
static inline uint64_t elapsed_ns(uint64_t from_ns, uint64_t to_ns)
{
	return to_ns > from_ns ? to_ns - from_ns : 0;
}

#endif
