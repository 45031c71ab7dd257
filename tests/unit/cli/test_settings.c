/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/settings.h"

/* --- surroundings of a test ------------------------------------------------- */

enum { PAIRS = 8 };

static const char *environment[PAIRS][2];
static char directory[] = "/tmp/gentap-test-XXXXXX";

static const char *test_getenv(const char *name)
{
	for (size_t i = 0; i < PAIRS && environment[i][0]; i++)
		if (strcmp(environment[i][0], name) == 0)
			return environment[i][1];
	return NULL;
}

static void set_environment(const char *name, const char *value)
{
	for (size_t i = 0; i < PAIRS; i++)
		if (!environment[i][0]) {
			environment[i][0] = name;
			environment[i][1] = value;
			return;
		}
	cr_assert_fail("more than %d variables", PAIRS);
}

static const char *path_of(const char *name)
{
	static char paths[4][128];
	static unsigned next;
	char *path = paths[next++ % ARRAY_SIZE(paths)];

	snprintf(path, sizeof(paths[0]), "%s/%s", directory, name);
	return path;
}

static const char *write_file(const char *name, const char *text)
{
	const char *path = path_of(name);
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0600);

	cr_assert(fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text), "%s: %m", path);
	close(fd);
	return path;
}

static void make_directory(void)
{
	cr_assert_not_null(mkdtemp(directory));
}

static void remove_directory(void)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", directory);
	cr_assert_eq(system(command), 0);
}

TestSuite(settings, .init = make_directory, .fini = remove_directory);

static int load(struct settings *ret, const char *config, struct buf *error)
{
	struct settings_input input = {
		.getenv = test_getenv,
		.system_file = path_of("system.yaml"),
		.config = config,
	};

	return settings_load(ret, &input, error);
}

/* Loads, says what stands, and where from. */
static void expect(enum setting setting, const char *value, enum origin origin, const char *where, const char *name)
{
	_cleanup_(settings_done) struct settings settings = {};
	_cleanup_(buf_done) struct buf error = BUF_INIT(4096);

	cr_assert_eq(load(&settings, NULL, &error), 0, "%s: %s", name, buf_text(&error));
	cr_expect_str_eq(settings_text(&settings, setting), value, "%s", name);
	cr_expect_eq(settings.values[setting].origin, origin, "%s", name);
	if (where)
		cr_expect_str_eq(settings.values[setting].where, where, "%s", name);
	else
		cr_expect_null(settings.values[setting].where, "%s", name);
}

/* --- precedence -------------------------------------------------------------- */

Test(settings, each_origin_is_stronger_than_the_one_before)
{
	const char *system = path_of("system.yaml"), *user;
	_cleanup_(settings_done) struct settings settings = {};
	_cleanup_(buf_done) struct buf error = BUF_INIT(4096);
	char where[160];

	expect(SETTING_BASE_URL, "https://cloud.langfuse.com", ORIGIN_DEFAULT, NULL, "default");

	write_file("system.yaml", "content: full\nlangfuse:\n  base-url: http://system.example\n");
	snprintf(where, sizeof(where), "%s:3", system);
	expect(SETTING_BASE_URL, "http://system.example", ORIGIN_FILE, where, "system file");

	set_environment("XDG_CONFIG_HOME", directory);
	cr_assert_eq(mkdir(path_of("gentap"), 0700), 0);
	user = write_file("gentap/gentap.yaml", "langfuse: {base-url: http://user.example}\n");
	snprintf(where, sizeof(where), "%s:1", user);
	expect(SETTING_BASE_URL, "http://user.example", ORIGIN_FILE, where, "user's file");

	set_environment("LANGFUSE_HOST", "http://host.example");
	expect(SETTING_BASE_URL, "http://host.example", ORIGIN_ENVIRONMENT, "LANGFUSE_HOST", "deprecated variable");
	set_environment("LANGFUSE_BASE_URL", "http://base.example");
	expect(SETTING_BASE_URL, "http://base.example", ORIGIN_ENVIRONMENT, "LANGFUSE_BASE_URL", "variable");

	cr_assert_eq(load(&settings, NULL, &error), 0);
	cr_assert_eq(settings_put(&settings, SETTING_BASE_URL, "http://o.example", ORIGIN_OPTION, "--x", &error), 0);
	cr_assert_eq(settings_put(&settings, SETTING_BASE_URL, "http://f.example", ORIGIN_FILE, "f:1", &error), 0);
	cr_expect_str_eq(settings_text(&settings, SETTING_BASE_URL), "http://o.example");
}

