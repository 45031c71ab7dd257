/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1.1 framing: every case gives the same items at every split of its input. */
#include <criterion/criterion.h>

#include "base/buf.h"
#include "limits.h"
#include "wire/http1.h"

/* What the other direction knows: the method that every response answers. */
struct wire {
	enum http1_side side;
	const char *method;
	struct http1_reader reader;
	struct buf residue;	/* what the reader left, as a flow keeps it */
	struct buf trace;
	struct buf body;
	bool is_bad;
	bool is_in_body;
};

static void wire_init(struct wire *wire, enum http1_side side, const char *method)
{
	*wire = (struct wire){ .side = side, .method = method,
			       .residue = BUF_INIT(MiB), .trace = BUF_INIT(MiB), .body = BUF_INIT(MiB) };
	http1_init(&wire->reader, side);
}

static void wire_done(struct wire *wire)
{
	buf_done(&wire->residue);
	buf_done(&wire->trace);
	buf_done(&wire->body);
}

static void add_head(struct wire *wire, const struct http_head *head)
{
	struct slice fields = head->fields, name, value;

	if (wire->side == HTTP1_REQUEST)
		buf_printf(&wire->trace, "%.*s %.*s %u", (int)head->method.len, head->method.ptr,
			   (int)head->target.len, head->target.ptr, head->minor);
	else
		buf_printf(&wire->trace, "%u %u", head->status, head->minor);
	while (http_field_next(&fields, &name, &value))
		buf_printf(&wire->trace, " %.*s=<%.*s>", (int)name.len, name.ptr, (int)value.len, value.ptr);
	buf_add_text(&wire->trace, "\n");
	if (wire->side == HTTP1_RESPONSE && wire->method)
		http1_answers(&wire->reader, slice_of(wire->method));
}

/* Body bytes of one message are shown together, however they came. */
static void close_body(struct wire *wire)
{
	if (wire->is_in_body)
		buf_printf(&wire->trace, "body <%s>\n", buf_text(&wire->body));
	buf_reset(&wire->body);
	wire->is_in_body = false;
}

static void add_item(struct wire *wire, const struct http1_item *item)
{
	switch (item->type) {
	case HTTP1_HEAD:
		add_head(wire, &item->head);
		break;
	case HTTP1_BODY:
		buf_add_slice(&wire->body, item->body);
		wire->is_in_body = true;
		break;
	case HTTP1_END:
		close_body(wire);
		buf_add_text(&wire->trace, "end\n");
		break;
	}
}

static void feed(struct wire *wire, const char *bytes, size_t len)
{
	struct http1_item item;
	struct slice in;
	enum parse parse = PARSE_ITEM;

	if (wire->is_bad)
		return;
	buf_add(&wire->residue, bytes, len);
	in = buf_slice(&wire->residue);
	while (parse == PARSE_ITEM) {
		size_t before = in.len;

		parse = http1_next(&wire->reader, &in, &item);
		cr_assert_leq(in.len, before);
		if (parse == PARSE_ITEM)
			add_item(wire, &item);
	}
	if (parse == PARSE_BAD) {
		close_body(wire);
		buf_add_text(&wire->trace, wire->reader.is_head_too_long ? "too long\n" : "bad\n");
		wire->is_bad = true;
	}
	buf_consume(&wire->residue, wire->residue.len - in.len);
}

static void finish(struct wire *wire)
{
	if (wire->is_bad)
		return;
	close_body(wire);
	buf_add_text(&wire->trace, http1_eof(&wire->reader) ? "eof\n" : "cut\n");
}

