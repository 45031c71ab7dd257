/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The Realtime API: a session has a conversation of items, and every response is a
 * call with all of them as its input. Who asks for one is the client, by
 * response.create, or the server, when it hears that the user has spoken. All of a
 * response's events carry its id. Sound is measured, not kept; transcriptions of what
 * the user said complete the items that they are of.
 * https://platform.openai.com/docs/api-reference/realtime-server-events
 */
#include "limits.h"
#include "llm/json.h"
#include "llm/lanes_private.h"
#include "llm/openai_responses.h"

static bool is(const struct socket_message *message, const char *type)
{
	return strcmp(message->type, type) == 0;
}

static bool begins(const struct socket_message *message, const char *prefix)
{
	return strncmp(message->type, prefix, strlen(prefix)) == 0;
}

/* --- the session ------------------------------------------------------------------ */

/* What is said of it goes over what was said before. */
static void update_session(struct lanes *lanes, const cJSON *session)
{
	const cJSON *item;

	if (!lanes->session)
		lanes->session = cJSON_CreateObject();
	cJSON_ArrayForEach(item, session) {
		if (!item->string || (cJSON_GetArraySize(lanes->session) >= LIMIT_METADATA_KEYS &&
				      !json_get(lanes->session, item->string)))
			continue;
		cJSON_DeleteItemFromObjectCaseSensitive(lanes->session, item->string);
		json_add_copy(lanes->session, item->string, item);
	}
	if (json_fit(&lanes->session, lanes->max_content) && !cJSON_IsObject(lanes->session)) {
		cJSON_Delete(lanes->session);
		lanes->session = NULL;
	}
}

/* --- the conversation --------------------------------------------------------------- */

static cJSON *find_item(const struct lanes *lanes, const char *id)
{
	cJSON *item;

	cJSON_ArrayForEach(item, lanes->items) {
		const char *other = json_string(item, "id");

		if (id && other && strcmp(other, id) == 0)
			return item;
	}
	return NULL;
}

static void put_item(struct lanes *lanes, const cJSON *item)
{
	cJSON *former = find_item(lanes, json_string(item, "id"));
	cJSON *copy;

	if (!cJSON_IsObject(item))
		return;
	copy = cJSON_Duplicate(item, /* recurse */ 1);
	lanes->is_items_cut |= json_fit(&copy, LIMIT_SOCKET_ITEM);
	if (!cJSON_IsObject(copy) || (former && cJSON_ReplaceItemViaPointer(lanes->items, former, copy))) {
		if (!cJSON_IsObject(copy))
			cJSON_Delete(copy);
		return;
	}
	if (!lanes->items)
		lanes->items = cJSON_CreateArray();
	if (cJSON_GetArraySize(lanes->items) >= LIMIT_SOCKET_ITEMS) {
		cJSON_DeleteItemFromArray(lanes->items, 0);
		lanes->is_items_cut = true;
	}
	json_append(lanes->items, copy);
}

static void drop_item(struct lanes *lanes, const char *id)
{
	cJSON *item = find_item(lanes, id);

	if (item)
		cJSON_Delete(cJSON_DetachItemViaPointer(lanes->items, item));
}

/* What was heard, into the part that was sound. */
static void put_transcript(struct lanes *lanes, const cJSON *event)
{
	const char *transcript = json_string(event, "transcript");
	cJSON *item = find_item(lanes, json_string(event, "item_id"));
	uint64_t index = json_count(event, "content_index");
	cJSON *content = (cJSON *)json_array(item, "content"), *part, *text;

	part = index < LIMIT_PARTS ? cJSON_GetArrayItem(content, (int)index) : NULL;
	if (!transcript || !cJSON_IsObject(part))
		return;
	text = cJSON_CreateString(transcript);
	lanes->is_items_cut |= json_fit(&text, LIMIT_SOCKET_ITEM);
	cJSON_DeleteItemFromObjectCaseSensitive(part, "transcript");
	json_add(part, "transcript", text);
}

