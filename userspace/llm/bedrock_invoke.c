/* SPDX-License-Identifier: Apache-2.0 */
/*
 * InvokeModel: an envelope around each vendor's own bodies. Which grammar they have is
 * told by the path's vendor and the request's shape, else by the first of the answer;
 * that dialect, call->inner, then reads them. A stream's events hold the vendor's own
 * as base64; the last has Bedrock's metrics beside it. Counts also stand in the head of
 * a whole answer: what the body states goes before both.
 *
 * Source: Amazon Bedrock API reference, "InvokeModel", "InvokeModelWithResponseStream".
 */
#include "llm/bedrock.h"

#include <openssl/evp.h>

#include "llm/anthropic.h"
#include "llm/error.h"
#include "base/memory.h"
#include "llm/json.h"
#include "llm/openai.h"
#include "llm/servers.h"

/* In the order in which a request is tried; a vendor's own stands before shapes that
 * several have. NULL: any vendor. */
static const struct { const char *vendor; const struct dialect *dialect; } inners[] = {
	{ "anthropic",	&anthropic_messages },
	{ "anthropic",	&anthropic_complete },
	{ "cohere",	&cohere_embed },
	{ "cohere",	&cohere_chat },
	{ NULL,		&bedrock_nova },
	{ NULL,		&bedrock_text },
	{ NULL,		&openai_chat },
	{ NULL,		&cohere_embed },
};

static bool is_request(const cJSON *body)
{
	if (json_string(body, "anthropic_version"))
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(inners); i++)
		if (inners[i].dialect->is_request(body))
			return true;
	return false;
}

static const struct dialect *inner_of_answer(const cJSON *body)
{
	for (size_t i = 0; i < ARRAY_SIZE(inners); i++)
		if (inners[i].dialect->is_response(body))
			return inners[i].dialect;
	return NULL;
}

static bool is_response(const cJSON *body)
{
	return json_string(body, "bytes") || inner_of_answer(body);
}

/* --- which grammar ------------------------------------------------------------------ */

static const struct dialect *inner_of_request(const struct call *call)
{
	if (json_string(call->request, "anthropic_version"))
		return &anthropic_messages;
	for (size_t i = 0; i < ARRAY_SIZE(inners); i++)
		if ((!inners[i].vendor || bedrock_is_vendor(call, inners[i].vendor)) &&
		    inners[i].dialect->is_request(call->request))
			return inners[i].dialect;
	return NULL;
}

static void set_inner(struct call *call, const struct dialect *inner)
{
	if (!inner)
		return;
	call->inner = inner;
	call->operation = inner->operation;
}

static void request(struct call *call)
{
	bedrock_read_model(call);
	set_inner(call, inner_of_request(call));
	if (call->inner && call->inner->request)
		call->inner->request(call);
}

/* The answer knows better than the request, until one was read. */
static const struct dialect *inner_for(struct call *call, const cJSON *answer)
{
	if (!call->inner && call->request)
		set_inner(call, inner_of_request(call));
	if (!call->choice_count && !(call->inner && call->inner->is_response(answer)))
		set_inner(call, inner_of_answer(answer));
	return call->inner;
}

/* --- counts ------------------------------------------------------------------------- */

struct counts {
	uint64_t input, output, read, write;
};

static void set_counts(struct call *call, const struct counts *counts)
{
	struct usage *usage = &call->usage;

	if (usage->is_reported || (counts->input == COUNT_UNKNOWN && counts->output == COUNT_UNKNOWN))
		return;
	usage_begin(usage);
	usage->tokens[USAGE_INPUT] = counts->input;
	usage->tokens[USAGE_INPUT_CACHED] = counts->read;
	usage->tokens[USAGE_INPUT_CACHE_CREATION] = counts->write;
	usage->tokens[USAGE_OUTPUT] = usage->output_tokens = counts->output;
	usage_add_up(usage);
}

static uint64_t field_count(const struct http_head *head, const char *name)
{
	struct slice value;
	uint64_t count = 0;

	if (!http_field(head, name, &value) || !value.len || value.len > 15)
		return COUNT_UNKNOWN;
	for (size_t i = 0; i < value.len; i++) {
		if (value.ptr[i] < '0' || value.ptr[i] > '9')
			return COUNT_UNKNOWN;
		count = 10 * count + (uint64_t)(value.ptr[i] - '0');
	}
	return count;
}

