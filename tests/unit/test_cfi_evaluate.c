/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dwarf.h>
#include <errno.h>
#include <stdlib.h>

#include "report/cfi_evaluate.h"

#define STACK UINT64_C(0x7ffc00000000)

static const uint64_t words[] = {0x1122334455667788, STACK + 16, 0x400123, 77};
static const struct stack_dump dump = {STACK, (const uint8_t *)words, sizeof(words)};

static struct unwind_registers registers_make(void)
{
	struct unwind_registers registers = {0};

	register_set(&registers, DWARF_RSP, STACK);
	register_set(&registers, DWARF_RIP, 0x40001b);
	register_set(&registers, DWARF_RBX, 5);
	return registers;
}

static int evaluate(const uint8_t *bytes, size_t nr, const uint64_t *initial, uint64_t *ret)
{
	struct unwind_registers registers = registers_make();

	return cfi_expression_run(bytes_cursor_make(bytes, nr), &registers, &dump, initial, ret);
}

#define EXPRESSION(...) {__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})

/* Values worked out by hand from DWARF 5, 2.5.1. */
static const struct {
	uint8_t bytes[24];
	size_t nr;
	uint64_t value;
} expressions[] = {
    {EXPRESSION(DW_OP_lit31), 31},
    {EXPRESSION(DW_OP_const1s, 0xff), UINT64_MAX},
    {EXPRESSION(DW_OP_const1u, 0xff), 255},
    {EXPRESSION(DW_OP_const2s, 0xfe, 0xff), UINT64_MAX - 1},
    {EXPRESSION(DW_OP_const2u, 0xfe, 0xff), 0xfffe},
    {EXPRESSION(DW_OP_const4s, 0xc0, 0xff, 0xff, 0xff), (uint64_t)-64},
    {EXPRESSION(DW_OP_const4u, 0xc0, 0xff, 0xff, 0xff), 0xffffffc0},
    {EXPRESSION(DW_OP_const8u, 1, 2, 3, 4, 5, 6, 7, 8), 0x0807060504030201},
    {EXPRESSION(DW_OP_constu, 0x80, 0x01), 128},
    {EXPRESSION(DW_OP_consts, 0x7f), UINT64_MAX},
    {EXPRESSION(DW_OP_breg7, 8), STACK + 8},
    {EXPRESSION(DW_OP_bregx, 3, 0x7f), 4},
    {EXPRESSION(DW_OP_breg7, 0, DW_OP_deref), 0x1122334455667788},
    {EXPRESSION(DW_OP_breg7, 0, DW_OP_deref_size, 2), 0x7788},
    {EXPRESSION(DW_OP_breg7, 0, DW_OP_deref_size, 8), 0x1122334455667788},
    {EXPRESSION(DW_OP_breg7, 8, DW_OP_deref, DW_OP_deref), 0x400123},
    {EXPRESSION(DW_OP_lit7, DW_OP_lit3, DW_OP_minus), 4},
    {EXPRESSION(DW_OP_lit3, DW_OP_lit7, DW_OP_minus), (uint64_t)-4},
    {EXPRESSION(DW_OP_lit6, DW_OP_lit3, DW_OP_mul), 18},
    {EXPRESSION(DW_OP_lit6, DW_OP_neg, DW_OP_lit3, DW_OP_div), (uint64_t)-2},
    {EXPRESSION(DW_OP_lit6, DW_OP_lit3, DW_OP_and), 2},
    {EXPRESSION(DW_OP_lit6, DW_OP_lit3, DW_OP_or), 7},
    {EXPRESSION(DW_OP_lit6, DW_OP_lit3, DW_OP_xor), 5},
    {EXPRESSION(DW_OP_lit1, DW_OP_lit4, DW_OP_shl), 16},
    {EXPRESSION(DW_OP_lit16, DW_OP_lit4, DW_OP_shr), 1},
    {EXPRESSION(DW_OP_lit8, DW_OP_neg, DW_OP_lit1, DW_OP_shra), (uint64_t)-4},
    {EXPRESSION(DW_OP_lit8, DW_OP_const1u, 200, DW_OP_shl), 0},
    {EXPRESSION(DW_OP_lit0, DW_OP_not), UINT64_MAX},
    {EXPRESSION(DW_OP_lit1, DW_OP_neg, DW_OP_lit0, DW_OP_lt), 1},
    {EXPRESSION(DW_OP_lit1, DW_OP_neg, DW_OP_lit0, DW_OP_ge), 0},
    {EXPRESSION(DW_OP_lit2, DW_OP_lit2, DW_OP_le), 1},
    {EXPRESSION(DW_OP_lit2, DW_OP_lit2, DW_OP_gt), 0},
    {EXPRESSION(DW_OP_lit2, DW_OP_lit2, DW_OP_eq), 1},
    {EXPRESSION(DW_OP_lit2, DW_OP_lit2, DW_OP_ne), 0},
    {EXPRESSION(DW_OP_lit2, DW_OP_plus_uconst, 0x80, 0x01), 130},
    {EXPRESSION(DW_OP_lit2, DW_OP_lit5, DW_OP_drop), 2},
    {EXPRESSION(DW_OP_lit2, DW_OP_lit5, DW_OP_swap), 2},
    {EXPRESSION(DW_OP_lit2, DW_OP_lit5, DW_OP_over), 2},
    {EXPRESSION(DW_OP_lit2, DW_OP_lit5, DW_OP_dup, DW_OP_plus), 10},
    {EXPRESSION(DW_OP_lit2, DW_OP_lit5, DW_OP_lit9, DW_OP_pick, 2), 2},
    /* 17 29 1000 (top) becomes 1000 17 29: DWARF 5's own example of DW_OP_rot. */
    {EXPRESSION(DW_OP_lit3, DW_OP_lit2, DW_OP_lit1, DW_OP_rot), 2},
    {EXPRESSION(DW_OP_lit3, DW_OP_lit2, DW_OP_lit1, DW_OP_rot, DW_OP_drop), 3},
    {EXPRESSION(DW_OP_lit1, DW_OP_skip, 1, 0, DW_OP_lit2, DW_OP_lit3, DW_OP_plus), 4},
    {EXPRESSION(DW_OP_lit9, DW_OP_lit1, DW_OP_bra, 1, 0, DW_OP_lit2), 9},
    {EXPRESSION(DW_OP_lit9, DW_OP_lit0, DW_OP_bra, 1, 0, DW_OP_lit2), 2},
    /* The PLT's: rip & 15 is 11. */
    {EXPRESSION(DW_OP_breg7, 8, DW_OP_breg16, 0, DW_OP_lit15, DW_OP_and, DW_OP_lit11, DW_OP_ge,
		DW_OP_lit3, DW_OP_shl, DW_OP_plus),
     STACK + 16},
};

