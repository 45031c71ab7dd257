/* SPDX-License-Identifier: Apache-2.0 */
/* A tree that is only read is the same tree, in whichever memory it stands. */
#include <criterion/criterion.h>

#include "limits.h"
#include "llm/json.h"

static void expect_same(const char *name, struct slice in, bool is_quick)
{
	_cleanup_(json_freep) cJSON *owned = NULL, *parsed = NULL;
	_cleanup_(freep) char *want = NULL, *got = NULL;
	loss_set marks = 0, read_marks = 0;
	const cJSON *read;

	parsed = json_parse(in, 0, &marks);
	read = json_read(in, 0, &owned, &read_marks);
	want = parsed ? cJSON_PrintUnformatted(parsed) : NULL;
	got = read ? cJSON_PrintUnformatted(read) : NULL;
	cr_expect_eq(!want, !got, "%s", name);
	cr_expect(!want || strcmp(want, got) == 0, "%s: %.100s", name, got);
	cr_expect_eq(read_marks, marks, "%s", name);
	cr_expect_eq(owned == NULL, is_quick, "%s: which way it went", name);
}

/* An array of so many members of so many bytes each. */
static void expect_array(const char *name, size_t count, size_t len, bool is_quick)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(4 * LIMIT_JSON_SCRATCH);

	buf_add_char(&text, '[');
	for (size_t i = 0; i < count; i++) {
		buf_add_text(&text, i ? ",\"" : "\"");
		for (size_t n = 0; n < len; n++)
			buf_add_char(&text, 'x');
		buf_add_char(&text, '"');
	}
	buf_add_char(&text, ']');
	expect_same(name, buf_slice(&text), is_quick);
}

Test(json_scratch, what_fits_stands_there_and_what_does_not_elsewhere)
{
	expect_array("small", 3, 10, true);
	expect_array("a text that is too long", 1, LIMIT_JSON_SCRATCH / 4, false);
	expect_array("too many values", LIMIT_JSON_SCRATCH / 64, 1, false);
	expect_array("and a small one behind it", 3, 10, true);
	expect_same("no JSON", SLICE("[1,"), true);
	expect_same("escapes that may be repaired", SLICE("[\"\\ud800\"]"), false);
}
