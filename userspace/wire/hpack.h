/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2's header compression (HPACK, RFC 7541), one state per direction: header
 * blocks become heads in HTTP/1 form. The decoding is libnghttp2's.
 *
 * Who joins late does not know what stands in the sender's table. It is primed
 * with as many nameless entries as could be there: entries that are added later
 * then have their right index, and older ones are known to be unknown. The
 * table's size is the sender's choice, announced in the blocks themselves; any
 * up to LIMIT_HPACK_TABLE is followed, whatever SETTINGS said. When a block does
 * not decode all the same, the state is primed anew: a connection never fails.
 */
#ifndef GENTAP_WIRE_HPACK_H
#define GENTAP_WIRE_HPACK_H

#include "wire/http_head.h"

enum hpack_kind {
	HPACK_FIELDS,		/* trailers, or a head of which no pseudo-header is known */
	HPACK_REQUEST,
	HPACK_RESPONSE,
};

enum hpack_fault {
	HPACK_SOUND,
	HPACK_MALFORMED,	/* fields that HTTP does not allow (RFC 9113 section 8.2) */
	HPACK_TOO_LONG,		/* over LIMIT_HTTP_HEAD or LIMIT_HTTP_HEADERS */
	HPACK_NO_MEMORY,
};

/* One block. The head, valid only if sound, borrows from the state until its next
 * call. Its version is 2.0, its host field the request's :authority. */
struct hpack_block {
	struct http_head head;
	enum hpack_kind kind;
	enum hpack_fault fault;
	bool has_protocol;	/* extended CONNECT (RFC 8441): WebSocket over HTTP/2 */
};

struct hpack;

/* @is_late: blocks before the first one to come were missed. The caller frees.
 * NULL when out of memory. */
struct hpack *hpack_new(bool is_late);
void hpack_free(struct hpack **hpack);

/* The next bytes of a block, in any pieces. */
void hpack_add(struct hpack *hpack, struct slice bytes);
/* The block is whole. */
void hpack_end(struct hpack *hpack, struct hpack_block *ret);
/* Frees what the last block took; the table stays. */
void hpack_drop_block(struct hpack *hpack);

/* The table's bytes, and a guess at what holds them. */
size_t hpack_size(const struct hpack *hpack);

#endif
