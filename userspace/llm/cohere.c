/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Cohere's v2 chat and embed (docs.cohere.com/reference). Counts may be floats
 * ("12.0"). The plan before tool calls is reasoning, kept apart from the answer.
 */
#include "llm/chat.h"
#include "llm/json.h"
#include "llm/servers.h"

/* --- usage ------------------------------------------------------------------ */

static void read_usage(struct call *call, const cJSON *json)
{
	const cJSON *tokens = json_get(json, "tokens"), *billed = json_get(json, "billed_units");
	struct usage *usage = &call->usage;
	uint64_t cached = json_count(json, "cached_tokens");

	if (!json)
		return;
	if (!tokens)
		tokens = billed;
	usage_begin(usage);
	usage->tokens[USAGE_INPUT_CACHED] = cached;
	usage->tokens[USAGE_INPUT] = usage_less(usage, json_count(tokens, "input_tokens"), cached);
	usage_set_output(usage, "", json_count(tokens, "output_tokens"), COUNT_UNKNOWN);
	usage_add_up(usage);
	call_fact(call, "billedUnits", billed ? cJSON_Duplicate(billed, /* recurse */ 1) : NULL);
}

/* --- chat ------------------------------------------------------------------- */

static bool is_chat_request(const cJSON *body)
{
	return json_array(body, "messages") && json_string(body, "model");
}

static bool is_chat_response(const cJSON *body)
{
	static const char *const types[] = {
		"message-start", "content-start", "content-delta", "content-end", "tool-plan-delta",
		"tool-call-start", "tool-call-delta", "tool-call-end", "citation-start", "citation-end",
		"message-end", "debug",
	};
	const char *type = json_string(body, "type");

	for (size_t i = 0; type && i < ARRAY_SIZE(types); i++)
		if (strcmp(type, types[i]) == 0)
			return true;
	return json_string(body, "finish_reason") && cJSON_IsObject(json_get(body, "message"));
}

static bool read_content(struct call *call, struct choice *choice, const cJSON *content)
{
	const char *text = json_string(content, "text");
	bool has_any;

	choice->has_content |= text != NULL;
	has_any = chat_add(call, &choice->content, text);
	has_any |= chat_add(call, &choice->reasoning, json_string(content, "thinking"));
	return has_any;
}

static bool add_tool(struct call *call, struct choice *choice, const cJSON *tool)
{
	const cJSON *function = json_get(tool, "function");

	return tool && chat_add_tool(call, choice, json_string(tool, "id"), json_string(function, "name"),
				     json_get(function, "arguments"));
}

static bool read_arguments(struct call *call, struct choice *choice, const cJSON *tool)
{
	const char *text = json_string(json_get(tool, "function"), "arguments");

	return choice->tool_count &&
	       chat_add(call, &choice->tools[choice->tool_count - 1].arguments, text);
}

static void read_finish(struct call *call, struct choice *choice, const cJSON *from)
{
	const char *finish = json_string(from, "finish_reason");
	const char *error = json_string(from, "error");

	call_set(call, &choice->finish_reason, finish);
	if (!error && !(finish && (strncmp(finish, "ERROR", 5) == 0 || strcmp(finish, "TIMEOUT") == 0)))
		return;
	call->is_error = true;
	call_set(call, &call->error_message, error);
	call_set(call, &call->error_type, finish);
}

static bool read_delta(struct call *call, struct choice *choice, const char *type, const cJSON *message)
{
	const cJSON *tool = json_get(message, "tool_calls");

	/* In a stream it is an object; a list of one was seen, too. */
	if (cJSON_IsArray(tool))
		tool = tool->child;
	if (strcmp(type, "message-start") == 0)
		call_set(call, &choice->role, json_string(message, "role"));
	if (strcmp(type, "content-start") == 0 || strcmp(type, "content-delta") == 0)
		return read_content(call, choice, json_get(message, "content"));
	if (strcmp(type, "tool-plan-delta") == 0)
		return chat_add(call, &choice->reasoning, json_string(message, "tool_plan"));
	if (strcmp(type, "tool-call-start") == 0)
		return add_tool(call, choice, tool);
	if (strcmp(type, "tool-call-delta") == 0)
		return read_arguments(call, choice, tool);
	return false;
}

static void chat_event(struct call *call, const struct call_event *event)
{
	const char *type = json_string(event->data, "type");
	const cJSON *delta = json_get(event->data, "delta");
	struct choice *choice = type && is_chat_response(event->data) ? call_choice(call, 0) : NULL;

	if (!choice)
		return;
	call_set(call, &call->response_id, json_string(event->data, "id"));
	if (read_delta(call, choice, type, json_get(delta, "message")))
		call_chunk(call, event->time_ns);
	if (strcmp(type, "message-end") != 0)
		return;
	read_finish(call, choice, delta);
	read_usage(call, json_get(delta, "usage"));
	call->end = CALL_DONE;
}

