/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Small ELF files made by hand: one load segment over the whole file, sections, symbols. A byte's
 * virtual address is its file offset plus the base (0, or ELF_WRITER_BASE of a fixed program).
 */
#ifndef PYREC_TESTS_ELF_WRITER_H
#define PYREC_TESTS_ELF_WRITER_H

#include <elf.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "common/strbuf.h"

enum { ELF_WRITER_BASE = 0x400000, ELF_WRITER_SECTIONS_MAX = 16, ELF_WRITER_HEAD_BYTES = 512 };

struct elf_writer {
	uint16_t type; /* ET_DYN or ET_EXEC */
	uint16_t machine;
	uint32_t load_flags; /* PF_* of the one load segment */
	Elf64_Phdr tls;	     /* p_type 0: none */
	Elf64_Phdr note;     /* the same */
	Elf64_Shdr sections[ELF_WRITER_SECTIONS_MAX];
	uint32_t sections_nr;
	struct strbuf body; /* of the whole file, headers left blank */
	struct strbuf section_names;
	struct strbuf symbols;
	struct strbuf names;
};

static inline uint64_t elf_writer_base(const struct elf_writer *writer)
{
	return writer->type == ET_EXEC ? ELF_WRITER_BASE : 0;
}

static inline void elf_writer_init(struct elf_writer *writer, uint16_t type)
{
	*writer = (struct elf_writer){
	    .type = type, .machine = EM_X86_64, .load_flags = PF_R | PF_X, .sections_nr = 1};
	strbuf_append_zeros(&writer->body, ELF_WRITER_HEAD_BYTES);
	strbuf_append_zeros(&writer->section_names, 1);
	strbuf_append_zeros(&writer->symbols, sizeof(Elf64_Sym));
	strbuf_append_zeros(&writer->names, 1);
}

/** Append a section. Return: its virtual address. */
static inline uint64_t elf_writer_section(struct elf_writer *writer, const char *name,
					  uint32_t type, const void *bytes, size_t nr)
{
	Elf64_Shdr *section = &writer->sections[writer->sections_nr];

	if (writer->sections_nr++ == ELF_WRITER_SECTIONS_MAX)
		abort();
	strbuf_align(&writer->body, 16);
	*section = (Elf64_Shdr){
	    .sh_name = (uint32_t)writer->section_names.nr,
	    .sh_type = type,
	    .sh_flags = SHF_ALLOC,
	    .sh_addr = elf_writer_base(writer) + writer->body.nr,
	    .sh_offset = writer->body.nr,
	    .sh_size = nr,
	    .sh_addralign = 16,
	};
	if (type != SHT_NOBITS)
		strbuf_append(&writer->body, bytes, nr);
	strbuf_append(&writer->section_names, name, strlen(name) + 1);
	return section->sh_addr;
}

static inline void elf_writer_add_symbol(struct elf_writer *writer, const char *name, uint8_t info,
					 uint64_t value, uint64_t bytes)
{
	const Elf64_Sym symbol = {
	    .st_name = (uint32_t)writer->names.nr,
	    .st_info = info,
	    .st_shndx = 1,
	    .st_value = value,
	    .st_size = bytes,
	};

	strbuf_append(&writer->names, name, strlen(name) + 1);
	strbuf_append(&writer->symbols, &symbol, sizeof(symbol));
}

static inline void elf_writer_function(struct elf_writer *writer, const char *name, uint64_t value,
				       uint64_t bytes)
{
	elf_writer_add_symbol(writer, name, ELF64_ST_INFO(STB_GLOBAL, STT_FUNC), value, bytes);
}

static inline void elf_writer_object(struct elf_writer *writer, const char *name, uint64_t value,
				     uint64_t bytes)
{
	elf_writer_add_symbol(writer, name, ELF64_ST_INFO(STB_GLOBAL, STT_OBJECT), value, bytes);
}

/** A GNU build id of 20 bytes, each @fill. */
static inline void elf_writer_build_id(struct elf_writer *writer, uint8_t fill)
{
	struct {
		Elf64_Nhdr head;
		char name[4];
		uint8_t id[20];
	} note = {.head = {4, 20, NT_GNU_BUILD_ID}, .name = "GNU"};
	uint64_t vaddr;

	memset(note.id, fill, sizeof(note.id));
	vaddr = elf_writer_section(writer, ".note.gnu.build-id", SHT_NOTE, &note, sizeof(note));
	writer->note = (Elf64_Phdr){
	    .p_type = PT_NOTE,
	    .p_flags = PF_R,
	    .p_offset = vaddr - elf_writer_base(writer),
	    .p_vaddr = vaddr,
	    .p_filesz = sizeof(note),
	    .p_memsz = sizeof(note),
	    .p_align = 4,
	};
}

