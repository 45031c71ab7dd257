/* SPDX-License-Identifier: Apache-2.0 */
/* systemd's readiness protocol, sd_notify(3), without its library. */
#ifndef GENTAP_CLI_NOTIFY_H
#define GENTAP_CLI_NOTIFY_H

/* Sends @message ("READY=1") to the socket that $NOTIFY_SOCKET names. 0 also
 * when the variable is unset, else -errno. */
int notify(const char *message);

#endif
