/* SPDX-License-Identifier: Apache-2.0 */
/* `gentap config`: every setting, its value and where it came from. */
#include <string.h>

#include "cli/commands.h"
#include "llm/json.h"
#include "cli/say.h"

extern char **environ;

static const char *const origin_names[] = {
	[ORIGIN_DEFAULT] = "default",
	[ORIGIN_FILE] = "file",
	[ORIGIN_ENVIRONMENT] = "environment",
	[ORIGIN_OPTION] = "option",
};

static bool is_read(const char *name, size_t len)
{
	for (enum setting i = 0; i < SETTING_COUNT; i++) {
		const struct setting_spec *spec = setting_spec(i);

		for (size_t e = 0; e < ARRAY_SIZE(spec->env) && spec->env[e]; e++)
			if (strlen(spec->env[e]) == len && strncmp(spec->env[e], name, len) == 0)
				return true;
	}
	return false;
}

/* The name's length when @entry sets a variable of Langfuse that is not read. */
static size_t unread_variable(const char *entry)
{
	size_t len = strcspn(entry, "=");

	return strncmp(entry, "LANGFUSE_", 9) == 0 && !is_read(entry, len) ? len : 0;
}

static cJSON *value_json(enum setting setting, const struct setting_value *value)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(SETTINGS_TEXT_MAX);
	cJSON *array;

	if (!setting_spec(setting)->is_list) {
		setting_show(setting, value->values[0], &text);
		return cJSON_CreateString(buf_text(&text));
	}
	array = cJSON_CreateArray();
	for (size_t i = 0; i < value->count; i++)
		cJSON_AddItemToArray(array, cJSON_CreateString(value->values[i]));
	return array;
}

static void config_json(const struct settings *settings, struct buf *ret)
{
	cJSON *config = cJSON_CreateObject(), *entries = cJSON_AddObjectToObject(config, "settings"), *unread;

	for (enum setting i = 0; i < SETTING_COUNT; i++) {
		const struct setting_value *value = &settings->values[i];
		cJSON *entry = cJSON_AddObjectToObject(entries, setting_spec(i)->name);

		if (!value->count)	/* absent means unset */
			continue;
		cJSON_AddItemToObject(entry, "value", value_json(i, value));
		cJSON_AddStringToObject(entry, "origin", origin_names[value->origin]);
		if (value->where)
			cJSON_AddStringToObject(entry, "where", value->where);
	}
	unread = cJSON_AddArrayToObject(config, "noEffect");
	for (char **entry = environ; *entry; entry++) {
		size_t len = unread_variable(*entry);
		char name[128];

		if (len && snprintf(name, sizeof(name), "%.*s", (int)len, *entry) > 0)
			cJSON_AddItemToArray(unread, cJSON_CreateString(name));
	}
	json_line(config, ret);
}

static void add_setting(enum setting setting, const struct setting_value *value, struct buf *ret)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(SETTINGS_TEXT_MAX);

	for (size_t i = 0; i < value->count; i++) {
		buf_add_text(&text, i ? ", " : "");
		setting_show(setting, value->values[i], &text);
	}
	if (!value->count)
		buf_add_char(&text, '-');
	buf_printf(ret, "%-24s %-32s %s\n", setting_spec(setting)->name, buf_text(&text),
		   value->where ? value->where : value->count ? origin_names[value->origin] : "unset");
}

static void config_text(const struct settings *settings, struct buf *ret)
{
	for (enum setting i = 0; i < SETTING_COUNT; i++)
		add_setting(i, &settings->values[i], ret);
	for (char **entry = environ; *entry; entry++) {
		size_t len = unread_variable(*entry);

		if (len)
			buf_printf(ret, "%.*s is set and has no effect here\n", (int)len, *entry);
	}
}

/* The default of `to` depends on other settings, so it is not in their table. */
static void put_default_sinks(struct settings *settings)
{
	_cleanup_(buf_done) struct buf error = BUF_INIT(SETTINGS_TEXT_MAX);
	const char *where = origin_names[ORIGIN_DEFAULT];
	struct sinks sinks;

	if (settings->values[SETTING_TO].count || settings_sinks(settings, &sinks, &error) < 0)
		return;
	settings_put(settings, SETTING_TO, "terminal", ORIGIN_DEFAULT, where, &error);
	if (sinks.has_langfuse)
		settings_put(settings, SETTING_TO, "langfuse", ORIGIN_DEFAULT, where, &error);
}

int config_run(const struct options *options)
{
	_cleanup_(settings_done) struct settings settings = {};
	_cleanup_(buf_done) struct buf text = BUF_INIT(SAY_TEXT_MAX);
	int code = options_settings(options, &settings);

	if (code != EXIT_OK)
		return code;
	put_default_sinks(&settings);
	if (options->is_json)
		config_json(&settings, &text);
	else
		config_text(&settings, &text);
	return say_result(&text);
}
