/* SPDX-License-Identifier: Apache-2.0 */
/* The table of dialects, and which of them a call speaks. */
#include "llm/dialect.h"

#include <ctype.h>

#include "base/memory.h"
#include "limits.h"
#include "llm/anthropic.h"
#include "llm/bedrock.h"
#include "llm/choose.h"
#include "llm/gemini.h"
#include "llm/json.h"
#include "llm/openai.h"
#include "llm/servers.h"

const struct dialect *const dialects[] = {
	&openai_chat,
	&openai_completions,
	&openai_responses,
	&ollama_chat,
	&ollama_generate,
	&ollama_embed,
	&openai_embeddings,
	&cohere_chat,
	&cohere_embed,
	&mistral_fim,
	&llamacpp_completion,
	&vllm_generate,
	&tgi_generate,
	&sglang_generate,
	&anthropic_messages,
	&anthropic_complete,
	&gemini_generate,
	&gemini_embed,
	&gemini_interactions,
	&openai_realtime,
	&openai_decisions,
	&openai_images,
	&openai_speech,
	&openai_transcription,
	&openai_moderations,
	&rerank,
	&vllm_score,
	&vllm_pooling,
	&vllm_classify,
	&bedrock_converse,
	&bedrock_invoke,
	NULL,
};

void dialect_event(const struct dialect *dialect, struct call *call, const struct call_event *event)
{
	if (dialect->event)
		dialect->event(call, event);
}

cJSON *dialect_output(const struct dialect *dialect, const struct call *call)
{
	return dialect->output ? dialect->output(call) : call_output(call);
}

cJSON *dialect_parameters(const struct dialect *dialect, const struct call *call)
{
	if (dialect->model_parameters)
		return dialect->model_parameters(call);
	return dialect->parameters ? json_members(call->request, dialect->parameters) : NULL;
}

/* --- paths ------------------------------------------------------------------ */

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

/* The path of a request target, decoded, without query; its last LIMIT_PATH bytes.
 * Into @ret[LIMIT_PATH]. */
static struct slice path_of(struct slice target, char *ret)
{
	size_t len = 0;

	for (size_t i = 0; i < target.len; i++)
		if (target.ptr[i] == '?' || target.ptr[i] == '#')
			target.len = i;
	if (target.len > LIMIT_PATH)
		slice_take(&target, target.len - LIMIT_PATH);
	while (target.len) {
		int byte = percent_byte(target);

		ret[len++] = byte < 0 ? target.ptr[0] : (char)byte;
		slice_take(&target, byte < 0 ? 1 : 3);
	}
	return (struct slice){ ret, len };
}

/* The end of @s behind the last @mark in it; false when there is none. */
static bool behind_last(struct slice s, struct slice mark, struct slice *ret)
{
	for (size_t at = s.len - MIN(s.len, mark.len) + 1; at-- > 0;) {
		struct slice rest = { s.ptr + at, s.len - at };

		if (!slice_starts(rest, mark))
			continue;
		slice_take(&rest, mark.len);
		*ret = rest;
		return true;
	}
	return false;
}

/* Whether the path ends as the route says; the model that "{}" stands for. */
static bool route_fits(const char *route, struct slice path, struct slice *ret_model)
{
	const char *hole = strstr(route, "{}");
	struct slice end = slice_of(hole ? hole + 2 : route);

	*ret_model = (struct slice){ 0 };
	if (!slice_ends(path, end))
		return false;
	if (!hole)
		return true;
	path.len -= end.len;
	return behind_last(path, (struct slice){ route, (size_t)(hole - route) }, ret_model) &&
	       ret_model->len;
}

static bool fits_one(const char *const *routes, struct slice path, struct slice *ret_model)
{
	for (; routes && *routes; routes++)
		if (route_fits(*routes, path, ret_model))
			return true;
	return false;
}

static bool fits_path(const struct dialect *dialect, struct slice path, struct slice *ret_model)
{
	struct slice ignored;

	return !fits_one(dialect->excludes, path, &ignored) &&
	       fits_one(dialect->routes, path, ret_model);
}

static bool is_method(struct slice method)
{
	/* SGLang takes PUT, too. */
	return slice_eq(method, SLICE("POST")) || slice_eq(method, SLICE("PUT"));
}

