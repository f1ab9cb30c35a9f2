/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>

#include "tests/native/libunwind_walk.h"
#include "tests/unit/unwind_fixture.h"

static bool is_memory_out;

/* In the place of libc's: what rows grow by. */
void *reallocarray(void *items, size_t nr, size_t bytes)
{
	return is_memory_out ? NULL : realloc(items, nr * bytes);
}

static void test_plain_chain(void **state)
{
	struct fixture *fixture = *state;
	const struct native_frame *frames;

	push_code(fixture, FRAMED + 5);
	push(fixture, 1);
	push(fixture, 0xdead);	       /* [rbp] */
	push_code(fixture, START + 9); /* [rbp + 8] */
	fixture->regs[PERF_REG_X86_BP] = stack_address(2);
	run(fixture, CODE + PLAIN);
	check_stack(fixture, UNWIND_END_COMPLETE, CODE + PLAIN, CODE + FRAMED + 5,
		    CODE + START + 9);
	frames = fixture->stack.frames;
	assert_int_equal(frames[0].sp, STACK);
	assert_int_equal(frames[0].cfa, stack_address(1));
	assert_int_equal(frames[0].flags, NATIVE_FRAME_INTERRUPTED);
	assert_int_equal(native_frame_lookup_pc(&frames[0]), CODE + PLAIN);
	assert_int_equal(frames[1].sp, stack_address(1));
	assert_int_equal(frames[1].cfa, stack_address(4));
	assert_int_equal(frames[1].flags, 0);
	assert_int_equal(native_frame_lookup_pc(&frames[1]), CODE + FRAMED + 4);
	assert_ptr_equal(frames[1].mapping, address_space_find(&fixture->space, CODE));
	assert_int_equal(frames[2].sp, stack_address(4));
	assert_int_equal(frames[2].cfa, 0);
}

/* A call that never returns may be a function's last instruction. */
static void test_return_address_behind_function(void **state)
{
	struct fixture *fixture = *state;

	push_code(fixture, FRAMED); /* behind PLAIN's last byte */
	push_code(fixture, START + 9);
	run(fixture, CODE + PLAIN);
	check_stack(fixture, UNWIND_END_COMPLETE, CODE + PLAIN, CODE + FRAMED, CODE + START + 9);
}

static void test_popped_register_keeps_value(void **state)
{
	struct fixture *fixture = *state;

	push_code(fixture, FRAMED + 5);
	push(fixture, 0);
	push_code(fixture, START + 9);
	fixture->regs[PERF_REG_X86_BP] = stack_address(1);
	run(fixture, CODE + POPPED + 7);
	check_stack(fixture, UNWIND_END_COMPLETE, CODE + POPPED + 7, CODE + FRAMED + 5,
		    CODE + START + 9);
}

static void test_cut_dump_goes_on_without_register(void **state)
{
	struct fixture *fixture = *state;

	push_code(fixture, PLAIN + 5);
	push_code(fixture, START + 5);
	fixture->regs[PERF_REG_X86_BP] = 0xbad;
	run(fixture, CODE + CUT);
	check_stack(fixture, UNWIND_END_COMPLETE, CODE + CUT, CODE + PLAIN + 5, CODE + START + 5);

	fixture->words[0] = CODE + FRAMED + 5; /* needs the rbp that was cut off */
	run(fixture, CODE + CUT);
	check_stack(fixture, UNWIND_END_STACK_CUT, CODE + CUT, CODE + FRAMED + 5);
}

static void test_cut_before_return_address(void **state)
{
	struct fixture *fixture = *state;

	push_code(fixture, FRAMED + 5);
	push(fixture, 7);
	fixture->regs[PERF_REG_X86_BP] = stack_address(1);
	run(fixture, CODE + PLAIN);
	check_stack(fixture, UNWIND_END_STACK_CUT, CODE + PLAIN, CODE + FRAMED + 5);
	/* Its own part of the stack is known all the same. */
	assert_int_equal(fixture->stack.frames[1].cfa, stack_address(3));

	fixture->words_nr = 0;
	run(fixture, CODE + PLAIN);
	check_stack(fixture, UNWIND_END_STACK_CUT, CODE + PLAIN);
}

