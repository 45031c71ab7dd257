/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Chat completions, whole and streamed, of OpenAI and of all who speak its
 * grammar. A stream's deltas and a body's messages go through the same readers:
 * a message is one delta that holds everything.
 */
#include "llm/json.h"
#include "llm/openai.h"

static bool is_request(const cJSON *body)
{
	return json_array(body, "messages") != NULL;
}

bool openai_is_chat_response(const cJSON *body)
{
	const char *object = json_string(body, "object");

	return json_array(body, "choices") || (object && strncmp(object, "chat.completion", 15) == 0);
}

static bool set_once(struct call *call, struct buf *buf, const char *text)
{
	return !buf->len && chat_add(call, buf, text);
}

/* Mistral's thinking part holds parts of its own. */
static bool add_thinking(struct call *call, struct choice *choice, const cJSON *thinking)
{
	const cJSON *part;
	bool has_any = false;

	if (cJSON_IsString(thinking))
		return chat_add(call, &choice->reasoning, thinking->valuestring);
	cJSON_ArrayForEach(part, thinking)
		has_any |= chat_add(call, &choice->reasoning, json_string(part, "text"));
	return has_any;
}

/* Text, or (Mistral) an array of parts. */
static bool read_content(struct call *call, struct choice *choice, const cJSON *content)
{
	const cJSON *part;
	bool has_any = false;

	if (cJSON_IsString(content)) {
		choice->has_content = true;
		return chat_add(call, &choice->content, content->valuestring);
	}
	if (!cJSON_IsArray(content))
		return false;
	cJSON_ArrayForEach(part, content) {
		has_any |= chat_add(call, &choice->content, json_string(part, "text"));
		has_any |= add_thinking(call, choice, json_get(part, "thinking"));
	}
	choice->has_content |= choice->content.len > 0;
	return has_any;
}

static bool read_audio(struct call *call, struct choice *choice, const cJSON *audio)
{
	const char *data = json_string(audio, "data");
	const char *transcript = json_string(audio, "transcript");
	bool has_any = (data && *data) || (transcript && *transcript);

	/* A stream's "" only announces the role. */
	if (call->is_stream || !choice->has_content)
		chat_add(call, &choice->content, transcript);
	return has_any;
}

/* Where a fragment without index belongs. */
static uint64_t place_without_index(const struct choice *choice, const cJSON *item,
				    uint64_t position, bool is_single)
{
	const char *id = json_string(item, "id");
	const char *name = json_string(json_get(item, "function"), "name");
	const struct tool_call *last = choice->tool_count ? &choice->tools[choice->tool_count - 1] : NULL;

	for (size_t i = 0; id && *id && i < choice->tool_count; i++)
		if (strcmp(buf_text(&choice->tools[i].id), id) == 0)
			return i;
	if (!last || (id && *id))
		return choice->tool_count;
	if (!is_single)
		return position;
	/* Gemini's compatible endpoint: each call whole, one an event, no id. */
	if (name && *name && last->arguments.len)
		return choice->tool_count;
	return choice->tool_count - 1;
}

/* A tool call is told by its index, except where a server gives the same one to
 * several calls: a second id with a name of its own is a new call. */
static uint64_t place_of(const struct choice *choice, const cJSON *item, uint64_t position, bool is_single)
{
	uint64_t index = json_count(item, "index");
	const char *id = json_string(item, "id");
	const char *name = json_string(json_get(item, "function"), "name");
	const struct tool_call *tool;

	if (index == COUNT_UNKNOWN)
		return place_without_index(choice, item, position, is_single);
	tool = index < choice->tool_count ? &choice->tools[index] : NULL;
	if (tool && tool->id.len && id && *id && name && *name &&
	    strcmp(buf_text(&tool->id), id) != 0)
		return place_without_index(choice, item, position, is_single);
	return index;
}

/* A name in pieces is joined; one that is repeated is not. */
static bool add_name(struct call *call, struct tool_call *tool, const char *name)
{
	if (!name || !*name)
		return false;
	if (strcmp(buf_text(&tool->name), name) != 0)
		call_add(call, &tool->name, name);
	return true;
}

/* Arguments are text; some servers send the object itself. */
static bool add_arguments(struct call *call, struct tool_call *tool, const cJSON *arguments)
{
	_cleanup_(freep) char *text = NULL;

	if (cJSON_IsObject(arguments)) {
		text = cJSON_PrintUnformatted(arguments);
		return chat_add(call, &tool->arguments, text);
	}
	return chat_add(call, &tool->arguments, cJSON_GetStringValue((cJSON *)arguments));
}

static bool read_tool(struct call *call, struct choice *choice, uint64_t place, const cJSON *item)
{
	struct tool_call *tool = choice_tool(call, choice, place);
	const cJSON *function = json_get(item, "function");
	const cJSON *custom = json_get(item, "custom");
	bool has_any;

	if (!tool)
		return false;
	set_once(call, &tool->id, json_string(item, "id"));
	set_once(call, &tool->type, json_string(item, "type"));
	has_any = add_name(call, tool, json_string(function ? function : custom, "name"));
	has_any |= add_arguments(call, tool, function ? json_get(function, "arguments")
						      : json_get(custom, "input"));
	return has_any;
}

