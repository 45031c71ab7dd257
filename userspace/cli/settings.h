/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every setting, its value and where it came from: option > environment >
 * file > default. Values are kept as text and checked when they are put, so
 * that what reads them later cannot fail.
 */
#ifndef GENTAP_CLI_SETTINGS_H
#define GENTAP_CLI_SETTINGS_H

#include "base/buf.h"
#include "export/exporter.h"
#include "export/generation.h"

enum setting {
	SETTING_TO,
	SETTING_CONTENT,
	SETTING_MAX_CONTENT,
	SETTING_STORE,
	SETTING_NO_STORE,
	SETTING_STRICT,
	SETTING_QUIET,
	SETTING_VERBOSE,
	SETTING_ENVIRONMENT,
	SETTING_RELEASE,
	SETTING_PUBLIC_KEY,
	SETTING_SECRET_KEY,
	SETTING_BASE_URL,
	SETTING_ENABLED,
	SETTING_SAMPLE_RATE,
	SETTING_FLUSH_AT,
	SETTING_FLUSH_INTERVAL,
	SETTING_TIMEOUT,
	SETTING_EXPORT_PATH,
	SETTING_COUNT
};

/* Rising: a later one wins. */
enum origin { ORIGIN_DEFAULT, ORIGIN_FILE, ORIGIN_ENVIRONMENT, ORIGIN_OPTION };

enum secrecy { SECRECY_NONE, SECRECY_PREFIX, SECRECY_ALL };

enum { SETTING_VALUES = 8, SETTINGS_TEXT_MAX = 16 * 1024 };

struct setting_spec {
	const char *name;		/* of the option and of the key in the file; a dot nests */
	const char *help;
	const char *fallback;		/* the default; NULL: none, or computed */
	const char *env[3];		/* the first that is set counts */
	/* NULL when @value is good, else what is wanted instead. NULL: any text. */
	const char *(*check)(const char *value);
	enum secrecy secrecy;
	bool is_list;
	bool is_flag;			/* the option takes no argument */
};

const struct setting_spec *setting_spec(enum setting setting);
/* SETTING_COUNT when there is none of that name. */
enum setting setting_find(const char *name);

struct setting_value {
	char *values[SETTING_VALUES];	/* owned; more than one only when is_list */
	size_t count;			/* 0: unset */
	enum origin origin;
	char *where;			/* owned: "--to", "LANGFUSE_HOST", "FILE:3"; NULL by default */
};

struct settings {
	struct setting_value values[SETTING_COUNT];
	struct buf warnings;		/* lines for stderr */
};

/* Where what is read comes from; a test gives its own. */
struct settings_input {
	const char *(*getenv)(const char *name);
	bool is_root;
	const char *system_file;	/* /etc/gentap/gentap.yaml */
	const char *config;		/* --config: replaces both files; NULL unless given */
};

/* The defaults, the files, the environment. 0, -EINVAL for a bad value or
 * -errno for a file that cannot be read, and then a text in @error. */
int settings_load(struct settings *settings, const struct settings_input *input, struct buf *error);
/* The same, from this process's surroundings. */
int settings_load_here(struct settings *settings, const char *config, struct buf *error);
void settings_done(struct settings *settings);

/* Replaces the value unless it came from a higher origin; of the same origin,
 * a list with the same @where gets one more. 0, or -EINVAL and a text in @error
 * that begins with @where. */
int settings_put(struct settings *settings, enum setting setting, const char *value,
		 enum origin origin, const char *where, struct buf *error);

/* One YAML file (settings_file.c). As settings_load; -ENOENT when missing. */
int settings_read_file(struct settings *settings, const char *path, struct buf *error);

/* NULL when unset. */
const char *settings_text(const struct settings *settings, enum setting setting);
bool settings_flag(const struct settings *settings, enum setting setting);
uint64_t settings_bytes(const struct settings *settings, enum setting setting);
double settings_number(const struct settings *settings, enum setting setting);
enum content settings_content(const struct settings *settings);

/* What `config` shows of a value: never a secret. */
void setting_show(enum setting setting, const char *value, struct buf *ret);

/* Where generations go: the sinks, without doubles. The paths are borrowed from
 * @settings. 0, or -EINVAL and a text in @error. */
struct sinks {
	struct sink_option items[SETTING_VALUES];
	size_t count;
	bool has_langfuse;
};

int settings_sinks(const struct settings *settings, struct sinks *ret, struct buf *error);

/* Borrowed from @settings. */
struct langfuse_options settings_langfuse(const struct settings *settings);

#endif
