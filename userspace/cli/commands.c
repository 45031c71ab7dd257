/* SPDX-License-Identifier: Apache-2.0 */
/* The table of commands, and finding the way from argv to one of them. */
#include "cli/commands.h"

#include <string.h>

#include "cli/say.h"

#define EVIDENCE_NOTES										\
	"evidence in a JSON line says how sure gentap is:\n"					\
	"  usage     reported: the token counts are the server's; absent: it gave none\n"	\
	"  parent    what the call was put below: traceparent, the span its header names; async,\n" \
	"            the request its asyncio task serves; executor, the request that gave a\n"	\
	"            thread pool the job; thread, the request its thread serves; none: it stands\n" \
	"            alone (this version does not look for more)\n"				\
	"  complete  false when bytes or an end are missing; reasons names what, as in\n"	\
	"            `gentap doctor`"

#define EXIT_NOTES										\
	"Exit codes: 0 done, Ctrl-C included; 1 failed; 2 wrong usage; 3 no such process; 4 not\n" \
	"permitted or not possible here; 5 --strict, and something was lost."

const struct command commands[] = {
	{
		.name = "attach", .operands = "TARGET... [OPTION...]",
		.summary = "watch running processes until Ctrl-C, --for or --count",
		.text = "Generations go to stdout, everything else to stderr: a line for each process once its\n"
			"probes are in, and one line at the end. The processes go on undisturbed. Needs root, or\n"
			"CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE.",
		.examples = "  sudo gentap attach --pid 4242\n"
			"  sudo gentap attach --name uvicorn --json | jq .output\n"
			"  sudo gentap attach --port 8000 --to jsonl:calls.jsonl --for 10m\n"
			"  sudo --preserve-env=LANGFUSE_PUBLIC_KEY,LANGFUSE_SECRET_KEY gentap attach --name vllm",
		.notes = EVIDENCE_NOTES "\n\n" EXIT_NOTES,
		.groups = { &target_group, &limit_group, &capture_group, &capture_json_group, &settings_group, &common_group },
		.is_capturing = true, .run = attach_run,
	},
	{
		.name = "run", .operands = "[OPTION...] -- COMMAND [ARGUMENT...]",
		.summary = "start a command and watch it and its children",
		.text = "Ends when they have ended. stdout is shared with the command: to keep the two apart, use\n"
			"--to jsonl:FILE or --to langfuse. Under sudo the command runs as the user who called sudo.\n"
			"The first Ctrl-C is the command's; a second one leaves it running unwatched.",
		.examples = "  sudo gentap run -- python app.py\n"
			"  sudo gentap run --to jsonl:calls.jsonl -- uvicorn app:app --workers 2",
		.notes = "Exit code: the command's own (128 + N when signal N ended it, 127 when it is not there), or\n"
			"gentap's when gentap failed: 1 failed; 2 wrong usage; 4 not permitted or not possible here;\n"
			"5 --strict, the command succeeded, and something was lost.",
		.groups = { &run_group, &limit_group, &capture_group, &capture_json_group, &settings_group, &common_group },
		.min_operands = 1, .max_operands = -1, .is_capturing = true, .run = run_run,
	},
	{
		.name = "record", .operands = "TARGET... -o FILE.gtcap [OPTION...]",
		.summary = "write what is captured into a file that `gentap replay` plays",
		.text = "The file has every captured byte and its time, so it is a bug report, a regression test and\n"
			"a benchmark in one: prompts and answers are in it. Secrets in heads, and bearer tokens and\n"
			"API keys in bodies, are overwritten unless --no-scrub says so; not looked into are WebSocket\n"
			"messages, compressed and binary bodies, and HTTP/1 trailers. After a crash the file is\n"
			"readable up to its last second. Generations are counted, and go nowhere but where --to or\n"
			"--store says.",
		.examples = "  sudo gentap record --pid 4242 -o incident.gtcap --for 60s\n"
			"  sudo gentap record --name vllm -o vllm.gtcap --to jsonl:vllm.jsonl\n"
			"  gentap replay incident.gtcap",
		.notes = EXIT_NOTES,
		.groups = { &record_group, &target_group, &limit_group, &capture_group, &capture_json_group,
			    &settings_group, &common_group },
		.is_capturing = true, .run = record_run,
	},
	{
		.name = "replay", .operands = "FILE.gtcap [OPTION...]",
		.summary = "play a recorded file: the same generations, without the machine",
		.text = "Needs no privilege, and reads stdin for `-`. The same file gives the same lines, byte for\n"
			"byte: ids, times, environment and release are the recording's. Unless asked, generations\n"
			"go to the terminal only, not to the store and not to Langfuse; their ids are those of the\n"
			"live capture, so that sending them again doubles nothing.",
		.examples = "  gentap replay incident.gtcap\n"
			"  gentap replay incident.gtcap --json | jq .usageDetails\n"
			"  ssh host 'sudo cat incident.gtcap' | gentap replay - --to jsonl:calls.jsonl",
		.notes = "Exit codes: 0 done, also when the file was cut (the closing line says capture_truncated);\n"
			"1 failed, no capture, or damaged; 2 wrong usage; 5 --strict, and something was lost, then\n"
			"or now.",
		.groups = { &capture_group, &capture_json_group, &settings_group, &common_group },
		.min_operands = 1, .max_operands = 1, .is_capturing = true, .run = replay_run,
	},
	{
		.name = "ls", .operands = "[OPTION...]",
		.summary = "list the newest generations of the local store",
		.examples = "  gentap ls -n 50\n  gentap ls --json | jq -r .model | sort | uniq -c",
		.groups = { &ls_group, &store_group, &json_group, &settings_group, &common_group },
		.run = ls_run,
	},
	{
		.name = "show", .operands = "ID",
		.summary = "show one generation whole, or all of a trace",
		.text = "ID is the beginning of an id or a trace id, as `gentap ls` shows it.",
		.examples = "  gentap show eee19b\n  gentap show eee19b --json | jq .input",
		.groups = { &store_group, &json_group, &settings_group, &common_group },
		.min_operands = 1, .max_operands = 1, .run = show_run,
	},
	{
		.name = "ship", .operands = "[OPTION...]",
		.summary = "send to Langfuse what the local store holds unsent",
		.text = "Exits 0 once nothing is left to send, 1 when Langfuse could not take it all.",
		.examples = "  sudo --preserve-env=LANGFUSE_PUBLIC_KEY,LANGFUSE_SECRET_KEY gentap ship",
		.groups = { &store_group, &json_group, &settings_group, &common_group },
		.run = ship_run,
	},
	{
		.name = "doctor", .operands = "[--pid N] [OPTION...]",
		.summary = "say beforehand what will be seen here, or in a process",
		.text = "Its self-test makes two calls in a child of its own and captures them.\n"
			"Exits 4 when they, or anything, cannot be captured here.",
		.examples = "  sudo gentap doctor\n  sudo gentap doctor --pid 4242",
		.groups = { &doctor_group, &store_group, &json_group, &settings_group, &common_group },
		.run = doctor_run,
	},
	{
		.name = "config", .operands = "[OPTION...]",
		.summary = "show every setting, its value and where it came from",
		.text = "An option is stronger than the environment, that than a file, that than the default.\n"
			"Secrets are shown as `set`.",
		.examples = "  gentap config\n  gentap config --json | jq .settings.store",
		.groups = { &capture_group, &json_group, &settings_group, &common_group },
		.run = config_run,
	},
	{
		.name = "version", .operands = "[--json]",
		.summary = "show the version, and the kernel features it was built for",
		.groups = { &json_group, &common_group },
		.run = version_run,
	},
	{
		.name = "help", .operands = "[COMMAND]",
		.summary = "show all commands, or how one is used",
		.groups = { &common_group },
		.max_operands = 1, .run = help_run,
	},
	{ .name = "top" },
	{ .name = "audit" },
	{}
};

