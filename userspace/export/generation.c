/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A finished call as the JSON line of the command line's contract. Of the HTTP
 * heads only the path, the host, the status and one request id leave: no query,
 * no other header.
 */
#include "export/generation.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <openssl/sha.h>

#include "base/memory.h"
#include "base/text.h"
#include "limits.h"
#include "llm/json.h"

static void hex(const unsigned char *bytes, size_t len, char *ret)
{
	for (size_t i = 0; i < len; i++)
		snprintf(ret + 2 * i, 3, "%02x", bytes[i]);
}

int generation_ids(const struct generation_options *options, const struct conn *conn,
		   uint64_t exchange, uint64_t lane, char ret_trace_id[33], char ret_id[17])
{
	unsigned char hash[SHA256_DIGEST_LENGTH];
	char seed[128];
	int len;

	len = snprintf(seed, sizeof(seed), "%s:%" PRIu64 ":%" PRIu64, options->boot_id,
		       conn->id, exchange);
	if (lane)
		len += snprintf(seed + len, sizeof(seed) - (size_t)len, ":%" PRIu64, lane);
	if (!SHA256((const unsigned char *)seed, (size_t)len, hash))
		return -ENOMEM;
	/* All zero is no id to OTel; the first eight bytes are in both. */
	if (memcmp(hash, (const unsigned char [8]){ 0 }, 8) == 0)
		hash[7] = 1;
	hex(hash, 16, ret_trace_id);
	hex(hash, 8, ret_id);
	return 0;
}

/* Text from the wire; nothing for none. */
static void add_slice(cJSON *object, const char *name, struct slice text)
{
	_cleanup_(buf_done) struct buf clean = BUF_INIT(3 * LIMIT_HTTP_HEAD);

	if (!text.len)
		return;
	text_add_utf8(&clean, text);
	cJSON_AddStringToObject(object, name, buf_text(&clean));
}

static void add_buf(cJSON *object, const char *name, const struct buf *text)
{
	add_slice(object, name, buf_slice(text));
}

static void add_text(cJSON *object, const char *name, const char *text)
{
	if (text && *text)
		cJSON_AddStringToObject(object, name, text);
}

static void add_count(cJSON *object, const char *name, uint64_t count)
{
	if (count != COUNT_UNKNOWN)
		json_add_u64(object, name, count);
}

/* --- what state the call is in ---------------------------------------------- */

static unsigned status_of(const struct exchange *exchange)
{
	return exchange->response.has_head ? exchange->response.head.status : 0;
}

static bool has_mark(const struct call *call, const struct exchange *exchange, enum loss loss)
{
	return (call->marks | exchange->marks) & LOSS_BIT(loss);
}

static bool is_http_error(const struct exchange *exchange)
{
	return status_of(exchange) >= 400;
}

/* Nothing came back, and gentap was there to see it. */
static bool is_unanswered(const struct call *call, const struct exchange *exchange)
{
	return !exchange->response.has_head && !has_mark(call, exchange, LOSS_GAP) &&
	       !has_mark(call, exchange, LOSS_NO_MEMORY) &&
	       (has_mark(call, exchange, LOSS_CUT_BY_CLIENT) ||
		has_mark(call, exchange, LOSS_CUT_BY_SERVER));
}

static const char *level_of(const struct call *call, const struct exchange *exchange)
{
	if (is_http_error(exchange) || call->is_error || call_refusal(call) ||
	    is_unanswered(call, exchange))
		return "ERROR";
	if (call->end != CALL_DONE || has_mark(call, exchange, LOSS_GAP))
		return "WARNING";
	return "DEFAULT";
}

/* Marks that leave the generation whole: RESYNC is about bytes before it. */
static bool is_harmless(enum loss loss)
{
	return loss == LOSS_BAD_TEXT || loss == LOSS_TIMES_LIMIT || loss == LOSS_RESYNC;
}

static bool is_complete(const struct call *call, const struct exchange *exchange)
{
	if (call->end != CALL_DONE)
		return false;
	for (int loss = 0; loss < LOSS_COUNT; loss++)
		if (has_mark(call, exchange, loss) && !is_harmless(loss))
			return false;
	return true;
}

