/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Trees of one event. cJSON allocates each value and each text by itself, which
 * for a stream's small events costs more than parsing them. While such an event is
 * parsed, cJSON's memory comes from a block of this thread that the next event uses
 * again; at all other times from malloc. What does not fit, or is not plain, goes
 * the ordinary way.
 */
#include "llm/json.h"

#include "base/memory.h"
#include "base/text.h"
#include "limits.h"

static _Thread_local struct {
	_Alignas(16) char bytes[LIMIT_JSON_SCRATCH];
	size_t len;
	bool is_open;		/* cJSON allocates from here now */
} scratch;

/* cJSON's callers seldom look at what it returns. */
static void *allocate(size_t size)
{
	void *p = malloc(size);

	if (!p)
		memory_failed();
	return p;
}

static void *scratch_alloc(size_t size)
{
	void *p = scratch.bytes + scratch.len;

	if (!scratch.is_open)
		return allocate(size);
	size = (size + 15) & ~(size_t)15;
	if (size > sizeof(scratch.bytes) - scratch.len)
		return NULL;
	scratch.len += size;
	return p;
}

static void scratch_free(void *p)
{
	char *bytes = p;

	/* Of a parse that failed on the way. */
	if (bytes >= scratch.bytes && bytes < scratch.bytes + sizeof(scratch.bytes))
		return;
	free(p);
}

static void __attribute__((constructor)) install(void)
{
	cJSON_Hooks hooks = { scratch_alloc, scratch_free };

	cJSON_InitHooks(&hooks);
}

/* Whether there is room for a string over LIMIT_BASE64 between two quotes. */
static bool has_long_string(struct slice in)
{
	while (in.len > LIMIT_BASE64) {
		const char *quote = memchr(in.ptr, '"', in.len);
		size_t len = quote ? (size_t)(quote - in.ptr) : in.len;

		if (len > LIMIT_BASE64)
			return true;
		slice_take(&in, MIN(len + 1, in.len));
	}
	return false;
}

/* Whether json_clean would change nothing. */
static bool is_plain(struct slice in, unsigned flags)
{
	size_t opens = 0;

	/* Before anything else cJSON would skip what is no white space. Longer texts have
	 * more values than there is room for. */
	if (!in.len || (in.ptr[0] != '{' && in.ptr[0] != '[') || in.len > LIMIT_JSON_SCRATCH / 4)
		return false;
	if ((flags & JSON_CUT) || ((flags & JSON_OMIT_BASE64) && has_long_string(in)))
		return false;
	if (utf8_len(in) < in.len)
		return false;
	if (memchr(in.ptr, '\\', in.len) && memmem(in.ptr, in.len, "\\u", 2))
		return false;
	for (size_t i = 0; in.len > LIMIT_JSON_DEPTH && i < in.len; i++)
		opens += in.ptr[i] == '[' || in.ptr[i] == '{';
	return opens <= LIMIT_JSON_DEPTH;
}

const cJSON *json_read(struct slice in, unsigned flags, cJSON **ret_owned, loss_set *marks)
{
	const cJSON *json = NULL;

	if (is_plain(in, flags)) {
		scratch.len = 0;
		scratch.is_open = true;
		json = cJSON_ParseWithLength(in.ptr, in.len);
		scratch.is_open = false;
	}
	if (!json)
		json = *ret_owned = json_parse(in, flags, marks);
	return json;
}
