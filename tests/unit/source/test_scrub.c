/* SPDX-License-Identifier: Apache-2.0 */
/* HTTP/1 and bodies: no secret is left, nothing else changes. */
#include "scrubbing.h"

#include <glob.h>
#include <stdio.h>

#define SSE_HEAD "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n"

static const struct {
	const char *name, *request, *response;		/* in */
	const char *want_request, *want_response;	/* out */
} messages[] = {
	{ "fields",
	  "POST /v1/chat HTTP/1.1\r\nHost: api.example\r\nauthorization: Bearer CANARY1\r\nX-Api-Key:CANARY2 \r\n"
	  "Cookie: a=CANARY3; b=1\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
	  "HTTP/1.1 200 OK\r\nset-cookie: CANARY4\r\nx-request-id: r-1\r\ncontent-length: 2\r\n\r\n{}",
	  "POST /v1/chat HTTP/1.1\r\nHost: api.example\r\nauthorization: ****** *******\r\nX-Api-Key:******* \r\n"
	  "Cookie: ********** ***\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
	  "HTTP/1.1 200 OK\r\nset-cookie: *******\r\nx-request-id: r-1\r\ncontent-length: 2\r\n\r\n{}" },
	{ "a folded value",
	  "GET / HTTP/1.1\r\nX-Secret: one\r\n\tCANARY two\r\nHost: h\r\n\r\n", "",
	  "GET / HTTP/1.1\r\nX-Secret: ***\r\n\t****** ***\r\nHost: h\r\n\r\n", "" },
	{ "bare line feeds",
	  "GET / HTTP/1.1\nX-Secret: CANARY\nHost: h\n\n", "", "GET / HTTP/1.1\nX-Secret: ******\nHost: h\n\n", "" },
	{ "a name of no header", "GET / HTTP/1.1\r\n" "X-abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz-abcdefghijklmnop: "
	  "CANARY\r\n\r\n", "",
	  "GET / HTTP/1.1\r\n" "X-abcdefghijklmnopqrstuvwxyz-abcdefghijklmnopqrstuvwxyz-abcdefghijklmnop: ******\r\n\r\n", "" },
	{ "parameters",
	  "POST /v1beta/models/g:generate?key=CANARY1&alt=sse&sig=CANARY2 HTTP/1.1\r\nHost: h\r\n\r\n", "",
	  "POST /v1beta/models/g:generate?key=*******&alt=sse&sig=******* HTTP/1.1\r\nHost: h\r\n\r\n", "" },
	{ "keep-alive, an empty line between",
	  "GET /a?k=CANARY HTTP/1.1\r\nHost: h\r\n\r\n\r\nGET /b HTTP/1.1\r\nCookie: CANARY\r\n\r\n",
	  "HTTP/1.1 204 No\r\nSet-Cookie: CANARY\r\n\r\nHTTP/1.1 200 OK\r\nLocation: CANARY\r\nContent-Length: 1\r\n\r\nx",
	  "GET /a?k=****** HTTP/1.1\r\nHost: h\r\n\r\n\r\nGET /b HTTP/1.1\r\nCookie: ******\r\n\r\n",
	  "HTTP/1.1 204 No\r\nSet-Cookie: ******\r\n\r\nHTTP/1.1 200 OK\r\nLocation: ******\r\nContent-Length: 1\r\n\r\nx" },
	{ "a body that looks like a head",
	  "POST / HTTP/1.1\r\nContent-Length: 38\r\n\r\nGET / HTTP/1.1\r\nCookie: mine, not a key",
	  "", "POST / HTTP/1.1\r\nContent-Length: 38\r\n\r\nGET / HTTP/1.1\r\nCookie: mine, not a key", "" },
	{ "an answer to HEAD has no body",
	  "HEAD / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n",
	  "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\nSet-Cookie: CANARY\r\nContent-Length: 0\r\n\r\n",
	  "HEAD / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\n",
	  "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\nSet-Cookie: ******\r\nContent-Length: 0\r\n\r\n" },
	{ "interim responses",
	  "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
	  "HTTP/1.1 103 Early\r\nLink: CANARY\r\n\r\nHTTP/1.1 200 OK\r\nX-Key: CANARY\r\nContent-Length: 0\r\n\r\n",
	  "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
	  "HTTP/1.1 103 Early\r\nLink: ******\r\n\r\nHTTP/1.1 200 OK\r\nX-Key: ******\r\nContent-Length: 0\r\n\r\n" },
	{ "a compressed body is left",
	  "POST / HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: 30\r\n\r\nBearer sk-abcdefghijklmnopqrstu",
	  "", "POST / HTTP/1.1\r\nContent-Encoding: gzip\r\nContent-Length: 30\r\n\r\nBearer sk-abcdefghijklmnopqrstu", "" },
	{ "a binary body is left",
	  "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
	  "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\nContent-Length: 16\r\n\r\nBearer CANNOTTELL",
	  "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
	  "HTTP/1.1 200 OK\r\nContent-Type: application/vnd.amazon.eventstream\r\nContent-Length: 16\r\n\r\nBearer CANNOTTELL" },
	{ "WebSocket messages are left",
	  "GET /v1/realtime?model=gpt-realtime&token=CANARY HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: CANARY\r\n\r\n"
	  "Bearer CANNOTTELL",
	  "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nX-Key: CANARY\r\n\r\nBearer CANNOTTELL",
	  "GET /v1/realtime?model=gpt-realtime&token=****** HTTP/1.1\r\nUpgrade: websocket\r\nSec-WebSocket-Protocol: ******\r\n\r\n"
	  "Bearer CANNOTTELL",
	  "HTTP/1.1 101 Switching\r\nUpgrade: websocket\r\nX-Key: ******\r\n\r\nBearer CANNOTTELL" },
	{ "chunks cut a token, and are whole",
	  "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
	  SSE_HEAD "\r\n1a\r\ndata: \"use Bearer CANARY12\r\n8\r\nCANARY\" \r\n0\r\n\r\n",
	  "POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n",
	  SSE_HEAD "\r\n1a\r\ndata: \"use Bearer ********\r\n8\r\n******\" \r\n0\r\n\r\n" },
};