Test(settings, an_empty_variable_is_an_unset_one)
{
	set_environment("LANGFUSE_BASE_URL", "");
	set_environment("LANGFUSE_HOST", "http://host.example");
	expect(SETTING_BASE_URL, "http://host.example", ORIGIN_ENVIRONMENT, "LANGFUSE_HOST", "empty");
}

Test(settings, a_build_systems_release_is_only_a_default)
{
	set_environment("GITHUB_SHA", "cafe");
	set_environment("CI_COMMIT_SHA", "beef");
	expect(SETTING_RELEASE, "beef", ORIGIN_DEFAULT, "CI_COMMIT_SHA", "first of the SDK's list");
	write_file("system.yaml", "release: '7'\n");
	{
		char where[160];

		snprintf(where, sizeof(where), "%s:1", path_of("system.yaml"));
		expect(SETTING_RELEASE, "7", ORIGIN_FILE, where, "file");
	}
	set_environment("LANGFUSE_RELEASE", "8");
	expect(SETTING_RELEASE, "8", ORIGIN_ENVIRONMENT, "LANGFUSE_RELEASE", "variable");
}

Test(settings, the_store_follows_the_xdg_directories)
{
	_cleanup_(settings_done) struct settings settings = {};
	_cleanup_(buf_done) struct buf error = BUF_INIT(4096);

	cr_assert_eq(load(&settings, NULL, &error), 0);
	cr_expect_null(settings_text(&settings, SETTING_STORE), "no HOME, no place");
	set_environment("HOME", "/home/u");
	expect(SETTING_STORE, "/home/u/.local/state/gentap/gentap.db", ORIGIN_DEFAULT, NULL, "HOME");
	set_environment("XDG_STATE_HOME", "/state");
	expect(SETTING_STORE, "/state/gentap/gentap.db", ORIGIN_DEFAULT, NULL, "XDG_STATE_HOME");
	set_environment("GENTAP_STORE", "/s.db");
	expect(SETTING_STORE, "/s.db", ORIGIN_ENVIRONMENT, "GENTAP_STORE", "GENTAP_STORE");
}

Test(settings, config_replaces_both_files)
{
	_cleanup_(settings_done) struct settings settings = {}, missing = {};
	_cleanup_(buf_done) struct buf error = BUF_INIT(4096);
	const char *mine;

	write_file("system.yaml", "release: system\n");
	mine = write_file("mine.yaml", "strict: true\n");
	cr_assert_eq(load(&settings, mine, &error), 0, "%s", buf_text(&error));
	cr_expect_null(settings_text(&settings, SETTING_RELEASE));
	cr_expect(settings_flag(&settings, SETTING_STRICT));

	cr_expect_eq(load(&missing, "/nonexistent/x.yaml", &error), -ENOENT);
	cr_expect_str_eq(buf_text(&error), "cannot read '/nonexistent/x.yaml': No such file or directory");
}

Test(settings, a_default_file_that_may_not_be_read_is_warned_of)
{
	_cleanup_(settings_done) struct settings settings = {}, asked = {};
	_cleanup_(buf_done) struct buf error = BUF_INIT(4096);
	const char *path = write_file("system.yaml", "strict: true\n");
	uid_t user = geteuid();

	/* Root reads what it likes. */
	cr_assert_eq(chmod(path, 0), 0);
	cr_assert_eq(chmod(directory, 0711), 0);
	if (user == 0)
		cr_assert_eq(seteuid(65534), 0);
	cr_expect_eq(load(&settings, NULL, &error), 0, "%s", buf_text(&error));
	cr_expect(strstr(buf_text(&settings.warnings), path), "%s", buf_text(&settings.warnings));
	cr_expect_not(settings_flag(&settings, SETTING_STRICT));
	cr_expect_eq(load(&asked, path, &error), -EACCES, "by --config it is asked for");
	cr_assert_eq(seteuid(user), 0);
}

/* --- values ------------------------------------------------------------------- */

