/* SPDX-License-Identifier: Apache-2.0 */
/* What is fed to a call: bodies, events, parts, heads; parsed, and given to its dialect. */
#include <math.h>

#include "base/memory.h"
#include "base/text.h"
#include "limits.h"
#include "llm/choose.h"
#include "llm/dialect.h"
#include "llm/error.h"
#include "llm/json.h"

/* Marks the call when something was not there for want of memory. */
struct memory_watch {
	struct call *call;
	uint64_t failures;
};

static struct memory_watch watch_memory(struct call *call)
{
	return (struct memory_watch){ call, memory_failures() };
}

static void memory_watch_done(struct memory_watch *watch)
{
	if (memory_failures() != watch->failures)
		watch->call->marks |= LOSS_BIT(LOSS_NO_MEMORY);
}

#define WATCH_MEMORY(call)	_cleanup_(memory_watch_done) __attribute__((unused)) struct memory_watch watch_ = watch_memory(call)

/* Adds raw text of unknown quality. */
static void add_raw(struct call *call, struct buf *buf, struct slice text)
{
	_cleanup_(buf_done) struct buf clean = BUF_INIT(3 * buf->max);
	size_t fits = utf8_prefix(text, buf->max);

	if (text_add_utf8(&clean, (struct slice){ text.ptr, fits }))
		call->marks |= LOSS_BIT(LOSS_BAD_TEXT);
	if (fits < text.len)
		call->marks |= LOSS_BIT(LOSS_CONTENT_TRUNCATED);
	call_add(call, buf, buf_text(&clean));
}

static cJSON *clean_string(struct call *call, struct slice text)
{
	_cleanup_(buf_done) struct buf clean = BUF_INIT(call->max_content);

	add_raw(call, &clean, text);
	return cJSON_CreateString(buf_text(&clean));
}

/* --- requests --------------------------------------------------------------- */

static void settle_request(struct call *call)
{
	if (choose_by_request(call))
		call->has_shape = true;
	if (call->dialect->request)
		call->dialect->request(call);
}

void call_read_request(struct call *call, struct slice body, bool is_truncated)
{
	WATCH_MEMORY(call);
	unsigned flags = JSON_OMIT_BASE64 | (is_truncated ? JSON_CUT : 0);
	_cleanup_(json_freep) cJSON *json = NULL;

	if (!body.len) {
		if (call->request)	/* it came in parts */
			settle_request(call);
		return;
	}
	/* Read again when an answer overtook the rest of it. */
	json_freep(&call->request);
	buf_reset(&call->request_text);
	json = json_parse(body, flags, &call->marks);
	if (!cJSON_IsObject(json)) {
		add_raw(call, &call->request_text, body);
		return;
	}
	call->request = TAKE_PTR(json);
	settle_request(call);
	if (!call_hold(call, json_size(call->request)))
		json_freep(&call->request);
}

/* A file as what is known of it. */
static cJSON *note_json(struct call *call, const struct stream_note *note)
{
	cJSON *json = cJSON_CreateObject();

	if (note->filename.len)
		json_add(json, "filename", clean_string(call, note->filename));
	if (note->content_type.len)
		json_add(json, "type", clean_string(call, note->content_type));
	json_add_u64(json, "bytes", note->size);
	if (*note->sha256)
		cJSON_AddStringToObject(json, "sha256", note->sha256);
	if (note->is_incomplete)
		cJSON_AddTrueToObject(json, "incomplete");
	return json;
}

/* A name that comes again ("include[]") makes a list. */
static void add_field(cJSON *object, const char *name, cJSON *value)
{
	cJSON *former = cJSON_GetObjectItemCaseSensitive(object, name);
	cJSON *list;

	if (!former) {
		json_add(object, name, value);
		return;
	}
	if (cJSON_IsArray(former)) {
		json_append(former, value);
		return;
	}
	list = cJSON_CreateArray();
	json_append(list, cJSON_DetachItemViaPointer(object, former));
	json_append(list, value);
	json_add(object, name, list);
}

void call_read_part(struct call *call, const struct stream_event *part)
{
	WATCH_MEMORY(call);
	_cleanup_(buf_done) struct buf name = BUF_INIT(LIMIT_METADATA);

	if (!call->request)
		call->request = cJSON_CreateObject();
	if (!call->request || cJSON_GetArraySize(call->request) >= LIMIT_PARTS) {
		call->marks |= LOSS_BIT(call->request ? LOSS_CONTENT_TRUNCATED : LOSS_NO_MEMORY);
		return;
	}
	if (part->is_cut)
		call->marks |= LOSS_BIT(LOSS_CONTENT_TRUNCATED);
	text_add_utf8(&name, part->type);
	add_field(call->request, buf_text(&name),
		  part->note ? note_json(call, part->note) : clean_string(call, part->data));
}

/* --- responses -------------------------------------------------------------- */

