/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/kallsyms.h"

/* Order and types as Linux 6.18 lists them. */
static const char listed[] = "ffffffff82204bc0 T __pi___x86_indirect_thunk_rax\n"
			     "ffffffff82204bc0 T __x86_indirect_thunk_rax\n"
			     "ffffffff821f67c0 T memset\n"
			     "ffffffff821f67c0 T __memset\n"
			     "ffffffff821f67c0 T __pi_memset\n"
			     "ffffffff821f6000 D data\n"
			     "ffffffff81000500 W a_weak\n"
			     "ffffffff81000500 t __local\n"
			     "ffffffff81000600 t local\n"
			     "ffffffff81000600 T __global\n"
			     "ffffffffc0000000 t nf_hook\t[nf_tables]\n"
			     "0000000000000000 T hidden\n"
			     "ffffffff81000700 \n"
			     "nonsense\n"
			     "ffffffff81000800 T";

static void check(const struct kallsyms *symbols, uint64_t address, const char *name,
		  const char *module, uint64_t expected_end)
{
	uint64_t end = 0;
	const struct kallsym *found = kallsyms_find(symbols, address, &end);

	assert_non_null(found);
	assert_string_equal(found->name, name);
	assert_string_equal(found->module, module);
	assert_true(end == expected_end);
}

static void test_one_name_for_each_address(void **state)
{
	char *text = strdup(listed);
	struct kallsyms symbols;
	uint64_t end;

	(void)state;
	assert_int_equal(kallsyms_parse(text, &symbols), 0);
	assert_int_equal(symbols.nr, 5);
	check(&symbols, 0xffffffff821f67c5, "memset", "", 0xffffffff82204bc0);
	check(&symbols, 0xffffffff82204bc0, "__x86_indirect_thunk_rax", "", 0xffffffffc0000000);
	check(&symbols, 0xffffffff810005ff, "__local", "", 0xffffffff81000600);
	check(&symbols, 0xffffffff81000600, "__global", "", 0xffffffff821f67c0);
	check(&symbols, 0xffffffffc0000fff, "nf_hook", "nf_tables", 0xffffffffc0001000);
	assert_null(kallsyms_find(&symbols, 0xffffffffc0001000, &end));
	assert_null(kallsyms_find(&symbols, 0xffffffff810004ff, &end));
	kallsyms_deinit(&symbols);
	free(text);
}

static void test_hidden(void **state)
{
	char text[] = "0000000000000000 T _text\n0000000000000000 t nf_hook\t[nf_tables]\n";
	struct kallsyms symbols;
	uint64_t end;

	(void)state;
	assert_int_equal(kallsyms_parse(text, &symbols), 0);
	assert_int_equal(symbols.nr, 0);
	assert_null(kallsyms_find(&symbols, 0, &end));
	kallsyms_deinit(&symbols);
}

static void test_line(void **state)
{
	char line[] = "ffffffffc0000000 d some_data\t[nf_tables]";
	char not_one[] = "ffffffffc0000000";
	struct kallsym symbol;

	(void)state;
	assert_int_equal(kallsyms_parse_line(line, &symbol), 0);
	assert_true(symbol.address == 0xffffffffc0000000);
	assert_int_equal(symbol.type, 'd');
	assert_string_equal(symbol.name, "some_data");
	assert_string_equal(symbol.module, "nf_tables");
	assert_int_equal(kallsyms_parse_line(not_one, &symbol), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_one_name_for_each_address),
	    cmocka_unit_test(test_hidden),
	    cmocka_unit_test(test_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
