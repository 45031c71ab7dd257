/* SPDX-License-Identifier: Apache-2.0 */
/* What dialects share when they turn a call into Langfuse's fields. Private to llm/. */
#ifndef GENTAP_LLM_CHAT_H
#define GENTAP_LLM_CHAT_H

#include "llm/dialect.h"

/* Choices in order of index: a malloced array, the caller frees; NULL when there are none. */
const struct choice **call_choices_sorted(const struct call *call);

/* A choice as a message of the form that Langfuse shows as chat: role, tool_calls,
 * content, refusal, reasoning, parts. The caller owns it. */
cJSON *chat_message(const struct call *call, const struct choice *choice);

/* The message, or an array of them when there are several choices; without choices a
 * copy of call->output; NULL when neither is there. For dialect.output. */
cJSON *chat_output(const struct call *call);

/* The choices' text, or an array of texts, for completions: a choice with reasoning is
 * a message. For dialect.output. */
cJSON *text_output(const struct call *call);

/* The request's messages under @messages, with its "tools" if it has any:
 * [...] or {"tools": [...], "messages": [...]}. @system (may be NULL) becomes a first
 * message of role system. The raw text of a request that was no JSON. */
cJSON *chat_input(const struct call *call, const char *messages, const cJSON *system);

/* @messages, which it owns from here on, alone or beside a copy of @tools (may be NULL). */
cJSON *chat_with_tools(cJSON *messages, const cJSON *tools);

/* Appends a tool call that came whole: @arguments as text, or as the object itself
 * (NULL: none). NULL when there is no room for it; what did not fit is marked. */
struct tool_call *chat_add_tool(struct call *call, struct choice *choice, const char *id,
				const char *name, const cJSON *arguments);

/* Appends text (may be NULL) to one of the call's bufs; true when there was some. */
bool chat_add(struct call *call, struct buf *buf, const char *text);

/* A prompt or embedding input: token ids become their count. NULL for NULL. */
cJSON *chat_prompt(const cJSON *prompt);

/* A string of the raw request that was no JSON; NULL when there was none. */
cJSON *call_request_text(const struct call *call);

/* The request's members that @names (NULL-terminated) lists, NULL when there are none; the raw
 * text of a request that was no JSON. */
cJSON *call_request_members(const struct call *call, const char *const *names);

/* A copy of call->output, NULL when there is none. */
cJSON *call_output(const struct call *call);

/* How many values a vector has: numbers, or base64 of 32-bit floats. */
size_t vector_dimensions(const cJSON *vector);
/* {"dimensions": n, "count": m}: vectors are counted and measured, never kept. */
cJSON *vectors_note(size_t dimensions, size_t count);

#endif
