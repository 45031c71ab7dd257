/* SPDX-License-Identifier: Apache-2.0 */
#include "expect.h"

#include "llm/json.h"

static const struct { unsigned ignore; const char *parent, *name; } ignored[] = {
	{ IGNORE_BYTES,	   "http", "requestBytes" },
	{ IGNORE_BYTES,	   "http", "responseBytes" },
	{ IGNORE_IDENTITY, NULL,   "id" },
	{ IGNORE_IDENTITY, NULL,   "traceId" },
	{ IGNORE_IDENTITY, NULL,   "process" },
	{ IGNORE_IDENTITY, NULL,   "connection" },
};

static cJSON *parse(const char *text, unsigned ignore)
{
	cJSON *line = cJSON_Parse(text);

	assert(line);
	for (size_t i = 0; i < ARRAY_SIZE(ignored); i++)
		if (ignore & ignored[i].ignore)
			cJSON_DeleteItemFromObjectCaseSensitive(
				ignored[i].parent ? cJSON_GetObjectItemCaseSensitive(line, ignored[i].parent)
						  : line, ignored[i].name);
	return line;
}

static void replace(cJSON *object, const char *name, const char *value)
{
	cJSON_ReplaceItemInObjectCaseSensitive(object, name, cJSON_CreateString(value));
}

static cJSON *parse_wanted(const char *text, unsigned ignore)
{
	cJSON *line = parse(text, ignore);
	const char *role = json_string(line, "role");

	if (ignore & OTHER_ROLE && role)
		replace(line, "role", strcmp(role, "client") == 0 ? "server" : "client");
	if (ignore & HTTP_2)
		replace(cJSON_GetObjectItemCaseSensitive(line, "http"), "version", "2");
	return line;
}

char *expect_wanted(const char *wanted, unsigned ignore)
{
	_cleanup_(json_freep) cJSON *line = parse_wanted(wanted, ignore);

	return cJSON_PrintUnformatted(line);
}

bool expect_same(const char *line, const char *wanted, unsigned ignore)
{
	_cleanup_(json_freep) cJSON *a = NULL;
	_cleanup_(freep) char *text_a = NULL, *text_b = NULL;

	if (!(ignore & (OTHER_ROLE | HTTP_2)) && strcmp(line, wanted) == 0)
		return true;
	if (!ignore)
		return false;
	a = parse(line, ignore);
	text_a = cJSON_PrintUnformatted(a);
	text_b = expect_wanted(wanted, ignore);
	return strcmp(text_a, text_b) == 0;
}

bool expect_marked(const char *line)
{
	_cleanup_(json_freep) cJSON *json = cJSON_Parse(line);
	const cJSON *evidence = json_get(json, "evidence");

	return cJSON_GetArraySize(json_array(evidence, "reasons")) > 0 &&
	       cJSON_IsFalse(json_get(evidence, "complete"));
}

/* --- differences ------------------------------------------------------------ */

static void say(struct buf *ret, const char *path, const cJSON *got, const cJSON *wanted)
{
	_cleanup_(freep) char *a = got ? cJSON_PrintUnformatted(got) : strdup("absent");
	_cleanup_(freep) char *b = wanted ? cJSON_PrintUnformatted(wanted) : strdup("absent");

	buf_printf(ret, "        %s is %s\n        %*s not %s\n", path, a, (int)strlen(path), "", b);
}

static void compare(struct buf *ret, const char *path, const cJSON *got, const cJSON *wanted)
{
	const cJSON *item;
	char inner[256];

	if (!cJSON_IsObject(got) || !cJSON_IsObject(wanted)) {
		if (!got || !wanted || !cJSON_Compare(got, wanted, /* case_sensitive */ 1))
			say(ret, path, got, wanted);
		return;
	}
	cJSON_ArrayForEach(item, wanted) {
		snprintf(inner, sizeof(inner), "%s%s%s", path, *path ? "." : "", item->string);
		compare(ret, inner, cJSON_GetObjectItemCaseSensitive(got, item->string), item);
	}
	cJSON_ArrayForEach(item, got) {
		snprintf(inner, sizeof(inner), "%s%s%s", path, *path ? "." : "", item->string);
		if (!cJSON_GetObjectItemCaseSensitive(wanted, item->string))
			say(ret, inner, item, NULL);
	}
}

void expect_difference(const char *line, const char *wanted, unsigned ignore, struct buf *ret)
{
	_cleanup_(json_freep) cJSON *got = parse(line, ignore);
	_cleanup_(json_freep) cJSON *want = parse_wanted(wanted, ignore);
	size_t len = ret->len;

	compare(ret, "", got, want);
	if (ret->len == len)
		buf_printf(ret, "        the members' order differs: %s\n", line);
}
