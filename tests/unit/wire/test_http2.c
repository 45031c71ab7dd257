/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2 frames: every case gives the same items at every split of its input. */
#include "frames.h"

/* Names of items; bytes of neighbouring pieces are one, however they were cut. */
struct trace {
	struct buf text;
	bool is_in_bytes;
};

static void add_item(struct trace *trace, const struct http2_item *item)
{
	static const char *const names[] = {
		[HTTP2_BLOCK_BEGIN] = "block", [HTTP2_BLOCK_END] = "block end", [HTTP2_STREAM_END] = "end",
	};

	if (item->type == HTTP2_DATA || item->type == HTTP2_BLOCK) {
		if (!trace->is_in_bytes)
			buf_printf(&trace->text, "%s %u <", item->type == HTTP2_DATA ? "data" : "part", item->stream_id);
		buf_add_slice(&trace->text, item->bytes);
		trace->is_in_bytes = true;
		return;
	}
	if (trace->is_in_bytes)
		buf_add_text(&trace->text, ">\n");
	trace->is_in_bytes = false;
	if (item->type == HTTP2_RESET)
		buf_printf(&trace->text, "reset %u by %u\n", item->stream_id, item->error);
	else if (item->type == HTTP2_GOAWAY)
		buf_printf(&trace->text, "goaway %u by %u\n", item->last_stream_id, item->error);
	else
		buf_printf(&trace->text, "%s %u%s\n", names[item->type], item->stream_id,
			   item->is_promise ? " promised" : "");
}

/* Reads @bytes behind *rest, and keeps there what the reader left. */
static enum parse feed(struct http2_reader *reader, struct buf *rest, struct slice bytes, struct trace *trace)
{
	struct http2_item item;
	enum parse parse;
	struct slice in;

	buf_add_slice(rest, bytes);
	in = buf_slice(rest);
	while ((parse = http2_next(reader, &in, &item)) == PARSE_ITEM)
		add_item(trace, &item);
	if (parse == PARSE_MORE)
		cr_expect_leq(in.len, 23, "a front, or a preface");
	buf_consume(rest, rest->len - in.len);
	return parse;
}

#define F(len, type, flags, id) "\0\0" len type flags "\0\0\0" id
#define PREFACE "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
#define SETTINGS F("\6", "\4", "\0", "\0") "\0\1\0\0\x10\0"