static const struct {
	const char *name;
	enum http1_side side;
	const char *method;
	const char *wire;
	const char *want;
} cases[] = {
	{ "a request without body", HTTP1_REQUEST, NULL,
	  "GET /v1/models HTTP/1.1\r\nHost: a\r\n\r\n",
	  "GET /v1/models 1 Host=<a>\nend\neof\n" },
	{ "a body by length, and keep-alive", HTTP1_REQUEST, NULL,
	  "POST /x HTTP/1.1\r\ncontent-length: 5\r\n\r\nhelloGET / HTTP/1.0\r\n\r\n",
	  "POST /x 1 content-length=<5>\nbody <hello>\nend\nGET / 0\nend\neof\n" },
	{ "a length of zero", HTTP1_REQUEST, NULL,
	  "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
	  "POST / 1 Content-Length=<0>\nend\neof\n" },
	{ "bare line feeds", HTTP1_REQUEST, NULL,
	  "POST / HTTP/1.1\nTransfer-Encoding: chunked\n\n3\nabc\n0\n\n",
	  "POST / 1 Transfer-Encoding=<chunked>\nbody <abc>\nend\neof\n" },
	{ "empty lines between messages", HTTP1_REQUEST, NULL,
	  "\r\n\nGET /a HTTP/1.1\r\n\r\n\r\nGET /b HTTP/1.1\r\n\r\n\r\n",
	  "GET /a 1\nend\nGET /b 1\nend\neof\n" },
	{ "equal lengths are one", HTTP1_REQUEST, NULL,
	  "POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 2, 2\r\n\r\nok",
	  "POST / 1 Content-Length=<2> Content-Length=<2, 2>\nbody <ok>\nend\neof\n" },
	{ "different lengths", HTTP1_REQUEST, NULL,
	  "POST / HTTP/1.1\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", "bad\n" },
	{ "different lengths in one field", HTTP1_REQUEST, NULL,
	  "POST / HTTP/1.1\r\nContent-Length: 2,3\r\n\r\nok", "bad\n" },
	{ "an empty length", HTTP1_REQUEST, NULL,
	  "POST / HTTP/1.1\r\nContent-Length:\r\n\r\n", "bad\n" },
	{ "a length with a sign", HTTP1_REQUEST, NULL,
	  "POST / HTTP/1.1\r\nContent-Length: +2\r\n\r\nok", "bad\n" },
	{ "a length that overflows", HTTP1_REQUEST, NULL,
	  "POST / HTTP/1.1\r\nContent-Length: 18446744073709551617\r\n\r\nok", "bad\n" },
	{ "chunks win over length", HTTP1_REQUEST, NULL,
	  "POST / HTTP/1.1\r\nContent-Length: 9\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n",
	  "POST / 1 Content-Length=<9> Transfer-Encoding=<chunked>\nbody <a>\nend\neof\n" },
	{ "chunk extensions and trailers", HTTP1_RESPONSE, "POST",
	  "HTTP/1.1 200 OK\r\ntransfer-encoding: Chunked\r\n\r\n"
	  "5;a=b;c=\"d\"\r\nhello\r\n1 ; x\r\n!\r\n00A\r\n0123456789\r\n0;last\r\nExpires: now\r\nX: y\r\n\r\n",
	  "200 1 transfer-encoding=<Chunked>\nbody <hello!0123456789>\nend\neof\n" },
	{ "a chunk holding line ends", HTTP1_RESPONSE, "POST",
	  "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n8\r\n\r\n0\r\n\r\n\n\r\n0\r\n\r\n",
	  "200 1 transfer-encoding=<chunked>\nbody <\r\n0\r\n\r\n\n>\nend\neof\n" },
	{ "a chunk size that overflows", HTTP1_RESPONSE, "POST",
	  "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n10000000000000001\r\na",
	  "200 1 transfer-encoding=<chunked>\nbad\n" },
	{ "the largest chunk size of 64 bits", HTTP1_RESPONSE, "POST",
	  "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\na",
	  "200 1 transfer-encoding=<chunked>\nbad\n" },
	{ "a chunk without size", HTTP1_RESPONSE, "POST",
	  "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n;x\r\n",
	  "200 1 transfer-encoding=<chunked>\nbad\n" },
	{ "a chunk size with junk", HTTP1_RESPONSE, "POST",
	  "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5x\r\nhello\r\n",
	  "200 1 transfer-encoding=<chunked>\nbad\n" },
	{ "a chunk longer than its size", HTTP1_RESPONSE, "POST",
	  "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nabc\r\n",
	  "200 1 transfer-encoding=<chunked>\nbody <ab>\nbad\n" },
	{ "compressed chunks are not understood", HTTP1_RESPONSE, "POST",
	  "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n", "bad\n" },
	{ "a body until close", HTTP1_RESPONSE, "POST",
	  "HTTP/1.0 200 OK\r\n\r\nuntil the end\r\n\r\n",
	  "200 0\nbody <until the end\r\n\r\n>\neof\n" },
	{ "cut in a body", HTTP1_RESPONSE, "POST",
	  "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhello",
	  "200 1 content-length=<10>\nbody <hello>\ncut\n" },
	{ "cut in a head", HTTP1_RESPONSE, "POST", "HTTP/1.1 200 OK\r\ncontent-le", "cut\n" },
	{ "no body after HEAD, whatever the length", HTTP1_RESPONSE, "HEAD",
	  "HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nHTTP/1.1 404 No\r\ntransfer-encoding: chunked\r\n\r\n",
	  "200 1 content-length=<10>\nend\n404 1 transfer-encoding=<chunked>\nend\neof\n" },
	{ "no body with 204 and 304", HTTP1_RESPONSE, "GET",
	  "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 Not Modified\r\ncontent-length: 10\r\n\r\n",
	  "204 1\nend\n304 1 content-length=<10>\nend\neof\n" },
	{ "interim responses have no end", HTTP1_RESPONSE, "POST",
	  "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200\r\ncontent-length: 1\r\n\r\na",
	  "100 1\n103 1 Link=<x>\n200 1 content-length=<1>\nbody <a>\nend\neof\n" },
	{ "after 101 there is no HTTP", HTTP1_RESPONSE, "GET",
	  "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n\x81\x05hello",
	  "101 1 Upgrade=<websocket>\neof\n" },
	{ "after CONNECT there is no HTTP", HTTP1_RESPONSE, "CONNECT",
	  "HTTP/1.1 200 Connection established\r\n\r\n\x16\x03\x01",
	  "200 1\neof\n" },
	{ "CONNECT refused is an ordinary response", HTTP1_RESPONSE, "CONNECT",
	  "HTTP/1.1 407 No\r\ncontent-length: 2\r\n\r\nno",
	  "407 1 content-length=<2>\nbody <no>\nend\neof\n" },
	{ "values are trimmed, folded lines kept", HTTP1_REQUEST, NULL,
	  "GET / HTTP/1.1\r\nA: \t x y \r\nB:\r\nC: one\r\n two\r\n\r\n",
	  "GET / 1 A=<x y> B=<> C=<one\r\n two>\nend\neof\n" },
	{ "a field without colon", HTTP1_REQUEST, NULL, "GET / HTTP/1.1\r\nHost\r\n\r\n", "bad\n" },
	{ "a space before the colon", HTTP1_REQUEST, NULL, "GET / HTTP/1.1\r\nHost : a\r\n\r\n", "bad\n" },
	{ "a field without name", HTTP1_REQUEST, NULL, "GET / HTTP/1.1\r\n: a\r\n\r\n", "bad\n" },
	{ "a fold with nothing before it", HTTP1_REQUEST, NULL, "GET / HTTP/1.1\r\n a\r\n\r\n", "bad\n" },
	{ "a lone CR in a field", HTTP1_REQUEST, NULL, "GET / HTTP/1.1\r\nA: b\rC: d\r\n\r\n", "bad\n" },
	{ "a request line of two words", HTTP1_REQUEST, NULL, "GET /\r\n\r\n", "bad\n" },
	{ "a request line of four words", HTTP1_REQUEST, NULL, "GET / a HTTP/1.1\r\n\r\n", "bad\n" },
	{ "another version", HTTP1_REQUEST, NULL, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "bad\n" },
	{ "a status of two digits", HTTP1_RESPONSE, NULL, "HTTP/1.1 20 OK\r\n\r\n", "bad\n" },
	{ "a status of four digits", HTTP1_RESPONSE, NULL, "HTTP/1.1 2000 OK\r\n\r\n", "bad\n" },
	{ "a status out of range", HTTP1_RESPONSE, NULL, "HTTP/1.1 099 OK\r\n\r\n", "bad\n" },
	{ "garbage", HTTP1_REQUEST, NULL, "\x01\x02\x03\x04 hello\n\n", "bad\n" },
};

