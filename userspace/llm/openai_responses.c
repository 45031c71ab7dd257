/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Responses API, whole and streamed, and its compaction. A stream's terminal
 * event repeats the whole response: that is what counts. Deltas give the times, and
 * the output of a stream that was cut: there choice number n stands for output item
 * n. Retrieval of a stored response is a GET, and no call.
 * https://platform.openai.com/docs/api-reference/responses-streaming
 */
#include "llm/openai_responses.h"

#include "limits.h"
#include "llm/error.h"
#include "llm/json.h"

static bool ends(const char *text, const char *end)
{
	return slice_ends(slice_of(text), slice_of(end));
}

/* --- shapes ----------------------------------------------------------------- */

/* Embeddings, speech and decisions have an "input", too. */
static bool is_request(const cJSON *body)
{
	static const char *const others[] = { "encoding_format", "voice", "questions" };
	const cJSON *input = json_get(body, "input");

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (json_get(body, others[i]))
			return false;
	if (cJSON_IsArray(input))
		return !input->child || cJSON_IsObject(input->child);
	return cJSON_IsString(input) || cJSON_IsObject(json_get(body, "prompt")) ||
	       json_string(body, "instructions") || json_string(body, "previous_response_id") ||
	       json_get(body, "conversation");
}

static bool is_response(const cJSON *body)
{
	const char *object = json_string(body, "object"), *type = json_string(body, "type");

	return text_is(object, "response") || text_is(object, "response.compaction") ||
	       (type && strncmp(type, "response.", 9) == 0) ||
	       (text_is(type, "error") && json_get(body, "sequence_number"));
}

/* --- a whole response -------------------------------------------------------- */

static void read_refusals(struct call *call, const cJSON *output)
{
	const cJSON *item, *part;

	cJSON_ArrayForEach(item, output)
		cJSON_ArrayForEach(part, json_array(item, "content"))
			if (text_is(json_string(part, "type"), "refusal"))
				call_refuse(call, json_string(part, "refusal"));
}

/* As the drop-in: the item, or all of them if there are several. */
static void read_output(struct call *call, const cJSON *output)
{
	int count = cJSON_GetArraySize(output);

	if (!output || !count)
		return;
	cJSON_Delete(call->output);
	call->output = cJSON_Duplicate(count == 1 ? output->child : output, /* recurse */ 1);
	read_refusals(call, output);
}

static void set_finish(struct call *call, const char *reason)
{
	struct choice *choice = call_choice(call, 0);

	if (choice)
		call_set(call, &choice->finish_reason, reason);
}

static void read_status(struct call *call, const cJSON *response)
{
	const char *status = json_string(response, "status");
	const cJSON *details = json_get(response, "status_details");	/* Realtime's */
	const char *reason = json_string(json_get(response, "incomplete_details"), "reason");

	if (!reason)
		reason = json_string(details, "reason");

	/* A background response: it goes on without this exchange. */
	if (text_is(status, "queued") || text_is(status, "in_progress")) {
		if (!call->is_stream)
			call_fact(call, "status", cJSON_CreateString(status));
		return;
	}
	set_finish(call, reason ? reason : status);
	if (text_is(reason, "content_filter"))
		call_refuse(call, "stopped by the provider's content filter");
	if (text_is(status, "failed") && !error_read(call, response) && !error_read(call, details))
		call->is_error = true;
}

/* What the drop-in has of a stream's response as metadata, less what stands in the
 * line anyway, and in the input. */
static void read_metadata(struct call *call, const cJSON *response)
{
	static const char *const elsewhere[] = {
		"created_at", "model", "output", "usage", "text", "tools", "instructions",
	};
	const cJSON *item;
	int keys = 0;

	cJSON_Delete(call->metadata);
	call->metadata = cJSON_CreateObject();
	cJSON_ArrayForEach(item, response) {
		bool is_elsewhere = cJSON_IsNull(item);

		for (size_t i = 0; i < ARRAY_SIZE(elsewhere); i++)
			is_elsewhere |= strcmp(item->string, elsewhere[i]) == 0;
		if (!is_elsewhere && keys++ < LIMIT_METADATA_KEYS)
			json_add_copy(call->metadata, item->string, item);
	}
}

