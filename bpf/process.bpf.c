/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * Forks, execs and exits of targets. A forked child is a target at once, here
 * in the kernel, so that its sockets are seen before user space knows of it;
 * its TLS probes follow from the event. These events have a ring of their own:
 * they are few, wake the loader, and must not wait behind data.
 */
#include "bpf/capture.bpf.h"

/* --name and --port: a process that fits may be exec'd by anyone. */
const volatile bool watches_every_exec = false;

static __always_inline void send_process(void *to, __u16 type, __u32 pid, __u32 peer_pid,
					 __u32 tls_unseen, struct task_struct *task)
{
	struct gt_process_event *ev = bpf_ringbuf_reserve(to, sizeof(*ev), 0);

	if (!ev) {
		lost(GT_LOSS_CONTROL_FULL);
		return;
	}
	fill_event(&ev->event, bpf_ktime_get_ns(), 0, type, 0);
	ev->event.pid = pid;
	ev->peer_pid = peer_pid;
	ev->tls_unseen = tls_unseen;
	BPF_CORE_READ_STR_INTO(&ev->comm, task, comm);
	bpf_ringbuf_submit(ev, BPF_RB_FORCE_WAKEUP);
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(process_fork, struct task_struct *parent, struct task_struct *child)
{
	__u32 pid = parent->tgid, child_pid = child->tgid;
	struct gt_target *target, inherited = {};

	if (child->pid != child->tgid || pid == self_pid)
		return 0;
	target = bpf_map_lookup_elem(&targets, &pid);
	if (!target || !(target->flags & GT_TARGET_CHILDREN))
		return 0;
	inherited.flags = target->flags & ~GT_TARGET_IO_URING;
	if (bpf_map_update_elem(&targets, &child_pid, &inherited, BPF_ANY))
		lost(GT_LOSS_TARGETS_FULL);
	send_process(&control_ring, GT_EVENT_FORK, pid, child_pid, 0, child);
	return 0;
}

SEC("tp_btf/sched_process_exec")
int BPF_PROG(process_exec, struct task_struct *task)
{
	__u32 pid = task->tgid;

	if (watches_every_exec || bpf_map_lookup_elem(&targets, &pid))
		send_process(&control_ring, GT_EVENT_EXEC, pid, 0, 0, task);
	return 0;
}

SEC("tp_btf/sched_process_exit")
int BPF_PROG(process_exit, struct task_struct *task)
{
	__u32 pid = task->tgid, unseen;
	struct gt_target *target = bpf_map_lookup_elem(&targets, &pid);

	if (!target || BPF_CORE_READ(task, signal, live.counter) > 0)
		return 0;
	unseen = target->tls_sockets > target->tls_conns ? target->tls_sockets - target->tls_conns : 0;
	bpf_map_delete_elem(&targets, &pid);
	send_process(&control_ring, GT_EVENT_EXIT, pid, 0, unseen, task);
	send_process(&ring, GT_EVENT_EXIT, pid, 0, unseen, task);
	return 0;
}
