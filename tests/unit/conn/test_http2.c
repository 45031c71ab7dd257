/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2 from events to exchanges: conversations in both roles, whole, at every cut
 * and byte by byte. */
#include "talk.h"

#define H2C "POST /v1/x HTTP/1.1\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n" \
	    "HTTP2-Settings: AAMAAABk\r\nContent-Length: 2\r\n\r\n"
#define SWITCH "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n"

static const struct script {
	const char *name;
	bool is_late;
	bool is_whole_only;	/* cut elsewhere, its events would be other events */
	const char *lines[24];
	const char *want;	/* as the client sees it */
} scripts[] = {
	{ "a call", false, false,
	  { "c P; h 1 /v1/x; D 1 hi", "s S; A", "c A", "s r 1 200; D 1 hello" },
	  "begin 1 client /v1/x\nrequest 1 <hi>\nend 1 complete 200 <hello>\n" },
	{ "the server speaks first", false, false,
	  { "s S", "c P; A; h 1 /v1/x; D 1 hi", "s A; r 1 200; D 1 hello" },
	  "begin 1 client /v1/x\nrequest 1 <hi>\nend 1 complete 200 <hello>\n" },
	{ "a call without bodies", false, false,
	  { "c P; H 1 /v1/x", "s S; R 1 204" },
	  "begin 1 client /v1/x\nrequest 1 <>\nend 1 complete 204 <>\n" },
	{ "a call that nobody wants", false, false,
	  { "c P; h 1 /other; D 1 hi", "s S; r 1 200; D 1 hello" },
	  "begin 1 client /other\nend 1 complete 200 <>\n" },
	{ "an end in a frame of its own", false, false,
	  { "c P; h 1 /v1/x; d 1 hi; D 1 ", "s S; r 1 200; d 1 hel; d 1 lo; D 1 " },
	  "begin 1 client /v1/x\nrequest 1 <hi>\nend 1 complete 200 <hello>\n" },
	{ "heads in many frames, padding everywhere", false, false,
	  { "c P; m 1 /v1/x; q 1 h; D 1 i", "s S; m 1 200; q 1 hel; D 1 lo" },
	  "begin 1 client /v1/x\nrequest 1 <hi>\nend 1 complete 200 <hello>\n" },
	{ "streams take turns", false, false,
	  { "c P; h 1 /v1/a; h 3 /v1/b; d 3 3; d 1 1", "s S; r 3 200", "c D 1 one; h 5 /v1/c; D 3 three; D 5 five",
	    "s d 3 B; r 5 201; r 1 202; d 1 A; d 5 C", "s D 5 c; D 1 a; D 3 b" },
	  "begin 1 client /v1/a\nbegin 2 client /v1/b\nrequest 1 <1one>\nbegin 3 client /v1/c\nrequest 2 <3three>\n"
	  "request 3 <five>\nend 3 complete 201 <Cc>\nend 1 complete 202 <Aa>\nend 2 complete 200 <Bb>\n" },
	{ "events of two streams", false, false,
	  { "c P; H 1 /v1/a; H 3 /v1/b", "s S; e 1 200; e 3 200; d 1 data: a\n", "s d 3 data: x\n\n", "s d 1 \n; D 3 data: y\n\n",
	    "s D 1 data: b\n\n" },
	  "begin 1 client /v1/a\nrequest 1 <>\nbegin 2 client /v1/b\nrequest 2 <>\nsse 2 <x>\nsse 1 <a>\nsse 2 <y>\n"
	  "end 2 complete 200 <>\nsse 1 <b>\nend 1 complete 200 <>\n" },
	{ "trailers on both sides", false, false,
	  { "c P; h 1 /v1/x; d 1 hi; t 1", "s S; r 1 200; d 1 hello; t 1" },
	  "begin 1 client /v1/x\nrequest 1 <hi>\nend 1 complete 200 <hello>\n" },
	{ "an interim answer", false, false,
	  { "c P; h 1 /v1/x", "s S; r 1 100", "c D 1 hi", "s r 1 103; r 1 200; D 1 hello" },
	  "begin 1 client /v1/x\nrequest 1 <hi>\nend 1 complete 200 <hello>\n" },
	{ "an answer before the request's end", false, false,
	  { "c P; h 1 /v1/x; d 1 hi", "s S; r 1 413; D 1 no", "c D 1 ho" },
	  "begin 1 client /v1/x\nrequest 1 <hiho>\nend 1 complete 413 <no>\n" },
	{ "pings, windows and settings in between", false, false,
	  { "c P; w; h 1 /v1/x; p; D 1 hi", "s S; A; w; r 1 200; p; d 1 hel; w; D 1 lo" },
	  "begin 1 client /v1/x\nrequest 1 <hi>\nend 1 complete 200 <hello>\n" },
	{ "a promise is passed over, and its header fields are not", false, false,
	  { "c P; H 1 /v1/x", "s S; u 1 /v1/pushed; r 1 200; r 2 200; D 2 pushed; D 1 hello", "c H 3 /v1/y", "s r 3 200; D 3 ho" },
	  "begin 1 client /v1/x\nrequest 1 <>\nend 1 complete 200 <hello>\nbegin 2 client /v1/y\nrequest 2 <>\n"
	  "end 2 complete 200 <ho>\nresync_bytes 6\n" },
	{ "the client resets one stream", false, false,
	  { "c P; H 1 /v1/a; H 3 /v1/b", "s S; r 1 200; d 1 he; r 3 200", "c x 1", "s d 1 lost; D 3 b" },
	  "begin 1 client /v1/a\nrequest 1 <>\nbegin 2 client /v1/b\nrequest 2 <>\nend 1 cut by client 200 <he>\n"
	  "end 2 complete 200 <b>\nresync_bytes 4\n" },
	{ "the server resets one stream", false, false,
	  { "c P; H 1 /v1/a; H 3 /v1/b", "s S; r 1 200; d 1 he; x 1; r 3 200; D 3 b" },
	  "begin 1 client /v1/a\nrequest 1 <>\nbegin 2 client /v1/b\nrequest 2 <>\nend 1 cut by server 200 <he>\n"
	  "end 2 complete 200 <b>\n" },
	{ "a server that goes away", false, false,
	  { "c P; H 1 /v1/a; H 3 /v1/b; H 5 /v1/c", "s S; r 1 200; g 3; D 1 a; r 3 200; D 3 b" },
	  "begin 1 client /v1/a\nrequest 1 <>\nbegin 2 client /v1/b\nrequest 2 <>\nbegin 3 client /v1/c\nrequest 3 <>\n"
	  "end 3 cut by server 0 <>\nend 1 complete 200 <a>\nend 2 complete 200 <b>\n" },
	{ "a client's farewell harms no stream", false, false,
	  { "c P; H 1 /v1/a; g 0", "s S; r 1 200; D 1 a" },
	  "begin 1 client /v1/a\nrequest 1 <>\nend 1 complete 200 <a>\n" },
	{ "the process exits", false, false,
	  { "c P; H 1 /v1/a; H 3 /v1/b", "s S; r 1 200", "!X" },
	  "begin 1 client /v1/a\nrequest 1 <>\nbegin 2 client /v1/b\nrequest 2 <>\nend 1 exited 200 <>\nend 2 exited 0 <>\n" },
	{ "gentap detaches", false, false,
	  { "c P; H 1 /v1/a", "s S; r 1 200; d 1 he", "!d", "s D 1 llo" },
	  "begin 1 client /v1/a\nrequest 1 <>\nend 1 detached 200 <he>\nresync_bytes 3\n" },
	{ "a content coding", false, false,
	  { "c P; H 1 /v1/a", "s S; z 1 rot13; D 1 nop" },
	  "begin 1 client /v1/a\nrequest 1 <>\nend 1 complete 200 <> unsupported_encoding\nunsupported_encoding 1\n" },

	/* What is not followed. */
	{ "a WebSocket costs itself", false, false,
	  { "c P; k 1; h 3 /v1/x", "s S; r 1 200; d 1 frame", "c d 1 frame; D 3 hi", "s r 3 200; D 3 ho" },
	  "begin 1 client /v1/x\nrequest 1 <hi>\nend 1 complete 200 <ho>\nresync_bytes 10\nunsupported_protocol 1\n" },
	{ "a malformed head costs itself", false, false,
	  { "c P; b 1; H 3 /v1/x", "s S; r 1 400; D 1 bad; r 3 200; b 3", "c H 5 /v1/y", "s b 5", "c H 7 /v1/z", "s R 7 200" },
	  "begin 1 client /v1/x\nrequest 1 <>\nend 1 complete 200 <>\nbegin 2 client /v1/y\nrequest 2 <>\n"
	  "end 2 lost 0 <> malformed_http\nbegin 3 client /v1/z\nrequest 3 <>\nend 3 complete 200 <>\n"
	  "resync_bytes 3\nmalformed_http 2\n" },
	{ "a request's head in the place of a response's", false, false,
	  { "c P; H 1 /v1/x; H 3 /v1/y", "s S; r 1 /v1/z; D 1 x; R 3 200" },
	  "begin 1 client /v1/x\nrequest 1 <>\nbegin 2 client /v1/y\nrequest 2 <>\nend 1 lost 0 <> malformed_http\n"
	  "end 2 complete 200 <>\nresync_bytes 1\nmalformed_http 1\n" },
	{ "a head too long costs itself", false, true,
	  { "c P; l 1; H 3 /v1/x", "s S; r 1 431; D 1 bad; R 3 200" },
	  "begin 1 client /v1/x\nrequest 1 <>\nend 1 complete 200 <>\nresync_bytes 3\nhead_limit 1\n" },
	{ "a frame too long costs the place", false, true,
	  { "c P; H 1 /v1/x; H 3 /v1/y", "s S; r 1 200; d 1 he; f 1", "s y too much", "s d 3 late; D 1 lo", "s D 3 r" },
	  "begin 1 client /v1/x\nrequest 1 <>\nbegin 2 client /v1/y\nrequest 2 <>\nend 1 complete 200 <he> frame_limit\n"
	  "end 2 complete 0 <later> frame_limit head_unknown\nresync_bytes 17\nframe_limit 1\nhead_unknown 1\n" },
	{ "no HTTP/2 behind the preface", false, true,
	  { "c P", "s y SSH-2.0-x" },
	  "ignored\nresync_bytes 9\nframe_limit 1\n" },
	{ "nor in the client's frames", false, true,
	  { "c y PRI * HTTP/2.0\r\n\r\nSM\r\n\rx" },
	  "ignored\nresync_bytes 24\nmalformed_http 1\n" },

	/* Upgraded. */
	{ "an upgrade from HTTP/1.1", false, false,
	  { "c y " H2C "hi", "s y " SWITCH "; S; r 1 200; d 1 hel", "c P; A; h 3 /v1/y; D 3 ho", "s D 1 lo; R 3 204" },
	  "begin 1 client /v1/x\nrequest 1 <hi>\nbegin 2 client /v1/y\nrequest 2 <ho>\nend 1 complete 200 <hello>\n"
	  "end 2 complete 204 <>\n" },
	{ "an upgrade that the server leaves alone", false, false,
	  { "c y " H2C "hi", "s y HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nho" },
	  "begin 1 client /v1/x\nrequest 1 <hi>\nend 1 complete 200 <ho>\n" },

	/* Joined late: the first lines are from before. */
	{ "joined between two calls", true, true,
	  { "!G", "c P; h 1 /v1/a; D 1 a", "!G", "s S; e 1 200; D 1 data: a\n\n", "c h 3 /v1/b; D 3 hi", "s e 3 200; d 3 dat",
	    "s D 3 a: b\n\n" },
	  "begin 1 client /v1/b\nrequest 1 <hi>\nsse 1 <b>\nend 1 complete 200 <> head_unknown\nhead_unknown 1\n" },
	{ "joined while the answer runs", true, true,
	  { "!G", "c P; h 1 /v1/a; D 1 a", "!G", "s S; e 1 200; d 1 data: a\n\n", "s d 1 data: b\n\n", "c h 3 /v1/b; D 3 hi",
	    "s D 1 data: c\n\n; r 3 200; D 3 hello, hello" },
	  "begin 1 client /v1/b\nrequest 1 <hi>\nend 1 complete 200 <hello, hello> head_unknown\n"
	  "resync_bytes 18\nhead_unknown 1\n" },
	{ "joined before the answer", true, true,
	  { "!G", "c P; h 1 /v1/a; D 1 a", "s S; r 1 200; D 1 A", "c h 3 /v1/b; D 3 hi", "s R 3 200" },
	  "begin 1 client /v1/b\nrequest 1 <hi>\nend 1 complete 200 <> head_unknown\nresync_bytes 1\njoined_late 1\n"
	  "head_unknown 1\n" },
	{ "joined in a frame", true, true,
	  { "s y the rest of a frame that began before", "c h 3 /v1/b; D 3 hi", "s y and more of it", "s r 3 200; D 3 ho" },
	  "begin 1 client /v1/b\nrequest 1 <hi>\nend 1 complete 200 <ho>\nresync_bytes 51\n" },
	{ "a path from before is unknown, the call is not", true, true,
	  { "c n 1; D 1 hi", "s N 1; D 1 ho" },
	  "begin 1 client \nend 1 complete 200 <> head_unknown\nhead_unknown 1\n" },
	{ "trailers of a call from before", true, true,
	  { "c t 1; h 3 /v1/b; D 3 hi", "s t 1; r 3 200; D 3 ho" },
	  "begin 1 client /v1/b\nrequest 1 <hi>\nend 1 complete 200 <ho>\n" },
	{ "what only looked like HTTP/2", true, true,
	  { "c d 1 xx", "c y no frame at all", "c y POST /v1/x HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi",
	    "s y HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nho" },
	  "begin 1 client /v1/x\nrequest 1 <hi>\nend 1 complete 200 <ho>\nresync_bytes 17\n" },

	/* Lost bytes. */
	{ "an answer's frames lost, others go on", false, true,
	  { "c P; H 1 /v1/a; H 3 /v1/b", "s S; e 1 200; r 3 200; d 1 data: a\n\nda", "!G", "s d 1 ta: b\n\n; d 3 lost", "s d 1 data: c\n\n; D 3 b",
	    "s D 1 data: d\n\n", "c H 5 /v1/c", "s r 5 200; D 5 whole" },
	  "begin 1 client /v1/a\nrequest 1 <>\nbegin 2 client /v1/b\nrequest 2 <>\nsse 1 <a>\nend 2 complete 200 <> lost_bytes\n"
	  "sse 1 <d>\nend 1 complete 200 <> lost_bytes\nbegin 3 client /v1/c\nrequest 3 <>\n"
	  "end 3 complete 200 <whole> head_unknown\nlost_bytes 29\nhead_unknown 1\n" },
	{ "a head lost, its body goes on", false, true,
	  { "c P; H 1 /v1/a", "!G", "s S; e 1 200", "s d 1 data: a\n\n; D 1 data: b\n\n" },
	  "begin 1 client /v1/a\nrequest 1 <>\nsse 1 <a>\nsse 1 <b>\nend 1 complete 0 <> lost_bytes head_unknown\n"
	  "lost_bytes 54\nhead_unknown 1\n" },
	{ "a request lost, its answer is nobody's", false, true,
	  { "c P; H 1 /v1/a", "s S; R 1 200", "!G", "c H 3 /v1/b", "s R 3 200", "c H 5 /v1/c", "s R 5 200" },
	  "begin 1 client /v1/a\nrequest 1 <>\nend 1 complete 200 <>\nbegin 2 client /v1/c\nrequest 2 <>\n"
	  "end 2 complete 200 <> head_unknown\nlost_bytes 20\norphan_response 1\nhead_unknown 1\n" },
	{ "the end of a request lost", false, true,
	  { "c P; h 1 /v1/a; d 1 hi", "!G", "c D 1 ho", "s S; r 1 200; D 1 A", "c p" },
	  "begin 1 client /v1/a\nend 1 lost 200 <A> lost_bytes\nlost_bytes 11\n" },
};

