/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The table of settings, their checks, the environment. The file's grammar is
 * in settings_file.c.
 */
#include "cli/settings.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "base/text.h"
#include "limits.h"

/* --- what a good value is -------------------------------------------------- */

static const char *check_flag(const char *value)
{
	return strcmp(value, "true") == 0 || strcmp(value, "false") == 0 ? NULL : "want true or false";
}

static const char *check_content(const char *value)
{
	static const char *const good[] = { "full", "metadata", "none" };

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		if (strcmp(value, good[i]) == 0)
			return NULL;
	return "want full or metadata";
}

static const char *check_max_content(const char *value)
{
	uint64_t bytes;

	if (text_parse_bytes(value, &bytes) < 0 || !bytes || bytes > LIMIT_CONTENT_MAX)
		return "want bytes, at most 4MiB: 262144, 256k, 1MiB";
	return NULL;
}

static const char *check_sink(const char *value)
{
	static const char *const good[] = { "terminal", "json", "langfuse", "none" };

	for (size_t i = 0; i < ARRAY_SIZE(good); i++)
		if (strcmp(value, good[i]) == 0)
			return NULL;
	if (strncmp(value, "jsonl:", 6) == 0)
		return value[6] ? NULL : "want a file after 'jsonl:'";
	if (strncmp(value, "otlp:", 5) == 0)
		return "otlp is not in this version yet: use langfuse, or jsonl:FILE";
	return "want terminal, json, jsonl:FILE, langfuse or none";
}

static const char *check_environment(const char *value)
{
	size_t len = strlen(value);
	bool is_good = len && len <= 40 && strncmp(value, "langfuse", 8) != 0;

	for (size_t i = 0; i < len; i++)
		is_good &= islower((unsigned char)value[i]) || isdigit((unsigned char)value[i]) ||
			   value[i] == '-' || value[i] == '_';
	return is_good ? NULL : "want at most 40 of a-z, 0-9, '-' and '_', not beginning with 'langfuse'";
}

static const char *check_url(const char *value)
{
	bool is_good = strncmp(value, "http://", 7) == 0 || strncmp(value, "https://", 8) == 0;

	for (const char *c = value; *c; c++)
		is_good &= !isspace((unsigned char)*c) && !iscntrl((unsigned char)*c);
	return is_good ? NULL : "want http://HOST or https://HOST";
}

/* The server splits what it gets at ':', and a header has no control characters. */
static const char *check_key(const char *value)
{
	for (const char *c = value; *c; c++)
		if (!isgraph((unsigned char)*c) || *c == ':')
			return "want the key as Langfuse shows it, without spaces or ':'";
	return NULL;
}

static bool is_number_in(const char *value, double least, double most)
{
	char *end;
	double number = strtod(value, &end);

	return end != value && !*end && number >= least && number <= most;
}

static const char *check_rate(const char *value)
{
	return is_number_in(value, 0, 1) ? NULL : "want a number from 0 to 1";
}

static const char *check_flush_at(const char *value)
{
	return is_number_in(value, 1, LIMIT_BATCH_GENERATIONS) && !strpbrk(value, ".eExX") ?
	       NULL : "want a whole number from 1 to 512";
}

static const char *check_seconds(const char *value)
{
	return is_number_in(value, 0.001, 3600) ? NULL : "want seconds, from 0.001 to 3600";
}

static const char *check_path(const char *value)
{
	return *value ? NULL : "want a path";
}

/* --- the table ------------------------------------------------------------- */