/* struct ucontext at word @at: rbx, rbp, r12 … r15, rsp, rip where Linux puts them. */
static void put_signal_frame(struct fixture *fixture, uint64_t at, uint64_t rsp, uint64_t rbp,
			     uint64_t rip)
{
	if (fixture->words_nr < at + 40)
		fixture->words_nr = at + 40;
	fixture->words[at + 120 / 8] = rbp;
	fixture->words[at + 160 / 8] = rsp;
	fixture->words[at + 168 / 8] = rip;
}

static void test_signal(void **state)
{
	struct fixture *fixture = *state;
	const struct native_frame *frames;

	push_code(fixture, TRAMPOLINE);
	/* Interrupted at its first byte: one byte less would be another function. */
	put_signal_frame(fixture, 1, stack_address(60), stack_address(62), CODE + FRAMED);
	fixture->words_nr = 60;
	push(fixture, 0);
	push(fixture, 0);
	push(fixture, 0);
	push_code(fixture, START + 9);
	run(fixture, CODE + PLAIN + 3);
	check_stack(fixture, UNWIND_END_COMPLETE, CODE + PLAIN + 3, CODE + TRAMPOLINE,
		    CODE + FRAMED, CODE + START + 9);
	frames = fixture->stack.frames;
	assert_int_equal(frames[1].flags, NATIVE_FRAME_SIGNAL);
	assert_int_equal(native_frame_lookup_pc(&frames[1]), CODE + TRAMPOLINE);
	assert_int_equal(frames[2].flags, NATIVE_FRAME_INTERRUPTED);
	assert_int_equal(native_frame_lookup_pc(&frames[2]), CODE + FRAMED);
	assert_int_equal(frames[1].cfa, stack_address(60));
	assert_int_equal(frames[2].sp, stack_address(60));
	assert_int_equal(frames[3].flags, 0);
}

static void test_trampoline_bounds(void **state)
{
	struct fixture *fixture = *state;

	/* Returned to at the very byte where its FDE begins. */
	push_code(fixture, TRAMPOLINE_2);
	put_signal_frame(fixture, 1, stack_address(60), 0, CODE + START);
	run(fixture, CODE + PLAIN + 3);
	check_stack(fixture, UNWIND_END_COMPLETE, CODE + PLAIN + 3, CODE + TRAMPOLINE_2,
		    CODE + START);
	/* Sampled inside its system call: behind the FDE's last byte. */
	put_signal_frame(fixture, 0, stack_address(60), 0, CODE + START);
	run(fixture, CODE + TRAMPOLINE_2 + 9);
	check_stack(fixture, UNWIND_END_COMPLETE, CODE + TRAMPOLINE_2 + 9, CODE + START);
	assert_true(fixture->stack.frames[0].flags & NATIVE_FRAME_SIGNAL);
}

static void test_signal_on_other_stack(void **state)
{
	struct fixture *fixture = *state;

	push_code(fixture, TRAMPOLINE);
	put_signal_frame(fixture, 1, STACK - 0x10000, 0, CODE + PLAIN + 3);
	run(fixture, CODE + PLAIN + 3);
	check_stack(fixture, UNWIND_END_BAD, CODE + PLAIN + 3, CODE + TRAMPOLINE, CODE + PLAIN + 3);
	assert_int_equal(fixture->stack.frames[1].cfa, 0);
	assert_int_equal(fixture->stack.frames[2].sp, STACK - 0x10000);
	/* Above the recorded one. */
	put_signal_frame(fixture, 1, STACK + 0x10000, 0, CODE + PLAIN + 3);
	run(fixture, CODE + PLAIN + 3);
	check_stack(fixture, UNWIND_END_STACK_CUT, CODE + PLAIN + 3, CODE + TRAMPOLINE,
		    CODE + PLAIN + 3);
}

static void test_ends_of_stack(void **state)
{
	struct fixture *fixture = *state;

	run(fixture, CODE + START); /* the very first byte */
	check_stack(fixture, UNWIND_END_COMPLETE, CODE + START);
	push(fixture, 0);
	run(fixture, CODE + PLAIN);
	check_stack(fixture, UNWIND_END_COMPLETE, CODE + PLAIN);
}

/* To a handler it jumps: at the handler nothing has returned from a call, and the stack is as it
 * was. */
