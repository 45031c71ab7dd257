/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/tls_library.h"

#include <errno.h>
#include <string.h>

#include "base/base.h"
#include "loader/elf_file.h"
#include "loader/probe_site.h"

/* The functions of all kinds, in one list: looked up together. */
#define FUNCTIONS(X)			\
	X(SSL_read)			\
	X(SSL_read_ex)			\
	X(SSL_write)			\
	X(SSL_write_ex)			\
	X(SSL_write_ex2)		\
	X(SSL_peek)			\
	X(SSL_peek_ex)			\
	X(SSL_free)			\
	X(SSL_shutdown)			\
	X(SSL_ctrl)			\
	X(SSL_set_tlsext_host_name)

enum function {
#define X(name) name,
	FUNCTIONS(X)
#undef X
	FUNCTION_COUNT
};

static const char *const function_names[] = {
#define X(name) #name,
	FUNCTIONS(X)
#undef X
};
_Static_assert(FUNCTION_COUNT < TLS_SITES_MAX, "a site for every function");

/* A pair that moves bytes, and the convention of each form. */
struct tls_move {
	struct {
		enum function function;
		enum tls_op op;		/* 0: there is no such form */
	} forms[PROBE_FORMS];
	enum tls_op inner_op;		/* done is its fourth argument */
	enum tls_op inner_fifth_op;
};

/* A function whose call alone says something. */
struct tls_fact {
	enum function function;
	enum tls_op op;
	unsigned arguments;	/* PROBE_ARG bits */
};

struct tls_kind {
	const char *name;
	enum function marker;	/* exported by this kind and by none below it */
	struct tls_move moves[2];
	struct tls_fact facts[3];
};

#define OPENSSL_MOVES {									\
	{ { { SSL_read, TLS_READ }, { SSL_read_ex, TLS_READ_EX } }, TLS_READ_INNER, 0 },	\
	{ { { SSL_write, TLS_WRITE }, { SSL_write_ex, TLS_WRITE_EX },			\
	    { SSL_write_ex2, TLS_WRITE_EX2 } }, TLS_WRITE_EX, TLS_WRITE_EX2 },		\
}

static const struct tls_kind kinds[] = {
	/* In OpenSSL and LibreSSL this one is a macro around SSL_ctrl. */
	{ "boringssl", SSL_set_tlsext_host_name, OPENSSL_MOVES, {
		{ SSL_free,			TLS_FREE,	PROBE_ARG1 },
		{ SSL_shutdown,			TLS_SHUTDOWN,	PROBE_ARG1 },
		{ SSL_set_tlsext_host_name,	TLS_SET_NAME,	PROBE_ARG1 | PROBE_ARG2 },
	} },
	{ "openssl", SSL_read, OPENSSL_MOVES, {
		{ SSL_free,			TLS_FREE,	PROBE_ARG1 },
		{ SSL_shutdown,			TLS_SHUTDOWN,	PROBE_ARG1 },
		{ SSL_ctrl,			TLS_CTRL,	PROBE_ARG1 | PROBE_ARG2 | PROBE_ARG4 },
	} },
};

/* Libraries that we know by one function that they export, and do not capture. */
static const struct {
	const char *function, *name;
} unhooked[] = {
	{ "gnutls_record_send",		"GnuTLS" },
	{ "SSL_ImportFD",		"NSS" },
	{ "rustls_connection_write",	"rustls" },
	{ "mbedtls_ssl_write",		"Mbed TLS" },
	{ "wolfSSL_write",		"wolfSSL" },
};

/* A file that is being looked into. */
struct inspection {
	const struct elf_file *elf;
	struct elf_function functions[FUNCTION_COUNT];
	struct { uint64_t address, target; } slots[2 * FUNCTION_COUNT];
	size_t slot_count;
};

/* --- the file as the chooser sees it ----------------------------------------- */

static size_t read_code(void *ctx, uint64_t address, void *ret, size_t size)
{
	const struct inspection *inspection = ctx;

	return elf_file_code(inspection->elf, address, ret, size);
}

static uint64_t follow_slot(void *ctx, uint64_t address)
{
	const struct inspection *inspection = ctx;

	for (size_t i = 0; i < inspection->slot_count; i++)
		if (inspection->slots[i].address == address)
			return inspection->slots[i].target;
	return 0;
}

/* Keeps the slots that lead to one of our functions: a library may call its own
 * exported function through its linkage table. */
static void take_slot(void *ctx, const struct elf_slot *slot)
{
	struct inspection *inspection = ctx;

	for (size_t i = 0; i < FUNCTION_COUNT && inspection->slot_count < ARRAY_SIZE(inspection->slots); i++) {
		const struct elf_function *function = &inspection->functions[i];
		bool is_same = slot->index ? slot->index == function->index : slot->value == function->address;

		if (function->size && is_same) {
			inspection->slots[inspection->slot_count].address = slot->address;
			inspection->slots[inspection->slot_count++].target = function->address;
		}
	}
}