void openai_read_whole_response(struct call *call, const cJSON *response)
{
	openai_read_envelope(call, response);
	read_output(call, json_array(response, "output"));
	read_status(call, response);
	if (call->is_stream && call->dialect == &openai_responses)
		read_metadata(call, response);
}

/* --- items and deltas of a stream --------------------------------------------- */

static struct choice *choice_of(struct call *call, const cJSON *event)
{
	uint64_t index = json_count(event, "output_index");

	return call_choice(call, index == COUNT_UNKNOWN ? 0 : index);
}

/* What an item says of itself before it is filled. */
static void read_item(struct call *call, struct choice *choice, const cJSON *item)
{
	const char *type = json_string(item, "type");
	struct tool_call *tool;

	call_set(call, &choice->role, json_string(item, "role"));
	if (!type || strcmp(type, "message") == 0 || strcmp(type, "reasoning") == 0)
		return;
	tool = choice_tool(call, choice, 0);
	if (!tool)
		return;
	call_set(call, &tool->type, type);
	call_set(call, &tool->id, json_string(item, "call_id"));
	call_set(call, &tool->name, json_string(item, "name"));
}

/* The item as it became: in place of what its deltas made of it. */
static void keep_item(struct call *call, struct choice *choice, const cJSON *item)
{
	cJSON *copy = item ? cJSON_Duplicate(item, /* recurse */ 1) : NULL;

	if (json_fit(&copy, call->max_content))
		call->marks |= LOSS_BIT(LOSS_CONTENT_TRUNCATED);
	cJSON_Delete(choice->parts);
	choice->parts = NULL;
	choice_add_part(call, choice, copy);
}

enum target { TARGET_NONE, TARGET_CONTENT, TARGET_REASONING, TARGET_REFUSAL, TARGET_ARGUMENTS };

/* Where a delta belongs. Those of Realtime among them; what is not listed counts as
 * content, and is only counted (audio). */
static enum target target_of(const char *type)
{
	static const struct { const char *type; enum target target; } targets[] = {
		{ "response.output_text.delta",			TARGET_CONTENT },
		{ "response.reasoning_summary_text.delta",	TARGET_REASONING },
		{ "response.reasoning_text.delta",		TARGET_REASONING },
		{ "response.function_call_arguments.delta",	TARGET_ARGUMENTS },
		{ "response.custom_tool_call_input.delta",	TARGET_ARGUMENTS },
		{ "response.mcp_call_arguments.delta",		TARGET_ARGUMENTS },
		{ "response.code_interpreter_call_code.delta",	TARGET_ARGUMENTS },
		{ "response.shell_call_command.delta",		TARGET_ARGUMENTS },
		{ "response.refusal.delta",			TARGET_REFUSAL },
		{ "response.audio.transcript.delta",		TARGET_CONTENT },
		{ "response.output_audio_transcript.delta",	TARGET_CONTENT },
		{ "response.audio_transcript.delta",		TARGET_CONTENT },
		{ "response.text.delta",			TARGET_CONTENT },
	};

	for (size_t i = 0; i < ARRAY_SIZE(targets); i++)
		if (strcmp(type, targets[i].type) == 0)
			return targets[i].target;
	return TARGET_NONE;
}

static void add_delta(struct call *call, struct choice *choice, enum target target, const char *delta)
{
	struct tool_call *tool;

	switch (target) {
	case TARGET_CONTENT:
		call_add(call, &choice->content, delta);
		break;
	case TARGET_REASONING:
		call_add(call, &choice->reasoning, delta);
		break;
	case TARGET_REFUSAL:
		call_add(call, &choice->refusal, delta);
		break;
	case TARGET_ARGUMENTS:
		tool = choice_tool(call, choice, 0);
		if (tool)
			call_add(call, &tool->arguments, delta);
		break;
	case TARGET_NONE:
		break;
	}
}

