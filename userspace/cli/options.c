/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/options.h"

#include <ctype.h>
#include <errno.h>
#include <getopt.h>
#include <string.h>

#include "base/text.h"
#include "cli/say.h"

/* --- what an argument means ------------------------------------------------ */

static int wrong(struct buf *error, const char *arg, const char *wanted)
{
	buf_printf(error, "'%s': %s", arg, wanted);
	return -EINVAL;
}

/* A decimal number from 1 to @most; *text moves behind it. */
static bool take_number(const char **text, uint64_t most, uint64_t *ret)
{
	char *end;
	unsigned long long number;

	if (**text < '0' || **text > '9')
		return false;
	errno = 0;
	number = strtoull(*text, &end, 10);
	if (errno || !number || number > most)
		return false;
	*text = end;
	*ret = number;
	return true;
}

static bool parse_number(const char *text, uint64_t most, uint64_t *ret)
{
	uint64_t number;

	if (!take_number(&text, most, &number) || *text)
		return false;
	*ret = number;
	return true;
}

/* "N[,N...]", appended. */
static int take_list(const char *arg, uint64_t most, size_t max_count, size_t *count,
		     void (*add)(struct options *, uint64_t), struct options *options,
		     const char *wanted, struct buf *error)
{
	const char *text = arg;
	uint64_t number;

	do {
		if (!take_number(&text, most, &number) || (*text && *text != ','))
			return wrong(error, arg, wanted);
		if (*count == max_count)
			return wrong(error, arg, "too many of them");
		add(options, number);
	} while (*text++ == ',');
	return 0;
}

static void add_pid(struct options *options, uint64_t pid)
{
	options->pids[options->pid_count++] = (int)pid;
}

static void add_port(struct options *options, uint64_t port)
{
	options->ports[options->port_count++] = (uint16_t)port;
}

static int take_pid(struct options *options, const char *arg, struct buf *error)
{
	/* The kernel's PID_MAX_LIMIT. */
	return take_list(arg, 4194304, OPTIONS_PIDS, &options->pid_count, add_pid, options,
			 "want process ids: N or N,N,...", error);
}

static int take_port(struct options *options, const char *arg, struct buf *error)
{
	return take_list(arg, 65535, OPTIONS_PORTS, &options->port_count, add_port, options,
			 "want TCP ports, 1 to 65535: N or N,N,...", error);
}

static int take_name(struct options *options, const char *arg, struct buf *error)
{
	if (!*arg || options->name_count == OPTIONS_NAMES)
		return wrong(error, arg, *arg ? "too many of them" : "want a name or a pattern");
	options->names[options->name_count++] = arg;
	return 0;
}

static int take_no_children(struct options *options, const char *arg, struct buf *error)
{
	(void)arg;
	(void)error;
	options->has_no_children = true;
	return 0;
}

static int take_for(struct options *options, const char *arg, struct buf *error)
{
	if (text_parse_duration_ns(arg, &options->for_ns) < 0 || !options->for_ns)
		return wrong(error, arg, "want a duration: 90s, 10m, 1h, 250ms");
	return 0;
}

static int take_count(struct options *options, const char *arg, struct buf *error)
{
	return parse_number(arg, INT64_MAX, &options->count) ? 0 : wrong(error, arg, "want a number from 1 on");
}

static int take_limit(struct options *options, const char *arg, struct buf *error)
{
	return parse_number(arg, INT32_MAX, &options->limit) ? 0 : wrong(error, arg, "want a number from 1 on");
}

static int take_config(struct options *options, const char *arg, struct buf *error)
{
	(void)error;
	options->config = arg;
	return 0;
}

static int take_as_root(struct options *options, const char *arg, struct buf *error)
{
	(void)arg;
	(void)error;
	options->as_root = true;
	return 0;
}

static int take_output(struct options *options, const char *arg, struct buf *error)
{
	if (!*arg)
		return wrong(error, arg, "want a file");
	options->output = arg;
	return 0;
}

static int take_force(struct options *options, const char *arg, struct buf *error)
{
	(void)arg;
	(void)error;
	options->is_forced = true;
	return 0;
}

static int take_scrub(struct options *options, const char *arg, struct buf *error)
{
	(void)arg;
	(void)error;
	options->is_raw = false;
	return 0;
}

static int take_no_scrub(struct options *options, const char *arg, struct buf *error)
{
	(void)arg;
	(void)error;
	options->is_raw = true;
	return 0;
}

static int give(struct options *options, enum setting setting, const char *value, const char *where,
		struct buf *error)
{
	if (options->setting_count == OPTIONS_SETTINGS)
		return wrong(error, value, "too many of them");
	options->settings[options->setting_count++] = (struct given_setting){ setting, value, where };
	return 0;
}

