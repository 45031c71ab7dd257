/* SPDX-License-Identifier: Apache-2.0 */
/*
 * `gentap ship`: an exporter without anything to export sends what the store
 * holds unsent, as it does when a capture begins. Ctrl-C is safe at any time:
 * what is acknowledged is marked, batch by batch.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/say.h"

enum { SHIP_MS = 3600 * 1000 };	/* a store at its limit over a slow line */

static int say_shipped(const struct exporter_totals *totals, bool is_json)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(SAY_TEXT_MAX);
	uint64_t refused = totals->losses[LOSS_REFUSED];
	cJSON *object;

	if (is_json) {
		object = cJSON_CreateObject();
		cJSON_AddNumberToObject(object, "sent", (double)totals->sent);
		cJSON_AddNumberToObject(object, "refused", (double)refused);
		json_line(object, &text);
		return say_result(&text);
	}
	buf_printf(&text, "%" PRIu64 " sent", totals->sent);
	if (refused)
		buf_printf(&text, ", %" PRIu64 " refused for good", refused);
	buf_add_char(&text, '\n');
	return say_result(&text);
}

static int ship(const struct settings *settings, const struct langfuse_options *langfuse, bool is_json)
{
	const struct sink_option sink = { .type = SINK_LANGFUSE };
	struct exporter_options options = {
		.store_path = settings_text(settings, SETTING_STORE),
		.sinks = &sink,
		.sink_count = 1,
		.langfuse = langfuse,
		.is_quiet = settings_flag(settings, SETTING_QUIET),
	};
	_cleanup_(freep) char *error = NULL;
	struct exporter *exporter = NULL;
	struct exporter_totals totals;
	int r;

	if (!options.store_path || access(options.store_path, F_OK) < 0)
		return fail(EXIT_FAILED, "no store at '%s' yet: `gentap attach` writes it",
			    options.store_path ? options.store_path : "");
	r = exporter_new(&exporter, &options, &error);
	if (r < 0)
		return fail(EXIT_FAILED, "%s", error ? error : strerror(-r));
	exporter_stop(&exporter, SHIP_MS, &totals);
	if (totals.unsent)
		return fail(EXIT_FAILED, "%" PRIu64 " sent, %" PRIu64 " still unsent: see `gentap doctor`",
			    totals.sent, totals.unsent);
	return say_shipped(&totals, is_json);
}

int ship_run(const struct options *options)
{
	_cleanup_(settings_done) struct settings settings = {};
	struct langfuse_options langfuse;
	int code = options_settings(options, &settings);

	if (code != EXIT_OK)
		return code;
	langfuse = settings_langfuse(&settings);
	if (!langfuse.public_key || !langfuse.secret_key)
		return fail(EXIT_USAGE, "shipping needs LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY");
	return ship(&settings, &langfuse, options->is_json);
}