/* "unsupported_encoding:NAME", of a message whose body is so encoded. */
static void append_coding(cJSON *reasons, const struct exchange *exchange, const struct message *message)
{
	_cleanup_(buf_done) struct buf name = BUF_INIT(4 * LIMIT_CODING_NAME), reason = BUF_INIT(128);
	struct slice unknown = message->codings.unknown;

	if (!unknown.len || !message->body_wire_bytes ||
	    !(exchange->marks & LOSS_BIT(LOSS_UNSUPPORTED_ENCODING)))
		return;
	unknown.len = MIN(unknown.len, (size_t)LIMIT_CODING_NAME);
	text_add_scrubbed(&name, unknown);
	buf_printf(&reason, "%s:%.*s", loss_name(LOSS_UNSUPPORTED_ENCODING),
		   (int)utf8_prefix(buf_slice(&name), LIMIT_CODING_NAME), buf_text(&name));
	json_append(reasons, cJSON_CreateString(buf_text(&reason)));
}

static cJSON *reasons_json(const struct call *call, const struct exchange *exchange)
{
	static const struct { unsigned flag; const char *name; } kernel[] = {
		{ GT_FLAG_RING_FULL, "ring_full" },
		{ GT_FLAG_UNREADABLE, "unreadable" },
		{ GT_FLAG_CALL_LIMIT, "call_limit" },
		{ GT_FLAG_SENDFILE, "sendfile" },
	};
	cJSON *reasons = cJSON_CreateArray();

	for (int loss = 0; loss < LOSS_COUNT; loss++)
		if (has_mark(call, exchange, loss))
			json_append(reasons, cJSON_CreateString(loss_name(loss)));
	append_coding(reasons, exchange, &exchange->request);
	append_coding(reasons, exchange, &exchange->response);
	for (size_t i = 0; i < ARRAY_SIZE(kernel); i++)
		if (exchange->kernel_flags & kernel[i].flag)
			json_append(reasons, cJSON_CreateString(kernel[i].name));
	return reasons;
}

static const char *cut_text(const struct call *call, const struct exchange *exchange)
{
	bool is_answered = exchange->response.has_head;

	if (has_mark(call, exchange, LOSS_CUT_BY_CLIENT))
		return is_answered ? (call->is_stream ? "connection closed by the client before the end of the stream"
						      : "connection closed by the client before the end of the response")
				   : "connection closed by the client before a response";
	if (has_mark(call, exchange, LOSS_CUT_BY_SERVER))
		return is_answered ? (call->is_stream ? "stream ended by the server before its own end"
						      : "connection closed by the server before the end of the response")
				   : "connection closed by the server before a response";
	if (has_mark(call, exchange, LOSS_DETACHED))
		return "still running when gentap detached";
	if (has_mark(call, exchange, LOSS_TARGET_EXITED))
		return "the process ended first";
	if (has_mark(call, exchange, LOSS_GAP))
		return "bytes of the call were lost";
	return call->end == CALL_DONE ? NULL : "the end of the call was not seen";
}

static void add_refusal(struct buf *text, const struct generation_options *options,
			const struct buf *refusal)
{
	if (refusal->len && options->content == CONTENT_FULL)
		buf_add(text, refusal->ptr, utf8_prefix(buf_slice(refusal), LIMIT_ERROR_TEXT));
	else
		buf_add_text(text, "refused");
}

/* As the official client words it, so that both ways of tracing agree. */
static void add_status_message(cJSON *line, const struct generation_options *options,
			       const struct call *call, const struct exchange *exchange)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(LIMIT_ERROR_TEXT + 64);
	bool has_message = call->error_message.len && !call->is_error_text &&
			   options->content == CONTENT_FULL;

	if (is_http_error(exchange)) {
		buf_printf(&text, "Error code: %u", status_of(exchange));
		if (has_message)
			buf_printf(&text, " - %s", buf_text(&call->error_message));
	} else if (call->is_error) {
		buf_add_text(&text, has_message ? buf_text(&call->error_message)
						: "error reported by the provider");
	} else if (call_refusal(call)) {
		add_refusal(&text, options, call_refusal(call));
	} else if (cut_text(call, exchange)) {
		buf_add_text(&text, cut_text(call, exchange));
	}
	add_buf(line, "statusMessage", &text);
}

