/* SPDX-License-Identifier: Apache-2.0 */
/* What Responses and Realtime share: one grammar of events. Private to llm/. */
#ifndef GENTAP_LLM_OPENAI_RESPONSES_H
#define GENTAP_LLM_OPENAI_RESPONSES_H

#include "llm/openai.h"

/* A response object, whatever became of it so far: what it says replaces what was known. */
void openai_read_whole_response(struct call *call, const cJSON *response);
/* A server event of either. Sets call->end at the terminal ones. */
void openai_read_response_event(struct call *call, const struct call_event *event);

/* For dialect.input and dialect.output. */
cJSON *openai_responses_input(const struct call *call);
cJSON *openai_responses_output(const struct call *call);

#endif
