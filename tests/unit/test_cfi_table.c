/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <stdlib.h>

#include "report/cfi_program.h"
#include "report/cfi_table.h"
#include "tests/native/cfi_oracle.h"
#include "tests/unit/cfi_bytes.h"

enum { RBX = 3, RBP = 6, RSP = 7, R10 = 10 };

static bool is_memory_out;

/* In the place of libc's: what rows grow by. */
void *reallocarray(void *items, size_t nr, size_t bytes)
{
	return is_memory_out ? NULL : realloc(items, nr * bytes);
}

static struct cfi_table *table_from(const struct strbuf *bytes)
{
	struct bundle_module module = cfi_bytes_module(bytes);
	struct cfi_table *table = NULL;

	assert_int_equal(bytes->error, 0);
	assert_int_equal(cfi_table_create(&module, &table), 0);
	return table;
}

static void check_offset(const struct cfi_table *table, uint64_t vaddr, uint8_t base,
			 int32_t offset)
{
	const struct cfi_rule *rule = cfi_table_find(table, vaddr);

	assert_int_equal(rule->kind, CFI_RULE_OFFSET);
	assert_int_equal(rule->cfa_register, base);
	assert_int_equal(rule->cfa_offset, offset);
	assert_int_equal(rule->ra_offset, -8);
}

static void check_kind(const struct cfi_table *table, uint64_t vaddr, enum cfi_rule_kind kind)
{
	assert_int_equal(cfi_table_find(table, vaddr)->kind, kind);
}

static void check_saved(const struct cfi_table *table, uint64_t vaddr, unsigned int index,
			enum cfi_register_kind kind, int32_t offset)
{
	const struct cfi_rule *rule = cfi_table_find(table, vaddr);

	assert_int_equal(rule->saved[index].kind, kind);
	assert_int_equal(rule->saved[index].offset, offset);
	assert_int_equal(rule->saved_mask >> index & 1, kind != CFI_REGISTER_SAME);
}

static void test_no_section(void **state)
{
	struct bundle_module module = {.path = "/test"};
	struct cfi_table *table;

	(void)state;
	assert_int_equal(cfi_table_create(&module, &table), -ENOENT);
}

static void test_prologue_and_epilogue(void **state)
{
	struct strbuf bytes = {0};
	uint32_t cie = cfi_bytes_cie(&bytes, "zR", ABI_PROGRAM);
	struct cfi_table *table;

	(void)state;
	cfi_bytes_fde(&bytes, cie, 0x1000, 0x40,
		      PROGRAM(DW_CFA_advance_loc | 1, DW_CFA_def_cfa_offset, 16,
			      DW_CFA_offset | RBP, 2, DW_CFA_advance_loc | 3,
			      DW_CFA_def_cfa_register, RBP, DW_CFA_advance_loc1, 0x20,
			      DW_CFA_remember_state, DW_CFA_def_cfa, RSP, 8, DW_CFA_restore | RBP,
			      DW_CFA_advance_loc | 1, DW_CFA_restore_state));
	table = table_from(&bytes);
	check_kind(table, 0xfff, CFI_RULE_NONE);
	check_offset(table, 0x1000, RSP, 8);
	check_saved(table, 0x1000, CFI_SAVED_RBP, CFI_REGISTER_SAME, 0);
	check_offset(table, 0x1001, RSP, 16);
	check_saved(table, 0x1001, CFI_SAVED_RBP, CFI_REGISTER_AT_CFA, -16);
	check_offset(table, 0x1004, RBP, 16);
	check_offset(table, 0x1023, RBP, 16);
	check_offset(table, 0x1024, RSP, 8);
	check_saved(table, 0x1024, CFI_SAVED_RBP, CFI_REGISTER_SAME, 0);
	check_offset(table, 0x1025, RBP, 16);
	check_offset(table, 0x103f, RBP, 16);
	check_kind(table, 0x1040, CFI_RULE_NONE);
	check_kind(table, UINT64_MAX, CFI_RULE_NONE);
	assert_int_equal(cfi_table_get_stats(table).rows_nr, 6);
	cfi_table_destroy(table);
	strbuf_deinit(&bytes);
}

