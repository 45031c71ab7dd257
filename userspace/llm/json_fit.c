/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Makes a JSON tree fit a number of bytes. The longest strings pay: one length
 * is found for all such that the whole fits, and what is longer is cut there.
 */
#include "llm/json.h"

#include "base/memory.h"
#include "base/text.h"

/* Lengths of a tree's strings as cJSON prints them. */
struct lengths {
	size_t *len;	/* owned */
	size_t count, size;
};

static void lengths_done(struct lengths *lengths)
{
	free(lengths->len);
}

static size_t printed_byte(unsigned char byte)
{
	if (byte >= 0x20)
		return byte == '"' || byte == '\\' ? 2 : 1;
	return byte && strchr("\b\f\n\r\t", byte) ? 2 : 6;
}

static size_t printed_len(const char *text)
{
	size_t len = 0;

	for (; *text; text++)
		len += printed_byte((unsigned char)*text);
	return len;
}

static bool measure(const cJSON *json, struct lengths *lengths)
{
	const cJSON *child;

	if (cJSON_IsString(json)) {
		if (lengths->count == lengths->size) {
			size_t size = lengths->size ? 2 * lengths->size : 64;
			size_t *len = reallocarray(lengths->len, size, sizeof(*len));

			if (!len) {
				memory_failed();
				return false;
			}
			lengths->len = len;
			lengths->size = size;
		}
		lengths->len[lengths->count++] = printed_len(json->valuestring);
	}
	cJSON_ArrayForEach(child, json)
		if (!measure(child, lengths))
			return false;
	return true;
}

/* What would be saved if no string were longer than @most. */
static size_t saved_at(const struct lengths *lengths, size_t most)
{
	size_t saved = 0;

	for (size_t i = 0; i < lengths->count; i++)
		saved += lengths->len[i] > most ? lengths->len[i] - most : 0;
	return saved;
}

/* The longest string length that saves @excess; 0 when none does. */
static size_t find_length(const cJSON *json, size_t excess, size_t max)
{
	_cleanup_(lengths_done) struct lengths lengths = { 0 };
	size_t low = 0, high = max;	/* low saves enough or is 0; high + 1 may not */

	if (!measure(json, &lengths))
		return 0;
	while (low < high) {
		size_t middle = low + (high - low + 1) / 2;

		if (saved_at(&lengths, middle) >= excess)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

static void cut_string(char *text, size_t most)
{
	size_t len = 0, printed = 0;

	while (text[len] && printed + printed_byte((unsigned char)text[len]) <= most)
		printed += printed_byte((unsigned char)text[len++]);
	text[utf8_prefix(slice_of(text), len)] = '\0';
}

static void cut_strings(cJSON *json, size_t most)
{
	cJSON *child;

	if (cJSON_IsString(json) && printed_len(json->valuestring) > most)
		cut_string(json->valuestring, most);
	cJSON_ArrayForEach(child, json)
		cut_strings(child, most);
}

bool json_fit(cJSON **json, size_t max)
{
	_cleanup_(freep) char *text = NULL;
	size_t len, most;

	if (!*json)
		return false;
	if (cJSON_IsString(*json)) {
		char *value = (*json)->valuestring;

		if (strlen(value) <= max)
			return false;
		value[utf8_prefix(slice_of(value), max)] = '\0';
		return true;
	}
	text = cJSON_PrintUnformatted(*json);
	len = text ? strlen(text) : 0;
	if (text && len <= max)
		return false;

	most = text ? find_length(*json, len - max, max) : 0;
	if (most) {
		cut_strings(*json, most);
		return true;
	}
	cJSON_Delete(*json);
	if (text)
		text[utf8_prefix(slice_of(text), max)] = '\0';
	*json = text ? cJSON_CreateString(text) : NULL;
	return true;
}
