/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Responses over WebSocket: response.create is a POST's body, events are those of a
 * stream. Most events do not say of which response they are: on one stream_id (none
 * is one, too) responses follow each other in the order of their requests, and
 * several stream_ids interleave.
 *
 * response.steer queues input for a successor of a response. It is committed by the
 * successor's response.created, which comes by itself, or answers an explicit
 * response.create that names the same previous_response_id.
 * https://platform.openai.com/docs/guides/websocket-mode
 */
#include "limits.h"
#include "llm/json.h"
#include "llm/lanes_private.h"
#include "llm/openai.h"

static const char *text_of(const cJSON *object, const char *name)
{
	const char *text = json_string(object, name);

	return text ? text : "";
}

static bool is_on(const struct open_lane *open, const char *stream)
{
	return strcmp(buf_text(&open->key), stream) == 0;
}

/* The oldest of that stream whose response began, or did not. */
static struct open_lane *first_on(struct lanes *lanes, const char *stream, bool is_answered)
{
	for (struct open_lane *open = lanes->open; open; open = open->next)
		if (open->is_answered == is_answered && is_on(open, stream))
			return open;
	return NULL;
}

/* --- the client's --------------------------------------------------------------- */

static struct open_lane *open_on(struct lanes *lanes, uint64_t time_ns, cJSON *request, const char *stream)
{
	struct open_lane *open = lanes_open(lanes, time_ns, request);

	if (!open || !*stream)
		return open;
	buf_add_text(&open->key, stream);
	call_fact(open->lane.call, "streamId", cJSON_CreateString(stream));
	return open;
}

static void create(struct lanes *lanes, const struct socket_message *message)
{
	cJSON *request = cJSON_Duplicate(message->data, /* recurse */ 1);
	struct open_lane *open;

	cJSON_DeleteItemFromObjectCaseSensitive(request, "type");
	cJSON_DeleteItemFromObjectCaseSensitive(request, "stream_id");
	open = open_on(lanes, message->time_ns, request, text_of(message->data, "stream_id"));
	if (!open)
		return;
	open->lane.request_bytes = message->len;
	open->lane.call->marks |= message->marks;
}

/* A steer as it is kept: {"previous": id, "input": array, "time_ns": text, "bytes": n}. */
static void keep_steer(struct lanes *lanes, const struct socket_message *message)
{
	const cJSON *input = json_get(message->data, "input");
	cJSON *steer, *copy;

	if (!lanes->steers)
		lanes->steers = cJSON_CreateArray();
	if (!input || cJSON_GetArraySize(lanes->steers) >= LIMIT_LANES) {
		if (input)
			lanes_give_up(lanes, LOSS_LANES_LIMIT, message->time_ns);
		return;
	}
	steer = cJSON_CreateObject();
	copy = cJSON_Duplicate(input, /* recurse */ 1);
	json_fit(&copy, lanes->max_content);
	cJSON_AddStringToObject(steer, "previous", text_of(message->data, "previous_response_id"));
	json_add(steer, "input", copy);
	cJSON_AddNumberToObject(steer, "time_ns", (double)message->time_ns);
	cJSON_AddNumberToObject(steer, "bytes", (double)message->len);
	json_append(lanes->steers, steer);
}

static void client(struct lanes *lanes, const struct socket_message *message)
{
	if (strcmp(message->type, "response.create") == 0)
		create(lanes, message);
	else if (strcmp(message->type, "response.steer") == 0)
		keep_steer(lanes, message);
}

/* --- steering ------------------------------------------------------------------- */

/* Takes the oldest steer of that response out; NULL when there is none. */
static cJSON *take_steer(struct lanes *lanes, const char *previous)
{
	cJSON *steer;

	cJSON_ArrayForEach(steer, lanes->steers)
		if (strcmp(text_of(steer, "previous"), previous) == 0)
			return cJSON_DetachItemViaPointer(lanes->steers, steer);
	return NULL;
}

static bool has_steer(const struct lanes *lanes, const char *previous)
{
	const cJSON *steer;

	cJSON_ArrayForEach(steer, lanes->steers)
		if (strcmp(text_of(steer, "previous"), previous) == 0)
			return true;
	return false;
}

/* Items of an input, or a text as one. */
static void add_input(cJSON *array, const cJSON *input)
{
	const cJSON *item;
	cJSON *message;

	if (!cJSON_IsString(input)) {
		cJSON_ArrayForEach(item, input)
			json_append(array, cJSON_Duplicate(item, /* recurse */ 1));
		return;
	}
	message = cJSON_CreateObject();
	cJSON_AddStringToObject(message, "role", "user");
	json_add_copy(message, "content", input);
	json_append(array, message);
}