static void expect_trace(size_t i, struct wire *wire, const char *how, size_t cut)
{
	finish(wire);
	cr_expect_str_eq(buf_text(&wire->trace), cases[i].want, "%s, %s %zu:\n%s", cases[i].name, how,
			 cut, buf_text(&wire->trace));
	wire_done(wire);
}

Test(http1, cases_hold_at_every_split)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t len = strlen(cases[i].wire);

		for (size_t cut = 0; cut <= len; cut++) {
			struct wire wire;

			wire_init(&wire, cases[i].side, cases[i].method);
			feed(&wire, cases[i].wire, cut);
			feed(&wire, cases[i].wire + cut, len - cut);
			expect_trace(i, &wire, "cut at", cut);
		}
	}
}

Test(http1, cases_hold_in_pieces_of_every_size)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t len = strlen(cases[i].wire);

		for (size_t piece = 1; piece <= 3; piece++) {
			struct wire wire;

			wire_init(&wire, cases[i].side, cases[i].method);
			for (size_t at = 0; at < len; at += piece)
				feed(&wire, cases[i].wire + at, MIN(piece, len - at));
			expect_trace(i, &wire, "pieces of", piece);
		}
	}
}

Test(http1, nul_in_a_head_is_bad)
{
	static const char value[] = "GET / HTTP/1.1\r\nA: b\0c\r\n\r\n";
	static const char line[] = "GET /\0 HTTP/1.1\r\n\r\n";
	struct wire wire;

	wire_init(&wire, HTTP1_REQUEST, NULL);
	feed(&wire, value, sizeof(value) - 1);
	cr_expect(wire.is_bad);
	wire_done(&wire);
	wire_init(&wire, HTTP1_REQUEST, NULL);
	feed(&wire, line, sizeof(line) - 1);
	cr_expect(wire.is_bad);
	wire_done(&wire);
}

