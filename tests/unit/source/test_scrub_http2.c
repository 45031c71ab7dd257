/* SPDX-License-Identifier: Apache-2.0 */
/*
 * HTTP/2 through the scrubber, and through libnghttp2 behind it: every block still
 * decodes, names and harmless values are what they were, secrets are stars.
 */
#include "scrubbing.h"

#include <nghttp2/nghttp2.h>

#include "wire/http2.h"

#define NV(name, value, flags) { (uint8_t *)(name), (uint8_t *)(value), sizeof(name) - 1, sizeof(value) - 1, (flags) }
#define NEVER NGHTTP2_NV_FLAG_NO_INDEX

static nghttp2_nv first_request[] = {
	NV(":method", "POST", 0), NV(":scheme", "https", 0), NV(":authority", "api.example", 0),
	NV(":path", "/v1/chat/completions", 0),
	NV("authorization", "Bearer sk-CANARY-0123456789", 0), NV("x-api-key", "CANARY", NEVER),
	NV("cookie", "session=CANARY", 0), NV("content-type", "application/json", 0), NV("x-custom-key", "CANARY{}[]|~", 0),
	NV("user-agent", "client/1", 0),
};
/* From the table: names and values of the first one. */
static nghttp2_nv second_request[] = {
	NV(":method", "POST", 0), NV(":scheme", "https", 0), NV(":authority", "api.example", 0),
	NV(":path", "/v1beta/models/g:streamGenerateContent?alt=sse&key=CANARY", 0),
	NV("authorization", "Bearer sk-CANARY-0123456789", 0), NV("x-api-key", "CANARX", 0),
	NV("x-custom-key", "other CANARY", 0), NV("content-type", "application/json", 0), NV("user-agent", "client/1", 0),
};

struct deflated {
	nghttp2_hd_deflater *deflater;
	struct buf wire;
};

static void deflated_init(struct deflated *d)
{
	*d = (struct deflated){ .wire = BUF_INIT(MiB) };
	cr_assert_eq(nghttp2_hd_deflate_new(&d->deflater, 4096), 0);
}

static void deflated_done(struct deflated *d)
{
	nghttp2_hd_deflate_del(d->deflater);
	buf_done(&d->wire);
}

static void add_frame(struct buf *wire, uint8_t type, uint8_t flags, uint32_t stream_id, struct slice payload)
{
	const unsigned char header[] = {
		(unsigned char)(payload.len >> 16), (unsigned char)(payload.len >> 8), (unsigned char)payload.len, type, flags,
		0, 0, 0, (unsigned char)stream_id,
	};

	buf_add(wire, header, sizeof(header));
	buf_add_slice(wire, payload);
}

/* HEADERS with padding and priority, and CONTINUATION frames of @piece bytes. */
static void add_headers(struct deflated *d, uint32_t stream_id, nghttp2_nv *nva, size_t count, size_t piece)
{
	uint8_t block[4096];
	_cleanup_(buf_done) struct buf front = BUF_INIT(8192);
	ssize_t len = nghttp2_hd_deflate_hd(d->deflater, block, sizeof(block), nva, count);
	struct slice rest = { (char *)block, (size_t)len };

	cr_assert_gt(len, 0);
	buf_add(&front, "\x03\x00\x00\x00\x00\x10", 6);
	buf_add_slice(&front, slice_take(&rest, MIN(piece, rest.len)));
	buf_add(&front, "\0\0\0", 3);
	add_frame(&d->wire, HTTP2_FRAME_HEADERS, HTTP2_PADDED | HTTP2_PRIORITY | (rest.len ? 0 : HTTP2_END_HEADERS),
		  stream_id, buf_slice(&front));
	while (rest.len) {
		struct slice part = slice_take(&rest, MIN(piece, rest.len));

		add_frame(&d->wire, HTTP2_FRAME_CONTINUATION, rest.len ? 0 : HTTP2_END_HEADERS, stream_id, part);
	}
}

static void add_preface(struct buf *wire)
{
	buf_add_slice(wire, HTTP2_PREFACE);
	add_frame(wire, HTTP2_FRAME_SETTINGS, 0, 0, (struct slice){});
}