/* --- requests ------------------------------------------------------------------------ */

static void add_setting(cJSON *request, const char *name, const cJSON *given, const cJSON *session)
{
	const cJSON *item = json_get(given, name);

	if (!item)
		item = json_get(session, name);
	if (!item || (cJSON_IsArray(item) && !item->child))
		return;
	json_add_copy(request, name, item);
}

/* What the model is given, in the form of a Responses request. */
static cJSON *request_json(const struct lanes *lanes, const cJSON *given)
{
	static const char *const settings[] = {
		"model", "instructions", "tools", "tool_choice", "temperature", "max_output_tokens",
		"max_response_output_tokens", "output_modalities", "modalities", "voice", "audio",
		"reasoning", "metadata",
	};
	const cJSON *input = json_get(given, "input");
	cJSON *request = cJSON_CreateObject();

	for (size_t i = 0; i < ARRAY_SIZE(settings); i++)
		add_setting(request, settings[i], given, lanes->session);
	if (!json_get(request, "tools"))
		cJSON_DeleteItemFromObjectCaseSensitive(request, "tool_choice");
	if (lanes->model.len && !json_get(request, "model"))
		cJSON_AddStringToObject(request, "model", buf_text(&lanes->model));
	json_add_copy(request, "input", input ? input : lanes->items);
	return request;
}

/* Only now all that it was asked with is known: items that the client made just
 * before it are told by the server. */
static void fill_request(struct lanes *lanes, struct open_lane *open)
{
	struct call *call = open->lane.call;
	cJSON *request = request_json(lanes, call->request);

	if (lanes->is_items_cut && !json_get(call->request, "input"))
		call->marks |= LOSS_BIT(LOSS_CONTENT_TRUNCATED);
	lane_set_request(lanes, open, request);
}

static void create(struct lanes *lanes, const struct socket_message *message)
{
	const cJSON *given = json_get(message->data, "response");
	const char *id = json_string(message->data, "event_id");
	struct open_lane *open = lanes_open(lanes, message->time_ns,
					    given ? cJSON_Duplicate(given, /* recurse */ 1) : NULL);

	if (!open)
		return;
	open->lane.request_bytes = message->len;
	open->lane.call->marks |= message->marks;
	if (id)
		buf_add_text(&open->key, id);
}

static void client(struct lanes *lanes, const struct socket_message *message)
{
	if (is(message, "response.create"))
		create(lanes, message);
	else if (is(message, "session.update"))
		update_session(lanes, json_get(message->data, "session"));
}

/* --- responses ------------------------------------------------------------------------ */

/* Asked for outside the conversation. */
static bool is_apart(const struct open_lane *open)
{
	const char *conversation = json_string(open->lane.call->request, "conversation");

	return conversation && strcmp(conversation, "none") == 0;
}

/* The oldest request that the response may be of. */
static struct open_lane *first_waiting(struct lanes *lanes, const cJSON *response)
{
	bool is_told = cJSON_HasObjectItem(response, "conversation_id");
	bool is_in_conversation = json_get(response, "conversation_id") != NULL;

	for (struct open_lane *open = lanes->open; open; open = open->next)
		if (!open->is_answered && (!is_told || is_apart(open) != is_in_conversation))
			return open;
	return NULL;
}

/* The server answers a request, or on its own account what it heard. */
static struct open_lane *begin_response(struct lanes *lanes, const struct socket_message *message)
{
	struct open_lane *open = first_waiting(lanes, json_get(message->data, "response"));

	if (!open) {
		open = lanes_open(lanes, lanes->trigger_ns ? lanes->trigger_ns : message->time_ns, NULL);
		/* Somebody has asked for it, and that was lost. */
		if (open && !lanes->trigger_ns)
			open->lane.call->marks |= LOSS_BIT(LOSS_GAP);
	}
	if (!open)
		return NULL;
	if (!is_apart(open))
		lanes->trigger_ns = 0;
	fill_request(lanes, open);
	return open;
}

