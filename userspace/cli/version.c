/* SPDX-License-Identifier: Apache-2.0 */
#include <cjson/cJSON.h>
#include <string.h>

#include "cli/commands.h"
#include "llm/json.h"
#include "cli/say.h"

/* What the build can make use of; `gentap doctor` says what is here. */
static const char *const built_for[] = {
	"BTF", "BPF ring buffer (5.8)", "bpf_loop (5.17)", "uprobe_multi (6.6)", "uprobe session (6.13)",
};

static void version_json(struct buf *ret)
{
	cJSON *version = cJSON_CreateObject(), *features;

	cJSON_AddStringToObject(version, "version", GENTAP_VERSION);
	if (*GENTAP_COMMIT)
		cJSON_AddStringToObject(version, "commit", GENTAP_COMMIT);
	features = cJSON_AddArrayToObject(version, "builtFor");
	for (size_t i = 0; i < ARRAY_SIZE(built_for); i++)
		cJSON_AddItemToArray(features, cJSON_CreateString(built_for[i]));
	json_line(version, ret);
}

int version_run(const struct options *options)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(SAY_TEXT_MAX);

	if (options->is_json) {
		version_json(&text);
		return say_result(&text);
	}
	buf_printf(&text, "gentap %s%s%s\nbuilt for: ", GENTAP_VERSION, *GENTAP_COMMIT ? ", commit " : "",
		   GENTAP_COMMIT);
	for (size_t i = 0; i < ARRAY_SIZE(built_for); i++)
		buf_printf(&text, "%s%s", i ? ", " : "", built_for[i]);
	buf_add_char(&text, '\n');
	return say_result(&text);
}
