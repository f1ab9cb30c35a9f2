/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the report calls an asyncio task. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "report/async_table.h"

static void add(struct async_table *table, uint32_t id, const char *name, uint32_t flags)
{
	const struct payload_async_task payload = {
	    .id = id, .flags = flags, .name = name, .name_nr = (uint32_t)strlen(name)};

	assert_int_equal(async_table_add(table, &payload), 0);
}

static const char *name_of(struct async_table *table, enum py_async_kind kind, uint64_t value)
{
	const struct py_async_task task = {.kind = kind, .value = value};
	const char *name = "";

	assert_int_equal(async_table_name(table, &task, &name), 0);
	return name;
}

static void test_names(void **state)
{
	struct async_table table = {0};

	(void)state;
	add(&table, 7, "worker", 0);
	add(&table, UINT32_MAX, "bad\033\n", 0);
	add(&table, 8, "long", ASYNC_TASK_NAME_CUT);
	add(&table, 7, "again", 0); /* the first one with an id counts */
	add(&table, 9, "worker", 0);
	assert_null(name_of(&table, PY_ASYNC_NONE, 7));
	assert_string_equal(name_of(&table, PY_ASYNC_NAMED, 7), "worker");
	assert_string_equal(name_of(&table, PY_ASYNC_NAMED, UINT32_MAX), "bad\\x1b\\x0a");
	assert_string_equal(name_of(&table, PY_ASYNC_NAMED, 8), "long…");
	assert_string_equal(name_of(&table, PY_ASYNC_NUMBERED, 7), "Task-7");
	assert_string_equal(name_of(&table, PY_ASYNC_NUMBERED, UINT64_MAX),
			    "Task-18446744073709551615");
	assert_string_equal(name_of(&table, PY_ASYNC_UNREADABLE, 7), "[unknown]");
	/* the same pointer for the same name: groups are told apart by it */
	assert_ptr_equal(name_of(&table, PY_ASYNC_NAMED, 7), name_of(&table, PY_ASYNC_NAMED, 9));
	assert_ptr_equal(name_of(&table, PY_ASYNC_NUMBERED, 7),
			 name_of(&table, PY_ASYNC_NUMBERED, 7));
	async_table_deinit(&table);
}

/* Ids that the file does not tell, or that are no ids. */
static void test_missing(void **state)
{
	struct async_table table = {0};

	(void)state;
	assert_string_equal(name_of(&table, PY_ASYNC_NAMED, 0), "[unknown]");
	add(&table, 0, "first", 0);
	assert_string_equal(name_of(&table, PY_ASYNC_NAMED, 1), "[unknown]");
	assert_string_equal(name_of(&table, PY_ASYNC_NAMED, UINT64_C(1) << 32), "[unknown]");
	assert_string_equal(name_of(&table, PY_ASYNC_NAMED, 0), "first");
	async_table_deinit(&table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_names),
	    cmocka_unit_test(test_missing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
