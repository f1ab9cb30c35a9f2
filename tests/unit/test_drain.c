/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Samples and code objects of BPF, as they come to the file. */
#include <errno.h>

#include "tests/unit/drain_bench.h"

static void code_drain(struct bench *bench, uint64_t address, uint32_t fingerprint,
		       const char *name)
{
	struct {
		struct pyrec_code head;
		char text[64];
	} event = {.head = {.kind = PYREC_EVENT_CODE,
			    .process = {.tgid = PID, .start_boottime_ns = 5, .exec_id = 1},
			    .address = address,
			    .fingerprint = fingerprint,
			    .first_line = 7,
			    .qualname = {.bytes = (uint32_t)strlen(name), .unit = 1}}};

	memcpy(event.text, name, strlen(name));
	assert_int_equal(drain_on_event(bench->drain, &event, sizeof(event.head) + strlen(name)),
			 0);
}

/* ---- One sample ---- */

static const uint64_t kernel_stack[] = {UINT64_C(0xffffffff81001000), UINT64_C(0xffffffff81002000),
					UINT64_C(0xffffffff81001000)};
static const uint8_t user_stack[64] = "the live part of the user stack";

static const struct pyrec_frame python_stack[] = {
    {.address = 0x1000, .instr = 12, .fingerprint = 77},
    {.address = SP + 0x230, .instr = PYREC_INSTR_ENTRY},
    {.address = 0x3000, .instr = -1, .fingerprint = 81}, /* never told */
    {.address = 0x1000, .instr = 90, .fingerprint = 77},
    {.address = 0x2000, .instr = 0x3ffffff, .fingerprint = 79},
    {.address = SP + 0x800, .instr = PYREC_INSTR_ENTRY},
};

static struct event event_make(void)
{
	struct event event = {.head = sample_head(),
			      .frames = python_stack,
			      .kernel = kernel_stack,
			      .stack = user_stack};

	event.head.ip = kernel_stack[0];
	event.head.frames_nr = array_size(python_stack);
	event.head.kernel_nr = array_size(kernel_stack);
	event.head.stack_bytes = sizeof(user_stack);
	return event;
}

static void frames_check(const struct record_sample *sample)
{
	static const struct py_frame wanted[] = {
	    {0, 12}, {PY_FRAME_ENTRY, 0x230}, {PY_FRAME_UNREADABLE, -1},
	    {0, 90}, {1, 0x3ffffff},	      {PY_FRAME_ENTRY, 0x800},
	};
	struct py_stack stack;

	assert_int_equal(py_stack_decode(sample->raw, sample->raw_bytes, &stack), 0);
	assert_int_equal(stack.status, PY_STACK_TORN);
	assert_int_equal(stack.frames_total, array_size(wanted));
	assert_int_equal(stack.frames_nr, array_size(wanted));
	for (uint32_t i = 0; i < array_size(wanted); i++) {
		const struct py_frame frame = py_stack_frame(&stack, i);

		assert_int_equal(frame.code_id, wanted[i].code_id);
		assert_int_equal(frame.value, wanted[i].value);
	}
}

static void sample_check(const struct record *record, const struct event *event)
{
	const struct record_sample *sample = &record->sample;

	assert_int_equal(record->type, PERF_RECORD_SAMPLE);
	assert_int_equal(record->misc & PERF_RECORD_MISC_CPUMODE_MASK, PERF_RECORD_MISC_KERNEL);
	assert_int_equal(sample->id, PERF_WRITER_EVENT_ID);
	assert_true(sample->ip == kernel_stack[0]);
	assert_int_equal(sample->pid, PID);
	assert_int_equal(sample->tid, TID);
	assert_int_equal(sample->time_ns, 123456789);
	assert_int_equal(sample->cpu, 3);
	assert_int_equal(sample->period, 1001);
	assert_int_equal(sample->callchain_nr, 1 + array_size(kernel_stack));
	assert_true(sample->callchain[0] == (uint64_t)PERF_CONTEXT_KERNEL);
	assert_memory_equal(sample->callchain + 1, kernel_stack, sizeof(kernel_stack));
	assert_int_equal(sample->regs_abi, PERF_SAMPLE_REGS_ABI_64);
	assert_memory_equal(sample->regs, event->head.regs, sizeof(event->head.regs));
	assert_int_equal(sample->stack_bytes, sizeof(user_stack));
	assert_memory_equal(sample->stack, user_stack, sizeof(user_stack));
}

