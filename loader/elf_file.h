/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Function symbols and code bytes of an x86-64 ELF file.
 *
 * Read piece by piece, never mapped: another process may truncate the file at
 * any time, which would be a SIGBUS here. A lookup in .dynsym goes through the
 * GNU hash table, a dozen short reads in a file of any size. Whatever the file
 * says is checked against where it ends.
 */
#ifndef GENTAP_LOADER_ELF_FILE_H
#define GENTAP_LOADER_ELF_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct elf_file;

/* A defined function; size 0 when there is none. Functions whose size the file
 * does not tell count as none: without bounds a body cannot be judged. */
struct elf_function {
	uint64_t address;	/* in the file's own numbering */
	uint64_t size;
	uint32_t index;		/* in .dynsym; 0 when it comes from .symtab */
};

/* 0, or -errno: -ENOEXEC when it is not a 64-bit x86 program or library. */
int elf_file_open(struct elf_file **ret, const char *path);
void elf_file_free(struct elf_file **elf);
/* As of stat. */
uint64_t elf_file_dev(const struct elf_file *elf);
uint64_t elf_file_inode(const struct elf_file *elf);

/* Looks in .dynsym. */
struct elf_function elf_file_find(const struct elf_file *elf, const char *name);
/* Looks for all names in .symtab, in one pass: slow in a large file. Those not
 * found get size 0. Returns how many were. */
size_t elf_file_find_static(const struct elf_file *elf, const char *const names[], size_t count,
			    struct elf_function ret[]);

/* Copies the executable bytes at @address; returns how many there are, at most @size. */
size_t elf_file_code(const struct elf_file *elf, uint64_t address, void *ret, size_t size);
/* Where in the file the executable byte of this address stands. 0 or -ENOENT. */
int elf_file_offset(const struct elf_file *elf, uint64_t address, uint64_t *ret);

/* A pointer that the dynamic linker fills in: with the .dynsym symbol of that
 * index or (index 0) the address of this file. */
struct elf_slot {
	uint64_t address;
	uint64_t value;
	uint32_t index;
};
/* Calls @fn for each, procedure linkage included. */
void elf_file_each_slot(const struct elf_file *elf, void (*fn)(void *ctx, const struct elf_slot *slot), void *ctx);

#endif