static void replay_script(const struct script *script, enum role role, size_t cut_move, size_t cut, size_t piece,
			  const char *how)
{
	struct buf want = BUF_INIT(4096);
	struct replay replay;
	struct talk talk;

	for (const char *at = script->want; *at; at++) {
		bool is_role = role == ROLE_SERVER && (strncmp(at, " client /", 9) == 0 || strncmp(at, " client \n", 9) == 0);

		buf_add_text(&want, is_role ? " server" : (char[]){ *at, '\0' });
		at += is_role ? 6 : 0;
	}
	replay_init(&replay);
	replay_open(&replay, script->is_late ? 0 : GT_FLAG_BORN);
	talk_init(&talk, script->lines, ARRAY_SIZE(script->lines));
	for (size_t i = 0; i < talk.count; i++)
		play(&replay, &talk.moves[i], role, i == cut_move ? cut : 0, piece);
	add_losses(&replay);
	cr_expect_str_eq(buf_text(&replay.trace), buf_text(&want), "%s, %s (move %zu cut at %zu, role %d):\n%s\n",
			 script->name, how, cut_move, cut, role, buf_text(&replay.trace));
	replay_done(&replay);
	talk_done(&talk);
	buf_done(&want);
}

Test(http2, scripts_hold_in_both_roles)
{
	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++)
		for (enum role role = ROLE_CLIENT; role <= ROLE_SERVER; role++)
			replay_script(&scripts[i], role, 0, 0, SIZE_MAX, "whole");
}

