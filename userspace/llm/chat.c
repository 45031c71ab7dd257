/* SPDX-License-Identifier: Apache-2.0 */
/* Calls as Langfuse's input and output, for all dialects that are a chat at heart. */
#include "llm/chat.h"

#include "base/memory.h"
#include "llm/json.h"

static int by_index(const void *a, const void *b)
{
	const struct choice *x = *(const struct choice *const *)a;
	const struct choice *y = *(const struct choice *const *)b;

	return x->index < y->index ? -1 : x->index > y->index;
}

const struct choice **call_choices_sorted(const struct call *call)
{
	const struct choice **sorted;

	if (!call->choice_count)
		return NULL;
	sorted = calloc(call->choice_count, sizeof(*sorted));
	if (!sorted) {
		memory_failed();
		return NULL;
	}
	for (size_t i = 0; i < call->choice_count; i++)
		sorted[i] = &call->choices[i];
	qsort(sorted, call->choice_count, sizeof(*sorted), by_index);
	return sorted;
}

static void add_text(cJSON *object, const char *name, const struct buf *text)
{
	if (text->len)
		cJSON_AddStringToObject(object, name, buf_text(text));
}

static cJSON *function_json(const struct tool_call *tool, const char *arguments)
{
	cJSON *function = cJSON_CreateObject();

	cJSON_AddStringToObject(function, arguments, buf_text(&tool->arguments));
	cJSON_AddStringToObject(function, "name", buf_text(&tool->name));
	return function;
}

static cJSON *tool_json(const struct tool_call *tool)
{
	bool is_custom = strcmp(buf_text(&tool->type), "custom") == 0;
	cJSON *json = cJSON_CreateObject();

	add_text(json, "id", &tool->id);
	json_add(json, is_custom ? "custom" : "function",
		 function_json(tool, is_custom ? "input" : "arguments"));
	cJSON_AddStringToObject(json, "type", tool->type.len ? buf_text(&tool->type) : "function");
	return json;
}

static void add_tools(cJSON *message, const struct choice *choice)
{
	cJSON *tools;

	if (!choice->tool_count)
		return;
	if (strcmp(buf_text(&choice->tools[0].type), "function_call") == 0) {
		json_add(message, "function_call", function_json(&choice->tools[0], "arguments"));
		return;
	}
	tools = cJSON_AddArrayToObject(message, "tool_calls");
	for (size_t i = 0; i < choice->tool_count; i++)
		json_append(tools, tool_json(&choice->tools[i]));
}

cJSON *chat_message(const struct call *call, const struct choice *choice)
{
	cJSON *message = cJSON_CreateObject();

	cJSON_AddStringToObject(message, "role",
				choice->role.len ? buf_text(&choice->role) : "assistant");
	add_tools(message, choice);
	if (choice->has_content || choice->content.len)
		cJSON_AddStringToObject(message, "content", buf_text(&choice->content));
	else if (!call->is_stream)
		cJSON_AddNullToObject(message, "content");
	add_text(message, "refusal", &choice->refusal);
	add_text(message, "reasoning", &choice->reasoning);
	json_add_copy(message, "parts", choice->parts);
	return message;
}

cJSON *chat_output(const struct call *call)
{
	_cleanup_(freep) const struct choice **choices = call_choices_sorted(call);
	cJSON *array;

	if (!choices)
		return call_output(call);
	if (call->choice_count == 1)
		return chat_message(call, choices[0]);
	array = cJSON_CreateArray();
	for (size_t i = 0; i < call->choice_count; i++)
		json_append(array, chat_message(call, choices[i]));
	return array;
}

static cJSON *text_json(const struct call *call, const struct choice *choice)
{
	if (choice->reasoning.len)
		return chat_message(call, choice);
	return choice->has_content ? cJSON_CreateString(buf_text(&choice->content)) : NULL;
}

cJSON *text_output(const struct call *call)
{
	_cleanup_(freep) const struct choice **choices = call_choices_sorted(call);
	cJSON *array;

	if (!choices)
		return call_output(call);
	if (call->choice_count == 1)
		return text_json(call, choices[0]);
	array = cJSON_CreateArray();
	for (size_t i = 0; i < call->choice_count; i++)
		json_append(array, text_json(call, choices[i]));
	return array;
}

