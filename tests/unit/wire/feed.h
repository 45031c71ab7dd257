/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a stream's reader says of its input, as text: "(type|data)" for each event,
 * "!" before an exception's, "~" before binary data, "BAD" where it gave up, "+"
 * before what only the end gave out.
 */
#ifndef GENTAP_TESTS_WIRE_FEED_H
#define GENTAP_TESTS_WIRE_FEED_H

#include <criterion/criterion.h>

#include "limits.h"
#include "wire/stream.h"

struct feed {
	struct stream_reader *reader;
	struct buf trace;
	bool is_bad;
};

static inline void feed_take(struct feed *feed, struct stream_reader *reader)
{
	*feed = (struct feed){ .reader = reader, .trace = BUF_INIT(64 * MiB) };
	cr_assert(feed->reader);
}

static inline void feed_init(struct feed *feed, enum framing framing)
{
	feed_take(feed, stream_new(framing, SLICE("")));
}

static inline void feed_done(struct feed *feed)
{
	stream_free(&feed->reader);
	buf_done(&feed->trace);
}

static inline void feed_trace(struct feed *feed, const struct stream_event *event)
{
	buf_add_text(&feed->trace, event->is_exception ? "!(" : event->is_binary ? "~(" : "(");
	buf_add_slice(&feed->trace, event->type);
	buf_add_char(&feed->trace, '|');
	buf_add_slice(&feed->trace, event->data);
	if (event->message.len) {
		buf_add_char(&feed->trace, '|');
		buf_add_slice(&feed->trace, event->message);
	}
	buf_add_char(&feed->trace, ')');
}

/* From a copy of the very size, so that a sanitizer sees who reads behind it. */
static inline void feed_bytes(struct feed *feed, const char *bytes, size_t len)
{
	_cleanup_(freep) char *copy = malloc(len);
	struct slice in = { copy, len };
	struct stream_event event;
	enum parse parse;

	if (feed->is_bad)
		return;
	if (len)
		memcpy(copy, bytes, len);
	while ((parse = stream_next(feed->reader, &in, &event)) == PARSE_ITEM)
		feed_trace(feed, &event);
	feed->is_bad = parse == PARSE_BAD;
	if (feed->is_bad)
		buf_add_text(&feed->trace, "BAD");
	else
		cr_assert_eq(in.len, 0, "everything is consumed");
}

static inline void feed_gap(struct feed *feed, uint64_t n)
{
	if (feed->is_bad || stream_gap(feed->reader, n))
		return;
	feed->is_bad = true;
	buf_add_text(&feed->trace, "LOST");
}

static inline void feed_eof(struct feed *feed)
{
	struct stream_event event;
	enum parse parse;

	if (feed->is_bad)
		return;
	while ((parse = stream_eof(feed->reader, &event)) == PARSE_ITEM) {
		buf_add_char(&feed->trace, '+');
		feed_trace(feed, &event);
	}
	if (parse == PARSE_BAD)
		buf_add_text(&feed->trace, "+BAD");
}

/* The trace of @wire, cut in two at @cut, or in pieces of @piece. */
static inline void feed_cut(struct feed *feed, struct slice wire, size_t cut, size_t piece)
{
	for (size_t at = 0, n; at < wire.len; at += n) {
		n = MIN(piece, (at < cut ? cut : wire.len) - at);
		feed_bytes(feed, wire.ptr + at, n);
	}
	feed_eof(feed);
}

/* The same trace at every split, and byte by byte. */
static inline void feed_every_way(enum framing framing, const char *name, struct slice wire, const char *want)
{
	for (size_t cut = 0; cut <= wire.len + 1; cut++) {
		struct feed feed;

		feed_init(&feed, framing);
		feed_cut(&feed, wire, cut, cut > wire.len ? 1 : SIZE_MAX);
		cr_expect_str_eq(buf_text(&feed.trace), want, "%s, cut at %zu: %s", name, cut, buf_text(&feed.trace));
		feed_done(&feed);
	}
}

#endif