/* --- the parts of the line --------------------------------------------------- */

static void add_time(cJSON *line, const struct generation_options *options, const char *name,
		     uint64_t time_ns)
{
	char text[TEXT_TIME_SIZE];

	if (!time_ns)
		return;
	text_time_utc(time_ns + options->realtime_offset_ns, text);
	cJSON_AddStringToObject(line, name, text);
}

static void add_identity(cJSON *line, const struct generation_options *options,
			 const struct call *call, const struct exchange *exchange)
{
	char trace_id[33], id[17];

	if (generation_ids(options, exchange->conn, exchange->number, call->lane, trace_id, id) < 0) {
		memory_failed();
		return;
	}
	cJSON_AddNumberToObject(line, "gentap", 1);
	cJSON_AddStringToObject(line, "type", call->operation == OPERATION_EMBEDDINGS
				? "embedding" : "generation");
	cJSON_AddStringToObject(line, "id", id);
	cJSON_AddStringToObject(line, "traceId", trace_id);
	cJSON_AddStringToObject(line, "name", call->dialect->generation_name);
	add_time(line, options, "startTime", call->times.request_first_ns);
	if (call->is_stream)
		add_time(line, options, "completionStartTime", call->times.first_token_ns);
	add_time(line, options, "endTime", call->times.end_ns);
}

/* The path of the request target: no query, no scheme, no authority (which may
 * hold a password). */
static struct slice path_of(struct slice target)
{
	const char *scheme = target.len ? memmem(target.ptr, target.len, "://", 3) : NULL;
	const char *end;

	for (size_t i = 0; i < target.len; i++)
		if (target.ptr[i] == '?' || target.ptr[i] == '#')
			target.len = i;
	if (target.len && target.ptr[0] != '/' && scheme && scheme + 3 < target.ptr + target.len) {
		slice_take(&target, (size_t)(scheme + 3 - target.ptr));
		end = memchr(target.ptr, '/', target.len);
		slice_take(&target, end ? (size_t)(end - target.ptr) : target.len);
	}
	return target;
}

static void add_model(cJSON *line, const struct call *call)
{
	struct slice requested = slice_of(json_string(call->request, "model"));

	if (call->response_model.len)
		add_buf(line, "model", &call->response_model);
	else if (requested.len)
		add_slice(line, "model",
			  (struct slice){ requested.ptr, utf8_prefix(requested, call->response_model.max) });
	else
		add_buf(line, "model", &call->path_model);
}

/* Adds @json, which it owns, cut to what may be kept of one text. */
static void add_fit(cJSON *line, const char *name, struct call *call, cJSON *json)
{
	if (json_fit(&json, call->max_content))
		call->marks |= LOSS_BIT(LOSS_CONTENT_TRUNCATED);
	json_add(line, name, json);
}

/* An object of the request that stays small: cut, or empty if cutting its texts
 * is not enough. */
static void fit_object(cJSON **object, struct call *call)
{
	if (!json_fit(object, LIMIT_METADATA))
		return;
	call->marks |= LOSS_BIT(LOSS_CONTENT_TRUNCATED);
	if (!cJSON_IsObject(*object)) {
		cJSON_Delete(*object);
		*object = cJSON_CreateObject();
	}
}

static void add_content(cJSON *line, const struct generation_options *options,
			struct call *call, const struct exchange *exchange)
{
	cJSON *parameters = dialect_parameters(call->dialect, call);

	fit_object(&parameters, call);
	json_add(line, "modelParameters", parameters);
	if (options->content != CONTENT_FULL)
		return;
	add_fit(line, "input", call, call->dialect->input(call));
	if (!is_http_error(exchange))
		add_fit(line, "output", call, dialect_output(call->dialect, call));
}

