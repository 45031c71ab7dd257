/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "cli/options.h"
#include "cli/say.h"
#include "program.h"

enum { WORDS = 16 };

/* "attach --pid 1" in argv's form, over static storage. */
static int split(const char *line, char *argv[WORDS + 1])
{
	static char words[512];
	int argc = 0;

	snprintf(words, sizeof(words), "%s", line);
	for (char *word = strtok(words, " "); word && argc < WORDS; word = strtok(NULL, " "))
		argv[argc++] = word;
	argv[argc] = NULL;
	return argc;
}

static int parse(const char *line, struct options *ret, struct buf *error)
{
	static char *argv[WORDS + 1];	/* the options point into it */
	int argc = split(line, argv);
	const struct command *command = command_find(argv[0]);

	cr_assert_not_null(command, "%s", line);
	return options_parse(command, argc, argv, ret, error);
}

Test(options, targets_add_up)
{
	_cleanup_(buf_done) struct buf error = BUF_INIT(4096);
	struct options options;

	cr_assert_eq(parse("attach --pid 1,22 -p 4194304 --port 80,65535 --name uvicorn -n vllm* --no-children",
			   &options, &error), 0, "%s", buf_text(&error));
	cr_expect_eq(options.pid_count, 3);
	cr_expect_eq(options.pids[1], 22);
	cr_expect_eq(options.pids[2], 4194304);
	cr_expect_eq(options.port_count, 2);
	cr_expect_eq(options.ports[1], 65535);
	cr_expect_eq(options.name_count, 2);
	cr_expect_str_eq(options.names[1], "vllm*");
	cr_expect(options.has_no_children);
}

Test(options, durations_and_counts_have_units)
{
	static const struct { const char *text; uint64_t ns; } durations[] = {
		{ "90s", 90000000000 }, { "10m", 600000000000 }, { "1h", 3600000000000 },
		{ "250ms", 250000000 }, { "2", 2000000000 },
	};

	for (size_t i = 0; i < ARRAY_SIZE(durations); i++) {
		_cleanup_(buf_done) struct buf error = BUF_INIT(4096);
		struct options options;
		char line[64];

		snprintf(line, sizeof(line), "attach --pid 1 --for %s --count 7", durations[i].text);
		cr_assert_eq(parse(line, &options, &error), 0, "%s: %s", line, buf_text(&error));
		cr_expect_eq(options.for_ns, durations[i].ns, "%s", line);
		cr_expect_eq(options.count, 7);
	}
}

Test(options, settings_keep_their_order_and_name)
{
	_cleanup_(buf_done) struct buf error = BUF_INIT(4096);
	struct options options;

	cr_assert_eq(parse("attach --pid 1 --to jsonl:x --json --no-store -v", &options, &error), 0);
	cr_assert_eq(options.setting_count, 4);
	cr_expect_eq(options.settings[0].setting, SETTING_TO);
	cr_expect_str_eq(options.settings[1].value, "json");
	cr_expect_str_eq(options.settings[1].where, options.settings[0].where, "--json adds to --to");
	cr_expect_eq(options.settings[2].setting, SETTING_NO_STORE);
	cr_expect_str_eq(options.settings[2].value, "true");
	cr_expect_eq(options.settings[3].setting, SETTING_VERBOSE);
}

Test(options, what_follows_the_command_of_run_is_its_own)
{
	_cleanup_(buf_done) struct buf error = BUF_INIT(4096);
	struct options options;

	cr_assert_eq(parse("run --json -- python --pid -v", &options, &error), 0);
	cr_expect_eq(options.operand_count, 3);
	cr_expect_str_eq(options.operands[0], "python");
	cr_expect_str_eq(options.operands[2], "-v");
	cr_assert_eq(parse("run -q python -v", &options, &error), 0, "%s", buf_text(&error));
	cr_expect_eq(options.operand_count, 2);
	cr_expect_eq(options.setting_count, 1, "-v is python's");
}

