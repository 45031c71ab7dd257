/* SPDX-License-Identifier: Apache-2.0 */
/*
 * From 64-bit keys to pointers that it does not own: open addressing, linear
 * probing, at most two thirds full. It has no maximum of its own; who fills it
 * keeps one.
 */
#ifndef GENTAP_BASE_MAP_H
#define GENTAP_BASE_MAP_H

#include "base/base.h"

struct map_slot {
	uint64_t key;
	void *value;		/* NULL: free */
};

struct map {
	struct map_slot *slots;	/* owned; NULL while nothing was ever put */
	size_t size;		/* slots; a power of two */
	size_t count;
};

#define MAP_INIT ((struct map){})

void map_done(struct map *map);

/* NULL when there is none. */
void *map_get(const struct map *map, uint64_t key);

/* Replaces what the key had. @value is not NULL. Returns 0 or -ENOMEM. */
int map_put(struct map *map, uint64_t key, void *value);

/* The key need not be there. */
void map_remove(struct map *map, uint64_t key);

#endif