static void test_values(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_size(expressions); i++) {
		uint64_t value = 0xbad;

		assert_int_equal(evaluate(expressions[i].bytes, expressions[i].nr, NULL, &value),
				 0);
		assert_int_equal(value, expressions[i].value);
	}
}

static void test_initial_value(void **state)
{
	static const uint8_t bytes[] = {DW_OP_lit8, DW_OP_minus};
	const uint64_t cfa = 100;
	uint64_t value;

	(void)state;
	assert_int_equal(evaluate(bytes, sizeof(bytes), &cfa, &value), 0);
	assert_int_equal(value, 92);
	assert_int_equal(evaluate(bytes, sizeof(bytes), NULL, &value), -EBADMSG);
}

static const struct {
	uint8_t bytes[24];
	size_t nr;
	int error;
} refused[] = {
    {EXPRESSION(DW_OP_plus), -EBADMSG},
    {EXPRESSION(DW_OP_const8u, 1, 2), -EBADMSG},
    {EXPRESSION(DW_OP_lit1, DW_OP_lit0, DW_OP_div), -EBADMSG},
    {EXPRESSION(DW_OP_lit1, DW_OP_const1u, 63, DW_OP_shl, DW_OP_const1s, 0xff, DW_OP_div),
     -EBADMSG},
    {EXPRESSION(DW_OP_breg31, 0), -EBADMSG},
    {EXPRESSION(DW_OP_bregx, 0xff, 0x7f, 0), -EBADMSG},
    {EXPRESSION(DW_OP_breg0, 0), -EFAULT},
    {EXPRESSION(DW_OP_lit0, DW_OP_deref), -EFAULT},
    {EXPRESSION(DW_OP_lit0, DW_OP_deref_size, 9), -EBADMSG},
    {EXPRESSION(DW_OP_pick, 0), -EBADMSG},
    {EXPRESSION(DW_OP_skip, 0xfd, 0xff), -EBADMSG}, /* for ever */
    {EXPRESSION(DW_OP_skip, 0xfc, 0xff), -EBADMSG}, /* out of it */
    {EXPRESSION(DW_OP_skip, 1, 0), -EBADMSG},
    {EXPRESSION(DW_OP_dup, DW_OP_skip, 0xfc, 0xff), -EBADMSG},
    {EXPRESSION(DW_OP_lit1, DW_OP_dup, DW_OP_skip, 0xfc, 0xff), -EBADMSG}, /* stack full */
    {EXPRESSION(DW_OP_addr, 0, 0, 0, 0, 0, 0, 0, 0), -EBADMSG},
    {EXPRESSION(DW_OP_call_frame_cfa), -EBADMSG},
};

