/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One ELF file opened for reading what pyrec needs of it: build id, load segments,
 * sections by name, function symbols. The one libelf user besides libdw's own. Hostile files are
 * expected: every pointer handed out lies inside the file.
 */
#ifndef PYREC_COMMON_ELF_FILE_H
#define PYREC_COMMON_ELF_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cleanup.h"

struct elf_file;

struct elf_segment { /* PT_LOAD, in file order */
	uint64_t file_offset;
	uint64_t file_bytes;
	uint64_t vaddr;
	uint64_t memory_bytes;
	uint64_t alignment;
	uint32_t flags; /* PF_* */
};

struct elf_section {
	uint64_t vaddr;
	uint64_t file_offset;
	const uint8_t *bytes; /* borrowed; NULL for NOBITS */
	uint64_t nr;
};

struct elf_symbol {
	const char *name; /* borrowed */
	uint64_t vaddr;	  /* st_value */
	uint64_t bytes;	  /* st_size */
	uint8_t type;	  /* STT_* */
	uint8_t bind;	  /* STB_* */
	bool is_defined;
};

/** Read from @fd, which stays the caller's and may be closed after the call. Return: 0, -ENOEXEC
 *  (not a 64-bit little-endian ELF file), -EBADMSG, -errno. */
must_check int elf_file_open(int fd, struct elf_file **ret);
/** The same from memory (the vdso); @bytes stay borrowed. */
must_check int elf_file_open_memory(const void *bytes, size_t nr, struct elf_file **ret);
void elf_file_close(struct elf_file *elf);
int elf_file_fd(const struct elf_file *elf); /* its own, borrowed; -1: in memory */

bool elf_file_is_executable_type(const struct elf_file *elf); /* ET_EXEC */
uint16_t elf_file_machine(const struct elf_file *elf);	      /* EM_* */
const struct elf_segment *elf_file_segments(const struct elf_file *elf, uint32_t *nr);
/** GNU build id note. Return: length, 0 when there is none. */
uint8_t elf_file_build_id(const struct elf_file *elf, uint8_t build_id[20]);
/** PT_TLS. Return: 0 or -ENOENT. */
must_check int elf_file_tls(const struct elf_file *elf, struct elf_segment *ret);
/** Return: 0 or -ENOENT. */
must_check int elf_file_section(const struct elf_file *elf, const char *name,
				struct elf_section *ret);
/** Without reading it. */
bool elf_file_has_section(const struct elf_file *elf, const char *name);

/** Call @visit for every symbol of .symtab, then of .dynsym, until it returns non-zero; that is
 *  returned. */
int elf_file_visit_symbols(const struct elf_file *elf,
			   int (*visit)(void *context, const struct elf_symbol *symbol),
			   void *context);
/** First defined symbol of that name. Return: 0 or -ENOENT. */
must_check int elf_file_find_symbol(const struct elf_file *elf, const char *name,
				    struct elf_symbol *ret);
/** File bytes at a virtual address, through the load segments. NULL when not all @nr are there. */
const uint8_t *elf_file_at(const struct elf_file *elf, uint64_t vaddr, size_t nr);
/** vaddr of a file offset, through the load segments. Return: 0 or -ENOENT. */
must_check int elf_file_offset_to_vaddr(const struct elf_file *elf, uint64_t file_offset,
					uint64_t *ret);

#endif
