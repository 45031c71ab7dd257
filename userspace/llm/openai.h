/* SPDX-License-Identifier: Apache-2.0 */
/* What the dialects of the OpenAI family share. Private to llm/. */
#ifndef GENTAP_LLM_OPENAI_H
#define GENTAP_LLM_OPENAI_H

#include "llm/chat.h"

extern const struct dialect openai_chat, openai_completions, openai_embeddings;
extern const struct dialect openai_responses, openai_decisions, openai_images, openai_speech;
extern const struct dialect openai_transcription, openai_moderations, openai_realtime;

/* Id, model, tier, fingerprint and usage: of a body or an event. Empty texts
 * (Azure's first chunk) and nulls change nothing. */
void openai_read_envelope(struct call *call, const cJSON *body);

/* The same for dialect.event of those that have nothing else in an event. */
void openai_read_event(struct call *call, const struct call_event *event);

/* A provider's usage object becomes disjoint buckets; the last one wins. Names of chat
 * (prompt_tokens, completion_tokens) and of all that came later (input_tokens,
 * output_tokens) alike; details that have no bucket are left out. */
void openai_read_usage(struct call *call, const cJSON *usage);

/* The request's tools may hold keys to other servers (MCP): they are taken out before
 * anybody reads it. For dialect.request. */
void openai_hide_keys(struct call *call);

/* The answer's shape and reading, for others that answer as a chat does. */
bool openai_is_chat_response(const cJSON *body);
void openai_read_chat_event(struct call *call, const struct call_event *event);
void openai_read_chat_response(struct call *call, const cJSON *body);

/* The choice of an item of `choices`: by its index, else by @position. */
struct choice *openai_choice(struct call *call, const cJSON *item, uint64_t position);
/* The last finish reason that is not null wins. */
void openai_read_finish(struct call *call, struct choice *choice, const cJSON *item);
/* Model parameters as Langfuse's drop-in records them for chat and completions. */
cJSON *openai_parameters(const struct call *call);

#endif