static void test_kinds(void **state)
{
	struct strbuf bytes = {0};
	uint32_t cie = cfi_bytes_cie(&bytes, "zR", ABI_PROGRAM);
	uint32_t signal = cfi_bytes_cie(&bytes, "zRS", ABI_PROGRAM);
	const struct cfi_rule *rule;
	struct cfi_table *table;

	(void)state;
	cfi_bytes_fde(&bytes, cie, 0x1000, 0x100, PLT_PROGRAM(DW_OP_lit11));
	cfi_bytes_fde(&bytes, cie, 0x2000, 0x100, PROGRAM(DW_CFA_undefined, 16));
	cfi_bytes_fde(&bytes, signal, 0x3000, 10, SIGNAL_PROGRAM);
	/* Realignment as gcc describes it: CFA = *(rbp - 8), registers through rbp. */
	cfi_bytes_fde(&bytes, cie, 0x4000, 0x100,
		      PROGRAM(DW_CFA_def_cfa_expression, 3, DW_OP_breg6, 0x78, DW_OP_deref,
			      DW_CFA_expression, RBP, 2, DW_OP_breg6, 0, DW_CFA_expression, 15, 2,
			      DW_OP_breg6, 0x70));
	/* OpenSSL's assembly: CFA = *(rsp + 64) + 8. */
	cfi_bytes_fde(&bytes, cie, 0x5000, 0x100,
		      PROGRAM(DW_CFA_def_cfa_expression, 6, DW_OP_breg7, 0xc0, 0x00, DW_OP_deref,
			      DW_OP_plus_uconst, 8));
	/* Intel's compilers: r12 at ((CFA - 8) & -64) - 136. */
	cfi_bytes_fde(&bytes, cie, 0x6000, 0x100,
		      PROGRAM(DW_CFA_def_cfa, RBP, 16, DW_CFA_expression, 12, 14, DW_OP_lit8,
			      DW_OP_minus, DW_OP_const4s, 0xc0, 0xff, 0xff, 0xff, DW_OP_and,
			      DW_OP_const4s, 0x78, 0xff, 0xff, 0xff, DW_OP_plus));
	cfi_bytes_fde(&bytes, cie, 0x7000, 0x100,
		      PROGRAM(DW_CFA_def_cfa_expression, 3, DW_OP_lit1, DW_OP_lit2, DW_OP_plus));
	cfi_bytes_fde(&bytes, cie, 0x8000, 0x100, PROGRAM(DW_CFA_register, RBX, R10));
	table = table_from(&bytes);

	rule = cfi_table_find(table, 0x1000);
	assert_int_equal(rule->kind, CFI_RULE_PLT);
	assert_int_equal(rule->cfa_offset, 8);
	assert_int_equal(rule->cfa_add, 11);
	check_kind(table, 0x2000, CFI_RULE_END);
	check_kind(table, 0x3009, CFI_RULE_SIGNAL);
	assert_true(cfi_table_find(table, 0x3000)->is_signal);
	rule = cfi_table_find(table, 0x4000);
	assert_int_equal(rule->kind, CFI_RULE_DEREF);
	assert_int_equal(rule->cfa_register, RBP);
	assert_int_equal(rule->cfa_offset, -8);
	assert_int_equal(rule->cfa_add, 0);
	check_saved(table, 0x4000, CFI_SAVED_RBP, CFI_REGISTER_AT_REGISTER, 0);
	check_saved(table, 0x4000, CFI_SAVED_NR - 1, CFI_REGISTER_AT_REGISTER, -16);
	rule = cfi_table_find(table, 0x5000);
	assert_int_equal(rule->kind, CFI_RULE_DEREF);
	assert_int_equal(rule->cfa_offset, 64);
	assert_int_equal(rule->cfa_add, 8);
	check_saved(table, 0x6000, CFI_SAVED_R12, CFI_REGISTER_AT_ALIGNED, -136);
	assert_int_equal(cfi_table_find(table, 0x6000)->saved[CFI_SAVED_R12].base, 6);
	check_kind(table, 0x7000, CFI_RULE_EXPRESSION);
	check_kind(table, 0x8000, CFI_RULE_EXPRESSION);
	assert_int_equal(cfi_table_get_stats(table).expression_rows_nr, 2);
	cfi_table_destroy(table);
	strbuf_deinit(&bytes);
}

