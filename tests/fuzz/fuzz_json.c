/* SPDX-License-Identifier: Apache-2.0 */
/* JSON from the wire: repaired text parses or is refused, and fits where it must. */
#include "fuzz.h"
#include "limits.h"
#include "llm/json.h"

static void check_fit(cJSON *json, size_t max)
{
	_cleanup_(json_freep) cJSON *fitted = json;
	_cleanup_(freep) char *text = NULL;

	json_fit(&fitted, max);
	text = fitted ? cJSON_PrintUnformatted(fitted) : NULL;
	/* A text by itself is measured without its quotes and escapes. */
	if (fitted && !cJSON_IsString(fitted))
		FUZZ_CHECK(!text || strlen(text) <= max);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct fuzz fuzz = { { (const char *)data, size } };
	size_t max = 16 + fuzz_byte(&fuzz);
	unsigned flags = fuzz_byte(&fuzz) & (JSON_CUT | JSON_OMIT_BASE64);
	_cleanup_(json_freep) cJSON *owned = NULL;
	_cleanup_(freep) char *read_text = NULL, *parsed_text = NULL;
	loss_set marks = 0, read_marks = 0;
	cJSON *parsed = json_parse(fuzz.in, flags, &marks);
	const cJSON *read;

	parsed_text = parsed ? cJSON_PrintUnformatted(parsed) : NULL;
	FUZZ_CHECK(parsed || (marks & LOSS_BIT(LOSS_BAD_JSON)));
	check_fit(parsed, max);
	/* The quick way gives the same tree. */
	read = json_read(fuzz.in, flags, &owned, &read_marks);
	read_text = read ? cJSON_PrintUnformatted(read) : NULL;
	FUZZ_CHECK(!read_text == !parsed_text && read_marks == marks);
	FUZZ_CHECK(!read_text || strcmp(read_text, parsed_text) == 0);
	return 0;
}
