/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "record/bundle_collect.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/auxv.h>

#include "common/elf_file.h"
#include "common/vec.h"
#include "format/bundle.h"
#include "record/kernel_symbols.h"

VEC_DEFINE(symbol_vec, struct bundle_symbol)

/* Of one address, to look for twice the same name. */
enum { ALIASES_NR_MAX = 64 };

struct module_parts {
	struct symbol_vec symbols;
	struct strbuf names;
	size_t names_nr_max; /* more than the string tables hold: names that overlap */
	struct bundle_segment *segments;
	uint32_t segments_nr;
};

static void module_parts_deinit(struct module_parts *parts)
{
	symbol_vec_deinit(&parts->symbols);
	strbuf_deinit(&parts->names);
	free(parts->segments);
}

static uint8_t bundle_bind(uint8_t bind)
{
	switch (bind) {
	case STB_LOCAL:
		return BUNDLE_SYMBOL_LOCAL;
	case STB_WEAK:
		return BUNDLE_SYMBOL_WEAK;
	default:
		return BUNDLE_SYMBOL_GLOBAL;
	}
}

static bool is_executable(const struct module_parts *parts, uint64_t vaddr)
{
	for (uint32_t i = 0; i < parts->segments_nr; i++)
		if (parts->segments[i].flags & PF_X && vaddr >= parts->segments[i].vaddr &&
		    vaddr - parts->segments[i].vaddr < parts->segments[i].memory_bytes)
			return true;
	return false;
}

/* Functions; and assembly without a type (_start's kin), whose name is worth showing too. */
static bool is_function(const struct module_parts *parts, const struct elf_symbol *symbol)
{
	return symbol->type == STT_FUNC || symbol->type == STT_GNU_IFUNC ||
	       (symbol->type == STT_NOTYPE && symbol->bind == STB_GLOBAL &&
		is_executable(parts, symbol->vaddr));
}

static int symbol_add(void *context, const struct elf_symbol *symbol)
{
	struct module_parts *parts = context;
	struct bundle_symbol added = {
	    .vaddr = symbol->vaddr,
	    .bytes = symbol->bytes,
	    .name = (uint32_t)parts->names.nr,
	    .bind = bundle_bind(symbol->bind),
	};
	size_t name_nr;

	if (!symbol->is_defined || symbol->name[0] == '\0' || !is_function(parts, symbol))
		return 0;
	name_nr = strlen(symbol->name) + 1;
	if (name_nr > parts->names_nr_max - parts->names.nr)
		return 0;
	strbuf_append(&parts->names, symbol->name, name_nr);
	return parts->names.error ? parts->names.error : symbol_vec_append(&parts->symbols, added);
}

static int symbol_compare(const void *a, const void *b)
{
	const struct bundle_symbol *left = a;
	const struct bundle_symbol *right = b;

	if (left->vaddr != right->vaddr)
		return left->vaddr < right->vaddr ? -1 : 1;
	return left->name < right->name ? -1 : left->name > right->name;
}

/* .symtab and .dynsym name the exported functions twice. */
static void symbols_unique(struct module_parts *parts)
{
	struct bundle_symbol *items = parts->symbols.items;
	size_t kept = 0;

	for (size_t i = 0; i < parts->symbols.nr; i++) {
		const char *name = parts->names.bytes + items[i].name;
		size_t before = kept;

		while (before > 0 && items[before - 1].vaddr == items[i].vaddr &&
		       kept - before < ALIASES_NR_MAX &&
		       strcmp(parts->names.bytes + items[before - 1].name, name) != 0)
			before--;
		if (before > 0 && items[before - 1].vaddr == items[i].vaddr &&
		    kept - before < ALIASES_NR_MAX)
			continue;
		items[kept++] = items[i];
	}
	parts->symbols.nr = kept;
}

static int segments_take(const struct elf_file *elf, struct module_parts *parts,
			 struct bundle_module *module)
{
	uint32_t nr;
	const struct elf_segment *segments = elf_file_segments(elf, &nr);

	parts->segments = calloc(nr + 1, sizeof(*parts->segments));
	if (!parts->segments)
		return -ENOMEM;
	for (uint32_t i = 0; i < nr; i++)
		parts->segments[i] = (struct bundle_segment){
		    .file_offset = segments[i].file_offset,
		    .file_bytes = segments[i].file_bytes,
		    .vaddr = segments[i].vaddr,
		    .memory_bytes = segments[i].memory_bytes,
		    .flags = segments[i].flags,
		};
	parts->segments_nr = nr;
	module->segments = parts->segments;
	module->segments_nr = nr;
	return 0;
}

static struct bundle_section section_take(const struct elf_file *elf, const char *name)
{
	struct elf_section section;

	if (elf_file_section(elf, name, &section))
		return (struct bundle_section){0};
	return (struct bundle_section){
	    .vaddr = section.vaddr,
	    .file_offset = section.file_offset,
	    .bytes = section.bytes,
	    .nr = section.bytes ? section.nr : 0,
	};
}

