/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <elf.h>
#include <stdlib.h>

#include "report/symbol_table.h"
#include "tests/unit/cfi_bytes.h"

enum { SYMBOLS_MAX = 32 };

struct symbols {
	struct bundle_symbol items[SYMBOLS_MAX];
	uint32_t nr;
	struct strbuf names;
	struct strbuf eh_frame;
	struct symbol_table *table;
	struct bundle_module module;
};

static void add(struct symbols *symbols, uint64_t vaddr, uint64_t bytes, uint8_t bind,
		const char *name)
{
	symbols->items[symbols->nr++] = (struct bundle_symbol){
	    .vaddr = vaddr, .bytes = bytes, .name = (uint32_t)symbols->names.nr, .bind = bind};
	strbuf_append(&symbols->names, name, strlen(name) + 1);
}

static void build(struct symbols *symbols)
{
	static const struct bundle_segment segment = {
	    .vaddr = 0x1000, .memory_bytes = 0x100000, .flags = PF_R | PF_X};

	symbols->module = cfi_bytes_module(&symbols->eh_frame);
	symbols->module.segments = &segment;
	symbols->module.segments_nr = 1;
	symbols->module.symbols = symbols->items;
	symbols->module.symbols_nr = symbols->nr;
	symbols->module.names = symbols->names.bytes;
	symbols->module.names_nr = (uint32_t)symbols->names.nr;
	assert_int_equal(symbol_table_create(&symbols->module, &symbols->table), 0);
}

static void deinit(struct symbols *symbols)
{
	symbol_table_destroy(symbols->table);
	strbuf_deinit(&symbols->names);
	strbuf_deinit(&symbols->eh_frame);
}

static const char *name_at(const struct symbols *symbols, uint64_t vaddr)
{
	struct symbol symbol;

	if (symbol_table_find(symbols->table, vaddr, &symbol))
		return "-";
	return symbol.name;
}

static void test_empty(void **state)
{
	struct symbols symbols = {0};

	(void)state;
	build(&symbols);
	assert_string_equal(name_at(&symbols, 0), "-");
	assert_string_equal(name_at(&symbols, UINT64_MAX), "-");
	deinit(&symbols);
}

static void test_bounds_and_gaps(void **state)
{
	struct symbols symbols = {0};
	struct symbol symbol;

	(void)state;
	add(&symbols, 0x2000, 0x10, BUNDLE_SYMBOL_GLOBAL, "first");
	add(&symbols, 0x2010, 0x20, BUNDLE_SYMBOL_LOCAL, "second");
	add(&symbols, 0x3000, 0x10, BUNDLE_SYMBOL_WEAK, "third");
	build(&symbols);
	assert_string_equal(name_at(&symbols, 0x1fff), "-");
	assert_string_equal(name_at(&symbols, 0x2000), "first");
	assert_string_equal(name_at(&symbols, 0x200f), "first");
	assert_string_equal(name_at(&symbols, 0x2010), "second");
	assert_string_equal(name_at(&symbols, 0x202f), "second");
	/* Never the nearest one before. */
	assert_string_equal(name_at(&symbols, 0x2030), "-");
	assert_string_equal(name_at(&symbols, 0x3010), "-");
	assert_int_equal(symbol_table_find(symbols.table, 0x3008, &symbol), 0);
	assert_int_equal(symbol.vaddr, 0x3000);
	assert_int_equal(symbol.bytes, 0x10);
	deinit(&symbols);
}

