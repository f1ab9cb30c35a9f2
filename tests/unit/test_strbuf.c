/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/strbuf.h"

static void test_text(void **state)
{
	auto_strbuf struct strbuf buf = {0};

	(void)state;
	assert_string_equal(strbuf_text(&buf), "");
	strbuf_append_text(&buf, "one");
	strbuf_append_char(&buf, ' ');
	strbuf_append_format(&buf, "%d %s", 2, "three");
	assert_string_equal(strbuf_text(&buf), "one 2 three");
	assert_int_equal(buf.nr, 11);
	assert_int_equal(buf.error, 0);
}

static void test_numbers(void **state)
{
	static const uint8_t expected[] = {0x01, 0x02, 0x01, 0x04, 0x03, 0x02, 0x01, 0x08,
					   0x07, 0x06, 0x05, 0x04, 0x03, 0x02, 0x01};
	auto_strbuf struct strbuf buf = {0};

	(void)state;
	strbuf_append_u8(&buf, 1);
	strbuf_append_u16(&buf, 0x0102);
	strbuf_append_u32(&buf, 0x01020304);
	strbuf_append_u64(&buf, UINT64_C(0x0102030405060708));
	assert_int_equal(buf.nr, sizeof(expected));
	assert_memory_equal(buf.bytes, expected, sizeof(expected));
}

static void test_align_counts_from_the_start(void **state)
{
	auto_strbuf struct strbuf buf = {0};

	(void)state;
	strbuf_align(&buf, 8);
	assert_int_equal(buf.nr, 0);
	strbuf_append_text(&buf, "abc");
	strbuf_align(&buf, 8);
	assert_int_equal(buf.nr, 8);
	assert_memory_equal(buf.bytes, "abc\0\0\0\0\0", 8);
	strbuf_align(&buf, 8);
	assert_int_equal(buf.nr, 8);
}

static void test_string_and_zeros(void **state)
{
	auto_strbuf struct strbuf buf = {0};

	(void)state;
	strbuf_append_string(&buf, "xyz", 2);
	strbuf_append_zeros(&buf, 3);
	assert_int_equal(buf.nr, 9);
	assert_memory_equal(buf.bytes, "\2\0\0\0xy\0\0\0", 9);
}

static void test_truncate(void **state)
{
	auto_strbuf struct strbuf buf = {0};

	(void)state;
	strbuf_truncate(&buf, 0);
	strbuf_append_text(&buf, "abcdef");
	strbuf_truncate(&buf, 9);
	assert_string_equal(strbuf_text(&buf), "abcdef");
	strbuf_truncate(&buf, 2);
	assert_string_equal(strbuf_text(&buf), "ab");
}

static void test_no_memory_is_kept(void **state)
{
	auto_strbuf struct strbuf buf = {0};

	(void)state;
	strbuf_append_text(&buf, "ab");
	assert_int_equal(strbuf_reserve(&buf, SIZE_MAX / 2), -ENOMEM);
	strbuf_append_text(&buf, "cd");
	strbuf_append_zeros(&buf, SIZE_MAX);
	assert_int_equal(buf.error, -ENOMEM);
	assert_string_equal(strbuf_text(&buf), "ab");
	strbuf_reset(&buf);
	strbuf_append_text(&buf, "ef");
	assert_string_equal(strbuf_text(&buf), "ef");
	assert_int_equal(buf.error, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_text),
	    cmocka_unit_test(test_numbers),
	    cmocka_unit_test(test_align_counts_from_the_start),
	    cmocka_unit_test(test_string_and_zeros),
	    cmocka_unit_test(test_truncate),
	    cmocka_unit_test(test_no_memory_is_kept),
	};

	return cmocka_run_group_tests_name("strbuf", tests, NULL, NULL);
}
