/* SPDX-License-Identifier: Apache-2.0 */
/* JSON for people: what fits a line stands on one, what does not is broken up. */
#include "llm/json.h"
#include "pretty.h"

enum { COLUMNS = 100, INDENT = 2 };

static void add_value(struct buf *ret, const cJSON *item, size_t indent);

static void add_inner(struct buf *ret, const cJSON *item, size_t indent)
{
	if (item->string)
		buf_printf(ret, "%*s\"%s\": ", (int)indent, "", item->string);
	else
		buf_printf(ret, "%*s", (int)indent, "");
	add_value(ret, item, indent);
}

static void add_value(struct buf *ret, const cJSON *item, size_t indent)
{
	_cleanup_(freep) char *text = cJSON_PrintUnformatted(item);
	bool is_object = cJSON_IsObject(item);
	const cJSON *inner;

	/* The outermost is always broken up. */
	if (!item->child || (indent && strlen(text) <= COLUMNS)) {
		buf_add_text(ret, text);
		return;
	}
	buf_add_text(ret, is_object ? "{\n" : "[\n");
	cJSON_ArrayForEach(inner, item) {
		add_inner(ret, inner, indent + INDENT);
		buf_add_text(ret, inner->next ? ",\n" : "\n");
	}
	buf_printf(ret, "%*s%s", (int)indent, "", is_object ? "}" : "]");
}

void pretty_json(const cJSON *json, struct buf *ret)
{
	add_value(ret, json, 0);
	buf_add_char(ret, '\n');
}