static cJSON *messages_json(const cJSON *messages, const cJSON *system)
{
	cJSON *array, *first;
	const cJSON *item;

	if (!system)
		return messages ? cJSON_Duplicate(messages, /* recurse */ 1) : NULL;
	array = cJSON_CreateArray();
	first = cJSON_CreateObject();
	cJSON_AddStringToObject(first, "role", "system");
	json_add_copy(first, "content", system);
	json_append(array, first);
	if (!cJSON_IsArray(messages)) {
		json_append(array, messages ? cJSON_Duplicate(messages, /* recurse */ 1) : NULL);
		return array;
	}
	cJSON_ArrayForEach(item, messages)
		json_append(array, cJSON_Duplicate(item, /* recurse */ 1));
	return array;
}

cJSON *chat_with_tools(cJSON *messages, const cJSON *tools)
{
	cJSON *object;

	if (!tools)
		return messages;
	object = cJSON_CreateObject();
	json_add_copy(object, "tools", tools);
	json_add(object, "messages", messages);
	return object;
}

cJSON *chat_input(const struct call *call, const char *messages, const cJSON *system)
{
	const cJSON *tools = json_get(call->request, "tools");

	if (!call->request)
		return call_request_text(call);
	return chat_with_tools(messages_json(json_get(call->request, messages), system), tools);
}

bool chat_add(struct call *call, struct buf *buf, const char *text)
{
	if (!text || !*text)
		return false;
	call_add(call, buf, text);
	return true;
}

struct tool_call *chat_add_tool(struct call *call, struct choice *choice, const char *id,
				const char *name, const cJSON *arguments)
{
	struct tool_call *tool = choice_tool(call, choice, choice->tool_count);
	_cleanup_(freep) char *text = NULL;

	if (!tool)
		return NULL;
	chat_add(call, &tool->id, id);
	chat_add(call, &tool->name, name);
	if (cJSON_IsString(arguments)) {
		chat_add(call, &tool->arguments, arguments->valuestring);
	} else if (arguments) {
		text = cJSON_PrintUnformatted(arguments);
		chat_add(call, &tool->arguments, text);
	}
	return tool;
}

static bool is_tokens(const cJSON *array)
{
	const cJSON *item = NULL;

	cJSON_ArrayForEach(item, array)
		if (!cJSON_IsNumber(item))
			return false;
	return cJSON_IsArray(array) && array->child;
}

static cJSON *token_note(const cJSON *tokens)
{
	char text[48];

	snprintf(text, sizeof(text), "[%d tokens]", cJSON_GetArraySize(tokens));
	return cJSON_CreateString(text);
}

cJSON *chat_prompt(const cJSON *prompt)
{
	const cJSON *item;
	cJSON *array;

	if (!prompt)
		return NULL;
	if (!cJSON_IsArray(prompt))
		return cJSON_Duplicate(prompt, /* recurse */ 1);
	if (is_tokens(prompt))
		return token_note(prompt);
	array = cJSON_CreateArray();
	cJSON_ArrayForEach(item, prompt)
		json_append(array, is_tokens(item) ? token_note(item) : cJSON_Duplicate(item, /* recurse */ 1));
	return array;
}

cJSON *call_request_text(const struct call *call)
{
	return call->request_text.len ? cJSON_CreateString(buf_text(&call->request_text)) : NULL;
}

cJSON *call_request_members(const struct call *call, const char *const *names)
{
	return call->request ? json_members(call->request, names) : call_request_text(call);
}

cJSON *call_output(const struct call *call)
{
	return call->output ? cJSON_Duplicate(call->output, /* recurse */ 1) : NULL;
}

size_t vector_dimensions(const cJSON *vector)
{
	size_t len;

	if (cJSON_IsArray(vector))
		return (size_t)cJSON_GetArraySize(vector);
	if (!cJSON_IsString(vector))
		return 0;
	len = strlen(vector->valuestring);
	while (len && vector->valuestring[len - 1] == '=')
		len--;
	return len * 3 / 4 / sizeof(float);
}

cJSON *vectors_note(size_t dimensions, size_t count)
{
	cJSON *note = cJSON_CreateObject();

	if (dimensions)
		cJSON_AddNumberToObject(note, "dimensions", (double)dimensions);
	cJSON_AddNumberToObject(note, "count", (double)count);
	return note;
}
