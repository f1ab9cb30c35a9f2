/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Read, not mapped: a file that is truncated while it is open must not kill the reader with
 * SIGBUS. libelf reads only the parts asked for and keeps them until close. Its gelf functions
 * copy: a hostile file can place headers and symbols at odd addresses.
 */
#include "common/elf_file.h"

#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
	BUILD_ID_BYTES_MAX = 20,
	NOTES_BYTES_MAX = 1 << 20,
	SEGMENTS_NR_MAX = 4096,
	SECTION_BYTES_MAX = 1 << 29, /* read into memory at once; sparse files claim any size */
};

struct elf_file {
	Elf *elf;
	int fd;
	uint64_t file_bytes;
	GElf_Ehdr header;
	struct elf_segment *segments;
	uint32_t segments_nr;
	struct elf_segment tls;
	bool has_tls;
};

/* ---- Open ---- */

static struct elf_segment segment_make(const GElf_Phdr *program)
{
	return (struct elf_segment){
	    .file_offset = program->p_offset,
	    .file_bytes = program->p_filesz,
	    .vaddr = program->p_vaddr,
	    .memory_bytes = program->p_memsz,
	    .alignment = program->p_align,
	    .flags = program->p_flags,
	};
}

static int elf_file_read_segments(struct elf_file *elf)
{
	size_t nr;

	if (elf_getphdrnum(elf->elf, &nr) || nr > SEGMENTS_NR_MAX)
		return -EBADMSG;
	elf->segments = calloc(nr + 1, sizeof(*elf->segments));
	if (!elf->segments)
		return -ENOMEM;
	for (int i = 0; i < (int)nr; i++) {
		GElf_Phdr program;

		if (!gelf_getphdr(elf->elf, i, &program))
			return -EBADMSG;
		if (program.p_type == PT_LOAD)
			elf->segments[elf->segments_nr++] = segment_make(&program);
		if (program.p_type == PT_TLS && !elf->has_tls) {
			elf->tls = segment_make(&program);
			elf->has_tls = true;
		}
	}
	return 0;
}

static int elf_file_init(struct elf_file *elf)
{
	const char *ident;

	if (!elf->elf || elf_kind(elf->elf) != ELF_K_ELF)
		return -ENOEXEC;
	ident = elf_getident(elf->elf, NULL);
	if (!ident || ident[EI_CLASS] != ELFCLASS64 || ident[EI_DATA] != ELFDATA2LSB)
		return -ENOEXEC;
	if (!gelf_getehdr(elf->elf, &elf->header))
		return -EBADMSG;
	return elf_file_read_segments(elf);
}

static int elf_file_finish_open(struct elf_file *elf, struct elf_file **ret)
{
	const int error = elf_file_init(elf);

	if (error) {
		elf_file_close(elf);
		return error;
	}
	*ret = elf;
	return 0;
}

int elf_file_open(int fd, struct elf_file **ret)
{
	struct elf_file *elf;
	struct stat status;

	if (elf_version(EV_CURRENT) == EV_NONE)
		return -ENOTSUP;
	if (fstat(fd, &status))
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -ENOEXEC;
	elf = calloc(1, sizeof(*elf));
	if (!elf)
		return -ENOMEM;
	elf->file_bytes = (uint64_t)status.st_size;
	elf->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (elf->fd < 0) {
		const int error = -errno;

		free(elf);
		return error;
	}
	elf->elf = elf_begin(elf->fd, ELF_C_READ, NULL);
	return elf_file_finish_open(elf, ret);
}

int elf_file_open_memory(const void *bytes, size_t nr, struct elf_file **ret)
{
	struct elf_file *elf;

	if (elf_version(EV_CURRENT) == EV_NONE)
		return -ENOTSUP;
	elf = calloc(1, sizeof(*elf));
	if (!elf)
		return -ENOMEM;
	elf->fd = -1;
	elf->file_bytes = nr;
	elf->elf = elf_memory((char *)bytes, nr); /* opened for reading: not written to */
	return elf_file_finish_open(elf, ret);
}

void elf_file_close(struct elf_file *elf)
{
	if (!elf)
		return;
	elf_end(elf->elf);
	if (elf->fd >= 0)
		close(elf->fd);
	free(elf->segments);
	free(elf);
}

int elf_file_fd(const struct elf_file *elf)
{
	return elf->fd;
}

/* ---- Header, segments ---- */

