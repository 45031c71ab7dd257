/* SPDX-License-Identifier: Apache-2.0 */
/* Content codings (RFC 9110 section 8.4.1, RFC 8878, RFC 7932), made by their own libraries. */
#ifndef GENTAP_TESTS_CASES_ENCODE_H
#define GENTAP_TESTS_CASES_ENCODE_H

#include "base/buf.h"

enum code { CODE_GZIP, CODE_DEFLATE, CODE_DEFLATE_RAW, CODE_BR, CODE_ZSTD, CODE_COUNT };

const char *code_name(enum code code);	/* "deflate-raw" */
const char *code_field(enum code code);	/* what Content-Encoding says: "deflate" */

enum encode_end { ENCODE_FLUSH, ENCODE_END };

struct encoder;

struct encoder *encoder_new(enum code code);
void encoder_free(struct encoder **encoder);
/* Appends to @ret. After ENCODE_FLUSH all of the input so far can be decoded. */
void encoder_add(struct encoder *encoder, struct slice in, enum encode_end end, struct buf *ret);

#endif