static const struct setting_spec specs[SETTING_COUNT] = {
	[SETTING_TO] = { "to", "where generations go: terminal, json, jsonl:FILE, langfuse, none; may be given "
		"several times; default: terminal, and langfuse when its two keys are set",
		.check = check_sink, .is_list = true },
	[SETTING_CONTENT] = { "content", "full, or metadata: no input or output text leaves the collector",
		.fallback = "full", .check = check_content },
	[SETTING_MAX_CONTENT] = { "max-content", "longest input or output text kept; what is cut is marked",
		.fallback = "256KiB", .check = check_max_content },
	[SETTING_STORE] = { "store", "the local store", .env = { "GENTAP_STORE" }, .check = check_path },
	[SETTING_NO_STORE] = { "no-store", "do not write the local store", .fallback = "false",
		.check = check_flag, .is_flag = true },
	[SETTING_STRICT] = { "strict", "exit 5 if anything was lost, dropped or truncated", .fallback = "false",
		.check = check_flag, .is_flag = true },
	[SETTING_QUIET] = { "quiet", "only errors and the closing line on stderr", .fallback = "false",
		.check = check_flag, .is_flag = true },
	[SETTING_VERBOSE] = { "verbose", "more on stderr: which probe went where, and why", .fallback = "false",
		.env = { "LANGFUSE_DEBUG" }, .check = check_flag, .is_flag = true },
	[SETTING_ENVIRONMENT] = { "environment", "Langfuse environment of the generations",
		.env = { "LANGFUSE_TRACING_ENVIRONMENT" }, .check = check_environment },
	[SETTING_RELEASE] = { "release", "release of the traced program", .env = { "LANGFUSE_RELEASE" } },
	[SETTING_PUBLIC_KEY] = { "langfuse.public-key", "public key of the project",
		.env = { "LANGFUSE_PUBLIC_KEY" }, .check = check_key, .secrecy = SECRECY_PREFIX },
	[SETTING_SECRET_KEY] = { "langfuse.secret-key", "secret key of the project",
		.env = { "LANGFUSE_SECRET_KEY" }, .check = check_key, .secrecy = SECRECY_ALL },
	[SETTING_BASE_URL] = { "langfuse.base-url", "where Langfuse is", .fallback = "https://cloud.langfuse.com",
		.env = { "LANGFUSE_BASE_URL", "LANGFUSE_HOST" }, .check = check_url },
	[SETTING_ENABLED] = { "langfuse.enabled", "false: send nothing unless --to langfuse says so",
		.fallback = "true", .env = { "LANGFUSE_TRACING_ENABLED" }, .check = check_flag },
	[SETTING_SAMPLE_RATE] = { "langfuse.sample-rate", "share of the traces that is kept",
		.fallback = "1", .env = { "LANGFUSE_SAMPLE_RATE" }, .check = check_rate },
	[SETTING_FLUSH_AT] = { "langfuse.flush-at", "generations that make a full batch", .fallback = "512",
		.env = { "LANGFUSE_FLUSH_AT" }, .check = check_flush_at },
	[SETTING_FLUSH_INTERVAL] = { "langfuse.flush-interval", "seconds until a batch goes that is not full",
		.fallback = "5", .env = { "LANGFUSE_FLUSH_INTERVAL" }, .check = check_seconds },
	/* The SDK's 5 s lets a request that did arrive be sent again. */
	[SETTING_TIMEOUT] = { "langfuse.timeout", "seconds that a request may take", .fallback = "30",
		.env = { "LANGFUSE_TIMEOUT" }, .check = check_seconds },
	[SETTING_EXPORT_PATH] = { "langfuse.export-path", "below the base URL",
		.fallback = "api/public/otel/v1/traces",
		.env = { "LANGFUSE_OTEL_TRACES_EXPORT_PATH" }, .check = check_path },
};

/* What a build system says, in the order of the Python SDK. */
static const char *const release_variables[] = {
	"RENDER_GIT_COMMIT", "CI_COMMIT_SHA", "CIRCLE_SHA1", "SOURCE_VERSION", "TRAVIS_COMMIT",
	"GIT_COMMIT", "GITHUB_SHA", "BITBUCKET_COMMIT", "BUILD_SOURCEVERSION", "DRONE_COMMIT_SHA",
};

const struct setting_spec *setting_spec(enum setting setting)
{
	assert(setting < SETTING_COUNT);
	return &specs[setting];
}

enum setting setting_find(const char *name)
{
	enum setting i = 0;

	while (i < SETTING_COUNT && strcmp(specs[i].name, name) != 0)
		i++;
	return i;
}