/* A head of @len bytes, its empty line included. */
static void make_head(struct buf *buf, size_t len)
{
	static const char start[] = "GET / HTTP/1.1\r\nA: ";

	buf_add_text(buf, start);
	while (buf->len < len - 4)
		buf_add_char(buf, 'x');
	buf_add_text(buf, "\r\n\r\n");
}

Test(http1, a_head_may_have_64_KiB_and_not_one_byte_more)
{
	for (size_t over = 0; over <= 1; over++)
		for (size_t piece = 1; piece <= 128 * KiB; piece *= 128 * KiB) {
			_cleanup_(buf_done) struct buf head = BUF_INIT(MiB);
			struct wire wire;

			make_head(&head, LIMIT_HTTP_HEAD + over);
			wire_init(&wire, HTTP1_REQUEST, NULL);
			for (size_t at = 0; at < head.len; at += piece)
				feed(&wire, head.ptr + at, MIN(piece, head.len - at));
			cr_expect_eq(wire.is_bad, over, "%zu over, pieces of %zu", over, piece);
			cr_expect_eq(wire.reader.is_head_too_long, over);
			wire_done(&wire);
		}
}

Test(http1, a_head_without_end_stops_at_64_KiB)
{
	struct wire wire;

	wire_init(&wire, HTTP1_RESPONSE, "GET");
	feed(&wire, "HTTP/1.1 200 OK\r\n", 17);
	for (size_t i = 0; i < LIMIT_HTTP_HEAD && !wire.is_bad; i++)
		feed(&wire, "x", 1);
	cr_expect(wire.is_bad);
	cr_expect(wire.reader.is_head_too_long);
	wire_done(&wire);
}