static const struct wire_case {
	const char *name;
	struct slice wire;
	const char *want;
} cases[] = {
	{ "a preface and settings", SLICE(PREFACE SETTINGS F("\0", "\4", "\1", "\0")), "" },
	{ "what is no preface", SLICE("PRI * HTTP/2.0\r\n\r\nSM\r\n\rx"), "bad\n" },
	{ "a request without body", SLICE(PREFACE SETTINGS F("\3", "\1", "\5", "\1") "abc"),
	  "block 1\npart 1 <abc>\nblock end 1\nend 1\n" },
	{ "a request and its body in two frames",
	  SLICE(F("\3", "\1", "\4", "\1") "abc" F("\2", "\0", "\0", "\1") "hi" F("\2", "\0", "\1", "\1") "ho"),
	  "block 1\npart 1 <abc>\nblock end 1\ndata 1 <hiho>\nend 1\n" },
	{ "an empty frame ends a stream", SLICE(F("\0", "\0", "\1", "\3")), "end 3\n" },
	{ "streams take turns",
	  SLICE(F("\1", "\0", "\0", "\1") "a" F("\1", "\0", "\1", "\3") "b" F("\1", "\0", "\1", "\1") "c"),
	  "data 1 <ab>\nend 3\ndata 1 <c>\nend 1\n" },
	{ "padding of data", SLICE(F("\5", "\0", "\x9", "\1") "\2hi\0\0"), "data 1 <hi>\nend 1\n" },
	{ "nothing but padding", SLICE(F("\3", "\0", "\x9", "\1") "\2\0\0"), "end 1\n" },
	{ "padding and priority of a head", SLICE(F("\xb", "\1", "\x2d", "\1") "\2\0\0\0\0\x10" "abc\0\0"),
	  "block 1\npart 1 <abc>\nblock end 1\nend 1\n" },
	{ "priority alone", SLICE(F("\6", "\1", "\x24", "\1") "\x80\0\0\0\x10" "a"), "block 1\npart 1 <a>\nblock end 1\n" },
	{ "more padding than frame", SLICE(F("\3", "\0", "\x9", "\1") "\3\0\0"), "bad\n" },
	{ "no room for the pad length", SLICE(F("\0", "\0", "\x9", "\1")), "bad\n" },
	{ "no room for the priority", SLICE(F("\4", "\1", "\x24", "\1") "\0\0\0\0"), "bad\n" },
	{ "a head in three frames",
	  SLICE(F("\2", "\1", "\1", "\1") "ab" F("\2", "\x9", "\0", "\1") "cd" F("\1", "\x9", "\4", "\1") "e"),
	  "block 1\npart 1 <abcde>\nblock end 1\nend 1\n" },
	{ "a head that goes on without bytes", SLICE(F("\2", "\1", "\0", "\1") "ab" F("\0", "\x9", "\4", "\1")),
	  "block 1\npart 1 <ab>\nblock end 1\n" },
	{ "a head interrupted", SLICE(F("\2", "\1", "\0", "\1") "ab" F("\0", "\0", "\1", "\1")), "block 1\npart 1 <ab>\nbad\n" },
	{ "a head interrupted by an unknown type", SLICE(F("\2", "\1", "\0", "\1") "ab" F("\0", "\x20", "\0", "\1")),
	  "block 1\npart 1 <ab>\nbad\n" },
	{ "a head continued on another stream", SLICE(F("\0", "\1", "\0", "\1") F("\0", "\x9", "\4", "\3")), "block 1\nbad\n" },
	{ "a continuation of nothing", SLICE(F("\0", "\x9", "\4", "\1")), "bad\n" },
	{ "a promise", SLICE(F("\6", "\5", "\4", "\1") "\0\0\0\2ab"), "block 1 promised\npart 1 <ab>\nblock end 1 promised\n" },
	{ "a padded promise in two frames",
	  SLICE(F("\7", "\5", "\x8", "\1") "\1\0\0\0\2a\0" F("\1", "\x9", "\4", "\1") "b"),
	  "block 1 promised\npart 1 <ab>\nblock end 1 promised\n" },
	{ "a reset", SLICE(F("\4", "\3", "\0", "\5") "\0\0\0\x8"), "reset 5 by 8\n" },
	{ "a reset of the wrong size", SLICE(F("\3", "\3", "\0", "\5") "\0\0\0"), "bad\n" },
	{ "a farewell with a reason", SLICE(F("\xb", "\7", "\0", "\0") "\0\0\0\3\0\0\0\1why"), "goaway 3 by 1\n" },
	{ "a farewell cut short", SLICE(F("\7", "\7", "\0", "\0") "\0\0\0\3\0\0\0"), "bad\n" },
	{ "pings, windows, priorities and unknown types pass",
	  SLICE(F("\x8", "\6", "\1", "\0") "12345678" F("\4", "\x8", "\0", "\0") "\0\0\1\0" F("\4", "\x8", "\0", "\3") "\0\0\1\0"
		F("\5", "\2", "\0", "\3") "\0\0\0\0\x10" F("\3", "\xff", "\xff", "\7") "xyz" F("\0", "\0", "\1", "\3")), "end 3\n" },
	{ "a ping of the wrong size", SLICE(F("\7", "\6", "\0", "\0") "1234567"), "bad\n" },
	{ "settings of the wrong size", SLICE(F("\5", "\4", "\0", "\0") "12345"), "bad\n" },
	{ "settings of a stream", SLICE(F("\0", "\4", "\0", "\1")), "bad\n" },
	{ "data of no stream", SLICE(F("\0", "\0", "\0", "\0")), "bad\n" },
	{ "a reserved bit is ignored", SLICE("\0\0\1\0\1\x80\0\0\1" "a"), "data 1 <a>\nend 1\n" },
	{ "unknown flags are ignored", SLICE(F("\1", "\0", "\xf7", "\1") "a"), "data 1 <a>\nend 1\n" },
	{ "the longest frame", SLICE("\x10\0\0\0\0\0\0\0\1" "a"), "data 1 <a>\n" },
	{ "a longer one", SLICE("\x10\0\1\0\0\0\0\0\1" "a"), "bad\n" },
};

