/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/list.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "base/text.h"
#include "llm/json.h"
#include "cli/say.h"

enum { WORDS_MAX = 60 };

int list_open(const struct settings *settings, struct store **ret)
{
	const char *path = settings_text(settings, SETTING_STORE), *error = NULL;
	int r;

	if (!path)
		return fail(EXIT_USAGE, "no place for the store: set HOME or GENTAP_STORE, or use --store FILE");
	if (access(path, F_OK) < 0 && errno == ENOENT)
		return fail(EXIT_FAILED, "no store at '%s' yet: `gentap attach` writes it "
			    "(what ran under sudo: `sudo gentap ls`)", path);
	r = store_open(ret, path, /* is_read_only */ true, &error);
	if (r < 0)
		return fail(EXIT_FAILED, "cannot open '%s': %s", path, error ? error : strerror(-r));
	return EXIT_OK;
}

static bool json_number(const cJSON *object, const char *name, double *ret)
{
	const cJSON *item = json_get(object, name);

	if (!cJSON_IsNumber(item))
		return false;
	*ret = item->valuedouble;
	return true;
}

/* --- a generation's columns ------------------------------------------------- */

/* Seconds since 1970 of "2026-11-18T11:06:40.310000000Z"; false when it is not that. */
static bool parse_time(const char *text, double *ret)
{
	struct tm tm = {};
	const char *rest = text ? strptime(text, "%Y-%m-%dT%H:%M:%S", &tm) : NULL;

	if (!rest)
		return false;
	*ret = (double)timegm(&tm) + (*rest == '.' ? strtod(rest, NULL) : 0);
	return true;
}

static void add_time(const cJSON *generation, struct buf *ret)
{
	char text[32] = "-";
	double seconds;
	struct tm tm;
	time_t whole;

	if (parse_time(json_string(generation, "startTime"), &seconds)) {
		whole = (time_t)seconds;
		strftime(text, sizeof(text), "%m-%d %H:%M:%S", localtime_r(&whole, &tm));
	}
	buf_printf(ret, "%-14s ", text);
}

static void add_column(struct buf *ret, int width, const char *text)
{
	_cleanup_(buf_done) struct buf clean = BUF_INIT(1024);

	text_add_scrubbed(&clean, slice_of(text ? text : "-"));
	buf_printf(ret, "%-*.*s ", width, (int)utf8_prefix(buf_slice(&clean), (size_t)width), buf_text(&clean));
}

static void add_status(const cJSON *generation, struct buf *ret)
{
	const cJSON *http = json_get(generation, "http");
	double status;

	if (json_number(http, "status", &status))
		buf_printf(ret, "%6.0f ", status);
	else
		buf_printf(ret, "%6s ", "-");
}

/* What went in and came out in all, the parts of both together. */
static void add_tokens(const cJSON *generation, struct buf *ret)
{
	const cJSON *usage = json_get(generation, "usageDetails"), *part;
	bool has_in = false, has_out = false;
	double in = 0, out = 0;
	char text[48];
	int len;

	cJSON_ArrayForEach(part, usage) {
		if (!cJSON_IsNumber(part))
			continue;
		if (strncmp(part->string, "input", 5) == 0) {
			in += part->valuedouble;
			has_in = true;
		} else if (strncmp(part->string, "output", 6) == 0) {
			out += part->valuedouble;
			has_out = true;
		}
	}
	len = has_in ? snprintf(text, sizeof(text), "%.0f", in) : snprintf(text, sizeof(text), "-");
	if (has_out)
		snprintf(text + len, sizeof(text) - (size_t)len, "→%.0f", out);
	/* The arrow is three bytes and one column. */
	buf_printf(ret, "%*s ", has_out ? 13 : 11, text);
}

static void add_ms(bool is_known, double ms, struct buf *ret)
{
	char text[32] = "-";

	if (is_known && ms < 10000)
		snprintf(text, sizeof(text), "%.0f ms", ms);
	else if (is_known)
		snprintf(text, sizeof(text), "%.1f s", ms / 1000);
	buf_printf(ret, "%8s ", text);
}

static void add_times(const cJSON *generation, struct buf *ret)
{
	const cJSON *timing = json_get(generation, "timing");
	double ttft_ms = 0, start = 0, end = 0;
	bool has_ttft = json_number(timing, "ttftMs", &ttft_ms);
	bool has_span = parse_time(json_string(generation, "startTime"), &start) &&
			parse_time(json_string(generation, "endTime"), &end);

	add_ms(has_ttft, ttft_ms, ret);
	add_ms(has_span, (end - start) * 1000, ret);
}

/* A text, a message, or the first of several. */
static const char *words_of(const cJSON *value)
{
	const cJSON *content;

	if (cJSON_IsArray(value))
		value = cJSON_GetArrayItem(value, 0);
	if (cJSON_IsString(value))
		return value->valuestring;
	content = json_get(value, "content");
	if (cJSON_IsArray(content))
		return json_string(cJSON_GetArrayItem(content, 0), "text");
	return cJSON_GetStringValue(content);
}

static void add_words(const cJSON *generation, struct buf *ret)
{
	const char *words = json_string(generation, "statusMessage");
	_cleanup_(buf_done) struct buf clean = BUF_INIT(4 * WORDS_MAX);
	struct slice text;

	if (!words)
		words = words_of(json_get(generation, "output"));
	if (!words)
		words = "-";
	text = slice_of(words);
	text_add_scrubbed(&clean, (struct slice){ text.ptr, utf8_prefix(text, WORDS_MAX) });
	buf_printf(ret, "%s%s\n", buf_text(&clean), text.len > WORDS_MAX ? "…" : "");
}

void list_heads(struct buf *ret)
{
	buf_printf(ret, "%-14s %-16s %-24s %-6s %6s %13s %8s %8s %s\n", "TIME", "ID", "MODEL", "ROLE", "STATUS",
		   "IN→OUT", "TTFT", "TOOK", "FIRST WORDS");
}

void list_line(struct slice line, struct buf *ret)
{
	_cleanup_(json_freep) cJSON *generation = cJSON_ParseWithLength(line.ptr, line.len);

	if (!generation) {
		buf_add_text(ret, "(a line that does not parse)\n");
		return;
	}
	add_time(generation, ret);
	add_column(ret, 16, json_string(generation, "id"));
	add_column(ret, 24, json_string(generation, "model"));
	add_column(ret, 6, json_string(generation, "role"));
	add_status(generation, ret);
	add_tokens(generation, ret);
	add_times(generation, ret);
	add_words(generation, ret);
}
