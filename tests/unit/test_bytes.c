/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/bytes.h"
#include "common/cleanup.h"

static void test_numbers(void **state)
{
	static const uint8_t bytes[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
	struct bytes_cursor cursor = bytes_cursor_make(bytes, sizeof(bytes));

	(void)state;
	assert_int_equal(bytes_get_u8(&cursor), 0x01);
	assert_int_equal(bytes_get_u16(&cursor), 0x0302);
	assert_int_equal(bytes_get_u32(&cursor), 0x07060504);
	assert_int_equal(bytes_offset(&cursor), 7);
	assert_true(bytes_get_u64(&cursor) == UINT64_C(0x0f0e0d0c0b0a0908));
	assert_int_equal(bytes_left(&cursor), 0);
	assert_false(cursor.failed);
}

static void test_failure_moves_nothing_and_stays(void **state)
{
	static const uint8_t bytes[] = {1, 2, 3};
	struct bytes_cursor cursor = bytes_cursor_make(bytes, sizeof(bytes));

	(void)state;
	assert_int_equal(bytes_get_u32(&cursor), 0);
	assert_true(cursor.failed);
	assert_int_equal(bytes_offset(&cursor), 0);
	assert_int_equal(bytes_get_u8(&cursor), 0);
	assert_null(bytes_take(&cursor, 1));
	assert_int_equal(bytes_offset(&cursor), 0);
}

static void test_take_huge(void **state)
{
	static const uint8_t bytes[] = {1, 2, 3};
	struct bytes_cursor cursor = bytes_cursor_make(bytes, sizeof(bytes));

	(void)state;
	assert_non_null(bytes_take(&cursor, 1));
	assert_null(bytes_take(&cursor, SIZE_MAX));
	assert_true(cursor.failed);
}

static void test_no_bytes(void **state)
{
	struct bytes_cursor cursor = bytes_cursor_make(NULL, 100);

	(void)state;
	assert_int_equal(bytes_left(&cursor), 0);
	assert_int_equal(bytes_get_u8(&cursor), 0);
	assert_true(cursor.failed);
}

static void test_string(void **state)
{
	static const uint8_t bytes[] = {2, 0, 0, 0, 'a', 'b', 9, 0, 0, 0, 'c'};
	struct bytes_cursor cursor = bytes_cursor_make(bytes, sizeof(bytes));
	uint32_t nr;
	const char *text = bytes_get_string(&cursor, &nr);

	(void)state;
	assert_int_equal(nr, 2);
	assert_memory_equal(text, "ab", 2);
	text = bytes_get_string(&cursor, &nr);
	assert_int_equal(nr, 0);
	assert_string_equal(text, "");
	assert_true(cursor.failed);
}

/* Examples of the DWARF 5 standard, figures 9 and 10 of appendix C, and the ends of the range. */
static void test_leb128(void **state)
{
	static const struct {
		uint8_t bytes[10];
		size_t nr;
		uint64_t is_unsigned;
		int64_t is_signed;
	} cases[] = {
	    {{0x02}, 1, 2, 2},
	    {{0x7f}, 1, 127, -1},
	    {{0xff, 0x00}, 2, 127, 127},
	    {{0x80, 0x01}, 2, 128, 128},
	    {{0x81, 0x7f}, 2, 16257, -127},
	    {{0x80, 0x7f}, 2, 16256, -128},
	    {{0xff, 0x7e}, 2, 16255, -129},
	    {{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01}, 10, UINT64_MAX, -1},
	    {{0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x7f},
	     10,
	     UINT64_C(1) << 63,
	     INT64_MIN},
	};

	(void)state;
	for (size_t i = 0; i < array_size(cases); i++) {
		struct bytes_cursor cursor = bytes_cursor_make(cases[i].bytes, cases[i].nr);

		assert_true(bytes_get_uleb128(&cursor) == cases[i].is_unsigned);
		assert_int_equal(bytes_left(&cursor), 0);
		cursor = bytes_cursor_make(cases[i].bytes, cases[i].nr);
		assert_true(bytes_get_sleb128(&cursor) == cases[i].is_signed);
		assert_false(cursor.failed);
	}
}

static void test_leb128_damaged(void **state)
{
	static const uint8_t endless[16] = {0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80,
					    0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80, 0x80};
	struct bytes_cursor cursor = bytes_cursor_make(endless, sizeof(endless));

	(void)state;
	bytes_get_uleb128(&cursor);
	assert_true(cursor.failed);
	cursor = bytes_cursor_make(endless, 3);
	bytes_get_sleb128(&cursor);
	assert_true(cursor.failed);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_numbers),
	    cmocka_unit_test(test_failure_moves_nothing_and_stays),
	    cmocka_unit_test(test_take_huge),
	    cmocka_unit_test(test_no_bytes),
	    cmocka_unit_test(test_string),
	    cmocka_unit_test(test_leb128),
	    cmocka_unit_test(test_leb128_damaged),
	};

	return cmocka_run_group_tests_name("bytes", tests, NULL, NULL);
}