/* --- putting --------------------------------------------------------------- */

static void clear(struct setting_value *value)
{
	for (size_t i = 0; i < value->count; i++)
		free(value->values[i]);
	free(value->where);
	*value = (struct setting_value){};
}

int settings_put(struct settings *settings, enum setting setting, const char *text,
		 enum origin origin, const char *where, struct buf *error)
{
	struct setting_value *value = &settings->values[setting];
	const struct setting_spec *spec = setting_spec(setting);
	const char *wanted = spec->check ? spec->check(text) : NULL;
	bool is_more = spec->is_list && value->count && value->origin == origin && value->where && where &&
		       strcmp(value->where, where) == 0;

	if (wanted && spec->secrecy != SECRECY_NONE)	/* the value itself is not for a screen */
		buf_printf(error, "%s: bad %s: %s", where, spec->name, wanted);
	else if (wanted)
		buf_printf(error, "%s: '%s': %s", where, text, wanted);
	if (wanted)
		return -EINVAL;
	if (value->count && value->origin > origin)
		return 0;
	if (!is_more)
		clear(value);
	if (value->count == SETTING_VALUES) {
		buf_printf(error, "%s: more than %d values", where, SETTING_VALUES);
		return -EINVAL;
	}
	value->origin = origin;
	if (where && !value->where)
		value->where = strdup(where);
	value->values[value->count] = strdup(text);
	if (!value->values[value->count] || (where && !value->where)) {
		buf_add_text(error, "out of memory");
		return -ENOMEM;
	}
	value->count++;
	return 0;
}

/* The SDK's flags are looser than ours: "1" is on, and only "false" is off. */
static const char *env_value(enum setting setting, const char *value)
{
	if (setting == SETTING_VERBOSE)
		return strcasecmp(value, "true") == 0 || strcmp(value, "1") == 0 ? "true" : "false";
	if (setting == SETTING_ENABLED)
		return strcasecmp(value, "false") == 0 ? "false" : "true";
	return value;
}

static int put_env(struct settings *settings, const struct settings_input *input,
		   enum setting setting, struct buf *error)
{
	const struct setting_spec *spec = setting_spec(setting);

	for (size_t i = 0; i < ARRAY_SIZE(spec->env) && spec->env[i]; i++) {
		const char *value = input->getenv(spec->env[i]);

		if (value && *value)
			return settings_put(settings, setting, env_value(setting, value), ORIGIN_ENVIRONMENT,
					    spec->env[i], error);
	}
	return 0;
}

/* --- defaults that are computed --------------------------------------------- */

/* "$NAME/@rest", or "$HOME/@home/@rest"; false when neither is set. */
static bool xdg_path(const struct settings_input *input, const char *name, const char *home,
		     const char *rest, struct buf *ret)
{
	const char *base = input->getenv(name);

	/* "All paths must be absolute", says the XDG specification; others are to be ignored. */
	if (base && *base == '/')
		return buf_printf(ret, "%s/%s", base, rest) == 0;
	base = input->getenv("HOME");
	return base && *base && buf_printf(ret, "%s/%s/%s", base, home, rest) == 0;
}

static int put_default_store(struct settings *settings, const struct settings_input *input, struct buf *error)
{
	_cleanup_(buf_done) struct buf path = BUF_INIT(SETTINGS_TEXT_MAX);

	if (input->is_root)
		buf_add_text(&path, "/var/lib/gentap/gentap.db");
	else if (!xdg_path(input, "XDG_STATE_HOME", ".local/state", "gentap/gentap.db", &path))
		return 0;
	return settings_put(settings, SETTING_STORE, buf_text(&path), ORIGIN_DEFAULT, NULL, error);
}

static int put_defaults(struct settings *settings, const struct settings_input *input, struct buf *error)
{
	int r = put_default_store(settings, input, error);

	for (enum setting i = 0; i < SETTING_COUNT && r == 0; i++)
		if (specs[i].fallback)
			r = settings_put(settings, i, specs[i].fallback, ORIGIN_DEFAULT, NULL, error);
	for (size_t i = 0; i < ARRAY_SIZE(release_variables) && r == 0; i++) {
		const char *value = input->getenv(release_variables[i]);

		if (value && *value)
			return settings_put(settings, SETTING_RELEASE, value, ORIGIN_DEFAULT,
					    release_variables[i], error);
	}
	return r;
}