/* call->sequence: bytes of sound so far. */
static void read_delta(struct call *call, const char *type, const struct call_event *event)
{
	const char *delta = json_string(event->data, "delta");
	enum target target = target_of(type);
	struct choice *choice;

	/* A shell's output is an object, and none of the model's. */
	if (!delta || !*delta)
		return;
	call_chunk(call, event->time_ns);
	if (ends(type, "audio.delta"))
		call->sequence += strlen(delta) * 3 / 4;
	choice = target == TARGET_NONE ? NULL : choice_of(call, event->data);
	if (choice)
		add_delta(call, choice, target, delta);
}

static void read_item_event(struct call *call, const char *type, const cJSON *event)
{
	struct choice *choice = choice_of(call, event);

	if (!choice)
		return;
	read_item(call, choice, json_get(event, "item"));
	if (strcmp(type, "response.output_item.done") == 0)
		keep_item(call, choice, json_get(event, "item"));
}

/* --- events ------------------------------------------------------------------- */

static bool is_terminal(const char *type)
{
	static const char *const types[] = {
		"response.completed", "response.incomplete", "response.failed", "response.cancelled",
		"response.done",	/* Realtime's */
	};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (strcmp(type, types[i]) == 0)
			return true;
	return false;
}

void openai_read_response_event(struct call *call, const struct call_event *event)
{
	const char *type = json_string(event->data, "type");
	const cJSON *response = json_get(event->data, "response");

	if (!type)
		return;
	if (ends(type, ".delta"))
		read_delta(call, type, event);
	else if (strncmp(type, "response.output_item.", 21) == 0)
		read_item_event(call, type, event->data);
	else if (strcmp(type, "response.image_generation_call.partial_image") == 0)
		call_chunk(call, event->time_ns);
	else if (strcmp(type, "error") == 0 && !call->is_error)
		error_read_object(call, event->data);
	if (response)
		openai_read_whole_response(call, response);
	if (!is_terminal(type))
		return;
	if (call->sequence)
		call_fact(call, "audioBytes", cJSON_CreateNumber((double)call->sequence));
	call->end = CALL_DONE;
}

/* --- fields ------------------------------------------------------------------- */

static cJSON *message_of(const char *role, const cJSON *content)
{
	cJSON *message = cJSON_CreateObject();

	cJSON_AddStringToObject(message, "role", role);
	json_add_copy(message, "content", content);
	return message;
}

/* The input, with instructions as its first message. */
static cJSON *prompt_json(const cJSON *request, const cJSON *input)
{
	const cJSON *instructions = json_get(request, "instructions"), *item;
	cJSON *messages;

	if (!instructions)
		return cJSON_Duplicate(input, /* recurse */ 1);
	messages = cJSON_CreateArray();
	json_append(messages, message_of("system", instructions));
	if (!cJSON_IsArray(input)) {
		json_append(messages, message_of("user", input));
		return messages;
	}
	cJSON_ArrayForEach(item, input)
		json_append(messages, cJSON_Duplicate(item, /* recurse */ 1));
	return messages;
}

cJSON *openai_responses_input(const struct call *call)
{
	static const char *const names[] = {
		"instructions", "prompt", "tools", "tool_choice", "parallel_tool_calls", NULL,
	};
	const cJSON *input = json_get(call->request, "input");
	cJSON *object;

	if (!call->request)
		return call_request_text(call);
	if (!input)
		return json_members(call->request, names);
	object = json_members(call->request, names + 2);
	if (!object)
		return prompt_json(call->request, input);
	json_add(object, "input", prompt_json(call->request, input));
	return object;
}

static void add_part(cJSON *parts, const char *type, const char *member, const struct buf *text)
{
	cJSON *part;

	if (!text->len)
		return;
	part = cJSON_CreateObject();
	cJSON_AddStringToObject(part, "type", type);
	cJSON_AddStringToObject(part, member, buf_text(text));
	json_append(parts, part);
}

