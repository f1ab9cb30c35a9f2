/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/escape.h"

static void check(const char *text, size_t nr, const char *expected)
{
	auto_strbuf struct strbuf buf = {0};
	char printed[256] = "";
	FILE *out = fmemopen(printed, sizeof(printed), "w");

	escape_append(&buf, text, nr);
	assert_string_equal(strbuf_text(&buf), expected);
	assert_non_null(out);
	escape_print(out, text, nr);
	fclose(out);
	assert_string_equal(printed, expected);
}

#define CHECK(text, expected) check(text, sizeof(text) - 1, expected)

static void test_plain(void **state)
{
	(void)state;
	CHECK("", "");
	CHECK("/usr/lib/a b.so", "/usr/lib/a b.so");
	CHECK("dev\\x2dsda", "dev\\x2dsda");
	CHECK("gr\xc3\xbc\xc3\x9f \xe6\xbc\xa2 \xf0\x9f\x90\x8d",
	      "gr\xc3\xbc\xc3\x9f \xe6\xbc\xa2 \xf0\x9f\x90\x8d");
}

static void test_controls(void **state)
{
	(void)state;
	CHECK("a\nb\tc\0d", "a\\x0ab\\x09c\\x00d");
	CHECK("\033[31m\177", "\\x1b[31m\\x7f");
	CHECK("\xc2\x9b"
	      "31m",
	      "\\u{9b}31m"); /* the C1 form of the escape sequence */
}

static void test_marks_that_hide_or_reorder(void **state)
{
	(void)state;
	CHECK("\xe2\x80\xae"
	      "gpj.exe",
	      "\\u{202e}gpj.exe");
	CHECK("a\xe2\x80\x8b"
	      "b",
	      "a\\u{200b}b");
	CHECK("\xef\xbb\xbf", "\\u{feff}");
	CHECK("\xf3\xa0\x81\x81", "\\u{e0041}");
}

static void test_invalid_utf8(void **state)
{
	(void)state;
	CHECK("\xff\xfe", "\\xff\\xfe");
	CHECK("\x9b"
	      "31m",
	      "\\x9b31m");
	CHECK("\xc3", "\\xc3");
	CHECK("\xc0\x9b", "\\xc0\\x9b");		   /* overlong */
	CHECK("\xe0\x82\x9b", "\\xe0\\x82\\x9b");	   /* overlong */
	CHECK("\xed\xa0\x80", "\\xed\\xa0\\x80");	   /* surrogate */
	CHECK("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"); /* beyond Unicode */
	CHECK("\xe6\xbc"
	      "a",
	      "\\xe6\\xbc"
	      "a");
}

static void test_columns(void **state)
{
	(void)state;
	assert_int_equal(escape_columns(""), 0);
	assert_int_equal(escape_columns("gr\xc3\xbc\xc3\x9f"), 4);
}

/* Whatever comes in, no byte below space goes out. */
static void test_every_pair_of_bytes(void **state)
{
	auto_strbuf struct strbuf buf = {0};

	(void)state;
	for (unsigned int pair = 0; pair < 0x10000; pair++) {
		const char text[2] = {(char)(pair >> 8), (char)pair};

		strbuf_reset(&buf);
		escape_append(&buf, text, sizeof(text));
		for (size_t i = 0; i < buf.nr; i++)
			assert_true((uint8_t)buf.bytes[i] >= ' ' && buf.bytes[i] != 0x7f);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_plain),
	    cmocka_unit_test(test_controls),
	    cmocka_unit_test(test_marks_that_hide_or_reorder),
	    cmocka_unit_test(test_invalid_utf8),
	    cmocka_unit_test(test_columns),
	    cmocka_unit_test(test_every_pair_of_bytes),
	};

	return cmocka_run_group_tests_name("escape", tests, NULL, NULL);
}
