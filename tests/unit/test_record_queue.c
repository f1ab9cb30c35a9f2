/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

#include <linux/perf_event.h>

#include <cmocka.h>

#include "format/record_block.h"
#include "report/record_queue.h"

static struct record_pool pool;

/* Each record in a block of its own. */
static void push(struct record_queue *queue, uint64_t time_ns, uint16_t mark)
{
	struct record_block *block = record_pool_take(&pool);
	struct perf_event_header *header;

	assert_non_null(block);
	header = (void *)block->bytes;
	*header = (struct perf_event_header){.size = sizeof(*header), .misc = mark};
	assert_int_equal(record_queue_push(queue, &(struct queued_record){.time_ns = time_ns,
									  .header = header,
									  .block = block}),
			 0);
	record_block_put(block);
}

/* Take what may leave and compare the marks, which end with 0. */
static void check_out(struct record_queue *queue, const uint16_t *marks)
{
	struct queued_record item;

	while (record_queue_pop(queue, &item)) {
		assert_int_equal(item.header->misc, *marks);
		marks++;
		record_block_put(item.block);
	}
	assert_int_equal(*marks, 0);
}

#define OUT(...) check_out(&queue, (const uint16_t[]){__VA_ARGS__, 0})

static void test_rounds(void **state)
{
	struct record_queue queue;

	(void)state;
	record_queue_init(&queue, 64 * sizeof(struct record_block));
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
	record_queue_init(&queue, 64 * sizeof(struct record_block));
	for (uint16_t mark = 1; mark <= 6; mark++)
		push(&queue, mark == 4 ? 6 : 7, mark);
	record_queue_end(&queue);
	OUT(4, 1, 2, 3, 5, 6);
	record_queue_deinit(&queue);
}

/* Any order, taken out now and then: none is lost, and none comes before an older one that is
 * there. */
static void test_any_order(void **state)
{
	struct record_queue queue;
	struct queued_record item, last = {0};
	unsigned int seed = 7;
	size_t out_nr = 0;

	(void)state;
	record_queue_init(&queue, 2000 * sizeof(struct record_block));
	for (int round = 0; round < 50; round++) {
		for (uint64_t i = 0; i < 40; i++) {
			uint64_t jitter = (uint64_t)rand_r(&seed) % (round % 3 ? 59 : 2);

			push(&queue, (uint64_t)round * 100 + 1 + i + jitter, 1);
		}
		record_queue_end_round(&queue);
		for (; record_queue_pop(&queue, &item); out_nr++) {
			assert_true(item.time_ns > last.time_ns || (item.time_ns == last.time_ns &&
								    item.sequence > last.sequence));
			last = item;
			record_block_put(item.block);
		}
		assert_true(round == 0 || out_nr >= (size_t)round * 40);
	}
	record_queue_end(&queue);
	for (; record_queue_pop(&queue, &item); out_nr++) {
		assert_true(item.time_ns >= last.time_ns);
		last = item;
		record_block_put(item.block);
	}
	assert_int_equal(out_nr, 50 * 40);
	record_queue_deinit(&queue);
}

static void test_memory_is_bounded(void **state)
{
	struct record_queue queue;
	struct queued_record item;
	uint64_t last_ns = 0;

	(void)state;
	record_queue_init(&queue, 16 * sizeof(struct record_block));
	for (uint64_t i = 1; i <= 10000; i++) {
		push(&queue, (i ^ 3) + 1, 1);
		while (record_queue_pop(&queue, &item)) {
			assert_true(item.time_ns > last_ns);
			last_ns = item.time_ns;
			record_block_put(item.block);
		}
		assert_true(queue.bytes <= 16 * sizeof(struct record_block));
	}
	record_queue_deinit(&queue);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_rounds),
	    cmocka_unit_test(test_equal_times_keep_their_order),
	    cmocka_unit_test(test_any_order),
	    cmocka_unit_test(test_memory_is_bounded),
	};

	int failed_nr;

	record_pool_init(&pool);
	failed_nr = cmocka_run_group_tests(tests, NULL, NULL);
	record_pool_deinit(&pool);
	return failed_nr;
}
