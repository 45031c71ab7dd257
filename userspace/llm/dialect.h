/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A dialect is the grammar of one LLM API: how its calls are recognised and
 * read. Adding one is a file, a line in the table of dialect.c, and cases.
 * Pure: no I/O, no clock, no host names.
 */
#ifndef GENTAP_LLM_DIALECT_H
#define GENTAP_LLM_DIALECT_H

#include "llm/call.h"

struct dialect {
	const char *name;		/* "openai.chat" */
	const char *generation_name;	/* what Langfuse's drop-in calls it: "OpenAI-generation" */
	enum operation operation;
	/* Endings of the path (no query) that suggest it; NULL-terminated. */
	const char *const *path_suffixes;
	const char *const *path_excludes; /* endings that look like it and are not; may be NULL */
	/* Whether a parsed request body has this grammar's shape. */
	bool (*is_request)(const cJSON *body);
	/* Whether a parsed response body or event has it (when the request does not tell). */
	bool (*is_response)(const cJSON *body);
	/* One event's data, parsed; not called for [DONE]. */
	void (*event)(struct call *call, uint64_t time_ns, const cJSON *data);
	/* A whole JSON response. */
	void (*response)(struct call *call, const cJSON *body);
	/* Langfuse's fields, made from the call; the caller owns; NULL when absent. */
	cJSON *(*input)(const struct call *call);
	cJSON *(*output)(const struct call *call);
	cJSON *(*model_parameters)(const struct call *call);
};

/* By method and path (query allowed, ignored). NULL: no LLM call. */
const struct dialect *dialect_find(struct slice method, struct slice path);

/* The table, NULL-terminated, for docs and tests. */
extern const struct dialect *const dialects[];

/* Feeds. Texts are raw; parsing, repair and limits happen inside, and what they
 * change is marked on the call. */
void call_read_request(struct call *call, struct slice body, bool is_truncated);
void call_read_event(struct call *call, uint64_t time_ns, struct slice data);
void call_read_response(struct call *call, unsigned status, struct slice body, bool is_truncated);

/* Whether what was seen has the dialect's shape in request or response; a call
 * that is false here is somebody else's endpoint. */
bool call_is_recognised(const struct call *call);

/* "openai", "azure.ai.openai", "vllm", ...: by host, then by body; NULL when neither
 * tells. Kept apart from the dialect. */
const char *provider_name(struct slice host, const struct call *call);

#endif
