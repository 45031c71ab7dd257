/* SPDX-License-Identifier: Apache-2.0 */
/*
 * TLS libraries: how one is recognised and where its functions are probed. A
 * library is an entry of the table in tls_library.c: another one with the same
 * kinds of functions needs no code.
 *
 * Found by exported functions, wherever they are: a system library, a private
 * copy in a Python wheel, the executable itself (Node).
 */
#ifndef GENTAP_LOADER_TLS_LIBRARY_H
#define GENTAP_LOADER_TLS_LIBRARY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "loader/maps.h"
#include "loader/tls_op.h"

#define TLS_SITES_MAX	12
/* Most files whose verdict is remembered. */
#define TLS_CACHE_MAX	4096

struct tls_site {
	enum tls_op op;
	const char *function;	/* static; "SSL_read" stands for an inner function, too */
	uint64_t offset;	/* in the file */
	const char *rule;	/* static; of probe_site.h */
	bool is_stepped;
	bool is_entry_only;
};

struct tls_library {
	uint64_t dev, inode;	/* as of stat */
	char name[64];		/* basename */
	const char *kind;	/* static; "openssl", "boringssl" */
	struct tls_site sites[TLS_SITES_MAX];
	size_t site_count;
};

/* Looks into the file at @path, which people know as @name. With @with_symtab
 * in .symtab too, when it exports nothing: slow, for executables. 0, -ENOENT when
 * it is no TLS library (or no program for this machine), or -errno. */
int tls_library_inspect(const char *path, const char *name, bool with_symtab, struct tls_library *ret);

/* The name of a TLS library that we recognise and cannot capture; else NULL. */
const char *tls_unhooked_library(const char *path);

/* --- verdicts kept, so that forked workers do not ask again ------------------ */

struct tls_cache;

int tls_cache_new(struct tls_cache **ret);
/* As tls_library_inspect; *ret is the cache's, until the next call. */
int tls_cache_get(struct tls_cache *cache, int pid, const struct mapped_file *file, bool is_main_exe,
		  const struct tls_library **ret);
void tls_cache_free(struct tls_cache **cache);

#endif