static void run(const struct wire_case *c, size_t cut, size_t piece)
{
	struct trace trace = { .text = BUF_INIT(4096) };
	struct buf rest = BUF_INIT(4096);
	enum parse parse = PARSE_MORE;
	struct http2_reader reader;

	http2_init(&reader, /* is_preface */ c->wire.ptr[0] == 'P');
	for (size_t at = 0, n; at < c->wire.len && parse != PARSE_BAD; at += n) {
		n = at < cut ? MIN(piece, cut - at) : MIN(piece, c->wire.len - at);
		parse = feed(&reader, &rest, (struct slice){ c->wire.ptr + at, n }, &trace);
	}
	if (trace.is_in_bytes)
		buf_add_text(&trace.text, ">\n");
	if (parse == PARSE_BAD)
		buf_add_text(&trace.text, "bad\n");
	cr_expect_str_eq(buf_text(&trace.text), c->want, "%s, cut at %zu, pieces of %zu:\n%s", c->name, cut, piece,
			 buf_text(&trace.text));
	buf_done(&trace.text);
	buf_done(&rest);
}

Test(http2, frames_hold_at_every_split)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		for (size_t cut = 0; cut <= cases[i].wire.len; cut++)
			run(&cases[i], cut, SIZE_MAX);
		run(&cases[i], 0, 1);
	}
}

