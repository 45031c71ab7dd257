/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Content codings (RFC 9110 section 8.4.1), one or several in a row: gzip (RFC
 * 1952, several members), deflate (RFC 1950, and the raw RFC 1951 that some send
 * under its name), br (RFC 7932), zstd (RFC 8878 with the window of RFC 9659,
 * several frames). Those that need a dictionary (dcb, dcz of RFC 9842) are unknown.
 *
 * Streams: each call gives out all that the input decodes to, so that what a
 * sender flushed is seen with the bytes that completed it.
 */
#ifndef GENTAP_WIRE_CODING_H
#define GENTAP_WIRE_CODING_H

#include "base/loss.h"
#include "base/slice.h"
#include "limits.h"
#include "wire/parse.h"

struct coding;

/* What the Content-Encoding fields of a message say. All zero: none. */
struct codings {
	const struct coding *list[LIMIT_CODINGS];	/* as applied: the last is decoded first */
	size_t count;				/* 0: the body is as it is */
	struct slice unknown;			/* the first name not understood, or a whole field that
						 * names too many; borrowed; empty: all are understood */
};

/* Takes the value of one Content-Encoding field; several are one list. */
void codings_add(struct codings *codings, struct slice value);

/* The name of the coding whose mark a body's first bytes bear, where there is no such
 * field to be had; empty when there is none. br and deflate bear no mark. */
enum { CODING_SNIFF_BYTES = 4 };
struct slice coding_sniff(struct slice front);

/*
 * Owns what it takes to decode: of each coding 8 KiB of output, and
 *   gzip, deflate	40 KiB
 *   br			some 30 KiB and as much as was decoded, at most the window of 16 MiB
 *   zstd		some 200 KiB and as much as was decoded, at most LIMIT_ZSTD_WINDOW and a block
 */
struct decoder;

/* For at least one coding, none of them unknown. The caller frees. NULL when out
 * of memory. */
struct decoder *decoder_new(const struct codings *codings);
void decoder_free(struct decoder **decoder);

/* Decodes from the front of *in. PARSE_ITEM: decoded bytes in *ret (borrowed
 * until the next call), call again. PARSE_MORE: *in is used up. PARSE_BAD: for
 * what decoder_failure says; what was given out before is as it was sent. */
enum parse decoder_next(struct decoder *decoder, struct slice *in, struct slice *ret);

/* After PARSE_BAD: LOSS_BAD_ENCODING, LOSS_NO_MEMORY, or LOSS_RATIO_LIMIT when it
 * would have been more than LIMIT_CODING_RATIO or LIMIT_DECODED allow. */
enum loss decoder_failure(const struct decoder *decoder);

/* Whether the coded bytes so far are whole by their own end. */
bool decoder_is_whole(const struct decoder *decoder);

/* Bytes of memory it takes by now; grows as it decodes. */
size_t decoder_memory(const struct decoder *decoder);

#endif