/* Each pair begins at one address; the first name must win, in whatever order they come. */
static void test_ties(void **state)
{
	static const struct {
		struct bundle_symbol better, worse;
		const char *better_name, *worse_name;
	} pairs[] = {
	    {{0, 8, 0, BUNDLE_SYMBOL_GLOBAL},
	     {0, 8, 0, BUNDLE_SYMBOL_LOCAL},
	     "new",
	     "new.localalias"},
	    {{0, 8, 0, BUNDLE_SYMBOL_GLOBAL}, {0, 99, 0, BUNDLE_SYMBOL_LOCAL}, "__write", "write"},
	    {{0, 8, 0, BUNDLE_SYMBOL_LOCAL}, {0, 8, 0, BUNDLE_SYMBOL_WEAK}, "kept", "weak"},
	    {{0, 8, 0, BUNDLE_SYMBOL_LOCAL}, {0, 99, 0, BUNDLE_SYMBOL_LOCAL}, "part", "part.cold"},
	    {{0, 99, 0, BUNDLE_SYMBOL_LOCAL}, {0, 8, 0, BUNDLE_SYMBOL_LOCAL}, "large", "largest"},
	    {{0, 8, 0, BUNDLE_SYMBOL_GLOBAL}, {0, 8, 0, BUNDLE_SYMBOL_GLOBAL}, "read", "__read"},
	    {{0, 8, 0, BUNDLE_SYMBOL_GLOBAL}, {0, 8, 0, BUNDLE_SYMBOL_GLOBAL}, "longer", "long"},
	    {{0, 8, 0, BUNDLE_SYMBOL_LOCAL}, {0, 0, 0, BUNDLE_SYMBOL_GLOBAL}, "sized", "label"},
	};

	(void)state;
	for (size_t i = 0; i < array_size(pairs) * 2; i++) {
		const struct bundle_symbol *better = &pairs[i / 2].better;
		const struct bundle_symbol *worse = &pairs[i / 2].worse;
		struct symbols symbols = {0};

		if (i % 2)
			add(&symbols, 0x2000, worse->bytes, worse->bind, pairs[i / 2].worse_name);
		add(&symbols, 0x2000, better->bytes, better->bind, pairs[i / 2].better_name);
		if (i % 2 == 0)
			add(&symbols, 0x2000, worse->bytes, worse->bind, pairs[i / 2].worse_name);
		build(&symbols);
		assert_string_equal(name_at(&symbols, 0x2007), pairs[i / 2].better_name);
		deinit(&symbols);
	}
}

static void test_nested(void **state)
{
	struct symbols symbols = {0};

	(void)state;
	add(&symbols, 0x2000, 0x100, BUNDLE_SYMBOL_GLOBAL, "outer");
	add(&symbols, 0x2040, 0x10, BUNDLE_SYMBOL_LOCAL, "inner");
	add(&symbols, 0x2048, 0x20, BUNDLE_SYMBOL_LOCAL, "astride");
	add(&symbols, 0x20f0, 0x20, BUNDLE_SYMBOL_LOCAL, "beyond");
	build(&symbols);
	assert_string_equal(name_at(&symbols, 0x203f), "outer");
	assert_string_equal(name_at(&symbols, 0x2040), "inner");
	assert_string_equal(name_at(&symbols, 0x2048), "astride");
	assert_string_equal(name_at(&symbols, 0x2050), "astride");
	assert_string_equal(name_at(&symbols, 0x2068), "outer");
	assert_string_equal(name_at(&symbols, 0x20f0), "beyond");
	assert_string_equal(name_at(&symbols, 0x2100), "beyond");
	assert_string_equal(name_at(&symbols, 0x2110), "-");
	deinit(&symbols);
}

static void test_unsized(void **state)
{
	struct symbols symbols = {0};
	uint32_t cie = cfi_bytes_cie(&symbols.eh_frame, "zR", ABI_PROGRAM);

	(void)state;
	cfi_bytes_fde(&symbols.eh_frame, cie, 0x2000, 0x26, PROGRAM(DW_CFA_nop));
	cfi_bytes_fde(&symbols.eh_frame, cie, 0x2100, 0x10, PROGRAM(DW_CFA_nop));
	add(&symbols, 0x2000, 0, BUNDLE_SYMBOL_GLOBAL, "_start");      /* up to its FDE's end */
	add(&symbols, 0x20f0, 0, BUNDLE_SYMBOL_GLOBAL, "no_fde");      /* up to the next FDE */
	add(&symbols, 0x3000, 0, BUNDLE_SYMBOL_GLOBAL, "first_label"); /* up to the next symbol */
	add(&symbols, 0x3004, 0, BUNDLE_SYMBOL_GLOBAL, "second_label");
	add(&symbols, 0x3006, 2, BUNDLE_SYMBOL_GLOBAL, "function");
	add(&symbols, 0x8000, 0, BUNDLE_SYMBOL_GLOBAL, "last"); /* up to a page */
	build(&symbols);
	assert_string_equal(name_at(&symbols, 0x2025), "_start");
	assert_string_equal(name_at(&symbols, 0x2026), "-");
	assert_string_equal(name_at(&symbols, 0x20ff), "no_fde");
	assert_string_equal(name_at(&symbols, 0x2100), "-");
	assert_string_equal(name_at(&symbols, 0x3003), "first_label");
	assert_string_equal(name_at(&symbols, 0x3005), "second_label");
	assert_string_equal(name_at(&symbols, 0x3006), "function");
	assert_string_equal(name_at(&symbols, 0x3008), "-");
	assert_string_equal(name_at(&symbols, 0x8fff), "last");
	assert_string_equal(name_at(&symbols, 0x9000), "-");
	deinit(&symbols);
}

