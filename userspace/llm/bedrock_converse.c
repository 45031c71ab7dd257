/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Converse and ConverseStream: one grammar for all models. An answer is a row of
 * blocks, each with the one member that says its kind. A stream's events, named by
 * the framing, give a block's kind (contentBlockStart; left out for text), its pieces
 * and its end, then why the message stopped, and last of all metadata: the end.
 *
 * Source: Amazon Bedrock API reference, "Converse" and "ConverseStream".
 */
#include "llm/bedrock.h"

#include "limits.h"
#include "llm/json.h"

static bool is_request(const cJSON *body)
{
	/* The path names the model. */
	return json_array(body, "messages") && !json_get(body, "model");
}

bool bedrock_is_body(const cJSON *body)
{
	return json_get(json_get(body, "output"), "message") != NULL;
}

static bool is_response(const cJSON *body)
{
	return bedrock_is_body(body) || json_get(body, "contentBlockIndex") || json_string(body, "stopReason") ||
	       json_count(json_get(body, "usage"), "inputTokens") != COUNT_UNKNOWN ||
	       (json_string(body, "role") && json_string(body, "p"));
}

/* --- blocks ---------------------------------------------------------------------- */

/* A tool of the server's own says so in its type. */
static bool add_tool(struct call *call, struct choice *choice, uint64_t number, const cJSON *use)
{
	struct tool_call *tool = chat_add_tool(call, choice, json_string(use, "toolUseId"),
					       json_string(use, "name"), json_get(use, "input"));

	if (!tool)
		return false;
	tool->block = number;
	call_set(call, &tool->type, json_string(use, "type"));
	return tool->name.len > 0;
}

static struct tool_call *tool_of(struct choice *choice, uint64_t number)
{
	for (size_t i = choice->tool_count; i-- > 0;)
		if (choice->tools[i].block == number)
			return &choice->tools[i];
	return NULL;
}

/* {"text": ...} in a stream; a whole answer has it one level deeper. */
static bool add_reasoning(struct call *call, struct choice *choice, const cJSON *reasoning)
{
	const cJSON *text = json_get(reasoning, "reasoningText");

	if (json_get(reasoning, "redactedContent"))
		choice_add_part(call, choice, json_members(reasoning, (const char *const[]){ "redactedContent", NULL }));
	return chat_add(call, &choice->reasoning, json_string(text ? text : reasoning, "text"));
}

static bool add_text(struct call *call, struct choice *choice, const char *text)
{
	choice->has_content |= text != NULL;
	return chat_add(call, &choice->content, text);
}

/* Text with the places that it was taken from. */
static bool add_cited(struct call *call, struct choice *choice, const cJSON *cited)
{
	const cJSON *item;
	bool has_any = false;

	cJSON_ArrayForEach(item, json_array(cited, "content"))
		has_any |= add_text(call, choice, json_string(item, "text"));
	cJSON_ArrayForEach(item, json_array(cited, "citations"))
		choice_add_part(call, choice, cJSON_Duplicate(item, /* recurse */ 1));
	return has_any;
}

/* What is not text: as it is. */
static bool add_other(struct call *call, struct choice *choice, const cJSON *block)
{
	static const char *const kinds[] = { "image", "audio", "video", "document", "toolResult", "citation",
					     "searchResult", "guardContent", NULL };

	choice_add_part(call, choice, json_members(block, kinds));
	return json_get(block, "image") || json_get(block, "audio") || json_get(block, "video");
}

static void read_block(struct call *call, struct choice *choice, uint64_t number, const cJSON *block)
{
	if (json_get(block, "toolUse"))
		add_tool(call, choice, number, json_get(block, "toolUse"));
	else if (json_get(block, "reasoningContent"))
		add_reasoning(call, choice, json_get(block, "reasoningContent"));
	else if (json_get(block, "citationsContent"))
		add_cited(call, choice, json_get(block, "citationsContent"));
	else if (json_string(block, "text"))
		add_text(call, choice, json_string(block, "text"));
	else
		add_other(call, choice, block);
}

static bool read_delta(struct call *call, struct choice *choice, uint64_t number, const cJSON *delta)
{
	const char *input = json_string(json_get(delta, "toolUse"), "input");
	struct tool_call *tool = input ? tool_of(choice, number) : NULL;

	if (tool)
		return chat_add(call, &tool->arguments, input);
	if (json_get(delta, "reasoningContent"))
		return add_reasoning(call, choice, json_get(delta, "reasoningContent"));
	if (json_string(delta, "text"))
		return add_text(call, choice, json_string(delta, "text"));
	return add_other(call, choice, delta);
}

static void end_block(struct call *call, struct choice *choice, uint64_t number)
{
	struct tool_call *tool = tool_of(choice, number);

	if (tool && !tool->arguments.len)
		call_add(call, &tool->arguments, "{}");
}

/* --- ends ------------------------------------------------------------------------ */

