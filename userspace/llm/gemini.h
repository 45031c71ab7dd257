/* SPDX-License-Identifier: Apache-2.0 */
/* Google's dialects: the Gemini API and Vertex AI. Private to llm/. */
#ifndef GENTAP_LLM_GEMINI_H
#define GENTAP_LLM_GEMINI_H

#include "llm/chat.h"

extern const struct dialect gemini_generate, gemini_embed, gemini_interactions;

/* usageMetadata: each replaces all that was said before. */
void gemini_read_usage(struct call *call, const cJSON *usage);

/* The same of an interaction, by other names. */
void gemini_read_interaction_usage(struct call *call, const cJSON *usage);

/* Scalars of the request's generationConfig, in either spelling. */
cJSON *gemini_parameters(const struct call *call);

/* Appends one of a function call's partialArgs to the text of its arguments. They come
 * in the order of the text: path by path, a string in pieces. What is open stays in
 * call->scratch. */
void gemini_add_argument(struct call *call, struct tool_call *tool, const cJSON *argument);
/* No more will come: closes what is open. */
void gemini_end_arguments(struct call *call, struct tool_call *tool);

#endif
