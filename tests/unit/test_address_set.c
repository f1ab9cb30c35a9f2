/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "record/address_set.h"

static void test_empty(void **state)
{
	struct address_set set = {0};
	auto_free uint64_t *sorted = NULL;

	(void)state;
	assert_int_equal(address_set_sorted(&set, &sorted), 0);
	assert_non_null(sorted);
	assert_int_equal(set.nr, 0);
	address_set_deinit(&set);
}

/* Kernel text addresses: alike in their upper half, in steps of all sizes, many times each. */
static void test_many(void **state)
{
	enum { ADDRESSES_NR = 20000 };
	struct address_set set = {0};
	auto_free uint64_t *sorted = NULL;

	(void)state;
	for (int round = 0; round < 3; round++)
		for (uint64_t i = ADDRESSES_NR; i-- > 0;)
			assert_int_equal(
			    address_set_add(&set, UINT64_C(0xffffffff81000000) + i * 16), 0);
	assert_int_equal(set.nr, ADDRESSES_NR);
	assert_int_equal(address_set_sorted(&set, &sorted), 0);
	for (uint64_t i = 0; i < ADDRESSES_NR; i++)
		assert_true(sorted[i] == UINT64_C(0xffffffff81000000) + i * 16);
	address_set_deinit(&set);
	assert_null(set.slots);
}

static void test_extremes(void **state)
{
	static const uint64_t addresses[] = {UINT64_MAX, 1, INT64_MAX, UINT64_C(1) << 63};
	struct address_set set = {0};
	auto_free uint64_t *sorted = NULL;

	(void)state;
	for (size_t i = 0; i < array_size(addresses); i++)
		assert_int_equal(address_set_add(&set, addresses[i]), 0);
	assert_int_equal(address_set_sorted(&set, &sorted), 0);
	assert_true(sorted[0] == 1 && sorted[1] == INT64_MAX);
	assert_true(sorted[2] == UINT64_C(1) << 63 && sorted[3] == UINT64_MAX);
	address_set_deinit(&set);
}

/* Nothing is allocated per sample: what is known stays where it is, however full the set is. */
static void test_known_allocates_nothing(void **state)
{
	struct address_set set = {0};

	(void)state;
	for (uint64_t address = 1; address <= 3000; address++) {
		const uint64_t *slots;
		size_t slots_nr;

		assert_int_equal(address_set_add(&set, address), 0);
		slots = set.slots;
		slots_nr = set.slots_nr;
		assert_int_equal(address_set_add(&set, address), 0);
		assert_int_equal(address_set_add(&set, 1), 0);
		assert_ptr_equal(set.slots, slots);
		assert_int_equal(set.slots_nr, slots_nr);
	}
	assert_int_equal(set.nr, 3000);
	address_set_deinit(&set);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_empty),
	    cmocka_unit_test(test_many),
	    cmocka_unit_test(test_extremes),
	    cmocka_unit_test(test_known_allocates_nothing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
