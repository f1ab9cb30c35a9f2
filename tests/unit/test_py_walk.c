/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Steps of the walk over made memory, for what no interpreter at hand does: the copies of bytecode
 * of free-threaded 3.14 and newer (Include/internal/pycore_code.h, struct _PyCodeArray), musl's
 * tables. Whole walks over real processes: tests/hostbpf.
 */
#include <errno.h>
#include <linux/types.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/vec.h"
#include "record/layouts.h"
#include "tests/unit/debug_offsets.h"

static uint32_t reads_nr;

/* Made memory is this process's own; page 0 cannot be read. */
static long read_user(void *to, __u32 nr, __u64 from)
{
	reads_nr++;
	if (from < 4096)
		return -EFAULT;
	memcpy(to, (const void *)(uintptr_t)from, nr);
	return 0;
}

#define walk_inline static inline __attribute__((unused))
#include "bpf/py_walk.h"
#include "bpf/py_code.h"

enum { OWNER_THREAD = 0, OWNER_INTERPRETER = 3, FRAMES_MAX = 8, UNITS = 32 };

/* struct _PyCodeArray */
struct code_array {
	uint64_t size;
	const uint16_t *entries[3];
};

/* A code object whose first copy is within it. */
struct code {
	uint8_t bytes[232 + UNITS * 2 + 8] __attribute__((aligned(16)));
	struct code_array copies;
	uint16_t second[UNITS];
	uint16_t third[UNITS];
};

struct thread {
	struct python_layout layout;
	uint8_t tstate[256] __attribute__((aligned(8)));
	uint8_t frames[FRAMES_MAX][96] __attribute__((aligned(8)));
	uint32_t frames_nr;
	struct pyrec_frame *walked;
	struct walk walk;
};

static uint64_t address_of(const void *at)
{
	return (uint64_t)(uintptr_t)at;
}

static void put(uint8_t *object, size_t at, uint64_t value, size_t nr)
{
	memcpy(object + at, &value, nr);
}

static void code_init(struct code *code)
{
	memset(code, 0, sizeof(*code));
	code->copies.size = array_size(code->copies.entries);
	code->copies.entries[0] = (const uint16_t *)(code->bytes + 232);
	code->copies.entries[1] = code->second;
	code->copies.entries[2] = code->third;
	put(code->bytes, 224, address_of(&code->copies), 8);
}

static void thread_init(struct thread *thread)
{
	uint8_t offsets[DEBUG_OFFSETS_3_14_BYTES];

	memset(thread, 0, sizeof(*thread));
	debug_offsets_3_14t(offsets, 0x030e0af0);
	assert_int_equal(python_layout_find(0x030e0af0, offsets, sizeof(offsets), &thread->layout),
			 0);
	thread->walked = calloc(PYREC_FRAMES_MAX, sizeof(*thread->walked));
	assert_non_null(thread->walked);
}

/* The next frame, leaf first: unit @unit of copy @index, at @instr. A tag of 1 as 3.14t has it. */
static void thread_add(struct thread *thread, const struct code *code, uint32_t index,
		       const uint16_t *instr, uint8_t owner)
{
	uint8_t *frame = thread->frames[thread->frames_nr++];

	put(frame, 0, code ? address_of(code->bytes) | 1 : 1, 8);
	put(frame, 56, address_of(instr), 8);
	put(frame, 72, index, 4);
	put(frame, 78, owner, 1);
	if (thread->frames_nr > 1)
		put(frame - sizeof(thread->frames[0]), 8, address_of(frame), 8);
}

static void thread_walk(struct thread *thread)
{
	const __u64 attached = address_of(thread->tstate); /* the thread-local variable */
	const struct thread_place place = {.fs = address_of(&attached)};
	const struct pyrec_process process = {
	    .flags = PYREC_PROCESS_NO_GIL,
	    .tls_kind = PYREC_TLS_STATIC,
	    .runtime_bytes = UINT64_MAX, /* the interpreter is the main one */
	};
	const __u64 regs[PYREC_REGS_MAX] = {0};
	__u32 flags = 0;

	put(thread->tstate, 72, address_of(thread->frames[0]), 8);
	walk_begin(&thread->walk, &thread->layout.walk, &process, &place, regs, 0, &flags);
	reads_nr = 0;
	for (int i = 0; i < FRAMES_MAX; i++)
		if (walk_step(&thread->walk, &thread->layout.walk, &process, thread->walked))
			break;
}