/* libgcrypt's assembly: the offset from before an expression counts again after it. */
static void test_register_after_expression(void **state)
{
	struct strbuf bytes = {0};
	uint32_t cie = cfi_bytes_cie(&bytes, "zR", ABI_PROGRAM);
	struct cfi_table *table;

	(void)state;
	cfi_bytes_fde(&bytes, cie, 0x1000, 0x100,
		      PROGRAM(DW_CFA_def_cfa_offset, 56, DW_CFA_advance_loc | 1,
			      DW_CFA_def_cfa_expression, 3, DW_OP_breg7, 8, DW_OP_deref,
			      DW_CFA_advance_loc | 1, DW_CFA_def_cfa_register, RSP));
	table = table_from(&bytes);
	check_kind(table, 0x1001, CFI_RULE_DEREF);
	check_offset(table, 0x1002, RSP, 56);
	cfi_table_destroy(table);
	strbuf_deinit(&bytes);
}

static void test_unsorted_and_overlapping(void **state)
{
	struct strbuf bytes = {0};
	uint32_t cie = cfi_bytes_cie(&bytes, "zR", ABI_PROGRAM);
	struct cfi_table *table;

	(void)state;
	cfi_bytes_fde(&bytes, cie, 0x3000, 0x10, PROGRAM(DW_CFA_def_cfa_offset, 48));
	cfi_bytes_fde(&bytes, cie, 0x1000, 0x1000, PROGRAM(DW_CFA_def_cfa_offset, 16));
	cfi_bytes_fde(&bytes, cie, 0x1800, 0x10, PROGRAM(DW_CFA_def_cfa_offset, 24));
	cfi_bytes_fde(&bytes, cie, 0x2000, 0, PROGRAM(DW_CFA_def_cfa_offset, 32));
	cfi_bytes_fde(&bytes, cie, 0x3000, 0x20, PROGRAM(DW_CFA_def_cfa_offset, 40));
	table = table_from(&bytes);
	check_offset(table, 0x17ff, RSP, 16);
	check_offset(table, 0x1800, RSP, 24);
	/* As by .eh_frame_hdr's search: what a later one cut off is no one's. */
	check_kind(table, 0x1810, CFI_RULE_NONE);
	check_kind(table, 0x2000, CFI_RULE_NONE);
	check_offset(table, 0x3000, RSP, 40);
	check_offset(table, 0x301f, RSP, 40);
	check_kind(table, 0x3020, CFI_RULE_NONE);
	cfi_table_destroy(table);
	strbuf_deinit(&bytes);
}

static const uint8_t too_deep[] = {
    DW_CFA_remember_state, DW_CFA_remember_state, DW_CFA_remember_state,
    DW_CFA_remember_state, DW_CFA_remember_state, DW_CFA_remember_state,
    DW_CFA_remember_state, DW_CFA_remember_state, DW_CFA_remember_state,
};

static void test_damage_costs_only_its_fde(void **state)
{
	struct strbuf bytes = {0};
	uint32_t cie = cfi_bytes_cie(&bytes, "zR", ABI_PROGRAM);
	struct cfi_table *table;

	(void)state;
	cfi_bytes_fde(&bytes, cie, 0x1000, 0x100, PROGRAM(DW_CFA_def_cfa_offset, 16));
	cfi_bytes_fde(&bytes, cie, 0x1100, 0x100,
		      PROGRAM(DW_CFA_advance_loc | 1, DW_CFA_def_cfa_offset, 24, 0x3f));
	cfi_bytes_fde(&bytes, cie, 0x1200, 0x100, too_deep, sizeof(too_deep));
	cfi_bytes_fde(&bytes, cie, 0x1300, 0x100, PROGRAM(DW_CFA_restore_state));
	cfi_bytes_fde(&bytes, cie, 0x1400, 0x100, PROGRAM(DW_CFA_def_cfa_register, 0x7f));
	cfi_bytes_fde(&bytes, cie, 0x1500, 0x100, PROGRAM(DW_CFA_expression, RBX, 0x7f, 1));
	/* Another CIE than there is. */
	cfi_bytes_fde(&bytes, 3, 0x1600, 0x100, PROGRAM(DW_CFA_nop));
	cfi_bytes_fde(&bytes, cie, 0x1700, 0x100, PROGRAM(DW_CFA_def_cfa_offset, 32));
	table = table_from(&bytes);
	check_offset(table, 0x10ff, RSP, 16);
	for (uint64_t vaddr = 0x1100; vaddr < 0x1700; vaddr++)
		check_kind(table, vaddr, CFI_RULE_NONE);
	check_offset(table, 0x1700, RSP, 32);
	assert_int_equal(cfi_table_get_stats(table).fdes_damaged_nr, 6);
	cfi_table_destroy(table);
	strbuf_deinit(&bytes);
}

