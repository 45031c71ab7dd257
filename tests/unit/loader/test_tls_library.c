/* SPDX-License-Identifier: Apache-2.0 */
/* The libraries of this machine. That the chosen sites see every byte is shown
 * with traffic, by the live tests. */
#include <criterion/criterion.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <sys/mman.h>

#include "base/base.h"
#include "loader/tls_library.h"

static const char node[] = "/usr/bin/node";

static const char *libssl_path(void)
{
	void *library = dlopen("libssl.so.3", RTLD_NOW);
	struct link_map *map;

	cr_assert(library, "%s", dlerror());
	cr_assert_eq(dlinfo(library, RTLD_DI_LINKMAP, &map), 0);
	return map->l_name;
}

static unsigned count_ops(const struct tls_library *library, enum tls_op a, enum tls_op b, enum tls_op c)
{
	unsigned count = 0;

	for (size_t i = 0; i < library->site_count; i++)
		count += library->sites[i].op == a || library->sites[i].op == b || library->sites[i].op == c;
	return count;
}

/* What the kernel emulates, as objdump would name it. */
static bool is_emulated(uint8_t first, uint8_t second)
{
	return (first & 0xf8) == 0x50 || (first == 0x41 && (second & 0xf8) == 0x50) || first == 0x90 ||
	       (first & 0xf0) == 0x70 || (first == 0x0f && (second & 0xf0) == 0x80) ||
	       first == 0xe8 || first == 0xe9 || first == 0xeb;
}

static void expect_sound_sites(const char *path, const struct tls_library *library)
{
	_cleanup_(closep) int fd = open(path, O_RDONLY);

	for (size_t i = 0; i < library->site_count; i++) {
		const struct tls_site *site = &library->sites[i];
		uint8_t code[2];

		cr_assert_eq(pread(fd, code, sizeof(code), site->offset), (ssize_t)sizeof(code));
		cr_expect_eq(is_emulated(code[0], code[1]), !site->is_stepped, "%s of %s: %02x %02x, %s",
			     site->function, path, code[0], code[1], site->rule);
		cr_expect_eq(site->is_entry_only, site->op >= TLS_FREE, "%s of %s", site->function, path);
		for (size_t j = 0; j < i; j++)
			cr_expect_neq(site->offset, library->sites[j].offset, "%s twice", site->function);
	}
	cr_expect(count_ops(library, TLS_READ, TLS_READ_EX, TLS_READ_INNER) >= 1, "%s", path);
	cr_expect(count_ops(library, TLS_WRITE, TLS_WRITE_EX, TLS_WRITE_EX2) >= 1, "%s", path);
	cr_expect_eq(count_ops(library, TLS_FREE, TLS_SHUTDOWN, TLS_CTRL), 3, "%s", path);
}

Test(tls_library, the_system_openssl)
{
	const char *path = libssl_path();
	struct tls_library library;

	cr_assert_eq(tls_library_inspect(path, "libssl.so.3", false, &library), 0);
	cr_expect_str_eq(library.kind, "openssl");
	cr_expect_str_eq(library.name, "libssl.so.3");
	expect_sound_sites(path, &library);
	/* One inner function behind both forms: a second read site would count its bytes twice. */
	cr_expect_eq(count_ops(&library, TLS_READ_INNER, TLS_READ_INNER, TLS_READ_INNER), 1);
	cr_expect_eq(count_ops(&library, TLS_READ, TLS_READ_EX, TLS_READ_EX), 0);
}

Test(tls_library, node_holds_its_own_openssl)
{
	struct tls_library library;

	if (access(node, R_OK) < 0)
		cr_skip_test("%s is not installed", node);
	cr_assert_eq(tls_library_inspect(node, "node", false, &library), 0);
	expect_sound_sites(node, &library);
	/* The inner function is inlined into SSL_read: each form is probed itself. */
	cr_expect_eq(count_ops(&library, TLS_READ, TLS_READ_EX, 0), 2);
	cr_expect_eq(count_ops(&library, TLS_WRITE, TLS_WRITE_EX, 0), 2);
	cr_expect_eq(count_ops(&library, TLS_READ_INNER, 0, 0), 0);
}

Test(tls_library, what_is_none)
{
	struct tls_library library = { .site_count = 77 };

	cr_expect_eq(tls_library_inspect("/proc/self/exe", "self", true, &library), -ENOENT);
	cr_expect_eq(tls_library_inspect("/etc/passwd", "passwd", true, &library), -ENOENT);
	cr_expect_eq(tls_library_inspect("/gentap/no/such/file", "file", true, &library), -ENOENT);
	cr_expect_eq(library.site_count, 77, "an output is untouched on failure");
	cr_expect_null(tls_unhooked_library("/proc/self/exe"));
	cr_expect_null(tls_unhooked_library(libssl_path()));
}

/* Not GnuTLS's: where libcurl brings that along, the linker exports ours to it. */
__attribute__((noinline)) void wolfSSL_write(void);
void wolfSSL_write(void)
{
}

Test(tls_library, a_static_function_needs_the_static_table)
{
	struct tls_library library;

	wolfSSL_write();
	cr_expect_null(tls_unhooked_library("/proc/self/exe"), "it is not exported");
	cr_expect_eq(tls_library_inspect("/proc/self/exe", "self", false, &library), -ENOENT);
}

/* --- the cache ---------------------------------------------------------------------- */

/* A mapped file of our own, whose content can change. */
static void copy_file(const char *from, const char *to)
{
	_cleanup_(fclosep) FILE *in = fopen(from, "r");
	_cleanup_(fclosep) FILE *out = fopen(to, "w");
	char bytes[65536];
	size_t n;

	cr_assert(in && out);
	while ((n = fread(bytes, 1, sizeof(bytes), in)))
		cr_assert_eq(fwrite(bytes, 1, n, out), n);
}

struct lookup {
	struct tls_cache *cache;
	const char *path;
	int r;
	const struct tls_library *library;
};

static bool look_up(void *ctx, const struct mapped_file *file)
{
	struct lookup *lookup = ctx;

	if (strcmp(file->path, lookup->path) != 0)
		return true;
	lookup->r = tls_cache_get(lookup->cache, getpid(), file, false, &lookup->library);
	return false;
}

static int get(struct lookup *lookup)
{
	lookup->r = 1;
	cr_assert_eq(maps_each_file(getpid(), look_up, lookup), 0);
	return lookup->r;
}

Test(tls_library, the_cache_answers_for_the_file_as_it_is)
{
	char path[] = "/tmp/gentap-tls-XXXXXX";
	_cleanup_(tls_cache_free) struct tls_cache *cache = NULL;
	_cleanup_(closep) int fd = mkstemp(path);
	struct lookup lookup = { .path = path };
	const struct tls_library *first;

	cr_assert_eq(tls_cache_new(&cache), 0);
	lookup.cache = cache;
	copy_file(libssl_path(), path);
	cr_assert(mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0) != MAP_FAILED);

	cr_assert_eq(get(&lookup), 0);
	cr_expect_eq(strcmp(lookup.library->name, path + strlen("/tmp/")), 0);
	first = lookup.library;
	cr_assert_eq(get(&lookup), 0);
	cr_expect_eq(lookup.library, first, "kept, not made again");

	cr_assert_eq(ftruncate(fd, 100), 0);
	cr_expect_eq(get(&lookup), -ENOENT, "another size: another file");
	cr_expect_eq(get(&lookup), -ENOENT);
	copy_file(libssl_path(), path);
	cr_expect_eq(get(&lookup), 0, "and now it is one again");
	unlink(path);
}