static void test_refused(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_size(refused); i++) {
		uint64_t value = 0xbad;

		assert_int_equal(evaluate(refused[i].bytes, refused[i].nr, NULL, &value),
				 refused[i].error);
		assert_int_equal(value, 0xbad);
	}
	assert_int_equal(evaluate(refused[0].bytes, 0, NULL, &(uint64_t){0}), -EBADMSG);
}

/* longjmp's: everything through registers. */
static void test_step(void **state)
{
	static const uint8_t section[] = {DW_OP_breg7, 24};
	struct unwind_registers registers = registers_make();
	struct cfi_state rules = {.cfa_register = DWARF_RSP, .cfa_offset = 16};

	(void)state;
	rules.registers[DWARF_RIP].kind = CFI_STATE_OFFSET;
	rules.registers[DWARF_RIP].value = 0;
	rules.registers[DWARF_RBX].kind = CFI_STATE_EXPRESSION;
	rules.registers[DWARF_RBX].expression = (struct cfi_span){0, 2};
	rules.registers[DWARF_R12].kind = CFI_STATE_REGISTER;
	rules.registers[DWARF_R12].value = DWARF_RBX;
	rules.registers[DWARF_R13].kind = CFI_STATE_VALUE_OFFSET;
	rules.registers[DWARF_R13].value = -8;
	rules.registers[DWARF_R14].kind = CFI_STATE_REGISTER;
	rules.registers[DWARF_R14].value = 12345;
	assert_int_equal(cfi_state_step(&rules, section, &dump, &registers), 0);
	assert_int_equal(registers.values[DWARF_RSP], STACK + 16);
	assert_int_equal(registers.values[DWARF_RIP], 0x400123);
	assert_int_equal(registers.values[DWARF_RBX], 77);
	assert_int_equal(registers.values[DWARF_R12], 5);
	assert_int_equal(registers.values[DWARF_R13], STACK + 8);
	assert_false(register_is_known(&registers, DWARF_R14));
	assert_false(register_is_known(&registers, DWARF_RBP));

	rules.cfa_offset = 1 << 20;
	assert_int_equal(cfi_state_step(&rules, section, &dump, &registers), -EFAULT);
	assert_int_equal(registers.values[DWARF_RSP], STACK + 16);
}

static void test_random_bytes(void **state)
{
	unsigned int seed = 11;

	(void)state;
	for (unsigned int turn = 0; turn < 100000; turn++) {
		uint8_t bytes[40];
		uint64_t value;

		for (size_t i = 0; i < sizeof(bytes); i++)
			bytes[i] = (uint8_t)(rand_r(&seed) >> 4);
		(void)!evaluate(bytes, (size_t)turn % sizeof(bytes), NULL, &value);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_values),	 cmocka_unit_test(test_initial_value),
	    cmocka_unit_test(test_refused),	 cmocka_unit_test(test_step),
	    cmocka_unit_test(test_random_bytes),
	};

	return cmocka_run_group_tests_name("cfi_evaluate", tests, NULL, NULL);
}
