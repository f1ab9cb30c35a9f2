/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "format/module_contents.h"

#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/auxv.h>

#include "common/bytes.h"
#include "common/debug_file.h"
#include "common/radix_sort.h"
#include "common/vec.h"

enum {
	VDSO_BYTES_MAX = 1 << 16,
	PLT_ENTRY_BYTES = 16,
	/* A crafted file may name one address a million times: so many names are compared. */
	ALIASES_NR_MAX = 64,
};

VEC_DEFINE(bundle_symbol_vec, struct bundle_symbol)

struct module_contents {
	struct bundle_module module;
	struct bundle_segment *segments;
	struct bundle_symbol_vec symbols;
	struct strbuf names;
	size_t names_nr_max; /* what the files' string tables justify */
};

const struct bundle_module *module_contents_get(const struct module_contents *contents)
{
	return &contents->module;
}

void module_contents_destroy(struct module_contents *contents)
{
	if (!contents)
		return;
	free(contents->segments);
	bundle_symbol_vec_deinit(&contents->symbols);
	strbuf_deinit(&contents->names);
	free(contents);
}

static int segments_take(struct module_contents *contents, const struct elf_file *elf)
{
	uint32_t nr;
	const struct elf_segment *segments = elf_file_segments(elf, &nr);

	contents->segments = calloc((size_t)nr + 1, sizeof(*contents->segments));
	if (!contents->segments)
		return -ENOMEM;
	for (uint32_t i = 0; i < nr; i++)
		contents->segments[i] = (struct bundle_segment){
		    .file_offset = segments[i].file_offset,
		    .file_bytes = segments[i].file_bytes,
		    .vaddr = segments[i].vaddr,
		    .memory_bytes = segments[i].memory_bytes,
		    .flags = segments[i].flags,
		};
	contents->module.segments = contents->segments;
	contents->module.segments_nr = nr;
	return 0;
}

static struct bundle_section section_take(const struct elf_file *elf, const char *name)
{
	struct elf_section section;

	if (elf_file_section(elf, name, &section) || !section.bytes)
		return (struct bundle_section){0};
	return (struct bundle_section){
	    .vaddr = section.vaddr,
	    .file_offset = section.file_offset,
	    .bytes = section.bytes,
	    .nr = section.nr,
	};
}

/* ---- Symbols ---- */

static bool is_executable(const struct module_contents *contents, uint64_t vaddr)
{
	for (uint32_t i = 0; i < contents->module.segments_nr; i++) {
		const struct bundle_segment *segment = &contents->segments[i];

		if (segment->flags & PF_X && vaddr >= segment->vaddr &&
		    vaddr - segment->vaddr < segment->memory_bytes)
			return true;
	}
	return false;
}

/* Functions; and assembly without a type (_start's kin), whose name is worth showing too. */
static bool is_function(const struct module_contents *contents, const struct elf_symbol *symbol)
{
	return symbol->type == STT_FUNC || symbol->type == STT_GNU_IFUNC ||
	       (symbol->type == STT_NOTYPE && symbol->bind == STB_GLOBAL &&
		is_executable(contents, symbol->vaddr));
}

static uint8_t bundle_bind(uint8_t bind)
{
	if (bind == STB_LOCAL)
		return BUNDLE_SYMBOL_LOCAL;
	return bind == STB_WEAK ? BUNDLE_SYMBOL_WEAK : BUNDLE_SYMBOL_GLOBAL;
}

/* Append @name and @suffix. A name beyond the limit is left out. */
static int symbol_append(struct module_contents *contents, struct bundle_symbol symbol,
			 const char *name, const char *suffix)
{
	struct strbuf *names = &contents->names;
	size_t nr = strlen(name) + strlen(suffix) + 1;

	if (nr > contents->names_nr_max - names->nr)
		return 0;
	symbol.name = (uint32_t)names->nr;
	strbuf_append_text(names, name);
	strbuf_append(names, suffix, strlen(suffix) + 1);
	return names->error ? names->error : bundle_symbol_vec_append(&contents->symbols, symbol);
}

static int symbol_visit(void *context, const struct elf_symbol *symbol)
{
	struct module_contents *contents = context;
	const struct bundle_symbol added = {
	    .vaddr = symbol->vaddr,
	    .bytes = symbol->bytes,
	    .bind = bundle_bind(symbol->bind),
	};

	if (!symbol->is_defined || symbol->name[0] == '\0' || !is_function(contents, symbol))
		return 0;
	return symbol_append(contents, added, symbol->name, "");
}

/* Linkers share the tails of names, but not many times over. */
static void names_justify(struct module_contents *contents, const struct elf_file *elf)
{
	static const char *const tables[] = {".strtab", ".dynstr"};
	struct elf_section section;
	size_t nr = contents->names_nr_max;

	for (size_t i = 0; i < array_size(tables); i++)
		if (elf_file_section(elf, tables[i], &section) == 0 && section.bytes)
			nr += section.nr * 4;
	contents->names_nr_max = nr < UINT32_MAX / 2 ? nr : UINT32_MAX / 2;
}

/* The name of dynamic symbol @index; NULL when the tables do not hold it. */
static const char *dynamic_name(const struct bundle_section *symbols,
				const struct bundle_section *names, uint64_t index)
{
	struct bytes_cursor cursor;
	uint32_t at;

	if (index == 0 || index >= symbols->nr / sizeof(Elf64_Sym))
		return NULL;
	cursor = bytes_cursor_make(symbols->bytes + index * sizeof(Elf64_Sym), sizeof(Elf64_Sym));
	at = bytes_get_u32(&cursor);
	if (at >= names->nr || !memchr(names->bytes + at, '\0', names->nr - at))
		return NULL;
	return (const char *)names->bytes + at;
}