static void add_both_requests(struct deflated *d, size_t piece)
{
	add_preface(&d->wire);
	add_headers(d, 1, first_request, ARRAY_SIZE(first_request), piece);
	add_frame(&d->wire, HTTP2_FRAME_DATA, HTTP2_END_STREAM, 1, SLICE("{\"api_key\": \"CANARY\"}"));
	add_headers(d, 3, second_request, ARRAY_SIZE(second_request), piece);
	add_frame(&d->wire, HTTP2_FRAME_DATA, HTTP2_END_STREAM, 3, SLICE("say Bearer CANARY12 twice"));
}

/* --- what a reader behind it sees --------------------------------------------- */

struct seen {
	nghttp2_hd_inflater *inflater;
	struct buf text;	/* "name: value\n", bodies in brackets */
	bool is_bad;
};

static void inflate(struct seen *seen, struct slice bytes, bool is_last)
{
	int flags;

	do {
		nghttp2_nv nv;
		ssize_t n;

		flags = 0;
		n = nghttp2_hd_inflate_hd2(seen->inflater, &nv, &flags, (const uint8_t *)bytes.ptr, bytes.len, is_last);
		if (n < 0) {
			seen->is_bad = true;
			return;
		}
		slice_take(&bytes, (size_t)n);
		if (flags & NGHTTP2_HD_INFLATE_EMIT)
			buf_printf(&seen->text, "%.*s: %.*s\n", (int)nv.namelen, nv.name, (int)nv.valuelen, nv.value);
	} while (flags & NGHTTP2_HD_INFLATE_EMIT || (bytes.len && !(flags & NGHTTP2_HD_INFLATE_FINAL)));
	if (is_last)
		nghttp2_hd_inflate_end_headers(seen->inflater);
}

static void see(struct seen *seen, struct slice wire)
{
	struct http2_reader reader;
	struct http2_item item;
	enum parse parse;

	*seen = (struct seen){ .text = BUF_INIT(MiB) };
	cr_assert_eq(nghttp2_hd_inflate_new(&seen->inflater), 0);
	http2_init(&reader, /* is_preface */ true);
	while ((parse = http2_next(&reader, &wire, &item)) == PARSE_ITEM) {
		if (item.type == HTTP2_BLOCK || item.type == HTTP2_BLOCK_END)
			inflate(seen, item.type == HTTP2_BLOCK ? item.bytes : (struct slice){}, item.type == HTTP2_BLOCK_END);
		else if (item.type == HTTP2_DATA)
			buf_printf(&seen->text, "[%.*s]\n", (int)item.bytes.len, item.bytes.ptr);
	}
	seen->is_bad |= parse == PARSE_BAD;
}

static void seen_done(struct seen *seen)
{
	nghttp2_hd_inflate_del(seen->inflater);
	buf_done(&seen->text);
}

static void expect_line(const struct seen *seen, const char *line, const char *name, size_t cut)
{
	cr_expect(strstr(buf_text(&seen->text), line), "%s, cut at %zu: no '%s' in\n%s", name, cut, line, buf_text(&seen->text));
}

static void expect_scrubbed(const struct scrubbing *s, const char *name, size_t cut)
{
	static const char *const kept[] = {
		":method: POST\n:scheme: https\n:authority: api.example\n:path: /v1/chat/completions\n", "\nauthorization: *",
		"\nx-api-key: *", "\ncookie: *", "\ncontent-type: application/json\n", "\nuser-agent: client/1\n",
		"\n:path: /v1beta/models/g:streamGenerateContent?", "\nx-custom-key: *",
	};
	_cleanup_(seen_done) struct seen seen = {};

	see(&seen, buf_slice(&s->out[GT_WRITE]));
	cr_expect_not(seen.is_bad, "%s, cut at %zu", name, cut);
	cr_expect_null(strstr(buf_text(&seen.text), "CANAR"), "%s, cut at %zu: %s", name, cut, buf_text(&seen.text));
	cr_expect_null(strstr(buf_text(&seen.text), "Bearer sk"), "%s, cut at %zu", name, cut);
	for (size_t i = 0; i < ARRAY_SIZE(kept); i++)
		expect_line(&seen, kept[i], name, cut);
	cr_expect_eq(scrubber_unsure(s->scrubber), 0, "%s, cut at %zu", name, cut);
}

