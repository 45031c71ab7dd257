/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One JSON text a line (NDJSON and JSON Lines, github.com/ndjson/ndjson-spec and
 * jsonlines.org; Ollama's API and Cohere's first one stream so). Lines end with LF
 * or CRLF; those with nothing but white space are skipped. Whether a line is JSON
 * is not looked at. Owns only a line whose end has not come yet.
 */
#ifndef GENTAP_WIRE_NDJSON_H
#define GENTAP_WIRE_NDJSON_H

#include "base/buf.h"
#include "wire/stream.h"

struct ndjson_reader {
	struct buf line;	/* an unfinished line; no memory between lines */
	bool is_given;		/* line was given out; clear it next */
	bool is_skipping;	/* until the end of a line that cannot be had */
	struct stream_losses losses;
};

void ndjson_init(struct ndjson_reader *reader);
void ndjson_done(struct ndjson_reader *reader);

/* As stream_next: an event is a line, less its end and the white space around it.
 * Lines over LIMIT_NDJSON_LINE are skipped and counted. Never PARSE_BAD. The event
 * may point into what *in was. */
enum parse ndjson_next(struct ndjson_reader *reader, struct slice *in, struct stream_event *ret);

/* Bytes are missing: it goes on with the next line. */
void ndjson_gap(struct ndjson_reader *reader);

/* As stream_eof: a last line without its end is given out. */
enum parse ndjson_eof(struct ndjson_reader *reader, struct stream_event *ret);

#endif