static void test_damaged(void **state)
{
	struct symbols symbols = {0};

	(void)state;
	add(&symbols, 0x10, 0x10, BUNDLE_SYMBOL_GLOBAL, "data");
	add(&symbols, 0x2000, UINT64_MAX, BUNDLE_SYMBOL_GLOBAL, "huge");
	add(&symbols, UINT64_MAX - 4, 0x10, BUNDLE_SYMBOL_GLOBAL, "wrapped");
	symbols.items[symbols.nr++] = (struct bundle_symbol){
	    .vaddr = 0x3000, .bytes = 8, .name = 1U << 31};
	build(&symbols);
	assert_string_equal(name_at(&symbols, 0x10), "-");
	assert_string_equal(name_at(&symbols, 0x100fff), "huge");
	assert_string_equal(name_at(&symbols, 0x101000), "-");
	assert_string_equal(name_at(&symbols, 0x3000), "huge");
	assert_string_equal(name_at(&symbols, UINT64_MAX - 2), "-");
	deinit(&symbols);
}

/* Against the plain reading of the rule: of all around an address the one that begins last. */
static void test_random(void **state)
{
	unsigned int seed = 5;

	(void)state;
	for (unsigned int turn = 0; turn < 300; turn++) {
		struct symbols symbols = {0};
		char name[] = "a0";

		for (unsigned int i = 0; i < 20; i++) {
			name[1] = (char)('A' + i);
			/* Starts differ: ties have their own test. */
			add(&symbols, 0x2000 + (uint64_t)rand_r(&seed) % 40 * 20 + i,
			    1 + (uint64_t)rand_r(&seed) % 200, BUNDLE_SYMBOL_GLOBAL, name);
		}
		build(&symbols);
		for (uint64_t vaddr = 0x1ff0; vaddr < 0x2500; vaddr++) {
			const struct bundle_symbol *best = NULL;

			for (uint32_t i = 0; i < symbols.nr; i++) {
				const struct bundle_symbol *item = &symbols.items[i];

				if (vaddr - item->vaddr < item->bytes &&
				    (!best || item->vaddr > best->vaddr))
					best = item;
			}
			assert_string_equal(name_at(&symbols, vaddr),
					    best ? symbols.names.bytes + best->name : "-");
		}
		deinit(&symbols);
	}
}

/* Sorted, as bundles have them, and not: the same names win, among many of one address too. */
static void test_any_order(void **state)
{
	unsigned int seed = 7;

	(void)state;
	for (unsigned int turn = 0; turn < 300; turn++) {
		struct symbols sorted = {0};
		struct symbols shuffled = {0};
		for (unsigned int i = 0; i < 24; i++) {
			/* No two of one length: the last of all ties is the order itself. */
			char name[] = "__________________________________";

			name[i + 4] = '\0';
			name[rand_r(&seed) % 3] = 'a';
			name[3] = rand_r(&seed) % 2 ? '.' : 'b';
			add(&sorted, 0x2000 + i / 6 * 0x10, (uint64_t)rand_r(&seed) % 4 * 8,
			    (uint8_t)(rand_r(&seed) % 3), name);
		}
		for (uint32_t i = 0; i < sorted.nr; i++) {
			/* 7 and 24 have no common divisor. */
			const struct bundle_symbol *item = &sorted.items[i * 7 % sorted.nr];

			add(&shuffled, item->vaddr, item->bytes, item->bind,
			    sorted.names.bytes + item->name);
		}
		build(&sorted);
		build(&shuffled);
		for (uint64_t vaddr = 0x1ff0; vaddr < 0x2080; vaddr++)
			assert_string_equal(name_at(&sorted, vaddr), name_at(&shuffled, vaddr));
		deinit(&sorted);
		deinit(&shuffled);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_empty),   cmocka_unit_test(test_bounds_and_gaps),
	    cmocka_unit_test(test_ties),    cmocka_unit_test(test_nested),
	    cmocka_unit_test(test_unsized), cmocka_unit_test(test_damaged),
	    cmocka_unit_test(test_random),  cmocka_unit_test(test_any_order),
	};

	return cmocka_run_group_tests_name("symbol_table", tests, NULL, NULL);
}
