/* SPDX-License-Identifier: Apache-2.0 */
#include "export/line.h"

#include <time.h>

#include "base/slice.h"

const cJSON *line_at(const cJSON *line, const char *path)
{
	const char *dot = strchr(path, '.');
	char parent[32];

	if (!dot)
		return cJSON_GetObjectItemCaseSensitive(line, path);
	assert((size_t)(dot - path) < sizeof(parent));
	memcpy(parent, path, (size_t)(dot - path));
	parent[dot - path] = '\0';
	return cJSON_GetObjectItemCaseSensitive(cJSON_GetObjectItemCaseSensitive(line, parent), dot + 1);
}

const char *line_text(const cJSON *line, const char *path)
{
	return cJSON_GetStringValue(line_at(line, path));
}

bool line_number(const cJSON *line, const char *path, double *ret)
{
	const cJSON *number = line_at(line, path);

	if (!cJSON_IsNumber(number))
		return false;
	*ret = number->valuedouble;
	return true;
}

/* "2026-11-18T11:06:40.310000000Z", with any number of decimals up to nine. */
bool line_time_ns(const cJSON *line, const char *path, uint64_t *ret_ns)
{
	const char *text = line_text(line, path);
	uint64_t fraction = 0, scale = 1000000000;
	struct tm tm = { 0 };
	const char *at;

	at = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;
	if (!at)
		return false;
	if (*at == '.')
		for (at++; *at >= '0' && *at <= '9' && scale > 1; at++) {
			scale /= 10;
			fraction += (uint64_t)(*at - '0') * scale;
		}
	if (strcmp(at, "Z") != 0)
		return false;
	*ret_ns = (uint64_t)timegm(&tm) * 1000000000 + fraction;
	return true;
}

bool line_tokens(const cJSON *line, const char *side, uint64_t *ret)
{
	const cJSON *bucket;
	bool is_known = false;
	uint64_t sum = 0;

	cJSON_ArrayForEach(bucket, line_at(line, "usageDetails")) {
		if (!bucket->string || !strstr(bucket->string, side) || !cJSON_IsNumber(bucket) ||
		    bucket->valuedouble < 0)
			continue;
		is_known = true;
		sum += (uint64_t)bucket->valuedouble;
	}
	if (is_known)
		*ret = sum;
	return is_known;
}