static void add_usage(cJSON *line, const struct call *call, const struct exchange *exchange)
{
	const struct usage *usage = &call->usage;
	cJSON *details, *cost;

	if (usage->is_reported) {
		details = cJSON_AddObjectToObject(line, "usageDetails");
		for (int i = 0; i < USAGE_COUNT; i++)
			add_count(details, usage_key(i), usage->tokens[i]);
	}
	if (!isnan(usage->cost)) {
		cost = cJSON_AddObjectToObject(line, "costDetails");
		cJSON_AddNumberToObject(cost, "total", usage->cost);
	} else if (is_http_error(exchange) || is_unanswered(call, exchange)) {
		/* As the drop-in: what failed is not estimated from its input. */
		cost = cJSON_AddObjectToObject(line, "costDetails");
		cJSON_AddNumberToObject(cost, "input", 0);
		cJSON_AddNumberToObject(cost, "output", 0);
		cJSON_AddNumberToObject(cost, "total", 0);
	}
}

/* Of the choice with the lowest index. */
static const struct buf *finish_reason(const struct call *call)
{
	const struct choice *first = NULL;

	for (size_t i = 0; i < call->choice_count; i++)
		if (!first || call->choices[i].index < first->index)
			first = &call->choices[i];
	return first && first->finish_reason.len ? &first->finish_reason : NULL;
}

/* Keys that are ours: a request's own would pass for them. */
static bool is_reserved(const char *key)
{
	return strncmp(key, "gentap.", strlen("gentap.")) == 0 || strcmp(key, "finish_reason") == 0;
}

/* Each key once, whatever was there under it before. */
static void set_copy(cJSON *object, const char *name, const cJSON *item)
{
	if (!item)
		return;
	cJSON_DeleteItemFromObjectCaseSensitive(object, name);
	json_add_copy(object, name, item);
}

/* What the request brought along. */
static cJSON *request_metadata(struct call *call)
{
	const cJSON *given = json_get(call->request, "metadata");
	const cJSON *item = cJSON_IsObject(given) ? given->child : NULL;
	cJSON *metadata = cJSON_CreateObject();

	for (int keys = 0; item; item = item->next) {
		if (cJSON_IsNull(item) || is_reserved(item->string))
			continue;
		if (keys++ == LIMIT_METADATA_KEYS) {
			call->marks |= LOSS_BIT(LOSS_CONTENT_TRUNCATED);
			break;
		}
		set_copy(metadata, item->string, item);
	}
	set_copy(metadata, "response_format", json_get(call->request, "response_format"));
	return metadata;
}

/* What the answer brought along: the drop-in gives it over the request's. */
static void add_answer_metadata(cJSON *metadata, const struct call *call)
{
	const cJSON *item;

	cJSON_ArrayForEach(item, call->metadata)
		if (!is_reserved(item->string))
			set_copy(metadata, item->string, item);
}

/* Only what no other member of the line says; otlp.c turns those into metadata
 * where Langfuse has no field for them. */
static void add_gentap_metadata(cJSON *metadata, const struct generation_options *options,
				const struct call *call)
{
	add_buf(metadata, "gentap.responseId", &call->response_id);
	add_buf(metadata, "gentap.errorType", &call->error_type);
	if (call->is_error_text && options->content == CONTENT_FULL)
		add_buf(metadata, "gentap.errorBody", &call->error_message);
	if (call->usage.is_inconsistent)
		cJSON_AddTrueToObject(metadata, "gentap.usageInconsistent");
	if (call->usage.tokens[USAGE_OUTPUT_REASONING] == COUNT_UNKNOWN)
		add_count(metadata, "gentap.reasoningTokens", call->usage.reasoning_tokens);
}

/* What the dialect found worth telling. */
static void add_facts(cJSON *metadata, const struct call *call)
{
	char name[64];
	const cJSON *fact;

	cJSON_ArrayForEach(fact, call->facts) {
		snprintf(name, sizeof(name), "gentap.%s", fact->string);
		json_add_copy(metadata, name, fact);
	}
}

static void add_metadata(cJSON *line, const struct generation_options *options,
			 struct call *call)
{
	cJSON *metadata = options->content == CONTENT_FULL ? request_metadata(call)
							   : cJSON_CreateObject();

