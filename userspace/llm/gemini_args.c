/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Arguments of a function call that Vertex streams: {"jsonPath": "$.a.b[0]",
 * "stringValue": "piece", "willContinue": true}. The model writes them in order, so
 * their JSON text is written as they come: what the former path has open beyond the
 * part that both share is closed, what the new one needs is opened.
 *
 * call->scratch while a call is being streamed: "s" when its last string is open,
 * else "-", and behind it the last path, "" before the first.
 *
 * Source: Vertex AI reference, "PartialArg"; paths: RFC 9535, names and indices only.
 */
#include "llm/gemini.h"
#include "llm/json.h"

struct segment {
	struct slice text;	/* a name, or the digits of an index */
	bool is_index;
};

/* Next of .name, [0], ['name']. */
static bool next_segment(struct slice *path, struct segment *ret)
{
	const char *end;
	size_t len = 0;

	while (path->len && (path->ptr[0] == '$' || path->ptr[0] == '.'))
		slice_take(path, 1);
	if (!path->len)
		return false;
	if (path->ptr[0] != '[') {
		while (len < path->len && path->ptr[len] != '.' && path->ptr[len] != '[')
			len++;
		*ret = (struct segment){ .text = slice_take(path, len) };
		return true;
	}
	slice_take(path, 1);
	end = path->len ? memchr(path->ptr, ']', path->len) : NULL;
	ret->text = slice_take(path, end ? (size_t)(end - path->ptr) : path->len);
	if (end)
		slice_take(path, 1);
	ret->is_index = ret->text.len && ret->text.ptr[0] != '\'' && ret->text.ptr[0] != '"';
	if (!ret->is_index && ret->text.len >= 2)
		ret->text = (struct slice){ ret->text.ptr + 1, ret->text.len - 2 };
	return true;
}

static size_t segment_count(struct slice path)
{
	struct segment segment;
	size_t count = 0;

	while (next_segment(&path, &segment))
		count++;
	return count;
}

/* How many containers both paths go through, the outermost not counted. */
static size_t common_containers(struct slice a, struct slice b)
{
	size_t most = MIN(segment_count(a), segment_count(b)), common = 0;
	struct segment x, y;

	while (common + 1 < most && next_segment(&a, &x) && next_segment(&b, &y) &&
	       x.is_index == y.is_index && slice_eq(x.text, y.text))
		common++;
	return common;
}

/* JSON text of @text between its quotes. */
static void add_escaped(struct call *call, struct buf *buf, const char *text)
{
	_cleanup_(json_freep) cJSON *string = cJSON_CreateString(text);
	_cleanup_(freep) char *quoted = string ? cJSON_PrintUnformatted(string) : NULL;

	if (!quoted)
		return;
	quoted[strlen(quoted) - 1] = '\0';
	call_add(call, buf, quoted + 1);
}

/* Closes the containers of @path but for the first @keep below the outermost. */
static void close_containers(struct call *call, struct buf *buf, struct slice path, size_t keep)
{
	_cleanup_(buf_done) struct buf closers = BUF_INIT(path.len + 1);
	struct segment segment;

	for (size_t i = 0; next_segment(&path, &segment); i++)
		if (i > keep)
			buf_add_char(&closers, segment.is_index ? ']' : '}');
	for (size_t i = closers.len; i-- > 0;)
		call_add(call, buf, (char [2]){ closers.ptr[i] });
}

/* Opens those of @path beyond the first @kept, and names the value in the last. */
static void open_containers(struct call *call, struct buf *buf, struct slice path, size_t kept)
{
	_cleanup_(buf_done) struct buf name = BUF_INIT(path.len);
	struct segment segment;

	for (size_t i = 0; next_segment(&path, &segment); i++) {
		if (i > kept)
			call_add(call, buf, segment.is_index ? "[" : "{");
		if (i < kept || segment.is_index)
			continue;
		buf_reset(&name);
		buf_add_slice(&name, segment.text);
		call_add(call, buf, "\"");
		add_escaped(call, buf, buf_text(&name));
		call_add(call, buf, "\":");
	}
}

static struct slice last_path(const struct call *call)
{
	struct slice state = buf_slice(&call->scratch);

	if (state.len)
		slice_take(&state, 1);
	return state;
}

static bool is_string_open(const struct call *call)
{
	return call->scratch.len && call->scratch.ptr[0] == 's';
}

static void go_to(struct call *call, struct buf *buf, struct slice path)
{
	struct slice last = last_path(call);
	size_t common = last.len ? common_containers(last, path) : 0;

	if (is_string_open(call))
		call_add(call, buf, "\"");
	if (last.len)
		close_containers(call, buf, last, common);
	call_add(call, buf, last.len ? "," : "{");
	open_containers(call, buf, path, common);
}

static void add_value(struct call *call, struct buf *buf, const cJSON *argument)
{
	const cJSON *value = json_get(argument, "numberValue");
	_cleanup_(freep) char *text = NULL;

	if (!value)
		value = json_get(argument, "boolValue");
	text = value ? cJSON_PrintUnformatted(value) : NULL;
	call_add(call, buf, text ? text : "null");
}

/* A string that will go on may begin without a value. */
static const char *text_of(const cJSON *argument, bool is_more)
{
	const char *text = json_string(argument, "stringValue");

	if (!text && is_more && !json_get(argument, "numberValue") && !json_get(argument, "boolValue"))
		return "";
	return text;
}

void gemini_add_argument(struct call *call, struct tool_call *tool, const cJSON *argument)
{
	struct slice path = slice_of(json_string(argument, "jsonPath"));
	bool is_more = cJSON_IsTrue(json_get(argument, "willContinue"));
	bool is_open = is_string_open(call) && slice_eq(last_path(call), path);
	const char *text = text_of(argument, is_more);

	if (!segment_count(path))
		return;
	if (!is_open) {
		go_to(call, &tool->arguments, path);
		call_add(call, &tool->arguments, text ? "\"" : "");
		is_open = text != NULL;
	}
	if (text)
		add_escaped(call, &tool->arguments, text);
	else if (!is_open)
		add_value(call, &tool->arguments, argument);
	if (is_open && !is_more)
		call_add(call, &tool->arguments, "\"");
	buf_reset(&call->scratch);
	buf_add_char(&call->scratch, is_open && is_more ? 's' : '-');
	buf_add_slice(&call->scratch, path);
}

void gemini_end_arguments(struct call *call, struct tool_call *tool)
{
	struct slice last = last_path(call);

	if (is_string_open(call))
		call_add(call, &tool->arguments, "\"");
	if (last.len) {
		close_containers(call, &tool->arguments, last, 0);
		call_add(call, &tool->arguments, "}");
	}
	buf_reset(&call->scratch);
}