Test(http1, a_chunk_line_or_trailer_without_end_stops)
{
	static const char *const starts[] = { "5;", "0\r\nA: ", "0\r\nA: b\r\n" };

	for (size_t i = 0; i < ARRAY_SIZE(starts); i++) {
		struct wire wire;

		wire_init(&wire, HTTP1_RESPONSE, "GET");
		feed(&wire, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 47);
		feed(&wire, starts[i], strlen(starts[i]));
		for (size_t n = 0; n <= LIMIT_HTTP_HEAD && !wire.is_bad; n += 16)
			feed(&wire, "xxxxxxxxxxxxxxxx", 16);
		cr_expect(wire.is_bad, "%s", starts[i]);
		wire_done(&wire);
	}
}

Test(http1, too_many_fields_are_bad)
{
	for (size_t over = 0; over <= 1; over++) {
		_cleanup_(buf_done) struct buf head = BUF_INIT(MiB);
		struct wire wire;

		buf_add_text(&head, "GET / HTTP/1.1\r\n");
		for (size_t i = 0; i < LIMIT_HTTP_HEADERS + over; i++)
			buf_add_text(&head, "a: b\r\n");
		buf_add_text(&head, "\r\n");
		wire_init(&wire, HTTP1_REQUEST, NULL);
		feed(&wire, head.ptr, head.len);
		cr_expect_eq(wire.is_bad, over, "%zu over", over);
		cr_expect_eq(wire.reader.is_head_too_long, over, "%zu over", over);
		wire_done(&wire);
	}
}