static cJSON *tool_item(const struct tool_call *tool)
{
	bool is_custom = strcmp(buf_text(&tool->type), "custom_tool_call") == 0;
	cJSON *item = cJSON_CreateObject();

	cJSON_AddStringToObject(item, "type", tool->type.len ? buf_text(&tool->type) : "function_call");
	if (tool->id.len)
		cJSON_AddStringToObject(item, "call_id", buf_text(&tool->id));
	if (tool->name.len)
		cJSON_AddStringToObject(item, "name", buf_text(&tool->name));
	cJSON_AddStringToObject(item, is_custom ? "input" : "arguments", buf_text(&tool->arguments));
	return item;
}

/* An item as far as it came. NULL when nothing of it did. */
static cJSON *item_json(const struct choice *choice)
{
	bool has_text = choice->content.len || choice->refusal.len;
	cJSON *item, *parts;

	if (choice->parts)
		return cJSON_Duplicate(choice->parts->child, /* recurse */ 1);
	if (choice->tool_count)
		return tool_item(&choice->tools[0]);
	if (!has_text && !choice->reasoning.len)
		return NULL;
	item = cJSON_CreateObject();
	cJSON_AddStringToObject(item, "type", has_text ? "message" : "reasoning");
	if (has_text)
		cJSON_AddStringToObject(item, "role", choice->role.len ? buf_text(&choice->role) : "assistant");
	parts = cJSON_AddArrayToObject(item, has_text ? "content" : "summary");
	if (!has_text)
		add_part(parts, "summary_text", "text", &choice->reasoning);
	add_part(parts, "output_text", "text", &choice->content);
	add_part(parts, "refusal", "refusal", &choice->refusal);
	return item;
}

cJSON *openai_responses_output(const struct call *call)
{
	_cleanup_(freep) const struct choice **choices = call_choices_sorted(call);
	cJSON *items, *only;

	if (call->output || !choices)
		return call_output(call);
	items = cJSON_CreateArray();
	for (size_t i = 0; i < call->choice_count; i++)
		json_append(items, item_json(choices[i]));
	if (cJSON_GetArraySize(items) > 1)
		return items;
	only = cJSON_DetachItemFromArray(items, 0);
	cJSON_Delete(items);
	return only;
}

static cJSON *model_parameters(const struct call *call)
{
	static const struct { const char *object, *name, *parameter; } nested[] = {
		{ "reasoning", "effort", "reasoning_effort" },
		{ "reasoning", "summary", "reasoning_summary" },
		{ "text", "verbosity", "verbosity" },
	};
	const cJSON *most = json_get(call->request, "max_output_tokens");
	cJSON *parameters = openai_parameters(call);

	for (size_t i = 0; parameters && i < ARRAY_SIZE(nested); i++)
		json_add_copy(parameters, nested[i].parameter,
			      json_get(json_get(call->request, nested[i].object), nested[i].name));
	if (most) {
		cJSON_DeleteItemFromObjectCaseSensitive(parameters, "max_tokens");
		json_add_copy(parameters, "max_output_tokens", most);
	}
	return parameters;
}

/* What it follows: the input is not all that the model was given. */
static void request(struct call *call)
{
	const cJSON *former = json_get(call->request, "previous_response_id");
	const cJSON *conversation = json_get(call->request, "conversation");

	openai_hide_keys(call);
	if (cJSON_IsObject(conversation))
		conversation = json_get(conversation, "id");
	call_fact(call, "previousResponseId", former ? cJSON_Duplicate(former, /* recurse */ 1) : NULL);
	call_fact(call, "conversationId", conversation ? cJSON_Duplicate(conversation, /* recurse */ 1) : NULL);
}

const struct dialect openai_responses = {
	.name = "openai.responses",
	.title = "OpenAI responses",
	.streams = "SSE, WebSocket",
	.generation_name = "OpenAI-generation",
	.operation = OPERATION_CHAT,
	.has_media = true,
	.routes = (const char *const[]){ "/responses", "/responses/compact", NULL },
	.is_request = is_request,
	.is_response = is_response,
	.request = request,
	.event = openai_read_response_event,
	.response = openai_read_whole_response,
	.input = openai_responses_input,
	.output = openai_responses_output,
	.model_parameters = model_parameters,
};
