/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <linux/capability.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <sys/wait.h>

#include "base/base.h"
#include "loader/loader.h"

/* What features_probe says in a child that has only the capabilities of @set. */
static struct features probe_with(uint64_t set)
{
	struct features *shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	struct __user_cap_header_struct header = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { { .effective = set, .permitted = set },
						  { .effective = set >> 32, .permitted = set >> 32 } };
	pid_t pid;
	int status;

	cr_assert(shared != MAP_FAILED);
	pid = fork();
	cr_assert(pid >= 0);
	if (pid == 0) {
		if (syscall(SYS_capset, &header, data) < 0)
			_exit(errno == EPERM ? 2 : 1);
		features_probe(shared);
		_exit(0);
	}
	cr_assert_eq(waitpid(pid, &status, 0), pid);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 2)
		cr_skip_test("needs root");
	cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 0);
	return *shared;
}

#define BIT(capability) (1ull << (capability))

Test(features, names_the_capabilities_that_are_missing)
{
	static const struct {
		uint64_t set;
		const char *missing;
	} cases[] = {
		{ 0,						"CAP_BPF, CAP_PERFMON and CAP_SYS_PTRACE" },
		{ BIT(CAP_BPF),					"CAP_PERFMON and CAP_SYS_PTRACE" },
		{ BIT(CAP_PERFMON),				"CAP_BPF and CAP_SYS_PTRACE" },
		{ BIT(CAP_SYS_PTRACE),				"CAP_BPF and CAP_PERFMON" },
		{ BIT(CAP_BPF) | BIT(CAP_PERFMON),		"CAP_SYS_PTRACE" },
		{ BIT(CAP_BPF) | BIT(CAP_SYS_PTRACE),		"CAP_PERFMON" },
		{ BIT(CAP_PERFMON) | BIT(CAP_SYS_PTRACE),	"CAP_BPF" },
		{ BIT(CAP_BPF) | BIT(CAP_PERFMON) | BIT(CAP_SYS_PTRACE), NULL },
		{ BIT(CAP_SYS_ADMIN),				"CAP_SYS_PTRACE" },
		{ BIT(CAP_SYS_ADMIN) | BIT(CAP_SYS_PTRACE),	NULL },
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct features features = probe_with(cases[i].set);
		const char *got = features.missing_capability ? features.missing_capability : "none";

		cr_expect_str_eq(got, cases[i].missing ? cases[i].missing : "none", "case %zu: %s", i, got);
		cr_expect_eq(features.is_privileged, !cases[i].missing, "case %zu", i);
	}
}

/* Asked, the kernel must not know less than its version promises. */
Test(features, asking_agrees_with_the_version)
{
	struct features asked = probe_with(BIT(CAP_SYS_ADMIN) | BIT(CAP_BPF) | BIT(CAP_PERFMON) | BIT(CAP_SYS_PTRACE));
	struct features guessed = probe_with(0);

	cr_expect_eq(asked.has_ring_buffer, guessed.has_ring_buffer);
	cr_expect_eq(asked.has_bpf_loop, guessed.has_bpf_loop);
	cr_expect_eq(asked.has_uprobe_multi, guessed.has_uprobe_multi);
	cr_expect_eq(asked.has_uprobe_session, guessed.has_uprobe_session);
}

Test(features, the_version_is_the_running_kernels)
{
	struct features features;
	struct utsname name;
	unsigned major, minor;

	features_probe(&features);
	uname(&name);
	cr_assert_eq(sscanf(name.release, "%u.%u", &major, &minor), 2);
	cr_expect_eq(features.kernel_version >> 8, major << 8 | minor);
	cr_expect_str_eq(features.release, name.release);
}