static void test_exception_left(void **state)
{
	struct fixture *fixture = *state;
	const struct native_frame *handler;

	push_code(fixture, START + 9);
	fixture->regs[PERF_REG_X86_CX] = CODE + PLAIN;
	fixture->regs[PERF_REG_X86_BP] = stack_address(7);
	run(fixture, CODE + THROWER_LEFT);
	check_stack(fixture, UNWIND_END_COMPLETE, CODE + THROWER_LEFT, CODE + PLAIN,
		    CODE + START + 9);
	handler = &fixture->stack.frames[1];
	assert_int_equal(native_frame_lookup_pc(handler), CODE + PLAIN);
	assert_int_equal(handler->sp, STACK);
	assert_int_equal(handler->cfa, stack_address(1));
}

/* What it has saved may be the handler's frame's by now: then what comes of it is not shown. */
static void test_exception_overwritten(void **state)
{
	struct fixture *fixture = *state;

	push(fixture, stack_address(9));
	push_code(fixture, PLAIN + 5);
	push(fixture, 0);
	fixture->regs[PERF_REG_X86_BP] = STACK;
	run(fixture, CODE + THROWER + 1);
	check_stack(fixture, UNWIND_END_BAD, CODE + THROWER + 1);
	fixture->words[2] = CODE + START + 9;
	run(fixture, CODE + THROWER + 1);
	check_stack(fixture, UNWIND_END_COMPLETE, CODE + THROWER + 1, CODE + PLAIN + 5,
		    CODE + START + 9);
	/* The handler's address is on its way to where START's is, and is there. */
	fixture->words[2] = CODE + PLAIN + 9;
	push_code(fixture, START + 9);
	fixture->regs[PERF_REG_X86_CX] = 8;
	run(fixture, CODE + THROWER + 1);
	check_stack(fixture, UNWIND_END_BAD, CODE + THROWER + 1);
	fixture->regs[PERF_REG_X86_CX] = stack_address(2);
	run(fixture, CODE + THROWER + 1);
	check_stack(fixture, UNWIND_END_BAD, CODE + THROWER + 1);
	/* That rcx leads elsewhere, or to another function, says nothing. */
	fixture->regs[PERF_REG_X86_CX] = stack_address(1);
	run(fixture, CODE + THROWER + 1);
	check_stack(fixture, UNWIND_END_COMPLETE, CODE + THROWER + 1, CODE + PLAIN + 5,
		    CODE + PLAIN + 9, CODE + START + 9);
	fixture->regs[PERF_REG_X86_CX] = stack_address(3);
	run(fixture, CODE + THROWER + 1);
	check_stack(fixture, UNWIND_END_COMPLETE, CODE + THROWER + 1, CODE + PLAIN + 5,
		    CODE + PLAIN + 9, CODE + START + 9);
	/* A call has one return address: two callers cannot have it. */
	fixture->words[2] = CODE + PLAIN + 5;
	run(fixture, CODE + THROWER + 1);
	check_stack(fixture, UNWIND_END_BAD, CODE + THROWER + 1);
}

static void test_vdso(void **state)
{
	struct fixture *fixture = *state;

	push_code(fixture, START + 5);
	run(fixture, VDSO + PLAIN);
	check_stack(fixture, UNWIND_END_COMPLETE, VDSO + PLAIN, CODE + START + 5);
}

static void test_plt(void **state)
{
	struct fixture *fixture = *state;

	push_code(fixture, START + 5);
	run(fixture, CODE + PLT + 10);
	check_stack(fixture, UNWIND_END_COMPLETE, CODE + PLT + 10, CODE + START + 5);
	fixture->words_nr = 0;
	push(fixture, 3); /* what the stub has pushed */
	push_code(fixture, START + 5);
	run(fixture, CODE + PLT + 11);
	check_stack(fixture, UNWIND_END_COMPLETE, CODE + PLT + 11, CODE + START + 5);
}