static inline void elf_writer_tls(struct elf_writer *writer, uint64_t memory_bytes,
				  uint64_t alignment)
{
	writer->tls = (Elf64_Phdr){.p_type = PT_TLS,
				   .p_flags = PF_R,
				   .p_vaddr = elf_writer_base(writer),
				   .p_memsz = memory_bytes,
				   .p_align = alignment};
}

static inline void elf_writer_tables(struct elf_writer *writer, uint32_t symbols_type)
{
	const uint32_t names_index = writer->sections_nr;
	const bool is_static = symbols_type == SHT_SYMTAB;
	Elf64_Shdr *symbols;

	elf_writer_section(writer, is_static ? ".strtab" : ".dynstr", SHT_STRTAB,
			   writer->names.bytes, writer->names.nr);
	symbols = &writer->sections[writer->sections_nr];
	elf_writer_section(writer, is_static ? ".symtab" : ".dynsym", symbols_type,
			   writer->symbols.bytes, writer->symbols.nr);
	symbols->sh_link = names_index;
	symbols->sh_entsize = sizeof(Elf64_Sym);
	symbols->sh_info = 1;
}

/** Write headers and symbol table (SHT_SYMTAB or SHT_DYNSYM). The file is then writer->body. */
static inline void elf_writer_finish(struct elf_writer *writer, uint32_t symbols_type)
{
	Elf64_Ehdr header = {
	    .e_ident = {ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3, ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
	    .e_type = writer->type,
	    .e_machine = writer->machine,
	    .e_version = EV_CURRENT,
	    .e_phoff = sizeof(Elf64_Ehdr),
	    .e_ehsize = sizeof(Elf64_Ehdr),
	    .e_phentsize = sizeof(Elf64_Phdr),
	    .e_phnum = 3,
	    .e_shentsize = sizeof(Elf64_Shdr),
	};
	Elf64_Phdr load = {.p_type = PT_LOAD, .p_flags = writer->load_flags, .p_align = 4096};
	Elf64_Shdr *names;

	elf_writer_tables(writer, symbols_type);
	names = &writer->sections[writer->sections_nr];
	elf_writer_section(writer, ".shstrtab", SHT_STRTAB, writer->section_names.bytes,
			   writer->section_names.nr);
	/* With its own name, which came after its bytes were taken. */
	strbuf_append(&writer->body, ".shstrtab", sizeof(".shstrtab"));
	names->sh_size = writer->section_names.nr;
	strbuf_align(&writer->body, 16);
	header.e_shoff = writer->body.nr;
	header.e_shnum = (uint16_t)writer->sections_nr;
	header.e_shstrndx = (uint16_t)(writer->sections_nr - 1);
	strbuf_append(&writer->body, writer->sections,
		      writer->sections_nr * sizeof(*writer->sections));
	load.p_vaddr = elf_writer_base(writer);
	load.p_filesz = load.p_memsz = writer->body.nr;
	memcpy(writer->body.bytes, &header, sizeof(header));
	memcpy(writer->body.bytes + 64, &load, sizeof(load));
	memcpy(writer->body.bytes + 64 + 56, &writer->tls, sizeof(writer->tls));
	memcpy(writer->body.bytes + 64 + 112, &writer->note, sizeof(writer->note));
	if (writer->body.error)
		abort();
}

static inline void elf_writer_deinit(struct elf_writer *writer)
{
	strbuf_deinit(&writer->body);
	strbuf_deinit(&writer->section_names);
	strbuf_deinit(&writer->symbols);
	strbuf_deinit(&writer->names);
}

/** Put the finished file at @path. Return: 0 or -1. */
static inline int elf_writer_save(const struct elf_writer *writer, const char *path)
{
	int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0700);
	ssize_t written = fd < 0 ? -1 : write(fd, writer->body.bytes, writer->body.nr);

	if (fd >= 0)
		close(fd);
	return written == (ssize_t)writer->body.nr ? 0 : -1;
}

#endif
