/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "common/log.h"
#include "tests/unit/stderr_capture.h"

static char *log_all(enum log_level level)
{
	struct stderr_capture capture;

	stderr_capture_begin(&capture);
	log_set_level(level);
	log_error("cannot open %s: %d", "a.data", 7);
	log_warn("lost %u", 1u);
	log_info("100%% done");
	log_debug("detail");
	log_set_level(LOG_LEVEL_INFO);
	return stderr_capture_end(&capture);
}

static void test_levels(void **state)
{
	static const struct {
		enum log_level level;
		const char *text;
	} rows[] = {
	    {LOG_LEVEL_ERROR, "pyrec: cannot open a.data: 7\n"},
	    {LOG_LEVEL_WARN, "pyrec: cannot open a.data: 7\npyrec: warning: lost 1\n"},
	    {LOG_LEVEL_INFO, "pyrec: cannot open a.data: 7\npyrec: warning: lost 1\n"
			     "pyrec: 100% done\n"},
	    {LOG_LEVEL_DEBUG, "pyrec: cannot open a.data: 7\npyrec: warning: lost 1\n"
			      "pyrec: 100% done\npyrec: detail\n"},
	};

	(void)state;
	assert_int_equal(log_get_level(), LOG_LEVEL_INFO);
	for (size_t i = 0; i < array_size(rows); i++) {
		auto_free char *text = log_all(rows[i].level);

		assert_string_equal(text, rows[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_levels)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