	if (options->content == CONTENT_FULL)
		add_answer_metadata(metadata, call);
	fit_object(&metadata, call);
	add_gentap_metadata(metadata, options, call);
	add_facts(metadata, call);
	json_add(line, "metadata", metadata);
}

static const char *const request_id_names[] = {
	"x-request-id", "request-id", "apim-request-id", "x-amzn-requestid",
	"x-generation-id", "x-debug-trace-id", "x-litellm-call-id", "cf-ray",
};

static void add_request_id(cJSON *http, const struct http_head *head)
{
	struct slice value;

	for (size_t i = 0; i < ARRAY_SIZE(request_id_names); i++)
		if (http_field(head, request_id_names[i], &value) && value.len) {
			add_slice(http, "requestId", value);
			return;
		}
}

static struct slice host_of(const struct exchange *exchange)
{
	struct slice host;

	if (http_field(&exchange->request.head, "host", &host) && host.len)
		return host;
	return slice_of(exchange->conn->server_name);
}

static const char *version_text(const struct http_head *head)
{
	if (head->major == 2)
		return "2";
	return head->minor ? "1.1" : "1.0";
}

/* Bytes are of the bodies, as framed on the wire. */
static void add_http(cJSON *line, const struct exchange *exchange)
{
	const struct message *request = &exchange->request, *response = &exchange->response;
	cJSON *http = cJSON_AddObjectToObject(line, "http");

	cJSON_AddStringToObject(http, "version", version_text(&request->head));
	add_slice(http, "method", request->head.method);
	add_slice(http, "path", path_of(request->head.target));
	add_slice(http, "host", host_of(exchange));
	if (response->has_head) {
		cJSON_AddNumberToObject(http, "status", response->head.status);
		add_request_id(http, &response->head);
	}
	add_count(http, "requestBytes", request->body_wire_bytes);
	if (response->has_head)
		add_count(http, "responseBytes", response->body_wire_bytes);
}

static void add_origin(cJSON *line, const struct exchange *exchange)
{
	const struct conn *conn = exchange->conn;
	cJSON *process = cJSON_AddObjectToObject(line, "process");
	cJSON *connection = cJSON_AddObjectToObject(line, "connection");
	char peer[64];

	cJSON_AddNumberToObject(process, "pid", conn->pid);
	cJSON_AddNumberToObject(process, "tid", conn->tid);
	add_slice(process, "comm", (struct slice){ conn->comm, strnlen(conn->comm, GT_COMM_BYTES) });

	json_add_u64(connection, "id", conn->id);
	json_add_u64(connection, "exchange", exchange->number);
	cJSON_AddBoolToObject(connection, "tls", conn->is_tls);
	cJSON_AddBoolToObject(connection, "reused", exchange->number > 1);
	conn_peer_text(conn, peer, sizeof(peer));
	add_slice(connection, "peer", slice_of(peer));
	add_slice(connection, "serverName",
		  (struct slice){ conn->server_name, strnlen(conn->server_name, GT_NAME_BYTES) });
}

static int by_value(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

	return x < y ? -1 : x > y;
}

/* Linear interpolation between the closest ranks, as numpy's default. */
static double percentile_ms(const uint32_t *sorted, size_t count, double percent)
{
	double rank = (double)(count - 1) * percent / 100;
	size_t below = (size_t)rank;
	double low = (double)sorted[below];
	double high = (double)sorted[MIN(below + 1, count - 1)];

	return (low + (high - low) * (rank - (double)below)) / (1e6 / GAP_UNIT_NS);
}

static void add_gaps(cJSON *timing, const struct call *call)
{
	_cleanup_(freep) uint32_t *sorted = NULL;

	if (!call->gap_count)
		return;
	sorted = calloc(call->gap_count, sizeof(*sorted));
	if (!sorted) {
		memory_failed();
		return;
	}
	memcpy(sorted, call->gaps, call->gap_count * sizeof(*sorted));
	qsort(sorted, call->gap_count, sizeof(*sorted), by_value);
	cJSON_AddNumberToObject(timing, "itlP50Ms", percentile_ms(sorted, call->gap_count, 50));
	cJSON_AddNumberToObject(timing, "itlP99Ms", percentile_ms(sorted, call->gap_count, 99));
	cJSON_AddNumberToObject(timing, "itlMaxMs", percentile_ms(sorted, call->gap_count, 100));
}

