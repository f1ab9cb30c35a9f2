/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "common/id_index.h"
#include "common/intern.h"

static void test_equal_bytes_are_one(void **state)
{
	struct intern intern = {0};
	uint32_t first, second, third;

	(void)state;
	assert_int_equal(intern_bytes(&intern, "a\0b", 3, &first), 0);
	assert_int_equal(intern_bytes(&intern, "a", 1, &second), 0);
	assert_int_equal(intern_bytes(&intern, "a\0b", 3, &third), 0);
	assert_int_equal(first, 0);
	assert_int_equal(second, 1);
	assert_int_equal(third, 0);
	assert_memory_equal(intern.items[0].text, "a\0b", 4);
	assert_false(intern_find(&intern, "b", 1, &first));
	assert_true(intern_find(&intern, "a", 1, &first));
	assert_int_equal(first, 1);
	intern_deinit(&intern);
}

static void test_empty(void **state)
{
	struct intern intern = {0};
	uint32_t id = 7;

	(void)state;
	assert_false(intern_find(&intern, NULL, 0, &id));
	assert_int_equal(intern_bytes(&intern, NULL, 0, &id), 0);
	assert_int_equal(id, 0);
	assert_string_equal(intern_text(&intern, ""), "");
	assert_int_equal(intern.nr, 1);
	intern_deinit(&intern);
}

static void test_texts_stay_where_they_are(void **state)
{
	struct intern intern = {0};
	const char *texts[5000];
	static char longer[100000];
	char text[16];

	(void)state;
	for (int i = 0; i < 5000; i++) {
		snprintf(text, sizeof(text), "%d", i);
		texts[i] = intern_text(&intern, text);
	}
	memset(longer, 'x', sizeof(longer) - 1);
	assert_string_equal(intern_text(&intern, longer), longer);
	for (int i = 0; i < 5000; i++) {
		snprintf(text, sizeof(text), "%d", i);
		assert_string_equal(texts[i], text);
		assert_ptr_equal(texts[i], intern_text(&intern, text));
	}
	assert_int_equal(intern.nr, 5001);
	intern_deinit(&intern);
}

/* Items of one hash are all proposed. */
static void test_index_collisions(void **state)
{
	struct id_index index = {0};
	uint32_t seen = 0;

	(void)state;
	assert_null(id_index_first(&index, 3));
	for (uint32_t id = 0; id < 20; id++)
		assert_int_equal(id_index_insert(&index, 0xffffffff, id), 0);
	for (const struct id_slot *slot = id_index_first(&index, 0xffffffff); slot;
	     slot = id_index_next(&index, slot))
		seen |= UINT32_C(1) << slot->id;
	assert_int_equal(seen, (1 << 20) - 1);
	id_index_deinit(&index);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_equal_bytes_are_one),
	    cmocka_unit_test(test_empty),
	    cmocka_unit_test(test_texts_stay_where_they_are),
	    cmocka_unit_test(test_index_collisions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