static int take_json(struct options *options, const char *arg, struct buf *error)
{
	(void)arg;
	(void)error;
	options->is_json = true;
	return 0;
}

static int take_json_sink(struct options *options, const char *arg, struct buf *error)
{
	(void)arg;
	return give(options, SETTING_TO, "json", "--to", error);
}

static int take_help(struct options *options, const char *arg, struct buf *error)
{
	(void)arg;
	(void)error;
	options->wants_help = true;
	return 0;
}

/* --- the tables ------------------------------------------------------------ */

#define GROUP(group, heading, table) \
	const struct option_group group = { heading, table, ARRAY_SIZE(table) }

static const struct option_spec target_specs[] = {
	{ "pid", 'p', "N[,N...]", "these processes", take_pid, NULL },
	{ "port", 0, "N[,N...]", "who listens on these TCP ports, now and later", take_port, NULL },
	{ "name", 'n', "GLOB", "by command, program, script or `-m` module, now and later: uvicorn, 'vllm*'",
		take_name, NULL },
	{ "no-children", 0, NULL, "leave out the processes that a target started or will start",
		take_no_children, NULL },
	{ "container", 0, "ID", NULL, NULL, "use --pid with a process of the container, as `ps` outside shows it" },
	{ "cgroup", 0, "PATH", NULL, NULL, "use --pid with the processes in its cgroup.procs" },
	{ "unit", 0, "NAME", NULL, NULL, "use --pid with `systemctl show -p MainPID --value NAME`" },
	{ "all", 0, NULL, NULL, NULL, "use --name or --port" },
};
GROUP(target_group, "Which processes (at least one; they add up)", target_specs);

static const struct option_spec limit_specs[] = {
	{ "for", 0, "DURATION", "stop after a time: 90s, 10m", take_for, NULL },
	{ "count", 0, "N", "stop after N generations", take_count, NULL },
};
GROUP(limit_group, "How long (else until Ctrl-C)", limit_specs);

/* Those without a function are settings: setting_spec() has help and check. */
static const struct option_spec capture_specs[] = {
	{ "to", 0, "SINK", NULL, NULL, NULL },
	{ "content", 0, "full|metadata", NULL, NULL, NULL },
	{ "max-content", 0, "BYTES", NULL, NULL, NULL },
	{ "store", 0, "FILE", NULL, NULL, NULL },
	{ "no-store", 0, NULL, NULL, NULL, NULL },
	{ "environment", 0, "NAME", NULL, NULL, NULL },
	{ "release", 0, "TEXT", NULL, NULL, NULL },
	{ "strict", 0, NULL, NULL, NULL, NULL },
};
GROUP(capture_group, "What becomes of the generations", capture_specs);

static const struct option_spec capture_json_specs[] = {
	{ "json", 0, NULL, "short for --to json: one line a generation on stdout", take_json_sink, NULL },
};
GROUP(capture_json_group, "How they are shown", capture_json_specs);

static const struct option_spec run_specs[] = {
	{ "as-root", 0, NULL, "under sudo: run COMMAND as root, not as who called sudo", take_as_root, NULL },
	{ "preload", 0, NULL, NULL, NULL, "run it without --preload, as root" },
};
GROUP(run_group, "How the command runs", run_specs);

static const struct option_spec record_specs[] = {
	{ "output", 'o', "FILE", "the file, mode 0600; it must not be there yet", take_output, NULL },
	{ "force", 0, NULL, "overwrite it if it is there", take_force, NULL },
	{ "scrub", 0, NULL, "overwrite header values, but for those that replay needs, and bearer tokens and keys "
		"with '*'; the default", take_scrub, NULL },
	{ "no-scrub", 0, NULL, "leave them: the file then holds API keys and cookies", take_no_scrub, NULL },
};
GROUP(record_group, "What is written", record_specs);

static const struct option_spec ls_specs[] = {
	{ "limit", 'n', "N", "how many, newest first; default: 20", take_limit, NULL },
};
GROUP(ls_group, "Which generations", ls_specs);

static const struct option_spec doctor_specs[] = {
	{ "pid", 'p', "N", "look at this process, too", take_pid, NULL },
};
GROUP(doctor_group, "What to look at", doctor_specs);

static const struct option_spec store_specs[] = {
	{ "store", 0, "FILE", NULL, NULL, NULL },
};
GROUP(store_group, "Where from", store_specs);

static const struct option_spec json_specs[] = {
	{ "json", 0, NULL, "for machines; errors too", take_json, NULL },
};
GROUP(json_group, "How it is shown", json_specs);