static void test_sample(void **state)
{
	struct event event = event_make();
	const struct address_set *hits;
	struct drain_counts counts;
	struct bench bench;

	(void)state;
	event.head.status = PYREC_WALK_TORN;
	bench_begin(&bench);
	code_drain(&bench, 0x1000, 77, "leaf");
	code_drain(&bench, 0x2000, 79, "root");
	assert_int_equal(event_drain(&bench, &event), 0);
	counts = drain_get_counts(bench.drain);
	assert_int_equal(counts.samples_nr, 1);
	assert_int_equal(counts.status_counts[PY_STACK_TORN], 1);
	assert_int_equal(counts.unreadable_frames_nr, 1);
	assert_int_equal(counts.damaged_nr, 0);
	hits = drain_kernel_addresses(bench.drain);
	assert_int_equal(hits->nr, 2);
	assert_int_equal(recording_read(&bench.recording), 3);
	assert_memory_equal(bench.recording.records.items[0].payload.code.qualname, "leaf", 4);
	assert_int_equal(bench.recording.records.items[1].payload.code.code_id, 1);
	sample_check(&bench.recording.records.items[2].record, &event);
	frames_check(&bench.recording.records.items[2].record.sample);
	bench_end(&bench);
}

/* Without a stack to unwind perf's readers still get the user ip. */
static void test_no_user_stack(void **state)
{
	struct event event = {.head = sample_head()};
	const struct record *record;
	struct bench bench;

	(void)state;
	event.head.status = PYREC_WALK_NOT_WALKED;
	bench_begin(&bench);
	assert_int_equal(event_drain(&bench, &event), 0);
	event.head.regs[REG_IP] = event.head.regs[REG_SP] = 0; /* a kernel thread's */
	assert_int_equal(event_drain(&bench, &event), 0);
	assert_int_equal(recording_read(&bench.recording), 2);
	record = &bench.recording.records.items[0].record;
	assert_int_equal(record->misc & PERF_RECORD_MISC_CPUMODE_MASK, PERF_RECORD_MISC_USER);
	assert_int_equal(record->sample.callchain_nr, 2);
	assert_true(record->sample.callchain[0] == (uint64_t)PERF_CONTEXT_USER);
	assert_int_equal(record->sample.callchain[1], 0x401234);
	assert_int_equal(record->sample.stack_bytes, 0);
	record = &bench.recording.records.items[1].record;
	assert_int_equal(record->sample.callchain_nr, 0);
	assert_int_equal(record->sample.regs_abi, PERF_SAMPLE_REGS_ABI_NONE);
	bench_end(&bench);
}

static void test_flags(void **state)
{
	static const uint32_t rows[][2] = {
	    {0, 0},
	    {PYREC_SAMPLE_STACK_CUT, PY_STACK_USER_STACK_CUT},
	    {PYREC_SAMPLE_STACK_FAULTED, PY_STACK_USER_STACK_FAULTED},
	    {PYREC_SAMPLE_KERNEL_CUT, PY_STACK_KERNEL_STACK_CUT},
	    {PYREC_SAMPLE_GIL_KNOWN, PY_STACK_GIL_KNOWN},
	    {PYREC_SAMPLE_HOLDS_GIL, PY_STACK_HOLDS_GIL},
	    {0xffffffff, 0x1f},
	};
	struct bench bench;

	(void)state;
	bench_begin(&bench);
	for (size_t i = 0; i < array_size(rows); i++) {
		struct event event = {.head = sample_head()};

		event.head.flags = rows[i][0];
		assert_int_equal(event_drain(&bench, &event), 0);
	}
	assert_int_equal(recording_read(&bench.recording), array_size(rows));
	for (size_t i = 0; i < array_size(rows); i++) {
		const struct record_sample *sample =
		    &bench.recording.records.items[i].record.sample;
		struct py_stack stack;

		assert_int_equal(py_stack_decode(sample->raw, sample->raw_bytes, &stack), 0);
		assert_int_equal(stack.flags, rows[i][1]);
	}
	bench_end(&bench);
}

static void test_anchors(void **state)
{
	static const struct {
		uint64_t anchor;
		int32_t value;
	} rows[] = {
	    {SP, 0},
	    {SP + 8, 8},
	    {SP - 16, -16}, /* 3.11: a _PyCFrame in the red zone of a leaf */
	    {SP + 0x7fffffff, 0x7fffffff},
	    {SP - 0x7fffffff, -0x7fffffff},
	    {SP + 0x80000000, PY_ANCHOR_ELSEWHERE},
	    {SP - 0x80000000, PY_ANCHOR_ELSEWHERE},
	    {0x7f1200003000, PY_ANCHOR_ELSEWHERE}, /* a heap frame, or another thread's stack */
	    {0, PY_ANCHOR_ELSEWHERE},
	    {UINT64_MAX, PY_ANCHOR_ELSEWHERE},
	};
	struct pyrec_frame frames[array_size(rows)];
	struct event event = {.head = sample_head(), .frames = frames};
	const struct record_sample *sample;
	struct bench bench;
	struct py_stack stack;

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++)
		frames[i] = (struct pyrec_frame){.address = rows[i].anchor,
						 .instr = PYREC_INSTR_ENTRY};
	event.head.frames_nr = array_size(rows);
	bench_begin(&bench);
	assert_int_equal(event_drain(&bench, &event), 0);
	assert_int_equal(recording_read(&bench.recording), 1);
	sample = &bench.recording.records.items[0].record.sample;
	assert_int_equal(py_stack_decode(sample->raw, sample->raw_bytes, &stack), 0);
	for (uint32_t i = 0; i < array_size(rows); i++) {
		assert_int_equal(py_stack_frame(&stack, i).code_id, PY_FRAME_ENTRY);
		assert_int_equal(py_stack_frame(&stack, i).value, rows[i].value);
	}
	bench_end(&bench);
}

