/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/* The maps and variables that the programs share; capture.bpf.h declares them. */
#include "bpf/capture.bpf.h"

struct targets_map targets SEC(".maps");
struct conns_map tls_conns SEC(".maps");
struct conns_map sockets SEC(".maps");
struct ring_map ring SEC(".maps");
struct ring_map control_ring SEC(".maps");

__u64 losses[GT_LOSS_COUNT];
__u64 conns_made;
__u32 is_parked;

const volatile __u64 conn_id_base = 0;
const volatile __u32 self_pid = 0;
const volatile __u32 wake_at_bytes = 0;

char LICENSE[] SEC("license") = "Dual BSD/GPL";
