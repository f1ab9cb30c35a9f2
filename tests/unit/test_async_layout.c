/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The section .AsyncioDebug, as real files have it and damaged. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "record/async_layout.h"
#include "tests/unit/elf_writer.h"

enum { NUMBERS_NR = 13 };

/* Of the files of Debian's 3.14.10 (_asyncio, a library of its own) and 3.15.2 (the program). */
static const uint64_t of_3_14[NUMBERS_NR] = {0xa8,   0x88,   0x60,  0x6c,  0x6d,  0x80, 0x98,
					     225864, 0x2a80, 0x3a8, 0x360, 0x368, 0x370};
static const uint64_t of_3_15[NUMBERS_NR] = {0xa8,    0x88,   0x60,  0x6c,  0x6d,  0x80, 0x98,
					     0x373c0, 0x2a68, 0x450, 0x400, 0x408, 0x418};

static int find(const char *name, const void *bytes, size_t nr, struct async_layout *ret)
{
	struct elf_writer writer;
	struct elf_file *elf;
	int error;

	elf_writer_init(&writer, ET_DYN);
	elf_writer_section(&writer, name, SHT_PROGBITS, bytes, nr);
	elf_writer_finish(&writer, SHT_DYNSYM);
	assert_int_equal(elf_file_open_memory(writer.body.bytes, writer.body.nr, &elf), 0);
	error = async_layout_find(elf, ret);
	elf_file_close(elf);
	elf_writer_deinit(&writer);
	return error;
}

static void test_real(void **state)
{
	struct async_layout layout;

	(void)state;
	assert_int_equal(find(".AsyncioDebug", of_3_14, sizeof(of_3_14), &layout), 0);
	assert_int_equal(layout.tstate_task, 872);
	assert_int_equal(layout.task_state, 104);
	assert_int_equal(layout.task_name, 136);
	assert_int_equal(find(".AsyncioDebug", of_3_15, sizeof(of_3_15), &layout), 0);
	assert_int_equal(layout.tstate_task, 1032);
	assert_int_equal(layout.task_state, 104);
	assert_int_equal(layout.task_name, 136);
}

static void test_not_there(void **state)
{
	struct async_layout layout;

	(void)state;
	assert_int_equal(find(".Asyncio", of_3_14, sizeof(of_3_14), &layout), -ENOENT);
	assert_int_equal(find(".AsyncioDebug", of_3_14, sizeof(of_3_14) - 1, &layout), -EBADMSG);
	assert_int_equal(find(".AsyncioDebug", of_3_14, 0, &layout), -EBADMSG);
}

static int find_changed(size_t index, uint64_t value)
{
	uint64_t numbers[NUMBERS_NR];
	struct async_layout layout;

	memcpy(numbers, of_3_14, sizeof(numbers));
	numbers[index] = value;
	return find(".AsyncioDebug", numbers, sizeof(numbers), &layout);
}

/* What the walk reads must lie where it can read it, whatever the file says. */
static void test_damaged(void **state)
{
	static const uint64_t rows[][2] = {
	    {0, 8}, /* task's size */
	    {1, 0x89},
	    {1, 160},
	    {1, UINT64_MAX - 7}, /* name */
	    {3, 0x68},
	    {3, 0xac},
	    {3, UINT64_MAX - 3}, /* is_task */
	    {4, 0x6c},		 /* awaited_by_is_set */
	    {9, 0x368},
	    {9, UINT64_MAX}, /* thread state's size */
	    {11, 0},
	    {11, 0x36c},
	    {11, 0x3a8},
	    {11, UINT64_MAX - 7}, /* running task */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(find_changed((size_t)rows[i][0], rows[i][1]), -EBADMSG);
	for (size_t i = 0; i < NUMBERS_NR; i++)
		(void)!find_changed(i, UINT64_C(0x8000000000000000));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_real),
	    cmocka_unit_test(test_not_there),
	    cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