/* Requests first, whatever the cut: a response answers what was asked. */
static void run(struct scrubbing *s, size_t i, size_t cut, bool is_bytewise)
{
	struct slice request = slice_of(messages[i].request), response = slice_of(messages[i].response);
	const char *frames = strstr(messages[i].name, "WebSocket") ? strstr(messages[i].request, "\r\n\r\n") : NULL;
	struct slice later = {};

	if (frames) {	/* these come behind the answer */
		later = slice_of(frames + 4);
		request.len -= later.len;
	}
	scrubbing_open(s, GT_FLAG_BORN);
	if (is_bytewise) {
		scrub_bytewise(s, GT_WRITE, request);
		scrub_bytewise(s, GT_READ, response);
		scrub_bytewise(s, GT_WRITE, later);
		return;
	}
	scrub_cut(s, GT_WRITE, request, cut);
	scrub_cut(s, GT_READ, response, cut);
	scrub_cut(s, GT_WRITE, later, cut);
}

Test(scrub, heads_and_bodies_whole)
{
	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		_cleanup_(scrubbing_done) struct scrubbing s = {};

		run(&s, i, SIZE_MAX, /* is_bytewise */ false);
		cr_expect_str_eq(buf_text(&s.out[GT_WRITE]), messages[i].want_request, "%s", messages[i].name);
		cr_expect_str_eq(buf_text(&s.out[GT_READ]), messages[i].want_response, "%s", messages[i].name);
		cr_expect_eq(scrubber_unsure(s.scrubber), 0, "%s", messages[i].name);
	}
}

/* Bodies may lose more at a cut, heads never. */
Test(scrub, heads_come_out_the_same_at_every_cut)
{
	for (size_t i = 0; i < ARRAY_SIZE(messages); i++) {
		size_t len = MAX(strlen(messages[i].request), strlen(messages[i].response));

		for (size_t cut = 0; cut <= len; cut++) {
			_cleanup_(scrubbing_done) struct scrubbing s = {};

			run(&s, i, cut ? cut : 1, /* is_bytewise */ cut == 0);
			cr_expect_str_eq(buf_text(&s.out[GT_WRITE]), messages[i].want_request, "%s, cut at %zu", messages[i].name, cut);
			cr_expect_str_eq(buf_text(&s.out[GT_READ]), messages[i].want_response, "%s, cut at %zu", messages[i].name, cut);
		}
	}
}

Test(scrub, a_password_in_a_url_goes_at_every_cut)
{
	static const char head[] = "GET http://user:CANARY@api.example/v1?x=CANARY HTTP/1.1\r\n\r\n";

	for (size_t cut = 0; cut <= strlen(head); cut++) {
		_cleanup_(scrubbing_done) struct scrubbing s = {};

		scrubbing_open(&s, GT_FLAG_BORN);
		scrub_cut(&s, GT_WRITE, SLICE(head), cut);
		cr_expect_null(strstr(buf_text(&s.out[GT_WRITE]), "ANARY"), "cut at %zu: %s", cut, buf_text(&s.out[GT_WRITE]));
		cr_expect(strstr(buf_text(&s.out[GT_WRITE]), "/v1?x=****** HTTP/1.1\r\n\r\n"), "cut at %zu: %s", cut,
			  buf_text(&s.out[GT_WRITE]));
	}
}

