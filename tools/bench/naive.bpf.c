/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * What gentap is compared with: the usual TLS sniffer. A probe at the symbol and
 * one at the return, a hash map between them, records of fixed size, a wake-up
 * per record.
 */
#include <stddef.h>

#include <linux/types.h>
#include <linux/bpf.h>
#include <linux/ptrace.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#define RECORD_BYTES 8192

struct call {
	__u64 buf, done;
};

struct record {
	__u64 time_ns;
	__u64 pid_tgid;
	__u64 len;
	char comm[16];
	char bytes[RECORD_BYTES];
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 10240);
	__type(key, __u64);
	__type(value, struct call);
} calls SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20);
} records SEC(".maps");

SEC("uprobe")
int naive_enter(struct pt_regs *ctx)
{
	struct call call = { .buf = PT_REGS_PARM2(ctx), .done = PT_REGS_PARM4(ctx) };
	__u64 id = bpf_get_current_pid_tgid();

	bpf_map_update_elem(&calls, &id, &call, BPF_ANY);
	return 0;
}

/* The link's cookie is 1 for the functions that return their length in *done. */
static __always_inline __u64 moved(struct pt_regs *ctx, const struct call *call)
{
	int result = PT_REGS_RC(ctx);
	__u64 len = 0;

	if (result <= 0 || !bpf_get_attach_cookie(ctx))
		return result > 0 ? result : 0;
	bpf_probe_read_user(&len, sizeof(len), (void *)call->done);
	return len;
}

SEC("uretprobe")
int naive_leave(struct pt_regs *ctx)
{
	__u64 id = bpf_get_current_pid_tgid();
	struct call *call = bpf_map_lookup_elem(&calls, &id);
	struct record *record;
	__u64 len;

	if (!call)
		return 0;
	len = moved(ctx, call);
	record = len ? bpf_ringbuf_reserve(&records, sizeof(*record), 0) : NULL;
	if (record) {
		record->time_ns = bpf_ktime_get_ns();
		record->pid_tgid = id;
		record->len = len;
		bpf_get_current_comm(record->comm, sizeof(record->comm));
		asm volatile("" : "+r"(len));
		if (len > RECORD_BYTES)
			len = RECORD_BYTES;
		bpf_probe_read_user(record->bytes, len, (void *)call->buf);
		bpf_ringbuf_submit(record, 0);
	}
	bpf_map_delete_elem(&calls, &id);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