static const struct {
	const char *name;
	const char *before;	/* the gap */
	uint64_t gap;
	const char *after;
	const char *want;	/* NULL: the gap loses the framing */
} gaps[] = {
	{ "inside a counted body", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab", 5, "yz", "ab|yz end" },
	{ "the rest of a counted body", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab", 7, "", "ab| end" },
	{ "beyond a counted body", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab", 8, "", NULL },
	{ "inside a chunk", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nab", 5,
	  "yz\r\n0\r\n\r\n", "ab|yz end" },
	{ "the rest of a chunk", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nab", 7,
	  "\r\n1\r\nz\r\n0\r\n\r\n", "ab|z end" },
	{ "beyond a chunk", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9\r\nab", 8, "", NULL },
	{ "in a chunk's size", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n9", 1, "", NULL },
	{ "in a body until close", "HTTP/1.1 200 OK\r\n\r\nab", 100, "yz", "ab|yz" },
	{ "in a head", "HTTP/1.1 200 OK\r\n", 1, "", NULL },
	{ "between messages", "HTTP/1.1 204 No\r\n\r\n", 1, "", NULL },
};

static void trace_short(struct http1_reader *reader, const char *text, struct buf *trace)
{
	struct slice in = slice_of(text);
	struct http1_item item;

	while (http1_next(reader, &in, &item) == PARSE_ITEM) {
		if (item.type == HTTP1_BODY)
			buf_add_slice(trace, item.body);
		else if (item.type == HTTP1_END)
			buf_add_text(trace, " end");
	}
}

Test(http1, gaps_keep_the_framing_only_inside_known_lengths)
{
	for (size_t i = 0; i < ARRAY_SIZE(gaps); i++) {
		_cleanup_(buf_done) struct buf trace = BUF_INIT(MiB);
		struct http1_reader reader;
		bool is_kept;

		http1_init(&reader, HTTP1_RESPONSE);
		trace_short(&reader, gaps[i].before, &trace);
		is_kept = http1_gap(&reader, gaps[i].gap);
		cr_expect_eq(is_kept, gaps[i].want != NULL, "%s", gaps[i].name);
		if (!gaps[i].want)
			continue;
		buf_add_char(&trace, '|');
		trace_short(&reader, gaps[i].after, &trace);
		cr_expect_str_eq(buf_text(&trace), gaps[i].want, "%s", gaps[i].name);
	}
}

Test(http1, looks_like_a_message_only_when_sure)
{
	static const struct {
		enum http1_side side;
		const char *in;
		bool looks, may;
	} rows[] = {
		{ HTTP1_REQUEST, "POST /", true, false },	{ HTTP1_REQUEST, "GET ", true, false },
		{ HTTP1_REQUEST, "GET", false, true },		{ HTTP1_REQUEST, "P", false, true },
		{ HTTP1_REQUEST, "", false, true },		{ HTTP1_REQUEST, "GETS", false, false },
		{ HTTP1_REQUEST, "HTTP/1.1", false, false },	{ HTTP1_REQUEST, "get ", false, false },
		{ HTTP1_RESPONSE, "HTTP/1.", true, false },	{ HTTP1_RESPONSE, "HTTP/1", false, true },
		{ HTTP1_RESPONSE, "HTTP/2.", false, false },	{ HTTP1_RESPONSE, "GET ", false, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		cr_expect_eq(http1_looks_like(rows[i].side, slice_of(rows[i].in)), rows[i].looks, "'%s'", rows[i].in);
		cr_expect_eq(http1_may_become(rows[i].side, slice_of(rows[i].in)), rows[i].may, "'%s'", rows[i].in);
	}
}

Test(http1, fields_are_found_whatever_their_case)
{
	struct slice in = SLICE("GET / HTTP/1.1\r\nA: 1\r\nhOsT: x\r\na: 2\r\n\r\n"), value;
	struct http1_reader reader;
	struct http1_item item;

	http1_init(&reader, HTTP1_REQUEST);
	cr_assert_eq(http1_next(&reader, &in, &item), PARSE_ITEM);
	cr_expect(http_field(&item.head, "Host", &value) && slice_eq(value, SLICE("x")));
	cr_expect(http_field(&item.head, "a", &value) && slice_eq(value, SLICE("1")), "the first one");
	cr_expect_not(http_field(&item.head, "b", &value));
}

/* xorshift64*: the same bytes on every machine. */
static uint64_t next_random(uint64_t *state)
{
	*state ^= *state >> 12;
	*state ^= *state << 25;
	*state ^= *state >> 27;
	return *state * 0x2545f4914f6cdd1dull;
}

static void mutate(char *bytes, size_t len, uint64_t *state)
{
	for (uint64_t n = next_random(state) % 4; len && n; n--)
		bytes[next_random(state) % len] = (char)next_random(state);
	if (len && next_random(state) % 3 == 0)
		bytes[next_random(state) % len] = "\r\n:0f ;"[next_random(state) % 7];
}

Test(http1, mutated_input_neither_crashes_nor_depends_on_the_split)
{
	uint64_t state = 42;

	for (int round = 0; round < 20000; round++) {
		size_t i = next_random(&state) % ARRAY_SIZE(cases), len = strlen(cases[i].wire);
		_cleanup_(freep) char *bytes = strdup(cases[i].wire);
		struct wire whole, pieces;

		mutate(bytes, len, &state);
		wire_init(&whole, cases[i].side, cases[i].method);
		wire_init(&pieces, cases[i].side, cases[i].method);
		feed(&whole, bytes, len);
		for (size_t at = 0, piece; at < len; at += piece) {
			piece = MIN(1 + next_random(&state) % 7, len - at);
			feed(&pieces, bytes + at, piece);
		}
		finish(&whole);
		finish(&pieces);
		cr_assert_eq(whole.trace.len, pieces.trace.len, "%s, round %d:\n%s\nin pieces:\n%s", cases[i].name,
			     round, buf_text(&whole.trace), buf_text(&pieces.trace));
		cr_assert_eq(memcmp(whole.trace.ptr, pieces.trace.ptr, whole.trace.len), 0, "%s, round %d",
			     cases[i].name, round);
		wire_done(&whole);
		wire_done(&pieces);
	}
}
