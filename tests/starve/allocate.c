/* SPDX-License-Identifier: Apache-2.0 */
/*
 * malloc and its kin, in the place of libc's for the whole program, its libraries
 * included: counted, and made to fail where a test wants it. The memory comes from
 * libc's own, under the names that it has for this.
 */
#include "allocate.h"

#include <errno.h>
#include <stddef.h>

extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t count, size_t size);
extern void *__libc_realloc(void *p, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);
extern void __libc_free(void *p);

static bool is_armed, is_lasting;
static uint64_t at, first_failure;
static uint64_t failures;
static int64_t live;

void allocate_arm(uint64_t nth, bool is_for_good)
{
	at = failures = 0;
	first_failure = nth;
	is_lasting = is_for_good;
}

void allocate_watch(bool is_watched)
{
	is_armed = is_watched;
}

uint64_t allocate_count(void)
{
	return at;
}

uint64_t allocate_failures(void)
{
	return failures;
}

int64_t allocate_live(void)
{
	return live;
}

/* Whether this one fails. */
static bool fails(void)
{
	if (!is_armed)
		return false;
	at++;
	if (!first_failure || at < first_failure || (at > first_failure && !is_lasting))
		return false;
	failures++;
	errno = ENOMEM;
	return true;
}

static void *counted(void *p)
{
	live += p != NULL;
	return p;
}

void *malloc(size_t size)
{
	return fails() ? NULL : counted(__libc_malloc(size));
}

void *calloc(size_t count, size_t size)
{
	return fails() ? NULL : counted(__libc_calloc(count, size));
}

void *realloc(void *p, size_t size)
{
	if (!p)
		return malloc(size);
	if (!size) {
		free(p);
		return NULL;
	}
	return fails() ? NULL : __libc_realloc(p, size);
}

void free(void *p)
{
	live -= p != NULL;
	__libc_free(p);
}

void *memalign(size_t alignment, size_t size)
{
	return fails() ? NULL : counted(__libc_memalign(alignment, size));
}

void *aligned_alloc(size_t alignment, size_t size)
{
	return memalign(alignment, size);
}

int posix_memalign(void **ret, size_t alignment, size_t size)
{
	void *p = memalign(alignment, size);

	if (!p)
		return ENOMEM;
	*ret = p;
	return 0;
}