static const struct { const char *text, *want; } texts[] = {
	{ "no secret here", NULL },
	{ "a bearer of news", NULL },
	{ "Authorization: Bearer abc.DEF-123_456~7+/=\\n", "Authorization: Bearer ********************\\n" },
	{ "BEARER abcdefgh", "BEARER ********" },
	{ "Bearer abcdefg!", NULL },
	{ "sk-proj-abcDEF123_456xyz!", "sk-*********************!" },
	{ "risk-averse-and-cautious-people", NULL },
	{ "sk-learn is a library", NULL },
	{ "ssk-0123456789abcdef ", NULL },
	{ "sk_live_0123456789abcdef'", "sk_*********************'" },
	{ "xai-0123456789abcdef hf_0123456789abcdef", "xai-**************** hf_****************" },
	{ "pplx-0123456789abcdef;ghp_0123456789abcdef", "pplx-****************;ghp_****************" },
	{ "github_pat_0123456789abcdef ASIA0123456789ABCDEF", "github_pat_**************** ASIA****************" },
	{ "apikey=1 &refresh_token=2 Client_Secret=3 SESSION_TOKEN=4", "apikey=* &refresh_token=* Client_Secret=* SESSION_TOKEN=*" },
	{ "(gsk_0123456789abcdef)", "(gsk_****************)" },
	{ "AIzaSyA-0123456789abcdef,", "AIza********************," },
	{ "AKIA0123456789ABCDEF.", "AKIA*****************" },
	{ "{\"api_key\": \"abc\"}", "{\"api_key\": \"***\"}" },
	{ "{\"api_key\":null, \"x\":1}", NULL },
	{ "{\"api_key\": {\"type\": \"string\"}}", NULL },
	{ "{\\\"Api-Key\\\": \\\"ab cd\\\", 1}", "{\\\"Api-Key\\\": \\\"*****\\\", 1}" },
	{ "?access_token=a.b.c&x=1", "?access_token=*****&x=1" },
	{ "OPENAI_API_KEY='abc' run", "OPENAI_API_KEY='***' run" },
	{ "api_key = client.key\n", "api_key = **********\n" },
	{ "the api_key you have", NULL },
	{ "\"authorization\":\"tok\"", "\"authorization\":\"***\"" },
	{ "\"AWS_SECRET_ACCESS_KEY\" : \"q/w\"", "\"AWS_SECRET_ACCESS_KEY\" : \"***\"" },
};

static void scrub_body(struct scrubbing *s, const char *text, size_t cut)
{
	char head[128];

	snprintf(head, sizeof(head), "POST / HTTP/1.1\r\nContent-Length: %zu\r\n\r\n", strlen(text));
	scrubbing_open(s, GT_FLAG_BORN);
	scrub_move(s, GT_WRITE, slice_of(head));
	buf_reset(&s->out[GT_WRITE]);
	scrub_cut(s, GT_WRITE, slice_of(text), cut);
}

Test(scrub, tokens_and_keys_in_bodies)
{
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_(scrubbing_done) struct scrubbing s = {};

		scrub_body(&s, texts[i].text, SIZE_MAX);
		cr_expect_str_eq(buf_text(&s.out[GT_WRITE]), texts[i].want ? texts[i].want : texts[i].text, "%s", texts[i].text);
	}
}

/* Each byte that is hidden in the whole is hidden at every cut; a cut may hide more. */
Test(scrub, a_cut_leaves_nothing_of_a_token)
{
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		for (size_t cut = 0; texts[i].want && cut <= strlen(texts[i].text); cut++) {
			_cleanup_(scrubbing_done) struct scrubbing s = {};

			scrub_body(&s, texts[i].text, cut);
			cr_assert_eq(s.out[GT_WRITE].len, strlen(texts[i].text));
			for (size_t at = 0; at < s.out[GT_WRITE].len; at++)
				cr_expect(texts[i].want[at] == s.out[GT_WRITE].ptr[at] || s.out[GT_WRITE].ptr[at] == '*',
					  "%s, cut at %zu: %s", texts[i].text, cut, buf_text(&s.out[GT_WRITE]));
		}
}

/* --- what is not known to be a message --------------------------------------- */

