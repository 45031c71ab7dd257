/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Bytes that are no text and are not kept: counted and hashed as they pass.
 */
#ifndef GENTAP_WIRE_MEDIA_H
#define GENTAP_WIRE_MEDIA_H

#include "base/slice.h"

#define MEDIA_HASH_SIZE 65	/* SHA-256 (FIPS 180-4) in hexadecimal, and its NUL */

/* All zero: nothing yet. */
struct media {
	struct evp_md_ctx_st *hash;	/* owned; NULL before the first byte */
	uint64_t size;			/* bytes seen */
	bool has_gap;			/* and some that were not */
	bool is_failed;			/* out of memory: counted, not hashed */
	bool is_failure_told;
};

/* Audio, images, video, application/octet-stream (RFC 6838), parameters ignored. */
bool media_is_type(struct slice content_type);

void media_add(struct media *media, struct slice bytes);
/* Bytes are missing here. */
void media_gap(struct media *media);
/* The hash of all that was added; "" when that was not all. Nothing may be added
 * any more. */
void media_hash(struct media *media, char ret[MEDIA_HASH_SIZE]);
/* Whether memory failed it since it was asked the last time. */
bool media_take_failure(struct media *media);
/* Ready for others. */
void media_reset(struct media *media);

/* A Content-Type (RFC 9110 section 8.3) less its parameters. */
struct slice media_type(struct slice content_type);

/* The value of a parameter, of Content-Type or Content-Disposition: "; name=value",
 * quoted (RFC 9110 section 5.6.6) or not; case of the name ignored. Into @ret, which
 * it replaces, without quotes and backslashes. False when there is none. */
struct buf;
bool media_parameter(struct slice field, const char *name, struct buf *ret);

#endif
