/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What this kernel can do. With the privilege for it the kernel is asked: by
 * maps and programs that are made and dropped at once, and by links that must
 * fail, at which nothing is attached. Otherwise its version has to answer.
 */
#include "loader/loader.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "base/base.h"
#include "loader/process_private.h"

/* include/linux/proc_ns.h: they are the same on every kernel. */
#define INITIAL_USER_NAMESPACE	0xeffffffdu
#define INITIAL_PID_NAMESPACE	0xeffffffcu

/* Of enum bpf_attach_type: kernel commits 89ae89f53d20 and d920179b3d48. */
enum { ATTACH_UPROBE_MULTI = 48, ATTACH_UPROBE_SESSION = 57 };

static bool is_in_namespace(const char *path, unsigned inode)
{
	struct stat st;

	return stat(path, &st) == 0 && st.st_ino == inode;
}

static uint64_t effective_capabilities(void)
{
	char text[16384];
	const char *line;

	if (process_read(getpid(), "status", text, sizeof(text)) < 0)
		return 0;
	line = strstr(text, "\nCapEff:");
	return line ? strtoull(line + strlen("\nCapEff:"), NULL, 16) : 0;
}

static bool has_capability(uint64_t set, int capability)
{
	return set >> capability & 1 || set >> CAP_SYS_ADMIN & 1;
}

/* NULL when none is. CAP_SYS_PTRACE opens /proc/PID/root and /proc/PID/exe, where
 * the TLS library of a process is found, even one of the same user. Those of a
 * user namespace of our own count for nothing here. */
static const char *missing_capability(void)
{
	enum { BPF = 1, PERFMON = 2, PTRACE = 4 };
	static const char *const names[] = {
		[BPF]			 = "CAP_BPF",
		[PERFMON]		 = "CAP_PERFMON",
		[BPF | PERFMON]		 = "CAP_BPF and CAP_PERFMON",
		[PTRACE]		 = "CAP_SYS_PTRACE",
		[BPF | PTRACE]		 = "CAP_BPF and CAP_SYS_PTRACE",
		[PERFMON | PTRACE]	 = "CAP_PERFMON and CAP_SYS_PTRACE",
		[BPF | PERFMON | PTRACE] = "CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE",
	};
	uint64_t set = effective_capabilities();

	if (!is_in_namespace("/proc/self/ns/user", INITIAL_USER_NAMESPACE))
		return "CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE of the host's user namespace";
	return names[(has_capability(set, CAP_BPF) ? 0 : BPF) |
		     (has_capability(set, CAP_PERFMON) ? 0 : PERFMON) |
		     /* The one that CAP_SYS_ADMIN does not stand in for. */
		     (set >> CAP_SYS_PTRACE & 1 ? 0 : PTRACE)];
}

static unsigned parse_version(const char *release)
{
	unsigned major = 0, minor = 0, patch = 0;

	if (sscanf(release, "%u.%u.%u", &major, &minor, &patch) < 2)
		return 0;
	return major << 16 | MIN(minor, 255u) << 8 | MIN(patch, 255u);
}

/* Whether the kernel knows links of this type: one to something that is no file
 * fails with EBADF after all else was found right (bpf_uprobe_multi_link_attach). */
static bool knows_link(int type)
{
	static const struct bpf_insn return_0[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0 },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .expected_attach_type = type);
	unsigned long offset = 0;
	/* The BPF_LINK_CREATE part of union bpf_attr, for uprobe_multi. */
	struct {
		__u32 prog_fd, target_fd, attach_type, flags;
		__u64 path, offsets, ref_ctr_offsets, cookies;
		__u32 count, multi_flags, pid, _pad;
	} attr = {
		.attach_type = type,
		.path = (uintptr_t)"/",
		.offsets = (uintptr_t)&offset,
		.count = 1,
	};
	_cleanup_(closep) int program = -1, link = -1;

	program = bpf_prog_load(BPF_PROG_TYPE_KPROBE, NULL, "Dual BSD/GPL", return_0,
				ARRAY_SIZE(return_0), &opts);
	if (program < 0)
		return false;
	attr.prog_fd = program;
	link = syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));
	return link < 0 && errno == EBADF;
}

static void ask_kernel(struct features *features)
{
	features->has_ring_buffer = libbpf_probe_bpf_map_type(BPF_MAP_TYPE_RINGBUF, NULL) == 1;
	features->has_bpf_loop = libbpf_probe_bpf_helper(BPF_PROG_TYPE_KPROBE, BPF_FUNC_loop, NULL) == 1;
	features->has_uprobe_multi = knows_link(ATTACH_UPROBE_MULTI);
	features->has_uprobe_session = knows_link(ATTACH_UPROBE_SESSION);
}

static void ask_version(struct features *features)
{
	features->has_ring_buffer = features->kernel_version >= 0x050800;
	features->has_bpf_loop = features->kernel_version >= 0x051100;
	features->has_uprobe_multi = features->kernel_version >= 0x060600;
	features->has_uprobe_session = features->kernel_version >= 0x060d00;
}

void features_probe(struct features *ret)
{
	libbpf_print_fn_t print = libbpf_set_print(NULL);
	struct features features = {};
	struct utsname name = {};

	uname(&name);
	snprintf(features.release, sizeof(features.release), "%s", name.release);
	features.kernel_version = parse_version(name.release);
	features.missing_capability = missing_capability();
	features.is_privileged = !features.missing_capability;
	features.has_btf = access("/sys/kernel/btf/vmlinux", R_OK) == 0;
	features.is_initial_pid_namespace = is_in_namespace("/proc/self/ns/pid", INITIAL_PID_NAMESPACE);
	/* Nothing tells these by asking: commits 46ba0e49b642 and ff474a78cef5. */
	features.is_multi_pid_filter_sound = features.kernel_version >= 0x060a00;
	features.has_uretprobe_syscall = features.kernel_version >= 0x060b00;
	if (features.is_privileged)
		ask_kernel(&features);
	else
		ask_version(&features);
	libbpf_set_print(print);
	*ret = features;
}
