/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <linux/perf_event.h>

#include <cmocka.h>

#include "report/record_queue.h"

static void push(struct record_queue *queue, uint64_t time_ns, uint16_t mark)
{
	struct perf_event_header header = {.size = sizeof(header), .misc = mark};

	assert_int_equal(
	    record_queue_push(queue, &(struct queued_record){.time_ns = time_ns}, &header), 0);
}

/* Take what may leave and compare the marks, which end with 0. */
static void check_out(struct record_queue *queue, const uint16_t *marks)
{
	struct queued_record item;

	while (record_queue_pop(queue, &item)) {
		assert_int_equal(item.header->misc, *marks);
		marks++;
		queued_record_release(&item);
	}
	assert_int_equal(*marks, 0);
}

#define OUT(...) check_out(&queue, (const uint16_t[]){__VA_ARGS__, 0})

static void test_rounds(void **state)
{
	struct record_queue queue;

	(void)state;
	record_queue_init(&queue, 1 << 20);
	push(&queue, 30, 3);
	push(&queue, 10, 1);
	record_queue_end_round(&queue);
	OUT(0); /* another CPU's ring may still hold older ones */
	push(&queue, 20, 2);
	push(&queue, 50, 5);
	record_queue_end_round(&queue);
	OUT(1, 2, 3);
	push(&queue, 40, 4);
	record_queue_end(&queue);
	OUT(4, 5);
	record_queue_deinit(&queue);
}

static void test_equal_times_keep_their_order(void **state)
{
	struct record_queue queue;

	(void)state;
	record_queue_init(&queue, 1 << 20);
	for (uint16_t mark = 1; mark <= 6; mark++)
		push(&queue, mark == 4 ? 6 : 7, mark);
	record_queue_end(&queue);
	OUT(4, 1, 2, 3, 5, 6);
	record_queue_deinit(&queue);
}

static void test_memory_is_bounded(void **state)
{
	struct record_queue queue;
	struct queued_record item;
	uint64_t last_ns = 0;

	(void)state;
	record_queue_init(&queue, 10000);
	for (uint64_t i = 1; i <= 100000; i++) {
		push(&queue, (i ^ 3) + 1, 1);
		while (record_queue_pop(&queue, &item)) {
			assert_true(item.time_ns > last_ns);
			last_ns = item.time_ns;
			queued_record_release(&item);
		}
		assert_true(queue.bytes <= 10000);
	}
	record_queue_deinit(&queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rounds),
	    cmocka_unit_test(test_equal_times_keep_their_order),
	    cmocka_unit_test(test_memory_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