static void test_unknown_registers_are_passed_over(void **state)
{
	struct strbuf bytes = {0};
	uint32_t cie = cfi_bytes_cie(&bytes, "zR", ABI_PROGRAM);
	struct cfi_table *table;

	(void)state;
	cfi_bytes_fde(&bytes, cie, 0x1000, 0x100,
		      PROGRAM(DW_CFA_offset_extended, 0xff, 0xff, 0xff, 0x7f, 3, DW_CFA_offset | 33,
			      4, DW_CFA_restore | 40, DW_CFA_def_cfa_offset, 64));
	table = table_from(&bytes);
	check_offset(table, 0x1000, RSP, 64);
	cfi_table_destroy(table);
	strbuf_deinit(&bytes);
}

static void test_segments_bound_the_code(void **state)
{
	const struct bundle_segment segments[] = {
	    {.vaddr = 0, .memory_bytes = 0x1000, .flags = PF_R},
	    {.vaddr = 0x1000, .memory_bytes = 0x1000, .flags = PF_R | PF_X},
	};
	struct strbuf bytes = {0};
	uint32_t cie = cfi_bytes_cie(&bytes, "zR", ABI_PROGRAM);
	struct bundle_module module;
	struct cfi_table *table;

	(void)state;
	cfi_bytes_fde(&bytes, cie, 0x100, 0x100, PROGRAM(DW_CFA_nop));
	cfi_bytes_fde(&bytes, cie, 0x1100, 0x100, PROGRAM(DW_CFA_nop));
	cfi_bytes_fde(&bytes, cie, 0x1f00, 0x200, PROGRAM(DW_CFA_nop));
	cfi_bytes_fde(&bytes, cie, 0x1000, UINT64_MAX - 0x100, PROGRAM(DW_CFA_nop));
	module = cfi_bytes_module(&bytes);
	module.segments = segments;
	module.segments_nr = 2;
	assert_int_equal(cfi_table_create(&module, &table), 0);
	check_kind(table, 0x100, CFI_RULE_NONE);
	check_offset(table, 0x1100, RSP, 8);
	check_kind(table, 0x1f00, CFI_RULE_NONE);
	assert_int_equal(cfi_table_get_stats(table).fdes_damaged_nr, 3);
	cfi_table_destroy(table);
	strbuf_deinit(&bytes);
}

/* Far apart: the index of pages must follow the rows, not the addresses. */
static void test_sparse_code(void **state)
{
	struct strbuf bytes = {0};
	uint32_t cie = cfi_bytes_cie(&bytes, "zR", ABI_PROGRAM);
	struct cfi_table *table;

	(void)state;
	cfi_bytes_fde(&bytes, cie, 0x1000, 0x10, PROGRAM(DW_CFA_nop));
	cfi_bytes_fde(&bytes, cie, 0xf0000000, 0x10, PROGRAM(DW_CFA_nop));
	cfi_bytes_fde(&bytes, cie, 0xf000000000, 0x10, PROGRAM(DW_CFA_nop));
	table = table_from(&bytes);
	check_offset(table, 0x1000, RSP, 8);
	check_offset(table, 0xf000000f, RSP, 8);
	check_kind(table, 0xf0000010, CFI_RULE_NONE);
	check_kind(table, 0xf000000000, CFI_RULE_NONE);
	assert_true(cfi_table_get_stats(table).bytes < 8192);
	assert_int_equal(cfi_table_get_stats(table).fdes_damaged_nr, 1);
	cfi_table_destroy(table);
	strbuf_deinit(&bytes);
}