/* Linkers share the tails of names, but not many times over. */
static size_t names_limit(const struct elf_file *elf)
{
	static const char *const tables[] = {".strtab", ".dynstr"};
	struct elf_section section;
	size_t nr = 0;

	for (size_t i = 0; i < array_size(tables); i++)
		if (elf_file_section(elf, tables[i], &section) == 0 && section.bytes)
			nr += section.nr;
	return nr * 4 < UINT32_MAX ? nr * 4 : UINT32_MAX;
}

/*
 * The distribution's separate debug file, by build id, when this machine has it (gdb and perf look
 * there too): it names the local functions of a stripped file. Return: 0 or -ENOENT.
 */
static int debug_file_open(const struct bundle_module *module, struct elf_file **ret)
{
	char path[sizeof("/usr/lib/debug/.build-id/") + 2 * sizeof(module->build_id) + 16];
	uint8_t found_id[sizeof(module->build_id)];
	auto_close_fd int fd = -1;
	int used;

	if (module->build_id_nr < 2)
		return -ENOENT;
	used = snprintf(path, sizeof(path), "/usr/lib/debug/.build-id/%02x/", module->build_id[0]);
	for (uint8_t i = 1; i < module->build_id_nr; i++)
		used += snprintf(path + used, sizeof(path) - (size_t)used, "%02x",
				 module->build_id[i]);
	snprintf(path + used, sizeof(path) - (size_t)used, ".debug");
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || elf_file_open(fd, ret))
		return -ENOENT;
	if (elf_file_build_id(*ret, found_id) == module->build_id_nr &&
	    memcmp(found_id, module->build_id, module->build_id_nr) == 0)
		return 0;
	elf_file_close(*ret);
	return -ENOENT;
}

/* Both tables of the file, then those of its debug file. */
static int symbols_take(const struct elf_file *elf, const struct bundle_module *module,
			struct module_parts *parts)
{
	struct elf_file *debug;
	int error = elf_file_visit_symbols(elf, symbol_add, parts);

	if (error || debug_file_open(module, &debug))
		return error;
	parts->names_nr_max += names_limit(debug);
	error = elf_file_visit_symbols(debug, symbol_add, parts);
	elf_file_close(debug);
	return error;
}

static int module_add(struct strbuf *out, const struct elf_file *elf, const char *path)
{
	struct bundle_module module = {
	    .path = path,
	    .is_executable_type = elf_file_is_executable_type(elf),
	    .eh_frame = section_take(elf, ".eh_frame"),
	    .eh_frame_hdr = section_take(elf, ".eh_frame_hdr"),
	};
	struct module_parts parts = {.names_nr_max = names_limit(elf)};
	int error = segments_take(elf, &parts, &module);

	module.build_id_nr = elf_file_build_id(elf, module.build_id);
	if (!error)
		error = symbols_take(elf, &module, &parts);
	if (!error) {
		if (parts.symbols.nr)
			qsort(parts.symbols.items, parts.symbols.nr, sizeof(*parts.symbols.items),
			      symbol_compare);
		symbols_unique(&parts);
		module.symbols = parts.symbols.items;
		module.symbols_nr = (uint32_t)parts.symbols.nr;
		module.names = strbuf_text(&parts.names);
		module.names_nr = (uint32_t)parts.names.nr;
		error = bundle_add_module(out, &module);
	}
	module_parts_deinit(&parts);
	return error;
}

struct collection {
	struct strbuf *out;
	struct bundle_summary *summary;
};

static int file_add(void *context, struct mapped_file *file)
{
	struct collection *collection = context;
	struct elf_file *elf;
	int error;

	if (!file->is_used)
		return 0;
	error = file->fd >= 0 ? elf_file_open(file->fd, &elf) : -ENOENT;
	if (error) {
		collection->summary->unreadable_nr++;
		return error == -ENOMEM ? error : 0;
	}
	error = module_add(collection->out, elf, file->path);
	elf_file_close(elf);
	collection->summary->modules_nr += !error;
	return error;
}

/* The kernel maps the same vdso into every 64-bit process, this one too. */
static int vdso_add(struct collection *collection)
{
	const Elf64_Ehdr *header = (const void *)getauxval(AT_SYSINFO_EHDR);
	struct elf_file *elf;
	int error;

	if (!header)
		return 0;
	/* Its section headers are the last thing in it. */
	error = elf_file_open_memory(
	    header, header->e_shoff + (size_t)header->e_shnum * header->e_shentsize, &elf);
	if (error)
		return error == -ENOMEM ? error : 0;
	error = module_add(collection->out, elf, "[vdso]");
	elf_file_close(elf);
	collection->summary->modules_nr += !error;
	return error;
}

int bundle_collect(struct mapped_files *files, const struct address_set *kernel_hits,
		   struct strbuf *out, struct bundle_summary *ret)
{
	struct collection collection = {.out = out, .summary = ret};
	int error = bundle_begin(out);

	*ret = (struct bundle_summary){0};
	if (!error)
		error = mapped_files_visit(files, file_add, &collection);
	if (!error)
		error = vdso_add(&collection);
	if (!error)
		error = kernel_symbols_bundle(kernel_hits, out, &ret->kernel_symbols_nr);
	return error ? error : bundle_end(out);
}
