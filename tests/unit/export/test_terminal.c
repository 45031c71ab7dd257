/* SPDX-License-Identifier: Apache-2.0 */
/* What people read: aligned, cut to the width, and harmless whatever the wire said. */
#include <criterion/criterion.h>

#include <time.h>

#include "base/text.h"
#include "export/columns.h"
#include "export/terminal.h"
#include "limits.h"

static void set_zone(void)
{
	setenv("TZ", "UTC-1", 1);
	tzset();
}

TestSuite(terminal, .init = set_zone);

static const struct terminal_options plain = { .width = 0 };

typedef void (*print_fn)(const struct terminal_options *, const cJSON *, struct buf *);

static const char *print(print_fn fn, const struct terminal_options *options, const char *json)
{
	static struct buf text = BUF_INIT(MiB);
	cJSON *line = cJSON_Parse(json);

	cr_assert(line, "the test's own JSON is broken: %s", json);
	buf_reset(&text);
	fn(options, line, &text);
	cJSON_Delete(line);
	return buf_text(&text);
}

#define WHOLE(output)											\
	"{\"type\":\"generation\",\"id\":\"eee19b7ec3c1b174\",\"traceId\":\"5b8efff798038103d269b633813fc60c\","	\
	"\"name\":\"OpenAI-generation\",\"startTime\":\"2026-11-18T11:06:40.012000000Z\","		\
	"\"endTime\":\"2026-11-18T11:06:41.432000000Z\",\"model\":\"gpt-4o-mini-2024-07-18\","		\
	"\"modelParameters\":{\"temperature\":0.2,\"stop\":\"x\"},\"role\":\"client\",\"level\":\"DEFAULT\","	\
	"\"input\":[{\"role\":\"system\",\"content\":\"Be terse.\\nAnd kind.\"},"				\
	"{\"role\":\"user\",\"content\":[{\"type\":\"text\",\"text\":\"Hi?\"},{\"type\":\"image_url\"}]}],"	\
	"\"output\":" output ",\"usageDetails\":{\"input\":20,\"input_cached_tokens\":100,\"output\":20,"	\
	"\"output_reasoning_tokens\":10,\"total\":150},\"finishReason\":\"stop\","			\
	"\"http\":{\"method\":\"POST\",\"host\":\"api.example\",\"path\":\"/v1/chat/completions\",\"status\":200},"	\
	"\"process\":{\"pid\":4242,\"comm\":\"uvicorn\"},\"timing\":{\"ttftMs\":310.0,\"tpotMs\":20.0},"	\
	"\"evidence\":{\"usage\":\"reported\",\"complete\":true,\"reasons\":[]}}"