/*
 * 3.11, 3.12: a leaf at unit @unit, the generator that is said to have called it, in @frame_state,
 * and the bottom. Return: enum pyrec_walk_status.
 */
static uint32_t walk_over_generator(uint32_t version_hex, int unit, int8_t frame_state)
{
	enum { LEAF, GENERATOR, BOTTOM, OWNED_BY_GENERATOR = 1 };
	struct thread thread = {0};
	struct code code;
	uint64_t cframes[2][3] = {{0}};
	const struct pyrec_layout *layout = &thread.layout.walk;
	const __u64 attached = address_of(thread.tstate);
	const struct thread_place place = {.fs = address_of(&attached)};
	const struct pyrec_process process = {.tls_kind = PYREC_TLS_STATIC,
					      .flags = PYREC_PROCESS_NO_GIL,
					      .runtime_bytes = UINT64_MAX};
	const __u64 regs[PYREC_REGS_MAX] = {0};
	const uint64_t instrs = address_of(code.bytes);
	__u32 flags = 0;
	uint32_t nr;

	code_init(&code);
	assert_int_equal(python_layout_find(version_hex, NULL, 0, &thread.layout), 0);
	thread.walked = calloc(PYREC_FRAMES_MAX, sizeof(*thread.walked));
	assert_non_null(thread.walked);
	for (int i = LEAF; i <= BOTTOM; i++) {
		uint8_t *frame = thread.frames[i];

		put(frame, layout->frame_code, instrs, 8);
		put(frame, layout->frame_instr,
		    instrs + layout->code_instrs + (uint64_t)(int64_t)(2 * (i == LEAF ? unit : 5)),
		    8);
		put(frame, layout->frame_previous,
		    i == BOTTOM ? 0 : address_of(thread.frames[i + 1]), 8);
	}
	put(thread.frames[GENERATOR], layout->frame_kind, OWNED_BY_GENERATOR, 1);
	put(thread.frames[BOTTOM], layout->frame_owner, layout->entry_value, 1);
	put(thread.frames[GENERATOR] - layout->generator_state, 0, (uint8_t)frame_state, 1);
	memcpy((uint8_t *)cframes[0] + layout->cframe_frame, &(uint64_t){address_of(thread.frames)},
	       8);
	memcpy((uint8_t *)cframes[0] + layout->cframe_previous, &(uint64_t){address_of(cframes[1])},
	       8);
	put(thread.tstate, layout->tstate_frame, address_of(cframes[0]), 8);
	walk_begin(&thread.walk, layout, &process, &place, regs, 0, &flags);
	for (int i = 0; i < FRAMES_MAX; i++)
		if (walk_step(&thread.walk, layout, &process, thread.walked))
			break;
	nr = thread.walk.nr;
	assert_int_equal(nr,
			 thread.walk.status == PYREC_WALK_TORN ? 1 : layout->entry_is_frame + 3);
	free(thread.walked);
	return thread.walk.status;
}

/* A new frame that still has the link of another one that was at its place. */
static void test_ended_generator_calls_nothing(void **state)
{
	static const uint32_t versions[] = {0x030b02f0, 0x030c01f0};
	enum { SUSPENDED = -1, EXECUTING = 0, COMPLETED = 1, CLEARED = 4 };

	(void)state;
	for (size_t i = 0; i < array_size(versions); i++) {
		for (int unit = -1; unit <= 3; unit++) {
			const uint32_t other = unit <= 0 ? PYREC_WALK_TORN : PYREC_WALK_COMPLETE;

			assert_int_equal(walk_over_generator(versions[i], unit, EXECUTING),
					 PYREC_WALK_COMPLETE);
			assert_int_equal(walk_over_generator(versions[i], unit, SUSPENDED), other);
			assert_int_equal(walk_over_generator(versions[i], unit, COMPLETED), other);
			assert_int_equal(walk_over_generator(versions[i], unit, CLEARED), other);
		}
	}
}