static void test_realigned(void **state)
{
	struct fixture *fixture = *state;

	/* rbp = word 3; CFA = *(word 2) = word 6; its return address is word 5. */
	push(fixture, 0);
	push(fixture, 0xf15);
	push(fixture, stack_address(6));
	push(fixture, stack_address(7)); /* the caller's rbp */
	push(fixture, 0);
	push_code(fixture, FRAMED + 5);
	push(fixture, 0);
	push(fixture, 0);
	push_code(fixture, START + 5);
	fixture->regs[PERF_REG_X86_BP] = stack_address(3);
	run(fixture, CODE + REALIGNED + 1);
	check_stack(fixture, UNWIND_END_COMPLETE, CODE + REALIGNED + 1, CODE + FRAMED + 5,
		    CODE + START + 5);
	assert_int_equal(fixture->stack.frames[0].cfa, stack_address(6));
}

static void test_aligned_save(void **state)
{
	struct fixture *fixture = *state;
	/* CFA = word 40; (CFA - 8) & -64 = word 32; r12 at word 32 - 17 = 15. */
	fixture->words[15] = 0x1234;
	fixture->words[39] = CODE + START + 5;
	fixture->words_nr = 40;
	fixture->regs[PERF_REG_X86_BP] = stack_address(38);
	run(fixture, CODE + ALIGNED + 1);
	check_stack(fixture, UNWIND_END_COMPLETE, CODE + ALIGNED + 1, CODE + START + 5);
	assert_int_equal(fixture->stack.frames[0].cfa, stack_address(40));
}

static void test_expression(void **state)
{
	struct fixture *fixture = *state;

	push_code(fixture, EXPRESSION + 9);
	push(fixture, 0);
	push(fixture, 0);
	push_code(fixture, FRAMED + 9); /* CFA = sp + 24 */
	push(fixture, 0);
	push_code(fixture, START + 5);
	fixture->regs[PERF_REG_X86_BP] = stack_address(4);
	run(fixture, CODE + PLAIN + 1);
	check_stack(fixture, UNWIND_END_COMPLETE, CODE + PLAIN + 1, CODE + EXPRESSION + 9,
		    CODE + FRAMED + 9, CODE + START + 5);
	assert_int_equal(fixture->stack.frames[1].cfa, stack_address(4));
	assert_int_equal(fixture->stack.frames[2].cfa, stack_address(6));

	fixture->words_nr = 2; /* its return address is beyond */
	run(fixture, CODE + PLAIN + 1);
	assert_int_equal(fixture->stack.nr, 2);
	assert_int_equal(fixture->stack.end, UNWIND_END_STACK_CUT);
}

static void test_rules_that_lead_nowhere(void **state)
{
	struct fixture *fixture = *state;

	push_code(fixture, START + 5);
	run(fixture, CODE + BACKWARDS); /* no progress */
	check_stack(fixture, UNWIND_END_BAD, CODE + BACKWARDS);
	fixture->regs[PERF_REG_X86_BP] = STACK - 64; /* below rsp */
	run(fixture, CODE + FRAMED);
	check_stack(fixture, UNWIND_END_BAD, CODE + FRAMED);
	fixture->regs[PERF_REG_X86_BP] = UINT64_MAX - 4; /* wraps around */
	run(fixture, CODE + FRAMED);
	check_stack(fixture, UNWIND_END_BAD, CODE + FRAMED);
	fixture->words[0] = 0x1234; /* in no mapping */
	run(fixture, CODE + PLAIN);
	check_stack(fixture, UNWIND_END_BAD, CODE + PLAIN);
	fixture->words[0] = DATA + 0x10;
	run(fixture, CODE + PLAIN);
	check_stack(fixture, UNWIND_END_BAD, CODE + PLAIN);
	/* r10 is the leaf's, not its caller's. */
	fixture->words[0] = CODE + START + 5;
	fixture->regs[PERF_REG_X86_R10] = STACK;
	run(fixture, CODE + UNKNOWN + 1);
	check_stack(fixture, UNWIND_END_COMPLETE, CODE + UNKNOWN + 1, CODE + START + 5);
	fixture->words[0] = CODE + UNKNOWN + 5;
	run(fixture, CODE + PLAIN);
	check_stack(fixture, UNWIND_END_BAD, CODE + PLAIN, CODE + UNKNOWN + 5);
}

