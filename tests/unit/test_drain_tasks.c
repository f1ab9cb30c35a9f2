/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* asyncio's tasks: which one a sample says it ran for, and its name, told once. */
#include "record/async_names.h"
#include "tests/unit/drain_bench.h"

static void task_drain(struct bench *bench, uint16_t kind, const void *name, uint32_t nr,
		       uint16_t unit)
{
	struct event event = {.head = sample_head(), .task_name = name};

	event.head.task_kind = kind;
	event.head.task_bytes = nr;
	event.head.task_unit = unit;
	event.head.task_number = 4711;
	assert_int_equal(event_drain(bench, &event), 0);
}

static void task_check(const struct bench *bench, size_t at, enum py_async_kind kind,
		       uint64_t value)
{
	const struct record_sample *sample = &bench->recording.records.items[at].record.sample;
	struct py_stack stack;

	assert_int_equal(bench->recording.records.items[at].record.type, PERF_RECORD_SAMPLE);
	assert_int_equal(py_stack_decode(sample->raw, sample->raw_bytes, &stack), 0);
	assert_int_equal(stack.task.kind, kind);
	assert_true(stack.task.value == value);
}

static void name_check(const struct bench *bench, size_t at, uint32_t id, const char *name)
{
	const struct payload *payload = &bench->recording.records.items[at].payload;

	assert_int_equal(payload->kind, PAYLOAD_ASYNC_TASK);
	assert_int_equal(payload->async_task.id, id);
	assert_int_equal(payload->async_task.name_nr, strlen(name));
	assert_memory_equal(payload->async_task.name, name, strlen(name));
}

/* A name is written once, before the first sample that bears it; the same text is the same name,
 * however it lies in memory. */
static void test_tasks(void **state)
{
	static const uint16_t wide[] = {'a', 0x3c9};
	static const uint16_t narrow[] = {'a', 'b'};
	struct bench bench;

	(void)state;
	bench_begin(&bench);
	task_drain(&bench, PYREC_ASYNC_NAMED, "ab", 2, 1);
	task_drain(&bench, PYREC_ASYNC_NAMED, wide, sizeof(wide), 2);
	task_drain(&bench, PYREC_ASYNC_NAMED, narrow, sizeof(narrow), 2);
	task_drain(&bench, PYREC_ASYNC_NUMBERED, NULL, 0, 1);
	task_drain(&bench, PYREC_ASYNC_UNREADABLE, NULL, 0, 1);
	task_drain(&bench, PYREC_ASYNC_NONE, NULL, 0, 1);
	task_drain(&bench, PYREC_ASYNC_NAMED, "", 0, 1);
	assert_int_equal(recording_read(&bench.recording), 10);
	name_check(&bench, 0, 0, "ab");
	task_check(&bench, 1, PY_ASYNC_NAMED, 0);
	name_check(&bench, 2, 1, "aω");
	task_check(&bench, 3, PY_ASYNC_NAMED, 1);
	task_check(&bench, 4, PY_ASYNC_NAMED, 0);
	task_check(&bench, 5, PY_ASYNC_NUMBERED, 4711);
	task_check(&bench, 6, PY_ASYNC_UNREADABLE, 0);
	task_check(&bench, 7, PY_ASYNC_NONE, 0);
	name_check(&bench, 8, 2, "");
	task_check(&bench, 9, PY_ASYNC_NAMED, 2);
	bench_end(&bench);
}

/* Of a name that is cut only the beginning is known: another one than that very text. */
static void test_cut_task(void **state)
{
	struct event event = {.head = sample_head(), .task_name = "ab"};
	struct bench bench;

	(void)state;
	bench_begin(&bench);
	task_drain(&bench, PYREC_ASYNC_NAMED, "ab", 2, 1);
	event.head.task_kind = PYREC_ASYNC_NAMED;
	event.head.task_bytes = 2;
	event.head.task_unit = 1;
	event.head.flags = PYREC_SAMPLE_ASYNC_CUT;
	assert_int_equal(event_drain(&bench, &event), 0);
	assert_int_equal(recording_read(&bench.recording), 4);
	name_check(&bench, 2, 1, "ab");
	assert_int_equal(bench.recording.records.items[2].payload.async_task.flags,
			 ASYNC_TASK_NAME_CUT);
	task_check(&bench, 3, PY_ASYNC_NAMED, 1);
	bench_end(&bench);
}

/* More names than are kept: ids go on, none is given twice. */
static void test_many_tasks(void **state)
{
	struct async_names names = {0};
	struct bench bench;
	uint32_t id;

	(void)state;
	bench_begin(&bench);
	for (uint32_t i = 0; i < 2 * ASYNC_NAMES_MAX + 5; i++) {
		assert_int_equal(async_names_get(&names, &bench.recording.output,
						 (const uint8_t *)&i, sizeof(i), 1, false, &id),
				 0);
		assert_int_equal(id, i);
		assert_true(names.texts.nr <= ASYNC_NAMES_MAX);
	}
	async_names_deinit(&names);
	bench_end(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_tasks),
	    cmocka_unit_test(test_cut_task),
	    cmocka_unit_test(test_many_tasks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
