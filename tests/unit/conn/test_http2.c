/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/2 from events to exchanges: conversations in both roles, whole, at every cut
 * and byte by byte. */
#include "talk.h"

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
};

static void replay_script(const struct script *script, enum role role, size_t cut_move, size_t cut, size_t piece,
			  const char *how)
{
	struct buf want = BUF_INIT(4096);
	struct replay replay;
	struct talk talk;

	for (const char *at = script->want; *at; at++) {
		bool is_role = role == ROLE_SERVER && strncmp(at, " client /", 9) == 0;

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
