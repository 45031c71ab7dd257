/* SPDX-License-Identifier: Apache-2.0 */
/* Connections from events to exchanges: scripts and what the callbacks then say. */
#include "script.h"

#define POST(path, len) "POST " path " HTTP/1.1\r\nHost: a\r\nContent-Length: " #len "\r\n\r\n"
#define GET(path) "GET " path " HTTP/1.1\r\nHost: a\r\n\r\n"
#define OK(len) "HTTP/1.1 200 OK\r\nContent-Length: " #len "\r\n\r\n"
#define CHUNKED "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
#define STREAM "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n"
#define UNTIL_CLOSE "HTTP/1.1 200 OK\r\n\r\n"

enum opened { BORN, LATE, NEVER };

static const struct script {
	const char *name;
	enum opened opened;
	bool is_whole_only;	/* cut elsewhere, its events would be other events */
	struct step steps[16];
	const char *want;
} scripts[] = {
	{ "a client's call", BORN, false,
	  { { 'w', POST("/v1/x", 2) "hi" }, { 'r', OK(5) "hello" }, { 'c', "" } },
	  "begin 1 client /v1/x\nrequest 1 <hi>\nend 1 complete 200 <hello>\n" },
	{ "a server's call", BORN, false,
	  { { 'r', POST("/v1/x", 2) "hi" }, { 'w', OK(5) "hello" }, { 'e', "" }, { 'c', "" } },
	  "begin 1 server /v1/x\nrequest 1 <hi>\nend 1 complete 200 <hello>\n" },
	{ "head and body in writes of their own", BORN, false,
	  { { 'w', POST("/v1/x", 2) }, { 'w', "hi" }, { 'r', OK(5) }, { 'r', "hello" } },
	  "begin 1 client /v1/x\nrequest 1 <hi>\nend 1 complete 200 <hello>\n" },
	{ "an exchange that nobody wants", BORN, false,
	  { { 'w', POST("/other", 2) "hi" }, { 'r', OK(5) "hello" } },
	  "begin 1 client /other\nend 1 complete 200 <>\n" },
	{ "keep-alive, three times", BORN, false,
	  { { 'w', POST("/v1/1", 1) "a" }, { 'r', OK(1) "A" }, { 'w', GET("/other") }, { 'r', OK(1) "B" },
	    { 'w', POST("/v1/3", 1) "c" }, { 'r', OK(1) "C" }, { 'c', "" } },
	  "begin 1 client /v1/1\nrequest 1 <a>\nend 1 complete 200 <A>\nbegin 2 client /other\n"
	  "end 2 complete 200 <>\nbegin 3 client /v1/3\nrequest 3 <c>\nend 3 complete 200 <C>\n" },
	{ "pipelining, three deep", BORN, false,
	  { { 'r', POST("/v1/1", 1) "a" GET("/v1/2") POST("/v1/3", 1) "c" }, { 'w', OK(1) "A" OK(1) "B" OK(1) "C" } },
	  "begin 1 server /v1/1\nrequest 1 <a>\nbegin 2 server /v1/2\nrequest 2 <>\nbegin 3 server /v1/3\n"
	  "request 3 <c>\nend 1 complete 200 <A>\nend 2 complete 200 <B>\nend 3 complete 200 <C>\n" },
	{ "a stream of events", BORN, false,
	  { { 'w', POST("/v1/x", 2) "hi" },
	    { 'r', STREAM "9\r\ndata: a\n\n\r\n" "12\r\ndata: b\n\ndata: c\n\n\r\n" "0\r\n\r\n" } },
	  "begin 1 client /v1/x\nrequest 1 <hi>\nsse 1 <a>\nsse 1 <b>\nsse 1 <c>\nend 1 complete 200 <>\n" },
	{ "a stream without its last empty line", BORN, false,
	  { { 'w', POST("/v1/x", 2) "hi" }, { 'r', STREAM "7\r\ndata: a\r\n0\r\n\r\n" } },
	  "begin 1 client /v1/x\nrequest 1 <hi>\nsse 1 <a>\nend 1 complete 200 <>\n" },
	{ "a stream cut by its client", BORN, false,
	  { { 'w', POST("/v1/x", 2) "hi" }, { 'r', STREAM "9\r\ndata: a\n\n\r\n7\r\ndata: b" }, { 'c', "" } },
	  "begin 1 client /v1/x\nrequest 1 <hi>\nsse 1 <a>\nend 1 cut by client 200 <>\n" },
	{ "a stream cut by its server", BORN, false,
	  { { 'w', POST("/v1/x", 2) "hi" }, { 'r', STREAM "9\r\ndata: a\n\n\r\n" }, { 'e', "" }, { 'c', "" } },
	  "begin 1 client /v1/x\nrequest 1 <hi>\nsse 1 <a>\nend 1 cut by server 200 <>\n" },
	{ "a server whose client went away", BORN, false,
	  { { 'r', POST("/v1/x", 2) "hi" }, { 'w', STREAM "9\r\ndata: a\n\n\r\n" }, { 'e', "" }, { 'c', "" } },
	  "begin 1 server /v1/x\nrequest 1 <hi>\nsse 1 <a>\nend 1 cut by client 200 <>\n" },
	{ "a server that goes away", BORN, false,
	  { { 'r', POST("/v1/x", 2) "hi" }, { 'w', STREAM "9\r\ndata: a\n\n\r\n" }, { 'c', "" } },
	  "begin 1 server /v1/x\nrequest 1 <hi>\nsse 1 <a>\nend 1 cut by server 200 <>\n" },
	{ "a request without answer", BORN, false,
	  { { 'w', POST("/v1/x", 2) "hi" }, { 'e', "" }, { 'c', "" } },
	  "begin 1 client /v1/x\nrequest 1 <hi>\nend 1 cut by server 0 <>\n" },
	{ "a request never finished", BORN, false,
	  { { 'r', POST("/v1/x", 9) "hi" }, { 'e', "" }, { 'c', "" } },
	  "begin 1 server /v1/x\nend 1 cut by client 0 <>\n" },
	{ "a body until close", BORN, false,
	  { { 'w', GET("/v1/x") }, { 'r', UNTIL_CLOSE "hello" }, { 'e', "" }, { 'c', "" } },
	  "begin 1 client /v1/x\nrequest 1 <>\nend 1 complete 200 <hello>\n" },
	{ "a body until a server's close", BORN, false,
	  { { 'r', GET("/v1/x") }, { 'w', UNTIL_CLOSE "hello" }, { 'c', "" } },
	  "begin 1 server /v1/x\nrequest 1 <>\nend 1 complete 200 <hello>\n" },
	{ "a body until close, its reader closing", BORN, false,
	  { { 'w', GET("/v1/x") }, { 'r', UNTIL_CLOSE "hello" }, { 'c', "" } },
	  "begin 1 client /v1/x\nrequest 1 <>\nend 1 cut by client 200 <hello>\n" },
	{ "a body until reset", BORN, false,
	  { { 'w', GET("/v1/x") }, { 'r', UNTIL_CLOSE "hello" }, { 'x', "" }, { 'c', "" } },
	  "begin 1 client /v1/x\nrequest 1 <>\nend 1 cut by server 200 <hello>\n" },
	{ "HEAD, 204 and 304 have no body", BORN, false,
	  { { 'w', "HEAD /v1/1 HTTP/1.1\r\n\r\n" }, { 'r', OK(9) }, { 'w', GET("/v1/2") },
	    { 'r', "HTTP/1.1 204 No\r\n\r\n" }, { 'w', GET("/v1/3") }, { 'r', "HTTP/1.1 304 No\r\n\r\n" } },
	  "begin 1 client /v1/1\nrequest 1 <>\nend 1 complete 200 <>\nbegin 2 client /v1/2\nrequest 2 <>\n"
	  "end 2 complete 204 <>\nbegin 3 client /v1/3\nrequest 3 <>\nend 3 complete 304 <>\n" },
	{ "100 and 103 come before the answer", BORN, false,
	  { { 'w', POST("/v1/x", 2) }, { 'r', "HTTP/1.1 100 Continue\r\n\r\n" }, { 'w', "hi" },
	    { 'r', "HTTP/1.1 103 Hints\r\nLink: a\r\n\r\n" OK(2) "ok" } },
	  "begin 1 client /v1/x\nrequest 1 <hi>\nend 1 complete 200 <ok>\n" },
	{ "an answer before the request's end", BORN, false,
	  { { 'w', POST("/v1/x", 4) "hi" }, { 'r', "HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno" }, { 'w', "ho" } },
	  "begin 1 client /v1/x\nrequest 1 <hiho>\nend 1 complete 413 <no>\n" },
	{ "an answer instead of the request's end", BORN, false,
	  { { 'w', POST("/v1/x", 4) "hi" }, { 'r', "HTTP/1.1 413 No\r\nContent-Length: 2\r\n\r\nno" }, { 'e', "" }, { 'c', "" } },
	  "begin 1 client /v1/x\nend 1 cut by server 413 <no>\n" },
	{ "events before the request's end", BORN, false,
	  { { 'w', POST("/v1/x", 4) "hi" }, { 'r', STREAM "9\r\ndata: a\n\n\r\n" }, { 'w', "ho" }, { 'r', "0\r\n\r\n" } },
	  "begin 1 client /v1/x\nrequest 1 <hi> so far\nsse 1 <a>\nend 1 complete 200 <>\n" },
	{ "an upgrade to something unknown", BORN, false,
	  { { 'w', GET("/v1/x") }, { 'r', "HTTP/1.1 101 Switching\r\nUpgrade: IRC/6.9\r\n\r\n\x81\x02hi" },
	    { 'w', "\x81\x02ho" }, { 'c', "" } },
	  "begin 1 client /v1/x\nrequest 1 <>\nend 1 complete 101 <>\nignored\nunsupported_protocol 1\n" },
	{ "CONNECT", BORN, false,
	  { { 'w', "CONNECT a:443 HTTP/1.1\r\n\r\n" }, { 'r', "HTTP/1.1 200 OK\r\n\r\n" }, { 'w', "\x16\x03\x01" }, { 'c', "" } },
	  "begin 1 client a:443\nend 1 complete 200 <>\nignored\n" },
	{ "no HTTP from the first byte", BORN, true,
	  { { 'r', "SSH-2.0-OpenSSH\r\n" }, { 'w', "SSH-2.0-x\r\n" }, { 'c', "" } },
	  "ignored\nresync_bytes 17\n" },
	{ "what only looks like HTTP", BORN, false,
	  { { 'r', "GET lost\r\n\r\n" }, { 'c', "" } },
	  "ignored\nresync_bytes 12\nmalformed_http 1\n" },
	{ "an answer that is no HTTP", BORN, true,
	  { { 'w', GET("/v1/x") }, { 'r', "+OK redis\r\n" }, { 'w', GET("/v1/y") }, { 'r', OK(1) "A" } },
	  "begin 1 client /v1/x\nrequest 1 <>\nend 1 lost 0 <> malformed_http\nbegin 2 client /v1/y\n"
	  "request 2 <>\nend 2 complete 200 <A>\nresync_bytes 11\nmalformed_http 1\n" },
	{ "a chunk size that overflows", BORN, true,
	  { { 'w', GET("/v1/x") }, { 'r', CHUNKED "11111111111111111\r\nabc" }, { 'r', "abc" } },
	  "begin 1 client /v1/x\nrequest 1 <>\nend 1 lost 200 <> malformed_http\nresync_bytes 6\nmalformed_http 1\n" },
	{ "unknown content coding", BORN, false,
	  { { 'w', GET("/v1/x") }, { 'r', "HTTP/1.1 200 OK\r\nContent-Encoding: dcb\r\nContent-Length: 3\r\n\r\nabc" } },
	  "begin 1 client /v1/x\nrequest 1 <>\nend 1 complete 200 <> unsupported_encoding\nunsupported_encoding 1\n" },
	{ "gzip that is none", BORN, false,
	  { { 'w', GET("/v1/x") }, { 'r', "HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 3\r\n\r\nabc" } },
	  "begin 1 client /v1/x\nrequest 1 <>\nend 1 complete 200 <> bad_encoding\nbad_encoding 1\n" },
	{ "the process exits", BORN, false,
	  { { 'w', GET("/v1/x") }, { 'X', "" } },
	  "begin 1 client /v1/x\nrequest 1 <>\nend 1 exited 0 <>\n" },
	{ "gentap detaches", BORN, false,
	  { { 'w', GET("/v1/x") }, { 'r', OK(5) "he" }, { 'd', "" }, { 'r', "llo" }, { 'c', "" } },
	  "begin 1 client /v1/x\nrequest 1 <>\nend 1 detached 200 <he>\n" },

	/* Joined in mid-connection. */
	{ "joined before a request", LATE, false,
	  { { 'w', POST("/v1/x", 2) "hi" }, { 'r', OK(5) "hello" } },
	  "begin 1 client /v1/x\nrequest 1 <hi>\nend 1 complete 200 <hello>\n" },
	{ "opened unseen", NEVER, false,
	  { { 'r', POST("/v1/x", 2) "hi" }, { 'w', OK(5) "hello" } },
	  "begin 1 server /v1/x\nrequest 1 <hi>\nend 1 complete 200 <hello>\n" },
	{ "joined in a request's body", LATE, true,
	  { { 'w', "rest of a body" }, { 'r', OK(1) "A" }, { 'w', GET("/v1/x") }, { 'r', OK(1) "B" } },
	  "begin 1 client /v1/x\nrequest 1 <>\nend 1 complete 200 <B>\nresync_bytes 14\njoined_late 1\n" },
	{ "joined in a response's chunk", LATE, true,
	  { { 'r', "ta: a\n\n\r\n" }, { 'r', "9\r\ndata: b\n\n\r\n" }, { 'r', "0\r\n\r\n" },
	    { 'w', GET("/v1/x") }, { 'r', STREAM "9\r\ndata: c\n\n\r\n0\r\n\r\n" } },
	  "begin 1 client /v1/x\nrequest 1 <>\nsse 1 <c>\nend 1 complete 200 <>\nresync_bytes 28\n" },
	{ "joined between request and response", LATE, false,
	  { { 'r', OK(1) "A" }, { 'w', GET("/v1/x") }, { 'r', OK(1) "B" } },
	  "begin 1 client /v1/x\nrequest 1 <>\nend 1 complete 200 <B>\njoined_late 1\n" },
	{ "joined between HEAD and its response", LATE, true,
	  { { 'r', OK(100) }, { 'w', GET("/v1/x") }, { 'r', OK(1) "B" } },
	  "begin 1 client /v1/x\nrequest 1 <>\nend 1 complete 200 <B>\njoined_late 1\n" },
	{ "a body that quotes HTTP", LATE, true,
	  { { 'r', "x: GET /v1/x HTTP/1.1\r\n\r\n" }, { 'r', POST("/v1/y", 1) "a" }, { 'w', OK(1) "A" } },
	  "begin 1 server /v1/y\nrequest 1 <a>\nend 1 complete 200 <A>\nresync_bytes 25\n" },

	/* Lost bytes. */
	{ "a gap in a body of known length", BORN, true,
	  { { 'w', GET("/v1/x") }, { 'r', OK(9) "abc" }, { 'R', "def" }, { 'r', "ghi" }, { 'w', GET("/v1/y") },
	    { 'r', OK(1) "B" } },
	  "begin 1 client /v1/x\nrequest 1 <>\nend 1 complete 200 <abc> lost_bytes\nbegin 2 client /v1/y\n"
	  "request 2 <>\nend 2 complete 200 <B>\nlost_bytes 3\n" },
	{ "a gap that ends a body", BORN, true,
	  { { 'w', GET("/v1/x") }, { 'r', OK(9) "abc" }, { 'R', "defghi" }, { 'c', "" } },
	  "begin 1 client /v1/x\nrequest 1 <>\nend 1 complete 200 <abc> lost_bytes\nlost_bytes 6\n" },
	{ "a gap in a chunk of events", BORN, true,
	  { { 'w', GET("/v1/x") }, { 'r', STREAM "1b\r\ndata: a\n\ndata" }, { 'R', ": b\n\n" },
	    { 'r', "data: c\n\n\r\n9\r\ndata: d\n\n\r\n0\r\n\r\n" } },
	  "begin 1 client /v1/x\nrequest 1 <>\nsse 1 <a>\nsse 1 <d>\nend 1 complete 200 <> lost_bytes\nlost_bytes 5\n" },
	{ "a gap over chunks", BORN, true,
	  { { 'w', GET("/v1/x") }, { 'r', STREAM "9\r\ndata: a\n\n\r\n" }, { 'R', "9\r\ndata: b\n\n\r\n" },
	    { 'r', "9\r\ndata: c\n\n\r\n0\r\n\r\n" }, { 'w', GET("/v1/y") }, { 'r', OK(1) "B" } },
	  "begin 1 client /v1/x\nrequest 1 <>\nsse 1 <a>\nend 1 lost 200 <> lost_bytes\nbegin 2 client /v1/y\n"
	  "request 2 <>\nend 2 complete 200 <B>\nlost_bytes 14\nresync_bytes 19\n" },
	{ "a response lost whole", BORN, true,
	  { { 'w', GET("/v1/x") }, { 'R', OK(1) "A" }, { 'w', GET("/v1/y") }, { 'r', OK(1) "B" },
	    { 'w', GET("/v1/z") }, { 'r', OK(1) "C" } },
	  "begin 1 client /v1/x\nrequest 1 <>\nbegin 2 client /v1/y\nrequest 2 <>\nend 1 lost 0 <> lost_bytes\n"
	  "end 2 lost 0 <>\nbegin 3 client /v1/z\nrequest 3 <>\nend 3 complete 200 <C>\n"
	  "lost_bytes 39\norphan_response 1\n" },
	{ "a response lost of pipelined ones", BORN, true,
	  { { 'w', GET("/v1/x") GET("/v1/y") }, { 'R', OK(1) "A" }, { 'w', GET("/v1/z") }, { 'r', OK(1) "B" },
	    { 'r', OK(1) "C" }, { 'c', "" } },
	  "begin 1 client /v1/x\nrequest 1 <>\nbegin 2 client /v1/y\nrequest 2 <>\nbegin 3 client /v1/z\n"
	  "request 3 <>\nend 1 lost 0 <> lost_bytes\nend 2 lost 0 <>\nend 3 lost 0 <>\nignored\nlost_bytes 39\n" },
	{ "a request lost whole", BORN, true,
	  { { 'w', GET("/v1/x") }, { 'r', OK(1) "A" }, { 'W', GET("/v1/y") }, { 'r', OK(1) "B" },
	    { 'w', GET("/v1/z") }, { 'r', OK(1) "C" } },
	  "begin 1 client /v1/x\nrequest 1 <>\nend 1 complete 200 <A>\nbegin 2 client /v1/z\nrequest 2 <>\n"
	  "end 2 complete 200 <C>\nlost_bytes 31\norphan_response 1\n" },
	{ "a lost tail", BORN, true,
	  { { 'w', GET("/v1/x") }, { 'r', CHUNKED "3\r\nabc\r\n" }, { 'R', "0\r\n\r\n" }, { 'e', "" }, { 'c', "" } },
	  "begin 1 client /v1/x\nrequest 1 <>\nend 1 lost 200 <abc> lost_bytes\nlost_bytes 5\n" },
};