bool elf_file_is_executable_type(const struct elf_file *elf)
{
	return elf->header.e_type == ET_EXEC;
}

uint16_t elf_file_machine(const struct elf_file *elf)
{
	return elf->header.e_machine;
}

const struct elf_segment *elf_file_segments(const struct elf_file *elf, uint32_t *nr)
{
	*nr = elf->segments_nr;
	return elf->segments;
}

int elf_file_tls(const struct elf_file *elf, struct elf_segment *ret)
{
	if (!elf->has_tls)
		return -ENOENT;
	*ret = elf->tls;
	return 0;
}

const uint8_t *elf_file_at(const struct elf_file *elf, uint64_t vaddr, size_t nr)
{
	for (uint32_t i = 0; i < elf->segments_nr; i++) {
		const struct elf_segment *segment = &elf->segments[i];
		const uint64_t inside = vaddr - segment->vaddr;
		const Elf_Data *data;
		uint64_t offset;

		if (vaddr < segment->vaddr || inside >= segment->file_bytes)
			continue;
		if (nr > segment->file_bytes - inside || segment->file_offset > UINT64_MAX - inside)
			return NULL;
		offset = segment->file_offset + inside;
		if (offset > elf->file_bytes || nr > elf->file_bytes - offset)
			return NULL;
		data = elf_getdata_rawchunk(elf->elf, (int64_t)offset, nr, ELF_T_BYTE);
		return data && data->d_size == nr ? data->d_buf : NULL;
	}
	return NULL;
}

int elf_file_offset_to_vaddr(const struct elf_file *elf, uint64_t file_offset, uint64_t *ret)
{
	for (uint32_t i = 0; i < elf->segments_nr; i++) {
		const struct elf_segment *segment = &elf->segments[i];

		if (file_offset < segment->file_offset ||
		    file_offset - segment->file_offset >= segment->file_bytes)
			continue;
		*ret = segment->vaddr + (file_offset - segment->file_offset);
		return 0;
	}
	return -ENOENT;
}

/* ---- Build id ---- */

static uint8_t notes_build_id(Elf_Data *notes, uint8_t build_id[20])
{
	size_t at = 0;
	size_t name_at;
	size_t description_at;
	GElf_Nhdr note;

	while ((at = gelf_getnote(notes, at, &note, &name_at, &description_at)) > 0) {
		const uint8_t *bytes = notes->d_buf;

		if (note.n_type != NT_GNU_BUILD_ID || note.n_namesz != sizeof("GNU") ||
		    memcmp(bytes + name_at, "GNU", sizeof("GNU")) != 0)
			continue;
		if (note.n_descsz == 0 || note.n_descsz > BUILD_ID_BYTES_MAX)
			continue;
		memcpy(build_id, bytes + description_at, note.n_descsz);
		return (uint8_t)note.n_descsz;
	}
	return 0;
}

static uint8_t segments_build_id(const struct elf_file *elf, uint8_t build_id[20])
{
	GElf_Phdr program;

	for (int i = 0; gelf_getphdr(elf->elf, i, &program); i++) {
		const Elf_Type type = program.p_align == 8 ? ELF_T_NHDR8 : ELF_T_NHDR;
		Elf_Data *notes;
		uint8_t found;

		if (program.p_type != PT_NOTE || program.p_filesz > NOTES_BYTES_MAX)
			continue;
		notes = elf_getdata_rawchunk(elf->elf, (int64_t)program.p_offset, program.p_filesz,
					     type);
		found = notes ? notes_build_id(notes, build_id) : 0;
		if (found)
			return found;
	}
	return 0;
}

static uint8_t sections_build_id(const struct elf_file *elf, uint8_t build_id[20])
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(elf->elf, section)) != NULL) {
		GElf_Shdr header;
		Elf_Data *notes;
		uint8_t found;

		if (!gelf_getshdr(section, &header) || header.sh_type != SHT_NOTE ||
		    header.sh_size > NOTES_BYTES_MAX)
			continue;
		notes = elf_getdata(section, NULL);
		found = notes ? notes_build_id(notes, build_id) : 0;
		if (found)
			return found;
	}
	return 0;
}

uint8_t elf_file_build_id(const struct elf_file *elf, uint8_t build_id[20])
{
	const uint8_t found = segments_build_id(elf, build_id);

	return found ? found : sections_build_id(elf, build_id);
}

