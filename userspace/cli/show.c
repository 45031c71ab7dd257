/* SPDX-License-Identifier: Apache-2.0 */
/* `gentap show ID`: a generation whole, or all of a trace. */
#include <errno.h>
#include <string.h>

#include "cli/commands.h"
#include "llm/json.h"
#include "cli/list.h"
#include "cli/say.h"
#include "export/terminal.h"

enum { MATCHES_MAX = 32, ID_SIZE = 64 };

struct match {
	struct buf line;
	char id[ID_SIZE], trace_id[ID_SIZE];
};

struct matches {
	struct match items[MATCHES_MAX];
	size_t count;
};

static void matches_done(struct matches *matches)
{
	for (size_t i = 0; i < matches->count; i++)
		buf_done(&matches->items[i].line);
}

static void copy_id(const cJSON *generation, const char *name, char ret[ID_SIZE])
{
	const char *text = json_string(generation, name);

	snprintf(ret, ID_SIZE, "%s", text ? text : "");
}

static bool add_match(void *ctx, const struct store_row *row)
{
	_cleanup_(json_freep) cJSON *generation = cJSON_ParseWithLength(row->line.ptr, row->line.len);
	struct matches *matches = ctx;
	struct match *match = &matches->items[matches->count];

	if (!generation)
		return true;
	*match = (struct match){ .line = BUF_INIT(LIST_LINE_MAX) };
	buf_add_slice(&match->line, row->line);
	copy_id(generation, "id", match->id);
	copy_id(generation, "traceId", match->trace_id);
	return ++matches->count < MATCHES_MAX;
}

/* All of one trace, and asked for by its trace id? */
static bool are_one_trace(const struct matches *matches, const char *prefix)
{
	for (size_t i = 0; i < matches->count; i++)
		if (strncmp(matches->items[i].trace_id, prefix, strlen(prefix)) != 0 ||
		    strcmp(matches->items[i].trace_id, matches->items[0].trace_id) != 0)
			return false;
	return true;
}

static int fail_ambiguous(const struct matches *matches, const char *prefix)
{
	_cleanup_(buf_done) struct buf ids = BUF_INIT(SAY_TEXT_MAX);

	for (size_t i = 0; i < matches->count; i++)
		buf_printf(&ids, "%s %s", i ? "," : "", matches->items[i].id);
	return fail(EXIT_FAILED, "'%s' fits several generations; use one of:%s%s", prefix, buf_text(&ids),
		    matches->count == MATCHES_MAX ? ", ..." : "");
}

static int show_match(const struct match *match, bool is_json)
{
	struct terminal_options terminal = { .has_colour = say_has_colour(STDOUT_FILENO) };
	_cleanup_(buf_done) struct buf text = BUF_INIT(LIST_LINE_MAX);
	_cleanup_(json_freep) cJSON *generation = NULL;

	if (is_json) {
		buf_add_slice(&text, buf_slice(&match->line));
		buf_add_char(&text, '\n');
		return say_result(&text);
	}
	generation = cJSON_ParseWithLength(match->line.ptr, match->line.len);
	if (!generation)
		return fail(EXIT_FAILED, "out of memory");
	terminal_show(&terminal, generation, &text);
	return say_result(&text);
}

static bool is_hex(const char *text)
{
	return *text && text[strspn(text, "0123456789abcdef")] == '\0';
}

int show_run(const struct options *options)
{
	_cleanup_(settings_done) struct settings settings = {};
	_cleanup_(matches_done) struct matches matches = {};
	_cleanup_(store_close) struct store *store = NULL;
	const char *prefix = options->operands[0];
	int r, code = options_settings(options, &settings);

	if (code == EXIT_OK && !is_hex(prefix))
		code = fail(EXIT_USAGE, "'%s' is not an id: want the beginning of one that `gentap ls` shows", prefix);
	if (code == EXIT_OK)
		code = list_open(&settings, &store);
	if (code != EXIT_OK)
		return code;
	r = store_each_id(store, prefix, MATCHES_MAX, add_match, &matches);
	if (r < 0)
		return fail(EXIT_FAILED, "cannot read '%s': %s", settings_text(&settings, SETTING_STORE), strerror(-r));
	if (!matches.count)
		return fail(EXIT_FAILED, "no generation '%s'; `gentap ls` lists those there are", prefix);
	if (matches.count > 1 && !are_one_trace(&matches, prefix))
		return fail_ambiguous(&matches, prefix);
	for (size_t i = 0; i < matches.count && code == EXIT_OK; i++)
		code = show_match(&matches.items[i], options->is_json);
	return code;
}
