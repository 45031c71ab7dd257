/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One direction of a WebSocket (RFC 6455 section 5): frames put together to messages,
 * unmasked and, where permessage-deflate was agreed, decompressed. Pings and pongs are
 * passed over; of a close frame, what it says is kept.
 *
 *   between frames --head whole--> payload --its last byte--> between frames
 *                                                 |
 *                                                 +-- final frame of a message: it is given out
 *
 * Whether text is UTF-8 is not looked at.
 */
#ifndef GENTAP_WIRE_WEBSOCKET_H
#define GENTAP_WIRE_WEBSOCKET_H

#include "base/buf.h"
#include "wire/permessage.h"
#include "wire/stream.h"

struct websocket_params {
	bool is_client;			/* from the client: its frames, and only its, are masked */
	struct permessage_params deflate;
};

struct websocket_reader {
	struct permessage deflate;
	struct buf message;		/* what came of it; no memory between messages */
	struct buf close;		/* payload of the close frame */
	uint64_t left;			/* bytes to come of the frame's payload */
	unsigned char head[14];		/* of the frame, unless in its payload */
	unsigned char head_len;
	unsigned char opcode;		/* of the frame */
	unsigned char mask[4];
	unsigned char mask_at;		/* which byte of it is the next */
	bool is_client;
	bool is_in_payload;
	bool is_final;			/* the frame ends its message */
	bool is_in_message;		/* a data frame came that was not final */
	bool is_binary, is_compressed;	/* the message */
	bool is_skipping;		/* the message cannot be had */
	bool is_given;			/* the message was given out; clear it next */
	bool is_closed;			/* the close frame was seen */
	bool is_close_cut;		/* but not all of it */
	bool is_bad;			/* nothing more can be had */
	enum loss failure;		/* then: why */
	struct stream_losses losses;
};

void websocket_init(struct websocket_reader *reader, const struct websocket_params *params);
void websocket_done(struct websocket_reader *reader);

/* As stream_next: an event is a message, is_binary says of which kind. One over
 * LIMIT_WEBSOCKET_MESSAGE is skipped and counted. What follows a close frame is not
 * looked at. PARSE_BAD: frames that RFC 6455 forbids, what does not decompress, or
 * decompresses to more than LIMIT_CODING_RATIO allows; failure says which. The event
 * may point into what *in was. */
enum parse websocket_next(struct websocket_reader *reader, struct slice *in, struct stream_event *ret);

/* As stream_gap. True when the gap ends inside the payload of a frame, or with it, and
 * later messages can be read without it: of the frame's message nothing is given out. */
bool websocket_gap(struct websocket_reader *reader, uint64_t n);

/* Whether a close frame was seen: its status code (section 7.4), 1005 when it had none
 * or it was not seen, and its reason; borrowed from the reader. */
bool websocket_close(const struct websocket_reader *reader, unsigned *ret_code, struct slice *ret_reason);

/* Bytes of memory it takes beside itself. */
size_t websocket_memory(const struct websocket_reader *reader);

#endif
