/* SPDX-License-Identifier: Apache-2.0 */
/* Anthropic's dialects: its own API, Vertex, Bedrock and all who imitate it. Private to llm/. */
#ifndef GENTAP_LLM_ANTHROPIC_H
#define GENTAP_LLM_ANTHROPIC_H

#include "llm/chat.h"

extern const struct dialect anthropic_messages, anthropic_complete;

/* A usage object of Messages. Counts that it holds replace what earlier ones said,
 * field by field; those that it leaves out or has as null stay. */
void anthropic_read_input(struct call *call, const cJSON *usage);
void anthropic_read_output(struct call *call, const cJSON *usage);

#endif
