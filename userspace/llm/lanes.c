/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Which calls of a WebSocket are under way. The grammar says to which of them a
 * message belongs; here they begin, take events, and end.
 *
 * Invariant: open is in the order of begin, finished in that of end.
 */
#include "llm/lanes_private.h"

#include <ctype.h>

#include "base/memory.h"
#include "base/text.h"
#include "limits.h"
#include "llm/choose.h"
#include "llm/json.h"

static const struct socket_grammar *const grammars[] = { &responses_socket, &realtime_socket };

enum { KEY_MAX_BYTES = 1024 };

/* --- the handshake ------------------------------------------------------------ */

static bool has_token(struct slice list, struct slice token)
{
	while (list.len) {
		const char *comma = memchr(list.ptr, ',', list.len);
		struct slice item = slice_take(&list, comma ? (size_t)(comma - list.ptr) : list.len);

		if (slice_eq_nocase(slice_trim(item), token))
			return true;
		if (comma)
			slice_take(&list, 1);
	}
	return false;
}

static bool asks_for_websocket(const struct http_head *request)
{
	struct slice upgrade;

	return slice_eq(request->method, SLICE("GET")) && http_field(request, "upgrade", &upgrade) &&
	       has_token(upgrade, SLICE("websocket"));
}

/* Cuts the query off *target and returns it. */
static struct slice take_query(struct slice *target)
{
	const char *mark = target->len ? memchr(target->ptr, '?', target->len) : NULL;
	struct slice path = slice_take(target, mark ? (size_t)(mark - target->ptr) : target->len);
	struct slice query = *target;

	if (query.len)
		slice_take(&query, 1);
	*target = path;
	return query;
}

static void add_decoded(struct buf *buf, struct slice text)
{
	_cleanup_(buf_done) struct buf raw = BUF_INIT(buf->max);

	while (text.len) {
		char hex[3] = "";

		if (text.len >= 3 && text.ptr[0] == '%' && isxdigit((unsigned char)text.ptr[1]) &&
		    isxdigit((unsigned char)text.ptr[2])) {
			memcpy(hex, text.ptr + 1, 2);
			buf_add_char(&raw, (char)strtol(hex, NULL, 16));
			slice_take(&text, 3);
		} else {
			buf_add_slice(&raw, slice_take(&text, 1));
		}
	}
	text_add_utf8(buf, buf_slice(&raw));
}

/* Azure's deployment stands for a model. */
static void read_model(struct lanes *lanes, struct slice query)
{
	while (query.len) {
		const char *end = memchr(query.ptr, '&', query.len);
		struct slice item = slice_take(&query, end ? (size_t)(end - query.ptr) : query.len);

		if (end)
			slice_take(&query, 1);
		if (slice_starts(item, SLICE("model=")))
			slice_take(&item, strlen("model="));
		else if (slice_starts(item, SLICE("deployment=")))
			slice_take(&item, strlen("deployment="));
		else
			continue;
		buf_reset(&lanes->model);
		add_decoded(&lanes->model, item);
	}
}

static const struct socket_grammar *grammar_of(struct slice path)
{
	for (size_t i = 0; i < ARRAY_SIZE(grammars); i++)
		if (slice_ends(path, slice_of(grammars[i]->route)))
			return grammars[i];
	return NULL;
}

const char *lanes_route(const struct dialect *dialect)
{
	for (size_t i = 0; i < ARRAY_SIZE(grammars); i++)
		if (grammars[i]->dialect == dialect)
			return grammars[i]->route;
	return NULL;
}

struct lanes *lanes_begin(const struct http_head *request, size_t max_content, size_t *budget,
			  bool *ret_no_memory)
{
	struct slice path = request->target, query = take_query(&path);
	const struct socket_grammar *grammar = grammar_of(path);
	struct lanes *lanes;

	*ret_no_memory = false;
	if (!grammar || !asks_for_websocket(request))
		return NULL;
	lanes = calloc(1, sizeof(*lanes));
	*ret_no_memory = !lanes;
	if (!lanes)
		return NULL;
	lanes->grammar = grammar;
	lanes->max_content = max_content;
	lanes->budget = budget;
	lanes->model = lanes->failed_id = BUF_INIT(KEY_MAX_BYTES);
	read_model(lanes, query);
	return lanes;
}

static void free_list(struct open_lane *open)
{
	while (open) {
		struct open_lane *next = open->next;

		call_free(&open->lane.call);
		buf_done(&open->key);
		free(open);
		open = next;
	}
}

void lanes_free(struct lanes **lanesp)
{
	struct lanes *lanes = *lanesp;

	if (!lanes)
		return;
	free_list(lanes->open);
	free_list(lanes->finished);
	buf_done(&lanes->model);
	buf_done(&lanes->failed_id);
	cJSON_Delete(lanes->steers);
	cJSON_Delete(lanes->session);
	cJSON_Delete(lanes->items);
	free(lanes);
	*lanesp = NULL;
}

/* --- one call ------------------------------------------------------------------ */

static void append(struct open_lane **list, struct open_lane *open)
{
	while (*list)
		list = &(*list)->next;
	open->next = NULL;
	*list = open;
}

void lane_set_request(struct lanes *lanes, struct open_lane *open, cJSON *request)
{
	struct call *call = open->lane.call;

	/* Twice: the input is cut to the half of it where it leaves, the rest stays whole. */
	if (json_fit(&request, 2 * lanes->max_content))
		call->marks |= LOSS_BIT(LOSS_CONTENT_TRUNCATED);
	cJSON_Delete(call->request);
	call->request = request;
	if (call->request && call->dialect->request)
		call->dialect->request(call);
}

