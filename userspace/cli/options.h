/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Options of the commands: one table, from which parsing and --help are made,
 * and against which tests hold completion and man page.
 */
#ifndef GENTAP_CLI_OPTIONS_H
#define GENTAP_CLI_OPTIONS_H

#include "cli/settings.h"

enum {
	OPTIONS_PIDS = 1024,
	OPTIONS_PORTS = 64,
	OPTIONS_NAMES = 64,
	OPTIONS_SETTINGS = 64,
};

struct given_setting {
	enum setting setting;
	const char *value, *where;	/* borrowed: argv or static */
};

/* A parsed command line. Texts are argv's. */
struct options {
	int pids[OPTIONS_PIDS];
	size_t pid_count;
	uint16_t ports[OPTIONS_PORTS];
	size_t port_count;
	const char *names[OPTIONS_NAMES];
	size_t name_count;
	bool has_no_children;
	uint64_t for_ns, count;		/* 0: no limit */
	const char *config;
	bool is_json;
	bool as_root;
	const char *output;		/* record */
	bool is_forced, is_raw;		/* record: --force, --no-scrub */
	uint64_t limit;			/* ls; 0: not given */
	struct given_setting settings[OPTIONS_SETTINGS];
	size_t setting_count;
	bool wants_help;
	char **operands;		/* NULL-terminated */
	int operand_count;
};

static inline bool options_has_target(const struct options *options)
{
	return options->pid_count || options->port_count || options->name_count;
}

struct option_spec {
	const char *name;	/* without "--" */
	char letter;		/* 0: none */
	const char *arg;	/* what --help calls the argument; NULL: takes none */
	const char *help;	/* NULL for a setting: its own */
	/* 0, or -EINVAL and what is wrong in @error. NULL for a setting. */
	int (*take)(struct options *options, const char *arg, struct buf *error);
	/* Not in this version: what to do instead. */
	const char *instead;
};

struct option_group {
	const char *title;
	const struct option_spec *specs;
	size_t count;
};

extern const struct option_group target_group, limit_group, capture_group, capture_json_group, settings_group, run_group, record_group,
	ls_group, doctor_group, store_group, json_group, common_group;

enum { COMMAND_GROUPS = 7 };

struct command {
	const char *name;
	const char *operands;		/* for the usage line; "" for none */
	const char *summary;		/* one line, lower case */
	const char *text;		/* below the usage line; NULL */
	const char *examples;		/* NULL */
	const char *notes;		/* after the options; NULL */
	const struct option_group *groups[COMMAND_GROUPS];
	int min_operands, max_operands;	/* max -1: any number, options end at the first */
	bool is_capturing;		/* stdout carries generations only */
	/* NULL: not in this version. Returns an exit code. */
	int (*run)(const struct options *options);
};

/* Ends with an entry whose name is NULL. */
extern const struct command commands[];

const struct command *command_find(const char *name);
/* The whole program: returns the exit code. */
int command_main(int argc, char **argv);

/* argv[0] is the command's name. 0, or -EINVAL and a text in @error. */
int options_parse(const struct command *command, int argc, char **argv, struct options *ret,
		  struct buf *error);
void options_help(const struct command *command, struct buf *ret);

/* Files, environment, then the options. EXIT_OK, or said and an exit code; then
 * too the caller calls settings_done. Says the warnings. */
int options_settings(const struct options *options, struct settings *ret);

#endif