static void test_frame_pointer(void **state)
{
	struct fixture *fixture = *state;

	push(fixture, 0);
	push(fixture, stack_address(4));
	push_code(fixture, FRAMED + 5);
	push(fixture, 0);
	push(fixture, 0);
	push_code(fixture, START + 5);
	fixture->regs[PERF_REG_X86_BP] = stack_address(1);
	run(fixture, NO_CFI + 7);
	check_stack(fixture, UNWIND_END_COMPLETE, NO_CFI + 7, CODE + FRAMED + 5, CODE + START + 5);
	assert_int_equal(fixture->stack.frames[0].cfa, stack_address(3));
	assert_int_equal(fixture->stack.frames[1].flags, NATIVE_FRAME_GUESSED);
	assert_int_equal(fixture->stack.frames[2].flags, 0);
	run(fixture, CODE + NOTHING);
	check_stack(fixture, UNWIND_END_COMPLETE, CODE + NOTHING, CODE + FRAMED + 5,
		    CODE + START + 5);
	run(fixture, 0x1000); /* called through a bad pointer */
	check_stack(fixture, UNWIND_END_COMPLETE, 0x1000, CODE + FRAMED + 5, CODE + START + 5);
	assert_null(fixture->stack.frames[0].mapping);
}

static void test_unbelievable_frame_pointers(void **state)
{
	static const uint64_t pointers[] = {STACK - 8, STACK + 4, STACK + 0x1000, 0, UINT64_MAX};
	struct fixture *fixture = *state;

	push(fixture, stack_address(2));
	push_code(fixture, START + 5);
	for (size_t i = 0; i < array_size(pointers); i++) {
		fixture->regs[PERF_REG_X86_BP] = pointers[i];
		run(fixture, NO_CFI + 7);
		check_stack(fixture, UNWIND_END_NO_CFI, NO_CFI + 7);
	}
	fixture->regs[PERF_REG_X86_BP] = STACK;
	run(fixture, NO_CFI + 7);
	check_stack(fixture, UNWIND_END_COMPLETE, NO_CFI + 7, CODE + START + 5);
	fixture->words[1] = DATA + 5;
	run(fixture, NO_CFI + 7);
	check_stack(fixture, UNWIND_END_NO_CFI, NO_CFI + 7);
	fixture->words[1] = CODE + NOTHING + 5; /* no function there: nobody calls from it */
	run(fixture, NO_CFI + 7);
	check_stack(fixture, UNWIND_END_NO_CFI, NO_CFI + 7);
}

static void test_limit(void **state)
{
	struct fixture *fixture = *state;

	for (unsigned int i = 0; i < UNWIND_FRAMES_MAX + 100; i++)
		push_code(fixture, PLAIN + 5);
	run(fixture, CODE + PLAIN);
	assert_int_equal(fixture->stack.nr, UNWIND_FRAMES_MAX);
	assert_int_equal(fixture->stack.end, UNWIND_END_LIMIT);
}

static void test_stack_beyond_the_last_address(void **state)
{
	struct fixture *fixture = *state;

	for (unsigned int i = 0; i < 10; i++)
		push_code(fixture, PLAIN + 5);
	fixture->regs[PERF_REG_X86_SP] = UINT64_MAX - 15;
	run(fixture, CODE + PLAIN);
	check_stack(fixture, UNWIND_END_BAD, CODE + PLAIN, CODE + PLAIN + 5);
}

static void test_no_registers(void **state)
{
	struct fixture *fixture = *state;
	uint64_t packed[24];
	struct record_sample sample = sample_make(fixture, packed);

	sample.regs_abi = PERF_SAMPLE_REGS_ABI_NONE;
	sample.regs = NULL;
	assert_int_equal(
	    unwinder_run(fixture->unwinder, &fixture->space, REGS_MASK, &sample, &fixture->stack),
	    0);
	check_pcs(fixture, UNWIND_END_NO_DATA, NULL, 0);
	sample = sample_make(fixture, packed);
	sample.regs_abi = PERF_SAMPLE_REGS_ABI_32;
	assert_int_equal(
	    unwinder_run(fixture->unwinder, &fixture->space, REGS_MASK, &sample, &fixture->stack),
	    0);
	check_pcs(fixture, UNWIND_END_NO_DATA, NULL, 0);
}