static const struct option_spec settings_specs[] = {
	{ "config", 0, "FILE", "settings from this YAML file instead of /etc/gentap/gentap.yaml and "
		"$XDG_CONFIG_HOME/gentap/gentap.yaml", take_config, NULL },
	{ "quiet", 'q', NULL, NULL, NULL, NULL },
	{ "verbose", 'v', NULL, NULL, NULL, NULL },
};
GROUP(settings_group, "Settings and messages", settings_specs);

static const struct option_spec common_specs[] = {
	{ "help", 'h', NULL, "this text", take_help, NULL },
};
GROUP(common_group, "Help", common_specs);

/* --- parsing --------------------------------------------------------------- */

enum { SPECS_MAX = 48, LONG_BASE = 256 };

/* A command's options in the form getopt_long wants. */
struct grammar {
	const struct option_spec *specs[SPECS_MAX];
	size_t count;
	struct option longs[SPECS_MAX + 1];
	char shorts[2 * SPECS_MAX + 3];
};

static void add_spec(struct grammar *grammar, const struct option_spec *spec)
{
	size_t i = grammar->count++, end = strlen(grammar->shorts);

	assert(i < SPECS_MAX);
	grammar->specs[i] = spec;
	grammar->longs[i] = (struct option){
		.name = spec->name,
		.has_arg = spec->arg ? required_argument : no_argument,
		.val = LONG_BASE + (int)i,
	};
	if (!spec->letter)
		return;
	grammar->shorts[end] = spec->letter;
	if (spec->arg)
		grammar->shorts[end + 1] = ':';
}

static void grammar_init(struct grammar *grammar, const struct command *command)
{
	memset(grammar, 0, sizeof(*grammar));
	/* '+': what follows the first operand is the command's own. */
	strcpy(grammar->shorts, command->max_operands < 0 ? "+:" : ":");
	for (size_t g = 0; g < COMMAND_GROUPS && command->groups[g]; g++)
		for (size_t i = 0; i < command->groups[g]->count; i++)
			add_spec(grammar, &command->groups[g]->specs[i]);
}

static const struct option_spec *spec_of(const struct grammar *grammar, int val)
{
	if (val >= LONG_BASE)
		return grammar->specs[val - LONG_BASE];
	for (size_t i = 0; i < grammar->count; i++)
		if (grammar->specs[i]->letter == val)
			return grammar->specs[i];
	return NULL;
}

/* "--pid", in storage as long as the program: an option's where. */
static const char *where_of(enum setting setting)
{
	static char names[SETTING_COUNT][32];

	snprintf(names[setting], sizeof(names[setting]), "--%s", setting_spec(setting)->name);
	return names[setting];
}

static int take_setting(struct options *options, const struct option_spec *spec, const char *arg,
			struct buf *error)
{
	enum setting setting = setting_find(spec->name);
	const char *value = spec->arg ? arg : "true", *wanted;

	assert(setting < SETTING_COUNT);
	wanted = setting_spec(setting)->check ? setting_spec(setting)->check(value) : NULL;
	if (wanted)
		return wrong(error, value, wanted);
	return give(options, setting, value, where_of(setting), error);
}

static int take_option(struct options *options, const struct option_spec *spec, const char *arg,
		       struct buf *error)
{
	_cleanup_(buf_done) struct buf reason = BUF_INIT(SETTINGS_TEXT_MAX);
	int r;

	if (spec->instead) {
		buf_printf(error, "--%s is not in this version yet: %s", spec->name, spec->instead);
		return -EINVAL;
	}
	r = spec->take ? spec->take(options, arg, &reason) : take_setting(options, spec, arg, &reason);
	if (r < 0)
		buf_printf(error, "--%s %s", spec->name, buf_text(&reason));
	return r;
}

/* What getopt_long stumbled over, in our words. */
static int bad_option(const struct grammar *grammar, const struct command *command, int found, char **argv,
		      struct buf *error)
{
	const struct option_spec *spec = optopt ? spec_of(grammar, optopt) : NULL;

	if (found == ':' && spec)
		buf_printf(error, "--%s wants %s", spec->name, spec->arg);
	else if (spec && optopt >= LONG_BASE)
		buf_printf(error, "--%s takes no argument", spec->name);
	else if (optopt)
		buf_printf(error, "unknown option '-%c'", optopt);
	else
		buf_printf(error, "unknown option '%s'", argv[optind - 1]);
	buf_printf(error, "; see `gentap %s --help`", command->name);
	return -EINVAL;
}

static int check_operands(const struct command *command, const struct options *options, struct buf *error)
{
	if (command->max_operands >= 0 && options->operand_count > command->max_operands)
		buf_printf(error, "unexpected '%s'; see `gentap %s --help`",
			   options->operands[command->max_operands], command->name);
	else if (options->operand_count < command->min_operands)
		buf_printf(error, "want `gentap %s%s%s`; see `gentap %s --help`", command->name,
			   *command->operands ? " " : "", command->operands, command->name);
	else
		return 0;
	return -EINVAL;
}