Test(http2, scripts_hold_byte_by_byte)
{
	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++)
		for (enum role role = ROLE_CLIENT; role <= ROLE_SERVER && !scripts[i].is_whole_only; role++)
			replay_script(&scripts[i], role, 0, 0, 1, "byte by byte");
}

static size_t move_len(const struct script *script, size_t move)
{
	struct talk talk;
	size_t len;

	talk_init(&talk, script->lines, ARRAY_SIZE(script->lines));
	len = move < talk.count ? talk.moves[move].bytes.len : 0;
	talk_done(&talk);
	return len;
}

Test(http2, scripts_hold_at_every_cut)
{
	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++)
		for (size_t move = 0; move < ARRAY_SIZE(scripts[i].lines) && !scripts[i].is_whole_only; move++)
			for (size_t cut = 1; cut < move_len(&scripts[i], move); cut++)
				replay_script(&scripts[i], cut % 2 ? ROLE_CLIENT : ROLE_SERVER, move, cut, SIZE_MAX, "cut");
}

/* --- losses ------------------------------------------------------------------ */

/* Four calls of which each byte says whose it is, their frames mixed. */
static const char *const mixed[] = {
	"c P; h 1 /v1/1; d 1 question 1; h 3 /v1/3; d 3 quest", "s S; A", "c D 1 ; D 3 ion 3; A", "s e 1 200; d 1 data: token of 1\n\n",
	"s r 3 200; d 3 ans", "c h 5 /v1/5; D 5 question 5", "s d 1 data: token of 1\n\n; d 3 wer", "s e 5 200; d 5 data: token ",
	"s D 3  3; d 5 of 5\n\n; p", "c h 7 /v1/7; q 7 question; D 7  7", "s D 5 data: token of 5\n\n; D 1 data: token of 1\n\n",
	"s m 7 200; q 7 answer; D 7  7", NULL
};

