/* SPDX-License-Identifier: Apache-2.0 */
#include "loader/elf_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "base/base.h"

enum {
	SEGMENTS_MAX = 64,
	DYNAMIC_MAX = 512,	/* entries of the dynamic section */
	CHAIN_MAX = 4096,	/* symbols of one hash bucket */
	BATCH = 1024,		/* symbols or relocations read at once */
	NAME_MAX_BYTES = 64,	/* longest symbol name that is asked for */
	STRINGS_MAX = 256 << 20,
};

/* A table in memory, as the dynamic section tells of it. */
struct table {
	uint64_t address, size;
};

struct elf_file {
	int fd;
	uint64_t size, dev, inode;
	Elf64_Ehdr header;
	Elf64_Phdr segments[SEGMENTS_MAX];
	size_t segment_count;
	uint64_t symbols, strings, hash;	/* addresses; 0 none */
	struct table relocations, plt_relocations;
	struct {
		uint32_t bucket_count, first_symbol, bloom_count, bloom_shift;
	} gnu;					/* the head of .gnu.hash */
};

/* --- reading --------------------------------------------------------------- */

/* Returns how many of the bytes at @offset there are. */
static size_t read_some(const struct elf_file *elf, uint64_t offset, void *ret, size_t size)
{
	size_t done = 0;

	if (offset > INT64_MAX - size)
		return 0;
	while (done < size) {
		ssize_t n = pread(elf->fd, (char *)ret + done, size - done, offset + done);

		if (n <= 0)
			break;
		done += n;
	}
	return done;
}

static bool read_all(const struct elf_file *elf, uint64_t offset, void *ret, size_t size)
{
	return read_some(elf, offset, ret, size) == size;
}

/* The loaded segment whose bytes in the file hold @address; NULL none. */
static const Elf64_Phdr *find_segment(const struct elf_file *elf, uint64_t address)
{
	for (size_t i = 0; i < elf->segment_count; i++) {
		const Elf64_Phdr *segment = &elf->segments[i];

		if (segment->p_type == PT_LOAD && address >= segment->p_vaddr &&
		    address - segment->p_vaddr < segment->p_filesz)
			return segment;
	}
	return NULL;
}

/* The same by address; never beyond the segment. */
static size_t read_memory(const struct elf_file *elf, uint64_t address, void *ret, size_t size)
{
	const Elf64_Phdr *segment = find_segment(elf, address);
	uint64_t at, offset;

	if (!segment)
		return 0;
	at = address - segment->p_vaddr;
	if (__builtin_add_overflow(segment->p_offset, at, &offset))
		return 0;
	return read_some(elf, offset, ret, MIN((uint64_t)size, segment->p_filesz - at));
}

static bool read_memory_all(const struct elf_file *elf, uint64_t address, void *ret, size_t size)
{
	return read_memory(elf, address, ret, size) == size;
}

/* --- opening --------------------------------------------------------------- */

static bool is_ours(const Elf64_Ehdr *header)
{
	return memcmp(header->e_ident, ELFMAG, SELFMAG) == 0 &&
	       header->e_ident[EI_CLASS] == ELFCLASS64 && header->e_ident[EI_DATA] == ELFDATA2LSB &&
	       header->e_machine == EM_X86_64 &&
	       (header->e_type == ET_EXEC || header->e_type == ET_DYN) &&
	       header->e_phentsize == sizeof(Elf64_Phdr);
}

static int read_headers(struct elf_file *elf)
{
	if (!read_all(elf, 0, &elf->header, sizeof(elf->header)) || !is_ours(&elf->header))
		return -ENOEXEC;
	elf->segment_count = MIN(elf->header.e_phnum, SEGMENTS_MAX);
	if (!read_all(elf, elf->header.e_phoff, elf->segments,
		      elf->segment_count * sizeof(*elf->segments)))
		return -ENOEXEC;
	return 0;
}

static void take_dynamic(struct elf_file *elf, const Elf64_Dyn *entry)
{
	switch (entry->d_tag) {
	case DT_SYMTAB:
		elf->symbols = entry->d_un.d_ptr;
		break;
	case DT_STRTAB:
		elf->strings = entry->d_un.d_ptr;
		break;
	case DT_GNU_HASH:
		elf->hash = entry->d_un.d_ptr;
		break;
	case DT_RELA:
		elf->relocations.address = entry->d_un.d_ptr;
		break;
	case DT_RELASZ:
		elf->relocations.size = entry->d_un.d_val;
		break;
	case DT_JMPREL:
		elf->plt_relocations.address = entry->d_un.d_ptr;
		break;
	case DT_PLTRELSZ:
		elf->plt_relocations.size = entry->d_un.d_val;
		break;
	}
}

static void read_dynamic(struct elf_file *elf)
{
	Elf64_Dyn entries[DYNAMIC_MAX];

	for (size_t i = 0; i < elf->segment_count; i++) {
		const Elf64_Phdr *segment = &elf->segments[i];
		size_t count;

		if (segment->p_type != PT_DYNAMIC)
			continue;
		count = read_some(elf, segment->p_offset, entries, MIN(segment->p_filesz, sizeof(entries))) /
			sizeof(*entries);
		for (size_t j = 0; j < count && entries[j].d_tag != DT_NULL; j++)
			take_dynamic(elf, &entries[j]);
		return;
	}
}