static void test_sample_register(void **state)
{
	static const uint64_t regs[] = {10, 20, 30};
	const struct record_sample sample = {.regs = regs};
	const struct record_sample none = {0};
	uint64_t value;

	(void)state;
	assert_int_equal(sample_register(&sample, 0x8082, 1, &value), 0);
	assert_int_equal(value, 10);
	assert_int_equal(sample_register(&sample, 0x8082, 15, &value), 0);
	assert_int_equal(value, 30);
	assert_true(sample_register(&sample, 0x8082, 2, &value) < 0);
	assert_true(sample_register(&sample, UINT64_MAX, 64, &value) < 0);
	assert_true(sample_register(&none, 0x8082, 1, &value) < 0);
}

static uint64_t random_word(unsigned int *seed)
{
	static const uint64_t bases[] = {CODE, CODE + PLAIN, STACK, NO_CFI, VDSO, 0};
	uint64_t base = bases[(unsigned int)rand_r(seed) % array_size(bases)];

	if (rand_r(seed) % 16 == 0)
		return (uint64_t)rand_r(seed) << 33 ^ (uint64_t)rand_r(seed);
	return base + (uint64_t)rand_r(seed) % 0x1000;
}

/* Any bytes end soon, and every frame but an interrupted one lies above the one before. */
static void test_random_stacks(void **state)
{
	struct fixture *fixture = *state;
	unsigned int seed = 3;

	for (unsigned int turn = 0; turn < 3000; turn++) {
		fixture->words_nr = (uint64_t)rand_r(&seed) % 300;
		for (uint64_t i = 0; i < fixture->words_nr; i++)
			fixture->words[i] = random_word(&seed);
		for (unsigned int i = 0; i < 24; i++)
			fixture->regs[i] = random_word(&seed);
		fixture->regs[PERF_REG_X86_SP] = turn % 5 ? STACK : UINT64_MAX - turn;
		run(fixture, CODE + PLAIN + (uint64_t)rand_r(&seed) % 0x1000);
		assert_true(fixture->stack.nr >= 1);
		for (uint32_t i = 1; i < fixture->stack.nr; i++) {
			const struct native_frame *frame = &fixture->stack.frames[i];

			if (!(frame->flags & NATIVE_FRAME_INTERRUPTED))
				assert_true(frame->sp > frame[-1].sp && frame->sp == frame[-1].cfa);
		}
	}
}

/* Registers that no rule needs are not followed: they must be found all the same when one does. */
static void test_register_is_found_late(void **state)
{
	struct fixture *fixture = *state;

	push_code(fixture, SAVES + 5);
	push(fixture, stack_address(8)); /* rbx of SAVES's caller */
	push(fixture, 0);
	push_code(fixture, PLAIN + 5);
	push_code(fixture, SAVES + 9);
	push(fixture, 0); /* its caller's, which is BY_RBX's too: words[5] */
	push(fixture, 0);
	push_code(fixture, PLAIN + 9);
	push_code(fixture, BY_RBX + 5);
	push_code(fixture, START + 7); /* where SAVES's would lead */
	push_code(fixture, START + 5);
	fixture->words[5] = stack_address(9);
	fixture->regs[PERF_REG_X86_BX] = stack_address(1);
	run(fixture, CODE + PLAIN);
	check_stack(fixture, UNWIND_END_COMPLETE, CODE + PLAIN, CODE + SAVES + 5, CODE + PLAIN + 5,
		    CODE + SAVES + 9, CODE + PLAIN + 9, CODE + BY_RBX + 5, CODE + START + 5);
}

/* Write the word at @at, and all up to it that is not written yet. */
static void put_word(struct fixture *fixture, uint64_t at, uint64_t word)
{
	while (fixture->words_nr <= at)
		push(fixture, 0);
	fixture->words[at] = word;
}

