/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include "report/code_table.h"

/* Two lines of 3.12: 1 unit on the first one, 8 on the next. */
#define LINES "\x80\x00\xdf\x04\x09"

static struct payload_code make_code(uint32_t code_id)
{
	return (struct payload_code){.code_id = code_id,
				     .version_hex = 0x030c0100,
				     .first_line = 7,
				     .name = "get",
				     .name_nr = 3,
				     .qualname = "Handler.get",
				     .qualname_nr = 11,
				     .file = "/srv/app\n.py",
				     .file_nr = 12,
				     .lines = (const uint8_t *)LINES,
				     .lines_nr = sizeof(LINES) - 1,
				     .lines_total = sizeof(LINES) - 1};
}

static int line_of(struct code_table *table, uint32_t code_id, int32_t lasti)
{
	struct line_position position = {.line = -77};
	int ret = code_position(code_table_find(table, code_id), lasti, &position);

	return ret ? ret : position.line;
}

static void test_names(void **state)
{
	struct code_table table = {0};
	struct payload_code code = make_code(5);

	(void)state;
	assert_int_equal(code_table_add(&table, &code), 0);
	assert_null(code_table_find(&table, 4));
	assert_string_equal(code_table_find(&table, 5)->symbol, "Handler.get");
	assert_string_equal(code_table_find(&table, 5)->file, "/srv/app\\x0a.py");

	code.code_id = 6;
	code.flags = CODE_QUALNAME_MISSING | CODE_FILE_MISSING;
	assert_int_equal(code_table_add(&table, &code), 0);
	assert_string_equal(code_table_find(&table, 6)->symbol, "get");
	assert_null(code_table_find(&table, 6)->file);

	code.code_id = 7;
	code.flags = CODE_QUALNAME_MISSING | CODE_NAME_MISSING;
	assert_int_equal(code_table_add(&table, &code), 0);
	assert_null(code_table_find(&table, 7)->symbol);

	/* The first one with an id counts. */
	code = make_code(7);
	assert_int_equal(code_table_add(&table, &code), 0);
	assert_null(code_table_find(&table, 7)->symbol);
	code_table_deinit(&table);
}

static void test_lines(void **state)
{
	struct code_table table = {0};
	struct payload_code code = make_code(5);

	(void)state;
	assert_int_equal(code_table_add(&table, &code), 0);
	assert_int_equal(line_of(&table, 5, 0), 7);
	assert_int_equal(line_of(&table, 5, 1), 8);
	assert_int_equal(line_of(&table, 5, 8), 8);
	assert_int_equal(line_of(&table, 5, 9), -ENOENT);
	assert_int_equal(line_of(&table, 5, -1), 7);
	code_table_deinit(&table);
}

static void test_no_lines_rather_than_wrong_ones(void **state)
{
	struct code_table table = {0};
	struct payload_code code = make_code(1);

	(void)state;
	code.flags = CODE_LINES_MISSING;
	assert_int_equal(code_table_add(&table, &code), 0);
	assert_int_equal(line_of(&table, 1, 0), -ENOENT);

	code = make_code(2);
	code.lines_total = 100; /* the rest never came */
	assert_int_equal(code_table_add(&table, &code), 0);
	assert_int_equal(line_of(&table, 2, 0), -ENOENT);

	code = make_code(3);
	code.version_hex = 0x03990000;
	assert_int_equal(code_table_add(&table, &code), 0);
	assert_int_equal(line_of(&table, 3, 0), -ENOENT);

	code = make_code(5);
	code.first_line = LINE_NONE; /* of a damaged file */
	assert_int_equal(code_table_add(&table, &code), 0);
	assert_int_equal(line_of(&table, 5, -1), -ENOENT);

	code = make_code(4);
	code.lines = (const uint8_t *)"\x80\x00\xdf\x04\x09\x00";
	code.lines_nr = code.lines_total = 6; /* damaged at its end: the beginning may be too */
	assert_int_equal(code_table_add(&table, &code), 0);
	assert_int_equal(line_of(&table, 4, 0), -ENOENT);
	code_table_deinit(&table);
}

static void test_long_tables_come_in_pieces(void **state)
{
	struct code_table table = {0};
	struct payload_code code = make_code(5);
	struct payload_code_lines rest = {
	    .code_id = 5, .offset = 2, .bytes = (const uint8_t *)LINES + 2, .nr = 3};

	(void)state;
	code.lines_nr = 2;
	assert_int_equal(code_table_add(&table, &code), 0);
	rest.code_id = 6;
	assert_int_equal(code_table_add_lines(&table, &rest), -ENOENT);
	rest.code_id = 5;
	rest.offset = 3;
	assert_int_equal(code_table_add_lines(&table, &rest), -EBADMSG);
	rest.offset = 2;
	rest.nr = 4;
	assert_int_equal(code_table_add_lines(&table, &rest), -EBADMSG);
	rest.nr = 3;
	assert_int_equal(code_table_add_lines(&table, &rest), 0);
	assert_int_equal(line_of(&table, 5, 3), 8);
	assert_int_equal(code_table_add_lines(&table, &rest), -EBADMSG);
	code_table_deinit(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_lines),
	    cmocka_unit_test(test_no_lines_rather_than_wrong_ones),
	    cmocka_unit_test(test_long_tables_come_in_pieces),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
