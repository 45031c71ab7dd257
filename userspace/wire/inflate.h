/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Content codings (RFC 9110 section 8.4.1): identity and gzip (RFC 1952, several
 * members). Streams: each call gives out all that the input decodes to.
 */
#ifndef GENTAP_WIRE_INFLATE_H
#define GENTAP_WIRE_INFLATE_H

#include "base/slice.h"
#include "wire/parse.h"

enum coding { CODING_IDENTITY, CODING_GZIP, CODING_UNKNOWN };

/* Of a Content-Encoding value; several codings in a row are CODING_UNKNOWN
 * unless all but one are identity. */
enum coding coding_of(struct slice content_encoding);

struct inflater;

/* For CODING_GZIP. The caller frees. NULL when out of memory. */
struct inflater *inflater_new(void);
void inflater_free(struct inflater **inflater);

/* Decodes from the front of *in. PARSE_ITEM: decoded bytes in *ret (borrowed
 * until the next call), call again. PARSE_MORE: *in is used up. PARSE_BAD: not
 * gzip, or over LIMIT_INFLATE_RATIO. */
enum parse inflater_next(struct inflater *inflater, struct slice *in, struct slice *ret);

#endif