/* Both roles count from the request's first byte. */
static void add_timing(cJSON *line, const struct call *call)
{
	const struct call_times *times = &call->times;
	uint64_t tokens = call->usage.output_tokens;
	cJSON *timing;

	if (!call->is_stream)
		return;
	timing = cJSON_AddObjectToObject(line, "timing");
	if (call->chunks)
		cJSON_AddNumberToObject(timing, "ttftMs",
			(double)elapsed_ns(times->request_first_ns, times->first_token_ns) / 1e6);
	/* All tokens in one event have no time between them that could be seen. */
	if (call->chunks > 1 && tokens != COUNT_UNKNOWN && tokens > 1)
		cJSON_AddNumberToObject(timing, "tpotMs",
			(double)elapsed_ns(times->first_token_ns, times->last_token_ns) /
			(double)(tokens - 1) / 1e6);
	add_gaps(timing, call);
	json_add_u64(timing, "chunks", call->chunks);
}

static void add_evidence(cJSON *line, const struct call *call, const struct exchange *exchange)
{
	cJSON *evidence = cJSON_AddObjectToObject(line, "evidence");

	cJSON_AddStringToObject(evidence, "usage", call->usage.is_reported ? "reported" : "absent");
	cJSON_AddStringToObject(evidence, "parent", "none");
	cJSON_AddBoolToObject(evidence, "complete", is_complete(call, exchange));
	json_add(evidence, "reasons", reasons_json(call, exchange));
	json_add_u64(evidence, "lostBytes", exchange->request.lost_bytes + exchange->response.lost_bytes);
}

static void add_names(cJSON *line, const struct generation_options *options,
		      const struct call *call, const struct exchange *exchange)
{
	add_text(line, "environment", options->environment);
	add_text(line, "release", options->release);
	add_text(line, "version", options->version);
	add_text(line, "provider", provider_name(host_of(exchange), call));
	cJSON_AddStringToObject(line, "dialect", call->dialect->name);
	cJSON_AddStringToObject(line, "operation", operation_name(call->operation));
	cJSON_AddStringToObject(line, "role", exchange->role == ROLE_SERVER ? "server" : "client");
}

static int write_line(const struct generation_options *options, struct call *call,
		      const struct exchange *exchange, struct buf *ret)
{
	uint64_t failures = memory_failures();
	_cleanup_(json_freep) cJSON *line = cJSON_CreateObject();
	_cleanup_(freep) char *text = NULL;

	add_identity(line, options, call, exchange);
	add_model(line, call);
	/* Before all that tells the marks: it may add one. */
	add_content(line, options, call, exchange);
	add_metadata(line, options, call);
	add_usage(line, call, exchange);
	cJSON_AddStringToObject(line, "level", level_of(call, exchange));
	add_status_message(line, options, call, exchange);
	if (finish_reason(call))
		add_buf(line, "finishReason", finish_reason(call));
	add_names(line, options, call, exchange);
	add_http(line, exchange);
	add_origin(line, exchange);
	add_timing(line, call);
	add_evidence(line, call, exchange);

	text = cJSON_PrintUnformatted(line);
	if (!text || memory_failures() != failures)
		return -ENOMEM;
	return buf_add_text(ret, text);
}

int generation_line(const struct generation_options *options, struct call *call,
		    const struct exchange *exchange, struct buf *ret)
{
	struct generation_options without = *options;
	const struct generation_options *tries[] = { options, options, &without };
	int r = -ENOMEM;

	without.content = CONTENT_METADATA;
	/* A line with holes would not say so: the next one does. */
	for (size_t i = 0; i < ARRAY_SIZE(tries) && r == -ENOMEM; i++) {
		r = write_line(tries[i], call, exchange, ret);
		if (r == -ENOMEM)
			call->marks |= LOSS_BIT(LOSS_NO_MEMORY);
	}
	return r;
}
