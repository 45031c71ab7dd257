/* SPDX-License-Identifier: Apache-2.0 */
#ifndef GENTAP_TESTS_CASES_PRETTY_H
#define GENTAP_TESTS_CASES_PRETTY_H

#include <cjson/cJSON.h>

#include "base/buf.h"

/* Appends the value and a line end. */
void pretty_json(const cJSON *json, struct buf *ret);

#endif