static void test_copies(void **state)
{
	struct thread thread;
	struct code code, other;

	(void)state;
	code_init(&code);
	code_init(&other);
	thread_init(&thread);
	thread_add(&thread, &code, 1, code.second + 7, OWNER_THREAD);
	thread_add(&thread, &code, 1, code.second + 3, OWNER_THREAD); /* no further read */
	thread_add(&thread, &code, 2, code.third + 5, OWNER_THREAD);
	thread_add(&thread, &other, 0, other.copies.entries[0] + 9, OWNER_THREAD);
	thread_add(&thread, &other, 1, other.second + 11, OWNER_THREAD);
	thread_add(&thread, NULL, 0, NULL, OWNER_INTERPRETER);
	thread_walk(&thread);
	assert_int_equal(thread.walk.status, PYREC_WALK_COMPLETE);
	assert_int_equal(thread.walk.nr, 6);
	assert_int_equal(thread.walked[0].instr, 7);
	assert_int_equal(thread.walked[1].instr, 3);
	assert_int_equal(thread.walked[2].instr, 5);
	assert_int_equal(thread.walked[3].instr, 9);
	assert_int_equal(thread.walked[4].instr, 11);
	assert_int_equal(thread.walked[5].instr, PYREC_INSTR_ENTRY);
	assert_true(thread.walked[0].address == address_of(code.bytes)); /* without its tag */
	/* One of each frame, two of each other copy: (code, 1), (code, 2), (other, 1). */
	assert_int_equal(reads_nr, 6 + 3 * 2);
	free(thread.walked);
}

/* An index without a copy, or copies that cannot be read: no frame is made up. */
static void test_missing_copies(void **state)
{
	for (int is_unreadable = 0; is_unreadable < 2; is_unreadable++) {
		struct thread thread;
		struct code code;

		code_init(&code);
		code.copies.entries[1] = NULL;
		if (is_unreadable)
			put(code.bytes, 224, 0, 8);
		thread_init(&thread);
		thread_add(&thread, &code, 1, code.second + 7, OWNER_THREAD);
		thread_add(&thread, NULL, 0, NULL, OWNER_INTERPRETER);
		thread_walk(&thread);
		assert_int_equal(thread.walk.status, PYREC_WALK_TORN);
		assert_int_equal(thread.walk.nr, 0);
		free(thread.walked);
	}
	(void)state;
}

/* struct pthread of musl 1.2.3: dtv at 8, a pointer to the specific data at 0x80. */
static void test_musl(void **state)
{
	uint64_t specific[128] = {[3] = 0x1111, [127] = 0x2222};
	uint64_t block[2] = {0};
	uint64_t dtv[3] = {2, 0, address_of(block)}; /* two modules */
	uint64_t module = 2;
	uint64_t self[32] = {[1] = address_of(dtv), [16] = address_of(specific)};
	struct thread_place place = {.fs = address_of(self)};
	struct pyrec_process process = {.tls_module_address = address_of(&module),
					.musl_specific = 0x80};

	(void)state;
	assert_int_equal(thread_musl_specific(&place, 3, 0x80), 0x1111);
	assert_int_equal(thread_musl_specific(&place, 127, 0x80), 0x2222);
	assert_int_equal(thread_musl_specific(&place, 128, 0x80), 0);
	assert_true(thread_dynamic_tls(&process, &place) == address_of(block));
	module = 3;
	assert_int_equal(thread_dynamic_tls(&process, &place), 0);
	self[16] = 0;
	assert_int_equal(thread_musl_specific(&place, 3, 0x80), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_ended_generator_calls_nothing),
	    cmocka_unit_test(test_copies),
	    cmocka_unit_test(test_missing_copies),
	    cmocka_unit_test(test_musl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
