/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/cleanup.h"
#include "common/python_version.h"

static void test_version_format(void **state)
{
	static const struct {
		uint32_t version_hex;
		const char *text;
	} rows[] = {
	    {0x030c01f0, "3.12.1"},   {0x030d12f0, "3.13.18"},	   {0x031000a2, "3.16.0a2"},
	    {0x030d00b4, "3.13.0b4"}, {0x030d00c3, "3.13.0rc3"},   {0x020712f0, "2.7.18"},
	    {0x03090000, "3.9"},      {0xfffffff0, "255.255.255"}, {0xffffffcf, "255.255.255rc15"},
	};
	char text[PYTHON_VERSION_TEXT_BYTES];

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		python_version_format(rows[i].version_hex, text);
		assert_string_equal(text, rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_version_format)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
