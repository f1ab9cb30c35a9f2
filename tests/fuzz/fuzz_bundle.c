/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a bundle has inside of its zstd frames, from the fuzzer: unpack, name addresses, compile
 * unwind tables. The input, for each entry: u8 kind, u16 bytes of its head, u24 bytes of its
 * contents, then both.
 */
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "format/bundle.h"
#include "format/bundle_layout.h"
#include "format/compressor.h"
#include "report/cfi_table.h"
#include "report/symbol_table.h"

enum { ENTRIES_MAX = 50 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t nr);

static void check(bool is_right)
{
	if (!is_right)
		abort();
}

/* Return: whether there was one. */
static bool entry_append(struct bytes_cursor *input, struct strbuf *out)
{
	const uint8_t kind = bytes_get_u8(input) % 4;
	const uint16_t head_nr = bytes_get_u16(input);
	const uint32_t contents_nr = bytes_get_u16(input) | (uint32_t)bytes_get_u8(input) << 16;
	const uint8_t *head = bytes_take(input, head_nr);
	const uint8_t *contents = bytes_take(input, contents_nr);
	auto_strbuf struct strbuf packed = {0};

	if (input->failed || frame_compress(&packed, contents, contents_nr, 1))
		return false;
	strbuf_append_u32(out, kind);
	strbuf_append_u32(out, head_nr);
	strbuf_append_u64(out, packed.nr);
	strbuf_append_u64(out, contents_nr);
	strbuf_append(out, head, head_nr);
	strbuf_append(out, packed.bytes, packed.nr);
	strbuf_align(out, 8);
	return true;
}

static void look_up(const struct bundle_module *module, struct symbol_table *symbols,
		    const struct cfi_table *table, uint64_t vaddr)
{
	struct symbol symbol;

	if (symbol_table_find(symbols, vaddr, &symbol) == 0)
		check(symbol.vaddr <= vaddr && symbol.name >= module->names &&
		      symbol.name < module->names + module->names_nr);
	if (table)
		check(cfi_table_find(table, vaddr)->kind <= CFI_RULE_EXPRESSION);
}

static void fuzz_module(const struct bundle_module *module)
{
	struct symbol_table *symbols;
	struct cfi_table *table = NULL;

	if (symbol_table_create(module, &symbols))
		return;
	if (module->eh_frame.bytes && cfi_table_create(module, &table))
		table = NULL;
	for (uint32_t i = 0; i < module->segments_nr && i < 4; i++)
		for (uint64_t k = 0; k < 64; k++)
			look_up(module, symbols, table,
				module->segments[i].vaddr +
				    k * (module->segments[i].memory_bytes / 64));
	for (uint32_t i = 0; i < module->symbols_nr; i++)
		look_up(module, symbols, table, module->symbols[i].vaddr);
	look_up(module, symbols, table, UINT64_MAX);
	cfi_table_destroy(table);
	symbol_table_destroy(symbols);
}

static void fuzz_bundle(struct bundle *bundle)
{
	struct bundle_kernel_symbol symbol;

	for (uint32_t i = 0; i < bundle_modules_nr(bundle); i++) {
		const struct bundle_entry entry = bundle_module_entry(bundle, i);
		const struct bundle_module *module;

		check(bundle_find(bundle, entry.build_id, entry.build_id_nr, entry.path) >= 0);
		if (bundle_load(bundle, i, &module))
			continue;
		for (uint32_t k = 0; k < module->symbols_nr; k++)
			check(module->symbols[k].name < module->names_nr);
		fuzz_module(module);
	}
	for (uint32_t shift = 0; shift < 64; shift++)
		if (bundle_kernel_symbol(bundle, UINT64_MAX << shift, &symbol) == 0)
			check(symbol.name && symbol.module);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t nr)
{
	struct bytes_cursor input = bytes_cursor_make(bytes, nr);
	auto_strbuf struct strbuf packed = {0};
	struct bundle *bundle;

	strbuf_append_text(&packed, BUNDLE_MAGIC);
	strbuf_append_u32(&packed, BUNDLE_VERSION);
	strbuf_append_u32(&packed, 0);
	for (int i = 0; i < ENTRIES_MAX && entry_append(&input, &packed); i++)
		;
	if (bundle_end(&packed) || bundle_open((const uint8_t *)packed.bytes, packed.nr, &bundle))
		return 0;
	fuzz_bundle(bundle);
	bundle_close(bundle);
	return 0;
}