/* --- loading --------------------------------------------------------------- */

/* One of the two default files. Without --config nobody asked for it: one that is
 * not there is none, one that may not be read is worth a warning. */
static int read_default(struct settings *settings, const char *path, struct buf *error)
{
	int r = settings_read_file(settings, path, error);

	if (r == -EACCES) {
		buf_printf(&settings->warnings, "%s: left out\n", buf_text(error));
		buf_reset(error);
	}
	return r == -ENOENT || r == -EACCES ? 0 : r;
}

static int read_files(struct settings *settings, const struct settings_input *input, struct buf *error)
{
	_cleanup_(buf_done) struct buf user = BUF_INIT(SETTINGS_TEXT_MAX);
	int r;

	if (input->config) {
		r = settings_read_file(settings, input->config, error);
		if (r == -ENOENT)
			buf_printf(error, "cannot read '%s': %s", input->config, strerror(-r));
		return r;
	}
	r = read_default(settings, input->system_file, error);
	if (r == 0 && xdg_path(input, "XDG_CONFIG_HOME", ".config", "gentap/gentap.yaml", &user))
		r = read_default(settings, buf_text(&user), error);
	return r;
}

int settings_load(struct settings *settings, const struct settings_input *input, struct buf *error)
{
	int r;

	*settings = (struct settings){ .warnings = BUF_INIT(SETTINGS_TEXT_MAX) };
	r = put_defaults(settings, input, error);
	if (r == 0)
		r = read_files(settings, input, error);
	for (enum setting i = 0; i < SETTING_COUNT && r == 0; i++)
		r = put_env(settings, input, i, error);
	return r;
}

static const char *real_getenv(const char *name)
{
	return getenv(name);
}

int settings_load_here(struct settings *settings, const char *config, struct buf *error)
{
	struct settings_input input = {
		.getenv = real_getenv,
		.is_root = geteuid() == 0,
		.system_file = "/etc/gentap/gentap.yaml",
		.config = config,
	};

	return settings_load(settings, &input, error);
}

void settings_done(struct settings *settings)
{
	for (enum setting i = 0; i < SETTING_COUNT; i++)
		clear(&settings->values[i]);
	buf_done(&settings->warnings);
}

/* --- reading --------------------------------------------------------------- */

const char *settings_text(const struct settings *settings, enum setting setting)
{
	return settings->values[setting].count ? settings->values[setting].values[0] : NULL;
}

bool settings_flag(const struct settings *settings, enum setting setting)
{
	const char *value = settings_text(settings, setting);

	return value && strcmp(value, "true") == 0;
}

uint64_t settings_bytes(const struct settings *settings, enum setting setting)
{
	uint64_t bytes = 0;
	int r = text_parse_bytes(settings_text(settings, setting), &bytes);

	assert(r == 0);
	(void)r;
	return bytes;
}

double settings_number(const struct settings *settings, enum setting setting)
{
	return strtod(settings_text(settings, setting), NULL);
}

enum content settings_content(const struct settings *settings)
{
	return strcmp(settings_text(settings, SETTING_CONTENT), "metadata") == 0 ? CONTENT_METADATA : CONTENT_FULL;
}

void setting_show(enum setting setting, const char *value, struct buf *ret)
{
	switch (setting_spec(setting)->secrecy) {
	case SECRECY_NONE:
		buf_add_text(ret, value);
		break;
	case SECRECY_PREFIX:
		buf_printf(ret, "%.6s...", value);
		break;
	case SECRECY_ALL:
		buf_add_text(ret, "set");
		break;
	}
}

/* --- sinks ----------------------------------------------------------------- */

static bool has_keys(const struct settings *settings)
{
	return settings_text(settings, SETTING_PUBLIC_KEY) && settings_text(settings, SETTING_SECRET_KEY);
}