Test(scrub, what_begins_as_no_message_is_hidden_whole_and_counted)
{
	static const char *const others[] = { "AUTH CANARY\r\n", "\x16\x03\x01 CANARY", "CANARY", "x-key: CANARY\r\n\r\nHTTP" };

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		for (uint16_t flags = 0; flags <= GT_FLAG_BORN; flags++)
			for (size_t cut = 0; cut <= strlen(others[i]); cut++) {
				_cleanup_(scrubbing_done) struct scrubbing s = {};

				scrubbing_open(&s, flags);
				scrub_cut(&s, GT_READ, slice_of(others[i]), cut);
				cr_expect_null(strstr(buf_text(&s.out[GT_READ]), "NARY"), "%s, cut at %zu", others[i], cut);
				cr_expect_gt(scrubber_unsure(s.scrubber), 3, "%s, cut at %zu", others[i], cut);
			}
}

Test(scrub, behind_a_hole_in_a_head_everything_is_hidden_until_a_message)
{
	_cleanup_(scrubbing_done) struct scrubbing s = {};

	scrubbing_open(&s, GT_FLAG_BORN);
	scrub_move(&s, GT_WRITE, SLICE("POST / HTTP/1.1\r\nHost: h\r\nx-"));
	s.offset[GT_WRITE] += 4;
	buf_reset(&s.out[GT_WRITE]);
	scrub_move(&s, GT_WRITE, SLICE("api-key: CANARY\r\n\r\n"));
	cr_expect_str_eq(buf_text(&s.out[GT_WRITE]), "*******************");
	buf_reset(&s.out[GT_WRITE]);
	scrub_move(&s, GT_WRITE, SLICE("GET /b HTTP/1.1\r\nCookie: CANARY\r\n\r\n"));
	cr_expect_str_eq(buf_text(&s.out[GT_WRITE]), "GET /b HTTP/1.1\r\nCookie: ******\r\n\r\n");
	cr_expect_eq(scrubber_unsure(s.scrubber), 19);
}

Test(scrub, a_hole_in_a_body_harms_nothing)
{
	_cleanup_(scrubbing_done) struct scrubbing s = {};

	scrubbing_open(&s, GT_FLAG_BORN);
	scrub_move(&s, GT_WRITE, SLICE("POST / HTTP/1.1\r\nContent-Length: 40\r\n\r\n012345678 Bearer "));
	s.offset[GT_WRITE] += 10;
	buf_reset(&s.out[GT_WRITE]);
	scrub_move(&s, GT_WRITE, SLICE("CANARY 012345GET / HTTP/1.1\r\nCookie: CANARY\r\n\r\n"));
	cr_expect_str_eq(buf_text(&s.out[GT_WRITE]), "****** 012345GET / HTTP/1.1\r\nCookie: ******\r\n\r\n");
}

Test(scrub, a_tunnel_is_hidden)
{
	_cleanup_(scrubbing_done) struct scrubbing s = {};

	scrubbing_open(&s, GT_FLAG_BORN);
	scrub_move(&s, GT_WRITE, SLICE("CONNECT api.example:443 HTTP/1.1\r\nProxy-Authorization: Basic CANARY\r\n\r\n"));
	cr_expect_str_eq(buf_text(&s.out[GT_WRITE]), "CONNECT api.example:443 HTTP/1.1\r\nProxy-Authorization: ***** ******\r\n\r\n");
	scrub_move(&s, GT_READ, SLICE("HTTP/1.1 200 OK\r\n\r\nCANARY"));
	cr_expect_str_eq(buf_text(&s.out[GT_READ]), "HTTP/1.1 200 OK\r\n\r\n******");
	buf_reset(&s.out[GT_WRITE]);
	scrub_move(&s, GT_WRITE, SLICE("GET /CANARY HTTP/1.1\r\n\r\n"));
	cr_expect_null(strstr(buf_text(&s.out[GT_WRITE]), "CANARY"));
}

Test(scrub, a_head_that_never_ends_is_bounded)
{
	_cleanup_(scrubbing_done) struct scrubbing s = {};
	char line[1024];

	memset(line, 'C', sizeof(line));
	memcpy(line, "x-key: ", 7);
	line[sizeof(line) - 1] = '\n';
	scrubbing_open(&s, GT_FLAG_BORN);
	scrub_move(&s, GT_WRITE, SLICE("GET / HTTP/1.1\r\n"));
	for (size_t i = 0; i < 256; i++)
		scrub_move(&s, GT_WRITE, (struct slice){ line, sizeof(line) });
	cr_expect_null(strstr(buf_text(&s.out[GT_WRITE]), "CCC"));
	cr_expect_gt(scrubber_unsure(s.scrubber), 100 * 1024);
}

