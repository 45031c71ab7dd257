/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Messages, whole and streamed. An answer is a row of blocks, counted over all
 * kinds: text and thinking are joined each to one text, the caller's tools become
 * tool calls, and what else there is (the server's own tools, their results,
 * redacted thinking, citations) becomes parts. A stream's block begins with the
 * same object that a whole answer has, only empty, and grows by deltas.
 *
 * Source: Anthropic API reference, "Messages" and "Streaming messages".
 */
#include "llm/anthropic.h"
#include "llm/json.h"

static bool is_request(const cJSON *body)
{
	return json_array(body, "messages") != NULL;
}

static bool is_response(const cJSON *body)
{
	static const char *const events[] = {
		"message_start", "content_block_start", "content_block_delta", "content_block_stop",
		"message_delta", "message_stop",
	};
	const char *type = json_string(body, "type");

	if (text_is(type, "message"))
		return json_array(body, "content") != NULL;
	for (size_t i = 0; i < ARRAY_SIZE(events); i++)
		if (text_is(type, events[i]))
			return true;
	return false;
}

/* --- blocks ----------------------------------------------------------------- */

static bool start_text(struct call *call, struct choice *choice, uint64_t number, const cJSON *block)
{
	const cJSON *citation;

	(void)number;
	choice->has_content = true;
	cJSON_ArrayForEach(citation, json_array(block, "citations"))
		choice_add_part(call, choice, cJSON_Duplicate(citation, /* recurse */ 1));
	return chat_add(call, &choice->content, json_string(block, "text"));
}

static bool start_thinking(struct call *call, struct choice *choice, uint64_t number, const cJSON *block)
{
	(void)number;
	if (choice->reasoning.len)
		call_add(call, &choice->reasoning, "\n\n");
	return chat_add(call, &choice->reasoning, json_string(block, "thinking"));
}

/* The model wrote its name: that is content. Its input is {} where deltas follow. */
static bool start_tool(struct call *call, struct choice *choice, uint64_t number, const cJSON *block)
{
	const cJSON *input = json_get(block, "input");
	struct tool_call *tool = chat_add_tool(call, choice, json_string(block, "id"), json_string(block, "name"),
					       input && input->child ? input : NULL);

	if (tool)
		tool->block = number;
	return tool && tool->name.len;
}

/* The input of a part came as text, until it was whole. */
static void end_part(struct call *call, struct choice *choice)
{
	cJSON *part = cJSON_GetArrayItem(choice->parts, cJSON_GetArraySize(choice->parts) - 1);
	loss_set marks = 0;
	cJSON *input;

	if (part && call->scratch.len) {
		input = json_parse(buf_slice(&call->scratch), 0, &marks);
		call->marks |= marks & ~LOSS_BIT(LOSS_BAD_JSON);
		if (!input)
			input = cJSON_CreateString(buf_text(&call->scratch));
		cJSON_DeleteItemFromObjectCaseSensitive(part, "input");
		json_add(part, "input", input);
	}
	buf_reset(&call->scratch);
	call->sequence = 0;
}

/* call->sequence is one more than the number of the block whose input grows in
 * call->scratch; the part is then the choice's last. */
static bool start_part(struct call *call, struct choice *choice, uint64_t number, const cJSON *block)
{
	bool has_input = json_get(block, "input") != NULL;
	int before = cJSON_GetArraySize(choice->parts);

	choice_add_part(call, choice, cJSON_Duplicate(block, /* recurse */ 1));
	if (has_input && cJSON_GetArraySize(choice->parts) > before)
		call->sequence = number + 1;
	/* Results are not the model's words. */
	return has_input;
}

static bool start_block(struct call *call, struct choice *choice, uint64_t number, const cJSON *block)
{
	static const struct {
		const char *type;
		bool (*start)(struct call *call, struct choice *choice, uint64_t number, const cJSON *block);
	} kinds[] = {
		{ "text", start_text },
		{ "thinking", start_thinking },
		{ "tool_use", start_tool },
	};
	const char *type = json_string(block, "type");

	if (call->sequence)
		end_part(call, choice);
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++)
		if (text_is(type, kinds[i].type))
			return kinds[i].start(call, choice, number, block);
	return type && start_part(call, choice, number, block);
}

static struct tool_call *tool_of(struct choice *choice, uint64_t number)
{
	for (size_t i = choice->tool_count; i-- > 0;)
		if (choice->tools[i].block == number)
			return &choice->tools[i];
	return NULL;
}

static bool add_input(struct call *call, struct choice *choice, uint64_t number, const char *text)
{
	struct tool_call *tool = tool_of(choice, number);

	if (tool)
		return chat_add(call, &tool->arguments, text);
	return call->sequence == number + 1 && chat_add(call, &call->scratch, text);
}

/* A signature is no content. */
static bool read_delta(struct call *call, struct choice *choice, uint64_t number, const cJSON *delta)
{
	const cJSON *citation = json_get(delta, "citation");
	bool has_any = chat_add(call, &choice->content, json_string(delta, "text"));

	has_any |= chat_add(call, &choice->reasoning, json_string(delta, "thinking"));
	has_any |= add_input(call, choice, number, json_string(delta, "partial_json"));
	if (citation)
		choice_add_part(call, choice, cJSON_Duplicate(citation, /* recurse */ 1));
	return has_any;
}

