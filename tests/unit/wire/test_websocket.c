/* SPDX-License-Identifier: Apache-2.0 */
/* Frames of a WebSocket: every case gives the same messages at every split of its
 * input. Examples are those of RFC 6455 section 5.7 and RFC 7692 section 7.2.3. */
#include "feed.h"

#include "wire/websocket.h"
#include "ws_frames.h"

#define BYTES(literal) { (literal), sizeof(literal) - 1 }

static const struct websocket_params from_server, from_client = { .is_client = true };
static const struct websocket_params deflated = { .deflate = { .is_agreed = true } };
static const struct websocket_params alone = { .deflate = { true, true } };
static const struct websocket_params deflated_client = { true, { .is_agreed = true } };

static void start(struct feed *feed, const struct websocket_params *params)
{
	feed_take(feed, stream_new_websocket(params));
}

static void every_way(const struct websocket_params *params, const char *name, struct slice wire, const char *want)
{
	for (size_t cut = 0; cut <= wire.len + 1; cut++) {
		struct feed feed;

		start(&feed, params);
		feed_cut(&feed, wire, cut, cut > wire.len ? 1 : SIZE_MAX);
		cr_expect_str_eq(buf_text(&feed.trace), want, "%s, cut at %zu: %s", name, cut, buf_text(&feed.trace));
		feed_done(&feed);
	}
}

