/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What coding.c wants of a library that decodes. One entry each, in the file of
 * that library; the table is in coding.c.
 *
 * The same bytes must decode to the same ones at every split, up to the byte that
 * is wrong: where a library holds back what came before an error, its file feeds
 * it in pieces so small that nothing is.
 */
#ifndef GENTAP_WIRE_CODING_OPS_H
#define GENTAP_WIRE_CODING_OPS_H

#include "base/slice.h"

enum coded {
	CODED_MORE,	/* the input is used up, and all that it decodes to is out */
	CODED_FULL,	/* no room is left: there may be more, even without input */
	CODED_OVER,	/* the coded stream's own end; input may be left */
	CODED_BAD,
	CODED_NO_MEMORY,
};

struct coding {
	const char *name;
	const char *alias;	/* may be NULL */
	/* A state to start with; NULL when out of memory. */
	void *(*create)(void);
	void (*destroy)(void *state);
	/* From the front of *in to @out, which has room for at least one byte;
	 * *ret_len were written, whatever is returned. */
	enum coded (*decode)(void *state, struct slice *in, char *out, size_t size, size_t *ret_len);
	/* Another coded stream follows the one that is over. NULL: none may. False
	 * when out of memory. */
	bool (*restart)(void *state);
	/* Bytes that it takes after @decoded ones came out. */
	size_t (*memory)(const void *state, uint64_t decoded);
};

extern const struct coding coding_gzip, coding_deflate, coding_brotli, coding_zstd;

#endif