/* ---- Sections ---- */

static Elf_Scn *section_find(const struct elf_file *elf, const char *name)
{
	Elf_Scn *section = NULL;
	size_t names;

	if (elf_getshdrstrndx(elf->elf, &names))
		return NULL;
	while ((section = elf_nextscn(elf->elf, section)) != NULL) {
		GElf_Shdr header;
		const char *found = NULL;

		if (gelf_getshdr(section, &header))
			found = elf_strptr(elf->elf, names, header.sh_name);
		if (found && strcmp(found, name) == 0)
			return section;
	}
	return NULL;
}

int elf_file_section(const struct elf_file *elf, const char *name, struct elf_section *ret)
{
	Elf_Scn *section = section_find(elf, name);
	const Elf_Data *data;
	GElf_Shdr header;

	if (!section || !gelf_getshdr(section, &header))
		return -ENOENT;
	*ret = (struct elf_section){
	    .vaddr = header.sh_addr,
	    .file_offset = header.sh_offset,
	    .nr = header.sh_size,
	};
	if (header.sh_type == SHT_NOBITS)
		return 0;
	if (header.sh_size > SECTION_BYTES_MAX)
		return -ENOENT;
	data = elf_rawdata(section, NULL);
	if (!data || (header.sh_size && !data->d_buf) || data->d_size < header.sh_size)
		return -ENOENT;
	ret->bytes = data->d_buf;
	return 0;
}

bool elf_file_has_section(const struct elf_file *elf, const char *name)
{
	return section_find(elf, name) != NULL;
}

/* ---- Symbols ---- */

struct symbol_visit {
	int (*visit)(void *context, const struct elf_symbol *symbol);
	void *context;
};

static bool section_fits(Elf_Scn *section)
{
	GElf_Shdr header;

	return section && gelf_getshdr(section, &header) && header.sh_size <= SECTION_BYTES_MAX;
}

static int symbols_visit(const struct elf_file *elf, Elf_Scn *section, uint32_t names,
			 const struct symbol_visit *visit)
{
	const bool fits = section_fits(section) && section_fits(elf_getscn(elf->elf, names));
	Elf_Data *data = fits ? elf_getdata(section, NULL) : NULL;
	GElf_Sym found;

	for (int i = 1; data && gelf_getsym(data, i, &found); i++) {
		const char *name = elf_strptr(elf->elf, names, found.st_name);
		struct elf_symbol symbol;
		int ret;

		if (!name)
			continue;
		symbol = (struct elf_symbol){
		    .name = name,
		    .vaddr = found.st_value,
		    .bytes = found.st_size,
		    .type = GELF_ST_TYPE(found.st_info),
		    .bind = GELF_ST_BIND(found.st_info),
		    .is_defined = found.st_shndx != SHN_UNDEF,
		};
		ret = visit->visit(visit->context, &symbol);
		if (ret)
			return ret;
	}
	return 0;
}

static int symbol_tables_visit(const struct elf_file *elf, uint32_t type,
			       const struct symbol_visit *visit)
{
	Elf_Scn *section = NULL;

	while ((section = elf_nextscn(elf->elf, section)) != NULL) {
		GElf_Shdr header;
		int ret;

		if (!gelf_getshdr(section, &header) || header.sh_type != type)
			continue;
		ret = symbols_visit(elf, section, header.sh_link, visit);
		if (ret)
			return ret;
	}
	return 0;
}

int elf_file_visit_symbols(const struct elf_file *elf,
			   int (*visit)(void *context, const struct elf_symbol *symbol),
			   void *context)
{
	const struct symbol_visit both = {visit, context};
	const int ret = symbol_tables_visit(elf, SHT_SYMTAB, &both);

	return ret ? ret : symbol_tables_visit(elf, SHT_DYNSYM, &both);
}

struct symbol_search {
	const char *name;
	struct elf_symbol *found;
};

static int symbol_compare(void *context, const struct elf_symbol *symbol)
{
	const struct symbol_search *search = context;

	if (!symbol->is_defined || strcmp(symbol->name, search->name) != 0)
		return 0;
	*search->found = *symbol;
	return 1;
}

int elf_file_find_symbol(const struct elf_file *elf, const char *name, struct elf_symbol *ret)
{
	struct symbol_search search = {name, ret};

	return elf_file_visit_symbols(elf, symbol_compare, &search) ? 0 : -ENOENT;
}