static const struct {
	const char *name;
	const struct websocket_params *params;
	struct slice wire;
	const char *want;
} cases[] = {
	{ "text", &from_server, BYTES("\x81\x05Hello"), "(|Hello)" },
	{ "masked text", &from_client, BYTES("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), "(|Hello)" },
	{ "in fragments", &from_server, BYTES("\x01\x03Hel\x80\x02lo"), "(|Hello)" },
	{ "in masked fragments", &from_client, BYTES("\x01\x83\1\2\3\4Igo\x80\x82\4\3\2\1hl"), "(|Hello)" },
	{ "a ping between fragments", &from_server, BYTES("\x01\x03Hel\x89\x05Hello\x00\x00\x8a\x00\x80\x02lo"), "(|Hello)" },
	{ "pings alone", &from_server, BYTES("\x89\x05Hello\x8a\x00"), "" },
	{ "two messages, one of them of bytes", &from_server, BYTES("\x82\x01\x01\x81\x01x"), "~(|\x01)(|x)" },
	{ "messages of nothing", &from_server, BYTES("\x81\x00\x82\x00\x01\x00\x80\x00"), "(|)~(|)(|)" },
	{ "masked messages of nothing", &from_client, BYTES("\x81\x80\1\2\3\4\x81\x80\1\2\3\4"), "(|)(|)" },
	{ "nothing but a close", &from_server, BYTES("\x88\x00"), "" },
	{ "what follows a close", &from_server, BYTES("\x81\x01x\x88\x02\x03\xe8\x81\x01y\xff\xff"), "(|x)" },
	{ "a close between fragments", &from_server, BYTES("\x01\x01x\x88\x00\x80\x01y"), "" },
	{ "compressed", &deflated, BYTES("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"), "(|Hello)" },
	{ "not compressed, though it might be", &deflated, BYTES("\x81\x05Hello"), "(|Hello)" },
	{ "compressed in fragments", &deflated, BYTES("\x41\x03\xf2\x48\xcd\x80\x04\xc9\xc9\x07\x00"), "(|Hello)" },
	{ "looking back to the message before", &deflated,
	  BYTES("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\x81\x01x\xc1\x05\xf2\x00\x11\x00\x00"), "(|Hello)(|x)(|Hello)" },
	{ "alone", &alone, BYTES("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00"),
	  "(|Hello)(|Hello)" },
	{ "looking back where it may not", &alone,
	  BYTES("\xc1\x07\xf2\x48\xcd\xc9\xc9\x07\x00\xc1\x05\xf2\x00\x11\x00\x00"), "(|Hello)BAD" },
	{ "a stored block", &deflated, BYTES("\xc1\x0b\x00\x05\x00\xfa\xff" "Hello\x00"), "(|Hello)" },
	{ "a final block", &deflated, BYTES("\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00"), "(|Hello)" },
	{ "two blocks", &deflated, BYTES("\xc1\x0d\xf2\x48\x05\x00\x00\x00\xff\xff\xca\xc9\xc9\x07\x00"), "(|Hello)" },
	{ "looking back over a final block", &deflated,
	  BYTES("\xc1\x08\xf3\x48\xcd\xc9\xc9\x07\x00\x00\xc1\x05\xf2\x00\x11\x00\x00"), "(|Hello)(|Hello)" },
	{ "nothing, compressed", &deflated, BYTES("\xc1\x01\x00\xc1\x00\x81\x01x"), "(|)(|)(|x)" },
	{ "no deflate", &deflated, BYTES("\x81\x01x\xc1\x03\xff\xff\xff"), "(|x)BAD" },

	{ "a masked server", &from_server, BYTES("\x81\x81\1\2\3\4x"), "BAD" },
	{ "an unmasked client", &from_client, BYTES("\x81\x01x"), "BAD" },
	{ "reserved bits", &deflated, BYTES("\xa1\x01x"), "BAD" },
	{ "another reserved bit", &deflated, BYTES("\x91\x01x"), "BAD" },
	{ "compressed, though not agreed", &from_server, BYTES("\xc1\x01x"), "BAD" },
	{ "a compressed ping", &deflated, BYTES("\xc9\x01x"), "BAD" },
	{ "compressed from the second fragment on", &deflated, BYTES("\x01\x01x\xc0\x01x"), "BAD" },
	{ "an unknown opcode", &from_server, BYTES("\x83\x01x"), "BAD" },
	{ "an unknown control opcode", &from_server, BYTES("\x8b\x01x"), "BAD" },
	{ "a fragment of nothing", &from_server, BYTES("\x80\x01x"), "BAD" },
	{ "a message in a message", &from_server, BYTES("\x01\x01x\x81\x01x"), "BAD" },
	{ "a fragment behind the last", &from_server, BYTES("\x01\x01x\x80\x01x\x80\x01x"), "(|xx)BAD" },
	{ "a ping in fragments", &from_server, BYTES("\x09\x01x"), "BAD" },
	{ "a long ping", &from_server, BYTES("\x89\x7e\x00\x7e"), "BAD" },
	{ "a close code cut in half", &from_server, BYTES("\x88\x01x"), "BAD" },
	{ "a short length in 16 bits", &from_server, BYTES("\x81\x7e\x00\x7d"), "BAD" },
	{ "a short length in 64 bits", &from_server, BYTES("\x81\x7f\0\0\0\0\0\0\xff\xff"), "BAD" },
	{ "a length of 2^63", &from_server, BYTES("\x81\x7f\x80\0\0\0\0\0\0\0"), "BAD" },
	{ "HTTP", &from_server, BYTES("HTTP/1.1 200 OK\r\n"), "BAD" },
};

Test(websocket, cases_hold_at_every_split)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		every_way(cases[i].params, cases[i].name, cases[i].wire, cases[i].want);
}

Test(websocket, lengths_of_every_form_are_read)
{
	static const size_t lengths[] = { 1, 125, 126, 127, 0xffff, 0x10000, 0x10001 };

	for (size_t i = 0; i < ARRAY_SIZE(lengths); i++)
		for (int is_client = 0; is_client < 2; is_client++) {
			_cleanup_(buf_done) struct buf wire = BUF_INIT(MiB), want = BUF_INIT(MiB);
			_cleanup_(freep) char *text = malloc(lengths[i] + 1);
			struct feed feed;

			memset(text, 'x', lengths[i]);
			text[lengths[i]] = '\0';
			ws_text(&wire, is_client, text);
			ws_text(&wire, is_client, "y");
			buf_printf(&want, "(|%s)(|y)", text);
			for (size_t piece = 1; piece < 2 * wire.len; piece *= 7) {
				start(&feed, is_client ? &from_client : &from_server);
				feed_cut(&feed, buf_slice(&wire), 0, piece);
				cr_expect_str_eq(buf_text(&feed.trace), buf_text(&want), "%zu by %zu", lengths[i], piece);
				feed_done(&feed);
			}
		}
}

static void expect_close(struct slice wire, size_t cut, unsigned want_code, const char *want_reason)
{
	_cleanup_(feed_done) struct feed feed;
	struct slice reason = {};
	unsigned code = 0;

	start(&feed, &from_server);
	cr_expect_not(stream_close(feed.reader, &code, &reason), "before it");
	feed_cut(&feed, wire, cut, SIZE_MAX);
	cr_assert_not(feed.is_bad);
	cr_expect_eq(stream_close(feed.reader, &code, &reason), want_code > 0);
	cr_expect_eq(code, want_code, "%u instead of %u, cut at %zu", code, want_code, cut);
	cr_expect(slice_eq(reason, slice_of(want_reason)), "%s, cut at %zu", want_reason, cut);
}

Test(websocket, a_close_says_why)
{
	static const struct {
		struct slice wire;
		unsigned code;
		const char *reason;
	} closes[] = {
		{ BYTES("\x88\x02\x03\xe8"), 1000, "" },
		{ BYTES("\x81\x01x\x88\x06\x03\xf0quit"), 1008, "quit" },
		{ BYTES("\x01\x01x\x88\x04\x0f\xa0no"), 4000, "no" },
		{ BYTES("\x88\x00"), 1005, "" },
		{ BYTES("\x88\x02\x03"), 0, "" },
		{ BYTES("\x81\x01x"), 0, "" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(closes); i++)
		for (size_t cut = 0; cut <= closes[i].wire.len; cut++)
			expect_close(closes[i].wire, cut, closes[i].code, closes[i].reason);
}

/* --- gaps ------------------------------------------------------------------- */

static const struct {
	unsigned first;
	const char *payload;
	int message;		/* that it belongs to; -1: none */
} frames[] = {
	{ WS_FIN | WS_TEXT, "abc", 0 }, { WS_TEXT, "de", 1 }, { WS_FIN | WS_PING, "ping", -1 }, { 0, "fgh", 1 },
	{ WS_FIN, "i", 1 }, { WS_FIN | WS_TEXT, "jk", 2 },
};
static const char *const messages[] = { "(|abc)", "(|defghi)", "(|jk)" };

/* What is lost is in one frame's payload, and its message is the only one missing; or the
 * place is lost. */
static void expect_gap(bool is_client, size_t at, size_t lost)
{
	size_t ends[ARRAY_SIZE(frames)], head = is_client ? 6 : 2, hit = 0;
	_cleanup_(buf_done) struct buf wire = BUF_INIT(KiB), want = BUF_INIT(KiB);
	bool is_kept;
	struct feed feed;

	for (size_t i = 0; i < ARRAY_SIZE(frames); i++) {
		ws_frame(&wire, frames[i].first, is_client, slice_of(frames[i].payload));
		ends[i] = wire.len;
	}
	while (at >= ends[hit])
		hit++;
	is_kept = at >= ends[hit] - strlen(frames[hit].payload) && at + lost <= ends[hit];
	for (int i = 0; i < 3; i++) {
		bool is_before = i == 0 ? hit > 0 : i == 1 ? hit > 4 : false;

		if (is_before || (is_kept && frames[hit].message != i))
			buf_add_text(&want, messages[i]);
	}
	buf_add_text(&want, is_kept ? "" : "LOST");
	start(&feed, is_client ? &from_client : &from_server);
	feed_bytes(&feed, wire.ptr, at);
	feed_gap(&feed, lost);
	feed_bytes(&feed, wire.ptr + MIN(at + lost, wire.len), wire.len - MIN(at + lost, wire.len));
	cr_expect_str_eq(buf_text(&feed.trace), buf_text(&want), "%zu lost at %zu, frames of %zu: %s", lost, at, head,
			 buf_text(&feed.trace));
	feed_done(&feed);
}

Test(websocket, a_gap_costs_its_message_or_the_place)
{
	for (int is_client = 0; is_client < 2; is_client++) {
		size_t len = 15 + ARRAY_SIZE(frames) * (is_client ? 6 : 2);

		for (size_t at = 0; at < len; at++)
			for (size_t lost = 1; lost <= len - at + 2; lost++)
				expect_gap(is_client, at, lost);
	}
}

Test(websocket, a_gap_in_a_compressed_message_costs_those_that_look_back_to_it)
{
	for (int has_no_takeover = 0; has_no_takeover < 2; has_no_takeover++) {
		_cleanup_(buf_done) struct buf wire = BUF_INIT(KiB);
		struct ws_deflate deflate;
		size_t first;

		ws_deflate_init(&deflate, 15, has_no_takeover);
		ws_compressed(&deflate, &wire, false, SLICE("one two three"));
		first = wire.len;
		ws_compressed(&deflate, &wire, false, SLICE("two three four"));
		ws_text(&wire, false, "plain");
		ws_deflate_done(&deflate);
		for (size_t at = 2; at < first; at++)
			for (size_t lost = 1; at + lost <= first; lost++) {
				struct feed feed;

				start(&feed, has_no_takeover ? &alone : &deflated);
				feed_bytes(&feed, wire.ptr, at);
				feed_gap(&feed, lost);
				feed_bytes(&feed, wire.ptr + at + lost, wire.len - at - lost);
				cr_expect_str_eq(buf_text(&feed.trace),
						 has_no_takeover ? "(|two three four)(|plain)" : "LOST",
						 "%zu lost at %zu: %s", lost, at, buf_text(&feed.trace));
				feed_done(&feed);
			}
	}
}

Test(websocket, a_gap_in_a_close_leaves_a_close)
{
	struct slice wire = BYTES("\x88\x06\x03\xf0quit");

	for (size_t at = 2; at < wire.len; at++)
		for (size_t lost = 1; at + lost <= wire.len; lost++) {
			struct slice reason = {};
			struct feed feed;
			unsigned code = 0;

			start(&feed, &from_server);
			feed_bytes(&feed, wire.ptr, at);
			feed_gap(&feed, lost);
			feed_bytes(&feed, wire.ptr + at + lost, wire.len - at - lost);
			cr_expect(stream_close(feed.reader, &code, &reason), "%zu lost at %zu", lost, at);
			cr_expect_eq(code, 1005);
			cr_expect_eq(reason.len, 0);
			feed_gap(&feed, 99);
			cr_expect_str_eq(buf_text(&feed.trace), "", "behind a close nothing is missed");
			feed_done(&feed);
		}
}

/* --- compression ------------------------------------------------------------ */

/* Text that repeats what is up to 64 KiB back. */
static void add_prose(struct buf *text, size_t len, uint64_t *state)
{
	static const char *const words[] = { "token ", "stream ", "of ", "{\"delta\":\"", "\"}", "\xc3\xa9t\xc3\xa9 ", "a" };
	size_t until = text->len + len;

	while (text->len < until) {
		*state = *state * 6364136223846793005ull + 1442695040888963407ull;
		buf_add_text(text, words[*state >> 40 & 7 ? (*state >> 33) % ARRAY_SIZE(words) : 0]);
		if (*state >> 60 == 0)
			buf_printf(text, "%d", (int)(*state >> 45));
	}
}

Test(websocket, messages_of_every_window_are_decompressed)
{
	for (int bits = 9; bits <= 15; bits++)
		for (int variant = 0; variant < 4; variant++) {
			struct websocket_params params = { variant & 1, { true, variant & 2 } };
			_cleanup_(buf_done) struct buf wire = BUF_INIT(MiB), want = BUF_INIT(MiB);
			struct ws_deflate deflate;
			uint64_t state = 3;

			ws_deflate_init(&deflate, bits, variant & 2);
			for (size_t n = 0; n < 12; n++) {
				_cleanup_(buf_done) struct buf text = BUF_INIT(MiB);

				add_prose(&text, n * n * 300, &state);
				ws_compressed(&deflate, &wire, variant & 1, buf_slice(&text));
				buf_printf(&want, "(|%s)", buf_text(&text));
			}
			ws_deflate_done(&deflate);
			for (size_t piece = 1; piece < 2 * wire.len; piece *= 11) {
				struct feed feed;

				start(&feed, &params);
				feed_cut(&feed, buf_slice(&wire), 0, piece);
				cr_expect_str_eq(buf_text(&feed.trace), buf_text(&want), "%d bits, %d, by %zu", bits, variant, piece);
				feed_done(&feed);
			}
		}
}

Test(websocket, between_messages_it_takes_no_more_than_the_window)
{
	for (int variant = 0; variant < 3; variant++) {
		static const struct websocket_params *const params[] = { &from_server, &alone, &deflated };
		static const size_t most[] = { 0, 0, 48 * KiB };
		_cleanup_(buf_done) struct buf wire = BUF_INIT(MiB), text = BUF_INIT(MiB);
		struct ws_deflate deflate;
		struct feed feed;
		uint64_t state = 1;

		start(&feed, params[variant]);
		cr_expect_eq(stream_memory(feed.reader), 0, "at first");
		add_prose(&text, 100000, &state);
		ws_deflate_init(&deflate, 15, variant == 1);
		if (variant)
			ws_compressed(&deflate, &wire, false, buf_slice(&text));
		else
			ws_text(&wire, false, buf_text(&text));
		ws_deflate_done(&deflate);
		feed_bytes(&feed, wire.ptr, wire.len / 2);
		cr_expect_geq(stream_memory(feed.reader), 30000, "in a message");
		feed_bytes(&feed, wire.ptr + wire.len / 2, wire.len - wire.len / 2);
		cr_expect_eq(feed.trace.len, text.len + 3);
		cr_expect_leq(stream_memory(feed.reader), most[variant], "%d: %zu", variant, stream_memory(feed.reader));
		feed_done(&feed);
	}
}

/* --- limits ----------------------------------------------------------------- */

/* A message of @len bytes, in frames or compressed as @variant says, and a small one. */
static void make_long(struct buf *wire, size_t len, int variant)
{
	bool is_client = variant & 1, is_compressed = variant & 2, is_fragmented = variant & 4;
	_cleanup_(buf_done) struct buf text = BUF_INIT(len + KiB), payload = BUF_INIT(len + KiB);
	unsigned first = (is_compressed ? WS_RSV1 : 0) | WS_TEXT;
	struct ws_deflate deflate;
	struct slice rest;
	uint64_t state = 2;

	add_prose(&text, len, &state);
	text.len = len;
	ws_deflate_init(&deflate, 15, /* has_no_takeover */ false);
	if (is_compressed)
		ws_compress(&deflate, buf_slice(&text), &payload);
	else
		buf_add_slice(&payload, buf_slice(&text));
	rest = buf_slice(&payload);
	while (is_fragmented && rest.len > 100000) {
		ws_frame(wire, first, is_client, slice_take(&rest, 100000));
		first = 0;
	}
	ws_frame(wire, WS_FIN | first, is_client, rest);
	if (is_compressed)
		ws_compressed(&deflate, wire, is_client, (struct slice){ text.ptr + len - 1000, 1000 });
	else
		ws_frame(wire, WS_FIN | WS_TEXT, is_client, (struct slice){ text.ptr + len - 1000, 1000 });
	ws_deflate_done(&deflate);
}

Test(websocket, a_message_over_the_limit_is_skipped_and_counted)
{
	for (int variant = 0; variant < 8; variant++)
		for (int over = 0; over < 2; over++) {
			struct websocket_params params = { variant & 1, { variant & 2, false } };
			_cleanup_(buf_done) struct buf wire = BUF_INIT(16 * MiB);
			size_t len = LIMIT_WEBSOCKET_MESSAGE + over;

			make_long(&wire, len, variant);
			for (size_t piece = 5000; piece < 2 * wire.len; piece *= 1000) {
				struct feed feed;

				start(&feed, &params);
				feed_cut(&feed, buf_slice(&wire), 0, piece);
				cr_expect_eq(feed.trace.len, over ? 1003 : len + 3 + 1003, "%d over, %d, by %zu: %zu", over,
					     variant, piece, feed.trace.len);
				cr_expect_eq(stream_take_losses(feed.reader).dropped, over, "%d", variant);
				feed_done(&feed);
			}
		}
}

Test(websocket, a_bomb_is_given_up)
{
	_cleanup_(buf_done) struct buf wire = BUF_INIT(MiB);
	_cleanup_(freep) char *zeros = calloc(1, 64 * MiB);
	struct ws_deflate deflate;

	ws_deflate_init(&deflate, 15, /* has_no_takeover */ false);
	ws_compressed(&deflate, &wire, false, (struct slice){ zeros, 64 * MiB });
	ws_deflate_done(&deflate);
	for (size_t piece = 1; piece < 2 * wire.len; piece *= 41) {
		struct feed feed;

		start(&feed, &deflated);
		feed_cut(&feed, buf_slice(&wire), 0, piece);
		cr_expect_str_eq(buf_text(&feed.trace), "BAD", "by %zu", piece);
		cr_expect_eq(stream_failure(feed.reader), LOSS_RATIO_LIMIT, "by %zu", piece);
		cr_expect_eq(stream_take_losses(feed.reader).dropped, 0, "before it was too long");
		feed_done(&feed);
	}
}

Test(websocket, random_input_gives_the_same_at_every_split)
{
	static const struct websocket_params *const all[] = { &from_server, &deflated, &alone, &deflated_client };
	static const unsigned char firsts[] = { 0x81, 0x01, 0x00, 0x80, 0xc1, 0x41, 0x82, 0x89, 0x88, 0xff };
	uint64_t state = 11;

	for (int round = 0; round < 20000; round++) {
		const struct websocket_params *params = all[round % ARRAY_SIZE(all)];
		struct feed whole, pieces;
		char bytes[64];

		for (size_t i = 0; i < sizeof(bytes); i++) {
			state = state * 6364136223846793005ull + 1442695040888963407ull;
			bytes[i] = (char)(state >> 56);
			if (state >> 40 & 1 && i + 2 < sizeof(bytes)) {
				bytes[i++] = (char)firsts[(state >> 33) % ARRAY_SIZE(firsts)];
				bytes[i] = (char)((state >> 50) % 9 | (params->is_client ? 0x80 : 0));
			}
		}
		start(&whole, params);
		start(&pieces, params);
		feed_cut(&whole, (struct slice){ bytes, sizeof(bytes) }, 0, SIZE_MAX);
		feed_cut(&pieces, (struct slice){ bytes, sizeof(bytes) }, 0, 1 + state % 5);
		cr_assert_eq(whole.trace.len, pieces.trace.len, "round %d", round);
		cr_assert(!whole.trace.len || memcmp(whole.trace.ptr, pieces.trace.ptr, whole.trace.len) == 0, "round %d", round);
		feed_done(&whole);
		feed_done(&pieces);
	}
}