Test(scrub_http2, no_secret_decodes_and_everything_else_does_at_every_cut)
{
	static const size_t pieces[] = { 4096, 7, 1 };

	for (size_t i = 0; i < ARRAY_SIZE(pieces); i++) {
		_cleanup_(deflated_done) struct deflated d = {};

		deflated_init(&d);
		add_both_requests(&d, pieces[i]);
		for (size_t cut = 0; cut <= d.wire.len; cut++) {
			_cleanup_(scrubbing_done) struct scrubbing s = {};

			scrubbing_open(&s, GT_FLAG_BORN);
			scrub_cut(&s, GT_WRITE, buf_slice(&d.wire), cut);
			cr_assert_eq(s.out[GT_WRITE].len, d.wire.len);
			expect_scrubbed(&s, "cut", cut);
		}
	}
}

Test(scrub_http2, byte_by_byte_it_is_the_same)
{
	_cleanup_(deflated_done) struct deflated d = {};
	_cleanup_(scrubbing_done) struct scrubbing s = {};

	deflated_init(&d);
	add_both_requests(&d, 50);
	scrubbing_open(&s, GT_FLAG_BORN);
	scrub_bytewise(&s, GT_WRITE, buf_slice(&d.wire));
	expect_scrubbed(&s, "byte by byte", 0);
}

Test(scrub_http2, parameters_that_a_replay_needs_stay_in_a_whole_path)
{
	static nghttp2_nv request[] = { NV(":method", "GET", 0), NV(":path", "/v1beta/models?alt=sse&api-version=2024-10-21", 0) };
	_cleanup_(deflated_done) struct deflated d = {};
	_cleanup_(scrubbing_done) struct scrubbing s = {};
	_cleanup_(seen_done) struct seen seen = {};

	deflated_init(&d);
	add_preface(&d.wire);
	add_headers(&d, 1, request, ARRAY_SIZE(request), 4096);
	scrubbing_open(&s, GT_FLAG_BORN);
	scrub_move(&s, GT_WRITE, buf_slice(&d.wire));
	see(&seen, buf_slice(&s.out[GT_WRITE]));
	expect_line(&seen, ":path: /v1beta/models?alt=sse&api-version=2024-10-21\n", "whole", 0);
}

/* Strings as they are, no Huffman code: single parameters can be told apart. */
Test(scrub_http2, plain_strings_are_scrubbed_too)
{
	static const char block[] = "\x04\x16/v1?key=CANARY&alt=sse" "\x00\x06secret\x06" "CANARY" "\x0f\x10\x04text";
	_cleanup_(buf_done) struct buf wire = BUF_INIT(4096);

	add_preface(&wire);
	add_frame(&wire, HTTP2_FRAME_HEADERS, HTTP2_END_HEADERS, 1, SLICE(block));
	for (size_t cut = 0; cut <= wire.len; cut++) {
		_cleanup_(scrubbing_done) struct scrubbing s = {};
		_cleanup_(seen_done) struct seen seen = {};

		scrubbing_open(&s, GT_FLAG_BORN);
		scrub_cut(&s, GT_WRITE, buf_slice(&wire), cut);
		see(&seen, buf_slice(&s.out[GT_WRITE]));
		cr_expect_str_eq(buf_text(&seen.text), ":path: /v1?key=******&alt=sse\nsecret: ******\ncontent-type: text\n",
				 "cut at %zu", cut);
	}
}