static void end_block(struct call *call, struct choice *choice, uint64_t number)
{
	struct tool_call *tool = tool_of(choice, number);

	if (tool && !tool->arguments.len)
		call_add(call, &tool->arguments, "{}");
	if (call->sequence == number + 1)
		end_part(call, choice);
}

/* --- messages ---------------------------------------------------------------- */

/* Of a message, or of message_delta's delta. */
static void read_stop(struct call *call, struct choice *choice, const cJSON *object)
{
	const char *reason = json_string(object, "stop_reason");
	const char *sequence = json_string(object, "stop_sequence");
	const cJSON *details = json_get(object, "stop_details");

	call_set(call, &choice->finish_reason, reason);
	if (sequence)
		call_fact(call, "stopSequence", cJSON_CreateString(sequence));
	if (!text_is(reason, "refusal"))
		return;
	call_refuse(call, json_string(details, "explanation"));
	if (json_string(details, "category"))
		call_fact(call, "refusalCategory", cJSON_CreateString(json_string(details, "category")));
}

static void read_message(struct call *call, struct choice *choice, const cJSON *message)
{
	uint64_t number = 0;
	const cJSON *block;

	call_set(call, &call->response_id, json_string(message, "id"));
	call_set(call, &call->response_model, json_string(message, "model"));
	call_set(call, &choice->role, json_string(message, "role"));
	anthropic_read_input(call, json_get(message, "usage"));
	cJSON_ArrayForEach(block, json_array(message, "content")) {
		start_block(call, choice, number, block);
		end_block(call, choice, number++);
	}
	read_stop(call, choice, message);
}

static void response(struct call *call, const cJSON *body)
{
	struct choice *choice = json_array(body, "content") ? call_choice(call, 0) : NULL;

	if (!choice)
		return;
	read_message(call, choice, body);
	anthropic_read_output(call, json_get(body, "usage"));
}

static void read_event(struct call *call, struct choice *choice, const char *type, const struct call_event *event)
{
	uint64_t number = json_count(event->data, "index");
	const cJSON *delta = json_get(event->data, "delta");
	bool has_any = false;

	if (text_is(type, "message_start")) {
		read_message(call, choice, json_get(event->data, "message"));
	} else if (text_is(type, "content_block_start")) {
		has_any = start_block(call, choice, number, json_get(event->data, "content_block"));
	} else if (text_is(type, "content_block_delta")) {
		has_any = read_delta(call, choice, number, delta);
	} else if (text_is(type, "content_block_stop")) {
		end_block(call, choice, number);
	} else if (text_is(type, "message_delta")) {
		read_stop(call, choice, delta);
		anthropic_read_input(call, json_get(event->data, "usage"));
		anthropic_read_output(call, json_get(event->data, "usage"));
	}
	if (has_any)
		call_chunk(call, event->time_ns);
}

static void event(struct call *call, const struct call_event *event)
{
	const char *type = json_string(event->data, "type");
	struct choice *choice = is_response(event->data) ? call_choice(call, 0) : NULL;

	if (choice)
		read_event(call, choice, type, event);
	/* After an error nothing comes. */
	if (text_is(type, "message_stop") || text_is(type, "error"))
		call->end = CALL_DONE;
}

/* --- Langfuse's fields --------------------------------------------------------- */

static cJSON *input(const struct call *call)
{
	return chat_input(call, "messages", json_get(call->request, "system"));
}

static void add_string(cJSON *object, const char *name, const char *text)
{
	if (text)
		cJSON_AddStringToObject(object, name, text);
}

static cJSON *model_parameters(const struct call *call)
{
	static const char *const names[] = { "max_tokens", "temperature", "top_p", "top_k", "speed", NULL };
	const cJSON *thinking = json_get(call->request, "thinking");
	cJSON *parameters;

	if (!call->request)
		return NULL;
	parameters = cJSON_CreateObject();
	json_add_members(parameters, call->request, names);
	add_string(parameters, "thinking", json_string(thinking, "type"));
	json_add_copy(parameters, "thinking_budget_tokens", json_get(thinking, "budget_tokens"));
	add_string(parameters, "effort", json_string(json_get(call->request, "output_config"), "effort"));
	/* The tier that served it sets the price; the wish counts only without an answer's. */
	add_string(parameters, "service_tier", call->service_tier.len ? buf_text(&call->service_tier)
					       : json_string(call->request, "service_tier"));
	return json_or_null(parameters);
}

const struct dialect anthropic_messages = {
	.name = "anthropic.messages",
	.title = "Anthropic messages",
	.streams = "SSE",
	.generation_name = "Anthropic-generation",
	.operation = OPERATION_CHAT,
	.has_media = true,
	.routes = (const char *const[]){
		"/v1/messages",
		"/publishers/anthropic/models/{}:rawPredict",
		"/publishers/anthropic/models/{}:streamRawPredict",
		NULL,
	},
	.excludes = (const char *const[]){ "/models/count-tokens:rawPredict", NULL },
	.is_request = is_request,
	.is_response = is_response,
	.event = event,
	.response = response,
	.input = input,
	.output = chat_output,
	.model_parameters = model_parameters,
};
