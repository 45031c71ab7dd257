/* SPDX-License-Identifier: Apache-2.0 */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include "base/base.h"
#include "loader/maps.h"
#include "loader/process.h"

static const char content[] = "the very file";

struct search {
	const char *path;
	struct stat st;			/* of the file that is meant */
	unsigned found;
	bool is_deleted;
	char text[64];			/* read through mapped_file_path */
};

static void read_file(const char *path, char *ret, size_t size)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY);
	ssize_t n = fd < 0 ? -1 : read(fd, ret, size - 1);

	ret[n < 0 ? 0 : n] = '\0';
}

static bool look_for(void *ctx, const struct mapped_file *file)
{
	struct search *search = ctx;
	char path[PROCESS_PATH_SIZE];

	if (strcmp(file->path, search->path) != 0)
		return true;
	search->found++;
	search->is_deleted = file->is_deleted;
	cr_expect_eq(file->dev, search->st.st_dev);
	cr_expect_eq(file->inode, search->st.st_ino);
	cr_assert_eq(mapped_file_path(getpid(), file, path, sizeof(path)), 0);
	read_file(path, search->text, sizeof(search->text));
	return true;
}

/* Maps two executable pages of a new file. */
static void map_file(const char *path, struct stat *ret)
{
	_cleanup_(closep) int fd = open(path, O_RDWR | O_CREAT | O_EXCL, 0700);
	void *first, *second;

	cr_assert(fd >= 0);
	cr_assert_eq(write(fd, content, strlen(content)), (ssize_t)strlen(content));
	cr_assert_eq(fstat(fd, ret), 0);
	first = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	second = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	cr_assert(first != MAP_FAILED && second != MAP_FAILED);
}

/* Names that the text of /proc/PID/maps makes hard to read. */
static const char *const names[] = {
	"plain.so", "with a space.so", "two  spaces r-xp.so", "line\nend.so", "ends (deleted) not.so",
};

Test(maps, the_very_file_before_and_after_it_is_deleted)
{
	char dir[] = "/tmp/gentap-maps-XXXXXX";

	cr_assert(mkdtemp(dir));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		char path[256];
		struct search search = { .path = path };

		snprintf(path, sizeof(path), "%s/%s", dir, names[i]);
		map_file(path, &search.st);
		cr_assert_eq(maps_each_file(getpid(), look_for, &search), 0);
		cr_expect_eq(search.found, 1, "'%s' found %u times", names[i], search.found);
		cr_expect_not(search.is_deleted);
		cr_expect_str_eq(search.text, content, "'%s'", names[i]);

		unlink(path);
		search.text[0] = '\0';
		cr_assert_eq(maps_each_file(getpid(), look_for, &search), 0);
		cr_expect_eq(search.found, 2, "'%s' found again", names[i]);
		cr_expect(search.is_deleted, "'%s'", names[i]);
		cr_expect_str_eq(search.text, content, "'%s', deleted", names[i]);
	}
	rmdir(dir);
}

Test(maps, a_file_put_in_its_place_is_another)
{
	char dir[] = "/tmp/gentap-maps-XXXXXX", path[64], other[64];
	struct search search = { .path = path };
	struct mapped_file gone;
	FILE *file;

	cr_assert(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/library.so", dir);
	snprintf(other, sizeof(other), "%s/new.so", dir);
	map_file(path, &search.st);
	file = fopen(other, "w");
	cr_assert(file);
	fputs("another file", file);
	fclose(file);
	cr_assert_eq(rename(other, path), 0);
	cr_assert_eq(maps_each_file(getpid(), look_for, &search), 0);
	cr_expect_str_eq(search.text, content);

	/* Nor is it taken when the mapping has gone meanwhile. */
	gone = (struct mapped_file){ .path = path, .start = 0x1000, .end = 0x2000,
				     .dev = search.st.st_dev, .inode = search.st.st_ino };
	cr_expect_eq(mapped_file_path(getpid(), &gone, other, sizeof(other)), -ENOENT);
	unlink(path);
	rmdir(dir);
}

static bool count_one(void *ctx, const struct mapped_file *file)
{
	unsigned *count = ctx;

	(void)file;
	++*count;
	return false;
}

Test(maps, stops_when_told_and_knows_who_is_gone)
{
	unsigned count = 0;

	cr_expect_eq(maps_each_file(getpid(), count_one, &count), 0);
	cr_expect_eq(count, 1);
	cr_expect_eq(maps_each_file(0x7ffffff0, count_one, &count), -ESRCH);
	cr_expect_eq(count, 1);
}
