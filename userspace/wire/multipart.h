/* SPDX-License-Identifier: Apache-2.0 */
/*
 * multipart/form-data (RFC 7578, RFC 2046 section 5.1): a form, part by part. The
 * value of a field is kept and given out whole; a file is counted and hashed.
 *
 *   PREAMBLE --delimiter--> HEAD --its end--> FIELD or FILE --delimiter--> HEAD ...
 *                             |                                   +--"--"--> EPILOGUE
 *                             +--too long, a gap--> SKIPPED --delimiter--> HEAD
 *
 * A delimiter is CRLF, two hyphens, the boundary, and behind them either two
 * hyphens or spaces and CRLF; what only begins like one is content.
 */
#ifndef GENTAP_WIRE_MULTIPART_H
#define GENTAP_WIRE_MULTIPART_H

#include "base/buf.h"
#include "limits.h"
#include "wire/media.h"
#include "wire/stream.h"

enum multipart_state {
	MULTIPART_PREAMBLE,
	MULTIPART_HEAD,
	MULTIPART_FIELD,
	MULTIPART_FILE,
	MULTIPART_SKIPPED,	/* content of a part that is not known */
	MULTIPART_EPILOGUE,
	MULTIPART_BAD,		/* nothing more can be had */
};

struct multipart_reader {
	enum multipart_state state;
	char delimiter[4 + LIMIT_BOUNDARY];
	size_t delimiter_len;
	size_t matched;			/* of it, held back from the content */
	char tail[LIMIT_BOUNDARY_PADDING];
	size_t tail_len;		/* behind it, held back, too */
	struct buf head;		/* of the part, its empty line included */
	struct buf name, filename, content_type;
	struct buf data;		/* a field's value */
	struct media media;		/* a file */
	struct stream_note note;
	bool is_ready;			/* the part was given out; clear it next */
	uint64_t dropped;		/* parts with a head over LIMIT_FORM_HEAD, skipped, or a
					 * value over LIMIT_FORM_FIELD, cut */
	bool is_failed;			/* out of memory */
};

/* @content_type: the field's value, with the boundary; without a sound one all
 * input is PARSE_BAD. */
void multipart_init(struct multipart_reader *reader, struct slice content_type);
void multipart_done(struct multipart_reader *reader);

/* As stream_next: an event is a part, its type the field's name. */
enum parse multipart_next(struct multipart_reader *reader, struct slice *in, struct stream_event *ret);

/* Bytes are missing. A field they belonged to is lost, a file incomplete; the next
 * delimiter is where it goes on. */
void multipart_gap(struct multipart_reader *reader);

/* As stream_eof and stream_cut. */
enum parse multipart_eof(struct multipart_reader *reader, struct stream_event *ret);
enum parse multipart_cut(struct multipart_reader *reader, struct stream_event *ret);

#endif
