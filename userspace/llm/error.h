/* SPDX-License-Identifier: Apache-2.0 */
/* Error objects, of every form that servers of this family send. */
#ifndef GENTAP_LLM_ERROR_H
#define GENTAP_LLM_ERROR_H

#include "llm/call.h"

/* An error inside a 2xx answer, body or event. True, and the call is_error, when
 * @body says so. */
bool error_read(struct call *call, const cJSON *body);
/* An object that is known to be an error: message, code, type. True. */
bool error_read_object(struct call *call, const cJSON *error);
/* The body of an answer of status 400 and above, where more forms are errors.
 * True when it has a form that is known. */
bool error_read_http(struct call *call, const cJSON *body);

#endif
