/* SPDX-License-Identifier: Apache-2.0 */
/* Lookups held against the dynamic linker's; files that lie. */
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <sys/stat.h>

#include "base/base.h"
#include "loader/elf_file.h"

static struct elf_file *open_elf(const char *path)
{
	struct elf_file *elf = NULL;

	cr_assert_eq(elf_file_open(&elf, path), 0, "%s", path);
	return elf;
}

Test(elf_file, finds_what_the_dynamic_linker_finds)
{
	static const char *const names[] = {
		"SSL_read", "SSL_write", "SSL_read_ex", "SSL_write_ex", "SSL_free", "SSL_ctrl", "SSL_shutdown",
	};
	void *library = dlopen("libssl.so.3", RTLD_NOW);
	_cleanup_(elf_file_free) struct elf_file *elf = NULL;
	struct link_map *map;

	cr_assert(library, "%s", dlerror());
	cr_assert_eq(dlinfo(library, RTLD_DI_LINKMAP, &map), 0);
	elf = open_elf(map->l_name);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct elf_function function = elf_file_find(elf, names[i]);
		const void *want = dlsym(library, names[i]);
		uint8_t code[8];

		cr_expect_eq(map->l_addr + function.address, (uintptr_t)want, "%s", names[i]);
		cr_expect(function.size > 0, "%s", names[i]);
		cr_expect_eq(elf_file_code(elf, function.address, code, sizeof(code)), sizeof(code));
		cr_expect_arr_eq(code, want, sizeof(code), "%s", names[i]);
	}
	/* It uses this one, and does not define it. */
	cr_expect_eq(elf_file_find(elf, "EVP_DigestInit_ex").size, 0);
	cr_expect_eq(elf_file_find(elf, "SSL_no_such_function").size, 0);
	dlclose(library);
}

static __attribute__((noinline)) int only_in_symtab(int x)
{
	__asm__ volatile("" : "+r"(x));
	return x + 1;
}

Test(elf_file, finds_local_functions_when_asked)
{
	static const char *const names[] = { "no_such_function_at_all", "only_in_symtab" };
	_cleanup_(elf_file_free) struct elf_file *elf = open_elf("/proc/self/exe");
	struct elf_function found[ARRAY_SIZE(names)];
	uint8_t code[4];

	cr_assert_eq(only_in_symtab(1), 2);
	cr_expect_eq(elf_file_find(elf, "only_in_symtab").size, 0);
	cr_expect_eq(elf_file_find_static(elf, names, ARRAY_SIZE(names), found), 1);
	cr_expect_eq(found[0].size, 0);
	cr_assert_eq(elf_file_code(elf, found[1].address, code, sizeof(code)), sizeof(code));
	cr_expect_arr_eq(code, (const void *)only_in_symtab, sizeof(code));
}

Test(elf_file, only_code_is_code)
{
	static const char constant[] = "not to be executed";
	_cleanup_(elf_file_free) struct elf_file *elf = open_elf("/proc/self/exe");
	uint64_t offset;
	char byte;

	/* The tests are linked without PIE: addresses are the file's. */
	cr_expect_eq(elf_file_code(elf, (uintptr_t)constant, &byte, 1), 0);
	cr_expect_eq(elf_file_offset(elf, (uintptr_t)constant, &offset), -ENOENT);
	cr_expect_eq(elf_file_offset(elf, UINT64_MAX, &offset), -ENOENT);
	cr_expect_eq(elf_file_offset(elf, (uintptr_t)only_in_symtab, &offset), 0);
}

/* --- files that lie ------------------------------------------------------------------ */

/* A small library: the system's own, whole in memory. */
struct bytes {
	uint8_t *ptr;
	size_t len;
};

static void bytes_done(struct bytes *bytes)
{
	free(bytes->ptr);
}

static struct bytes read_libssl(void)
{
	void *library = dlopen("libssl.so.3", RTLD_NOW);
	struct bytes bytes = {};
	struct link_map *map;
	struct stat st;
	FILE *file;

	cr_assert(library, "%s", dlerror());
	cr_assert_eq(dlinfo(library, RTLD_DI_LINKMAP, &map), 0);
	cr_assert_eq(stat(map->l_name, &st), 0);
	bytes.ptr = malloc(st.st_size);
	file = fopen(map->l_name, "r");
	cr_assert(bytes.ptr && file);
	bytes.len = fread(bytes.ptr, 1, st.st_size, file);
	cr_assert_eq(bytes.len, (size_t)st.st_size);
	fclose(file);
	return bytes;
}

static void write_file(const char *path, const void *bytes, size_t len)
{
	FILE *file = fopen(path, "w");

	cr_assert(file);
	cr_assert_eq(fwrite(bytes, 1, len, file), len);
	cr_assert_eq(fclose(file), 0);
}

static void ignore_slot(void *ctx, const struct elf_slot *slot)
{
	(void)ctx;
	(void)slot;
}