static struct sink_option sink_of(const char *value)
{
	if (strcmp(value, "terminal") == 0)
		return (struct sink_option){ .type = SINK_TERMINAL };
	if (strcmp(value, "json") == 0)
		return (struct sink_option){ .type = SINK_JSON };
	if (strcmp(value, "langfuse") == 0)
		return (struct sink_option){ .type = SINK_LANGFUSE };
	return (struct sink_option){ .type = SINK_JSONL, .path = value + strlen("jsonl:") };
}

static bool has_sink(const struct sinks *sinks, const struct sink_option *sink)
{
	for (size_t i = 0; i < sinks->count; i++)
		if (sinks->items[i].type == sink->type &&
		    (sink->type != SINK_JSONL || strcmp(sinks->items[i].path, sink->path) == 0))
			return true;
	return false;
}

static void add_sink(struct sinks *sinks, struct sink_option sink)
{
	if (has_sink(sinks, &sink))
		return;
	sinks->items[sinks->count++] = sink;
	sinks->has_langfuse |= sink.type == SINK_LANGFUSE;
}

static void default_sinks(const struct settings *settings, struct sinks *ret)
{
	add_sink(ret, (struct sink_option){ .type = SINK_TERMINAL });
	if (has_keys(settings) && settings_flag(settings, SETTING_ENABLED))
		add_sink(ret, (struct sink_option){ .type = SINK_LANGFUSE });
}

static int check_sinks(const struct settings *settings, const struct sinks *sinks, struct buf *error)
{
	if (has_sink(sinks, &(struct sink_option){ .type = SINK_TERMINAL }) &&
	    has_sink(sinks, &(struct sink_option){ .type = SINK_JSON }))
		buf_add_text(error, "terminal and json both write to stdout: use jsonl:FILE for one of them");
	else if (sinks->has_langfuse && !has_keys(settings))
		buf_add_text(error, "langfuse needs LANGFUSE_PUBLIC_KEY and LANGFUSE_SECRET_KEY "
			     "(under sudo: `sudo --preserve-env=LANGFUSE_PUBLIC_KEY,LANGFUSE_SECRET_KEY ...`)");
	else
		return 0;
	return -EINVAL;
}

int settings_sinks(const struct settings *settings, struct sinks *ret, struct buf *error)
{
	const struct setting_value *to = &settings->values[SETTING_TO];
	const struct setting_value *enabled = &settings->values[SETTING_ENABLED];
	/* LANGFUSE_TRACING_ENABLED=false is stronger than a file's `to`, not than --to. */
	bool is_off = !settings_flag(settings, SETTING_ENABLED) && to->origin <= enabled->origin;
	struct sinks sinks = {};

	if (!to->count)
		default_sinks(settings, &sinks);
	for (size_t i = 0; i < to->count; i++) {
		if (strcmp(to->values[i], "none") == 0 && to->count > 1) {
			buf_add_text(error, "'none' and another sink contradict each other");
			return -EINVAL;
		}
		if (strcmp(to->values[i], "none") == 0 || (is_off && strcmp(to->values[i], "langfuse") == 0))
			continue;
		add_sink(&sinks, sink_of(to->values[i]));
	}
	if (check_sinks(settings, &sinks, error) < 0)
		return -EINVAL;
	*ret = sinks;
	return 0;
}

struct langfuse_options settings_langfuse(const struct settings *settings)
{
	return (struct langfuse_options){
		.base_url = settings_text(settings, SETTING_BASE_URL),
		.public_key = settings_text(settings, SETTING_PUBLIC_KEY),
		.secret_key = settings_text(settings, SETTING_SECRET_KEY),
		.export_path = settings_text(settings, SETTING_EXPORT_PATH),
		.environment = settings_text(settings, SETTING_ENVIRONMENT),
		.release = settings_text(settings, SETTING_RELEASE),
		.timeout_ms = (unsigned)(settings_number(settings, SETTING_TIMEOUT) * 1000),
	};
}
