/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What libelf itself, not pyrec's own reader, finds in a file, as a bundle_module: ground for the
 * comparisons in this folder and the unit tests.
 */
#ifndef PYREC_TESTS_NATIVE_ELF_MODULE_H
#define PYREC_TESTS_NATIVE_ELF_MODULE_H

#include <fcntl.h>
#include <gelf.h>
#include <string.h>

#include "common/cleanup.h"
#include "format/bundle.h"

struct elf_module {
	int fd;
	Elf *elf;
	struct bundle_module module; /* without symbols */
	struct bundle_segment segments[16];
};

static inline void elf_module_add_section(struct elf_module *self, Elf_Scn *scn, const char *name)
{
	GElf_Shdr header;
	Elf_Data *data = elf_rawdata(scn, NULL);

	if (!data || !data->d_buf || !gelf_getshdr(scn, &header))
		return;
	struct bundle_section section = {
	    .vaddr = header.sh_addr,
	    .file_offset = header.sh_offset,
	    .bytes = data->d_buf,
	    .nr = data->d_size,
	};
	if (strcmp(name, ".eh_frame") == 0)
		self->module.eh_frame = section;
	if (strcmp(name, ".eh_frame_hdr") == 0)
		self->module.eh_frame_hdr = section;
}

static inline void elf_module_close(struct elf_module *self)
{
	elf_end(self->elf);
	close(self->fd);
}

/* Return: 0 or -1. */
static inline int elf_module_open(struct elf_module *self, const char *path)
{
	size_t headers_nr = 0;
	size_t names;

	memset(self, 0, sizeof(*self));
	elf_version(EV_CURRENT);
	self->fd = open(path, O_RDONLY | O_CLOEXEC);
	self->elf = self->fd < 0 ? NULL : elf_begin(self->fd, ELF_C_READ_MMAP, NULL);
	if (!self->elf || elf_getphdrnum(self->elf, &headers_nr) ||
	    elf_getshdrstrndx(self->elf, &names)) {
		elf_module_close(self);
		return -1;
	}
	for (size_t i = 0; i < headers_nr && self->module.segments_nr < 16; i++) {
		GElf_Phdr header;

		if (!gelf_getphdr(self->elf, (int)i, &header) || header.p_type != PT_LOAD)
			continue;
		self->segments[self->module.segments_nr++] = (struct bundle_segment){
		    header.p_offset, header.p_filesz, header.p_vaddr,
		    header.p_memsz,  header.p_flags,
		};
	}
	self->module.segments = self->segments;
	self->module.path = path;
	for (Elf_Scn *scn = NULL; (scn = elf_nextscn(self->elf, scn));) {
		GElf_Shdr header;
		const char *name = gelf_getshdr(scn, &header)
				       ? elf_strptr(self->elf, names, header.sh_name)
				       : NULL;

		if (name)
			elf_module_add_section(self, scn, name);
	}
	return 0;
}

#endif