int options_parse(const struct command *command, int argc, char **argv, struct options *ret,
		  struct buf *error)
{
	struct grammar grammar;
	int found, r;

	grammar_init(&grammar, command);
	*ret = (struct options){};
	opterr = 0;
	optind = 0;	/* glibc: start anew, tests parse more than once */
	while ((found = getopt_long(argc, argv, grammar.shorts, grammar.longs, NULL)) != -1) {
		if (found == '?' || found == ':')
			return bad_option(&grammar, command, found, argv, error);
		r = take_option(ret, spec_of(&grammar, found), optarg, error);
		if (r < 0)
			return r;
	}
	ret->operands = argv + optind;
	ret->operand_count = argc - optind;
	return ret->wants_help ? 0 : check_operands(command, ret, error);
}

/* --- help ------------------------------------------------------------------ */

enum { HELP_COLUMN = 26, HELP_WIDTH = 96 };

/* @text in lines of HELP_WIDTH, the second on indented to HELP_COLUMN. */
static void add_wrapped(struct buf *ret, const char *text)
{
	size_t column = HELP_COLUMN;

	while (*text) {
		size_t word = strcspn(text, " ");

		if (column > HELP_COLUMN && column + 1 + word > HELP_WIDTH) {
			buf_printf(ret, "\n%*s", HELP_COLUMN, "");
			column = HELP_COLUMN;
		} else if (column > HELP_COLUMN) {
			buf_add_char(ret, ' ');
			column++;
		}
		buf_add(ret, text, word);
		column += word;
		text += word + strspn(text + word, " ");
	}
	buf_add_char(ret, '\n');
}

static void help_option(struct buf *ret, const struct option_spec *spec)
{
	enum setting setting = spec->take ? SETTING_COUNT : setting_find(spec->name);
	_cleanup_(buf_done) struct buf text = BUF_INIT(SETTINGS_TEXT_MAX);
	char left[64], letter[4] = "   ";
	int len;

	if (spec->instead)
		return;
	if (spec->letter)
		snprintf(letter, sizeof(letter), "-%c,", spec->letter);
	len = snprintf(left, sizeof(left), "  %s --%s%s%s", letter, spec->name, spec->arg ? " " : "",
		       spec->arg ? spec->arg : "");
	if (len >= HELP_COLUMN)
		buf_printf(ret, "%s\n%*s", left, HELP_COLUMN, "");
	else
		buf_printf(ret, "%-*s", HELP_COLUMN, left);
	buf_add_text(&text, spec->help ? spec->help : setting_spec(setting)->help);
	if (setting < SETTING_COUNT && setting_spec(setting)->fallback && spec->arg)
		buf_printf(&text, "; default: %s", setting_spec(setting)->fallback);
	add_wrapped(ret, buf_text(&text));
}

void options_help(const struct command *command, struct buf *ret)
{
	buf_printf(ret, "usage: gentap %s%s%s\n\n%c%s.\n", command->name, *command->operands ? " " : "",
		   command->operands, toupper((unsigned char)command->summary[0]), command->summary + 1);
	if (command->text)
		buf_printf(ret, "%s\n", command->text);
	for (size_t g = 0; g < COMMAND_GROUPS && command->groups[g]; g++) {
		buf_printf(ret, "\n%s:\n", command->groups[g]->title);
		for (size_t i = 0; i < command->groups[g]->count; i++)
			help_option(ret, &command->groups[g]->specs[i]);
	}
	if (command->notes)
		buf_printf(ret, "\n%s\n", command->notes);
	if (command->examples)
		buf_printf(ret, "\nExamples:\n%s\n", command->examples);
}

/* --- settings -------------------------------------------------------------- */

static void say_warnings(const struct settings *settings)
{
	const char *text = buf_text(&settings->warnings);

	while (*text) {
		size_t len = strcspn(text, "\n");

		say("warning: %.*s", (int)len, text);
		text += len + 1;
	}
}

int options_settings(const struct options *options, struct settings *ret)
{
	_cleanup_(buf_done) struct buf error = BUF_INIT(SETTINGS_TEXT_MAX);
	int r = settings_load_here(ret, options->config, &error);

	for (size_t i = 0; i < options->setting_count && r == 0; i++)
		r = settings_put(ret, options->settings[i].setting, options->settings[i].value, ORIGIN_OPTION,
				 options->settings[i].where, &error);
	if (r < 0)
		return fail(r == -EINVAL ? EXIT_USAGE : EXIT_FAILED, "%s",
			    error.len ? buf_text(&error) : strerror(-r));
	if (!settings_flag(ret, SETTING_QUIET))
		say_warnings(ret);
	return EXIT_OK;
}