static const struct {
	const char *name, *value;
	bool is_good;
} variables[] = {
	{ "LANGFUSE_SAMPLE_RATE", "0", true },
	{ "LANGFUSE_SAMPLE_RATE", "0.25", true },
	{ "LANGFUSE_SAMPLE_RATE", "1.01", false },
	{ "LANGFUSE_SAMPLE_RATE", "-0.1", false },
	{ "LANGFUSE_SAMPLE_RATE", "nan", false },
	{ "LANGFUSE_SAMPLE_RATE", "half", false },
	{ "LANGFUSE_TRACING_ENVIRONMENT", "prod-eu_1", true },
	{ "LANGFUSE_TRACING_ENVIRONMENT", "Prod", false },
	{ "LANGFUSE_TRACING_ENVIRONMENT", "langfuse-x", false },
	{ "LANGFUSE_TRACING_ENVIRONMENT", "a23456789012345678901234567890123456789x", true },
	{ "LANGFUSE_TRACING_ENVIRONMENT", "a23456789012345678901234567890123456789xy", false },
	{ "LANGFUSE_FLUSH_AT", "1", true },
	{ "LANGFUSE_FLUSH_AT", "0", false },
	{ "LANGFUSE_FLUSH_AT", "1.5", false },
	{ "LANGFUSE_FLUSH_AT", "513", false },
	{ "LANGFUSE_FLUSH_INTERVAL", "0.5", true },
	{ "LANGFUSE_FLUSH_INTERVAL", "0", false },
	{ "LANGFUSE_TIMEOUT", "20", true },
	{ "LANGFUSE_TIMEOUT", "inf", false },
	{ "LANGFUSE_TIMEOUT", "5s", false },
	{ "LANGFUSE_BASE_URL", "langfuse.example", false },
	{ "LANGFUSE_BASE_URL", "http://a b", false },
	{ "LANGFUSE_DEBUG", "1", true },
	{ "LANGFUSE_DEBUG", "maybe", true },
	{ "LANGFUSE_TRACING_ENABLED", "0", true },
};

Test(settings, variables_are_checked_as_their_meaning_demands)
{
	for (size_t i = 0; i < ARRAY_SIZE(variables); i++) {
		_cleanup_(settings_done) struct settings settings = {};
		_cleanup_(buf_done) struct buf error = BUF_INIT(4096);
		int r;

		environment[0][0] = variables[i].name;
		environment[0][1] = variables[i].value;
		r = load(&settings, NULL, &error);
		cr_expect_eq(r, variables[i].is_good ? 0 : -EINVAL, "%s=%s: %d %s", variables[i].name,
			     variables[i].value, r, buf_text(&error));
		if (!variables[i].is_good)
			cr_expect(strstr(buf_text(&error), variables[i].name), "%s=%s says '%s'", variables[i].name,
				  variables[i].value, buf_text(&error));
	}
}

Test(settings, flags_of_the_sdk_are_read_as_the_sdk_reads_them)
{
	set_environment("LANGFUSE_DEBUG", "True");
	expect(SETTING_VERBOSE, "true", ORIGIN_ENVIRONMENT, "LANGFUSE_DEBUG", "True");
	environment[0][1] = "no";
	expect(SETTING_VERBOSE, "false", ORIGIN_ENVIRONMENT, "LANGFUSE_DEBUG", "no");
	set_environment("LANGFUSE_TRACING_ENABLED", "False");
	expect(SETTING_ENABLED, "false", ORIGIN_ENVIRONMENT, "LANGFUSE_TRACING_ENABLED", "False");
	environment[1][1] = "0";
	expect(SETTING_ENABLED, "true", ORIGIN_ENVIRONMENT, "LANGFUSE_TRACING_ENABLED", "only the value false disables");
}

Test(settings, a_bad_secret_is_never_repeated)
{
	_cleanup_(settings_done) struct settings settings = {};
	_cleanup_(buf_done) struct buf error = BUF_INIT(4096), shown = BUF_INIT(4096);

	set_environment("LANGFUSE_SECRET_KEY", "sk-lf-very secret");
	cr_expect_eq(load(&settings, NULL, &error), -EINVAL);
	cr_expect_not(strstr(buf_text(&error), "very"), "%s", buf_text(&error));
	setting_show(SETTING_SECRET_KEY, "sk-lf-very", &shown);
	setting_show(SETTING_PUBLIC_KEY, "pk-lf-123456", &shown);
	cr_expect_str_eq(buf_text(&shown), "setpk-lf-...");
}

