/* SPDX-License-Identifier: Apache-2.0 */
/* The map against a plain array, over keys that collide and keys that do not. */
#include <criterion/criterion.h>

#include "base/map.h"

enum { KEYS = 500 };

Test(map, empty_has_nothing)
{
	struct map map = MAP_INIT;

	cr_expect_null(map_get(&map, 0));
	map_remove(&map, 0);
	map_done(&map);
}

Test(map, put_replaces)
{
	_cleanup_(map_done) struct map map = MAP_INIT;
	int a, b;

	cr_expect_eq(map_put(&map, 0, &a), 0);
	cr_expect_eq(map_put(&map, 0, &b), 0);
	cr_expect_eq(map_get(&map, 0), &b);
	cr_expect_eq(map.count, 1);
}

Test(map, behaves_like_an_array)
{
	_cleanup_(map_done) struct map map = MAP_INIT;
	char *truth[KEYS] = {}, values[KEYS];
	uint64_t state = 1;

	for (int round = 0; round < 50000; round++) {
		size_t count = 0, i;

		state = state * 6364136223846793005ull + 1442695040888963407ull;
		i = (state >> 33) % KEYS;
		if (state >> 63) {
			cr_assert_eq(map_put(&map, i << 32, &values[i]), 0);
			truth[i] = &values[i];
		} else {
			map_remove(&map, i << 32);
			truth[i] = NULL;
		}
		for (size_t k = 0; k < KEYS && round % 100 == 0; k++)
			cr_assert_eq(map_get(&map, k << 32), truth[k], "key %zu in round %d", k, round);
		for (size_t k = 0; k < KEYS; k++)
			count += truth[k] != NULL;
		cr_assert_eq(map.count, count, "round %d", round);
	}
}
