/* SPDX-License-Identifier: Apache-2.0 */
/* The table of dialects, who is found by path, and what is fed to one. */
#include "llm/dialect.h"

#include <ctype.h>

#include "base/text.h"
#include "limits.h"
#include "llm/error.h"
#include "llm/json.h"
#include "llm/openai.h"

const struct dialect *const dialects[] = {
	&openai_chat,
	&openai_completions,
	&openai_embeddings,
	NULL,
};

/* Longer than any suffix, even if all of it is percent-encoded. */
enum { PATH_TAIL = 256 };

static int percent_byte(struct slice s)
{
	char hex[3];

	if (s.len < 3 || s.ptr[0] != '%' || !isxdigit((unsigned char)s.ptr[1]) ||
	    !isxdigit((unsigned char)s.ptr[2]))
		return -1;
	memcpy(hex, s.ptr + 1, 2);
	hex[2] = '\0';
	return (int)strtol(hex, NULL, 16);
}

/* The last bytes of the path, decoded, without query; into @ret[PATH_TAIL]. */
static struct slice path_tail(struct slice path, char *ret)
{
	size_t len = 0;

	for (size_t i = 0; i < path.len; i++)
		if (path.ptr[i] == '?' || path.ptr[i] == '#')
			path.len = i;
	if (path.len > PATH_TAIL)
		slice_take(&path, path.len - PATH_TAIL);
	while (path.len) {
		int byte = percent_byte(path);

		ret[len++] = byte < 0 ? path.ptr[0] : (char)byte;
		slice_take(&path, byte < 0 ? 1 : 3);
	}
	return (struct slice){ ret, len };
}

static bool ends_in_one(struct slice path, const char *const *endings)
{
	for (; endings && *endings; endings++)
		if (slice_ends(path, slice_of(*endings)))
			return true;
	return false;
}

const struct dialect *dialect_find(struct slice method, struct slice path)
{
	char tail[PATH_TAIL];

	if (!slice_eq(method, SLICE("POST")))
		return NULL;
	path = path_tail(path, tail);
	for (const struct dialect *const *d = dialects; *d; d++)
		if (ends_in_one(path, (*d)->path_suffixes) &&
		    !ends_in_one(path, (*d)->path_excludes))
			return *d;
	return NULL;
}

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

void call_read_request(struct call *call, struct slice body, bool is_truncated)
{
	unsigned flags = JSON_OMIT_BASE64 | (is_truncated ? JSON_CUT : 0);
	_cleanup_(json_freep) cJSON *json = NULL;

	if (!body.len)
		return;
	/* Read again when an answer overtook the rest of it. */
	json_freep(&call->request);
	buf_reset(&call->request_text);
	json = json_parse(body, flags, &call->marks);
	if (!cJSON_IsObject(json)) {
		add_raw(call, &call->request_text, body);
		return;
	}
	if (call->dialect->is_request(json))
		call->has_shape = true;
	call->request = TAKE_PTR(json);
}

void call_read_event(struct call *call, uint64_t time_ns, struct slice data)
{
	_cleanup_(json_freep) cJSON *json = NULL;

	call->is_stream = true;
	if (!call->times.first_event_ns)
		call->times.first_event_ns = time_ns;
	if (call->end == CALL_DONE)
		return;
	/* As the official clients do: what begins so is the end. */
	if (slice_starts(data, SLICE("[DONE]"))) {
		call->end = CALL_DONE;
		call->times.end_ns = time_ns;
		return;
	}
	json = json_parse(data, 0, &call->marks);
	if (!json)
		return;
	if (error_read(call, json) || call->dialect->is_response(json))
		call->has_shape = true;
	call->dialect->event(call, time_ns, json);
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

static void read_text(struct call *call, struct slice body)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(call->max_content);

	add_raw(call, &text, body);
	call->output = cJSON_CreateString(buf_text(&text));
}

void call_read_response(struct call *call, unsigned status, struct slice body, bool is_truncated)
{
	_cleanup_(json_freep) cJSON *json = NULL;
	loss_set marks = 0;

	if (!is_truncated)
		call->end = CALL_DONE;
	if (body.len)
		json = json_parse(body, is_truncated ? JSON_CUT : 0, &marks);
	if (status >= 400) {
		/* Errors may be any text: that they are no JSON is no loss. */
		call->marks |= marks & ~LOSS_BIT(LOSS_BAD_JSON);
		read_http_error(call, body, json);
		return;
	}
	call->marks |= marks;
	if (!body.len)
		return;
	if (!json) {
		read_text(call, body);
		return;
	}
	if (error_read(call, json) || call->dialect->is_response(json))
		call->has_shape = true;
	call->dialect->response(call, json);
}

bool call_is_recognised(const struct call *call)
{
	return call->has_shape;
}
