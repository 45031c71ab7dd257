/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/maps.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/base.h"
#include "loader/process.h"

static const char deleted[] = " (deleted)";

/* The kernel escapes only the line end, as \012. */
static void unescape(char *path)
{
	char *to = path;

	for (const char *from = path; *from; to++)
		if (strncmp(from, "\\012", 4) == 0) {
			*to = '\n';
			from += 4;
		} else {
			*to = *from++;
		}
	*to = '\0';
}

/* "start-end perms offset major:minor inode path" (proc_pid_maps(5)); false
 * unless it is a file mapped to execute. */
static bool parse_line(char *line, struct mapped_file *ret)
{
	unsigned major, minor;
	int path_at = 0;
	char *path;
	char perms[5];
	size_t len;

	line[strcspn(line, "\n")] = '\0';
	if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %4s %*x %x:%x %" SCNu64 " %n", &ret->start, &ret->end,
		   perms, &major, &minor, &ret->inode, &path_at) != 6 || !path_at)
		return false;
	path = line + path_at;
	if (perms[2] != 'x' || !ret->inode || path[0] != '/')
		return false;
	len = strlen(path);
	ret->is_deleted = len > strlen(deleted) && strcmp(path + len - strlen(deleted), deleted) == 0;
	if (ret->is_deleted)
		path[len - strlen(deleted)] = '\0';
	unescape(path);
	ret->path = path;
	ret->dev = makedev(major, minor);
	return true;
}

static bool stat_mapping(int pid, const struct mapped_file *file, char *path, size_t size, struct stat *ret)
{
	snprintf(path, size, "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, pid, file->start, file->end);
	return stat(path, ret) == 0;
}

static bool stat_path(int pid, const struct mapped_file *file, char *path, size_t size, struct stat *ret)
{
	return !file->is_deleted &&
	       snprintf(path, size, "/proc/%d/root%s", pid, file->path) < (int)size &&
	       stat(path, ret) == 0 && ret->st_ino == file->inode;
}

/* A file by its numbers in the maps. */
struct seen {
	uint64_t dev, inode;
};

/* A file's mappings stand mostly side by side: the search starts at the last. */
static bool is_seen(const struct seen *seen, size_t count, const struct mapped_file *file)
{
	while (count--)
		if (seen[count].inode == file->inode && seen[count].dev == file->dev)
			return true;
	return false;
}

int maps_each_file(int pid, bool (*fn)(void *ctx, const struct mapped_file *file), void *ctx)
{
	_cleanup_(fclosep) FILE *maps = NULL;
	_cleanup_(freep) struct seen *seen = NULL;
	_cleanup_(freep) char *line = NULL;
	struct mapped_file file;
	char path[PROCESS_PATH_SIZE];
	size_t count = 0, size = 0;
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);
	maps = fopen(path, "re");
	if (!maps)
		return errno == ENOENT ? -ESRCH : -errno;
	seen = calloc(MAPS_FILES_MAX, sizeof(*seen));
	if (!seen)
		return -ENOMEM;
	while (count < MAPS_FILES_MAX && getline(&line, &size, maps) > 0) {
		if (!parse_line(line, &file) || is_seen(seen, count, &file))
			continue;
		seen[count++] = (struct seen){ file.dev, file.inode };
		if (stat_mapping(pid, &file, path, sizeof(path), &st) ||
		    stat_path(pid, &file, path, sizeof(path), &st)) {
			file.dev = st.st_dev;
			file.inode = st.st_ino;
		}
		if (!fn(ctx, &file))
			break;
	}
	return 0;
}

int mapped_file_path(int pid, const struct mapped_file *file, char *ret, size_t size)
{
	char path[PROCESS_PATH_SIZE];
	struct stat st;

	if (!stat_mapping(pid, file, path, sizeof(path), &st) &&
	    !stat_path(pid, file, path, sizeof(path), &st))
		return -ENOENT;
	if (snprintf(ret, size, "%s", path) >= (int)size)
		return -ENAMETOOLONG;
	return 0;
}