struct truth {
	struct replay replay;
	size_t begun, ended, whole;
};

static bool want_all(void *ctx, struct exchange *exchange)
{
	struct truth *truth = ctx;

	(void)exchange;
	truth->begun++;
	return true;
}

static void ignore_request(void *ctx, struct exchange *exchange)
{
	(void)ctx;
	(void)exchange;
}

static void collect_event(void *ctx, struct exchange *exchange, const struct message *message,
			  uint64_t time_ns, const struct stream_event *event)
{
	char want[32];

	(void)message;
	(void)ctx;
	(void)time_ns;
	snprintf(want, sizeof(want), "token of %u", exchange->stream_id);
	cr_assert(slice_eq(event->data, slice_of(want)), "'%.*s' instead of '%s'", (int)event->data.len,
		  event->data.ptr, want);
}

static void check_pair(void *ctx, struct exchange *exchange, uint64_t time_ns)
{
	const struct http_head *head = &exchange->request.head;
	struct truth *truth = ctx;
	char want[64];

	(void)time_ns;
	truth->ended++;
	snprintf(want, sizeof(want), "/v1/%u", exchange->stream_id);
	cr_assert(head->is_partial || slice_eq(head->target, slice_of(want)), "'%.*s' on stream %u",
		  (int)head->target.len, head->target.ptr, exchange->stream_id);
	if (exchange->end != END_COMPLETE || (exchange->marks & ~LOSS_BIT(LOSS_HEAD_UNKNOWN)))
		return;
	truth->whole++;
	snprintf(want, sizeof(want), "question %u", exchange->stream_id);
	cr_assert_str_eq(buf_text(&exchange->request.body), want);
	snprintf(want, sizeof(want), "answer %u", exchange->stream_id);
	if (exchange->response.framing == FRAMING_BODY)
		cr_assert_str_eq(buf_text(&exchange->response.body), want);
}