static void read_stop(struct call *call, struct choice *choice, const cJSON *object)
{
	const char *reason = json_string(object, "stopReason");
	_cleanup_(buf_done) struct buf text = BUF_INIT(LIMIT_ERROR_TEXT);

	call_set(call, &choice->finish_reason, reason);
	if (text_is(reason, "guardrail_intervened") || text_is(reason, "content_filtered")) {
		buf_printf(&text, "stopped by a filter: %s", reason);
		call_refuse(call, buf_text(&text));
	} else if (reason && strncmp(reason, "malformed_", 10) == 0) {
		call->is_error = true;
		call_set(call, &call->error_type, reason);
		call_set(call, &call->error_message, reason);
	}
}

/* Of a body, or of the last event. */
static void read_metadata(struct call *call, const cJSON *object)
{
	const cJSON *metrics = json_get(object, "metrics");

	bedrock_read_usage(call, json_get(object, "usage"));
	call_fact(call, "serverTimings", cJSON_IsObject(metrics) && metrics->child
					 ? cJSON_Duplicate(metrics, /* recurse */ 1) : NULL);
	call_set(call, &call->service_tier, json_string(json_get(object, "serviceTier"), "type"));
}

/* --- answers ----------------------------------------------------------------------- */

void bedrock_read_body(struct call *call, const cJSON *body)
{
	const cJSON *message = json_get(json_get(body, "output"), "message"), *block;
	struct choice *choice = message || json_get(body, "stopReason") ? call_choice(call, 0) : NULL;
	uint64_t number = 0;

	read_metadata(call, body);
	if (!choice)
		return;
	call_set(call, &choice->role, json_string(message, "role"));
	cJSON_ArrayForEach(block, json_array(message, "content")) {
		read_block(call, choice, number, block);
		end_block(call, choice, number++);
	}
	read_stop(call, choice, body);
}

void bedrock_read_event(struct call *call, const char *type, const cJSON *data, uint64_t time_ns)
{
	uint64_t number = json_count(data, "contentBlockIndex");
	struct choice *choice;
	bool has_any = false;

	if (text_is(type, "metadata")) {
		read_metadata(call, data);
		call->end = CALL_DONE;
		return;
	}
	choice = call_choice(call, 0);
	if (!choice)
		return;
	if (text_is(type, "messageStart")) {
		call_set(call, &choice->role, json_string(data, "role"));
	} else if (text_is(type, "contentBlockStart")) {
		const cJSON *start = json_get(data, "start");

		has_any = json_get(start, "toolUse") ? add_tool(call, choice, number, json_get(start, "toolUse"))
						     : add_other(call, choice, start);
	} else if (text_is(type, "contentBlockDelta")) {
		has_any = read_delta(call, choice, number, json_get(data, "delta"));
	} else if (text_is(type, "contentBlockStop")) {
		end_block(call, choice, number);
	} else if (text_is(type, "messageStop")) {
		read_stop(call, choice, data);
	}
	if (has_any)
		call_chunk(call, time_ns);
}

static void event(struct call *call, const struct call_event *event)
{
	_cleanup_(buf_done) struct buf type = BUF_INIT(64);

	buf_add_slice(&type, event->type);
	bedrock_read_event(call, buf_text(&type), event->data, event->time_ns);
}

/* --- Langfuse's fields --------------------------------------------------------------- */

/* What a request says of itself is metadata, under whatever name. */
static void request(struct call *call)
{
	const cJSON *metadata = json_get(call->request, "requestMetadata");

	bedrock_read_model(call);
	if (metadata && !json_get(call->request, "metadata"))
		json_add_copy(call->request, "metadata", metadata);
}

cJSON *bedrock_input(const struct call *call)
{
	const cJSON *tools = json_get(json_get(call->request, "toolConfig"), "tools");

	return chat_with_tools(chat_input(call, "messages", bedrock_system(call->request)), tools);
}

cJSON *bedrock_parameters(const struct call *call)
{
	const char *tier = call->service_tier.len ? buf_text(&call->service_tier)
						  : json_string(json_get(call->request, "serviceTier"), "type");
	cJSON *parameters = cJSON_CreateObject();

	json_add_scalars(parameters, json_get(call->request, "inferenceConfig"));
	json_add_scalars(parameters, json_get(call->request, "additionalModelRequestFields"));
	json_add_scalars(parameters, json_get(call->request, "performanceConfig"));
	if (tier)
		cJSON_AddStringToObject(parameters, "service_tier", tier);
	return json_or_null(parameters);
}

const struct dialect bedrock_converse = {
	.name = "bedrock.converse",
	.title = "Amazon Bedrock Converse",
	.streams = "AWS event stream",
	.generation_name = "Bedrock-generation",
	.operation = OPERATION_CHAT,
	.has_media = true,
	.routes = (const char *const[]){ "/model/{}/converse", "/model/{}/converse-stream", NULL },
	.is_request = is_request,
	.is_response = is_response,
	.request = request,
	.head = bedrock_read_head,
	.event = event,
	.response = bedrock_read_body,
	.input = bedrock_input,
	.output = chat_output,
	.model_parameters = bedrock_parameters,
};
