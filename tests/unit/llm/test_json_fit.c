/* SPDX-License-Identifier: Apache-2.0 */
#include "feed.h"

static const struct {
	const char *name, *in;
	size_t max;
	const char *want;	/* NULL: unchanged */
} cases[] = {
	{ "what fits stays", "{\"a\":\"0123456789\"}", 18, NULL },
	{ "the longest pays", "{\"a\":\"0123456789\",\"b\":\"xy\"}", 22, "{\"a\":\"01234\",\"b\":\"xy\"}" },
	{ "equals share", "[\"01234567\",\"abcdefgh\"]", 17, "[\"01234\",\"abcde\"]" },
	{ "escapes count as printed", "[\"\\n\\n\\n\\n\"]", 8, "[\"\\n\\n\"]" },
	{ "UTF-8 is not cut in two", "[\"\xe2\x82\xac\xe2\x82\xac\"]", 9, "[\"\xe2\x82\xac\"]" },
	{ "a string alone counts its own bytes", "\"0123\\n56789\"", 5, "\"0123\\n\"" },
	{ "a string alone is cut between characters", "\"\xe2\x82\xac\xe2\x82\xac\"", 5, "\"\xe2\x82\xac\"" },
	{ "nested strings are found", "{\"a\":[{\"b\":\"0123456789\"}]}", 20, "{\"a\":[{\"b\":\"0123\"}]}" },
	{ "numbers cannot be cut: the text's start is kept", "[1000,2000,3000]", 9, "\"[1000,200\"" },
};

Test(json_fit, keeps_json_and_reaches_the_size)
{
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		cJSON *json = cJSON_Parse(cases[i].in);
		bool is_cut = json_fit(&json, cases[i].max);

		cr_expect_eq(is_cut, cases[i].want != NULL, "%s", cases[i].name);
		expect_json(json, cases[i].want ? cases[i].want : cases[i].in, cases[i].name, "value");
	}
}

Test(json_fit, reaches_every_size)
{
	static const char text[] = "{\"a\":\"some \\\"text\\\"\",\"b\":[\"\xc3\xa9\xc3\xa9\xc3\xa9\",1,{\"c\":\"\\u0001x\"}]}";

	for (size_t max = 0; max <= sizeof(text); max++) {
		_cleanup_(json_freep) cJSON *json = cJSON_Parse(text);
		_cleanup_(freep) char *got = NULL;

		json_fit(&json, max);
		got = cJSON_IsString(json) ? strdup(json->valuestring) : cJSON_PrintUnformatted(json);
		cr_expect_leq(strlen(got), max, "to %zu bytes: %s", max, got);
	}
}

Test(json_fit, absent_stays_absent)
{
	cJSON *json = NULL;

	cr_expect_not(json_fit(&json, 10));
	cr_expect_null(json);
}