static const struct dialect *find(struct slice path, struct slice *ret_model)
{
	for (const struct dialect *const *d = dialects; *d; d++)
		if (fits_path(*d, path, ret_model))
			return *d;
	return NULL;
}

const struct dialect *dialect_find(struct slice method, struct slice target)
{
	char path[LIMIT_PATH];
	struct slice model;

	return is_method(method) ? find(path_of(target, path), &model) : NULL;
}

/* --- a call's dialect ------------------------------------------------------- */

static void set_dialect(struct call *call, const struct dialect *dialect, struct slice model)
{
	call->dialect = dialect;
	call->operation = dialect->operation;
	buf_reset(&call->path_model);
	buf_add_slice(&call->path_model, model);
}

struct call *call_begin(const struct http_head *request, size_t max_content, bool *ret_no_memory)
{
	bool is_path_known = !request->is_partial || (request->method.len && request->target.len);
	char text[LIMIT_PATH];
	struct slice path = path_of(request->target, text), model = {};
	const struct dialect *dialect = is_path_known ? find(path, &model) : dialects[0];
	uint64_t failures = memory_failures();
	struct call *call;

	*ret_no_memory = false;
	if (!dialect || (is_path_known && !is_method(request->method)))
		return NULL;
	call = call_new(dialect, max_content);
	*ret_no_memory = !call;
	if (!call)
		return NULL;
	call->is_path_known = is_path_known;
	buf_add_slice(&call->path, path);
	set_dialect(call, dialect, model);
	if (memory_failures() != failures)
		call->marks |= LOSS_BIT(LOSS_NO_MEMORY);
	return call;
}

/* Whether the dialect is in the running by the path alone. */
static bool is_candidate(const struct dialect *dialect, const struct call *call, struct slice *ret_model)
{
	*ret_model = (struct slice){ 0 };
	if (!call->path.len && !call->is_path_known)
		return true;
	return fits_path(dialect, buf_slice(&call->path), ret_model);
}

bool choose_by_request(struct call *call)
{
	struct slice model;

	for (const struct dialect *const *d = dialects; *d; d++) {
		if (!is_candidate(*d, call, &model) || !(*d)->is_request(call->request))
			continue;
		set_dialect(call, *d, model);
		return true;
	}
	/* A call made without a path (by hand, in tests) has the dialect it was given. */
	return call->dialect->is_request(call->request);
}

static bool choose(struct call *call, const cJSON *response, bool fits_request)
{
	struct slice model;

	for (const struct dialect *const *d = dialects; *d; d++) {
		if (!is_candidate(*d, call, &model) || !(*d)->is_response(response) ||
		    (fits_request && !(*d)->is_request(call->request)))
			continue;
		set_dialect(call, *d, model);
		return true;
	}
	return false;
}

bool choose_by_response(struct call *call, const cJSON *response)
{
	if (call->is_settled)
		return true;
	if (call->dialect->is_response(response))
		return call->is_settled = true;
	if ((call->is_path_known && !call->path.len))
		return false;
	if (call->request)
		call->is_settled = choose(call, response, /* fits_request */ true);
	if (!call->is_settled && call->is_path_known)
		call->is_settled = choose(call, response, /* fits_request */ false);
	return call->is_settled;
}

const struct dialect *dialect_of_request(const cJSON *body)
{
	for (const struct dialect *const *d = dialects; *d; d++)
		if ((*d)->is_request(body))
			return *d;
	return NULL;
}

static bool is_json(struct slice content_type)
{
	struct slice json = SLICE("application/json");

	return content_type.len >= json.len &&
	       slice_eq_nocase((struct slice){ content_type.ptr, json.len }, json);
}

enum framing call_framing(const struct call *call, const struct http_head *response)
{
	struct slice content_type = {}, ignored;
	enum framing framing;

	http_field(response, "content-type", &content_type);
	framing = framing_of(content_type);
	if (framing == FRAMING_BODY && response->status < 400 && is_json(content_type) &&
	    fits_one(call->dialect->array_routes, buf_slice(&call->path), &ignored))
		return FRAMING_JSON_ARRAY;
	/* An error is a text, whatever it says it is. */
	return framing == FRAMING_OPAQUE && response->status >= 400 ? FRAMING_BODY : framing;
}