static const struct exchange_ops pair_ops = { want_all, on_framing, ignore_request, collect_event, check_pair };

static void truth_init(struct truth *truth, unsigned flags)
{
	struct conn_table_options options = { .ops = &pair_ops, .ctx = truth };

	*truth = (struct truth){ .replay.conn_id = CONN_ID };
	options.losses = truth->replay.losses;
	cr_assert_eq(conn_table_new(&truth->replay.table, &options), 0);
	replay_open(&truth->replay, flags);
}

static void truth_done(struct truth *truth)
{
	conn_table_free(&truth->replay.table);
	cr_assert_eq(truth->begun, truth->ended, "every exchange ends once");
}

/* Bytes @from to @to of all moves in a row are lost. */
static void play_lossy(struct truth *truth, const struct talk *talk, enum role role, size_t from, size_t to)
{
	for (size_t i = 0, at = 0; i < talk->count; at += talk->moves[i++].bytes.len) {
		const struct move *move = &talk->moves[i];
		size_t len = move->bytes.len, cut = MIN(MAX(from, at) - at, len), end = MIN(MAX(to, at) - at, len);

		play_part(&truth->replay, move, role, 0, cut);
		truth->replay.offset[direction_of(move, role)] += end - cut;
		play_part(&truth->replay, move, role, end, len);
	}
}

static size_t talk_len(const struct talk *talk)
{
	size_t len = 0;

	for (size_t i = 0; i < talk->count; i++)
		len += talk->moves[i].bytes.len;
	return len;
}