/* All paths of the characters that URLs have, with a query behind each. */
Test(scrub_http2, a_huffman_path_is_kept_up_to_its_query)
{
	static const char set[] = "/abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:@!$&'()*+,;=%<>^`{|}\\\"#[]";
	char path[64], want[64];

	for (size_t i = 0; i < sizeof(set) - 1; i++)
		for (size_t n = 1; n < 9; n++) {
			_cleanup_(deflated_done) struct deflated d = {};
			_cleanup_(scrubbing_done) struct scrubbing s = {};
			_cleanup_(seen_done) struct seen seen = {};
			nghttp2_nv request = { (uint8_t *)":path", (uint8_t *)path, 5, 0, 0 };

			snprintf(path, sizeof(path), "/%.*s%c?key=aaaaaaaaaaaaaa", (int)n, "aeiou012", set[i]);
			snprintf(want, sizeof(want), ":path: /%.*s%c?", (int)n, "aeiou012", set[i]);
			request.valuelen = strlen(path);
			deflated_init(&d);
			add_preface(&d.wire);
			add_headers(&d, 1, &request, 1, 4096);
			scrubbing_open(&s, GT_FLAG_BORN);
			scrub_move(&s, GT_WRITE, buf_slice(&d.wire));
			see(&seen, buf_slice(&s.out[GT_WRITE]));
			cr_expect_not(seen.is_bad, "%s", path);
			expect_line(&seen, want, path, 0);
			cr_expect_null(strstr(buf_text(&seen.text), "aaaa"), "%s: %s", path, buf_text(&seen.text));
		}
}

Test(scrub_http2, the_server_side_begins_with_its_settings)
{
	static nghttp2_nv response[] = { NV(":status", "200", 0), NV("set-cookie", "CANARY", 0), NV("content-type", "text/event-stream", 0) };

	for (int is_late = 0; is_late < 2; is_late++) {
		_cleanup_(deflated_done) struct deflated d = {};
		_cleanup_(buf_done) struct buf whole = BUF_INIT(4096);
		_cleanup_(scrubbing_done) struct scrubbing s = {};
		_cleanup_(seen_done) struct seen seen = {};

		deflated_init(&d);
		add_frame(&d.wire, HTTP2_FRAME_SETTINGS, 0, 0, (struct slice){});
		add_headers(&d, 1, response, ARRAY_SIZE(response), 4096);
		add_frame(&d.wire, HTTP2_FRAME_DATA, 0, 1, SLICE("data: Bearer CANARY12\n\n"));
		scrubbing_open(&s, is_late ? 0 : GT_FLAG_BORN);
		scrub_move(&s, GT_READ, buf_slice(&d.wire));
		buf_add_slice(&whole, HTTP2_PREFACE);
		buf_add_slice(&whole, buf_slice(&s.out[GT_READ]));
		see(&seen, buf_slice(&whole));
		cr_expect_str_eq(buf_text(&seen.text), ":status: 200\nset-cookie: *****\ncontent-type: text/event-stream\n"
				 "[data: Bearer ********\n\n]\n");
	}
}

Test(scrub_http2, who_joins_late_hides_what_it_has_no_name_for)
{
	_cleanup_(deflated_done) struct deflated d = {};
	_cleanup_(scrubbing_done) struct scrubbing s = {};
	_cleanup_(seen_done) struct seen seen = {};
	_cleanup_(buf_done) struct buf whole = BUF_INIT(MiB);
	size_t front;

	deflated_init(&d);
	add_preface(&d.wire);
	add_headers(&d, 1, first_request, ARRAY_SIZE(first_request), 4096);
	front = d.wire.len;
	add_headers(&d, 3, second_request, ARRAY_SIZE(second_request), 4096);
	scrubbing_open(&s, 0);
	s.offset[GT_WRITE] = front;
	scrub_move(&s, GT_WRITE, (struct slice){ d.wire.ptr + front, d.wire.len - front });
	buf_add(&whole, d.wire.ptr, front);
	buf_add_slice(&whole, buf_slice(&s.out[GT_WRITE]));
	see(&seen, buf_slice(&whole));
	cr_expect_not(seen.is_bad);
	cr_expect(strstr(buf_text(&seen.text), "\nx-custom-key: *"), "%s", buf_text(&seen.text));
	cr_expect_null(strstr(buf_text(&seen.text), "other CANARY"), "%s", buf_text(&seen.text));
	cr_expect_null(strstr(buf_text(&seen.text), "CANARX"), "%s", buf_text(&seen.text));
}

