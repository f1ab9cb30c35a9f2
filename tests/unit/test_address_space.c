/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "report/address_space.h"

static struct module *module_number(uintptr_t number)
{
	return (struct module *)(number << 4);
}

static void insert(struct address_space *space, uint64_t start, uint64_t end, uintptr_t module)
{
	const struct mapping mapping = {
	    .start = start,
	    .end = end,
	    .file_offset = 0x100000 + start,
	    .is_executable = true,
	    .module = module_number(module),
	};

	assert_int_equal(address_space_insert(space, &mapping), 0);
}

static uintptr_t module_at(const struct address_space *space, uint64_t address)
{
	const struct mapping *mapping = address_space_find(space, address);

	if (!mapping)
		return 0;
	assert_true(mapping->start <= address && address < mapping->end);
	/* Each module above is mapped so that the file offset is the address and 1 MiB. */
	assert_int_equal(mapping->file_offset, 0x100000 + mapping->start);
	return (uintptr_t)mapping->module >> 4;
}

static void test_empty(void **state)
{
	struct address_space space = {0};

	(void)state;
	assert_null(address_space_find(&space, 0));
	assert_null(address_space_find(&space, UINT64_MAX));
	insert(&space, 5, 5, 1);
	insert(&space, 6, 5, 1);
	assert_int_equal(space.nr, 0);
	address_space_deinit(&space);
}

static void test_bounds(void **state)
{
	struct address_space space = {0};

	(void)state;
	insert(&space, 0x1000, 0x2000, 1);
	insert(&space, 0x3000, 0x4000, 3);
	insert(&space, 0x2000, 0x2800, 2);
	insert(&space, UINT64_MAX - 0x1000, UINT64_MAX, 4);
	assert_int_equal(module_at(&space, 0xfff), 0);
	assert_int_equal(module_at(&space, 0x1000), 1);
	assert_int_equal(module_at(&space, 0x1fff), 1);
	assert_int_equal(module_at(&space, 0x2000), 2);
	assert_int_equal(module_at(&space, 0x27ff), 2);
	assert_int_equal(module_at(&space, 0x2800), 0);
	assert_int_equal(module_at(&space, 0x3000), 3);
	assert_int_equal(module_at(&space, 0x4000), 0);
	assert_int_equal(module_at(&space, UINT64_MAX - 1), 4);
	address_space_deinit(&space);
}

static void test_cut_in_two(void **state)
{
	struct address_space space = {0};

	(void)state;
	insert(&space, 0x1000, 0x9000, 1);
	insert(&space, 0x3000, 0x4000, 2);
	assert_int_equal(space.nr, 3);
	assert_int_equal(module_at(&space, 0x2fff), 1);
	assert_int_equal(module_at(&space, 0x3000), 2);
	assert_int_equal(module_at(&space, 0x4000), 1);
	assert_int_equal(module_at(&space, 0x8fff), 1);
	address_space_deinit(&space);
}

static void test_cover_many(void **state)
{
	struct address_space space = {0};

	(void)state;
	for (uint64_t start = 0; start < 0x10000; start += 0x1000)
		insert(&space, start, start + 0x800, 1 + start / 0x1000);
	insert(&space, 0x1400, 0x5400, 99);
	assert_int_equal(module_at(&space, 0x13ff), 2);
	assert_int_equal(module_at(&space, 0x1400), 99);
	assert_int_equal(module_at(&space, 0x53ff), 99);
	assert_int_equal(module_at(&space, 0x5400), 6);
	assert_int_equal(module_at(&space, 0x57ff), 6);
	assert_int_equal(module_at(&space, 0x5800), 0);
	assert_int_equal(space.nr, 14);
	address_space_deinit(&space);
}

static void test_copy_stands_alone(void **state)
{
	struct address_space space = {0};
	struct address_space copy;

	(void)state;
	assert_int_equal(address_space_copy(&space, &copy), 0);
	assert_int_equal(copy.nr, 0);
	address_space_deinit(&copy);
	insert(&space, 0x1000, 0x2000, 1);
	assert_int_equal(address_space_copy(&space, &copy), 0);
	insert(&space, 0x1000, 0x2000, 2);
	assert_int_equal(module_at(&copy, 0x1000), 1);
	assert_int_equal(module_at(&space, 0x1000), 2);
	address_space_deinit(&space);
	address_space_deinit(&copy);
}

/* A page map drawn by hand says what mmap(2) would leave. */
static void test_random_against_pages(void **state)
{
	enum { PAGES = 64 };
	uint8_t pages[PAGES] = {0};
	struct address_space space = {0};
	unsigned int seed = 7;

	(void)state;
	for (unsigned int turn = 1; turn < 2000; turn++) {
		unsigned int first = (unsigned int)rand_r(&seed) % PAGES;
		unsigned int nr = 1 + (unsigned int)rand_r(&seed) % 12;
		unsigned int end = first + nr > PAGES ? PAGES : first + nr;

		insert(&space, first, end, turn % 250 + 1);
		memset(pages + first, (int)(turn % 250 + 1), end - first);
		for (unsigned int page = 0; page < PAGES; page++)
			assert_int_equal(module_at(&space, page), pages[page]);
		for (size_t i = 1; i < space.nr; i++)
			assert_true(space.mappings[i - 1].end <= space.mappings[i].start);
	}
	address_space_deinit(&space);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_empty),
	    cmocka_unit_test(test_bounds),
	    cmocka_unit_test(test_cut_in_two),
	    cmocka_unit_test(test_cover_many),
	    cmocka_unit_test(test_copy_stands_alone),
	    cmocka_unit_test(test_random_against_pages),
	};

	return cmocka_run_group_tests_name("address_space", tests, NULL, NULL);
}
