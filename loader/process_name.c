/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What people call a process: uvicorn, although the kernel runs python3.11.
 * "python3 -u -m vllm.entrypoints.api_server" is known as python3, as
 * vllm.entrypoints.api_server and as vllm; "node /srv/app.js" as node and app.js.
 */
#include "loader/process_private.h"

#include <fnmatch.h>
#include <string.h>

#include "base/base.h"

/* How an interpreter's options are told from the script. */
struct interpreter {
	const char *glob;		/* of its file's basename */
	const char *value_flags;	/* letters that take a value: "-W error", "-Werror" */
	const char *command_flags;	/* letters whose value is the program itself */
	char module_flag;		/* letter whose value is a module; 0 none */
	const char *value_words;	/* long options that take the next argument */
};

static const struct interpreter interpreters[] = {
	{ "python*",	"WX",	"c",	'm',	NULL },
	{ "pypy*",	"WX",	"c",	'm',	NULL },
	{ "node",	"rC",	"ep",	0,	" --require --import --loader --conditions --env-file " },
	{ "nodejs",	"rC",	"ep",	0,	" --require --import --loader --conditions --env-file " },
	{ "bun",	"r",	"ep",	0,	" --preload " },
	{ "ruby*",	"rIC",	"e",	0,	NULL },
	{ "perl*",	"I",	"eE",	0,	NULL },
	{ "sh",		"o",	"c",	0,	NULL },
	{ "bash",	"oO",	"c",	0,	NULL },
	{ "dash",	"o",	"c",	0,	NULL },
	{ "zsh",	"o",	"c",	0,	NULL },
};

/* The start of a command line, as in /proc/PID/cmdline. */
struct command_line {
	char text[4096];
	size_t len;
};

struct program {
	char *script;	/* basename; NULL none */
	char *module;	/* NULL none */
};

static char *base_name(char *path)
{
	char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* The argument after @arg, or NULL. */
static char *next_argument(struct command_line *line, char *arg)
{
	char *next = arg + strlen(arg) + 1;

	return next < line->text + line->len ? next : NULL;
}

static const struct interpreter *find_interpreter(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(interpreters); i++)
		if (fnmatch(interpreters[i].glob, name, 0) == 0)
			return &interpreters[i];
	return NULL;
}

static bool is_word_with_value(const struct interpreter *interpreter, const char *arg)
{
	char word[64];

	if (!interpreter->value_words)
		return false;
	return snprintf(word, sizeof(word), " %s ", arg) < (int)sizeof(word) &&
	       strstr(interpreter->value_words, word);
}

/* Reads one option, "-u" or a cluster like "-Im". Returns the argument that
 * follows it and its value, NULL when no script can follow. */
static char *skip_option(const struct interpreter *interpreter, struct command_line *line, char *arg,
			 char **ret_module)
{
	if (arg[1] == '-') {
		char *next = next_argument(line, arg);

		return next && is_word_with_value(interpreter, arg) ? next_argument(line, next) : next;
	}
	for (char *flag = arg + 1; *flag; flag++) {
		if (strchr(interpreter->command_flags, *flag))
			return NULL;
		if (*flag == interpreter->module_flag) {
			*ret_module = flag[1] ? flag + 1 : next_argument(line, arg);
			return NULL;
		}
		if (strchr(interpreter->value_flags, *flag)) {
			if (!flag[1])
				arg = next_argument(line, arg);
			break;
		}
	}
	return arg ? next_argument(line, arg) : NULL;
}

/* What the interpreter runs; both NULL when that is not a file or a module. */
static struct program find_program(const struct interpreter *interpreter, struct command_line *line)
{
	char *arg = next_argument(line, line->text);
	struct program program = {};

	while (arg && arg[0] == '-' && arg[1])
		arg = skip_option(interpreter, line, arg, &program.module);
	if (arg && arg[0] && arg[0] != '-')
		program.script = base_name(arg);
	return program;
}

/* False when it has none: a kernel thread, a zombie. */
static bool read_command_line(int pid, struct command_line *ret)
{
	int r = process_read(pid, "cmdline", ret->text, sizeof(ret->text));

	ret->len = r > 0 ? r : 0;
	return r > 0;
}

static bool matches_module(const char *glob, char *module)
{
	char *dot = strchr(module, '.');

	if (fnmatch(glob, module, 0) == 0)
		return true;
	if (!dot)
		return false;
	*dot = '\0';
	return fnmatch(glob, module, 0) == 0;
}

bool process_matches_name(int pid, const char *glob)
{
	const struct interpreter *interpreter;
	struct command_line line;
	struct program program;
	char comm[GT_COMM_BYTES];
	char *name;

	if (process_comm(pid, comm) == 0 && fnmatch(glob, comm, 0) == 0)
		return true;
	if (!read_command_line(pid, &line))
		return false;
	name = base_name(line.text);
	if (fnmatch(glob, name, 0) == 0)
		return true;
	interpreter = find_interpreter(name);
	if (!interpreter)
		return false;
	program = find_program(interpreter, &line);
	return (program.script && fnmatch(glob, program.script, 0) == 0) ||
	       (program.module && matches_module(glob, program.module));
}

/* The program's name: its comm, unless that only names the interpreter. */
static void program_name(int pid, const char *comm, char *ret, size_t size)
{
	const struct interpreter *interpreter = find_interpreter(comm);
	struct program program = {};
	struct command_line line;

	if (interpreter && read_command_line(pid, &line))
		program = find_program(interpreter, &line);
	if (program.module)
		snprintf(ret, size, "%.*s", (int)strcspn(program.module, "."), program.module);
	else
		snprintf(ret, size, "%s", program.script ? program.script : comm);
}

int process_describe(int pid, char *ret, size_t size)
{
	char comm[GT_COMM_BYTES], exe[PATH_MAX], name[256];
	char *deleted;
	int r = process_comm(pid, comm);

	if (r < 0)
		return r;
	program_name(pid, comm, name, sizeof(name));
	if (process_readlink(pid, "exe", exe, sizeof(exe)) < 0)
		exe[0] = '\0';
	deleted = strstr(exe, " (deleted)");
	if (deleted)
		*deleted = '\0';
	if (!exe[0] || strcmp(base_name(exe), name) == 0)
		snprintf(ret, size, "%s", name);
	else
		snprintf(ret, size, "%s (%s)", name, base_name(exe));
	return 0;
}
