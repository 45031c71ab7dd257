/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Ollama's own API (docs/api.md of ollama/ollama): chat, generate, embed. A stream is
 * NDJSON; a whole answer is the last line of a stream with all the text in it, so both
 * go through one reader. Durations are nanoseconds.
 */
#include "llm/chat.h"
#include "llm/json.h"
#include "llm/servers.h"

static bool is_done(const cJSON *body)
{
	return cJSON_IsTrue(json_get(body, "done"));
}

/* Without a prompt, the model was loaded or unloaded, no more: that is no call. The
 * done_reason says so, too, but comes last: an answer that was cut may not have it. */
static bool is_load(const cJSON *body, const char *text)
{
	return is_done(body) && (!text || !*text) && !json_get(body, "eval_count");
}

/* A prompt that was in the cache whole has no count: then it is not known. */
static void read_usage(struct call *call, const cJSON *body)
{
	struct usage *usage = &call->usage;
	uint64_t input = json_count(body, "prompt_eval_count"), output = json_count(body, "eval_count");

	if (!input)
		input = COUNT_UNKNOWN;
	if (input == COUNT_UNKNOWN && output == COUNT_UNKNOWN)
		return;
	usage_begin(usage);
	usage->tokens[USAGE_INPUT] = input;
	usage_set_output(usage, "", output, COUNT_UNKNOWN);
	if (input != COUNT_UNKNOWN && output != COUNT_UNKNOWN)
		usage_add_up(usage);
}

static void read_end(struct call *call, struct choice *choice, const cJSON *body)
{
	static const char *const timings[] = {
		"total_duration", "load_duration", "prompt_eval_duration", "eval_duration", NULL,
	};

	if (choice)
		call_set(call, &choice->finish_reason, json_string(body, "done_reason"));
	read_usage(call, body);
	call_fact(call, "serverTimings", json_members(body, timings));
	call->end = CALL_DONE;
}

static bool read_tools(struct call *call, struct choice *choice, const cJSON *tools)
{
	bool has_any = false;
	const cJSON *item;

	cJSON_ArrayForEach(item, tools) {
		const cJSON *function = json_get(item, "function");

		has_any |= chat_add_tool(call, choice, json_string(item, "id"), json_string(function, "name"),
					 json_get(function, "arguments")) != NULL;
	}
	return has_any;
}

/* A line of the stream, or the whole answer. True when it bears content. */
static bool read_message(struct call *call, struct choice *choice, const cJSON *message)
{
	const char *content = json_string(message, "content");
	bool has_any;

	if (!choice->role.len)
		call_set(call, &choice->role, json_string(message, "role"));
	choice->has_content |= content != NULL;
	has_any = chat_add(call, &choice->content, content);
	has_any |= chat_add(call, &choice->reasoning, json_string(message, "thinking"));
	has_any |= read_tools(call, choice, json_array(message, "tool_calls"));
	return has_any;
}

/* --- chat ------------------------------------------------------------------- */

static bool is_chat_request(const cJSON *body)
{
	const cJSON *messages = json_array(body, "messages");

	return messages && messages->child && json_string(body, "model");
}

static bool is_chat_response(const cJSON *body)
{
	const cJSON *message = json_get(body, "message");

	return cJSON_IsObject(message) && cJSON_IsBool(json_get(body, "done")) &&
	       !is_load(body, json_string(message, "content"));
}

/* Cut inside of the text, it has no "done". */
static bool read_chat(struct call *call, const cJSON *body)
{
	const cJSON *message = json_get(body, "message");
	struct choice *choice = cJSON_IsObject(message) ? call_choice(call, 0) : NULL;
	bool has_any;

	if (!choice)
		return false;
	call_set(call, &call->response_model, json_string(body, "model"));
	has_any = read_message(call, choice, message);
	if (is_done(body))
		read_end(call, choice, body);
	return has_any;
}

/* An error is a line by itself, after which nothing comes. */
static bool is_end_by_error(struct call *call, const cJSON *body)
{
	if (!json_get(body, "error"))
		return false;
	call->end = CALL_DONE;
	return true;
}

static void chat_event(struct call *call, const struct call_event *event)
{
	if (!is_end_by_error(call, event->data) && read_chat(call, event->data))
		call_chunk(call, event->time_ns);
}

static void chat_response(struct call *call, const cJSON *body)
{
	read_chat(call, body);
}

static cJSON *chat_request_input(const struct call *call)
{
	return chat_input(call, "messages", /* system */ NULL);
}

/* The options are the parameters; what else steers the model stands beside them. */
static cJSON *parameters(const struct call *call)
{
	static const char *const beside[] = { "think", "format", "keep_alive", NULL };
	const cJSON *options = json_get(call->request, "options"), *item;
	cJSON *parameters = cJSON_CreateObject();

	json_add_members(parameters, call->request, beside);
	if (!cJSON_IsObject(options))
		options = NULL;
	cJSON_ArrayForEach(item, options)
		json_add_copy(parameters, item->string, json_get(options, item->string));
	return json_or_null(parameters);
}