/* The order of losses in the text is that of enum loss. */
static void replay_script(const struct script *script, size_t cut_step, size_t cut, size_t piece,
			  const char *how)
{
	struct replay replay;

	replay_init(&replay);
	if (script->opened != NEVER)
		replay_open(&replay, script->opened == BORN ? GT_FLAG_BORN : 0);
	for (size_t i = 0; i < ARRAY_SIZE(script->steps) && script->steps[i].op; i++)
		replay_step(&replay, &script->steps[i], i == cut_step ? cut : 0, piece);
	add_losses(&replay);
	cr_expect_str_eq(buf_text(&replay.trace), script->want, "%s, %s (step %zu cut at %zu):\n%s", script->name,
			 how, cut_step, cut, buf_text(&replay.trace));
	replay_done(&replay);
}

Test(conn, scripts_hold)
{
	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++)
		replay_script(&scripts[i], 0, 0, SIZE_MAX, "whole");
}

Test(conn, scripts_hold_byte_by_byte)
{
	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++)
		if (!scripts[i].is_whole_only)
			replay_script(&scripts[i], 0, 0, 1, "byte by byte");
}

Test(conn, scripts_hold_at_every_cut)
{
	for (size_t i = 0; i < ARRAY_SIZE(scripts); i++)
		for (size_t step = 0; step < ARRAY_SIZE(scripts[i].steps) && !scripts[i].is_whole_only; step++)
			for (size_t cut = 1; cut < step_len(&scripts[i].steps[step]); cut++)
				replay_script(&scripts[i], step, cut, SIZE_MAX, "cut");
}