/* ---- What one record cannot hold ---- */

/* Frame @i of a deep stack, as the file must have it. */
static int32_t deep_value(uint32_t i)
{
	return (int32_t)(i * 3 + 1);
}

/* Put together the stack of the sample that is the last record. Return: frames. */
static uint32_t stack_join(const struct recording *recording, int32_t *values)
{
	const size_t last = recording->records.nr - 1;
	const struct record_sample *sample = &recording->records.items[last].record.sample;
	struct py_stack stack;
	uint32_t nr;

	assert_int_equal(recording->records.items[last].record.type, PERF_RECORD_SAMPLE);
	assert_int_equal(py_stack_decode(sample->raw, sample->raw_bytes, &stack), 0);
	for (nr = 0; nr < stack.frames_nr; nr++)
		values[nr] = py_stack_frame(&stack, nr).value;
	for (size_t i = 0; i < last; i++) {
		const struct payload *payload = &recording->records.items[i].payload;
		const struct py_stack part = {.frames = payload->frames.frames,
					      .frames_nr = payload->frames.frames_nr};

		assert_int_equal(payload->kind, PAYLOAD_FRAMES);
		assert_int_equal(payload->frames.pid, sample->pid);
		assert_int_equal(payload->frames.tid, sample->tid);
		assert_int_equal(payload->frames.time_ns, sample->time_ns);
		assert_int_equal(payload->frames.first, nr); /* in order, nothing between */
		for (uint32_t at = 0; at < part.frames_nr; at++)
			values[nr++] = py_stack_frame(&part, at).value;
	}
	assert_int_equal(stack.frames_total, nr);
	return nr;
}

static void sample_of_size(uint32_t frames_nr, uint32_t kernel_nr, uint32_t stack_bytes)
{
	static struct pyrec_frame frames[PYREC_FRAMES_MAX];
	static uint64_t kernel[PYREC_KERNEL_FRAMES_MAX];
	static uint8_t stack[PYREC_STACK_CAP_MAX];
	static int32_t values[PYREC_FRAMES_MAX];
	struct event event = {
	    .head = sample_head(), .frames = frames, .kernel = kernel, .stack = stack};
	const struct record_sample *sample;
	struct bench bench;

	for (uint32_t i = 0; i < PYREC_FRAMES_MAX; i++)
		frames[i] = (struct pyrec_frame){.address = 0x1000, .instr = deep_value(i)};
	for (uint32_t i = 0; i < PYREC_KERNEL_FRAMES_MAX; i++)
		kernel[i] = UINT64_C(0xffffffff81000000) + i;
	for (uint32_t i = 0; i < PYREC_STACK_CAP_MAX; i++)
		stack[i] = (uint8_t)(i * 11 ^ i >> 8);
	event.head.frames_nr = frames_nr;
	event.head.kernel_nr = kernel_nr;
	event.head.stack_bytes = stack_bytes;
	bench_begin(&bench);
	assert_int_equal(event_drain(&bench, &event), 0);
	assert_int_equal(bench.recording.output.dropped_nr, 0);
	assert_true(recording_read(&bench.recording) >= 1);
	assert_int_equal(stack_join(&bench.recording, values), frames_nr);
	for (uint32_t i = 0; i < frames_nr; i++)
		assert_int_equal(values[i], deep_value(i));
	sample = &bench.recording.records.items[bench.recording.records.nr - 1].record.sample;
	assert_int_equal(sample->stack_bytes, stack_bytes);
	if (stack_bytes)
		assert_memory_equal(sample->stack, stack, stack_bytes);
	bench_end(&bench);
}