static struct probe_function as_probe_function(const struct inspection *inspection, enum function function)
{
	return (struct probe_function){ inspection->functions[function].address,
					inspection->functions[function].size };
}

/* --- sites -------------------------------------------------------------------- */

static void add_site(const struct inspection *inspection, enum tls_op op, enum function function,
		     const struct probe_site *site, bool is_entry_only, struct tls_library *library)
{
	uint64_t offset;

	if (elf_file_offset(inspection->elf, site->address, &offset) < 0)
		return;
	library->sites[library->site_count++] = (struct tls_site){
		.op = op,
		.function = function_names[function],
		.offset = offset,
		.rule = probe_rule_name(site->rule),
		.is_stepped = site->rule == PROBE_STEPPED,
		.is_entry_only = is_entry_only,
	};
}

static void add_move(const struct inspection *inspection, const struct probe_code *code,
		     const struct tls_move *move, struct tls_library *library)
{
	struct probe_pair pair = { .peeks = {
		as_probe_function(inspection, SSL_peek),
		as_probe_function(inspection, SSL_peek_ex),
	} };
	struct probe_pair_sites sites;

	for (size_t i = 0; i < PROBE_FORMS; i++)
		if (move->forms[i].op)
			pair.forms[i] = as_probe_function(inspection, move->forms[i].function);
	if (probe_pair_choose(code, &pair, &sites) < 0)
		return;
	if (sites.is_inner)
		add_site(inspection, sites.is_done_fifth ? move->inner_fifth_op : move->inner_op,
			 move->forms[PROBE_PLAIN].function, &sites.inner, false, library);
	for (size_t i = 0; i < PROBE_FORMS; i++)
		if (sites.has_form[i])
			add_site(inspection, move->forms[i].op, move->forms[i].function, &sites.forms[i],
				 false, library);
}

static void add_fact(const struct inspection *inspection, const struct probe_code *code,
		     const struct tls_fact *fact, struct tls_library *library)
{
	struct probe_function function = as_probe_function(inspection, fact->function);
	struct probe_site site;

	if (probe_site_choose(code, &function, fact->arguments, false, &site) == 0)
		add_site(inspection, fact->op, fact->function, &site, true, library);
}

static bool find_functions(struct inspection *inspection, bool with_symtab)
{
	bool is_found = false;

	for (size_t i = 0; i < FUNCTION_COUNT; i++) {
		inspection->functions[i] = elf_file_find(inspection->elf, function_names[i]);
		is_found |= inspection->functions[i].size > 0;
	}
	if (!is_found && with_symtab)
		elf_file_find_static(inspection->elf, function_names, FUNCTION_COUNT, inspection->functions);
	return inspection->functions[SSL_read].size || inspection->functions[SSL_read_ex].size ||
	       inspection->functions[SSL_write].size || inspection->functions[SSL_write_ex].size ||
	       inspection->functions[SSL_write_ex2].size;
}

static const struct tls_kind *find_kind(const struct inspection *inspection)
{
	for (size_t i = 0; i < ARRAY_SIZE(kinds) - 1; i++)
		if (inspection->functions[kinds[i].marker].size)
			return &kinds[i];
	return &kinds[ARRAY_SIZE(kinds) - 1];
}

int tls_library_inspect(const char *path, const char *name, bool with_symtab, struct tls_library *ret)
{
	_cleanup_(elf_file_free) struct elf_file *elf = NULL;
	struct tls_library library = {};
	struct inspection inspection = {};
	struct probe_code code = { read_code, follow_slot, &inspection };
	const struct tls_kind *kind;
	int r;

	r = elf_file_open(&elf, path);
	if (r < 0)
		return r == -ENOEXEC ? -ENOENT : r;
	inspection.elf = elf;
	if (!find_functions(&inspection, with_symtab))
		return -ENOENT;
	elf_file_each_slot(elf, take_slot, &inspection);
	kind = find_kind(&inspection);
	library.kind = kind->name;
	library.dev = elf_file_dev(elf);
	library.inode = elf_file_inode(elf);
	snprintf(library.name, sizeof(library.name), "%s", name);
	for (size_t i = 0; i < ARRAY_SIZE(kind->moves); i++)
		add_move(&inspection, &code, &kind->moves[i], &library);
	if (!library.site_count)
		return -ENOENT;
	for (size_t i = 0; i < ARRAY_SIZE(kind->facts); i++)
		add_fact(&inspection, &code, &kind->facts[i], &library);
	*ret = library;
	return 0;
}

const char *tls_unhooked_library(const char *path)
{
	_cleanup_(elf_file_free) struct elf_file *elf = NULL;

	if (elf_file_open(&elf, path) < 0)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(unhooked); i++)
		if (elf_file_find(elf, unhooked[i].function).size)
			return unhooked[i].name;
	return NULL;
}
