/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Verdicts of tls_library_inspect by file, "no TLS library" included: a vLLM
 * process maps 600 files, and each of its workers the same ones. A file that was
 * written to since is another file.
 */
#include "loader/tls_library.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "base/base.h"
#include "loader/process.h"

enum { SLOTS = 2 * TLS_CACHE_MAX };	/* at most half full: short probes */

struct file_key {
	uint64_t dev, inode, size, mtime_ns;
	uint64_t is_main_exe;	/* looked at more closely */
};

struct verdict {
	struct file_key key;	/* inode 0: the slot is free */
	struct tls_library *library;	/* owned; NULL none */
};

struct tls_cache {
	struct verdict slots[SLOTS];
	size_t count;
};

int tls_cache_new(struct tls_cache **ret)
{
	struct tls_cache *cache = calloc(1, sizeof(*cache));

	if (!cache)
		return -ENOMEM;
	*ret = cache;
	return 0;
}

static void forget_all(struct tls_cache *cache)
{
	for (size_t i = 0; i < SLOTS; i++)
		free(cache->slots[i].library);
	memset(cache, 0, sizeof(*cache));
}

void tls_cache_free(struct tls_cache **cache)
{
	if (*cache)
		forget_all(*cache);
	free(*cache);
	*cache = NULL;
}

/* The verdict on the file, or the free slot for it. */
static struct verdict *find_slot(struct tls_cache *cache, const struct file_key *key)
{
	size_t i = (key->inode * 0x9e3779b97f4a7c15ull ^ key->dev) % SLOTS;

	while (cache->slots[i].key.inode && memcmp(&cache->slots[i].key, key, sizeof(*key)) != 0)
		i = (i + 1) % SLOTS;
	return &cache->slots[i];
}

static int keep(struct tls_cache *cache, const struct file_key *key, const struct tls_library *library)
{
	struct tls_library *copy = NULL;
	struct verdict *slot;

	if (library) {
		copy = malloc(sizeof(*copy));
		if (!copy)
			return -ENOMEM;
		*copy = *library;
	}
	/* Who traces that many different files starts over. */
	if (cache->count == TLS_CACHE_MAX)
		forget_all(cache);
	slot = find_slot(cache, key);
	*slot = (struct verdict){ *key, copy };
	cache->count++;
	return 0;
}

int tls_cache_get(struct tls_cache *cache, int pid, const struct mapped_file *file, bool is_main_exe,
		  const struct tls_library **ret)
{
	char path[PROCESS_PATH_SIZE];
	const char *slash = strrchr(file->path, '/');
	struct tls_library library;
	struct verdict *verdict;
	struct file_key key;
	struct stat st;
	int r;

	r = mapped_file_path(pid, file, path, sizeof(path));
	if (r < 0)
		return r;
	if (stat(path, &st) < 0)
		return -errno;
	key = (struct file_key){ st.st_dev, st.st_ino, st.st_size,
				 st.st_mtim.tv_sec * 1000000000ull + st.st_mtim.tv_nsec, is_main_exe };
	verdict = find_slot(cache, &key);
	if (!verdict->key.inode) {
		r = tls_library_inspect(path, slash ? slash + 1 : file->path, is_main_exe, &library);
		if (r < 0 && r != -ENOENT)
			return r;
		r = keep(cache, &key, r == 0 ? &library : NULL);
		if (r < 0)
			return r;
		verdict = find_slot(cache, &key);
	}
	if (!verdict->library)
		return -ENOENT;
	*ret = verdict->library;
	return 0;
}