/* More distinct rules than 16 bits number: the rest is left to the evaluator, nothing is wrong. */
static void test_more_rules_than_ids(void **state)
{
	enum { RULES = 70000 };
	struct strbuf bytes = {0};
	struct strbuf program = {0};
	uint32_t cie = cfi_bytes_cie(&bytes, "zR", ABI_PROGRAM);
	struct cfi_table *table;

	(void)state;
	for (uint32_t i = 1; i < RULES; i++) {
		strbuf_append_u8(&program, DW_CFA_advance_loc | 1);
		strbuf_append_u8(&program, DW_CFA_def_cfa_offset);
		strbuf_append_u8(&program, (uint8_t)(i | 0x80));
		strbuf_append_u8(&program, (uint8_t)(i >> 7 | 0x80));
		strbuf_append_u8(&program, (uint8_t)(i >> 14));
	}
	cfi_bytes_fde(&bytes, cie, 0x1000, RULES, (const uint8_t *)program.bytes, program.nr);
	table = table_from(&bytes);
	for (uint32_t i = 1; i < RULES; i++) {
		const struct cfi_rule *rule = cfi_table_find(table, 0x1000 + i);

		if (rule->kind != CFI_RULE_EXPRESSION)
			check_offset(table, 0x1000 + i, RSP, (int32_t)i);
	}
	check_kind(table, 0x1000 + RULES - 1, CFI_RULE_EXPRESSION);
	cfi_table_destroy(table);
	strbuf_deinit(&program);
	strbuf_deinit(&bytes);
}

/* Two tables of one module; the numbers of rules and states depend on the look-ups before. */
static void check_same_rule(const struct cfi_table *table, const struct cfi_table *other,
			    uint64_t vaddr)
{
	const struct cfi_rule *rule = cfi_table_find(table, vaddr);
	struct cfi_rule left = *rule;
	struct cfi_rule right = *cfi_table_find(other, vaddr);
	const uint8_t *section;

	assert_int_equal(left.kind, right.kind);
	if (left.kind == CFI_RULE_EXPRESSION) {
		assert_memory_equal(cfi_table_state(table, &left, &section),
				    cfi_table_state(other, &right, &section),
				    sizeof(struct cfi_state));
		left.cfa_offset = right.cfa_offset;
	}
	assert_memory_equal(&left, &right, sizeof(left));
	assert_ptr_equal(cfi_table_find(table, vaddr), rule);
}

struct kept_rule { /* as the unwinder keeps them */
	const struct cfi_rule *rule;
	struct cfi_rule copy;
};

/* Whole at once, from the end to the start, and here and there. */
static void check_any_order(const struct bundle_module *module, uint64_t start, uint64_t end)
{
	enum { TABLES = 3, KEPT = 500 };
	struct cfi_table *tables[TABLES];
	static struct kept_rule kept[KEPT];
	uint64_t vaddr = start;

	for (size_t i = 0; i < TABLES; i++)
		assert_int_equal(cfi_table_create(module, &tables[i]), 0);
	assert_int_equal(cfi_table_compile_all(tables[0]), 0);
	for (size_t i = 0; i < KEPT; i++) {
		vaddr = start + (vaddr - start + (end - start) / 7 * 3 + 11) % (end - start);
		kept[i].rule = cfi_table_find(tables[2], vaddr);
		kept[i].copy = *kept[i].rule;
	}
	for (vaddr = end; vaddr-- > start;)
		check_same_rule(tables[1], tables[0], vaddr);
	for (vaddr = start; vaddr < end; vaddr++)
		check_same_rule(tables[2], tables[1], vaddr);
	for (size_t i = 0; i < KEPT; i++)
		assert_memory_equal(kept[i].rule, &kept[i].copy, sizeof(kept[i].copy));
	for (size_t i = 1; i < TABLES; i++)
		assert_int_equal(cfi_table_get_stats(tables[i]).fdes_damaged_nr,
				 cfi_table_get_stats(tables[0]).fdes_damaged_nr);
	for (size_t i = 0; i < TABLES; i++)
		cfi_table_destroy(tables[i]);
}

