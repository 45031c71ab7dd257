/* SPDX-License-Identifier: Apache-2.0 */
/* The source of live events: drains the BPF ring on a timer, parks when idle. */
#ifndef GENTAP_LOADER_EBPF_SOURCE_H
#define GENTAP_LOADER_EBPF_SOURCE_H

#include "source/source.h"

struct ebpf_source_options {
	int ring_fd;
	int tls_conns_fd, sockets_fd;	/* maps of struct gt_conn by struct gt_conn_key */
	volatile __u32 *is_parked;	/* the programs' variable, mapped */
};

/* The fds stay the caller's and must outlive the source. 0 or -errno. */
int ebpf_source_new(struct source **ret, const struct ebpf_source_options *options);

#endif
