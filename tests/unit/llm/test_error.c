/* SPDX-License-Identifier: Apache-2.0 */
#include "feed.h"

static const struct { const char *name, *body, *message, *type; bool is_text; } bodies[] = {
	{ "OpenAI", "{\"error\":{\"message\":\"Rate limit reached\",\"type\":\"requests\",\"param\":null,\"code\":\"rate_limit_exceeded\"}}",
	  "Rate limit reached", "rate_limit_exceeded", false },
	{ "vLLM", "{\"error\":{\"message\":\"no such model\",\"type\":\"NotFoundError\",\"param\":\"model\",\"code\":404}}",
	  "no such model", "NotFoundError", false },
	{ "vLLM, older", "{\"object\":\"error\",\"message\":\"too long\",\"type\":\"BadRequestError\",\"param\":null,\"code\":400}",
	  "too long", "BadRequestError", false },
	{ "OpenRouter: only a numeric code", "{\"error\":{\"message\":\"m\",\"code\":402}}", "m", "402", false },
	{ "a text", "{\"error\":\"model not loaded\"}", "model not loaded", "", false },
	{ "FastAPI", "{\"detail\":\"Not Found\"}", "Not Found", "", false },
	{ "FastAPI's validation", "{\"detail\":[{\"loc\":[\"body\"],\"msg\":\"Field required\",\"type\":\"missing\"}]}", "Field required", "", false },
	{ "a message", "{\"message\":\"Unauthorized\",\"type\":\"auth\"}", "Unauthorized", "auth", false },
	{ "Gemini's array", "[{\"error\":{\"code\":400,\"message\":\"bad\",\"status\":\"INVALID_ARGUMENT\"}}]", "bad", "INVALID_ARGUMENT", false },
	{ "HTML", "<html>502 Bad Gateway</html>", "<html>502 Bad Gateway</html>", "", true },
	{ "JSON of no known form", "{\"oops\":1}", "{\"oops\":1}", "", true },
	{ "nothing", "", "", "", false },
};

Test(error, every_form_gives_message_and_type)
{
	for (size_t i = 0; i < ARRAY_SIZE(bodies); i++) {
		_cleanup_(call_free) struct call *call = feed_request(&openai_chat, "{\"messages\":[]}");

		feed_response(call, 429, bodies[i].body);
		cr_expect(call->is_error, "%s", bodies[i].name);
		cr_expect_str_eq(buf_text(&call->error_message), bodies[i].message, "%s", bodies[i].name);
		cr_expect_str_eq(buf_text(&call->error_type), bodies[i].type, "%s", bodies[i].name);
		cr_expect_eq(call->is_error_text, bodies[i].is_text, "%s", bodies[i].name);
		cr_expect_eq(call->marks, 0, "%s: an error page is no loss", bodies[i].name);
		cr_expect_eq(call->end, CALL_DONE, "%s", bodies[i].name);
		expect_json(dialect_output(&openai_chat, call), NULL, bodies[i].name, "output");
	}
}

Test(error, a_long_page_keeps_its_first_2_kib)
{
	_cleanup_(buf_done) struct buf page = BUF_INIT(16 * KiB);
	_cleanup_(call_free) struct call *call = feed_request(&openai_chat, "{\"messages\":[]}");

	for (int i = 0; i < 8000; i++)
		buf_add_char(&page, '<');
	feed_response(call, 502, buf_text(&page));
	cr_expect_eq(call->error_message.len, LIMIT_ERROR_TEXT);
}

static const struct { const char *name, *body; bool is_error; } answers[] = {
	{ "an error inside 200", "{\"error\":{\"message\":\"overloaded\"}}", true },
	{ "an error that is null", "{\"error\":null,\"choices\":[]}", false },
	{ "an error that is empty", "{\"error\":{},\"choices\":[]}", false },
	{ "a message is no error in 200", "{\"message\":\"x\",\"choices\":[]}", false },
};

Test(error, a_good_status_may_hold_one)
{
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		_cleanup_(call_free) struct call *call = feed_request(&openai_chat, "{\"messages\":[]}");

		feed_response(call, 200, answers[i].body);
		cr_expect_eq(call->is_error, answers[i].is_error, "%s", answers[i].name);
	}
}
