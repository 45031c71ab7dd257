/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A whole generation for people: facts, input role by role, output, error,
 * evidence. All text is scrubbed; its line breaks stay.
 */
#include "export/terminal.h"

#include <time.h>

#include "base/text.h"
#include "export/columns.h"
#include "export/line.h"
#include "limits.h"

enum { INDENT = 2, TEXT_INDENT = 4, LABEL_WIDTH = 12 };

struct view {
	const struct terminal_options *options;
	struct buf *out;
};

static void add_coloured(const struct view *view, const char *colour, const char *text)
{
	if (view->options->has_colour)
		buf_add_text(view->out, colour);
	text_add_scrubbed(view->out, slice_of(text));
	if (view->options->has_colour)
		buf_add_text(view->out, COLOUR_NONE);
}

static void add_heading(const struct view *view, const char *text)
{
	buf_add_char(view->out, '\n');
	add_coloured(view, COLOUR_BOLD, text);
	buf_add_char(view->out, '\n');
}

static void add_label(const struct view *view, const char *label)
{
	buf_printf(view->out, "%*s%-*s", INDENT, "", LABEL_WIDTH, label);
}

static void add_fact(const struct view *view, const char *label, const char *text)
{
	if (!text || !*text)
		return;
	add_label(view, label);
	text_add_scrubbed(view->out, slice_of(text));
	buf_add_char(view->out, '\n');
}

/* Every line of the text, indented: the scrubber itself would join them. */
static void add_text(const struct view *view, const char *text)
{
	struct slice rest = slice_of(text);

	do {
		const char *end = rest.len ? memchr(rest.ptr, '\n', rest.len) : NULL;
		struct slice line = slice_take(&rest, end ? (size_t)(end - rest.ptr) : rest.len);

		if (line.len && line.ptr[line.len - 1] == '\r')
			line.len--;
		buf_printf(view->out, "%*s", line.len ? TEXT_INDENT : 0, "");
		text_add_scrubbed(view->out, line);
		buf_add_char(view->out, '\n');
		if (end)
			slice_take(&rest, 1);
	} while (rest.len);
}

static void add_json(const struct view *view, const cJSON *value)
{
	char *text = cJSON_Print(value);

	add_text(view, text ? text : "(out of memory)");
	cJSON_free(text);
}

static void add_value(const struct view *view, const cJSON *value)
{
	if (cJSON_IsString(value))
		add_text(view, value->valuestring);
	else
		add_json(view, value);
}

/* --- facts ------------------------------------------------------------------- */

static void add_time(const struct view *view, const cJSON *line)
{
	uint64_t start_ns, end_ns;
	char text[96], took[32];
	struct tm tm;
	time_t s;
	size_t len;

	if (!line_time_ns(line, "startTime", &start_ns))
		return;
	s = (time_t)(start_ns / 1000000000);
	if (!localtime_r(&s, &tm))
		return;
	len = strftime(text, sizeof(text), "%F %T", &tm);
	len += (size_t)snprintf(text + len, sizeof(text) - len, ".%03u", (unsigned)(start_ns / 1000000 % 1000));
	if (line_time_ns(line, "endTime", &end_ns)) {
		duration_text((double)elapsed_ns(start_ns, end_ns) / 1e6, took, sizeof(took));
		snprintf(text + len, sizeof(text) - len, ", took %s", took);
	}
	add_fact(view, "time", text);
}

/* The strings and numbers at @paths, joined by spaces. */
static void add_joined(const struct view *view, const char *label, const cJSON *line,
		       const char *const *paths)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(4 * KiB);

	for (; *paths; paths++) {
		const cJSON *value = line_at(line, *paths);

		if (!cJSON_IsString(value) && !cJSON_IsNumber(value))
			continue;
		if (text.len)
			buf_add_char(&text, ' ');
		if (cJSON_IsString(value))
			buf_add_text(&text, value->valuestring);
		else
			buf_printf(&text, "%.15g", value->valuedouble);
	}
	add_fact(view, label, buf_text(&text));
}

/* "name value, name value" of an object's members. */
static void add_members(const struct view *view, const char *label, const cJSON *object)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(64 * KiB);
	const cJSON *member;

	cJSON_ArrayForEach(member, object) {
		char *value = cJSON_IsString(member) ? NULL : cJSON_PrintUnformatted(member);

		buf_printf(&text, "%s%s %s", text.len ? ", " : "", member->string ? member->string : "",
			   cJSON_IsString(member) ? member->valuestring : value ? value : "");
		cJSON_free(value);
	}
	add_fact(view, label, buf_text(&text));
}