Test(scrub_http2, a_block_that_makes_no_sense_is_hidden)
{
	static const char *const blocks[] = {
		"\x0f\xff\xff\xff\xff\xff\xff" "CANARY",	/* an index without end */
		"\x40\x7f\xff\xff\xff\xff\xff" "CANARY",	/* a name without end */
		"\x7f\x70\x06" "CANARY",			/* an entry that is not there */
		"\x40\x83\xff\xff\xff\x06" "CANARY",		/* a name that is no code */
		"\x04\x82\xff\xff\x08\x06" "CANARY",		/* a path that is none, and what seems a status */
	};

	for (size_t i = 0; i < 2 * ARRAY_SIZE(blocks); i++) {
		_cleanup_(scrubbing_done) struct scrubbing s = {};
		_cleanup_(buf_done) struct buf wire = BUF_INIT(4096);

		add_preface(&wire);
		add_frame(&wire, HTTP2_FRAME_HEADERS, HTTP2_END_HEADERS, 1, slice_of(blocks[i / 2]));
		add_frame(&wire, HTTP2_FRAME_HEADERS, HTTP2_END_HEADERS, 3, SLICE("\x00\x06secret\x06" "CANARY"));
		scrubbing_open(&s, GT_FLAG_BORN);
		(i % 2 ? scrub_bytewise : scrub_move)(&s, GT_WRITE, buf_slice(&wire));
		cr_expect_null(memmem(s.out[GT_WRITE].ptr, s.out[GT_WRITE].len, "CANARY", 6), "block %zu%s", i / 2,
			       i % 2 ? ", byte by byte" : "");
	}
}

Test(scrub_http2, an_upgrade_to_h2c_is_followed)
{
	_cleanup_(deflated_done) struct deflated d = {};
	_cleanup_(scrubbing_done) struct scrubbing s = {};

	deflated_init(&d);
	add_both_requests(&d, 4096);
	scrubbing_open(&s, GT_FLAG_BORN);
	scrub_move(&s, GT_WRITE, SLICE("GET / HTTP/1.1\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\nCookie: CANARY\r\n\r\n"));
	scrub_move(&s, GT_READ, SLICE("HTTP/1.1 101 Switching\r\nUpgrade: h2c\r\nSet-Cookie: CANARY\r\n\r\n"
				      "\0\0\0\x04\0\0\0\0\0" "\0\0\x10\x01\x04\0\0\0\x01" "\x88\x00\x06secret\x06" "CANARY"));
	cr_expect_null(memmem(s.out[GT_READ].ptr, s.out[GT_READ].len, "CANARY", 6));
	cr_expect_not_null(memmem(s.out[GT_READ].ptr, s.out[GT_READ].len, "secret\x06******", 13));
	buf_reset(&s.out[GT_WRITE]);
	scrub_move(&s, GT_WRITE, buf_slice(&d.wire));
	expect_scrubbed(&s, "upgraded", 0);
}

Test(scrub_http2, interleaved_bodies_are_told_apart)
{
	_cleanup_(scrubbing_done) struct scrubbing s = {};
	_cleanup_(buf_done) struct buf wire = BUF_INIT(4096);

	add_preface(&wire);
	add_frame(&wire, HTTP2_FRAME_DATA, 0, 1, SLICE("Bearer CAN"));
	add_frame(&wire, HTTP2_FRAME_DATA, 0, 3, SLICE("a plain word"));
	add_frame(&wire, HTTP2_FRAME_DATA, 0, 1, SLICE("ARY, and"));
	scrubbing_open(&s, GT_FLAG_BORN);
	scrub_move(&s, GT_WRITE, buf_slice(&wire));
	cr_expect_not_null(memmem(s.out[GT_WRITE].ptr, s.out[GT_WRITE].len, "Bearer ***", 10));
	cr_expect_not_null(memmem(s.out[GT_WRITE].ptr, s.out[GT_WRITE].len, "a plain word", 12));
	cr_expect_not_null(memmem(s.out[GT_WRITE].ptr, s.out[GT_WRITE].len, "***, and", 8));
}