static void test_sizes(void **state)
{
	static const uint32_t frames_nrs[] = {0, 1, 340, 346, 480, 500, 4000, PYREC_FRAMES_MAX};
	static const uint32_t stacks[] = {0, 8, 30000, PYREC_STACK_CAP_MAX};

	(void)state;
	for (size_t i = 0; i < array_size(frames_nrs); i++)
		for (size_t j = 0; j < array_size(stacks); j++) {
			sample_of_size(frames_nrs[i], 0, stacks[j]);
			sample_of_size(frames_nrs[i], PYREC_KERNEL_FRAMES_MAX, stacks[j]);
		}
}

/* ---- Damage ---- */

static void event_is_damaged(struct bench *bench, const void *event, size_t nr)
{
	const uint64_t before = drain_get_counts(bench->drain).damaged_nr;

	assert_int_equal(drain_on_event(bench->drain, event, nr), 0);
	assert_int_equal(drain_get_counts(bench->drain).damaged_nr, before + 1);
}

static void test_short(void **state)
{
	const struct event event = event_make();
	struct bench bench;
	size_t nr;
	auto_free void *bytes = event_bytes(&event, &nr);

	(void)state;
	bench_begin(&bench);
	for (size_t part_nr = 0; part_nr < nr; part_nr++) {
		auto_free void *part = malloc(part_nr ? part_nr : 1);

		memcpy(part, bytes, part_nr);
		event_is_damaged(&bench, part, part_nr);
	}
	assert_int_equal(drain_get_counts(bench.drain).samples_nr, 0);
	/* The next sound one is written. */
	assert_int_equal(drain_on_event(bench.drain, bytes, nr), 0);
	assert_int_equal(recording_read(&bench.recording), 1);
	bench_end(&bench);
}

static void test_contradictions(void **state)
{
	enum { ROOM = 4096 };
	const struct pyrec_sample sound = sample_head();
	auto_free struct pyrec_sample *event = calloc(1, sizeof(*event) + ROOM);
	const size_t nr = sizeof(*event) + ROOM;
	struct bench bench;

	(void)state;
	bench_begin(&bench);
	*event = sound;
	event->frames_nr = PYREC_FRAMES_MAX + 1;
	event_is_damaged(&bench, event, nr);
	event->frames_nr = UINT32_MAX;
	event_is_damaged(&bench, event, nr);
	*event = sound;
	event->kernel_nr = PYREC_KERNEL_FRAMES_MAX + 1;
	event_is_damaged(&bench, event, nr);
	*event = sound;
	event->stack_bytes = PYREC_STACK_CAP_MAX + 8;
	event_is_damaged(&bench, event, nr);
	event->stack_bytes = ROOM + 1;
	event_is_damaged(&bench, event, nr);
	*event = sound;
	event->status = PYREC_WALK_NOT_WALKED + 1;
	event_is_damaged(&bench, event, nr);
	*event = sound;
	for (uint32_t kind = 3; kind; kind <<= 1) {
		event->kind = kind;
		event_is_damaged(&bench, event, nr);
	}
	event->kind = 0;
	event_is_damaged(&bench, event, nr);
	assert_int_equal(recording_read(&bench.recording), 0);
	bench_end(&bench);
}

static void test_damaged_code(void **state)
{
	struct pyrec_code event = {.kind = PYREC_EVENT_CODE, .address = 0x1000, .fingerprint = 77};
	struct bench bench;

	(void)state;
	bench_begin(&bench);
	for (size_t nr = sizeof(event.kind); nr < sizeof(event); nr++) {
		auto_free void *part = malloc(nr);

		memcpy(part, &event, nr);
		event_is_damaged(&bench, part, nr);
	}
	event.layout = 1; /* no such one */
	event_is_damaged(&bench, &event, sizeof(event));
	event.layout = 0;
	event.file = (struct pyrec_text){.bytes = 1, .unit = 1};
	event_is_damaged(&bench, &event, sizeof(event));
	assert_int_equal(recording_read(&bench.recording), 0);
	bench_end(&bench);
}

/* The output's error is handed on, and stops the drain; nothing is counted as written. */
static void test_output_error(void **state)
{
	const struct event event = event_make();
	struct bench bench;

	(void)state;
	bench_begin(&bench);
	bench.recording.output.error = -ENOSPC;
	assert_int_equal(event_drain(&bench, &event), -ENOSPC);
	assert_int_equal(drain_get_counts(bench.drain).samples_nr, 0);
	assert_int_equal(bench.recording.output.dropped_nr, 1);
	bench_end(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_sample),	   cmocka_unit_test(test_no_user_stack),
	    cmocka_unit_test(test_flags),	   cmocka_unit_test(test_anchors),
	    cmocka_unit_test(test_sizes),	   cmocka_unit_test(test_short),
	    cmocka_unit_test(test_contradictions), cmocka_unit_test(test_damaged_code),
	    cmocka_unit_test(test_output_error),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
