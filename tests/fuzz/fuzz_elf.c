/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Any bytes as a mapped file: take it apart as the recorder does for the bundle and report for
 * names, and compile its unwind tables. What was taken makes a bundle that can be read again.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "common/debug_file.h"
#include "common/elf_file.h"
#include "common/strbuf.h"
#include "format/module_contents.h"
#include "report/cfi_table.h"
#include "report/symbol_table.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t nr);

static void check(bool is_right)
{
	if (!is_right)
		abort();
}

struct file_bytes {
	const uint8_t *bytes;
	size_t nr;
};

static void check_inside(const struct file_bytes *file, const void *part, uint64_t nr)
{
	const uint8_t *begin = part;

	check(!begin ||
	      (begin >= file->bytes && nr <= file->nr && begin <= file->bytes + file->nr - nr));
}

static int check_symbol(void *context, const struct elf_symbol *symbol)
{
	check_inside(context, symbol->name, strlen(symbol->name) + 1);
	return 0;
}

static void fuzz_facts(const struct elf_file *elf, struct file_bytes *file)
{
	static const char *const names[] = {".eh_frame", ".text", ".PyRuntime", ".gnu_debuglink"};
	struct elf_section section;
	struct elf_segment segment;
	const struct elf_segment *segments;
	uint8_t build_id[20];
	uint64_t vaddr;
	uint32_t segments_nr;

	check(elf_file_build_id(elf, build_id) <= sizeof(build_id));
	for (size_t i = 0; i < array_size(names); i++)
		if (elf_file_section(elf, names[i], &section) == 0)
			check_inside(file, section.bytes, section.nr);
	if (elf_file_tls(elf, &segment) == 0)
		check_inside(file, elf_file_at(elf, segment.vaddr, 8), 8);
	segments = elf_file_segments(elf, &segments_nr);
	for (uint32_t i = 0; i < segments_nr; i++) {
		if (elf_file_offset_to_vaddr(elf, segments[i].file_offset, &vaddr) == 0)
			check_inside(file, elf_file_at(elf, vaddr, 16), 16);
		check_inside(file, elf_file_at(elf, segments[i].vaddr, segments[i].file_bytes),
			     segments[i].file_bytes);
	}
	check(elf_file_visit_symbols(elf, check_symbol, file) == 0);
}

static void fuzz_tables(const struct bundle_module *module)
{
	struct symbol_table *symbols;
	struct cfi_table *table = NULL;
	struct symbol symbol;

	if (symbol_table_create(module, &symbols))
		return;
	if (module->eh_frame.bytes && cfi_table_create(module, &table))
		table = NULL;
	for (uint32_t i = 0; i < module->symbols_nr; i++) {
		const uint64_t vaddr = module->symbols[i].vaddr;

		if (symbol_table_find(symbols, vaddr, &symbol) == 0)
			check(symbol.vaddr <= vaddr);
		if (table)
			check(cfi_table_find(table, vaddr)->kind <= CFI_RULE_EXPRESSION);
	}
	cfi_table_destroy(table);
	symbol_table_destroy(symbols);
}

static void fuzz_bundle(const struct bundle_module *module)
{
	auto_strbuf struct strbuf packed = {0};
	const struct bundle_module *read;
	struct bundle *bundle;

	check(bundle_begin(&packed) == 0);
	if (bundle_add_module(&packed, module))
		return; /* larger than a reader would believe */
	check(bundle_end(&packed) == 0);
	check(bundle_open((const uint8_t *)packed.bytes, packed.nr, &bundle) == 0);
	check(bundle_load(bundle, 0, &read) == 0);
	check(read->symbols_nr == module->symbols_nr && read->segments_nr == module->segments_nr);
	check(read->eh_frame.nr == (module->eh_frame.bytes ? module->eh_frame.nr : 0));
	bundle_close(bundle);
}

static void fuzz_contents(const struct elf_file *elf, const struct elf_file *debug)
{
	struct module_contents *contents;

	if (module_contents_read(elf, debug, "/fuzz", &contents))
		return;
	fuzz_tables(module_contents_get(contents));
	fuzz_bundle(module_contents_get(contents));
	module_contents_destroy(contents);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t nr)
{
	struct file_bytes file = {bytes, nr};
	auto_strbuf struct strbuf unpacked = {0};
	struct elf_file *elf;

	if (elf_file_open_memory(bytes, nr, &elf))
		return 0;
	fuzz_facts(elf, &file);
	fuzz_contents(elf, NULL);
	fuzz_contents(elf, elf); /* as its own debug file */
	if (debug_data_unpack(elf, &unpacked) == 0)
		check(unpacked.nr > 0);
	elf_file_close(elf);
	return 0;
}