Test(http2, a_gap_keeps_the_place_only_inside_a_frame_that_is_no_head)
{
	static const struct {
		const char *name;
		struct slice before;
		uint64_t n;
		bool is_kept;
		uint64_t body;
		enum http2_item_type next;	/* where it is kept: the item behind it */
	} gaps[] = {
		{ "all of a body's frame", SLICE(F("\5", "\0", "\1", "\7")), 5, true, 5, HTTP2_STREAM_END },
		{ "its last bytes", SLICE(F("\5", "\0", "\1", "\7") "ab"), 3, true, 3, HTTP2_STREAM_END },
		{ "a byte too many", SLICE(F("\5", "\0", "\1", "\7") "ab"), 4, false, 0, 0 },
		{ "body and padding", SLICE(F("\5", "\0", "\x9", "\7") "\2a"), 3, true, 1, HTTP2_STREAM_END },
		{ "padding alone", SLICE(F("\4", "\0", "\x9", "\7") "\2a"), 2, true, 0, HTTP2_STREAM_END },
		{ "a pad length", SLICE(F("\4", "\0", "\x9", "\7")), 1, false, 0, 0 },
		{ "half of a header", SLICE("\0\0\5\0"), 1, false, 0, 0 },
		{ "between two frames", SLICE(F("\1", "\0", "\0", "\7") "a"), 1, false, 0, 0 },
		{ "part of a head", SLICE(F("\5", "\1", "\5", "\7") "ab"), 1, false, 0, 0 },
		{ "a head's padding", SLICE(F("\4", "\1", "\xc", "\7") "\2a"), 2, true, 0, HTTP2_BLOCK_END },
		{ "a preface", SLICE("PRI"), 1, false, 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(gaps); i++) {
		struct trace trace = { .text = BUF_INIT(4096) };
		struct buf rest = BUF_INIT(4096);
		struct http2_reader reader;
		struct http2_item item;
		struct slice nothing = {};
		uint32_t id = 99;
		uint64_t body = 99;

		http2_init(&reader, gaps[i].before.ptr[0] == 'P');
		feed(&reader, &rest, gaps[i].before, &trace);
		cr_expect_eq(http2_gap(&reader, gaps[i].n, &id, &body), gaps[i].is_kept, "%s", gaps[i].name);
		cr_expect_eq(id, gaps[i].is_kept ? 7 : 99, "%s: stream %u", gaps[i].name, id);
		cr_expect_eq(body, gaps[i].is_kept ? gaps[i].body : 99, "%s: %d of the body", gaps[i].name, (int)body);
		if (gaps[i].is_kept) {
			cr_expect_eq(http2_next(&reader, &nothing, &item), PARSE_ITEM, "%s", gaps[i].name);
			cr_expect_eq(item.type, gaps[i].next, "%s", gaps[i].name);
		}
		buf_done(&trace.text);
		buf_done(&rest);
	}
}

Test(http2, a_start_in_mid_stream_is_told_from_other_bytes)
{
	static const struct {
		const char *name;
		struct slice in;
		bool is_start;
	} starts[] = {
		{ "a head", SLICE(F("\3", "\1", "\5", "\1") "abc"), true },
		{ "the front of a body", SLICE("\0\x40\0\0\0\0\0\0\5" "some text"), true },
		{ "two frames", SLICE(F("\1", "\0", "\1", "\1") "a" F("\4", "\x8", "\0", "\0") "\0\0\1\0"), true },
		{ "a frame and a part of a header", SLICE(F("\1", "\0", "\1", "\1") "a" "\0\0\4\x8"), true },
		{ "a frame and a newer type", SLICE(SETTINGS F("\0", "\xc", "\0", "\0")), true },
		{ "a newer type", SLICE(F("\0", "\xc", "\0", "\0")), false },
		{ "a frame and text", SLICE(F("\1", "\0", "\1", "\1") "a, and more text"), false },
		{ "a continuation", SLICE(F("\1", "\x9", "\4", "\1") "a"), false },
		{ "HTTP/1", SLICE("POST /v1/chat/completions HTTP/1.1\r\n"), false },
		{ "TLS", SLICE("\x16\x03\x01\x02\0\1\0\1\xfc\3\3"), false },
		{ "zeroes", SLICE("\0\0\0\0\0\0\0\0\0\0"), false },
		{ "a pushed stream", SLICE(F("\1", "\0", "\0", "\2") "a"), false },
		{ "a reserved bit", SLICE("\0\0\1\0\1\x80\0\0\1" "a"), false },
		{ "unknown flags", SLICE(F("\1", "\0", "\2", "\1") "a"), false },
		{ "too long", SLICE("\x10\0\1\0\0\0\0\0\1" "a"), false },
		{ "a window of five bytes", SLICE(F("\5", "\x8", "\0", "\0") "\0\0\0\1\0"), false },
		{ "too few bytes", SLICE("\0\0\1\0\1\0\0\0"), false },
		{ "none", SLICE(""), false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
		cr_expect_eq(http2_looks_like(starts[i].in), starts[i].is_start, "%s", starts[i].name);
		for (size_t len = 0; starts[i].is_start && len < HTTP2_HEADER_BYTES; len++)
			cr_expect(http2_may_become((struct slice){ starts[i].in.ptr, len }), "%s, %zu bytes",
				  starts[i].name, len);
	}
	cr_expect_not(http2_may_become(SLICE("POST")));
	cr_expect_not(http2_may_become(SLICE("\0\0\1\x0\2")));
	cr_expect(http2_begins_server(SLICE(SETTINGS)));
	cr_expect_not(http2_begins_server(SLICE(F("\0", "\4", "\1", "\0"))), "an acknowledgement");
}