/* Frames of all kinds that need no more than rsp, rbp and rbx, which lead where they should. */
static void grow_stack(struct fixture *fixture, unsigned int *seed)
{
	uint64_t *rbp = &fixture->regs[PERF_REG_X86_BP]; /* where the next caller's is from */
	uint64_t *rbx = NULL;				 /* NULL: used up */
	uint64_t at = 0;				 /* of the next return address */

	fixture->words_nr = 0;
	while (at < 200) {
		const uint64_t gap = (uint64_t)rand_r(seed) % 4;
		const unsigned int choice = (unsigned int)rand_r(seed) % 8;

		if (choice == 0) {
			put_word(fixture, at, CODE + FRAMED + 5);
			*rbp = stack_address(at + 1 + gap);
			put_word(fixture, at + 1 + gap, 0);
			rbp = &fixture->words[at + 1 + gap];
			at += 2 + gap;
		} else if (choice == 1 && rbx) {
			put_word(fixture, at, CODE + BY_RBX + 5);
			*rbx = stack_address(at + gap);
			rbx = NULL;
			at += 1 + gap;
		} else if (choice <= 3) {
			put_word(fixture, at, CODE + SAVES + 5);
			put_word(fixture, at + 2, 0);
			rbx = &fixture->words[at + 1];
			rbp = &fixture->words[at + 2];
			at += 3;
		} else if (choice == 4) {
			put_word(fixture, at, CODE + EXPRESSION + 5);
			at += 3;
		} else {
			put_word(fixture, at, CODE + PLAIN + 5);
			at += 1;
		}
	}
	put_word(fixture, at, CODE + START + 5);
}

/* Mostly to the next instruction of the same function. */
static void change_word(struct fixture *fixture, unsigned int *seed)
{
	uint64_t *word = &fixture->words[(uint64_t)rand_r(seed) % fixture->words_nr];

	if (*word >= CODE && *word < CODE + CODE_MAX)
		*word ^= 1;
	else if (rand_r(seed) % 4 == 0)
		*word = rand_r(seed) % 2 ? random_word(seed)
					 : stack_address((uint64_t)rand_r(seed) % 220);
}

/* What is shared with the thread's last stack is what would be found without it. */
static void check_against_fresh(struct fixture *fixture, struct unwinder *fresh)
{
	const struct native_stack found = fixture->stack;

	uint64_t packed[24];
	struct record_sample sample = sample_make(fixture, packed);
	struct native_stack expected;

	assert_int_equal(unwinder_run(fresh, &fixture->space, REGS_MASK, &sample, &expected), 0);
	assert_int_equal(found.end, expected.end);
	assert_int_equal(found.nr, expected.nr);
	for (uint32_t i = 0; i < found.nr; i++) {
		assert_int_equal(found.frames[i].pc, expected.frames[i].pc);
		assert_int_equal(found.frames[i].sp, expected.frames[i].sp);
		assert_int_equal(found.frames[i].cfa, expected.frames[i].cfa);
		assert_int_equal(found.frames[i].flags, expected.frames[i].flags);
		assert_ptr_equal(found.frames[i].mapping, expected.frames[i].mapping);
	}
}

static void test_stacks_like_the_last_one(void **state)
{
	struct fixture *fixture = *state;
	unsigned int seed = 5;
	uint64_t frames_nr = 0;

	for (unsigned int turn = 0; turn < 20000; turn++) {
		struct unwinder *fresh;
		uint64_t all_nr;

		if (turn % 20 == 0)
			grow_stack(fixture, &seed);
		for (unsigned int i = (unsigned int)rand_r(&seed) % 4; i > 0; i--)
			change_word(fixture, &seed);
		all_nr = fixture->words_nr;
		if (turn % 7 == 0)
			fixture->words_nr = (uint64_t)rand_r(&seed) % (all_nr + 1);
		assert_int_equal(unwinder_create(&fresh), 0);
		run(fixture, CODE + PLAIN + (uint64_t)rand_r(&seed) % 2);
		check_against_fresh(fixture, fresh);
		frames_nr += fixture->stack.nr;
		fixture->words_nr = all_nr;
		unwinder_destroy(fresh);
	}
	assert_true(frames_nr > UINT64_C(20000) * 20);
}