/* --- the file ------------------------------------------------------------------ */

static const struct {
	const char *text, *error;	/* error: after the path */
} bad_files[] = {
	{ "contents: full\n", ":1:1: unknown setting 'contents'; `gentap config` lists those there are" },
	{ "strict: true\ncontent: loud\n", ":2:10: content: 'loud': want full or metadata" },
	{ "langfuse:\n  base-url: x\n", ":2:13: langfuse.base-url: 'x': want http://HOST or https://HOST" },
	{ "langfuse:\n  color: x\n", ":2:3: unknown setting 'langfuse.color'; `gentap config` lists those there are" },
	{ "langfuse.base-url: http://x\n",
	  ":1:1: unknown setting 'langfuse.base-url'; `gentap config` lists those there are" },
	{ "langfuse: on\n", ":1:11: 'langfuse' wants settings of its own below it" },
	{ "langfuse: {secret-key: 'a b'}\n",
	  ":1:24: langfuse.secret-key: bad langfuse.secret-key: want the key as Langfuse shows it, without spaces or ':'" },
	{ "strict: true\nstrict: false\n", ":2:1: 'strict' stands here twice" },
	{ "content: [full]\n", ":1:10: 'content' wants a text or a number" },
	{ "to: [json, nowhere]\n", ":1:12: to: 'nowhere': want terminal, json, jsonl:FILE, langfuse or none" },
	{ "to: [[json]]\n", ":1:6: 'to' wants a text or a number" },
	{ "- a\n", ":1:1: want lines of the form `setting: value`" },
	{ "release: \"a\\0b\"\n", ":1:10: 'release' wants a text or a number" },
	{ "[a]: b\n", ":1:1: want the name of a setting here" },
	{ "a: 'b\n", ":2:1: found unexpected end of stream" },
};

Test(settings, a_bad_file_is_refused_with_its_line_and_column)
{
	for (size_t i = 0; i < ARRAY_SIZE(bad_files); i++) {
		_cleanup_(settings_done) struct settings settings = {};
		_cleanup_(buf_done) struct buf error = BUF_INIT(4096), want = BUF_INIT(4096);
		const char *path = write_file("bad.yaml", bad_files[i].text);

		buf_printf(&want, "%s%s", path, bad_files[i].error);
		cr_expect_eq(load(&settings, path, &error), -EINVAL, "%s", bad_files[i].text);
		cr_expect_str_eq(buf_text(&error), buf_text(&want), "%s", bad_files[i].text);
	}
}

Test(settings, a_good_file_sets_all_kinds_of_values)
{
	_cleanup_(settings_done) struct settings settings = {}, empty = {};
	_cleanup_(buf_done) struct buf error = BUF_INIT(4096);
	const char *path = write_file("good.yaml", "to:\n  - terminal\n  - jsonl:/x\nmax-content: 1MiB\nno-store: true\n"
				      "content: metadata\nlangfuse:\n  timeout: 2.5\n");

	cr_assert_eq(load(&settings, path, &error), 0, "%s", buf_text(&error));
	cr_expect_eq(settings.values[SETTING_TO].count, 2);
	cr_expect_str_eq(settings.values[SETTING_TO].values[1], "jsonl:/x");
	cr_expect_eq(settings_bytes(&settings, SETTING_MAX_CONTENT), 1048576);
	cr_expect_eq(settings_content(&settings), CONTENT_METADATA);
	cr_expect(settings_flag(&settings, SETTING_NO_STORE));
	cr_expect_eq(settings_langfuse(&settings).timeout_ms, 2500);
	cr_expect_eq(load(&empty, write_file("empty.yaml", "# nothing\n"), &error), 0, "%s", buf_text(&error));
}

Test(settings, a_secret_that_others_may_read_is_warned_of)
{
	_cleanup_(buf_done) struct buf error = BUF_INIT(4096);
	const char *path = write_file("secret.yaml", "langfuse: {secret-key: sk-lf-1}\n");
	const mode_t modes[] = { 0600, 0640, 0604 };

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++) {
		_cleanup_(settings_done) struct settings settings = {};

		cr_assert_eq(chmod(path, modes[i]), 0);
		cr_assert_eq(load(&settings, path, &error), 0);
		cr_expect_eq(settings.warnings.len > 0, modes[i] != 0600, "mode %o: '%s'", modes[i],
			     buf_text(&settings.warnings));
	}
}

