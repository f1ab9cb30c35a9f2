/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "report/filter.h"

static void test_unset_filter_accepts_all(void **state)
{
	struct filter filter = {0};

	(void)state;
	assert_false(filter_is_set(&filter));
	assert_true(filter_accepts(&filter, "anything"));
	assert_true(filter_accepts_path(&filter, ""));
	assert_true(filter_accepts_number(&filter, 0));
}

static void test_names_and_wildcards(void **state)
{
	struct filter filter = {0};

	(void)state;
	assert_int_equal(filter_add(&filter, "get,Handler.*,,[unknown]"), 0);
	assert_int_equal(filter_add(&filter, "more"), 0);
	assert_true(filter_is_set(&filter));
	assert_true(filter_accepts(&filter, "get"));
	assert_true(filter_accepts(&filter, "Handler.run"));
	assert_true(filter_accepts(&filter, "[unknown]"));
	assert_true(filter_accepts(&filter, "more"));
	assert_false(filter_accepts(&filter, "getter"));
	assert_false(filter_accepts(&filter, ""));
	filter_deinit(&filter);
}

static void test_paths(void **state)
{
	struct filter filter = {0};

	(void)state;
	assert_int_equal(filter_add(&filter, "libc.so.6,/usr/bin/*"), 0);
	assert_true(filter_accepts_path(&filter, "/usr/lib/libc.so.6"));
	assert_true(filter_accepts_path(&filter, "libc.so.6"));
	assert_true(filter_accepts_path(&filter, "/usr/bin/python3"));
	assert_false(filter_accepts_path(&filter, "/usr/lib/libc.so"));
	filter_deinit(&filter);
}

static void test_numbers(void **state)
{
	struct filter filter = {0};

	(void)state;
	assert_int_equal(filter_add(&filter, "12,4294967295"), 0);
	assert_true(filter_accepts_number(&filter, 12));
	assert_true(filter_accepts_number(&filter, UINT32_MAX));
	assert_false(filter_accepts_number(&filter, 1));
	filter_deinit(&filter);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_unset_filter_accepts_all),
	    cmocka_unit_test(test_names_and_wildcards),
	    cmocka_unit_test(test_paths),
	    cmocka_unit_test(test_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