static void chat_response(struct call *call, const cJSON *body)
{
	const cJSON *message = json_get(body, "message"), *item;
	/* Cut inside of the message, it has no finish_reason. */
	struct choice *choice = cJSON_IsObject(message) ? call_choice(call, 0) : NULL;

	if (!choice)
		return;
	call_set(call, &call->response_id, json_string(body, "id"));
	call_set(call, &choice->role, json_string(message, "role"));
	chat_add(call, &choice->reasoning, json_string(message, "tool_plan"));
	cJSON_ArrayForEach(item, json_array(message, "content"))
		read_content(call, choice, item);
	cJSON_ArrayForEach(item, json_array(message, "tool_calls"))
		add_tool(call, choice, item);
	read_finish(call, choice, body);
	read_usage(call, json_get(body, "usage"));
}

/* Documents that the answer is to rest on are read by the model like the messages. */
static cJSON *messages(const struct call *call)
{
	cJSON *input = chat_input(call, "messages", /* system */ NULL), *object;
	const cJSON *documents = json_array(call->request, "documents");

	if (!documents || !documents->child)
		return input;
	object = cJSON_IsObject(input) ? input : cJSON_CreateObject();
	json_add_copy(object, "documents", documents);
	if (object != input)
		json_add(object, "messages", input);
	return object;
}

/* --- embed ------------------------------------------------------------------ */

static bool is_embed_request(const cJSON *body)
{
	return json_array(body, "texts") || json_array(body, "images") || json_array(body, "inputs");
}

/* {"embeddings": {"float": [[...]], ...}} or, of old, {"embeddings": [[...]]}. */
static bool is_embed_response(const cJSON *body)
{
	return json_string(body, "id") && json_get(body, "embeddings");
}

/* A bit for each dimension. */
static bool is_packed(const char *type)
{
	return type && (strcmp(type, "binary") == 0 || strcmp(type, "ubinary") == 0);
}

static void embed_response(struct call *call, const cJSON *body)
{
	const cJSON *vectors = json_get(body, "embeddings");
	const cJSON *billed = json_get(json_get(body, "meta"), "billed_units");
	uint64_t input = json_count(billed, "input_tokens");
	size_t dimensions;

	call_set(call, &call->response_id, json_string(body, "id"));
	call_fact(call, "billedUnits", billed ? cJSON_Duplicate(billed, /* recurse */ 1) : NULL);
	if (input != COUNT_UNKNOWN) {
		usage_begin(&call->usage);
		call->usage.tokens[USAGE_INPUT] = input;
		usage_add_up(&call->usage);
	}
	if (cJSON_IsObject(vectors))	/* the same vectors in each type that was asked for */
		vectors = vectors->child;
	if (call->end != CALL_DONE || !cJSON_IsArray(vectors))
		return;
	dimensions = vector_dimensions(vectors->child) * (is_packed(vectors->string) ? 8 : 1);
	cJSON_Delete(call->output);
	call->output = vectors_note(dimensions, (size_t)cJSON_GetArraySize(vectors));
}

static cJSON *embed_input(const struct call *call)
{
	static const char *const names[] = { "texts", "images", "inputs" };

	if (!call->request)
		return call_request_text(call);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (json_array(call->request, names[i]))
			return cJSON_Duplicate(json_array(call->request, names[i]), /* recurse */ 1);
	return NULL;
}

const struct dialect cohere_chat = {
	.name = "cohere.chat",
	.title = "Cohere chat (v2)",
	.streams = "SSE",
	.generation_name = "Cohere-generation",
	.operation = OPERATION_CHAT,
	.routes = (const char *const[]){ "/v2/chat", NULL },
	.is_request = is_chat_request,
	.is_response = is_chat_response,
	.event = chat_event,
	.response = chat_response,
	.input = messages,
	.output = chat_output,
	.parameters = (const char *const[]){
		"temperature", "max_tokens", "p", "k", "seed", "frequency_penalty", "presence_penalty",
		"stop_sequences", "safety_mode", "tool_choice", "strict_tools", "thinking", "priority", NULL,
	},
};

const struct dialect cohere_embed = {
	.name = "cohere.embed",
	.title = "Cohere embed (v1, v2)",
	.generation_name = "Cohere-embedding",
	.operation = OPERATION_EMBEDDINGS,
	.routes = (const char *const[]){ "/v2/embed", "/v1/embed", NULL },
	.is_request = is_embed_request,
	.is_response = is_embed_response,
	.response = embed_response,
	.input = embed_input,
	.parameters = (const char *const[]){ "input_type", "embedding_types", "output_dimension", "truncate", NULL },
};
