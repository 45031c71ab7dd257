/* SPDX-License-Identifier: Apache-2.0 */
/* Parsing, and reading and building cJSON trees without ceremony. */
#include "llm/json.h"

#include <inttypes.h>
#include <math.h>

#include "base/memory.h"
#include "limits.h"
#include "llm/call.h"

cJSON *json_parse(struct slice in, unsigned flags, loss_set *marks)
{
	/* U+FFFD is three bytes for one; then the closers of a cut text. */
	_cleanup_(buf_done) struct buf clean = BUF_INIT(3 * LIMIT_BODY + LIMIT_JSON_DEPTH);
	uint64_t failures = memory_failures();
	loss_set found = 0;
	cJSON *json = NULL;

	if (in.len > LIMIT_BODY) {
		in.len = LIMIT_BODY;
		flags |= JSON_CUT;
	}
	if (json_clean(in, flags, &clean, &found) == 0)
		json = cJSON_ParseWithLength(clean.ptr, clean.len);
	if (!json)
		found = LOSS_BIT(memory_failures() == failures ? LOSS_BAD_JSON : LOSS_NO_MEMORY);
	*marks |= found;
	return json;
}

/* As cJSON_GetObjectItemCaseSensitive, with a look at the first byte before a call:
 * every event of a stream is asked for a score of members. */
const cJSON *json_get(const cJSON *object, const char *name)
{
	if (!object || (object->type & 0xff) != cJSON_Object)
		return NULL;
	for (const cJSON *item = object->child; item; item = item->next)
		if (item->string && item->string[0] == name[0] && strcmp(item->string, name) == 0)
			return (item->type & 0xff) == cJSON_NULL ? NULL : item;
	return NULL;
}

const cJSON *json_array(const cJSON *object, const char *name)
{
	const cJSON *item = json_get(object, name);

	return cJSON_IsArray(item) ? item : NULL;
}

const char *json_string(const cJSON *object, const char *name)
{
	return cJSON_GetStringValue((cJSON *)json_get(object, name));
}

uint64_t json_count(const cJSON *object, const char *name)
{
	const cJSON *item = json_get(object, name);
	const char *text = cJSON_GetStringValue((cJSON *)item);
	double value = cJSON_IsNumber(item) ? item->valuedouble : NAN;
	char *end;

	if (text && *text) {
		value = strtod(text, &end);
		if (*end)
			return COUNT_UNKNOWN;
	}
	/* Above 2^53 a double, and so a JSON number, is no count any more. */
	return value >= 0 && value <= 9007199254740992.0 ? (uint64_t)value : COUNT_UNKNOWN;
}

void json_add(cJSON *object, const char *name, cJSON *item)
{
	if (item && !cJSON_AddItemToObject(object, name, item))
		cJSON_Delete(item);
}

void json_append(cJSON *array, cJSON *item)
{
	if (item && !cJSON_AddItemToArray(array, item))
		cJSON_Delete(item);
}

void json_add_copy(cJSON *object, const char *name, const cJSON *item)
{
	if (item)
		json_add(object, name, cJSON_Duplicate(item, /* recurse */ 1));
}

void json_add_members(cJSON *object, const cJSON *from, const char *const *names)
{
	for (; *names; names++)
		json_add_copy(object, *names, json_get(from, *names));
}

void json_add_scalars(cJSON *object, const cJSON *from)
{
	const cJSON *item;

	if (!cJSON_IsObject(from))
		return;
	cJSON_ArrayForEach(item, from)
		if (cJSON_IsNumber(item) || cJSON_IsString(item) || cJSON_IsBool(item))
			json_add_copy(object, item->string, item);
}

cJSON *json_or_null(cJSON *json)
{
	if (json && !json->child)
		json_freep(&json);
	return json;
}

cJSON *json_members(const cJSON *object, const char *const *names)
{
	cJSON *members = cJSON_CreateObject();

	json_add_members(members, object, names);
	return json_or_null(members);
}

void json_add_u64(cJSON *object, const char *name, uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	cJSON_AddRawToObject(object, name, text);
}

size_t json_size(const cJSON *json)
{
	/* What an allocation costs beside its bytes. */
	enum { OVERHEAD = 16 };
	size_t size = 0;
	const cJSON *child;

	if (!json)
		return 0;
	size = sizeof(*json) + OVERHEAD;
	if (json->string)
		size += strlen(json->string) + OVERHEAD;
	if (json->valuestring)
		size += strlen(json->valuestring) + OVERHEAD;
	cJSON_ArrayForEach(child, json)
		size += json_size(child);
	return size;
}
