/* SPDX-License-Identifier: Apache-2.0 */
#include "base/map.h"

#include <errno.h>

enum { FIRST_SIZE = 64 };

void map_done(struct map *map)
{
	free(map->slots);
	*map = MAP_INIT;
}

/* The finaliser of splitmix64: neighbouring keys land far apart. */
static uint64_t hash(uint64_t key)
{
	key = (key ^ (key >> 30)) * 0xbf58476d1ce4e5b9ull;
	key = (key ^ (key >> 27)) * 0x94d049bb133111ebull;
	return key ^ (key >> 31);
}

/* The key's slot, or the free one where it would go. */
static struct map_slot *find(const struct map *map, uint64_t key)
{
	size_t i = hash(key) & (map->size - 1);

	while (map->slots[i].value && map->slots[i].key != key)
		i = (i + 1) & (map->size - 1);
	return &map->slots[i];
}

void *map_get(const struct map *map, uint64_t key)
{
	return map->size ? find(map, key)->value : NULL;
}

static int grow(struct map *map)
{
	struct map bigger = { .size = map->size ? map->size * 2 : FIRST_SIZE, .count = map->count };

	bigger.slots = calloc(bigger.size, sizeof(*bigger.slots));
	if (!bigger.slots)
		return -ENOMEM;
	for (size_t i = 0; i < map->size; i++)
		if (map->slots[i].value)
			*find(&bigger, map->slots[i].key) = map->slots[i];
	free(map->slots);
	*map = bigger;
	return 0;
}

int map_put(struct map *map, uint64_t key, void *value)
{
	struct map_slot *slot;

	assert(value);
	if ((map->count + 1) * 3 > map->size * 2 && grow(map) < 0)
		return -ENOMEM;
	slot = find(map, key);
	map->count += !slot->value;
	*slot = (struct map_slot){ key, value };
	return 0;
}

void map_remove(struct map *map, uint64_t key)
{
	struct map_slot *hole, *next;

	if (!map->size)
		return;
	hole = find(map, key);
	if (!hole->value)
		return;
	map->count--;
	hole->value = NULL;
	/* Those behind it may have been pushed here by it: put them in anew. */
	for (size_t i = (size_t)(hole - map->slots + 1) & (map->size - 1); map->slots[i].value;
	     i = (i + 1) & (map->size - 1)) {
		struct map_slot moved = map->slots[i];

		map->slots[i].value = NULL;
		next = find(map, moved.key);
		*next = moved;
	}
}
