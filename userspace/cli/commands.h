/* SPDX-License-Identifier: Apache-2.0 */
/* The commands' functions, one file each; the table is in commands.c. */
#ifndef GENTAP_CLI_COMMANDS_H
#define GENTAP_CLI_COMMANDS_H

#include "cli/options.h"

int attach_run(const struct options *options);
int run_run(const struct options *options);
int record_run(const struct options *options);
int replay_run(const struct options *options);
int ls_run(const struct options *options);
int show_run(const struct options *options);
int ship_run(const struct options *options);
int doctor_run(const struct options *options);
int config_run(const struct options *options);
int version_run(const struct options *options);
int help_run(const struct options *options);

/* All commands, for `gentap --help`. */
void commands_help(struct buf *ret);

#endif
