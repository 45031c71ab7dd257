/* SPDX-License-Identifier: Apache-2.0 */
#include "cli/recording.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>

#include "base/clock.h"
#include "cli/say.h"

static void copy_text(char *ret, size_t size, const char *text)
{
	snprintf(ret, size, "%s", text ? text : "");
}

static struct capture_header header_of(const struct recording *recording, const struct settings *settings,
				       const char *boot_id, uint64_t realtime_offset_ns)
{
	struct capture_header header = {
		.realtime_offset_ns = realtime_offset_ns,
		.start_ns = recording->start_ns,
		.flags = recording->is_scrubbed ? CAPTURE_SCRUBBED : 0,
		.gentap = GENTAP_VERSION,
	};
	struct utsname names;

	copy_text(header.boot_id, sizeof(header.boot_id), boot_id);
	if (uname(&names) == 0)
		copy_text(header.kernel, sizeof(header.kernel), names.release);
	copy_text(header.environment, sizeof(header.environment), settings_text(settings, SETTING_ENVIRONMENT));
	copy_text(header.release, sizeof(header.release), settings_text(settings, SETTING_RELEASE));
	return header;
}

static bool is_file(int fd)
{
	struct stat stat;

	return fstat(fd, &stat) == 0 && S_ISREG(stat.st_mode);
}

static int open_file(const struct recording *recording, int *ret)
{
	const char *path = recording->path;
	int flags = O_WRONLY | O_CREAT | O_CLOEXEC | (recording->is_forced ? O_TRUNC : O_EXCL);
	int fd = open(path, flags, 0600);

	if (fd < 0 && errno == EEXIST)
		return fail(EXIT_FAILED, "'%s' is there already: name another file, or overwrite it with "
			    "`gentap record --force -o %s ...`", path, path);
	/* One that was there may have been readable by others; a device is as it is. */
	if (fd < 0 || (is_file(fd) && fchmod(fd, 0600) < 0)) {
		int error = errno;

		closep(&fd);
		return fail(EXIT_FAILED, "cannot write '%s': %s; name another file with `-o FILE`", path,
			    strerror(error));
	}
	*ret = fd;
	return EXIT_OK;
}

int recording_open(struct recording *recording, const struct settings *settings, const char *boot_id,
		   uint64_t realtime_offset_ns)
{
	struct capture_header header;
	int fd = -1, r, code = open_file(recording, &fd);

	if (code != EXIT_OK)
		return code;
	recording->start_ns = clock_ns(CLOCK_MONOTONIC);
	recording->has_progress = isatty(STDERR_FILENO) && !settings_flag(settings, SETTING_QUIET);
	header = header_of(recording, settings, boot_id, realtime_offset_ns);
	r = recorder_new(&recording->recorder, fd, &header);
	if (r == 0)
		return EXIT_OK;
	close(fd);
	unlink(recording->path);
	return fail(EXIT_FAILED, "cannot write '%s': %s; name another file with `-o FILE`", recording->path,
		    strerror(-r));
}

void recording_target(struct recording *recording, int pid, const char *text)
{
	_cleanup_(closep) int fd = -1;
	char path[32], comm[GT_COMM_BYTES] = "";
	ssize_t len = -1;

	snprintf(path, sizeof(path), "/proc/%d/comm", pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0)
		len = read(fd, comm, sizeof(comm) - 1);
	comm[len > 0 ? strcspn(comm, "\n") : 0] = '\0';
	recorder_target(recording->recorder, clock_ns(CLOCK_MONOTONIC), (uint32_t)pid, comm, text);
}

void recording_clear_progress(const struct recording *recording)
{
	if (recording->has_progress)
		fputs("\r\033[K", stderr);
}

void recording_tick(struct recording *recording, const uint64_t kernel[GT_LOSS_COUNT],
		    const uint64_t losses[LOSS_COUNT])
{
	struct recorder_totals totals = recorder_totals(recording->recorder);
	uint64_t seconds = elapsed_ns(recording->start_ns, clock_ns(CLOCK_MONOTONIC)) / 1000000000;

	recorder_losses(recording->recorder, kernel, losses);
	if (!recording->has_progress)
		return;
	/* In one write, as every line. */
	fprintf(stderr, "\r\033[Krecording %02" PRIu64 ":%02" PRIu64 ", %" PRIu64 " events, %.1f MB (Ctrl-C to stop)",
		seconds / 60, seconds % 60, totals.events, (double)totals.bytes / 1e6);
}

int recording_close(struct recording *recording, uint64_t end_ns, struct recorder_totals *ret)
{
	int r = recorder_stop(&recording->recorder, end_ns, ret);

	recording_clear_progress(recording);
	if (r == 0)
		return EXIT_OK;
	return fail(EXIT_FAILED, "writing '%s' failed: %s; what was recorded until then can be replayed with "
		    "`gentap replay %s`", recording->path, strerror(-r), recording->path);
}

void recording_abandon(struct recording *recording)
{
	struct recorder_totals unused;

	if (!recording->recorder)
		return;
	recorder_stop(&recording->recorder, 0, &unused);
	unlink(recording->path);
}