Test(http2, a_gap_anywhere_never_mixes_streams_nor_fakes_a_whole)
{
	struct truth truth;
	struct talk talk;

	talk_init(&talk, mixed, ARRAY_SIZE(mixed));
	truth_init(&truth, GT_FLAG_BORN);
	play_lossy(&truth, &talk, ROLE_CLIENT, 0, 0);
	cr_assert_eq(truth.whole, 4, "without a gap: %zu", truth.whole);
	truth_done(&truth);
	for (size_t from = 0; from < talk_len(&talk); from++)
		for (size_t len = 1; from + len <= talk_len(&talk); len = len * 3 / 2 + 1) {
			truth_init(&truth, GT_FLAG_BORN);
			play_lossy(&truth, &talk, from % 2 ? ROLE_CLIENT : ROLE_SERVER, from, from + len);
			replay_end(&truth.replay, GT_EVENT_CLOSE, GT_WRITE, 0);
			cr_assert_eq(truth.replay.losses[LOSS_MALFORMED_HTTP], 0, "%zu at %zu", len, from);
			truth_done(&truth);
		}
	talk_done(&talk);
}

Test(http2, joining_at_any_byte_never_mixes_streams)
{
	struct talk talk;
	size_t last_whole = 0;

	talk_init(&talk, mixed, ARRAY_SIZE(mixed));
	for (size_t from = 0; from < talk_len(&talk); from++) {
		enum role role = from % 2 ? ROLE_CLIENT : ROLE_SERVER;
		struct truth truth;
		size_t at = 0, i = 0;

		truth_init(&truth, 0);
		while (at + talk.moves[i].bytes.len <= from)
			at += talk.moves[i++].bytes.len;
		play_part(&truth.replay, &talk.moves[i], role, from - at, talk.moves[i].bytes.len);
		while (++i < talk.count)
			play(&truth.replay, &talk.moves[i], role, 0, SIZE_MAX);
		cr_assert_eq(truth.replay.losses[LOSS_GAP], 0);
		cr_assert_eq(truth.replay.losses[LOSS_MALFORMED_HTTP], 0, "from %zu", from);
		last_whole = truth.whole ? from : last_whole;
		truth_done(&truth);
	}
	/* The last request is in the tenth move. */
	cr_expect_geq(last_whole, talk_len(&talk) * 2 / 3, "%zu", last_whole);
	talk_done(&talk);
}

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005ull + 1442695040888963407ull;
	return *state >> 33;
}

/* Whatever the bytes say, every exchange ends once; the sanitizers see to the rest. */
Test(http2, scrambled_events_do_no_harm)
{
	uint64_t state = 7;
	struct talk talk;

	talk_init(&talk, mixed, ARRAY_SIZE(mixed));
	for (int round = 0; round < 2000; round++) {
		struct replay replay;
		size_t begun = 0, ended = 0;

		replay_init(&replay);
		replay_open(&replay, round % 2 ? GT_FLAG_BORN : 0);
		for (int n = 0; n < 40; n++) {
			const struct move *from = &talk.moves[n % 3 ? (size_t)n / 3 % talk.count : next_random(&state) % talk.count];
			_cleanup_(buf_done) struct buf bytes = BUF_INIT(4096);
			struct move move = { .who = from->who };

			buf_add_slice(&bytes, buf_slice(&from->bytes));
			if (next_random(&state) % 4 == 0)
				bytes.ptr[next_random(&state) % bytes.len] ^= 1 << next_random(&state) % 8;
			if (next_random(&state) % 8 == 0)
				replay.offset[next_random(&state) % 2] += next_random(&state) % 64 - 16;
			move.bytes = bytes;
			play(&replay, &move, ROLE_CLIENT, 0, 1 + next_random(&state) % 99);
		}
		conn_table_free(&replay.table);
		for (const char *p = buf_text(&replay.trace); p && *p; p = strchr(p, '\n') + 1) {
			begun += strncmp(p, "begin ", 6) == 0;
			ended += strncmp(p, "end ", 4) == 0;
		}
		cr_assert_eq(begun, ended, "round %d: every exchange ends once", round);
		replay_done(&replay);
	}
	talk_done(&talk);
}

/* --- limits ------------------------------------------------------------------- */

static void play_line(struct replay *replay, struct talk *talk, const char *line)
{
	struct move move = { .who = line[0], .bytes = BUF_INIT(4 * MiB) };

	read_move(talk, &move, line);
	play(replay, &move, ROLE_CLIENT, 0, SIZE_MAX);
	buf_done(&move.bytes);
}

static void play_stream(struct replay *replay, struct talk *talk, const char *format, unsigned id)
{
	char line[64];

	snprintf(line, sizeof(line), format, id);
	play_line(replay, talk, line);
}