/* --- sinks ---------------------------------------------------------------------- */

static const struct {
	const char *name;
	const char *options[3];		/* --to */
	bool has_keys, is_disabled;
	const char *want;		/* the sinks' types, or an error */
} sinks[] = {
	{ "default without keys",	{},				false, false, "terminal" },
	{ "default with keys",		{},				true,  false, "terminal langfuse" },
	{ "disabled by the environment", {},				true,  true,  "terminal" },
	{ "option beats disabling",	{ "langfuse" },			true,  true,  "langfuse" },
	{ "option replaces defaults",	{ "json" },			true,  false, "json" },
	{ "several",			{ "jsonl:/a", "jsonl:/b", "jsonl:/a" }, false, false, "jsonl:/a jsonl:/b" },
	{ "none",			{ "none" },			true,  false, "" },
	{ "none and another",		{ "none", "json" },		false, false,
	  "'none' and another sink contradict each other" },
	{ "two on stdout",		{ "terminal", "json" },		false, false,
	  "terminal and json both write to stdout: use jsonl:FILE for one of them" },
};

static void sinks_text(const struct sinks *sinks, struct buf *ret)
{
	static const char *const names[] = {
		[SINK_TERMINAL] = "terminal", [SINK_JSON] = "json", [SINK_JSONL] = "jsonl:",
		[SINK_LANGFUSE] = "langfuse",
	};

	for (size_t i = 0; i < sinks->count; i++)
		buf_printf(ret, "%s%s%s", i ? " " : "", names[sinks->items[i].type],
			   sinks->items[i].path ? sinks->items[i].path : "");
}

Test(settings, sinks_follow_options_keys_and_the_switch)
{
	for (size_t i = 0; i < ARRAY_SIZE(sinks); i++) {
		_cleanup_(settings_done) struct settings settings = {};
		_cleanup_(buf_done) struct buf text = BUF_INIT(4096);
		struct sinks found = {};

		memset(environment, 0, sizeof(environment));
		if (sinks[i].has_keys) {
			set_environment("LANGFUSE_PUBLIC_KEY", "pk");
			set_environment("LANGFUSE_SECRET_KEY", "sk");
		}
		if (sinks[i].is_disabled)
			set_environment("LANGFUSE_TRACING_ENABLED", "false");
		cr_assert_eq(load(&settings, NULL, &text), 0, "%s", sinks[i].name);
		for (size_t o = 0; o < 3 && sinks[i].options[o]; o++)
			settings_put(&settings, SETTING_TO, sinks[i].options[o], ORIGIN_OPTION, "--to", &text);
		if (settings_sinks(&settings, &found, &text) == 0)
			sinks_text(&found, &text);
		cr_expect_str_eq(buf_text(&text), sinks[i].want, "%s", sinks[i].name);
	}
}

Test(settings, langfuse_without_keys_is_refused_with_the_cure)
{
	_cleanup_(settings_done) struct settings settings = {};
	_cleanup_(buf_done) struct buf error = BUF_INIT(4096);
	struct sinks found;

	cr_assert_eq(load(&settings, NULL, &error), 0);
	cr_assert_eq(settings_put(&settings, SETTING_TO, "langfuse", ORIGIN_OPTION, "--to", &error), 0);
	cr_expect_eq(settings_sinks(&settings, &found, &error), -EINVAL);
	cr_expect(strstr(buf_text(&error), "LANGFUSE_PUBLIC_KEY"), "%s", buf_text(&error));
}

Test(settings, the_switch_is_stronger_than_a_files_sinks)
{
	_cleanup_(settings_done) struct settings settings = {};
	_cleanup_(buf_done) struct buf text = BUF_INIT(4096);
	struct sinks found;

	write_file("system.yaml", "to: [json, langfuse]\nlangfuse: {public-key: a, secret-key: b}\n");
	set_environment("LANGFUSE_TRACING_ENABLED", "false");
	cr_assert_eq(load(&settings, NULL, &text), 0, "%s", buf_text(&text));
	cr_assert_eq(settings_sinks(&settings, &found, &text), 0, "%s", buf_text(&text));
	sinks_text(&found, &text);
	cr_expect_str_eq(buf_text(&text), "json");
}