static void head(struct call *call, const struct http_head *response)
{
	uint64_t latency = field_count(response, "x-amzn-bedrock-invocation-latency");
	struct counts counts = {
		.input = field_count(response, "x-amzn-bedrock-input-token-count"),
		.output = field_count(response, "x-amzn-bedrock-output-token-count"),
		.read = field_count(response, "x-amzn-bedrock-cache-read-input-token-count"),
		.write = field_count(response, "x-amzn-bedrock-cache-write-input-token-count"),
	};
	cJSON *timings;

	bedrock_read_head(call, response);
	set_counts(call, &counts);
	if (latency == COUNT_UNKNOWN)
		return;
	timings = cJSON_CreateObject();
	cJSON_AddNumberToObject(timings, "invocationLatency", (double)latency);
	call_fact(call, "serverTimings", timings);
}

static void read_metrics(struct call *call, const cJSON *metrics)
{
	static const char *const timings[] = { "invocationLatency", "firstByteLatency", NULL };
	struct counts counts = {
		.input = json_count(metrics, "inputTokenCount"),
		.output = json_count(metrics, "outputTokenCount"),
		.read = json_count(metrics, "cacheReadInputTokenCount"),
		.write = json_count(metrics, "cacheWriteInputTokenCount"),
	};

	set_counts(call, &counts);
	call_fact(call, "serverTimings", json_members(metrics, timings));
}

/* --- answers ------------------------------------------------------------------------ */

/* Base64 (RFC 4648 section 4) as text; false when it is none. */
static bool decode(const char *text, struct buf *ret)
{
	size_t len = strlen(text), pad = 0;
	unsigned char *bytes;
	int size;

	while (pad < 2 && len > pad && text[len - 1 - pad] == '=')
		pad++;
	if (!len || len % 4)
		return false;
	bytes = malloc(len / 4 * 3 + 1);
	if (!bytes) {
		memory_failed();
		return false;
	}
	size = EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)len);
	if (size >= (int)pad)
		buf_add(ret, bytes, (size_t)size - pad);
	free(bytes);
	return size >= 0 && buf_ok(ret);
}

static void read_inner(struct call *call, struct slice text, uint64_t time_ns)
{
	const struct dialect *inner;
	struct call_event event = { .time_ns = time_ns };
	_cleanup_(json_freep) cJSON *owned = NULL;
	unsigned flags = call->inner && call->inner->has_media ? JSON_OMIT_BASE64 : 0;

	event.data = json_read(text, flags, &owned, &call->marks);
	if (!event.data)
		return;
	error_read(call, event.data);
	inner = inner_for(call, event.data);
	if (inner)
		dialect_event(inner, call, &event);
	if (json_get(event.data, "amazon-bedrock-invocationMetrics")) {
		read_metrics(call, json_get(event.data, "amazon-bedrock-invocationMetrics"));
		call->end = CALL_DONE;
	}
}

/* What follows the vendor's own end (Bedrock's metrics) comes with it, in one event. */
static void event(struct call *call, const struct call_event *event)
{
	const char *bytes = json_string(event->data, "bytes");
	_cleanup_(buf_done) struct buf text = BUF_INIT(bytes ? strlen(bytes) : 0);

	/* The event's tree is gone once the text in it is parsed. */
	if (!bytes)
		return;
	if (decode(bytes, &text))
		read_inner(call, buf_slice(&text), event->time_ns);
	else
		call->marks |= LOSS_BIT(LOSS_BAD_JSON);
}

static void response(struct call *call, const cJSON *body)
{
	const struct dialect *inner = inner_for(call, body);

	if (inner)
		inner->response(call, body);
}

/* --- Langfuse's fields ---------------------------------------------------------------- */

static cJSON *input(const struct call *call)
{
	if (call->inner)
		return call->inner->input(call);
	return call->request ? cJSON_Duplicate(call->request, /* recurse */ 1) : call_request_text(call);
}

static cJSON *output(const struct call *call)
{
	return call->inner ? dialect_output(call->inner, call) : call_output(call);
}

static cJSON *model_parameters(const struct call *call)
{
	return call->inner ? dialect_parameters(call->inner, call) : NULL;
}

const struct dialect bedrock_invoke = {
	.name = "bedrock.invoke",
	.title = "Amazon Bedrock InvokeModel",
	.streams = "AWS event stream",
	.generation_name = "Bedrock-generation",
	.operation = OPERATION_CHAT,
	.routes = (const char *const[]){ "/model/{}/invoke", "/model/{}/invoke-with-response-stream", NULL },
	.is_request = is_request,
	.is_response = is_response,
	.request = request,
	.head = head,
	.event = event,
	.response = response,
	.input = input,
	.output = output,
	.model_parameters = model_parameters,
};