Test(http2, streams_beyond_the_limit_are_counted_and_those_within_go_on)
{
	const unsigned first_refused = 2 * LIMIT_HTTP2_STREAMS + 1;
	struct replay replay;
	struct talk talk;

	replay_init(&replay);
	replay_open(&replay, GT_FLAG_BORN);
	talk_init(&talk, NULL, 0);
	play_line(&replay, &talk, "c P");
	play_line(&replay, &talk, "s S");
	for (unsigned id = 1; id <= first_refused + 2; id += 2)
		play_stream(&replay, &talk, "c h %u /other", id);
	cr_expect_eq(replay.losses[LOSS_STREAMS_LIMIT], 2);
	play_stream(&replay, &talk, "s R %u 200", first_refused);
	cr_expect_eq(replay.losses[LOSS_ORPHAN], 0, "its answer is counted no second time");
	play_line(&replay, &talk, "c D 1 a");
	play_line(&replay, &talk, "s R 1 200");
	play_stream(&replay, &talk, "c H %u /v1/last", first_refused + 4);
	play_stream(&replay, &talk, "s R %u 200", first_refused + 4);
	cr_expect_eq(replay.losses[LOSS_STREAMS_LIMIT], 2, "one has ended, so there is room");
	cr_expect(strstr(buf_text(&replay.trace), "end 1 complete 200 <>\n"));
	cr_expect(strstr(buf_text(&replay.trace), "end 1025 complete 200 <>\n"));
	replay_done(&replay);
	talk_done(&talk);
}

/* A connection whose header table is as large as may be, of the smallest entries. */
static void open_with_large_table(struct replay *replay, uint64_t conn_id, struct slice block)
{
	_cleanup_(buf_done) struct buf bytes = BUF_INIT(MiB);
	struct gt_open_event open = { .key = conn_id };

	replay->conn_id = conn_id;
	memset(replay->offset, 0, sizeof(replay->offset));
	open.event = replay_event(replay, GT_EVENT_OPEN, GT_FLAG_BORN);
	conn_table_event(replay->table, &open.event);
	buf_add_slice(&bytes, HTTP2_PREFACE);
	add_frame(&bytes, HTTP2_FRAME_HEADERS, HTTP2_END_HEADERS | HTTP2_END_STREAM, 1, block);
	replay_data(replay, GT_WRITE, bytes.ptr, bytes.len, bytes.len, 0);
}

Test(http2, what_all_connections_hold_is_bounded)
{
	_cleanup_(buf_done) struct buf block = BUF_INIT(MiB);
	uint64_t first_offset[GT_DIRECTIONS];
	struct replay replay;
	struct talk talk;
	uint64_t id = 1;

	buf_add(&block, "\x3f\xe1\xff\x03", 4);
	for (int i = 0; i < 2048; i++)
		buf_add(&block, "\x40\0\0", 3);
	buf_add(&block, "\x83\x87\x04\3/v1", 7);
	replay_init(&replay);
	talk_init(&talk, NULL, 0);
	open_with_large_table(&replay, id, buf_slice(&block));
	memcpy(first_offset, replay.offset, sizeof(first_offset));
	while (!replay.losses[LOSS_MEMORY_LIMIT] && id < 2000)
		open_with_large_table(&replay, ++id, buf_slice(&block));
	cr_expect_geq(id, 200, "connection %d", (int)id);
	cr_expect_lt(id, 2000);
	cr_expect(strstr(buf_text(&replay.trace), "end 1 lost 0 <> memory_limit head_unknown\nignored\n"));
	buf_reset(&replay.trace);
	/* There is room again, for another one, and the first goes on. */
	replay_end(&replay, GT_EVENT_CLOSE, GT_WRITE, 0);
	replay.conn_id = 2;
	replay_end(&replay, GT_EVENT_CLOSE, GT_WRITE, 0);
	open_with_large_table(&replay, ++id, buf_slice(&block));
	cr_expect_eq(replay.losses[LOSS_MEMORY_LIMIT], 1);
	replay.conn_id = 1;
	memcpy(replay.offset, first_offset, sizeof(first_offset));
	play_line(&replay, &talk, "s S; R 1 200");
	cr_expect(strstr(buf_text(&replay.trace), "end 1 complete 200 <>"), "%s", buf_text(&replay.trace));
	replay_done(&replay);
	talk_done(&talk);
}

Test(http2, a_stream_whose_end_may_be_lost_is_given_up_in_time)
{
	struct replay replay;
	struct talk talk;

	replay_init(&replay);
	replay_open(&replay, GT_FLAG_BORN);
	talk_init(&talk, NULL, 0);
	play_line(&replay, &talk, "c P; H 1 /v1/a; H 3 /v1/b");
	play_line(&replay, &talk, "s S; r 1 200; r 3 200; d 1 a; d 3 b");
	replay.offset[GT_READ] += 10;
	play_line(&replay, &talk, "s p");
	play_line(&replay, &talk, "s d 3 b");
	play_line(&replay, &talk, "c H 5 /v1/c");
	buf_reset(&replay.trace);
	replay.now_ns += LIMIT_HTTP2_DOUBT_NS;
	play_line(&replay, &talk, "c H 7 /v1/d");
	cr_expect_str_eq(buf_text(&replay.trace), "end 1 lost 200 <a> lost_bytes\nbegin 4 client /v1/d\nrequest 4 <>\n");
	play_line(&replay, &talk, "s D 3 b");
	cr_expect(strstr(buf_text(&replay.trace), "end 2 complete 200 <b> lost_bytes\n"));
	replay_done(&replay);
	talk_done(&talk);
}

