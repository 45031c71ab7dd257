/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/sample.h"

/* The lower 64 bits of the id: the last 16 of its 32 hex digits. */
static bool low64(struct slice id, uint64_t *ret)
{
	uint64_t value = 0;

	for (size_t i = 16; i < 32; i++) {
		char c = id.ptr[i];

		if (c >= '0' && c <= '9')
			value = value << 4 | (uint64_t)(c - '0');
		else if (c >= 'a' && c <= 'f')
			value = value << 4 | (uint64_t)(c - 'a' + 10);
		else
			return false;
	}
	*ret = value;
	return true;
}

bool sample_keeps(struct slice line, double rate)
{
	static const char key[] = "\"traceId\":\"";
	const char *found;
	struct slice id;
	uint64_t low;

	if (rate >= 1)
		return true;
	/* The ids stand before any text from the wire, so the first one is it. */
	found = memmem(line.ptr, line.len, key, sizeof(key) - 1);
	if (!found)
		return true;
	id.ptr = found + sizeof(key) - 1;
	id.len = line.len - (size_t)(id.ptr - line.ptr);
	if (id.len < 32 || !low64(id, &low))
		return true;
	/* Below 1 the product fits 64 bits. */
	return low < (uint64_t)(rate * 18446744073709551616.0);
}