static void add_facts(const struct view *view, const cJSON *line)
{
	static const char *const process[] = { "process.comm", "process.pid", "role", NULL };
	static const char *const model[] = { "model", "provider", "dialect", NULL };
	static const char *const http[] = { "http.method", "http.host", "http.path", "http.status", NULL };
	static const char *const request[] = { "http.requestId", NULL };
	static const char *const peer[] = { "connection.peer", NULL };
	static const char *const finish[] = { "finishReason", NULL };

	add_fact(view, "trace", line_text(line, "traceId"));
	add_fact(view, "parent", line_text(line, "parentId"));
	add_time(view, line);
	add_joined(view, "process", line, process);
	add_joined(view, "model", line, model);
	add_members(view, "parameters", line_at(line, "modelParameters"));
	add_joined(view, "http", line, http);
	add_joined(view, "request id", line, request);
	add_joined(view, "peer", line, peer);
	add_members(view, "timing", line_at(line, "timing"));
	add_members(view, "usage", line_at(line, "usageDetails"));
	add_members(view, "cost", line_at(line, "costDetails"));
	add_joined(view, "finish", line, finish);
	add_members(view, "metadata", line_at(line, "metadata"));
	add_members(view, "evidence", line_at(line, "evidence"));
}

/* --- messages ---------------------------------------------------------------- */

static void add_content(const struct view *view, const cJSON *content)
{
	const cJSON *part;

	if (!cJSON_IsArray(content)) {
		if (content && !cJSON_IsNull(content))
			add_value(view, content);
		return;
	}
	cJSON_ArrayForEach(part, content) {
		const char *text = line_text(part, "text");

		if (text)
			add_text(view, text);
		else
			add_json(view, part);
	}
}

static void add_tool_calls(const struct view *view, const cJSON *message)
{
	const cJSON *tool;

	cJSON_ArrayForEach(tool, line_at(message, "tool_calls")) {
		const char *name = line_text(tool, "function.name");
		const char *arguments = line_text(tool, "function.arguments");
		_cleanup_(buf_done) struct buf text = BUF_INIT(LIMIT_BATCH_SINGLE);

		buf_printf(&text, "%s(%s)", name ? name : "tool", arguments ? arguments : "");
		add_text(view, buf_text(&text));
	}
}

static void add_message(const struct view *view, const cJSON *message)
{
	const char *role = line_text(message, "role");

	if (!role) {
		add_value(view, message);
		return;
	}
	buf_printf(view->out, "%*s", INDENT, "");
	add_coloured(view, COLOUR_DIM, role);
	buf_add_char(view->out, '\n');
	add_content(view, line_at(message, "content"));
	if (line_text(message, "refusal"))
		add_text(view, line_text(message, "refusal"));
	add_tool_calls(view, message);
}

static void add_messages(const struct view *view, const cJSON *value)
{
	const cJSON *message;

	if (!cJSON_IsArray(value)) {
		add_message(view, value);
		return;
	}
	cJSON_ArrayForEach(message, value)
		add_message(view, message);
}

static void add_input(const struct view *view, const cJSON *input)
{
	const cJSON *messages = line_at(input, "messages");

	if (!input || cJSON_IsNull(input))
		return;
	if (line_at(input, "tools")) {
		add_heading(view, "tools");
		add_json(view, line_at(input, "tools"));
	}
	add_heading(view, "input");
	add_messages(view, messages ? messages : input);
}

void terminal_show(const struct terminal_options *options, const cJSON *generation, struct buf *ret)
{
	struct view view = { options, ret };
	const char *name = line_text(generation, "name"), *id = line_text(generation, "id");
	const char *message = line_text(generation, "statusMessage");
	const cJSON *output = line_at(generation, "output");

	add_coloured(&view, COLOUR_BOLD, name ? name : "generation");
	buf_add_char(ret, ' ');
	add_coloured(&view, COLOUR_NONE, id ? id : "-");
	buf_add_char(ret, '\n');
	add_facts(&view, generation);
	add_input(&view, line_at(generation, "input"));
	if (output && !cJSON_IsNull(output)) {
		add_heading(&view, "output");
		add_messages(&view, output);
	}
	if (message) {
		add_heading(&view, "message");
		add_text(&view, message);
	}
}
