/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/exports.h"

#include <string.h>
#include <unistd.h>

#include "cli/say.h"

static bool is_asked(const struct settings *settings, enum setting setting)
{
	return settings->values[setting].count && settings->values[setting].origin == ORIGIN_OPTION;
}

static int plan_sinks(struct exports *exports, enum exports_default when_not_asked)
{
	_cleanup_(buf_done) struct buf error = BUF_INIT(SETTINGS_TEXT_MAX);

	if (when_not_asked != EXPORTS_USUAL && !is_asked(exports->settings, SETTING_TO)) {
		exports->sinks.items[0].type = SINK_TERMINAL;
		exports->sinks.count = when_not_asked == EXPORTS_TERMINAL;
		return EXIT_OK;
	}
	if (settings_sinks(exports->settings, &exports->sinks, &error) < 0)
		return fail(EXIT_USAGE, "%s", buf_text(&error));
	return EXIT_OK;
}

static int plan_store(struct exports *exports, enum exports_default when_not_asked)
{
	const struct settings *settings = exports->settings;

	if (settings_flag(settings, SETTING_NO_STORE))
		return EXIT_OK;
	if (when_not_asked != EXPORTS_USUAL && !is_asked(settings, SETTING_STORE))
		return EXIT_OK;
	exports->store = settings_text(settings, SETTING_STORE);
	if (!exports->store)
		return fail(EXIT_USAGE, "no place for the store: set HOME or GENTAP_STORE, or use --no-store");
	return EXIT_OK;
}

static void warn_of_keys(const struct exports *exports)
{
	bool has_public = settings_text(exports->settings, SETTING_PUBLIC_KEY);
	bool has_secret = settings_text(exports->settings, SETTING_SECRET_KEY);

	if (has_public != has_secret && !settings_flag(exports->settings, SETTING_QUIET))
		say("warning: LANGFUSE_%s_KEY is set, but LANGFUSE_%s_KEY is not: nothing is sent to Langfuse",
		    has_public ? "PUBLIC" : "SECRET", has_public ? "SECRET" : "PUBLIC");
}

int exports_plan(struct exports *ret, const struct settings *settings, enum exports_default when_not_asked)
{
	int code;

	*ret = (struct exports){ .settings = settings };
	if (strcmp(settings_text(settings, SETTING_CONTENT), "none") == 0)
		return fail(EXIT_NOT_POSSIBLE, "--content none is not possible in this version yet: "
			    "use `--content metadata`, which keeps all text in the collector");
	code = plan_sinks(ret, when_not_asked);
	if (code != EXIT_OK)
		return code;
	if (when_not_asked == EXPORTS_USUAL)
		warn_of_keys(ret);
	return plan_store(ret, when_not_asked);
}

int exports_open(struct exports *exports, struct exporter **ret, uint64_t max_count,
		 const atomic_bool *is_hurried)
{
	const struct settings *settings = exports->settings;
	struct exporter_options options = {
		.sinks = exports->sinks.items,
		.sink_count = exports->sinks.count,
		.langfuse = exports->sinks.has_langfuse ? &exports->langfuse : NULL,
		.store_path = exports->store,
		.has_colour = say_has_colour(STDOUT_FILENO),
		.is_quiet = settings_flag(settings, SETTING_QUIET),
		.max_count = max_count,
		.flush_at = (unsigned)settings_number(settings, SETTING_FLUSH_AT),
		.flush_interval_ms = (unsigned)(settings_number(settings, SETTING_FLUSH_INTERVAL) * 1000),
		.is_hurried = is_hurried,
	};
	_cleanup_(freep) char *error = NULL;
	int r;

	exports->langfuse = settings_langfuse(settings);
	r = exporter_new(ret, &options, &error);
	if (r == 0)
		return EXIT_OK;
	/* A refusal is of a file here, not of the kernel: no case for exit 4. */
	return fail(EXIT_FAILED, "%s", error ? error : strerror(-r));
}