static bool read_tools(struct call *call, struct choice *choice, const cJSON *tools)
{
	bool is_single = cJSON_GetArraySize(tools) == 1;
	bool has_any = false;
	uint64_t position = 0;
	const cJSON *item;

	cJSON_ArrayForEach(item, tools) {
		has_any |= read_tool(call, choice, place_of(choice, item, position, is_single), item);
		position++;
	}
	return has_any;
}

/* The form before tools: one call, without an id. */
static bool read_function_call(struct call *call, struct choice *choice, const cJSON *function)
{
	struct tool_call *tool = function ? choice_tool(call, choice, 0) : NULL;
	bool has_any;

	if (!tool)
		return false;
	set_once(call, &tool->type, "function_call");
	has_any = add_name(call, tool, json_string(function, "name"));
	has_any |= add_arguments(call, tool, json_get(function, "arguments"));
	return has_any;
}

/* A delta or a whole message. True when it bears content of any kind. */
static bool read_message(struct call *call, struct choice *choice, const cJSON *message)
{
	const char *reasoning = json_string(message, "reasoning_content");
	bool has_any;

	/* Some gateways send the same text under both names. */
	if (!reasoning || !*reasoning)
		reasoning = json_string(message, "reasoning");
	set_once(call, &choice->role, json_string(message, "role"));
	has_any = read_content(call, choice, json_get(message, "content"));
	has_any |= chat_add(call, &choice->reasoning, reasoning);
	has_any |= chat_add(call, &choice->refusal, json_string(message, "refusal"));
	has_any |= read_tools(call, choice, json_array(message, "tool_calls"));
	has_any |= read_function_call(call, choice, json_get(message, "function_call"));
	has_any |= read_audio(call, choice, json_get(message, "audio"));
	return has_any;
}

/* True when one of the body's choices bears content. */
static bool read_choices(struct call *call, const cJSON *body, const char *member)
{
	bool has_any = false;
	uint64_t position = 0;
	const cJSON *item;

	cJSON_ArrayForEach(item, json_array(body, "choices")) {
		const cJSON *message = json_get(item, member);
		struct choice *choice = openai_choice(call, item, position++);

		if (!choice)
			continue;
		if (message)
			has_any |= read_message(call, choice, message);
		openai_read_finish(call, choice, item);
	}
	return has_any;
}

void openai_read_chat_event(struct call *call, const struct call_event *event)
{
	openai_read_envelope(call, event->data);
	if (read_choices(call, event->data, "delta"))
		call_chunk(call, event->time_ns);
}

void openai_read_chat_response(struct call *call, const cJSON *body)
{
	openai_read_envelope(call, body);
	read_choices(call, body, "message");
}

static cJSON *input(const struct call *call)
{
	static const char *const before[] = { "functions", "function_call", "tools" };
	const cJSON *messages = json_get(call->request, "messages");
	cJSON *object;

	if (!call->request)
		return call_request_text(call);
	object = cJSON_CreateObject();
	for (size_t i = 0; i < ARRAY_SIZE(before); i++)
		json_add_copy(object, before[i], json_get(call->request, before[i]));
	if (object && object->child) {
		json_add_copy(object, "messages", messages);
		return object;
	}
	cJSON_Delete(object);
	return messages ? cJSON_Duplicate(messages, /* recurse */ 1) : NULL;
}

/* One streamed choice: its text alone, if text is all there is. */
static cJSON *stream_json(const struct call *call, const struct choice *choice)
{
	if (choice->tool_count || choice->refusal.len || choice->reasoning.len)
		return chat_message(call, choice);
	/* Ended without text: the output is known to be empty. Else it is unknown. */
	if (!choice->content.len && !choice->finish_reason.len)
		return NULL;
	return cJSON_CreateString(buf_text(&choice->content));
}

static cJSON *output(const struct call *call)
{
	_cleanup_(freep) const struct choice **choices = call_choices_sorted(call);

	if (choices && call->choice_count == 1 && call->is_stream)
		return stream_json(call, choices[0]);
	return chat_output(call);
}

const struct dialect openai_chat = {
	.name = "openai.chat",
	.title = "OpenAI chat completions",
	.streams = "SSE",
	.generation_name = "OpenAI-generation",
	.operation = OPERATION_CHAT,
	.has_media = true,
	.routes = (const char *const[]){
		"/openai/deployments/{}/chat/completions", "/chat/completions", "/agents/completions",
		"/publishers/mistralai/models/{}:rawPredict", "/publishers/mistralai/models/{}:streamRawPredict",
		"/chat/completions/batch",	/* vLLM: one answer of several conversations */
		"/invocations",			/* SageMaker: the body tells */
		NULL,
	},
	.is_request = is_request,
	.is_response = openai_is_chat_response,
	.request = openai_hide_keys,
	.event = openai_read_chat_event,
	.response = openai_read_chat_response,
	.input = input,
	.output = output,
	.model_parameters = openai_parameters,
};