static const struct {
	const char *line, *error;	/* stderr, without "gentap: " and line end */
} bad[] = {
	{ "attach", "say which processes: --pid N, --port N or --name GLOB; see `gentap attach --help`" },
	{ "attach --pid", "--pid wants N[,N...]; see `gentap attach --help`" },
	{ "attach -p", "--pid wants N[,N...]; see `gentap attach --help`" },
	{ "attach --pid 0", "--pid '0': want process ids: N or N,N,..." },
	{ "attach --pid -1", "--pid '-1': want process ids: N or N,N,..." },
	{ "attach --pid 1,", "--pid '1,': want process ids: N or N,N,..." },
	{ "attach --pid 1;2", "--pid '1;2': want process ids: N or N,N,..." },
	{ "attach --pid 99999999999999999999", "--pid '99999999999999999999': want process ids: N or N,N,..." },
	{ "attach --port 65536", "--port '65536': want TCP ports, 1 to 65535: N or N,N,..." },
	{ "attach --name=", "--name '': want a name or a pattern" },
	{ "attach --for ever", "--for 'ever': want a duration: 90s, 10m, 1h, 250ms" },
	{ "attach --for 0", "--for '0': want a duration: 90s, 10m, 1h, 250ms" },
	{ "attach --count 0", "--count '0': want a number from 1 on" },
	{ "attach --count x", "--count 'x': want a number from 1 on" },
	{ "attach --to printer", "--to 'printer': want terminal, json, jsonl:FILE, langfuse or none" },
	{ "attach --to jsonl:", "--to 'jsonl:': want a file after 'jsonl:'" },
	{ "attach --to otlp:http://x",
	  "--to 'otlp:http://x': otlp is not in this version yet: use langfuse, or jsonl:FILE" },
	{ "attach --pid 1 --to none --to json", "'none' and another sink contradict each other" },
	{ "attach --content some", "--content 'some': want full or metadata" },
	{ "attach --max-content 0", "--max-content '0': want bytes, at most 4MiB: 262144, 256k, 1MiB" },
	{ "attach --max-content 5MiB", "--max-content '5MiB': want bytes, at most 4MiB: 262144, 256k, 1MiB" },
	{ "attach --environment Prod", "--environment 'Prod': want at most 40 of a-z, 0-9, '-' and '_', "
	  "not beginning with 'langfuse'" },
	{ "attach --json=yes", "--json takes no argument; see `gentap attach --help`" },
	{ "attach --bogus", "unknown option '--bogus'; see `gentap attach --help`" },
	{ "attach -x", "unknown option '-x'; see `gentap attach --help`" },
	{ "attach 4242", "unexpected '4242'; see `gentap attach --help`" },
	{ "attach --container x", "--container is not in this version yet: use --pid with a process of the container, "
	  "as `ps` outside shows it" },
	{ "attach --cgroup x", "--cgroup is not in this version yet: use --pid with the processes in its cgroup.procs" },
	{ "attach --unit x", "--unit is not in this version yet: use --pid with "
	  "`systemctl show -p MainPID --value NAME`" },
	{ "attach --all", "--all is not in this version yet: use --name or --port" },
	{ "run", "want `gentap run [OPTION...] -- COMMAND [ARGUMENT...]`; see `gentap run --help`" },
	{ "run --preload -- ls", "--preload is not in this version yet: run it without --preload, as root" },
	{ "ls -n 0", "--limit '0': want a number from 1 on" },
	{ "ls x", "unexpected 'x'; see `gentap ls --help`" },
	{ "show", "want `gentap show ID`; see `gentap show --help`" },
	{ "show a b", "unexpected 'b'; see `gentap show --help`" },
	{ "show XYZ", "'XYZ' is not an id: want the beginning of one that `gentap ls` shows" },
	{ "doctor --pid 1,2", "doctor looks at one process at a time" },
	{ "version x", "unexpected 'x'; see `gentap version --help`" },
	{ "help nonsense", "unknown command 'nonsense'; see `gentap --help`" },
	{ "nonsense", "unknown command 'nonsense'; see `gentap --help`" },
	{ "top --pid 1", "'top' is not in this version yet" },
	{ "audit", "'audit' is not in this version yet" },
	{ "record", "say where to record: -o FILE.gtcap; see `gentap record --help`" },
	{ "record -o x", "say which processes: --pid N, --port N or --name GLOB; see `gentap record --help`" },
	{ "record -o", "--output wants FILE; see `gentap record --help`" },
	{ "record --output= --pid 1", "--output '': want a file" },
};

Test(options, bad_usage_exits_2_and_says_what_is_wrong)
{
	unset_surroundings();
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		_cleanup_(buf_done) struct buf want = BUF_INIT(4096);
		struct program_result result;

		buf_printf(&want, "gentap: %s\n", bad[i].error);
		run_program(bad[i].line, &result);
		cr_expect_eq(result.code, EXIT_USAGE, "gentap %s: exit %d", bad[i].line, result.code);
		cr_expect_str_eq(result.err, buf_text(&want), "gentap %s", bad[i].line);
		cr_expect_str_eq(result.out, "", "gentap %s", bad[i].line);
	}
}

