/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "report/kernel_symbols.h"

static const char kallsyms[] = "0000000000000000 A fixed_percpu_data\n"
			       "ffffffff81000000 T _stext\n"
			       "ffffffff81000000 T _text\n"
			       "ffffffff81000100 t __x64_sys_read\n"
			       "ffffffff81000100 T ksys_read\n"
			       "ffffffff81000200 d some_data\n"
			       "ffffffff81000300 W weak\n"
			       "nonsense\n"
			       "ffffffffc0000000 t nf_hook\t[nf_tables]\n";

static int load(struct kernel_symbols *symbols, uint64_t text_at)
{
	struct record_mmap mmap = {.pid = UINT32_MAX,
				   .start = text_at,
				   .file_offset = text_at,
				   .path = "[kernel.kallsyms]_text"};
	char *text = strdup(kallsyms);

	kernel_symbols_init(symbols, NULL, "6.1", true);
	symbols->is_loaded = true; /* not this machine's */
	assert_int_equal(kernel_symbols_take_map(symbols, &mmap), 0);
	return kernel_symbols_load(symbols, text);
}

static void check(struct kernel_symbols *symbols, uint64_t address, const char *name,
		  const char *module)
{
	struct bundle_kernel_symbol symbol;

	assert_int_equal(kernel_symbols_find(symbols, address, &symbol), 0);
	assert_string_equal(symbol.name, name);
	assert_string_equal(symbol.module, module);
}

static void test_same_boot(void **state)
{
	struct kernel_symbols symbols;
	struct bundle_kernel_symbol symbol;

	(void)state;
	assert_int_equal(load(&symbols, 0xffffffff81000000), 0);
	check(&symbols, 0xffffffff81000100, "ksys_read", "");
	check(&symbols, 0xffffffff810002ff, "ksys_read", "");
	check(&symbols, 0xffffffff81000301, "weak", "");
	check(&symbols, 0xffffffffc0000010, "nf_hook", "nf_tables");
	assert_int_equal(kernel_symbols_find(&symbols, 0xffffffffc0001000, &symbol), -ENOENT);
	assert_int_equal(kernel_symbols_find(&symbols, 0xffffffff80ffffff, &symbol), -ENOENT);
	kernel_symbols_deinit(&symbols);
}

static void test_another_boot_has_other_addresses(void **state)
{
	struct kernel_symbols symbols;
	struct bundle_kernel_symbol symbol;

	(void)state;
	assert_int_equal(load(&symbols, 0xffffffff9a000000), -ENOENT);
	assert_int_equal(kernel_symbols_find(&symbols, 0xffffffff81000100, &symbol), -ENOENT);
	kernel_symbols_deinit(&symbols);
}

static void test_other_maps_say_nothing(void **state)
{
	struct kernel_symbols symbols;
	struct record_mmap mmap = {.pid = 1, .file_offset = 7, .path = "[kernel.kallsyms]_text"};

	(void)state;
	kernel_symbols_init(&symbols, NULL, "6.1", true);
	assert_int_equal(kernel_symbols_take_map(&symbols, &mmap), 0);
	mmap.pid = UINT32_MAX;
	mmap.path = "[nf_tables]";
	assert_int_equal(kernel_symbols_take_map(&symbols, &mmap), 0);
	assert_int_equal(symbols.reference_address, 0);
	kernel_symbols_deinit(&symbols);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_same_boot),
	    cmocka_unit_test(test_another_boot_has_other_addresses),
	    cmocka_unit_test(test_other_maps_say_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