Test(terminal, lines_show_what_is_known_and_a_dash_for_the_rest)
{
	static const struct { const char *name, *json, *want; } cases[] = {
		{ "a whole generation", WHOLE("\"Sure.\\nHere\""),
		  "12:06:40.012 uvicorn[4242]        → gpt-4o-mini-2024-07-18   200      310ms   50.0      120→30   1.42s Sure. Here\n" },
		{ "nothing known", "{}",
		  "-            -                    - -                        -            -      -           -       -\n" },
		{ "a message as output", WHOLE("{\"role\":\"assistant\",\"content\":\"Hello\"}"),
		  "12:06:40.012 uvicorn[4242]        → gpt-4o-mini-2024-07-18   200      310ms   50.0      120→30   1.42s Hello\n" },
		{ "tool calls as output",
		  WHOLE("{\"content\":null,\"tool_calls\":[{\"function\":{\"name\":\"a\"}},{\"function\":{\"name\":\"b\"}}]}"),
		  "12:06:40.012 uvicorn[4242]        → gpt-4o-mini-2024-07-18   200      310ms   50.0      120→30   1.42s a(), b()\n" },
		{ "several choices", WHOLE("[{\"content\":\"first\"},{\"content\":\"second\"}]"),
		  "12:06:40.012 uvicorn[4242]        → gpt-4o-mini-2024-07-18   200      310ms   50.0      120→30   1.42s first\n" },
		{ "an error", "{\"level\":\"ERROR\",\"statusMessage\":\"Error code: 429\",\"http\":{\"status\":429},\"role\":\"server\"}",
		  "-            -                    ← -                        429          -      -           -       - Error code: 429\n" },
		{ "a cut stream", "{\"http\":{\"status\":200},\"output\":\"half\",\"evidence\":{\"complete\":false}}",
		  "-            -                    - -                        cut          -      -           -       - half\n" },
		{ "only output tokens", "{\"usageDetails\":{\"output\":5}}",
		  "-            -                    - -                        -            -      -         -→5       -\n" },
		{ "a long model and process", "{\"model\":\"a-very-long-name-of-a-model-indeed\",\"process\":{\"pid\":4194304,\"comm\":\"fifteen-letters\"}}",
		  "-            fifteen-letters[419… - a-very-long-name-of-a-m… -            -      -           -       -\n" },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		cr_expect_str_eq(print(terminal_line, &plain, cases[i].json), cases[i].want, "%s:\n%s", cases[i].name,
				 print(terminal_line, &plain, cases[i].json));
}

Test(terminal, heads_stand_above_their_columns)
{
	struct buf heads = BUF_INIT(KiB);

	terminal_heads(&plain, &heads);
	cr_expect_str_eq(buf_text(&heads),
		"TIME         PROCESS                MODEL                    STATUS    TTFT  TOK/S      IN→OUT    TOOK\n");
	buf_done(&heads);
}

Test(terminal, lines_keep_to_the_width_at_every_width)
{
	static const char *const outputs[] = {
		"\"The weather in Oslo is fine, and it will stay fine for the whole week, they say.\"",
		"\"天気はとても良いです。明日も良いでしょう。そう言われています。\"",
		"\"\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80\xf0\x9f\x98\x80 e\xcc\x81\xcc\x81\xcc\x81 ok\"",
	};

	for (size_t i = 0; i < ARRAY_SIZE(outputs); i++)
		for (unsigned width = 110; width < 200; width++) {
			struct terminal_options options = { .width = width };
			struct buf json = BUF_INIT(4 * KiB);
			const char *line;

			buf_printf(&json, WHOLE("%s"), outputs[i]);
			line = print(terminal_line, &options, buf_text(&json));
			cr_expect_leq(columns_of((struct slice){ line, strlen(line) - 1 }), width,
				      "output %zu, width %u: %s", i, width, line);
			cr_expect_eq(utf8_prefix(slice_of(line), SIZE_MAX), strlen(line));
			buf_done(&json);
		}
}

/* Each hostile piece must come out of every field without doing anything. */
static const char *const hostile[] = {
	"\\u001b[31mred", "\\u001b]0;title\\u0007", "\\u0007\\b", "\\u009b31m", "\\r\\nfake line", "\\u007f",
	"\\u202eright to left", "\\u2066isolate", "a\xff\xfe" "b", "\\t\\u000b\\f",
};

static void expect_harmless(const char *text, bool may_break, const char *name)
{
	cr_expect_null(strpbrk(text, "\x1b\x07\x08\x0b\x0c\x0d\x7f\t"), "%s: control in '%s'", name, text);
	cr_expect_null(strstr(text, "\xc2\x9b"), "%s: C1 in '%s'", name, text);
	cr_expect_null(strstr(text, "\xe2\x80\xae"), "%s: bidi in '%s'", name, text);
	cr_expect_null(strstr(text, "\xe2\x81\xa6"), "%s: bidi in '%s'", name, text);
	cr_expect_null(strchr(text, '\xff'), "%s: invalid UTF-8 in '%s'", name, text);
	cr_expect(may_break || strchr(text, '\n') == text + strlen(text) - 1, "%s: more than a line: '%s'", name, text);
}

Test(terminal, nothing_from_the_wire_reaches_the_terminal_unscrubbed)
{
	static const char *const shapes[] = {
		"{\"output\":\"%s\"}", "{\"output\":{\"role\":\"%s\",\"content\":\"%s\"}}", "{\"model\":\"%s\"}",
		"{\"process\":{\"comm\":\"%s\"}}", "{\"level\":\"ERROR\",\"statusMessage\":\"%s\"}", "{\"role\":\"%s\"}",
		"{\"output\":{\"tool_calls\":[{\"function\":{\"name\":\"%s\",\"arguments\":\"%s\"}}]}}",
		"{\"output\":{\"%s\":\"%s\"}}", "{\"input\":[{\"role\":\"%s\",\"content\":\"%s\"}]}",
		"{\"input\":{\"tools\":[\"%s\"],\"messages\":\"%s\"}}", "{\"name\":\"%s\",\"id\":\"%s\",\"traceId\":\"%s\"}",
		"{\"http\":{\"host\":\"%s\",\"path\":\"%s\",\"requestId\":\"%s\"}}", "{\"finishReason\":\"%s\"}",
		"{\"metadata\":{\"%s\":\"%s\"},\"modelParameters\":{\"%s\":\"%s\"},\"usageDetails\":{\"%s\":1}}",
		"{\"startTime\":\"%s\"}", "{\"evidence\":{\"reasons\":[\"%s\"]}}",
	};

	for (size_t i = 0; i < ARRAY_SIZE(shapes); i++)
		for (size_t k = 0; k < ARRAY_SIZE(hostile); k++) {
			const char *h = hostile[k];
			char json[1024], name[64];

#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat-extra-args"
			snprintf(json, sizeof(json), shapes[i], h, h, h, h, h);
#pragma GCC diagnostic pop
			snprintf(name, sizeof(name), "shape %zu, piece %zu", i, k);
			expect_harmless(print(terminal_line, &plain, json), false, name);
			expect_harmless(print(terminal_show, &plain, json), true, name);
		}
}

Test(terminal, only_our_own_colours_appear_and_only_when_asked)
{
	struct terminal_options colour = { .has_colour = true };
	const char *line = print(terminal_line, &colour, WHOLE("\"\\u001b[31mred\""));
	size_t escapes = 0, ours = 0;

	for (const char *at = line; (at = strchr(at, '\x1b')); at++) {
		escapes++;
		ours += strncmp(at, COLOUR_NONE, 4) == 0 || strncmp(at, COLOUR_DIM, 4) == 0 ||
			strncmp(at, COLOUR_BOLD, 4) == 0 || strncmp(at, COLOUR_GREEN, 5) == 0;
	}
	cr_expect_eq(escapes, 6, "time, model, status: each on and off");
	cr_expect_eq(ours, escapes);
	cr_expect_null(strchr(print(terminal_line, &plain, WHOLE("\"x\"")), '\x1b'));
}

Test(terminal, show_has_everything_and_keeps_line_breaks)
{
	const char *text = print(terminal_show, &plain,
		WHOLE("{\"role\":\"assistant\",\"content\":\"Line one\\n\\nLine three\",\"tool_calls\":[{\"function\":"
		      "{\"name\":\"get_weather\",\"arguments\":\"{\\\"city\\\":\\\"Oslo\\\"}\"}}]}"));

	cr_expect_str_eq(text,
		"OpenAI-generation eee19b7ec3c1b174\n"
		"  trace       5b8efff798038103d269b633813fc60c\n"
		"  time        2026-11-18 12:06:40.012, took 1.42s\n"
		"  process     uvicorn 4242 client\n"
		"  model       gpt-4o-mini-2024-07-18\n"
		"  parameters  temperature 0.2, stop x\n"
		"  http        POST api.example /v1/chat/completions 200\n"
		"  timing      ttftMs 310, tpotMs 20\n"
		"  usage       input 20, input_cached_tokens 100, output 20, output_reasoning_tokens 10, total 150\n"
		"  finish      stop\n"
		"  evidence    usage reported, complete true, reasons []\n"
		"\ninput\n"
		"  system\n    Be terse.\n    And kind.\n"
		"  user\n    Hi?\n    {\n     \"type\": \"image_url\"\n    }\n"
		"\noutput\n"
		"  assistant\n    Line one\n\n    Line three\n    get_weather({\"city\":\"Oslo\"})\n",
		"%s", text);
	text = print(terminal_show, &plain, "{\"statusMessage\":\"a\\nb\",\"output\":\"\"}");
	cr_expect_str_eq(text, "generation -\n\noutput\n\n\nmessage\n    a\n    b\n", "%s", text);
}
