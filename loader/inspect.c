/* SPDX-License-Identifier: Apache-2.0 */
/* What `doctor` says of a process: what it is, and what would be probed in it. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/base.h"
#include "loader/loader.h"
#include "loader/maps.h"
#include "loader/process_private.h"
#include "loader/tls_library.h"

enum {
	SITES_MAX = 32 * TLS_SITES_MAX,
	UNHOOKED_MAX = 16,
};

struct report {
	int pid;
	struct doctor_process process;
	struct doctor_tls *sites;	/* owned; SITES_MAX */
	char *paths[SITES_MAX];		/* owned; of the libraries */
	size_t path_count;
	const char *unhooked[UNHOOKED_MAX];	/* static texts */
};

static void report_done(struct report *report)
{
	for (size_t i = 0; i < report->path_count; i++)
		free(report->paths[i]);
	free(report->sites);
}

static void report_library(struct report *report, const char *path, const struct tls_library *library)
{
	char *copy = strdup(path);

	if (!copy)
		return;
	report->paths[report->path_count++] = copy;
	for (size_t i = 0; i < library->site_count; i++)
		report->sites[report->process.site_count++] = (struct doctor_tls){
			.path = copy,
			.library = library->kind,
			.function = library->sites[i].function,
			.offset = library->sites[i].offset,
			.rule = library->sites[i].rule,
		};
}

static void report_unhooked(struct report *report, const char *name)
{
	for (size_t i = 0; i < report->process.unhooked_count; i++)
		if (strcmp(report->unhooked[i], name) == 0)
			return;
	if (report->process.unhooked_count < UNHOOKED_MAX)
		report->unhooked[report->process.unhooked_count++] = name;
}

static bool look_into_file(void *ctx, const struct mapped_file *file)
{
	struct report *report = ctx;
	const char *slash = strrchr(file->path, '/'), *unhooked;
	bool is_exe = process_is_exe(report->pid, file->dev, file->inode);
	struct tls_library library;
	char path[PROCESS_PATH_SIZE];

	if (mapped_file_path(report->pid, file, path, sizeof(path)) < 0)
		return true;
	if (tls_library_inspect(path, slash ? slash + 1 : file->path, is_exe, &library) == 0) {
		report_library(report, file->path, &library);
	} else {
		unhooked = tls_unhooked_library(path);
		if (unhooked)
			report_unhooked(report, unhooked);
	}
	return report->process.site_count + TLS_SITES_MAX <= SITES_MAX;
}

static int look_into_process(struct report *report)
{
	struct doctor_process *process = &report->process;
	_cleanup_(freep) int *descendants = NULL;
	size_t count = 0;
	int r;

	r = process_comm(report->pid, process->comm);
	if (r < 0)
		return r;
	r = process_sockets(report->pid, &process->sockets, &process->listening, &process->has_io_uring);
	if (r < 0)
		return r;
	r = process_descendants(report->pid, &descendants, &count);
	if (r < 0)
		return r;
	process->descendants = count;
	process->threads = process_threads(report->pid);
	process->has_seccomp = process_has_seccomp(report->pid);
	process->is_32bit = process_is_32bit(report->pid);
	if (process_readlink(report->pid, "exe", process->exe, sizeof(process->exe)) < 0)
		process->exe[0] = '\0';
	return maps_each_file(report->pid, look_into_file, report);
}

int loader_inspect(int pid, void (*fn)(void *ctx, const struct doctor_process *), void *ctx)
{
	_cleanup_(report_done) struct report report = { .pid = pid };
	int r;

	if (!process_is_alive(pid))
		return -ESRCH;
	report.sites = calloc(SITES_MAX, sizeof(*report.sites));
	if (!report.sites)
		return -ENOMEM;
	r = look_into_process(&report);
	if (r < 0)
		return r;
	report.process.sites = report.sites;
	report.process.unhooked = report.unhooked;
	fn(ctx, &report.process);
	return 0;
}
