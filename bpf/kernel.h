/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * The few kernel types in use, declared here instead of dumped from the build
 * machine's BTF (a container has none). Fields are relocated at load time
 * (CO-RE); a ___suffix is ignored when types are matched by name.
 */
#ifndef GENTAP_KERNEL_H
#define GENTAP_KERNEL_H

#include <linux/types.h>
#include <linux/bpf.h>
#include <linux/ptrace.h>	/* struct pt_regs as uprobes pass it */
#include <stdbool.h>
#include <stddef.h>

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct pt_regs___kernel {
	unsigned long di, si, dx, r10, r8, r9;
	long orig_ax;
};

struct in6_addr___kernel {
	__u8 u6_addr8[16];
};

struct sock_common {
	__be32 skc_daddr, skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned short skc_family;
	struct in6_addr___kernel skc_v6_daddr, skc_v6_rcv_saddr;
};

struct sock {
	struct sock_common __sk_common;
};

struct socket {
	short type;
	struct sock *sk;
};

struct inode {
	unsigned short i_mode;
};

struct file {
	struct inode *f_inode;
	void *private_data;
};

struct fdtable {
	unsigned int max_fds;
	struct file **fd;
};

struct files_struct {
	struct fdtable *fdt;
};

struct io_cqe {
	int fd;
};

struct io_kiocb {
	__u8 opcode;
	struct io_cqe cqe;
};

struct atomic___kernel {
	int counter;
};

struct signal_struct {
	struct atomic___kernel live;
};

struct task_struct {
	int pid, tgid;
	struct task_struct *group_leader;
	struct files_struct *files;
	struct signal_struct *signal;
	char comm[16];
};

#pragma clang attribute pop

#endif
