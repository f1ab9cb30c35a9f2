/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Tables taken from the interpreters named, with the lines that the interpreter itself gives.
 * tests/e2e/test_line_tables.py does the same for whole standard libraries.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "report/line_table.h"

static void check_line(uint32_t version, int32_t first_line, const char *bytes, size_t nr,
		       int64_t offset, int32_t line)
{
	struct line_ranges ranges = {0};
	struct line_position position;

	assert_int_equal(
	    line_table_decode(version, first_line, (const uint8_t *)bytes, (uint32_t)nr, &ranges),
	    0);
	assert_int_equal(line_ranges_find(&ranges, offset, &position), 0);
	assert_int_equal(position.line, line);
	line_ranges_deinit(&ranges);
}

#define TABLE(text) text, sizeof(text) - 1

static void test_lnotab_line_delta_is_unsigned_in_27(void **state)
{
	(void)state;
	check_line(0x02071200, 10, TABLE("\x06\x01\x05\xc8"), 5, 10);
	check_line(0x02071200, 10, TABLE("\x06\x01\x05\xc8"), 6, 11);
	check_line(0x02071200, 10, TABLE("\x06\x01\x05\xc8"), 11, 211);
	check_line(0x02071200, 10, TABLE("\x06\x01\x05\xc8"), 100000, 211);
}

static void test_lnotab_line_delta_is_signed_from_36(void **state)
{
	(void)state;
	check_line(0x03090000, 10, TABLE("\x06\x01\x04\xff\x02\x05"), 6, 11);
	check_line(0x03090000, 10, TABLE("\x06\x01\x04\xff\x02\x05"), 10, 10);
	check_line(0x03060f00, 10, TABLE("\x06\x01\x04\xff\x02\x05"), 12, 15);
}

static void test_lnotab_jumps_take_several_pairs(void **state)
{
	(void)state;
	check_line(0x03080000, 1, TABLE("\xff\x00\x2d\x7f\x00\x7f\x00\x05"), 299, 1);
	check_line(0x03080000, 1, TABLE("\xff\x00\x2d\x7f\x00\x7f\x00\x05"), 300, 260);
}

static void test_310_no_line_keeps_the_running_line(void **state)
{
	/* 4 bytes on line 8, 2 without a line, 2 back on line 8, 6 on line 6 */
	static const char table[] = "\x04\x01\x02\x80\x02\x00\x06\xfe";

	(void)state;
	check_line(0x030a0d00, 7, TABLE(table), 0, 8);
	check_line(0x030a0d00, 7, TABLE(table), 4, LINE_NONE);
	check_line(0x030a0d00, 7, TABLE(table), 6, 8);
	check_line(0x030a0d00, 7, TABLE(table), 8, 6);
}

static void test_310_empty_pairs_only_move_the_line(void **state)
{
	(void)state;
	check_line(0x030a0d00, 1, TABLE("\x00\x7f\x00\x7f\x04\x01"), 2, 256);
}

static struct line_position position_in(const char *bytes, size_t nr, int64_t offset)
{
	struct line_ranges ranges = {0};
	struct line_position position;

	assert_int_equal(
	    line_table_decode(0x030b0700, 1, (const uint8_t *)bytes, (uint32_t)nr, &ranges), 0);
	assert_int_equal(line_ranges_find(&ranges, offset, &position), 0);
	line_ranges_deinit(&ranges);
	return position;
}

/* def f(a):\n  return a + (\n 1) of 3.11.7: co_linetable of f, checked with co_positions() */
static void test_311_entries(void **state)
{
	static const char table[] = "\x80\x00"		   /* short: line 1, columns 0..0 */
				    "\xd9\x0b\x0c"	   /* one line down, columns 11..12 */
				    "\xf1\x00\x02\x0c\x12" /* long */
				    "\xf8"		   /* 1 unit without a line */
				    "\xe8\x02";		   /* no columns: line + 1 */
	struct line_position position;

	(void)state;
	position = position_in(TABLE(table), 0);
	assert_int_equal(position.line, 1);
	assert_int_equal(position.column, 0);
	position = position_in(TABLE(table), 2);
	assert_int_equal(position.line, 2);
	assert_int_equal(position.column, 11);
	assert_int_equal(position.end_column, 12);
	assert_int_equal(position_in(TABLE(table), 4).column, 11);
	position = position_in(TABLE(table), 6);
	assert_int_equal(position.line, 2);
	assert_int_equal(position.end_line, 4);
	assert_int_equal(position.column, 11);
	assert_int_equal(position.end_column, 17);
	assert_int_equal(position_in(TABLE(table), 10).line, LINE_NONE);
	position = position_in(TABLE(table), 12);
	assert_int_equal(position.line, 3);
	assert_int_equal(position.column, COLUMN_NONE);
}