/* Everything that can be asked of a file; whatever it answers stays in bounds. */
static int ask_everything(const char *path)
{
	static const char *const names[] = { "SSL_read", "SSL_write" };
	_cleanup_(elf_file_free) struct elf_file *elf = NULL;
	struct elf_function found[ARRAY_SIZE(names)];
	uint8_t code[256];
	uint64_t offset;
	int r = elf_file_open(&elf, path);

	if (r < 0)
		return r;
	found[0] = elf_file_find(elf, names[0]);
	if (found[0].size) {
		cr_expect_eq(elf_file_offset(elf, found[0].address, &offset), 0);
		cr_expect(elf_file_code(elf, found[0].address, code, sizeof(code)) <= sizeof(code));
	}
	elf_file_find_static(elf, names, ARRAY_SIZE(names), found);
	elf_file_each_slot(elf, ignore_slot, NULL);
	return 0;
}

Test(elf_file, files_cut_anywhere, .timeout = 60)
{
	_cleanup_(bytes_done) struct bytes library = read_libssl();
	char path[] = "/tmp/gentap-elf-XXXXXX";

	close(mkstemp(path));
	for (size_t len = 0; len < library.len; len += len < 1024 ? 7 : library.len / 97) {
		int r;

		write_file(path, library.ptr, len);
		r = ask_everything(path);
		if (len < sizeof(Elf64_Ehdr))
			cr_expect_eq(r, -ENOEXEC, "cut at %zu: %d", len, r);
	}
	unlink(path);
}

Test(elf_file, headers_that_point_outside)
{
	static const struct {
		const char *what;
		size_t at;
		uint64_t value;
		size_t size;
		int want;
	} lies[] = {
		{ "segments beyond the file",	offsetof(Elf64_Ehdr, e_phoff), UINT64_MAX - 8, 8, -ENOEXEC },
		{ "sections beyond the file",	offsetof(Elf64_Ehdr, e_shoff), UINT64_MAX - 8, 8, 0 },
		{ "65535 segments",		offsetof(Elf64_Ehdr, e_phnum), 0xffff, 2, 0 },
		{ "short segment entries",	offsetof(Elf64_Ehdr, e_phentsize), 1, 2, -ENOEXEC },
		{ "32 bits",			EI_CLASS, ELFCLASS32, 1, -ENOEXEC },
		{ "big-endian",			EI_DATA, ELFDATA2MSB, 1, -ENOEXEC },
		{ "another machine",		offsetof(Elf64_Ehdr, e_machine), EM_AARCH64, 2, -ENOEXEC },
		{ "a relocatable object",	offsetof(Elf64_Ehdr, e_type), ET_REL, 2, -ENOEXEC },
		{ "no magic",			0, 0, 4, -ENOEXEC },
	};
	_cleanup_(bytes_done) struct bytes library = read_libssl();
	char path[] = "/tmp/gentap-elf-XXXXXX";

	close(mkstemp(path));
	for (size_t i = 0; i < ARRAY_SIZE(lies); i++) {
		uint8_t saved[8];
		int r;

		memcpy(saved, library.ptr + lies[i].at, lies[i].size);
		memcpy(library.ptr + lies[i].at, &lies[i].value, lies[i].size);
		write_file(path, library.ptr, library.len);
		memcpy(library.ptr + lies[i].at, saved, lies[i].size);
		r = ask_everything(path);
		cr_expect_eq(r, lies[i].want, "%s: %d", lies[i].what, r);
	}
	unlink(path);
}

/* Random words over the headers, the dynamic section and the hash table. Fixed
 * seed: a failure comes back. */
Test(elf_file, thousand_spoilt_files, .timeout = 120)
{
	_cleanup_(bytes_done) struct bytes library = read_libssl();
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)library.ptr;
	size_t segments = header->e_phoff, sections = header->e_shoff;
	char path[] = "/tmp/gentap-elf-XXXXXX";
	unsigned seed = 4711;
	int fd = mkstemp(path);

	cr_assert(fd >= 0);
	write_file(path, library.ptr, library.len);
	for (int i = 0; i < 1000; i++) {
		size_t bases[] = { 16, segments, 0x2c0, sections - 4096, sections };
		size_t at = bases[rand_r(&seed) % ARRAY_SIZE(bases)] + rand_r(&seed) % 1500 / 8 * 8;
		uint64_t value = (uint64_t)rand_r(&seed) << (rand_r(&seed) % 34);

		if (at + sizeof(value) > library.len)
			continue;
		cr_assert_eq(pwrite(fd, &value, sizeof(value), at), (ssize_t)sizeof(value));
		ask_everything(path);
		cr_assert_eq(pwrite(fd, library.ptr + at, sizeof(value), at), (ssize_t)sizeof(value));
	}
	cr_expect_eq(ask_everything(path), 0, "the file is whole again");
	close(fd);
	unlink(path);
}

Test(elf_file, what_is_no_program)
{
	char path[] = "/tmp/gentap-elf-XXXXXX";
	struct elf_file *elf = NULL;

	close(mkstemp(path));
	write_file(path, "#!/bin/sh\n", 10);
	cr_expect_eq(elf_file_open(&elf, path), -ENOEXEC);
	unlink(path);
	cr_expect_eq(elf_file_open(&elf, path), -ENOENT);
	cr_assert_eq(mkfifo(path, 0600), 0);
	cr_expect_eq(elf_file_open(&elf, path), -ENOEXEC, "and it does not wait for a writer");
	unlink(path);
	cr_expect_eq(elf_file_open(&elf, "/tmp"), -ENOEXEC);
	cr_expect_null(elf);
}
