/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <errno.h>
#include <sys/wait.h>

#include "base/base.h"
#include "loader/loader.h"

static void check(void *ctx, const struct doctor_process *process)
{
	bool *is_called = ctx;
	bool has_read = false;

	*is_called = true;
	for (size_t i = 0; i < process->site_count; i++) {
		cr_expect(strstr(process->sites[i].path, "/libssl.so.3"), "%s", process->sites[i].path);
		cr_expect_str_eq(process->sites[i].library, "openssl");
		cr_expect(process->sites[i].offset > 0);
		has_read |= strcmp(process->sites[i].function, "SSL_read") == 0;
	}
	cr_expect(has_read);
	cr_expect(process->threads >= 1);
	cr_expect_not(process->is_32bit);
	cr_expect(strstr(process->exe, "test_inspect"), "%s", process->exe);
}

Test(inspect, says_what_would_be_probed)
{
	bool is_called = false;

	cr_assert(dlopen("libssl.so.3", RTLD_NOW), "%s", dlerror());
	cr_assert_eq(loader_inspect(getpid(), check, &is_called), 0);
	cr_expect(is_called);
}

Test(inspect, of_a_process_that_is_gone)
{
	bool is_called = false;
	pid_t pid = fork();

	cr_assert(pid >= 0);
	if (pid == 0)
		_exit(0);
	waitpid(pid, NULL, 0);
	cr_expect_eq(loader_inspect(pid, check, &is_called), -ESRCH);
	cr_expect_not(is_called);
}
