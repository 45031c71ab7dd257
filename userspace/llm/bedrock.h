/* SPDX-License-Identifier: Apache-2.0 */
/* Amazon Bedrock's dialects. Private to llm/. */
#ifndef GENTAP_LLM_BEDROCK_H
#define GENTAP_LLM_BEDROCK_H

#include "llm/chat.h"

extern const struct dialect bedrock_converse, bedrock_invoke;

/* Bodies of InvokeModel that no other API has, for bedrock_invoke alone: Nova's, and
 * those of models that complete a text (Llama, Titan, Mistral's older ones). */
extern const struct dialect bedrock_nova, bedrock_text;

/* What both APIs tell in a response's head: who answers, and the type of an error. */
void bedrock_read_head(struct call *call, const struct http_head *response);
/* The path's model: of the ARN of a model or of an inference profile, its last segment. */
void bedrock_read_model(struct call *call);
/* Whether the path's model is of this vendor ("openai"), behind a region or not. */
bool bedrock_is_vendor(const struct call *call, const char *vendor);

/* Converse's events, bodies and fields, for those who wrap them. @type: the event's name. */
void bedrock_read_event(struct call *call, const char *type, const cJSON *data, uint64_t time_ns);
void bedrock_read_body(struct call *call, const cJSON *body);
bool bedrock_is_body(const cJSON *body);
cJSON *bedrock_input(const struct call *call);
cJSON *bedrock_parameters(const struct call *call);

/* Converse's usage object; the last one wins. */
void bedrock_read_usage(struct call *call, const cJSON *usage);

/* A system prompt of blocks: its text when it is one text, else as it is. */
const cJSON *bedrock_system(const cJSON *request);

#endif
