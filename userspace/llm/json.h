/* SPDX-License-Identifier: Apache-2.0 */
/*
 * JSON from the wire: repaired before cJSON sees it, read by getters that do
 * not mind what is missing or of another type, and cut to a size before it
 * leaves. Private to llm/ and export/.
 */
#ifndef GENTAP_LLM_JSON_H
#define GENTAP_LLM_JSON_H

#include <cjson/cJSON.h>

#include "base/buf.h"
#include "base/loss.h"

enum json_flags {
	JSON_CUT	 = 1 << 0, /* the text may end early: close what is open */
	JSON_OMIT_BASE64 = 1 << 1, /* base64 over LIMIT_BASE64 becomes a note */
};

/* Appends to @ret the first JSON value of @in as cJSON can take it: invalid
 * UTF-8, NULs and lone surrogates replaced (LOSS_BAD_TEXT), at most
 * LIMIT_JSON_DEPTH deep. With JSON_CUT an unfinished last token goes and open
 * strings, arrays and objects are closed (LOSS_CONTENT_TRUNCATED). Marks are
 * added to *marks. 0, -EBADMSG, or -ENOMEM. */
int json_clean(struct slice in, unsigned flags, struct buf *ret, loss_set *marks);

/* json_clean and parse. The caller owns the result; NULL is LOSS_BAD_JSON, or
 * LOSS_NO_MEMORY. */
cJSON *json_parse(struct slice in, unsigned flags, loss_set *marks);

/* json_parse for a tree that is only read: it is gone at this thread's
 * next call, and is not to be freed, changed or linked elsewhere. What *ret_owned is
 * set to is the caller's to delete afterwards; untouched when there is nothing to. */
const cJSON *json_read(struct slice in, unsigned flags, cJSON **ret_owned, loss_set *marks);

static inline void json_freep(cJSON **json)
{
	cJSON_Delete(*json);
	*json = NULL;
}

/* Whether a text, which may be NULL, is @word. */
static inline bool text_is(const char *text, const char *word)
{
	return text && strcmp(text, word) == 0;
}

/* A member that is there and not null, else NULL; @object may be anything. */
const cJSON *json_get(const cJSON *object, const char *name);
/* A member that is such: */
const cJSON *json_array(const cJSON *object, const char *name);
const char *json_string(const cJSON *object, const char *name);	/* "" is one */
/* A count: a whole number from 0 on, as a number or as text. COUNT_UNKNOWN
 * (UINT64_MAX) for anything else. */
uint64_t json_count(const cJSON *object, const char *name);

/* Adds @item, which it owns from here on (NULL: nothing), to an object or array. */
void json_add(cJSON *object, const char *name, cJSON *item);
void json_append(cJSON *array, cJSON *item);
/* Adds a copy. */
void json_add_copy(cJSON *object, const char *name, const cJSON *item);
/* Adds copies of the members of @from that @names (NULL-terminated) lists. */
void json_add_members(cJSON *object, const cJSON *from, const char *const *names);
/* Adds copies of the numbers, strings and booleans of @from, which may be anything. */
void json_add_scalars(cJSON *object, const cJSON *from);
/* A whole number, all 64 bits of it. */
void json_add_u64(cJSON *object, const char *name, uint64_t value);

/* Copies of the members of @object that @names (NULL-terminated) lists; NULL when there are none. */
cJSON *json_members(const cJSON *object, const char *const *names);
/* @json; NULL, and it is freed, when it holds nothing. */
cJSON *json_or_null(cJSON *json);

/* Bytes that the tree takes in memory, about. */
size_t json_size(const cJSON *json);

/* Makes *json fit @max bytes, printed compactly (a string: its own bytes), by
 * cutting its longest strings; where that is not enough, the start of the
 * printed text takes its place. True when something was cut. */
bool json_fit(cJSON **json, size_t max);

#endif
