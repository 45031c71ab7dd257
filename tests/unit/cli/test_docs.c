/* SPDX-License-Identifier: Apache-2.0 */
/* Man page and completion are written by hand, and held against the tables. */
#include <criterion/criterion.h>
#include <string.h>

#include "base/loss.h"
#include "bpf/gentap.h"
#include "cli/options.h"
#include "llm/usage.h"

/* Run from the top of the tree, as all tests are. */
static char *read_whole(const char *path)
{
	static char text[65536];
	FILE *file = fopen(path, "re");
	size_t len;

	cr_assert_not_null(file, "%s: %m (tests run from the top of the tree)", path);
	len = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[len] = '\0';
	return text;
}

/* groff writes a hyphen that is one as "\-". */
static void drop_backslashes(char *text)
{
	char *to = text;

	for (; *text; text++)
		if (*text != '\\')
			*to++ = *text;
	*to = '\0';
}

static void expect_word(const char *text, const char *word, const char *of)
{
	size_t len = strlen(word);

	for (const char *at = text; (at = strstr(at, word)) != NULL; at++)
		if ((at == text || !strchr("abcdefghijklmnopqrstuvwxyz-_", at[-1])) &&
		    !(at[len] && strchr("abcdefghijklmnopqrstuvwxyz-_", at[len])))
			return;
	cr_expect(false, "'%s' is missing%s%s", word, *of ? " for " : "", of);
}

Test(docs, the_man_page_has_every_command_option_and_setting)
{
	char *page = read_whole("userspace/cli/gentap.1"), name[64];

	drop_backslashes(page);
	for (const struct command *command = commands; command->name; command++) {
		if (!command->run)
			continue;
		expect_word(page, command->name, "");
		for (size_t g = 0; g < COMMAND_GROUPS && command->groups[g]; g++)
			for (size_t i = 0; i < command->groups[g]->count; i++) {
				const struct option_spec *spec = &command->groups[g]->specs[i];

				snprintf(name, sizeof(name), "--%s", spec->name);
				if (!spec->instead)
					expect_word(page, name, command->name);
				snprintf(name, sizeof(name), "-%c", spec->letter);
				if (spec->letter)
					expect_word(page, name, command->name);
			}
	}
	for (enum setting i = 0; i < SETTING_COUNT; i++) {
		const char *dot = strchr(setting_spec(i)->name, '.');

		snprintf(name, sizeof(name), "%s%s", dot ? "" : "--", dot ? dot + 1 : setting_spec(i)->name);
		expect_word(page, name, "");
		for (size_t e = 0; e < 3 && setting_spec(i)->env[e]; e++)
			cr_expect(strstr(page, setting_spec(i)->env[e]), "%s", setting_spec(i)->env[e]);
	}
}

Test(docs, the_man_page_names_every_loss_and_mark)
{
	static const char *const kernel[] = {
#define X(name, text, help) text,
		GT_LOSSES(X)
#undef X
	};
	char *page = read_whole("userspace/cli/gentap.1");

	for (size_t i = 0; i < ARRAY_SIZE(kernel); i++)
		expect_word(page, kernel[i], "");
	for (enum loss i = 0; i < LOSS_COUNT; i++)
		expect_word(page, loss_name(i), "");
}

Test(docs, the_man_page_names_every_bucket_of_usage)
{
	char *page = read_whole("userspace/cli/gentap.1");

	for (enum usage_bucket i = 0; i < USAGE_COUNT; i++)
		expect_word(page, usage_key(i), "usageDetails");
}

/* What the shell itself says that `gentap @command` can be given. */
static void complete(const char *command, char *ret, size_t size)
{
	char line[256];
	FILE *pipe;
	size_t len;

	snprintf(line, sizeof(line), "bash -c '. userspace/cli/gentap.bash && _gentap_options %s'", command);
	pipe = popen(line, "re");
	cr_assert_not_null(pipe);
	len = fread(ret, 1, size - 1, pipe);
	ret[len] = '\0';
	cr_assert_eq(pclose(pipe), 0, "%s", line);
}

Test(docs, completion_has_exactly_the_options_of_each_command)
{
	for (const struct command *command = commands; command->name; command++) {
		char found[4096], name[64];
		size_t offered = 0, count = 0;

		complete(command->name, found, sizeof(found));
		for (size_t g = 0; g < COMMAND_GROUPS && command->groups[g]; g++)
			for (size_t i = 0; i < command->groups[g]->count; i++) {
				const struct option_spec *spec = &command->groups[g]->specs[i];

				if (spec->instead)
					continue;
				snprintf(name, sizeof(name), "--%s", spec->name);
				expect_word(found, name, command->name);
				count += 1 + (spec->letter != 0);
				snprintf(name, sizeof(name), "-%c", spec->letter);
				if (spec->letter)
					expect_word(found, name, command->name);
			}
		for (char *word = strtok(found, " \n"); word; word = strtok(NULL, " \n"))
			offered++;
		cr_expect_eq(offered, count, "%s: %zu offered, %zu there are", command->name, offered, count);
	}
}

Test(docs, completion_offers_every_command_and_sink)
{
	char *script = read_whole("userspace/cli/gentap.bash");
	const char *const sinks[] = { "terminal", "json", "jsonl:", "langfuse", "none" };

	for (const struct command *command = commands; command->name; command++)
		if (command->run)
			expect_word(strstr(script, "local commands="), command->name, "");
	for (size_t i = 0; i < ARRAY_SIZE(sinks); i++) {
		expect_word(strstr(script, "--to)"), sinks[i], "");
		cr_expect_null(setting_spec(SETTING_TO)->check(i == 2 ? "jsonl:x" : sinks[i]), "%s", sinks[i]);
	}
}