/* The n-th relocation of .rela.plt belongs to the n-th stub: of .plt.sec where there is one (built
 * for indirect branch tracking), else of .plt, whose first entry is the resolver. */
static int plt_take(struct module_contents *contents, const struct elf_file *elf)
{
	const struct bundle_section relocations = section_take(elf, ".rela.plt");
	const struct bundle_section symbols = section_take(elf, ".dynsym");
	const struct bundle_section names = section_take(elf, ".dynstr");
	struct bundle_section stubs = section_take(elf, ".plt.sec");
	struct bytes_cursor cursor = bytes_cursor_make(relocations.bytes, relocations.nr);
	uint64_t at = 0;
	int error = 0;

	if (!stubs.bytes) {
		stubs = section_take(elf, ".plt");
		at = PLT_ENTRY_BYTES;
	}
	for (; !error && at + PLT_ENTRY_BYTES <= stubs.nr; at += PLT_ENTRY_BYTES) {
		const struct bundle_symbol stub = {
		    .vaddr = stubs.vaddr + at,
		    .bytes = PLT_ENTRY_BYTES,
		    .bind = BUNDLE_SYMBOL_LOCAL,
		};
		const char *name;

		(void)bytes_get_u64(&cursor);
		name = dynamic_name(&symbols, &names, ELF64_R_SYM(bytes_get_u64(&cursor)));
		(void)bytes_get_u64(&cursor);
		if (cursor.failed)
			break;
		if (name)
			error = symbol_append(contents, stub, name, "@plt");
	}
	return error;
}

static int table_take(struct module_contents *contents, const struct elf_file *elf)
{
	names_justify(contents, elf);
	return elf_file_visit_symbols(elf, symbol_visit, contents);
}

/* A damaged one costs its own symbols alone. */
static int packed_take(struct module_contents *contents, const struct elf_file *elf)
{
	auto_strbuf struct strbuf bytes = {0};
	struct elf_file *packed;
	int error = debug_data_unpack(elf, &bytes);

	if (!error)
		error = elf_file_open_memory(bytes.bytes, bytes.nr, &packed);
	if (error)
		return error == -ENOMEM ? error : 0;
	error = table_take(contents, packed);
	elf_file_close(packed);
	return error;
}

static int symbols_take(struct module_contents *contents, const struct elf_file *elf,
			const struct elf_file *debug)
{
	int error = table_take(contents, elf);

	if (!error)
		error = plt_take(contents, elf);
	if (!error)
		error = packed_take(contents, elf);
	return error || !debug ? error : table_take(contents, debug);
}

/* At one address in the order of the tables. */
RADIX_SORT_DEFINE(sort_symbols, struct bundle_symbol, vaddr)

/* .symtab, .dynsym and the debug file name the same functions. */
static void symbols_unique(struct module_contents *contents)
{
	struct bundle_symbol *items = contents->symbols.items;
	const char *names = contents->names.bytes;
	size_t kept = 0;

	for (size_t i = 0; i < contents->symbols.nr; i++) {
		bool is_known = false;

		for (size_t back = 1; !is_known && back <= kept && back <= ALIASES_NR_MAX &&
				      items[kept - back].vaddr == items[i].vaddr;
		     back++)
			is_known = strcmp(names + items[kept - back].name, names + items[i].name) ==
				   0;
		if (!is_known)
			items[kept++] = items[i];
	}
	contents->symbols.nr = kept;
}

int module_contents_read(const struct elf_file *elf, const struct elf_file *debug, const char *path,
			 struct module_contents **ret)
{
	struct module_contents *contents = calloc(1, sizeof(*contents));
	struct bundle_module *module = &contents->module;
	int error;

	if (!contents)
		return -ENOMEM;
	module->path = path;
	module->is_executable_type = elf_file_is_executable_type(elf);
	module->build_id_nr = elf_file_build_id(elf, module->build_id);
	module->eh_frame = section_take(elf, ".eh_frame");
	module->eh_frame_hdr = section_take(elf, ".eh_frame_hdr");
	error = segments_take(contents, elf);
	if (!error)
		error = symbols_take(contents, elf, debug);
	if (!error)
		error = sort_symbols(&contents->symbols.items, contents->symbols.nr);
	if (error) {
		module_contents_destroy(contents);
		return error;
	}
	symbols_unique(contents);
	module->symbols = contents->symbols.items;
	module->symbols_nr = (uint32_t)contents->symbols.nr;
	module->names = strbuf_text(&contents->names);
	module->names_nr = (uint32_t)contents->names.nr;
	*ret = contents;
	return 0;
}

int vdso_open(struct elf_file **ret)
{
	const Elf64_Ehdr *header = (const Elf64_Ehdr *)getauxval(AT_SYSINFO_EHDR);
	size_t nr;

	if (!header)
		return -ENOENT;
	/* The kernel maps it whole, and its section headers are the last thing in it. */
	nr = header->e_shoff + (size_t)header->e_shnum * header->e_shentsize;
	return nr <= VDSO_BYTES_MAX ? elf_file_open_memory(header, nr, ret) : -ENOEXEC;
}