/* What was queued for the successor of @previous stands before its own input. */
static void commit_steers(struct lanes *lanes, struct open_lane *open, const char *previous)
{
	struct call *call = open->lane.call;
	cJSON *request = TAKE_PTR(call->request);
	cJSON *input = cJSON_CreateArray();
	cJSON *steer;

	while ((steer = take_steer(lanes, previous))) {
		add_input(input, json_get(steer, "input"));
		open->lane.request_bytes += json_count(steer, "bytes");
		cJSON_Delete(steer);
	}
	add_input(input, json_get(request, "input"));
	if (!request)
		request = cJSON_CreateObject();
	cJSON_DeleteItemFromObjectCaseSensitive(request, "input");
	json_add(request, "input", input);
	lane_set_request(lanes, open, request);
}

/* A response that nobody asked for by response.create: it has its predecessor's
 * settings, which it repeats. */
static struct open_lane *open_successor(struct lanes *lanes, const struct socket_message *message,
					const cJSON *response, bool is_steered)
{
	static const char *const settings[] = {
		"tools", "tool_choice", "model", "instructions", "temperature", "top_p", "reasoning",
		"text", "max_output_tokens", "previous_response_id", "service_tier", NULL,
	};
	uint64_t time_ns = is_steered && lanes->last_end_ns ? lanes->last_end_ns : message->time_ns;
	bool has_tools = cJSON_GetArraySize(json_array(response, "tools")) > 0;
	/* Without tools, the first two say nothing. */
	cJSON *request = json_members(response, has_tools ? settings : settings + 2);
	struct open_lane *open = open_on(lanes, time_ns, request, text_of(message->data, "stream_id"));

	/* Its request was lost, with other bytes of the socket. */
	if (open && !is_steered)
		open->lane.call->marks |= LOSS_BIT(LOSS_GAP);
	return open;
}

/* --- the server's --------------------------------------------------------------- */

/* The one before it on the stream is over, and its end was not seen. True when there
 * was one. */
static bool end_stale(struct lanes *lanes, const struct socket_message *message)
{
	struct open_lane *stale = first_on(lanes, text_of(message->data, "stream_id"), /* is_answered */ true);

	if (!stale)
		return false;
	stale->lane.call->marks |= LOSS_BIT(LOSS_GAP);
	lane_end(lanes, stale, message->time_ns);
	return true;
}

/* A response begins: whose? Where something before it was lost, it says so. */
static struct open_lane *answered_by(struct lanes *lanes, const struct socket_message *message,
				     const cJSON *response)
{
	const char *previous = text_of(response, "previous_response_id");
	bool is_steered = *previous && has_steer(lanes, previous);
	bool is_unsure = end_stale(lanes, message);
	struct open_lane *open = first_on(lanes, text_of(message->data, "stream_id"), /* is_answered */ false);

	/* A successor goes before requests that wait for something else. */
	if (open && is_steered && strcmp(text_of(open->lane.call->request, "previous_response_id"), previous) != 0)
		open = NULL;
	if (open)
		is_unsure = false;
	else
		open = open_successor(lanes, message, response, is_steered);
	is_unsure |= strcmp(message->type, "response.created") != 0;
	if (open && is_unsure)
		open->lane.call->marks |= LOSS_BIT(LOSS_GAP);
	if (open && is_steered)
		commit_steers(lanes, open, previous);
	return open;
}

static struct open_lane *lane_of(struct lanes *lanes, const struct socket_message *message)
{
	const cJSON *response = json_get(message->data, "response");
	const char *stream = text_of(message->data, "stream_id");
	const char *id = json_string(response, "id");
	struct open_lane *open;

	open = lanes_find(lanes, id ? id : json_string(message->data, "response_id"));
	if (open)
		return open;
	/* An error has ended it before. */
	if (id && strcmp(buf_text(&lanes->failed_id), id) == 0)
		return NULL;
	/* Its beginning was lost. */
	open = first_on(lanes, stream, /* is_answered */ true);
	if (open && !open->lane.call->response_id.len)
		return open;
	if (id)
		return answered_by(lanes, message, response);
	return open ? open : first_on(lanes, stream, /* is_answered */ false);
}

static void server(struct lanes *lanes, const struct socket_message *message)
{
	struct open_lane *open;

	if (strncmp(message->type, "response.steer.", 15) == 0) {
		const char *previous = text_of(json_get(message->data, "steer"), "previous_response_id");

		if (strcmp(message->type, "response.steer.failed") == 0)
			cJSON_Delete(take_steer(lanes, previous));
		return;
	}
	open = lane_of(lanes, message);
	if (!open)
		return;
	if (strcmp(message->type, "error") == 0) {
		buf_reset(&lanes->failed_id);
		buf_add_text(&lanes->failed_id, buf_text(&open->lane.call->response_id));
	}
	lane_event(lanes, open, message);
}

const struct socket_grammar responses_socket = {
	.route = "/responses",
	.dialect = &openai_responses,
	.client = client,
	.server = server,
};