static void read_hash_head(struct elf_file *elf)
{
	if (elf->hash && elf->symbols && elf->strings &&
	    read_memory_all(elf, elf->hash, &elf->gnu, sizeof(elf->gnu)) &&
	    elf->gnu.bucket_count && elf->gnu.bloom_count)
		return;
	elf->hash = 0;
}

int elf_file_open(struct elf_file **ret, const char *path)
{
	_cleanup_(elf_file_free) struct elf_file *elf = calloc(1, sizeof(*elf));
	struct stat st;
	int r;

	if (!elf)
		return -ENOMEM;
	/* Without O_NONBLOCK a pipe would hold us. */
	elf->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (elf->fd < 0 || fstat(elf->fd, &st) < 0)
		return -errno;
	if (!S_ISREG(st.st_mode))
		return -ENOEXEC;
	elf->size = st.st_size;
	elf->dev = st.st_dev;
	elf->inode = st.st_ino;
	r = read_headers(elf);
	if (r < 0)
		return r;
	read_dynamic(elf);
	read_hash_head(elf);
	*ret = TAKE_PTR(elf);
	return 0;
}

void elf_file_free(struct elf_file **elf)
{
	if (*elf)
		closep(&(*elf)->fd);
	free(*elf);
	*elf = NULL;
}

uint64_t elf_file_dev(const struct elf_file *elf)
{
	return elf->dev;
}

uint64_t elf_file_inode(const struct elf_file *elf)
{
	return elf->inode;
}

/* --- code ------------------------------------------------------------------ */

size_t elf_file_code(const struct elf_file *elf, uint64_t address, void *ret, size_t size)
{
	const Elf64_Phdr *segment = find_segment(elf, address);

	return segment && segment->p_flags & PF_X ? read_memory(elf, address, ret, size) : 0;
}

int elf_file_offset(const struct elf_file *elf, uint64_t address, uint64_t *ret)
{
	const Elf64_Phdr *segment = find_segment(elf, address);
	uint64_t offset;

	if (!segment || !(segment->p_flags & PF_X) ||
	    __builtin_add_overflow(segment->p_offset, address - segment->p_vaddr, &offset) ||
	    offset >= elf->size)
		return -ENOENT;
	*ret = offset;
	return 0;
}

/* --- symbols --------------------------------------------------------------- */

static bool is_function(const struct elf_file *elf, const Elf64_Sym *symbol)
{
	uint64_t offset;

	return ELF64_ST_TYPE(symbol->st_info) == STT_FUNC && symbol->st_shndx != SHN_UNDEF &&
	       symbol->st_size && elf_file_offset(elf, symbol->st_value, &offset) == 0;
}

static uint32_t gnu_hash(const char *name)
{
	uint32_t hash = 5381;

	for (const unsigned char *p = (const unsigned char *)name; *p; p++)
		hash = hash * 33 + *p;
	return hash;
}

/* The bloom filter: false says that no symbol has this hash. */
static bool may_hold(const struct elf_file *elf, uint32_t hash)
{
	uint64_t words = elf->hash + sizeof(elf->gnu), word;
	uint32_t other = elf->gnu.bloom_shift < 32 ? hash >> elf->gnu.bloom_shift : 0;

	return read_memory_all(elf, words + 8ull * (hash / 64 % elf->gnu.bloom_count), &word, sizeof(word)) &&
	       word >> hash % 64 & 1 && word >> other % 64 & 1;
}

static bool has_name(const struct elf_file *elf, const Elf64_Sym *symbol, const char *name)
{
	char text[NAME_MAX_BYTES];
	size_t size = strlen(name) + 1;

	assert(size <= sizeof(text));
	return read_memory_all(elf, elf->strings + symbol->st_name, text, size) &&
	       memcmp(text, name, size) == 0;
}

struct elf_function elf_file_find(const struct elf_file *elf, const char *name)
{
	uint32_t hash = gnu_hash(name), index, entry;
	uint64_t buckets, chain;
	Elf64_Sym symbol;

	if (!elf->hash || !may_hold(elf, hash))
		return (struct elf_function){};
	buckets = elf->hash + sizeof(elf->gnu) + 8ull * elf->gnu.bloom_count;
	chain = buckets + 4ull * elf->gnu.bucket_count;
	if (!read_memory_all(elf, buckets + 4ull * (hash % elf->gnu.bucket_count), &index, sizeof(index)))
		return (struct elf_function){};
	for (int i = 0; i < CHAIN_MAX && index >= elf->gnu.first_symbol; i++, index++) {
		if (!read_memory_all(elf, chain + 4ull * (index - elf->gnu.first_symbol), &entry, sizeof(entry)))
			break;
		if ((entry | 1) == (hash | 1) &&
		    read_memory_all(elf, elf->symbols + (uint64_t)index * sizeof(symbol), &symbol, sizeof(symbol)) &&
		    has_name(elf, &symbol, name) && is_function(elf, &symbol))
			return (struct elf_function){ symbol.st_value, symbol.st_size, index };
		if (entry & 1)	/* the last of its bucket */
			break;
	}
	return (struct elf_function){};
}