/* --- generate --------------------------------------------------------------- */

static bool is_generate_request(const cJSON *body)
{
	const char *prompt = json_string(body, "prompt");

	return json_string(body, "model") && prompt && *prompt && !json_get(body, "messages");
}

static bool is_generate_response(const cJSON *body)
{
	const char *text = json_string(body, "response");

	return text && cJSON_IsBool(json_get(body, "done")) && !is_load(body, text);
}

static bool read_generate(struct call *call, const cJSON *body)
{
	const char *text = json_string(body, "response");
	struct choice *choice = text ? call_choice(call, 0) : NULL;
	bool has_any;

	if (!choice)
		return false;
	call_set(call, &call->response_model, json_string(body, "model"));
	choice->has_content = true;
	has_any = chat_add(call, &choice->content, text);
	has_any |= chat_add(call, &choice->reasoning, json_string(body, "thinking"));
	if (is_done(body))
		read_end(call, choice, body);
	return has_any;
}

static void generate_event(struct call *call, const struct call_event *event)
{
	if (!is_end_by_error(call, event->data) && read_generate(call, event->data))
		call_chunk(call, event->time_ns);
}

static void generate_response(struct call *call, const cJSON *body)
{
	read_generate(call, body);
}

static cJSON *generate_input(const struct call *call)
{
	static const char *const parts[] = { "system", "prompt", "suffix", "images", NULL };
	cJSON *input = json_members(call->request, parts);
	cJSON *prompt;

	if (!call->request)
		return call_request_text(call);
	/* The prompt alone is a text. */
	if (!input || !input->child || input->child->next)
		return input;
	prompt = cJSON_DetachItemViaPointer(input, input->child);
	cJSON_Delete(input);
	return prompt;
}

/* --- embed ------------------------------------------------------------------ */

static bool is_embed_request(const cJSON *body)
{
	return json_string(body, "model") && (json_get(body, "input") || json_get(body, "prompt"));
}

/* The older /api/embeddings gives one vector. */
static bool is_embed_response(const cJSON *body)
{
	return (json_array(body, "embeddings") || json_array(body, "embedding")) && !json_get(body, "id");
}

static void embed_response(struct call *call, const cJSON *body)
{
	static const char *const timings[] = { "total_duration", "load_duration", NULL };
	const cJSON *vectors = json_array(body, "embeddings"), *single = json_array(body, "embedding");

	call_set(call, &call->response_model, json_string(body, "model"));
	read_usage(call, body);
	usage_add_up(&call->usage);	/* nothing but input is counted here */
	call_fact(call, "serverTimings", json_members(body, timings));
	if (call->end != CALL_DONE || (!vectors && !single))
		return;
	cJSON_Delete(call->output);
	call->output = vectors ? vectors_note(vector_dimensions(vectors->child),
					      (size_t)cJSON_GetArraySize(vectors))
			       : vectors_note(vector_dimensions(single), 1);
}

static cJSON *embed_input(const struct call *call)
{
	const cJSON *input = json_get(call->request, "input");

	if (!call->request)
		return call_request_text(call);
	if (!input)
		input = json_get(call->request, "prompt");
	return input ? cJSON_Duplicate(input, /* recurse */ 1) : NULL;
}

const struct dialect ollama_chat = {
	.name = "ollama.chat",
	.title = "Ollama chat",
	.streams = "NDJSON",
	.generation_name = "Ollama-generation",
	.operation = OPERATION_CHAT,
	.routes = (const char *const[]){ "/api/chat", NULL },
	.is_request = is_chat_request,
	.is_response = is_chat_response,
	.event = chat_event,
	.response = chat_response,
	.input = chat_request_input,
	.output = chat_output,
	.model_parameters = parameters,
};

const struct dialect ollama_generate = {
	.name = "ollama.generate",
	.title = "Ollama generate",
	.streams = "NDJSON",
	.generation_name = "Ollama-generation",
	.operation = OPERATION_TEXT_COMPLETION,
	.routes = (const char *const[]){ "/api/generate", NULL },
	.is_request = is_generate_request,
	.is_response = is_generate_response,
	.event = generate_event,
	.response = generate_response,
	.input = generate_input,
	.output = text_output,
	.model_parameters = parameters,
};

const struct dialect ollama_embed = {
	.name = "ollama.embed",
	.title = "Ollama embed",
	.generation_name = "Ollama-embedding",
	.operation = OPERATION_EMBEDDINGS,
	.routes = (const char *const[]){ "/api/embed", "/api/embeddings", NULL },
	.is_request = is_embed_request,
	.is_response = is_embed_response,
	.response = embed_response,
	.input = embed_input,
	.parameters = (const char *const[]){ "dimensions", "truncate", NULL },
};
