/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/radix_sort.h"

struct item {
	uint64_t key;
	uint32_t order; /* before the sort */
};

RADIX_SORT_DEFINE(sort_items, struct item, key)

static void check_sorted(const struct item *items, size_t nr)
{
	for (size_t i = 1; i < nr; i++) {
		assert_true(items[i - 1].key <= items[i].key);
		if (items[i - 1].key == items[i].key)
			assert_true(items[i - 1].order < items[i].order);
	}
}

static void test_keys_of_any_width(void **state)
{
	unsigned int seed = 1;

	(void)state;
	for (unsigned int bits = 1; bits <= 64; bits++) {
		const size_t nr = (size_t)rand_r(&seed) % 500;
		const uint64_t least = (uint64_t)rand_r(&seed) << (64 - bits);
		struct item *items = calloc(nr + 1, sizeof(*items));
		uint64_t sum = 0;

		assert_non_null(items);
		for (uint32_t i = 0; i < nr; i++) {
			const uint64_t random = (uint64_t)rand_r(&seed) << 33 ^
						(uint64_t)rand_r(&seed) << 12;

			items[i] = (struct item){least + (random >> (64 - bits)), i};
			sum += items[i].key;
		}
		assert_int_equal(sort_items(&items, nr), 0);
		check_sorted(items, nr);
		for (size_t i = 0; i < nr; i++)
			sum -= items[i].key;
		assert_int_equal(sum, 0);
		free(items);
	}
}

static void test_nothing_and_sorted(void **state)
{
	struct item *none = NULL;
	struct item *items = calloc(3, sizeof(*items));
	const struct item *before = items;

	(void)state;
	assert_int_equal(sort_items(&none, 0), 0);
	assert_null(none);
	assert_non_null(items);
	items[2].key = UINT64_MAX;
	assert_int_equal(sort_items(&items, 3), 0);
	assert_ptr_equal(items, before);
	free(items);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_keys_of_any_width),
	    cmocka_unit_test(test_nothing_and_sorted),
	};

	return cmocka_run_group_tests_name("radix_sort", tests, NULL, NULL);
}
