/* SPDX-License-Identifier: Apache-2.0 */
/*
 * AWS event stream (application/vnd.amazon.eventstream; smithy.io, "Amazon Event
 * Stream Specification"), as Bedrock streams its answers. All numbers big-endian:
 *
 *   u32 length of all | u32 length of headers | u32 CRC of these eight bytes
 *   headers: u8 length, name, u8 type, value
 *   payload | u32 CRC of all before it
 *
 * Both CRCs (IEEE 802.3, as zlib's) are checked. Owns only a message not whole yet.
 */
#ifndef GENTAP_WIRE_EVENTSTREAM_H
#define GENTAP_WIRE_EVENTSTREAM_H

#include "base/buf.h"
#include "wire/stream.h"

struct eventstream_reader {
	struct buf message;	/* front of one that is not whole; no memory between messages */
	uint32_t left;		/* bytes to come of a message whose prelude was seen; else 0 */
	bool is_given;		/* the message was given out; clear it next */
	bool is_skipping;	/* what is left of the message cannot be had */
	bool is_bad;		/* nothing more can be had */
	struct stream_losses losses;
};

void eventstream_init(struct eventstream_reader *reader);
void eventstream_done(struct eventstream_reader *reader);

/* As stream_next: an event is a message, its data the payload. By :message-type,
 *   event		type is :event-type
 *   exception		type is :exception-type, is_exception
 *   error		type is :error-code, message is :error-message, is_exception
 * A message with headers or payload over their limit is skipped and counted.
 * PARSE_BAD: a CRC or a length is wrong. The event may point into what *in was. */
enum parse eventstream_next(struct eventstream_reader *reader, struct slice *in, struct stream_event *ret);

/* As stream_gap. True when the gap ends inside a message whose prelude was seen, or
 * with it: that one is skipped. */
bool eventstream_gap(struct eventstream_reader *reader, uint64_t n);

/* As stream_eof: PARSE_BAD in the middle of a message. */
enum parse eventstream_eof(struct eventstream_reader *reader, struct stream_event *ret);

#endif