Test(http2, one_bad_connection_does_not_disturb_another)
{
	uint64_t offsets[2][GT_DIRECTIONS] = {};
	struct talk talks[2];
	struct replay replay;
	static const char *const lines[][2] = {
		{ "c P; H 1 /v1/a", "c P; H 1 /v1/bad" }, { "s S; r 1 200; d 1 hel", "s S; r 1 200; d 1 bad" },
		{ "c p", "c y no frames, but enough bytes" }, { "s D 1 lo", "s f 1" }, { "c H 3 /v1/a", "c p" }, { "s R 3 204", "s y x" },
	};

	replay_init(&replay);
	for (size_t i = 0; i < 2; i++) {
		replay.conn_id = i + 1;
		replay_open(&replay, GT_FLAG_BORN);
		talk_init(&talks[i], NULL, 0);
	}
	for (size_t n = 0; n < ARRAY_SIZE(lines); n++)
		for (size_t i = 0; i < 2; i++) {
			replay.conn_id = i + 1;
			memcpy(replay.offset, offsets[i], sizeof(replay.offset));
			play_line(&replay, &talks[i], lines[n][i]);
			memcpy(offsets[i], replay.offset, sizeof(replay.offset));
		}
	cr_expect(strstr(buf_text(&replay.trace), "end 1 complete 200 <hello>\n"), "%s", buf_text(&replay.trace));
	cr_expect(strstr(buf_text(&replay.trace), "end 2 complete 204 <>\n"), "%s", buf_text(&replay.trace));
	cr_expect_eq(replay.losses[LOSS_FRAME_LIMIT] + replay.losses[LOSS_MALFORMED_HTTP], 2);
	replay_done(&replay);
	for (size_t i = 0; i < 2; i++)
		talk_done(&talks[i]);
}

/* --- what a missed head would have said ------------------------------------------ */

Test(http2, a_bodys_first_bytes_say_what_an_unknown_head_does_not)
{
	static const struct {
		const char *name;
		struct slice body;
		const char *want;
	} bodies[] = {
		{ "events", SLICE("data: a\n\ndata: b\n\n"), "sse 1 <a>\nsse 1 <b>\nend 1 complete 200 <>" },
		{ "events with a mark and names", SLICE("\xEF\xBB\xBF" "event: x\ndata: a\n\n"), "sse 1 <a>\nend 1 complete 200 <>" },
		{ "a comment first", SLICE(": hello\n\ndata: a\n\n"), "sse 1 <a>\nend 1 complete 200 <>" },
		{ "a document", SLICE("{\"data: \": 1}"), "end 1 complete 200 <{\"data: \": 1}>" },
		{ "a short one", SLICE("{}"), "end 1 complete 200 <{}>" },
		{ "a compressed one",
		  SLICE("\x1f\x8b\x08\x00\x00\x00\x00\x00\x02\xff\xab\xca\x2c\x28\x48\x4d\x51\x48\xcc\x2b\x2e\x4f\x2d\x02\x00\x62\x65\xb8\xd4\x0d\x00\x00\x00"),
		  "end 1 complete 200 <zipped answer>" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++)
		for (size_t cut = 0; cut <= bodies[i].body.len; cut++) {
			_cleanup_(buf_done) struct buf bytes = BUF_INIT(4096);
			struct slice rest = bodies[i].body;
			struct replay replay;
			struct talk talk;

			replay_init(&replay);
			replay_open(&replay, 0);
			talk_init(&talk, NULL, 0);
			play_line(&replay, &talk, "c H 1 /v1/x");
			play_line(&replay, &talk, "s N 1");
			add_frame(&bytes, HTTP2_FRAME_DATA, 0, 1, slice_take(&rest, cut));
			add_frame(&bytes, HTTP2_FRAME_DATA, HTTP2_END_STREAM, 1, rest);
			replay_data(&replay, GT_READ, bytes.ptr, bytes.len, bytes.len, 0);
			cr_expect(strstr(buf_text(&replay.trace), bodies[i].want), "%s, cut at %zu:\n%s", bodies[i].name, cut,
				  buf_text(&replay.trace));
			replay_done(&replay);
			talk_done(&talk);
		}
}
