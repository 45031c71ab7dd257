/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A dialect is the grammar of one LLM API: how its calls are recognised and
 * read. Adding one is a file, a line in the table of dialect.c, and cases.
 * Pure: no I/O, no clock, no host names.
 *
 * Which dialect a call speaks is told by the path first. Several may share one
 * (/generate is TGI's and SGLang's): then the first of the table whose is_request
 * fits the request's body, and if its is_response does not fit the first of the
 * answer, the first whose does. A path that is not known (HTTP/2 joined late)
 * leaves all of them in the running.
 */
#ifndef GENTAP_LLM_DIALECT_H
#define GENTAP_LLM_DIALECT_H

#include "llm/call.h"
#include "wire/http_head.h"
#include "wire/stream.h"

/* One event of a streamed answer, whatever framed it. */
struct call_event {
	uint64_t time_ns;
	struct slice type;		/* the event's name; empty when the framing or the server gives none */
	const cJSON *data;		/* parsed */
};

struct dialect {
	const char *name;		/* "openai.chat" */
	const char *title;		/* for people: "OpenAI chat completions" */
	const char *streams;		/* for people: how it streams ("SSE"); NULL: it does not */
	const char *generation_name;	/* what Langfuse's drop-in calls it: "OpenAI-generation" */
	enum operation operation;
	/* Endings of the path (no query, decoded) that suggest it; NULL-terminated. "{}" stands
	 * for the model's name: "/models/{}:generateContent". The first that fits counts. */
	const char *const *routes;
	const char *const *excludes;	/* endings that look like it and are not; may be NULL */
	const char *const *array_routes; /* those of routes whose answer may be a JSON array that comes
					 * element by element (FRAMING_JSON_ARRAY); may be NULL */

	bool has_media;			/* answers may hold media in base64: long ones become notes */
	bool answers_text;		/* an answer may be a text that is no JSON */

	/* Whether a parsed request body has this grammar's shape. */
	bool (*is_request)(const cJSON *body);
	/* Whether a parsed response body, or the data of an event, has it. */
	bool (*is_response)(const cJSON *body);

	/* The request was parsed (call->request). May be NULL. */
	void (*request)(struct call *call);
	/* The response's head: counts and timings that stand in fields. May be NULL. */
	void (*head)(struct call *call, const struct http_head *response);
	/* One event; not called for [DONE]. Sets call->end at the protocol's own end. NULL: does not
	 * stream. */
	void (*event)(struct call *call, const struct call_event *event);
	/* A whole JSON response. */
	void (*response)(struct call *call, const cJSON *body);
	/* A response that is media or a text, not JSON: what is known of it. May be NULL
	 * (then it becomes the output as it is). */
	void (*media)(struct call *call, const struct stream_event *note);

	/* Langfuse's fields, made from the call; the caller owns; NULL when absent. */
	cJSON *(*input)(const struct call *call);
	cJSON *(*output)(const struct call *call);	/* may be NULL: call->output as it is */
	/* Members of the request that are model parameters as they are; NULL-terminated; may be NULL. */
	const char *const *parameters;
	/* Instead of it, where there is more to it; may be NULL. */
	cJSON *(*model_parameters)(const struct call *call);
};

/* What @dialect, which may be one that the call's dialect wraps, makes of an event. */
void dialect_event(const struct dialect *dialect, struct call *call, const struct call_event *event);
/* The output and the model parameters that @dialect makes from the call; the caller owns; NULL
 * when absent. */
cJSON *dialect_output(const struct dialect *dialect, const struct call *call);
cJSON *dialect_parameters(const struct dialect *dialect, const struct call *call);

/* The table, NULL-terminated, for docs and tests. */
extern const struct dialect *const dialects[];

/* By method and target (query allowed, ignored). NULL: no LLM call. */
const struct dialect *dialect_find(struct slice method, struct slice target);

/* A call for the exchange that @request begins; NULL when it is no LLM call, or (then
 * *ret_no_memory) for want of memory. A head without its path may be one. */
struct call *call_begin(const struct http_head *request, size_t max_content, bool *ret_no_memory);

/* The framing of a response to the call with this head. */
enum framing call_framing(const struct call *call, const struct http_head *response);

/* Feeds. Texts are raw; parsing, repair and limits happen inside, and what they
 * change is marked on the call. */
void call_read_request(struct call *call, struct slice body, bool is_truncated);
/* One part of a multipart request. */
void call_read_part(struct call *call, const struct stream_event *part);
void call_read_head(struct call *call, const struct http_head *response);
void call_read_event(struct call *call, uint64_t time_ns, const struct stream_event *event);
/* The same of an event that is parsed, and no [DONE]. */
void call_take_event(struct call *call, uint64_t time_ns, struct slice type, const cJSON *json);
void call_read_response(struct call *call, unsigned status, struct slice body, bool is_truncated);
/* The stream's HTTP message is over, and the protocol's own end was not in it.
 * True when it was finished all the same: every choice had said why it ended, or
 * an error was told. */
bool call_close(struct call *call);

/* The first dialect whose shape @body has as a request, for dialects that wrap others; NULL. */
const struct dialect *dialect_of_request(const cJSON *body);

/* Whether what was seen has the dialect's shape in request or response; a call
 * that is false here is somebody else's endpoint. */
bool call_is_recognised(const struct call *call);

/* "openai", "azure.ai.openai", "vllm", ...: by host, then by what only one server
 * sends; NULL when neither tells. Kept apart from the dialect. */
const char *provider_name(struct slice host, const struct call *call);
/* The same by the fields of a response's head; NULL when they do not tell. Static. */
const char *provider_of_head(const struct http_head *response);

#endif
