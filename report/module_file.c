/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/module_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>

#include "common/elf_file.h"
#include "common/vec.h"

enum { VDSO_BYTES_MAX = 1 << 16 };

VEC_DEFINE(bundle_symbol_vec, struct bundle_symbol)

struct module_file {
	struct elf_file *elf;
	struct bundle_module contents;
	struct bundle_segment *segments;
	struct bundle_symbol_vec symbols;
	struct strbuf names;
	char *path;
};

static int open_regular(const char *root, const char *path, int *ret)
{
	auto_strbuf struct strbuf whole = {0};
	auto_close_fd int fd = -1;
	struct stat status;

	if (root)
		strbuf_append_text(&whole, root);
	strbuf_append_text(&whole, path);
	if (whole.error)
		return whole.error;
	/* A recording may name a FIFO or a device here: neither wait nor act on it. */
	fd = open(strbuf_text(&whole), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &status))
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -ENOEXEC;
	*ret = no_close_fd(fd);
	return 0;
}

/* The kernel maps the vdso whole, and its end is where its section headers end. */
static int open_own_vdso(struct elf_file **ret)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)getauxval(AT_SYSINFO_EHDR);
	size_t nr;

	if (!header)
		return -ENOENT;
	nr = header->e_shoff + (size_t)header->e_shnum * header->e_shentsize;
	return nr <= VDSO_BYTES_MAX ? elf_file_open_memory(header, nr, ret) : -ENOEXEC;
}

static int open_elf(const char *root, const char *path, struct elf_file **ret)
{
	auto_close_fd int fd = -1;
	int error;

	if (strcmp(path, "[vdso]") == 0)
		return root ? -ENOENT : open_own_vdso(ret);
	if (path[0] != '/')
		return -ENOENT;
	error = open_regular(root, path, &fd);
	return error ? error : elf_file_open(fd, ret);
}

static int check_identity(struct module_file *file, const uint8_t *build_id, uint8_t build_id_nr)
{
	struct bundle_module *contents = &file->contents;

	if (elf_file_machine(file->elf) != EM_X86_64)
		return -ENOEXEC;
	contents->build_id_nr = elf_file_build_id(file->elf, contents->build_id);
	if (build_id_nr && (contents->build_id_nr != build_id_nr ||
			    memcmp(contents->build_id, build_id, build_id_nr) != 0))
		return -ENOENT;
	contents->is_executable_type = elf_file_is_executable_type(file->elf);
	return 0;
}

static int read_segments(struct module_file *file)
{
	uint32_t nr;
	const struct elf_segment *segments = elf_file_segments(file->elf, &nr);

	file->segments = calloc(nr + 1, sizeof(*file->segments));
	if (!file->segments)
		return -ENOMEM;
	for (uint32_t i = 0; i < nr; i++)
		file->segments[i] = (struct bundle_segment){
		    .file_offset = segments[i].file_offset,
		    .file_bytes = segments[i].file_bytes,
		    .vaddr = segments[i].vaddr,
		    .memory_bytes = segments[i].memory_bytes,
		    .flags = segments[i].flags,
		};
	file->contents.segments = file->segments;
	file->contents.segments_nr = nr;
	return 0;
}

static struct bundle_section read_section(const struct module_file *file, const char *name)
{
	struct elf_section section;

	if (elf_file_section(file->elf, name, &section) || !section.bytes)
		return (struct bundle_section){0};
	return (struct bundle_section){
	    .vaddr = section.vaddr,
	    .file_offset = section.file_offset,
	    .bytes = section.bytes,
	    .nr = section.nr,
	};
}

/* Functions, and what assembly gives no type; data is told apart by the table. */
static bool is_function(const struct elf_symbol *symbol)
{
	return symbol->type == STT_FUNC || symbol->type == STT_GNU_IFUNC ||
	       (symbol->type == STT_NOTYPE && symbol->bind == STB_GLOBAL);
}

static int add_symbol(void *context, const struct elf_symbol *symbol)
{
	struct module_file *file = context;
	struct bundle_symbol added = {
	    .vaddr = symbol->vaddr,
	    .bytes = symbol->bytes,
	    .name = (uint32_t)file->names.nr,
	    .bind = symbol->bind == STB_LOCAL  ? BUNDLE_SYMBOL_LOCAL
		    : symbol->bind == STB_WEAK ? BUNDLE_SYMBOL_WEAK
					       : BUNDLE_SYMBOL_GLOBAL,
	};

	if (!symbol->is_defined || !is_function(symbol))
		return 0;
	if (file->names.nr > UINT32_MAX / 2)
		return -E2BIG;
	strbuf_append(&file->names, symbol->name, strlen(symbol->name) + 1);
	return file->names.error ? file->names.error
				 : bundle_symbol_vec_append(&file->symbols, added);
}

static int read_symbols(struct module_file *file)
{
	int error = elf_file_visit_symbols(file->elf, add_symbol, file);

	if (error == -ENOMEM)
		return error;
	file->contents.symbols = file->symbols.items;
	file->contents.symbols_nr = (uint32_t)file->symbols.nr;
	file->contents.names = file->names.bytes;
	file->contents.names_nr = (uint32_t)file->names.nr;
	return 0;
}

static int read_contents(struct module_file *file)
{
	int error = read_segments(file);

	file->contents.eh_frame = read_section(file, ".eh_frame");
	file->contents.eh_frame_hdr = read_section(file, ".eh_frame_hdr");
	return error ? error : read_symbols(file);
}

int module_file_open(const char *root, const char *path, const uint8_t *build_id,
		     uint8_t build_id_nr, struct module_file **ret)
{
	struct module_file *file = calloc(1, sizeof(*file));
	int error;

	if (!file)
		return -ENOMEM;
	error = open_elf(root, path, &file->elf);
	if (!error)
		error = check_identity(file, build_id, build_id_nr);
	if (!error) {
		file->path = strdup(path);
		file->contents.path = file->path;
		error = file->path ? read_contents(file) : -ENOMEM;
	}
	if (error) {
		module_file_close(file);
		return error;
	}
	*ret = file;
	return 0;
}

void module_file_close(struct module_file *file)
{
	if (!file)
		return;
	elf_file_close(file->elf);
	free(file->segments);
	bundle_symbol_vec_deinit(&file->symbols);
	strbuf_deinit(&file->names);
	free(file->path);
	free(file);
}

const struct bundle_module *module_file_contents(const struct module_file *file)
{
	return &file->contents;
}

const uint8_t *module_file_code(const struct module_file *file, uint64_t vaddr, size_t nr)
{
	return elf_file_at(file->elf, vaddr, nr);
}