Test(options, errors_of_other_commands_are_json_on_stdout_when_asked)
{
	struct program_result result;

	unset_surroundings();
	run_program("ls --json --bogus", &result);
	cr_expect_eq(result.code, EXIT_USAGE);
	cr_expect_str_eq(result.out, "{\"error\":\"unknown option '--bogus'; see `gentap ls --help`\"}\n");
	cr_expect_str_eq(result.err, "");
	run_program("ls --json --store /nonexistent/x.db", &result);
	cr_expect_eq(result.code, EXIT_FAILED);
	cr_expect(strncmp(result.out, "{\"error\":\"no store at '/nonexistent/x.db' yet", 44) == 0, "%s", result.out);
	run_program("attach --json --bogus", &result);
	cr_expect_str_eq(result.out, "", "a capturing command's stdout carries generations only");
}

Test(options, content_none_is_not_possible_yet)
{
	struct program_result result;

	unset_surroundings();
	run_program("attach --pid 1 --content none", &result);
	cr_expect_eq(result.code, EXIT_NOT_POSSIBLE);
	cr_expect(strstr(result.err, "--content metadata"), "%s", result.err);
}

Test(options, what_comes_from_outside_is_scrubbed)
{
	struct program_result result;

	unset_surroundings();
	run_program("attach --name ok \x1b[31mred", &result);
	cr_expect_eq(result.code, EXIT_USAGE);
	cr_expect_null(strchr(result.err, '\x1b'), "%s", result.err);
}

Test(options, every_command_has_help_with_its_options)
{
	for (const struct command *command = commands; command->name; command++) {
		struct program_result result;
		char line[64];

		if (!command->run)
			continue;
		snprintf(line, sizeof(line), "%s --help", command->name);
		run_program(line, &result);
		cr_expect_eq(result.code, EXIT_OK, "%s", line);
		cr_expect(strncmp(result.out, "usage: gentap ", 14) == 0, "%s: %s", line, result.out);
		for (size_t g = 0; g < COMMAND_GROUPS && command->groups[g]; g++)
			for (size_t i = 0; i < command->groups[g]->count; i++) {
				const struct option_spec *spec = &command->groups[g]->specs[i];
				char name[64];

				snprintf(name, sizeof(name), " --%s", spec->name);
				cr_expect_eq(strstr(result.out, name) == NULL, spec->instead != NULL,
					     "%s: %s", line, name);
			}
	}
}

Test(options, config_says_where_each_value_is_from_and_no_secret)
{
	struct program_result result;

	unset_surroundings();
	setenv("LANGFUSE_SECRET_KEY", "sk-lf-hidden", 1);
	setenv("LANGFUSE_PUBLIC_KEY", "pk-lf-abcdef", 1);
	setenv("LANGFUSE_MEDIA_UPLOAD_ENABLED", "hush", 1);
	run_program("config --json --release 7 --config /dev/null", &result);
	cr_expect_eq(result.code, EXIT_FAILED, "not a regular file");
	run_program("config --json --release 7", &result);
	cr_expect_eq(result.code, EXIT_OK, "%s", result.err);
	cr_expect(strstr(result.out, "\"langfuse.secret-key\":{\"value\":\"set\",\"origin\":\"environment\","
				     "\"where\":\"LANGFUSE_SECRET_KEY\"}"), "%s", result.out);
	cr_expect(strstr(result.out, "\"langfuse.public-key\":{\"value\":\"pk-lf-...\""), "%s", result.out);
	cr_expect(strstr(result.out, "\"release\":{\"value\":\"7\",\"origin\":\"option\",\"where\":\"--release\"}"),
		  "%s", result.out);
	cr_expect(strstr(result.out, "\"noEffect\":[\"LANGFUSE_MEDIA_UPLOAD_ENABLED\"]"), "%s", result.out);
	cr_expect_not(strstr(result.out, "hidden") || strstr(result.out, "hush") || strstr(result.out, "abcdef"));
	run_program("config", &result);
	cr_expect_not(strstr(result.out, "hidden") || strstr(result.out, "abcdef"), "%s", result.out);
}