/* The same words where other code is mapped since. */
static void test_last_stack_of_other_code(void **state)
{
	struct fixture *fixture = *state;

	push_code(fixture, PLAIN + 5);
	push_code(fixture, PLAIN + 6);
	push_code(fixture, START + 5);
	run(fixture, VDSO + PLAIN);
	check_stack(fixture, UNWIND_END_COMPLETE, VDSO + PLAIN, CODE + PLAIN + 5, CODE + PLAIN + 6,
		    CODE + START + 5);
	map(fixture, CODE, true, NULL);
	fixture->space.generation++;
	run(fixture, VDSO + PLAIN);
	check_stack(fixture, UNWIND_END_NO_CFI, VDSO + PLAIN, CODE + PLAIN + 5);
	assert_ptr_equal(fixture->stack.frames[1].mapping,
			 address_space_find(&fixture->space, CODE));
}

/* Rows are compiled in the middle of a walk: without memory it ends so, not with a guess. */
static void test_no_memory_for_rows(void **state)
{
	struct fixture *fixture = *state;
	uint64_t packed[24];
	struct record_sample sample;
	int error = 0;

	run(fixture, CODE + START);
	is_memory_out = true;
	for (uint64_t vaddr = PLAIN; !error && vaddr <= ALIGNED; vaddr += 0x100) {
		fixture->regs[PERF_REG_X86_IP] = CODE + vaddr;
		sample = sample_make(fixture, packed);
		error = unwinder_run(fixture->unwinder, &fixture->space, REGS_MASK, &sample,
				     &fixture->stack);
	}
	assert_int_equal(error, -ENOMEM);
	is_memory_out = false;
	run(fixture, CODE + START);
	check_stack(fixture, UNWIND_END_COMPLETE, CODE + START);
}

static void test_libunwind_agrees(void **state)
{
	struct fixture *fixture = *state;
	struct stack_dump dump = {STACK, (const uint8_t *)fixture->words, 0};
	struct unwind_registers registers = {0};
	struct libunwind_stepper *stepper;
	struct libunwind_frame found[16];
	uint64_t pcs[16];
	int nr;

	push_code(fixture, EXPRESSION + 9);
	push(fixture, 0);
	push(fixture, 0);
	push_code(fixture, FRAMED + 9);
	push(fixture, 0);
	push_code(fixture, START + 5);
	dump.nr = fixture->words_nr * 8;
	fixture->regs[PERF_REG_X86_BP] = stack_address(4);
	register_set(&registers, DWARF_RIP, CODE + PLAIN);
	register_set(&registers, DWARF_RSP, STACK);
	register_set(&registers, DWARF_RBP, stack_address(4));
	run(fixture, CODE + PLAIN);
	assert_int_equal(libunwind_stepper_create(&stepper), 0);
	nr = libunwind_walk(stepper, &fixture->space, &dump, false, &registers, found, 16);
	assert_int_equal(nr, 4);
	for (int i = 0; i < nr; i++)
		pcs[i] = found[i].pc;
	check_pcs(fixture, UNWIND_END_COMPLETE, pcs, (uint32_t)nr);
	libunwind_stepper_destroy(stepper);
}

#define unwind_test(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    unwind_test(test_plain_chain),
	    unwind_test(test_return_address_behind_function),
	    unwind_test(test_popped_register_keeps_value),
	    unwind_test(test_cut_dump_goes_on_without_register),
	    unwind_test(test_cut_before_return_address),
	    unwind_test(test_signal),
	    unwind_test(test_trampoline_bounds),
	    unwind_test(test_signal_on_other_stack),
	    unwind_test(test_ends_of_stack),
	    unwind_test(test_exception_left),
	    unwind_test(test_exception_overwritten),
	    unwind_test(test_vdso),
	    unwind_test(test_plt),
	    unwind_test(test_realigned),
	    unwind_test(test_aligned_save),
	    unwind_test(test_expression),
	    unwind_test(test_rules_that_lead_nowhere),
	    unwind_test(test_frame_pointer),
	    unwind_test(test_unbelievable_frame_pointers),
	    unwind_test(test_limit),
	    unwind_test(test_stack_beyond_the_last_address),
	    unwind_test(test_no_registers),
	    unwind_test(test_sample_register),
	    unwind_test(test_random_stacks),
	    unwind_test(test_register_is_found_late),
	    unwind_test(test_stacks_like_the_last_one),
	    unwind_test(test_last_stack_of_other_code),
	    unwind_test(test_no_memory_for_rows),
	    unwind_test(test_libunwind_agrees),
	};

	return cmocka_run_group_tests_name("unwind", tests, NULL, NULL);
}
