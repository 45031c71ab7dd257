/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Interactions API: an answer is a row of steps (thoughts, output, function
 * calls, and what the server's own tools did). A stream begins each step with its
 * empty form, adds deltas that have types of their own, and ends with the
 * interaction, its status and its usage.
 *
 * Source: Gemini API reference, "Interactions".
 */
#include "llm/gemini.h"
#include "llm/json.h"

static bool begins(const char *text, const char *prefix)
{
	return text && strncmp(text, prefix, strlen(prefix)) == 0;
}

static bool is_request(const cJSON *body)
{
	return json_get(body, "input") && (json_string(body, "model") || json_string(body, "agent"));
}

static bool is_response(const cJSON *body)
{
	const char *type = json_string(body, "event_type");

	if (type)
		return begins(type, "interaction.") || begins(type, "step.");
	return json_string(body, "status") &&
	       (json_array(body, "steps") ||
		json_count(json_get(body, "usage"), "total_input_tokens") != COUNT_UNKNOWN);
}

/* --- steps ----------------------------------------------------------------------- */

/* Text, or a part. True when there was some. */
static bool add_content(struct call *call, struct choice *choice, const cJSON *content)
{
	const char *text = json_string(content, "text");

	if (!text) {
		choice_add_part(call, choice, cJSON_IsObject(content) ? cJSON_Duplicate(content, /* recurse */ 1) : NULL);
		return content != NULL;
	}
	choice->has_content = true;
	return chat_add(call, &choice->content, text);
}

static bool add_contents(struct call *call, struct choice *choice, const cJSON *contents)
{
	const cJSON *content;
	bool has_any = false;

	if (!cJSON_IsArray(contents))
		return contents && add_content(call, choice, contents);
	cJSON_ArrayForEach(content, contents)
		has_any |= add_content(call, choice, content);
	return has_any;
}

static bool add_thoughts(struct call *call, struct choice *choice, const cJSON *summary)
{
	const cJSON *item;
	bool has_any = false;

	cJSON_ArrayForEach(item, summary)
		has_any |= chat_add(call, &choice->reasoning, json_string(item, "text"));
	return has_any;
}

static bool add_function(struct call *call, struct choice *choice, uint64_t number, const cJSON *step)
{
	const cJSON *arguments = json_get(step, "arguments");
	struct tool_call *tool = chat_add_tool(call, choice, json_string(step, "id"), json_string(step, "name"),
					       arguments && arguments->child ? arguments : NULL);

	if (tool)
		tool->block = number;
	return tool && tool->name.len;
}

/* A step as a whole answer has it, or as a stream begins it: the same, but empty. */
static bool read_step(struct call *call, struct choice *choice, uint64_t number, const cJSON *step)
{
	const char *type = json_string(step, "type");

	if (text_is(type, "model_output"))
		return add_contents(call, choice, json_get(step, "content"));
	if (text_is(type, "thought"))
		return add_thoughts(call, choice, json_array(step, "summary"));
	if (text_is(type, "function_call"))
		return add_function(call, choice, number, step);
	/* A step of the server's own tools; alone with its type, it will come in deltas. */
	if (type && !text_is(type, "user_input") && cJSON_GetArraySize(step) > 1)
		choice_add_part(call, choice, cJSON_Duplicate(step, /* recurse */ 1));
	return false;
}

static struct tool_call *tool_of(struct choice *choice, uint64_t number)
{
	for (size_t i = choice->tool_count; i-- > 0;)
		if (choice->tools[i].block == number)
			return &choice->tools[i];
	return NULL;
}

static bool add_arguments(struct call *call, struct choice *choice, uint64_t number, const cJSON *delta)
{
	struct tool_call *tool = tool_of(choice, number);
	const char *text = json_string(delta, "partial_arguments");

	/* The API's first version had another name for it. */
	return tool && chat_add(call, &tool->arguments, text ? text : json_string(delta, "arguments"));
}

static bool read_delta(struct call *call, struct choice *choice, uint64_t number, const cJSON *delta)
{
	const char *type = json_string(delta, "type");
	const cJSON *item;

	if (text_is(type, "text"))
		return add_content(call, choice, delta);
	if (text_is(type, "arguments_delta"))
		return add_arguments(call, choice, number, delta);
	if (text_is(type, "thought_signature"))
		return false;
	if (text_is(type, "thought_summary") || text_is(type, "thought")) {
		const cJSON *content = json_get(delta, "content");

		return chat_add(call, &choice->reasoning, json_string(content ? content : delta, "text"));
	}
	if (text_is(type, "text_annotation_delta")) {
		cJSON_ArrayForEach(item, json_array(delta, "annotations"))
			choice_add_part(call, choice, cJSON_Duplicate(item, /* recurse */ 1));
		return false;
	}
	/* Media, calls of the server's own tools and their results. */
	return add_content(call, choice, type ? delta : NULL) && json_get(delta, "result") == NULL;
}

static void end_step(struct call *call, struct choice *choice, uint64_t number)
{
	struct tool_call *tool = tool_of(choice, number);

	if (tool && !tool->arguments.len)
		call_add(call, &tool->arguments, "{}");
}

/* --- interactions ------------------------------------------------------------------ */

/* Its status is all that is told of why it ended. */
static void read_status(struct call *call, struct choice *choice, const char *status)
{
	call_set(call, &choice->finish_reason, status);
	if (!text_is(status, "failed"))
		return;
	call->is_error = true;
	if (!call->error_message.len)
		call_set(call, &call->error_type, status);
}

static void read_interaction(struct call *call, const cJSON *interaction)
{
	call_set(call, &call->response_id, json_string(interaction, "id"));
	call_set(call, &call->response_model, json_string(interaction, "model"));
	gemini_read_interaction_usage(call, json_get(interaction, "usage"));
}

static void event(struct call *call, const struct call_event *event)
{
	const char *type = json_string(event->data, "event_type");
	const cJSON *interaction = json_get(event->data, "interaction");
	uint64_t number = json_count(event->data, "index");
	struct choice *choice = is_response(event->data) ? call_choice(call, 0) : NULL;
	bool has_any = false;

	if (text_is(type, "error"))
		call->end = CALL_DONE;
	if (!choice)
		return;
	read_interaction(call, interaction);
	if (text_is(type, "step.start")) {
		has_any = read_step(call, choice, number, json_get(event->data, "step"));
	} else if (text_is(type, "step.delta")) {
		has_any = read_delta(call, choice, number, json_get(event->data, "delta"));
	} else if (text_is(type, "step.stop")) {
		end_step(call, choice, number);
	} else if (text_is(type, "interaction.completed")) {
		read_status(call, choice, json_string(interaction, "status"));
		call->end = CALL_DONE;
	}
	if (has_any)
		call_chunk(call, event->time_ns);
}

static void response(struct call *call, const cJSON *body)
{
	struct choice *choice = is_response(body) ? call_choice(call, 0) : NULL;
	uint64_t number = 0;
	const cJSON *step;

	if (!choice)
		return;
	read_interaction(call, body);
	cJSON_ArrayForEach(step, json_array(body, "steps")) {
		read_step(call, choice, number, step);
		end_step(call, choice, number++);
	}
	read_status(call, choice, json_string(body, "status"));
}

/* --- Langfuse's fields ---------------------------------------------------------------- */

/* An agent stands for the model where there is none. */
static void request(struct call *call)
{
	const cJSON *agent = json_get(call->request, "agent");

	if (agent && !json_get(call->request, "model"))
		json_add_copy(call->request, "model", agent);
}

static cJSON *message(const char *role, const cJSON *content)
{
	cJSON *object = cJSON_CreateObject();

	cJSON_AddStringToObject(object, "role", role);
	json_add_copy(object, "content", content);
	return object;
}

/* A text is the user's. */
static cJSON *input(const struct call *call)
{
	const cJSON *text = json_get(call->request, "input");
	const cJSON *system = json_get(call->request, "system_instruction");
	cJSON *messages;

	if (!cJSON_IsString(text))
		return chat_input(call, "input", system);
	messages = cJSON_CreateArray();
	if (system)
		json_append(messages, message("system", system));
	json_append(messages, message("user", text));
	return chat_with_tools(messages, json_get(call->request, "tools"));
}

const struct dialect gemini_interactions = {
	.name = "gemini.interactions",
	.title = "Gemini interactions",
	.streams = "SSE",
	.generation_name = "Gemini-generation",
	.operation = OPERATION_CHAT,
	.has_media = true,
	.routes = (const char *const[]){ "/interactions", NULL },
	.is_request = is_request,
	.is_response = is_response,
	.request = request,
	.event = event,
	.response = response,
	.input = input,
	.output = chat_output,
	.model_parameters = gemini_parameters,
};