/* --- the static symbol table ----------------------------------------------- */

struct static_search {
	const struct elf_file *elf;
	const char *const *names;
	size_t count, found;
	struct elf_function *ret;
	bool is_first_letter[256];	/* of a name: spares most comparisons */
};

static bool read_section(const struct elf_file *elf, size_t index, Elf64_Shdr *ret)
{
	uint64_t offset;

	return index < elf->header.e_shnum && elf->header.e_shentsize == sizeof(*ret) &&
	       !__builtin_add_overflow(elf->header.e_shoff, index * sizeof(*ret), &offset) &&
	       read_all(elf, offset, ret, sizeof(*ret));
}

static bool find_symtab(const struct elf_file *elf, Elf64_Shdr *ret_symbols, Elf64_Shdr *ret_strings)
{
	for (size_t i = 0; read_section(elf, i, ret_symbols); i++)
		if (ret_symbols->sh_type == SHT_SYMTAB)
			return read_section(elf, ret_symbols->sh_link, ret_strings) &&
			       ret_strings->sh_type == SHT_STRTAB;
	return false;
}

static char *read_strings(const struct elf_file *elf, const Elf64_Shdr *section)
{
	_cleanup_(freep) char *strings = NULL;

	if (!section->sh_size || section->sh_size > MIN(elf->size, (uint64_t)STRINGS_MAX))
		return NULL;
	strings = malloc(section->sh_size);
	if (!strings || !read_all(elf, section->sh_offset, strings, section->sh_size) ||
	    strings[section->sh_size - 1] != '\0')
		return NULL;
	return TAKE_PTR(strings);
}

static void take_symbol(struct static_search *search, const Elf64_Sym *symbol, const char *name)
{
	if (!search->is_first_letter[(unsigned char)name[0]] || !is_function(search->elf, symbol))
		return;
	for (size_t i = 0; i < search->count; i++)
		if (!search->ret[i].size && strcmp(search->names[i], name) == 0) {
			search->ret[i] = (struct elf_function){ symbol->st_value, symbol->st_size, 0 };
			search->found++;
		}
}

size_t elf_file_find_static(const struct elf_file *elf, const char *const names[], size_t count,
			    struct elf_function ret[])
{
	struct static_search search = { .elf = elf, .names = names, .count = count, .ret = ret };
	_cleanup_(freep) char *strings = NULL;
	Elf64_Shdr symbols, strings_section;
	Elf64_Sym batch[BATCH];

	memset(ret, 0, count * sizeof(*ret));
	if (!find_symtab(elf, &symbols, &strings_section))
		return 0;
	strings = read_strings(elf, &strings_section);
	if (!strings || symbols.sh_offset > elf->size || symbols.sh_size > elf->size - symbols.sh_offset)
		return 0;
	for (size_t i = 0; i < count; i++)
		search.is_first_letter[(unsigned char)names[i][0]] = true;
	for (uint64_t at = 0; at < symbols.sh_size && search.found < count; at += sizeof(batch)) {
		size_t got = read_some(elf, symbols.sh_offset + at, batch,
				       MIN(sizeof(batch), symbols.sh_size - at)) / sizeof(*batch);

		if (!got)
			break;
		for (size_t i = 0; i < got; i++)
			if (batch[i].st_name < strings_section.sh_size)
				take_symbol(&search, &batch[i], strings + batch[i].st_name);
	}
	return search.found;
}

/* --- slots ----------------------------------------------------------------- */

static bool parse_slot(const Elf64_Rela *relocation, struct elf_slot *ret)
{
	switch (ELF64_R_TYPE(relocation->r_info)) {
	case R_X86_64_JUMP_SLOT:
	case R_X86_64_GLOB_DAT:
		*ret = (struct elf_slot){ relocation->r_offset, 0, ELF64_R_SYM(relocation->r_info) };
		return ret->index != 0;
	case R_X86_64_RELATIVE:
		*ret = (struct elf_slot){ relocation->r_offset, relocation->r_addend, 0 };
		return true;
	}
	return false;
}

static void each_slot_of(const struct elf_file *elf, const struct table *table,
			 void (*fn)(void *ctx, const struct elf_slot *slot), void *ctx)
{
	Elf64_Rela batch[BATCH];
	struct elf_slot slot;

	for (uint64_t at = 0; at < table->size && table->address <= UINT64_MAX - at; at += sizeof(batch)) {
		size_t got = read_memory(elf, table->address + at, batch,
					 MIN(sizeof(batch), table->size - at)) / sizeof(*batch);

		if (!got)
			break;
		for (size_t i = 0; i < got; i++)
			if (parse_slot(&batch[i], &slot))
				fn(ctx, &slot);
	}
}

void elf_file_each_slot(const struct elf_file *elf, void (*fn)(void *ctx, const struct elf_slot *slot), void *ctx)
{
	each_slot_of(elf, &elf->plt_relocations, fn, ctx);
	each_slot_of(elf, &elf->relocations, fn, ctx);
}
