/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the walk believes of an asyncio task, on memory made by hand: objects as 3.14 has them, and
 * whatever else may stand in their places. Real ones: tests/e2e/test_async_tasks.py.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <linux/types.h>

#include "bpf/pyrec_bpf.h"

enum {
	BASE = 0x10000,
	TASK = 0x10000, /* addresses in the memory below */
	NAME = 0x10200,
	STR_TYPE = 0x10400,
	INT_TYPE = 0x10600,
	OTHER_TYPE = 0x10800,
	MEMORY_BYTES = 0x1000,
};

static uint8_t memory[MEMORY_BYTES];

static long read_user(void *to, __u32 nr, __u64 from)
{
	if (from < BASE || from - BASE > MEMORY_BYTES || nr > MEMORY_BYTES - (from - BASE))
		return -EFAULT;
	memcpy(to, memory + (from - BASE), nr);
	return 0;
}

#include "bpf/py_walk.h"
#include "bpf/py_code.h"
#include "bpf/async_walk.h"

static const struct pyrec_layout layout = {
    .object_type = 8,
    .type_flags = 168,
    .long_tag = 16,
    .long_digits = 24,
    .unicode_length = 16,
    .unicode_state = 32,
    .unicode_ascii = 40,
    .unicode_compact = 56,
};
static const struct pyrec_process process = {
    .tstate_task = 872, .task_state = 104, .task_name = 136};

static void put(uint64_t address, uint64_t value)
{
	memcpy(memory + (address - BASE), &value, sizeof(value));
}

/* str.__flags__, int.__flags__ of 3.14; list.__flags__. */
static void memory_init(void)
{
	memset(memory, 0, sizeof(memory));
	put(STR_TYPE + 168, 0x10401502);
	put(INT_TYPE + 168, 0x1401502);
	put(OTHER_TYPE + 168, 0x2405522);
	put(TASK + 104, UINT64_C(0x8000100000000)); /* pending, a task, bits behind */
	put(TASK + 136, NAME);
	put(NAME + 8, STR_TYPE);
	put(NAME + 16, 5);
	put(NAME + 32, 1 << 2 | 1 << 5 | 1 << 6); /* of 1 byte, compact, ASCII */
}

static struct walk_async_name find(uint64_t task)
{
	struct walk_async_name name;
	struct walk *walk = calloc(1, sizeof(*walk));

	assert_non_null(walk);
	walk->task = task;
	walk_async_find(walk, &layout, &process, &name);
	free(walk);
	return name;
}

static void test_texts(void **state)
{
	struct walk_async_name name;

	(void)state;
	memory_init();
	assert_int_equal(find(0).kind, PYREC_ASYNC_NONE);
	name = find(TASK);
	assert_int_equal(name.kind, PYREC_ASYNC_NAMED);
	assert_true(name.address == NAME + 40 && name.bytes == 5 && name.unit == 1);
	put(NAME + 32, 1 << 2 | 1 << 5); /* Latin-1 */
	name = find(TASK);
	assert_true(name.address == NAME + 56 && name.bytes == 5 && name.unit == 1);
	put(NAME + 32, 4 << 2 | 1 << 5);
	name = find(TASK);
	assert_true(name.address == NAME + 56 && name.bytes == 20 && name.unit == 4);
	put(NAME + 16, 0);
	assert_int_equal(find(TASK).kind, PYREC_ASYNC_NAMED); /* the empty name */
	put(NAME + 16, 5);
	put(NAME + 32, 1 << 2); /* not compact */
	assert_int_equal(find(TASK).kind, PYREC_ASYNC_UNREADABLE);
	put(NAME + 32, 3 << 2 | 1 << 5);
	assert_int_equal(find(TASK).kind, PYREC_ASYNC_UNREADABLE);
}

static void test_numbers(void **state)
{
	(void)state;
	memory_init();
	put(NAME + 8, INT_TYPE);
	put(NAME + 16, 1 << 3);
	put(NAME + 24,
	    UINT64_C(0xdeadbeef) << 32 | 0x2fffffff); /* the second digit is not its own */
	assert_int_equal(find(TASK).kind, PYREC_ASYNC_NUMBERED);
	assert_true(find(TASK).number == 0x2fffffff);
	put(NAME + 16, 2 << 3);
	put(NAME + 24, UINT64_C(3) << 32 | 1);
	assert_true(find(TASK).number == (UINT64_C(3) << 30 | 1));
	put(NAME + 16, 1 << 3 | 1 << 2); /* an immortal one, as small ints are */
	put(NAME + 24, 7);
	assert_true(find(TASK).number == 7);
	put(NAME + 16, 1 << 3 | 2); /* negative */
	assert_int_equal(find(TASK).kind, PYREC_ASYNC_UNREADABLE);
	put(NAME + 16, 3 << 3); /* larger than any counter */
	assert_int_equal(find(TASK).kind, PYREC_ASYNC_UNREADABLE);
	put(NAME + 16, 1); /* zero: tasks count from 1 */
	assert_int_equal(find(TASK).kind, PYREC_ASYNC_UNREADABLE);
}

static void check_unreadable(uint64_t address, uint64_t value)
{
	memory_init();
	put(address, value);
	assert_int_equal(find(TASK).kind, PYREC_ASYNC_UNREADABLE);
}

static void test_other_objects(void **state)
{
	(void)state;
	check_unreadable(TASK + 104, 0); /* a future, or nothing of the kind */
	check_unreadable(TASK + 104, UINT64_C(3) | UINT64_C(1) << 32);
	check_unreadable(TASK + 104, UINT64_C(0x201) << 32);
	check_unreadable(TASK + 104, 0x7f0012345678); /* a pointer */
	check_unreadable(TASK + 136, 0);
	check_unreadable(TASK + 136, UINT64_MAX);
	check_unreadable(NAME + 8, OTHER_TYPE);
	check_unreadable(NAME + 8, 0);
	check_unreadable(STR_TYPE + 168, 0x10400502); /* a type that is not ready */
	check_unreadable(STR_TYPE + 168, 0x11401502); /* str and int at once */
	assert_int_equal(find(UINT64_MAX - 7).kind, PYREC_ASYNC_UNREADABLE);
	assert_int_equal(find(1).kind, PYREC_ASYNC_UNREADABLE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_texts),
	    cmocka_unit_test(test_numbers),
	    cmocka_unit_test(test_other_objects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
