/* SPDX-License-Identifier: Apache-2.0 */
/* Between dialect.c, which knows who could speak, and read.c, which hears it. */
#ifndef GENTAP_LLM_CHOOSE_H
#define GENTAP_LLM_CHOOSE_H

#include "llm/call.h"

/* call->request is in: the dialect becomes the first that may be it by path and has
 * its shape. False when none has. */
bool choose_by_request(struct call *call);

/* The same by the first of the answer, and only then. False when @response has no
 * shape that it may have. */
bool choose_by_response(struct call *call, const cJSON *response);

#endif
