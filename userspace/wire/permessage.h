/* SPDX-License-Identifier: Apache-2.0 */
/*
 * permessage-deflate (RFC 7692) in one direction of a WebSocket: what was agreed,
 * and messages decompressed. Frames are websocket.c's.
 *
 * With context takeover a message may refer to what was sent before it, so that each
 * one has to be decompressed, even one that nobody wants. How far it may look back, the
 * window that was agreed, makes no difference: the largest is used always. With a smaller
 * one zlib finds that a message looks back too far or does not, as its input is split.
 */
#ifndef GENTAP_WIRE_PERMESSAGE_H
#define GENTAP_WIRE_PERMESSAGE_H

#include "base/loss.h"
#include "base/slice.h"
#include "wire/parse.h"

/* All zero: messages are not compressed. */
struct permessage_params {
	bool is_agreed;
	bool has_no_takeover;		/* each message is compressed by itself */
};

/* Reads one Sec-WebSocket-Extensions field of a 101 response (RFC 6455 section 9.1,
 * RFC 7692 section 7.1); several are one list. False: an extension, or a parameter of
 * it, that is not understood, so that frames are not either. */
bool permessage_read(struct slice field, struct permessage_params *client, struct permessage_params *server);

/* Owns zlib's state, some 42 KiB; none before the first message and, without
 * takeover, between messages. */
struct permessage {
	struct permessage_params params;
	struct z_stream_s *z;		/* owned; NULL while not needed */
	uint64_t encoded, decoded;	/* bytes of this message so far */
	uint64_t cell_end;		/* so many encoded ones may be taken before the ratio is looked at */
	bool is_full;			/* zlib may have more to give out without input */
	enum loss failure;		/* valid after PARSE_BAD */
};

void permessage_init(struct permessage *permessage, const struct permessage_params *params);
void permessage_done(struct permessage *permessage);

/* Decompresses from the front of *in, the payload of this message, to @out. PARSE_ITEM:
 * what came out is in *ret, which is @out; call again. PARSE_MORE: *in is used up.
 * PARSE_BAD: failure says why, LOSS_BAD_STREAM, LOSS_NO_MEMORY or LOSS_RATIO_LIMIT. */
enum parse permessage_next(struct permessage *permessage, struct slice *in, char *out, size_t size,
			   struct slice *ret);

/* What a sender leaves out at the end of each message; to be given to permessage_next
 * behind the payload, unless that was empty. */
#define PERMESSAGE_TAIL SLICE("\x00\x00\xff\xff")

/* The message is over, or is given up, which is for those without takeover only. */
void permessage_end(struct permessage *permessage);

/* Bytes of memory it takes. */
size_t permessage_memory(const struct permessage *permessage);

#endif
