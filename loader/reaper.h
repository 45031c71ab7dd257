/* SPDX-License-Identifier: Apache-2.0 */
/* Closes the links of targets that ended, in a thread of its own: a close waits
 * for a grace period, and new workers must not wait for it. */
#ifndef GENTAP_LOADER_REAPER_H
#define GENTAP_LOADER_REAPER_H

#include "loader/target.h"

struct reaper;

/* 0 or -errno. */
int reaper_new(struct reaper **ret);
/* Takes the target over and frees it, soon. */
void reaper_take(struct reaper *reaper, struct target *target);
/* Waits until all that it took is gone. */
void reaper_free(struct reaper **reaper);

#endif