void call_read_head(struct call *call, const struct http_head *response)
{
	WATCH_MEMORY(call);
	struct slice cost;
	char text[32] = "", *end;

	if (!call->provider_hint)
		call->provider_hint = provider_of_head(response);
	if (http_field(response, "x-litellm-response-cost", &cost) && cost.len < sizeof(text)) {
		memcpy(text, cost.ptr, cost.len);
		call->usage.cost = strtod(text, &end);
		if (end == text || *end || !(call->usage.cost >= 0) || isinf(call->usage.cost))
			call->usage.cost = NAN;
	}
	if (call->dialect->head)
		call->dialect->head(call, response);
}

static unsigned answer_flags(const struct call *call)
{
	return call->dialect->has_media ? JSON_OMIT_BASE64 : 0;
}

static void read_media(struct call *call, const struct stream_event *event)
{
	call->has_shape |= call->request != NULL;
	if (call->dialect->media) {
		call->dialect->media(call, event);
		return;
	}
	cJSON_Delete(call->output);
	call->output = note_json(call, event->note);
}

/* The framing says that it is an error, and of which type; nothing follows. */
static void read_exception(struct call *call, uint64_t time_ns, const struct stream_event *event)
{
	loss_set marks = 0;
	_cleanup_(json_freep) cJSON *json = json_parse(event->data, 0, &marks);

	call->is_error = call->has_shape = true;
	if (!error_read_http(call, json))
		add_raw(call, &call->error_message, event->message.len ? event->message : event->data);
	if (event->type.len) {
		buf_reset(&call->error_type);
		add_raw(call, &call->error_type, event->type);
	}
	call->end = CALL_DONE;
	call->times.end_ns = time_ns;
}

void call_take_event(struct call *call, uint64_t time_ns, struct slice type, const cJSON *json)
{
	struct call_event event = { .time_ns = time_ns, .type = type, .data = json };

	if (!call->times.first_event_ns)
		call->times.first_event_ns = time_ns;
	if (error_read(call, json) || choose_by_response(call, json))
		call->has_shape = true;
	dialect_event(call->dialect, call, &event);
	if (call->end == CALL_DONE && !call->times.end_ns)
		call->times.end_ns = time_ns;
}

void call_read_event(struct call *call, uint64_t time_ns, const struct stream_event *event)
{
	WATCH_MEMORY(call);
	_cleanup_(json_freep) cJSON *owned = NULL;
	const cJSON *json;

	if (event->note) {
		read_media(call, event);
		return;
	}
	call->is_stream = true;
	if (!call->times.first_event_ns)
		call->times.first_event_ns = time_ns;
	if (call->end == CALL_DONE)
		return;
	if (event->is_exception) {
		read_exception(call, time_ns, event);
		return;
	}
	/* As the official clients do: what begins so is the end. */
	if (slice_starts(event->data, SLICE("[DONE]"))) {
		call->end = CALL_DONE;
		call->times.end_ns = time_ns;
		return;
	}
	json = json_read(event->data, answer_flags(call), &owned, &call->marks);
	if (json)
		call_take_event(call, time_ns, event->type, json);
}

/* Any body of an error, known form or not, even none. */
static void read_http_error(struct call *call, struct slice body, const cJSON *json)
{
	call->is_error = true;
	if (error_read_http(call, json) || call->request)
		call->has_shape = true;
	if (call->error_message.len || call->error_type.len || !body.len)
		return;
	add_raw(call, &call->error_message, body);
	call->is_error_text = true;
}

void call_read_response(struct call *call, unsigned status, struct slice body, bool is_truncated)
{
	WATCH_MEMORY(call);
	_cleanup_(json_freep) cJSON *json = NULL;
	loss_set marks = 0;
	bool is_text;

	if (!is_truncated)
		call->end = CALL_DONE;
	if (body.len)
		json = json_parse(body, answer_flags(call) | (is_truncated ? JSON_CUT : 0), &marks);
	if (status >= 400) {
		/* Errors may be any text: that they are no JSON is no loss. */
		call->marks |= marks & ~LOSS_BIT(LOSS_BAD_JSON);
		read_http_error(call, body, json);
		return;
	}
	is_text = call->dialect->answers_text && !cJSON_IsObject(json);
	call->marks |= is_text ? marks & ~LOSS_BIT(LOSS_BAD_JSON) : marks;
	if (!body.len)
		return;
	if (!json || is_text) {
		cJSON_Delete(call->output);
		call->output = clean_string(call, body);
		return;
	}
	if (error_read(call, json) || choose_by_response(call, json))
		call->has_shape = true;
	call->dialect->response(call, json);
}

/* --- ends ------------------------------------------------------------------- */

/* Whether every choice said why it ended. Some servers leave [DONE] out. */
static bool has_finished_choices(const struct call *call)
{
	for (size_t i = 0; i < call->choice_count; i++)
		if (!call->choices[i].finish_reason.len)
			return false;
	return call->choice_count > 0;
}

bool call_close(struct call *call)
{
	if (call->is_error || call->is_refused || has_finished_choices(call))
		call->end = CALL_DONE;
	return call->end == CALL_DONE;
}

bool call_is_recognised(const struct call *call)
{
	return call->has_shape;
}