const struct command *command_find(const char *name)
{
	for (const struct command *command = commands; command->name; command++)
		if (strcmp(command->name, name) == 0)
			return command;
	return NULL;
}

void commands_help(struct buf *ret)
{
	buf_add_text(ret, "usage: gentap COMMAND ...\n\n"
		     "Sees the LLM API calls of running processes, from outside, as Langfuse generations.\n\n");
	for (const struct command *command = commands; command->name; command++)
		if (command->run)
			buf_printf(ret, "  %-8s %s\n", command->name, command->summary);
	buf_add_text(ret, "\n`gentap COMMAND --help` says more, with examples; gentap(1) says all.\n\n"
		     "Begin with:\n"
		     "  sudo gentap doctor\n"
		     "  sudo gentap attach --name uvicorn\n");
}

static int unknown(const char *name)
{
	return fail(EXIT_USAGE, "unknown command '%s'; see `gentap --help`", name);
}

static int not_yet(const struct command *command)
{
	return fail(EXIT_USAGE, "'%s' is not in this version yet", command->name);
}

int help_run(const struct options *options)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(SAY_TEXT_MAX);
	const struct command *command;

	if (!options->operand_count) {
		commands_help(&text);
		return say_result(&text);
	}
	command = command_find(options->operands[0]);
	if (!command)
		return unknown(options->operands[0]);
	if (!command->run)
		return not_yet(command);
	options_help(command, &text);
	return say_result(&text);
}

/* Known before the options are parsed, since parsing may fail. */
static bool asks_for_json(int argc, char **argv)
{
	for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
		if (strcmp(argv[i], "--json") == 0)
			return true;
	return false;
}

static int run_command(const struct command *command, int argc, char **argv)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(SAY_TEXT_MAX);
	struct options options;

	say_json_errors(!command->is_capturing && asks_for_json(argc, argv));
	if (!command->run)
		return not_yet(command);
	if (options_parse(command, argc, argv, &options, &text) < 0)
		return fail(EXIT_USAGE, "%s", buf_text(&text));
	if (!options.wants_help)
		return command->run(&options);
	options_help(command, &text);
	return say_result(&text);
}

int command_main(int argc, char **argv)
{
	_cleanup_(buf_done) struct buf text = BUF_INIT(SAY_TEXT_MAX);
	const char *name = argc > 1 ? argv[1] : NULL;
	const struct command *command;

	if (!name) {
		commands_help(&text);
		fputs(buf_text(&text), stderr);
		return EXIT_USAGE;
	}
	if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
		name = "help";
	else if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
		name = "version";
	command = command_find(name);
	if (!command)
		return unknown(name);
	return run_command(command, argc - 1, argv + 1);
}