static void test_look_ups_in_any_order(void **state)
{
	struct strbuf bytes = {0};
	uint32_t cie = cfi_bytes_cie(&bytes, "zR", ABI_PROGRAM);
	struct bundle_module module;
	struct elf_module file;
	unsigned int seed = 3;

	(void)state;
	assert_int_equal(elf_module_open(&file, "/lib64/ld-linux-x86-64.so.2"), 0);
	check_any_order(&file.module, 0, 0x30000);
	elf_module_close(&file);

	/* Overlapping, of one start, damaged, with states of their own. */
	for (unsigned int i = 0; i < 300; i++) {
		const uint64_t start = 0x1000 + (uint64_t)rand_r(&seed) % 0x2000;
		const uint64_t nr = 1 + (uint64_t)rand_r(&seed) % 0x40;
		const uint8_t offset = (uint8_t)(rand_r(&seed) % 0x80);

		if (i % 10 == 0)
			cfi_bytes_fde(&bytes, cie, start, nr, PROGRAM(DW_CFA_restore_state));
		else if (i % 10 == 1)
			cfi_bytes_fde(&bytes, cie, start, nr,
				      PROGRAM(DW_CFA_def_cfa_expression, 4, DW_OP_const1u, offset,
					      DW_OP_lit2, DW_OP_plus));
		else
			cfi_bytes_fde(&bytes, cie, start, nr,
				      PROGRAM(DW_CFA_advance_loc | 3, DW_CFA_def_cfa_offset, offset,
					      DW_CFA_advance_loc | 30, DW_CFA_def_cfa_offset, 8));
	}
	module = cfi_bytes_module(&bytes);
	check_any_order(&module, 0xf00, 0x3200);
	strbuf_deinit(&bytes);
}

/* A function is compiled when it is met, its neighbours are not; no rule that was told moves. */
static void test_rows_come_with_the_look_ups(void **state)
{
	enum { FDES = 1000 };
	struct strbuf bytes = {0};
	uint32_t cie = cfi_bytes_cie(&bytes, "zR", ABI_PROGRAM);
	const struct cfi_rule *rules[FDES];
	struct cfi_table *table;

	(void)state;
	for (uint32_t i = 0; i < FDES; i++)
		cfi_bytes_fde(
		    &bytes, cie, 0x1000 + i * 0x10, 0x10,
		    PROGRAM(DW_CFA_def_cfa_offset, (uint8_t)(i | 0x80), (uint8_t)(i >> 7)));
	cfi_bytes_fde(&bytes, cie, 0x1000 + FDES * 0x10, 0x10, PROGRAM(DW_CFA_restore_state));
	table = table_from(&bytes);
	assert_int_equal(cfi_table_get_stats(table).fdes_nr, FDES + 1);
	assert_int_equal(cfi_table_get_stats(table).rows_nr, 0);
	check_offset(table, 0x1000 + 500 * 0x10, RSP, 500);
	check_offset(table, 0x1000 + 500 * 0x10 + 15, RSP, 500);
	assert_int_equal(cfi_table_get_stats(table).rows_nr, 1);
	for (uint32_t i = 0; i < FDES; i++)
		rules[i] = cfi_table_find(table, 0x1000 + i * 0x10);
	for (uint32_t i = 0; i < FDES; i++)
		assert_int_equal(rules[i]->cfa_offset, i);
	assert_int_equal(cfi_table_get_stats(table).rows_nr, FDES);
	assert_int_equal(cfi_table_get_stats(table).fdes_damaged_nr, 0);
	assert_int_equal(cfi_table_compile_all(table), 0);
	assert_int_equal(cfi_table_get_stats(table).fdes_damaged_nr, 1);
	check_kind(table, 0x1000 + FDES * 0x10, CFI_RULE_NONE);
	assert_int_equal(cfi_table_get_stats(table).fdes_damaged_nr, 1);
	cfi_table_destroy(table);
	strbuf_deinit(&bytes);
}

/* Said, and said again; what was compiled before stays. */
static void test_no_memory_to_compile(void **state)
{
	struct strbuf bytes = {0};
	uint32_t cie = cfi_bytes_cie(&bytes, "zR", ABI_PROGRAM);
	struct cfi_table *table;

	(void)state;
	for (uint32_t i = 0; i < 100; i++)
		cfi_bytes_fde(&bytes, cie, 0x1000 + i * 0x10, 0x10,
			      PROGRAM(DW_CFA_def_cfa_offset, 16, DW_CFA_advance_loc | 1,
				      DW_CFA_def_cfa_offset, 24));
	table = table_from(&bytes);
	check_offset(table, 0x1000, RSP, 16);
	is_memory_out = true;
	for (uint32_t i = 1; i < 100; i++)
		(void)cfi_table_find(table, 0x1000 + i * 0x10);
	check_kind(table, 0x1000 + 99 * 0x10, CFI_RULE_NO_MEMORY);
	is_memory_out = false;
	check_kind(table, 0x1000 + 99 * 0x10, CFI_RULE_NO_MEMORY);
	check_offset(table, 0x1001, RSP, 24);
	check_kind(table, 0x5000, CFI_RULE_NONE);
	assert_int_equal(cfi_table_compile_all(table), -ENOMEM);
	cfi_table_destroy(table);
	strbuf_deinit(&bytes);
}