/* Its items are of the conversation; what its own tools found, the server goes on with. */
static void take_output(struct lanes *lanes, const struct socket_message *message, const cJSON *response)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, json_array(response, "output")) {
		const char *type = json_string(item, "type");

		if (json_get(response, "conversation_id"))
			put_item(lanes, item);
		if (type && strcmp(type, "mcp_call") == 0)
			lanes->trigger_ns = message->time_ns;
	}
}

static void response_event(struct lanes *lanes, const struct socket_message *message)
{
	const cJSON *response = json_get(message->data, "response");
	const char *id = json_string(response, "id");
	struct open_lane *open = lanes_find(lanes, id ? id : json_string(message->data, "response_id"));

	if (!open && is(message, "response.created"))
		open = begin_response(lanes, message);
	if (open)
		lane_event(lanes, open, message);
	if (is(message, "response.done"))
		take_output(lanes, message, response);
}

/* Most errors are about something else, and the session goes on. */
static void error_event(struct lanes *lanes, const struct socket_message *message)
{
	const char *id = json_string(json_get(message->data, "error"), "event_id");

	for (struct open_lane *open = lanes->open; open; open = open->next) {
		if (open->is_answered || strcmp(buf_text(&open->key), id ? id : "") != 0)
			continue;
		fill_request(lanes, open);
		lane_event(lanes, open, message);
		return;
	}
}

static void server(struct lanes *lanes, const struct socket_message *message)
{
	if (begins(message, "response."))
		response_event(lanes, message);
	else if (is(message, "error"))
		error_event(lanes, message);
	else if (is(message, "session.created") || is(message, "session.updated"))
		update_session(lanes, json_get(message->data, "session"));
	else if (is(message, "conversation.item.created") || is(message, "conversation.item.added") ||
		 is(message, "conversation.item.done"))
		put_item(lanes, json_get(message->data, "item"));
	else if (is(message, "conversation.item.deleted"))
		drop_item(lanes, json_string(message->data, "item_id"));
	else if (is(message, "conversation.item.input_audio_transcription.completed"))
		put_transcript(lanes, message->data);
	else if (is(message, "input_audio_buffer.committed"))
		lanes->trigger_ns = message->time_ns;
}

const struct socket_grammar realtime_socket = {
	.route = "/realtime",
	.dialect = &openai_realtime,
	.has_state = true,
	.client = client,
	.server = server,
};

/* --- fields ----------------------------------------------------------------------------- */

static bool is_request(const cJSON *body)
{
	(void)body;
	return false;		/* there is no such body: see lanes.h */
}

static bool is_response(const cJSON *body)
{
	const char *object = json_string(json_get(body, "response"), "object");

	return object && strcmp(object, "realtime.response") == 0;
}

static cJSON *model_parameters(const struct call *call)
{
	static const char *const names[] = {
		"temperature", "max_output_tokens", "max_response_output_tokens", "output_modalities",
		"modalities", "voice", NULL,
	};
	const cJSON *audio = json_get(json_get(call->request, "audio"), "output");
	const cJSON *effort = json_get(json_get(call->request, "reasoning"), "effort");
	cJSON *parameters = json_members(call->request, names);

	if (!parameters && (audio || effort))
		parameters = cJSON_CreateObject();
	json_add_copy(parameters, "voice", json_get(audio, "voice"));
	json_add_copy(parameters, "speed", json_get(audio, "speed"));
	json_add_copy(parameters, "reasoning_effort", effort);
	return parameters;
}

const struct dialect openai_realtime = {
	.name = "openai.realtime",
	.title = "OpenAI Realtime",
	.streams = "WebSocket",
	.generation_name = "OpenAI-generation",
	.operation = OPERATION_CHAT,
	.has_media = true,
	.routes = (const char *const[]){ NULL },
	.is_request = is_request,
	.is_response = is_response,
	.request = openai_hide_keys,
	.event = openai_read_response_event,
	.response = openai_read_whole_response,
	.input = openai_responses_input,
	.output = openai_responses_output,
	.model_parameters = model_parameters,
};