static void test_311_ends_with_the_table(void **state)
{
	struct line_ranges ranges = {0};
	struct line_position position;

	(void)state;
	assert_int_equal(line_table_decode(0x030b0700, 1, (const uint8_t *)"\x80\x00", 2, &ranges),
			 0);
	assert_int_equal(line_ranges_find(&ranges, 2, &position), -ENOENT);
	assert_int_equal(line_ranges_find(&ranges, -2, &position), -ENOENT);
	line_ranges_deinit(&ranges);
}

static void check_bad(uint32_t version, int32_t first_line, const char *bytes, size_t nr)
{
	struct line_ranges ranges = {0};

	assert_int_equal(
	    line_table_decode(version, first_line, (const uint8_t *)bytes, (uint32_t)nr, &ranges),
	    -EBADMSG);
	line_ranges_deinit(&ranges);
}

static void test_damaged_tables_are_refused(void **state)
{
	(void)state;
	check_bad(0x030c0100, 1, TABLE("\x00"));     /* no first byte of an entry */
	check_bad(0x030c0100, 1, TABLE("\xd9\x0b")); /* cut */
	check_bad(0x030c0100, 1, TABLE("\xe8\x7f\x7f\x7f\x7f\x7f\x7f")); /* endless number */
	check_bad(0x030c0100, INT32_MAX, TABLE("\xd9\x0b\x0c"));	 /* line beyond 32 bits */
	check_bad(0x03090000, INT32_MAX, TABLE("\x02\x01"));
	check_bad(0x030a0000, INT32_MIN, TABLE("\x02\x01"));
}

static void test_versions(void **state)
{
	struct line_ranges ranges = {0};

	(void)state;
	assert_true(line_table_is_known(0x02071200));
	assert_true(line_table_is_known(0x030f0200));
	assert_false(line_table_is_known(0x03100000));
	assert_false(line_table_is_known(0x03050000));
	assert_int_equal(line_table_decode(0x04000000, 1, NULL, 0, &ranges), -EOPNOTSUPP);
	assert_int_equal(line_table_byte_offset(0x02071200, 9), 9);
	assert_int_equal(line_table_byte_offset(0x03060000, 9), 18);
	assert_int_equal(line_table_byte_offset(0x030d0000, -1), -2);
}

/* Every short string is either decoded or refused; the sanitizers watch. */
static void test_any_bytes(void **state)
{
	static const uint32_t versions[] = {0x02071200, 0x03090000, 0x030a0000, 0x030d0000};
	uint32_t random = 1;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct line_ranges ranges = {0};
		uint8_t bytes[16];

		for (size_t i = 0; i < sizeof(bytes); i++) {
			random = random * 1664525 + 1013904223;
			bytes[i] = (uint8_t)(random >> 24);
		}
		assert_true(line_table_decode(versions[round % 4], 1, bytes, bytes[0] % 17,
					      &ranges) != -ENOMEM);
		line_ranges_deinit(&ranges);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_lnotab_line_delta_is_unsigned_in_27),
	    cmocka_unit_test(test_lnotab_line_delta_is_signed_from_36),
	    cmocka_unit_test(test_lnotab_jumps_take_several_pairs),
	    cmocka_unit_test(test_310_no_line_keeps_the_running_line),
	    cmocka_unit_test(test_310_empty_pairs_only_move_the_line),
	    cmocka_unit_test(test_311_entries),
	    cmocka_unit_test(test_311_ends_with_the_table),
	    cmocka_unit_test(test_damaged_tables_are_refused),
	    cmocka_unit_test(test_versions),
	    cmocka_unit_test(test_any_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
