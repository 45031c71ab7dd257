/* SPDX-License-Identifier: Apache-2.0 */
#include "feed.h"

#define TEXT	LOSS_BIT(LOSS_BAD_TEXT)
#define CUT	LOSS_BIT(LOSS_CONTENT_TRUNCATED)
#define BAD	LOSS_BIT(LOSS_BAD_JSON)
#define FFFD	"\xef\xbf\xbd"

static void expect_parse(const char *name, struct slice in, unsigned flags, const char *want,
			 loss_set want_marks)
{
	loss_set marks = 0;

	expect_json(json_parse(in, flags, &marks), want, name, "value");
	cr_expect_eq(marks, want_marks, "%s: marks are %#lx, not %#lx", name,
		     (unsigned long)marks, (unsigned long)want_marks);
}

static const struct {
	const char *name;
	struct slice in;
	const char *want;	/* JSON; NULL: does not parse */
	loss_set marks;
} repairs[] = {
	{ "plain text stays", SLICE("{\"a\":\"\xc3\xa9\\u00e9\\n\"}"), "{\"a\":\"\xc3\xa9\xc3\xa9\\n\"}", 0 },
	{ "a surrogate pair stays", SLICE("\"\\ud83d\\ude00\""), "\"\xf0\x9f\x98\x80\"", 0 },
	{ "an escaped NUL is replaced", SLICE("[\"a\\u0000b\"]"), "[\"a" FFFD "b\"]", TEXT },
	{ "an escaped backslash before u0000 is text", SLICE("[\"a\\\\u0000b\"]"), "[\"a\\\\u0000b\"]", 0 },
	{ "a raw NUL is replaced", SLICE("[\"a\0b\"]"), "[\"a" FFFD "b\"]", TEXT },
	{ "a raw NUL in a key is replaced", SLICE("{\"a\0b\":1}"), "{\"a" FFFD "b\":1}", TEXT },
	{ "a lone high surrogate is replaced", SLICE("\"x\\ud83dy\""), "\"x" FFFD "y\"", TEXT },
	{ "a lone low surrogate is replaced", SLICE("\"\\uDE00\""), "\"" FFFD "\"", TEXT },
	{ "two high surrogates are two", SLICE("\"\\ud83d\\ud83d\""), "\"" FFFD FFFD "\"", TEXT },
	{ "invalid UTF-8 is replaced", SLICE("\"a\xff" "b\""), "\"a" FFFD "b\"", TEXT },
	{ "raw newlines are taken", SLICE("\"a\nb\""), "\"a\\nb\"", 0 },
	{ "Python's NaN is null", SLICE("{\"a\":NaN,\"b\":-Infinity}"), "{\"a\":null,\"b\":null}", TEXT },
	{ "a BOM is skipped", SLICE("\xef\xbb\xbf{}"), "{}", 0 },
	{ "white space comes first", SLICE("\n\n \r\n{}"), "{}", 0 },
	{ "what follows the value is ignored", SLICE("{\"a\":1}\nrest"), "{\"a\":1}", 0 },
	{ "HTML is no JSON", SLICE("<html>"), NULL, BAD },
	{ "nothing is no JSON", SLICE(""), NULL, BAD },
	{ "an unfinished text is no JSON", SLICE("{\"a\":1"), NULL, BAD },
	{ "crossed brackets are no JSON", SLICE("{\"a\":[1}]"), NULL, BAD },
	{ "a closer alone is no JSON", SLICE("]"), NULL, BAD },
	{ "a bad escape is no JSON", SLICE("\"\\x\""), NULL, BAD },
};

Test(json_clean, repairs_what_cjson_would_misread)
{
	for (size_t i = 0; i < ARRAY_SIZE(repairs); i++)
		expect_parse(repairs[i].name, repairs[i].in, 0, repairs[i].want, repairs[i].marks);
}

static const struct { const char *name, *in, *want; } cuts[] = {
	{ "in a string", "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hel",
	  "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":\"Hel\"}]}" },
	{ "in an escape", "[\"a\\u00", "[\"a\"]" },
	{ "after a backslash", "[\"a\\", "[\"a\"]" },
	{ "in a UTF-8 sequence", "[\"a\xe2\x82", "[\"a\"]" },
	{ "in a key", "{\"a\":1,\"mod", "{\"a\":1}" },
	{ "after a key", "{\"a\":1,\"model\"", "{\"a\":1}" },
	{ "after a colon", "{\"a\":1,\"model\":", "{\"a\":1}" },
	{ "in a number", "{\"a\":1,\"n\":12", "{\"a\":1}" },
	{ "in a literal", "[true,fal", "[true]" },
	{ "after a comma", "[1,2,", "[1,2]" },
	{ "after an opener", "{\"a\":[{", "{\"a\":[{}]}" },
	{ "after a closer", "{\"a\":[1]", "{\"a\":[1]}" },
	{ "in the first key", "{\"a", "{}" },
};