/* A call of a socket has no path: its dialect is known. */
static struct call *new_call(struct lanes *lanes, uint64_t time_ns)
{
	struct call *call = call_new(lanes->grammar->dialect, lanes->max_content);

	if (!call)
		return NULL;
	call->budget = lanes->budget;
	call->lane = ++lanes->number;
	call->is_path_known = true;
	call->is_stream = true;
	call->has_shape = true;
	call->times.request_first_ns = call->times.request_last_ns = time_ns;
	return call;
}

struct open_lane *lanes_open(struct lanes *lanes, uint64_t time_ns, cJSON *request)
{
	struct open_lane *open = lanes->count < LIMIT_LANES ? calloc(1, sizeof(*open)) : NULL;

	if (open)
		open->lane.call = new_call(lanes, time_ns);
	if (!open || !open->lane.call) {
		free(open);
		cJSON_Delete(request);
		lanes_give_up(lanes, lanes->count < LIMIT_LANES ? LOSS_NO_MEMORY : LOSS_LANES_LIMIT, time_ns);
		return NULL;
	}
	open->key = BUF_INIT(KEY_MAX_BYTES);
	if (!lanes->grammar->has_state)
		open->lane.lost_before = lanes->lost_bytes;
	lane_set_request(lanes, open, request);
	append(&lanes->open, open);
	lanes->count++;
	return open;
}

void lane_end(struct lanes *lanes, struct open_lane *open, uint64_t time_ns)
{
	struct open_lane **link = &lanes->open;

	while (*link != open)
		link = &(*link)->next;
	*link = open->next;
	lanes->count--;
	lanes->last_end_ns = time_ns;
	if (!open->lane.call->times.end_ns)
		open->lane.call->times.end_ns = time_ns;
	append(&lanes->finished, open);
}

void lane_event(struct lanes *lanes, struct open_lane *open, const struct socket_message *message)
{
	struct call *call = open->lane.call;

	if (!call->times.response_first_ns)
		call->times.response_first_ns = message->time_ns;
	open->lane.response_bytes += message->len;
	call->marks |= message->marks;
	open->is_answered = true;
	call_take_event(call, message->time_ns, (struct slice){ 0 }, message->data);
	/* Nothing follows: the message is the answer. */
	if (call->is_error && strcmp(message->type, "error") == 0)
		call->end = CALL_DONE;
	if (call->end == CALL_DONE)
		lane_end(lanes, open, message->time_ns);
}

struct open_lane *lanes_find(struct lanes *lanes, const char *response_id)
{
	if (!response_id || !*response_id)
		return NULL;
	for (struct open_lane *open = lanes->open; open; open = open->next)
		if (strcmp(buf_text(&open->lane.call->response_id), response_id) == 0)
			return open;
	return NULL;
}

/* --- all of them ---------------------------------------------------------------- */

/* Of all that are under way, or ended by what is read just now; told by the socket
 * itself when there are none. */
static void mark_all(struct lanes *lanes, loss_set marks)
{
	struct open_lane *const lists[] = { lanes->open, lanes->finished };
	bool is_told = false;

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		for (struct open_lane *open = lists[i]; open; open = open->next) {
			open->lane.call->marks |= marks;
			is_told = true;
		}
	if (!is_told)
		lanes->marks |= marks;
}

void lanes_give_up(struct lanes *lanes, enum loss loss, uint64_t time_ns)
{
	if (lanes->is_given_up)
		return;
	lanes->is_given_up = true;
	mark_all(lanes, LOSS_BIT(loss));
	lanes_end(lanes, time_ns);
}

loss_set lanes_take_marks(struct lanes *lanes)
{
	loss_set marks = lanes->marks;

	lanes->marks = 0;
	return marks;
}

void lanes_end(struct lanes *lanes, uint64_t time_ns)
{
	while (lanes->open)
		lane_end(lanes, lanes->open, time_ns);
}

/* Sound comes fifty times a second and says nothing that is kept. */
static bool is_sound(struct slice text)
{
	static const char mark[] = "\"input_audio_buffer.append\"";

	return memmem(text.ptr, MIN(text.len, (size_t)128), mark, strlen(mark)) != NULL;
}

static void read_message(struct lanes *lanes, bool is_from_client, struct socket_message *message,
			 struct slice text)
{
	_cleanup_(json_freep) cJSON *owned = NULL;

	message->data = json_read(text, JSON_OMIT_BASE64, &owned, &message->marks);
	message->type = json_string(message->data, "type");
	if (!message->data)
		mark_all(lanes, message->marks);
	if (!message->type)
		return;
	if (is_from_client)
		lanes->grammar->client(lanes, message);
	else
		lanes->grammar->server(lanes, message);
}

void lanes_message(struct lanes *lanes, bool is_from_client, uint64_t time_ns, uint64_t lost_bytes,
		   struct slice text)
{
	struct socket_message message = { .time_ns = time_ns, .len = text.len };
	uint64_t failures = memory_failures();

	lanes->lost_bytes = lost_bytes;
	if (lanes->is_given_up || !text.len || (is_from_client && is_sound(text)))
		return;
	read_message(lanes, is_from_client, &message, text);
	/* What is missing may be what tells whose a later message is. */
	if (memory_failures() != failures)
		lanes_give_up(lanes, LOSS_NO_MEMORY, time_ns);
}

bool lanes_next(struct lanes *lanes, struct lane *ret)
{
	struct open_lane *first = lanes->finished;

	if (!first)
		return false;
	lanes->finished = first->next;
	*ret = first->lane;
	buf_done(&first->key);
	free(first);
	return true;
}

size_t lanes_count(const struct lanes *lanes)
{
	return lanes->count;
}
