/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "report/handoff.h"

enum { ITEMS_NR = 20000 };

static int items[ITEMS_NR];

static void *put_all(void *context)
{
	struct handoff *handoff = context;
	uintptr_t put_nr = 0;

	while (put_nr < ITEMS_NR && handoff_put(handoff, &items[put_nr]))
		put_nr++;
	handoff_close(handoff);
	return (void *)put_nr;
}

static void test_order(void **state)
{
	struct handoff handoff;
	pthread_t thread;
	void *put_nr;
	int *item;
	int taken_nr = 0;

	(void)state;
	handoff_init(&handoff);
	assert_int_equal(pthread_create(&thread, NULL, put_all, &handoff), 0);
	while ((item = handoff_take(&handoff)) != NULL)
		assert_ptr_equal(item, &items[taken_nr++]);
	assert_int_equal(taken_nr, ITEMS_NR);
	pthread_join(thread, &put_nr);
	assert_int_equal((uintptr_t)put_nr, ITEMS_NR);
	handoff_deinit(&handoff);
}

/* The taker goes away: the putter, who waits for room, is told. */
static void test_taker_ends(void **state)
{
	struct handoff handoff;
	pthread_t thread;
	void *put_nr;

	(void)state;
	handoff_init(&handoff);
	assert_int_equal(pthread_create(&thread, NULL, put_all, &handoff), 0);
	for (int i = 0; i < 100; i++)
		assert_ptr_equal(handoff_take(&handoff), &items[i]);
	handoff_close(&handoff);
	pthread_join(thread, &put_nr);
	assert_in_range((uintptr_t)put_nr, 100, 100 + HANDOFF_SLOTS_NR);
	for (uintptr_t i = 100; i < (uintptr_t)put_nr; i++)
		assert_ptr_equal(handoff_take(&handoff), &items[i]);
	assert_null(handoff_take(&handoff));
	assert_false(handoff_put(&handoff, &items[0]));
	handoff_deinit(&handoff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_order),
	    cmocka_unit_test(test_taker_ends),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