Test(scrub, unfinished_heads_of_all_connections_share_one_limit)
{
	_cleanup_(scrubbing_done) struct scrubbing s = {};
	struct { struct gt_data_event data; char bytes[LIMIT_CAPTURE_RECORD / 2]; } moved;
	static const char start[] = "GET / HTTP/1.1\r\nCookie: ";

	scrubbing_open(&s, GT_FLAG_BORN);
	for (uint64_t id = 2; id <= 2 + LIMIT_SCRUB_KEPT / sizeof(moved.bytes); id++) {
		moved.data = (struct gt_data_event){
			.event = { .conn_id = id, .type = GT_EVENT_DATA },
			.len = sizeof(moved.bytes), .captured_len = sizeof(moved.bytes),
		};
		memset(moved.data.bytes, 'C', sizeof(moved.bytes));
		memcpy(moved.data.bytes, start, sizeof(start) - 1);
		cr_expect_eq(scrubber_unsure(s.scrubber), 0, "connection %zu", (size_t)id);
		scrubber_event(s.scrubber, &moved.data.event);
		cr_assert_null(memmem(moved.data.bytes, sizeof(moved.bytes), "CC", 2), "connection %zu", (size_t)id);
	}
	/* What comes next of the last one cannot be known any more. */
	moved.data.offset = sizeof(moved.bytes);
	memcpy(moved.data.bytes, "\r\n\r\nplain", 9);
	scrubber_event(s.scrubber, &moved.data.event);
	cr_expect_gt(scrubber_unsure(s.scrubber), 0);
}

Test(scrub, connections_beyond_the_limit_are_forgotten_not_kept)
{
	_cleanup_(scrubbing_done) struct scrubbing s = {};
	struct { struct gt_data_event data; char bytes[64]; } moved = {};
	static const char secret[] = "GET / HTTP/1.1\r\nCookie: CANARY";

	scrubbing_open(&s, GT_FLAG_BORN);
	for (uint64_t id = 1; id <= LIMIT_CONNS + 10; id++) {
		moved.data = (struct gt_data_event){
			.event = { .conn_id = id, .type = GT_EVENT_DATA },
			.len = sizeof(secret) - 1, .captured_len = sizeof(secret) - 1,
		};
		memcpy(moved.data.bytes, secret, sizeof(secret));
		scrubber_event(s.scrubber, &moved.data.event);
		cr_assert_null(memmem(moved.data.bytes, sizeof(secret), "CANARY", 6), "connection %zu", (size_t)id);
	}
}

/* --- what a replay needs -------------------------------------------------------- */

/* Every literal in http_field(head, "NAME", ...) of these sources. */
static size_t check_fields_read_in(const char *path)
{
	_cleanup_(fclosep) FILE *file = fopen(path, "re");
	char line[512], name[64];
	size_t count = 0;

	cr_assert_not_null(file, "%s", path);
	while (fgets(line, sizeof(line), file)) {
		const char *call = strstr(line, "http_field(");

		if (!call || sscanf(call, "http_field(%*[^,\"], \"%63[^\"]\"", name) != 1)
			continue;
		cr_expect(scrub_keeps_field(slice_of(name)), "%s reads '%s', and scrubbing overwrites it", path, name);
		count++;
	}
	return count;
}

Test(scrub, every_field_whose_value_is_read_is_kept)
{
	static const char *const ids[] = { "x-request-id", "request-id", "apim-request-id", "x-amzn-requestid", "CF-Ray",
					   "x-generation-id", "x-litellm-call-id", "X-Stainless-Lang", "Accept-Encoding",
					   "retry-after-ms", "traceparent", "content-length", "transfer-encoding" };
	glob_t found = {};
	size_t count = 0;

	cr_assert_eq(glob("userspace/[clew]*/*.c", 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++)
		count += check_fields_read_in(found.gl_pathv[i]);
	globfree(&found);
	cr_expect_geq(count, 4, "only %zu calls found: run from the top of the tree", count);
	for (size_t i = 0; i < ARRAY_SIZE(ids); i++)
		cr_expect(scrub_keeps_field(slice_of(ids[i])), "%s", ids[i]);
}

Test(scrub, secrets_are_no_fields_that_are_kept)
{
	static const char *const names[] = {
		"authorization", "Proxy-Authorization", "cookie", "set-cookie", "x-api-key", "api-key", "x-goog-api-key",
		"openai-organization", "x-amz-security-token", "sec-websocket-protocol", "sec-websocket-key", "referer",
		"location", "x-auth-token", "", "accep", "hosts", "x-forwarded-for",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		cr_expect_not(scrub_keeps_field(slice_of(names[i])), "%s", names[i]);
	cr_expect_not(scrub_keeps_parameter(SLICE("key")));
}