Test(json_clean, closes_what_a_cut_left_open)
{
	for (size_t i = 0; i < ARRAY_SIZE(cuts); i++)
		expect_parse(cuts[i].name, slice_of(cuts[i].in), JSON_CUT, cuts[i].want, CUT);
}

Test(json_clean, every_cut_of_a_request_parses)
{
	static const char text[] = "{\"model\":\"m\",\"messages\":[{\"role\":\"user\",\"content\":"
		"\"a\\\"b\\ud83d\\ude00\xe2\x82\xac\"},{\"x\":[1.5e3,true,null,{}]}],\"n\":2}";

	for (size_t cut = 1; cut < sizeof(text); cut++) {
		loss_set marks = 0;
		_cleanup_(json_freep) cJSON *json = json_parse((struct slice){ text, cut }, JSON_CUT, &marks);

		cr_expect(cJSON_IsObject(json), "cut at %zu", cut);
		cr_expect_eq(marks, cut == sizeof(text) - 1 ? 0 : CUT, "cut at %zu: marks %#lx",
			     cut, (unsigned long)marks);
	}
}

Test(json_clean, takes_512_levels_and_refuses_10000)
{
	static const struct { size_t depth; bool is_taken; } depths[] = {
		{ LIMIT_JSON_DEPTH, true }, { LIMIT_JSON_DEPTH + 1, false }, { 10000, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(depths); i++) {
		_cleanup_(buf_done) struct buf text = BUF_INIT(32 * KiB);
		_cleanup_(json_freep) cJSON *json = NULL;
		loss_set marks = 0;

		for (size_t n = 0; n < depths[i].depth; n++)
			buf_add_char(&text, '[');
		for (size_t n = 0; n < depths[i].depth; n++)
			buf_add_char(&text, ']');
		json = json_parse(buf_slice(&text), 0, &marks);
		cr_expect_eq(json != NULL, depths[i].is_taken, "%zu levels", depths[i].depth);
		cr_expect_eq(marks, depths[i].is_taken ? 0 : BAD, "%zu levels", depths[i].depth);
	}
}

Test(json_clean, refuses_more_values_than_the_limit)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(2 * LIMIT_JSON_VALUES + 16);
	loss_set marks = 0;

	buf_add_char(&text, '[');
	for (size_t i = 0; i < LIMIT_JSON_VALUES; i++)
		buf_add_text(&text, "0,");
	buf_add_text(&text, "0]");
	cr_expect_null(json_parse(buf_slice(&text), 0, &marks));
	cr_expect_eq(marks, BAD);
}

/* @prefix, then @n letters, as the value of @key; what it becomes is returned. */
static char *value_of(const char *key, const char *prefix, char letter, size_t n, unsigned flags)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(64 * KiB);
	_cleanup_(json_freep) cJSON *json = NULL;
	loss_set marks = 0;

	buf_printf(&text, "{\"%s\":\"%s", key, prefix);
	for (size_t i = 0; i < n; i++)
		buf_add_char(&text, letter);
	buf_add_text(&text, "\"}");
	json = json_parse(buf_slice(&text), flags, &marks);
	return strdup(json_string(json, key));
}

static const struct {
	const char *name, *key, *prefix;
	size_t n;
	const char *want;	/* NULL: stays as it is */
} base64s[] = {
	/* printf 'A%.0s' {1..2000} | sha256sum */
	{ "an image", "url", "data:image/png;base64,", 2000,
	  "[omitted image/png, 2000 bytes base64, sha256 ccca685709aa9e68]" },
	{ "audio data", "data", "", 2000, "[omitted data, 2000 bytes base64, sha256 ccca685709aa9e68]" },
	{ "SGLang's image", "image_data", "", 2000, "[omitted data, 2000 bytes base64, sha256 ccca685709aa9e68]" },
	{ "a type that is no type", "url", "data:<b>;base64,", 2000,
	  "[omitted data, 2000 bytes base64, sha256 ccca685709aa9e68]" },
	{ "a small image", "url", "data:image/png;base64,", 900, NULL },
	{ "a long word in a prompt", "content", "", 2000, NULL },
	{ "data that is text", "data", "two words ", 2000, NULL },
};

Test(json_clean, long_base64_becomes_a_note_and_long_text_does_not)
{
	for (size_t i = 0; i < ARRAY_SIZE(base64s); i++) {
		_cleanup_(freep) char *got = value_of(base64s[i].key, base64s[i].prefix, 'A',
						      base64s[i].n, JSON_OMIT_BASE64);
		_cleanup_(freep) char *whole = value_of(base64s[i].key, base64s[i].prefix, 'A',
							base64s[i].n, 0);

		cr_expect_str_eq(got, base64s[i].want ? base64s[i].want : whole, "%s", base64s[i].name);
		cr_expect_eq(strlen(whole), strlen(base64s[i].prefix) + base64s[i].n, "%s", base64s[i].name);
	}
}
