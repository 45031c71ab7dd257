/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Takes secrets out of events before they are written to a file: overwrites them
 * with '*', length by length, so that every offset and length stays true and a
 * replay finds the same messages.
 *
 * In heads (HTTP/1 and HTTP/2): the value of every field that replay does not
 * need, of every query parameter that it does not need, and userinfo in URLs. In
 * bodies: bearer tokens, strings that look like API keys, values of members and
 * parameters called api_key, access_token and the like. What follows no message
 * that was seen from its start is overwritten whole and counted: replay would skip
 * it, too.
 *
 * Leaves: WebSocket messages, compressed bodies, bodies of binary types, HTTP/1
 * trailers. Keeps no event back: what one event cannot tell is overwritten.
 */
#ifndef GENTAP_SOURCE_SCRUB_H
#define GENTAP_SOURCE_SCRUB_H

#include "../../bpf/gentap.h"
#include "base/slice.h"

struct scrubber;

/* 0 or -ENOMEM. The caller owns *ret. */
int scrubber_new(struct scrubber **ret);
void scrubber_free(struct scrubber **scrubber);

/* @event is sound (capture_event_is_sound); its bytes are overwritten in place. */
void scrubber_event(struct scrubber *scrubber, struct gt_event *event);

/* Bytes overwritten so far without knowing what they were. */
uint64_t scrubber_unsure(const struct scrubber *scrubber);

/* Whether the value of this field, whatever its case, is left as it is. */
bool scrub_keeps_field(struct slice name);
/* The same, of a query parameter. */
bool scrub_keeps_parameter(struct slice name);

#endif