/* Libraries that every Debian has; all rows of the linker, some of the larger ones. */
static void test_against_libdw(void **state)
{
	static const struct {
		const char *path;
		unsigned int stride;
	} files[] = {
	    {"/lib64/ld-linux-x86-64.so.2", 1},
	    {"/lib/x86_64-linux-gnu/libc.so.6", 31},
	    {"/usr/bin/python3", 31},
	    {"/lib/x86_64-linux-gnu/libcrypto.so.3", 31},
	};

	(void)state;
	for (size_t i = 0; i < array_size(files); i++) {
		struct elf_module file;
		struct cfi_table *table;
		struct cfi_oracle_counts counts;

		if (elf_module_open(&file, files[i].path))
			continue;
		assert_int_equal(cfi_table_create(&file.module, &table), 0);
		assert_int_equal(cfi_oracle_compare(&file, table, files[i].stride, 5, &counts), 0);
		assert_true(counts.rows > 0);
		assert_int_equal(counts.differences, 0);
		cfi_table_destroy(table);
		elf_module_close(&file);
	}
}

static void look_everywhere(const struct strbuf *bytes, const struct bundle_segment *segment)
{
	struct bundle_module module = cfi_bytes_module(bytes);
	struct cfi_table *table;

	module.segments = segment;
	module.segments_nr = segment ? 1 : 0;
	assert_int_equal(cfi_table_create(&module, &table), 0);
	for (uint64_t vaddr = 0; vaddr < 0x20000; vaddr += 61)
		assert_true(cfi_table_find(table, vaddr)->kind <= CFI_RULE_EXPRESSION);
	/* Six bytes a row and its rule, whatever the section says. */
	assert_true(cfi_table_get_stats(table).bytes < 100 * bytes->nr + 8192);
	cfi_table_destroy(table);
}

static void test_mutated_sections(void **state)
{
	const struct bundle_segment segment = {.vaddr = 0, .memory_bytes = 0x40000, .flags = PF_X};
	struct elf_module file;
	unsigned int seed = 1;

	(void)state;
	assert_int_equal(elf_module_open(&file, "/lib64/ld-linux-x86-64.so.2"), 0);
	for (unsigned int turn = 0; turn < 400; turn++) {
		struct strbuf bytes = {0};

		strbuf_append(&bytes, file.module.eh_frame.bytes, file.module.eh_frame.nr);
		for (unsigned int i = 0; i <= turn % 40; i++)
			bytes.bytes[(size_t)rand_r(&seed) % bytes.nr] = (char)rand_r(&seed);
		if (turn % 3 == 0)
			bytes.nr = 1 + (size_t)rand_r(&seed) % bytes.nr;
		look_everywhere(&bytes, turn % 2 ? &segment : NULL);
		strbuf_deinit(&bytes);
	}
	elf_module_close(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_no_section),
	    cmocka_unit_test(test_prologue_and_epilogue),
	    cmocka_unit_test(test_kinds),
	    cmocka_unit_test(test_register_after_expression),
	    cmocka_unit_test(test_unsorted_and_overlapping),
	    cmocka_unit_test(test_damage_costs_only_its_fde),
	    cmocka_unit_test(test_unknown_registers_are_passed_over),
	    cmocka_unit_test(test_segments_bound_the_code),
	    cmocka_unit_test(test_sparse_code),
	    cmocka_unit_test(test_more_rules_than_ids),
	    cmocka_unit_test(test_look_ups_in_any_order),
	    cmocka_unit_test(test_rows_come_with_the_look_ups),
	    cmocka_unit_test(test_no_memory_to_compile),
	    cmocka_unit_test(test_against_libdw),
	    cmocka_unit_test(test_mutated_sections),
	};

	return cmocka_run_group_tests_name("cfi_table", tests, NULL, NULL);
}
