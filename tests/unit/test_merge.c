/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Stacks are written leaf first as words: "c" a C function, "E" an evaluation loop, each taking
 * 0x100 bytes of stack from 0x1000 on; Python frames are numbers, "@3" the entry marker that lies
 * in native frame 3, "@-" one that lies elsewhere. The merged stack is such a line too.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "report/merge.h"

enum { FRAMES_MAX = 64, STACK_AT = 0x1000, FRAME_BYTES = 0x100 };

struct sketch {
	struct native_frame native[FRAMES_MAX];
	uint32_t native_nr;
	uint32_t evals[FRAMES_MAX];
	uint32_t evals_nr;
	struct py_frame python[FRAMES_MAX];
	uint32_t python_nr;
};

static void sketch_native(struct sketch *sketch, const char *text)
{
	for (; *text; text++) {
		uint64_t sp = STACK_AT + (uint64_t)sketch->native_nr * FRAME_BYTES;

		if (*text == ' ')
			continue;
		if (*text == 'E')
			sketch->evals[sketch->evals_nr++] = sketch->native_nr;
		sketch->native[sketch->native_nr++] = (struct native_frame){
		    .pc = 1, .sp = sp, .cfa = sp + FRAME_BYTES};
	}
}

static void sketch_python(struct sketch *sketch, const char *text)
{
	char *copy = strdup(text);
	char *rest = copy;
	char *word;

	while ((word = strsep(&rest, " ")) != NULL) {
		struct py_frame *frame = &sketch->python[sketch->python_nr++];

		*frame = (struct py_frame){.code_id = (uint32_t)atoi(word)};
		if (word[0] != '@')
			continue;
		frame->code_id = PY_FRAME_ENTRY;
		frame->value = word[1] == '-' ? PY_ANCHOR_ELSEWHERE
					      : atoi(word + 1) * FRAME_BYTES + 0x40;
	}
	free(copy);
}

static bool sketch_is_eval(const struct sketch *sketch, uint32_t index)
{
	for (uint32_t i = 0; i < sketch->evals_nr; i++)
		if (sketch->evals[i] == index)
			return true;
	return false;
}

static size_t sketch_print_frame(const struct sketch *sketch, bool is_python, uint32_t index,
				 char *text, size_t nr)
{
	if (is_python)
		return (size_t)snprintf(text, nr, " %u", sketch->python[index].code_id);
	return (size_t)snprintf(text, nr, " %c%u", sketch_is_eval(sketch, index) ? 'E' : 'c',
				index);
}

/* Each frame behind a blank. */
static void sketch_print(const struct sketch *sketch, const struct merged_runs *merged, char *text,
			 size_t nr)
{
	size_t at = 0;

	text[0] = '\0';
	for (size_t i = 0; i < merged->nr; i++) {
		const struct merged_run *run = &merged->items[i];

		assert_true(run->nr > 0);
		for (uint32_t j = 0; j < run->nr; j++)
			at += sketch_print_frame(sketch, run->is_python, run->first + j, text + at,
						 nr - at);
	}
}

struct check {
	const char *native;
	bool is_native_incomplete;
	const char *python;
	bool keep_eval;
	bool without_symbols;
	const char *expected;
};

static struct merge_counts check_merge(const struct check *check)
{
	struct sketch sketch = {0};
	struct merged_runs merged = {0};
	struct merge_counts counts;
	struct merge_input input;
	char text[512];

	sketch_native(&sketch, check->native);
	if (check->python[0])
		sketch_python(&sketch, check->python);
	input = (struct merge_input){.native = sketch.native,
				     .native_nr = sketch.native_nr,
				     .is_native_complete = !check->is_native_incomplete,
				     .python = sketch.python,
				     .python_nr = sketch.python_nr,
				     .user_sp = STACK_AT,
				     .keep_eval = check->keep_eval,
				     .evals = sketch.evals,
				     .evals_nr = check->without_symbols ? 0 : sketch.evals_nr};
	assert_int_equal(merge_stacks(&input, &merged, &counts), 0);
	sketch_print(&sketch, &merged, text, sizeof(text));
	assert_string_equal(text[0] ? text + 1 : text, check->expected);
	merged_runs_deinit(&merged);
	return counts;
}

#define CHECK(...) check_merge(&(struct check){__VA_ARGS__})

static void test_markers_name_their_loops(void **state)
{
	struct merge_counts counts;

	(void)state;
	counts = CHECK(.native = "c E c c E c", .python = "1 2 @1 3 @4",
		       .expected = "c0 1 2 c2 c3 3 c5");
	assert_int_equal(counts.by_address_nr, 2);
	assert_int_equal(counts.unplaced_nr, 0);
	CHECK(.native = "c E c c E c", .python = "1 2 @1 3 @4", .without_symbols = true,
	      .expected = "c0 1 2 c2 c3 3 c5");
}

static void test_loops_can_be_kept(void **state)
{
	(void)state;
	CHECK(.native = "c E c E c", .python = "1 2 @1 3 @3", .keep_eval = true,
	      .expected = "c0 1 2 E1 c2 3 E3 c4");
}

static void test_either_stack_alone(void **state)
{
	struct merge_counts counts;

	(void)state;
	CHECK(.native = "c c c", .python = "", .expected = "c0 c1 c2");
	counts = CHECK(.native = "", .python = "1 @0 2 @2", .expected = "1 2");
	assert_int_equal(counts.unplaced_nr, 0);
	CHECK(.native = "", .python = "", .expected = "");
}

static void test_loop_in_prologue_stays_native(void **state)
{
	(void)state;
	CHECK(.native = "E c E c", .python = "1 @2", .expected = "E0 c1 1 c3");
	CHECK(.native = "E c E c", .python = "1 @-", .expected = "E0 c1 1 c3");
}

static void test_empty_run_still_takes_its_loop(void **state)
{
	(void)state;
	/* 3.12: a loop between linking its entry frame and its first Python frame. */
	CHECK(.native = "c E c E c", .python = "@1 3 @3", .expected = "c0 c2 3 c4");
}

static void test_cut_native_stack(void **state)
{
	(void)state;
	CHECK(.native = "c E c", .is_native_incomplete = true, .python = "1 @1 2 @4 3 4 @7",
	      .expected = "c0 1 c2 2 3 4");
	CHECK(.native = "c c", .is_native_incomplete = true, .python = "1 @4 2 @7",
	      .expected = "c0 c1 1 2");
}

static void test_unmatched_run_goes_leafward_of_the_next_match(void **state)
{
	struct merge_counts counts;

	(void)state;
	counts = CHECK(.native = "c c c E c", .python = "1 @- 2 @3", .without_symbols = true,
		       .expected = "c0 c1 c2 1 2 c4");
	assert_int_equal(counts.unplaced_nr, 1);
}

static void test_numbers_place_unmatched_runs(void **state)
{
	struct merge_counts counts;

	(void)state;
	counts = CHECK(.native = "c E c E c", .python = "1 @- 2 @3", .expected = "c0 1 c2 2 c4");
	assert_int_equal(counts.by_count_nr, 1);
	assert_int_equal(counts.unplaced_nr, 0);
	/* CPython 3.10 and older: no addresses at all, one loop for each frame. */
	CHECK(.native = "E c E E c E c", .python = "1 @- 2 @- 3 @-",
	      .expected = "E0 c1 1 2 c4 3 c6");
	/* Not known to its root: the surplus could be anywhere. */
	counts = CHECK(.native = "E c E E c E c", .is_native_incomplete = true,
		       .python = "1 @- 2 @- 3 @-", .expected = "E0 c1 E2 E3 c4 E5 c6 1 2 3");
	assert_int_equal(counts.unplaced_nr, 0);
	assert_int_equal(counts.by_count_nr, 0);
}

static void test_torn_chain(void **state)
{
	(void)state;
	/* Its last frames have no marker: they run in the next loop. */
	CHECK(.native = "c E c E c E c", .python = "1 @1 2 3", .expected = "c0 1 c2 2 3 c4 E5 c6");
	CHECK(.native = "c E c E c", .python = "1 @1 2 3", .without_symbols = true,
	      .expected = "c0 1 c2 E3 c4 2 3");
	CHECK(.native = "c E c E c", .python = "2 3", .expected = "c0 E1 c2 E3 c4 2 3");
}

static void test_order_is_never_changed(void **state)
{
	(void)state;
	/* A marker that points leafward of the last match is not believed. */
	CHECK(.native = "c E c E c", .python = "1 @3 2 @1", .without_symbols = true,
	      .expected = "c0 E1 c2 1 c4 2");
	/* Two markers in one loop: the second one finds it taken. */
	CHECK(.native = "c E c", .python = "1 @1 2 @1", .without_symbols = true,
	      .expected = "c0 1 c2 2");
}

static void test_last_frame_of_unknown_size(void **state)
{
	struct native_frame native[] = {{.sp = 0x1000, .cfa = 0x1100}, {.sp = 0x1100}};
	const uint32_t evals[] = {1};
	struct py_frame python[] = {{.code_id = 1}, {.code_id = PY_FRAME_ENTRY, .value = 0x180}};
	struct merge_input input = {.native = native,
				    .native_nr = 2,
				    .python = python,
				    .python_nr = 2,
				    .user_sp = 0x1000,
				    .evals = evals,
				    .evals_nr = 1};
	struct merged_runs merged = {0};
	struct merge_counts counts;

	(void)state;
	assert_int_equal(merge_stacks(&input, &merged, &counts), 0);
	assert_int_equal(merged.nr, 2);
	assert_true(merged.items[1].is_python);
	/* Without a name it may be anything: the Python frames go behind it. */
	input.evals_nr = 0;
	assert_int_equal(merge_stacks(&input, &merged, &counts), 0);
	assert_int_equal(merged.nr, 2);
	assert_int_equal(merged.items[0].nr, 2);
	assert_true(merged.items[1].is_python);
	merged_runs_deinit(&merged);
}

/* @next: of the native and the Python frames, those that must come out next. */
static void check_run(const struct sketch *sketch, const struct merged_run *run, uint32_t next[2])
{
	assert_true(run->nr > 0);
	for (uint32_t i = 0; i < run->nr; i++) {
		while (run->is_python && next[1] < 12 &&
		       sketch->python[next[1]].code_id == PY_FRAME_ENTRY)
			next[1]++;
		assert_int_equal(run->first + i, next[run->is_python]);
		next[run->is_python]++;
	}
}

/* Whatever the chains, every frame comes out once, in its own order. */
static void test_nothing_is_lost_or_doubled(void **state)
{
	uint32_t random = 7;

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct sketch sketch = {0};
		struct merged_runs merged = {0};
		struct merge_counts counts;
		uint32_t next[2] = {0, 0};
		struct merge_input input;

		for (int i = 0; i < 12; i++) {
			random = random * 1664525 + 1013904223;
			sketch_native(&sketch, random >> 31 ? "E" : "c");
			sketch.python[i] = (struct py_frame){.code_id = (uint32_t)i};
			if ((random >> 29) & 1)
				sketch.python[i] = (struct py_frame){
				    .code_id = PY_FRAME_ENTRY,
				    .value = (int32_t)((random >> 20) % 16) * FRAME_BYTES};
		}
		input = (struct merge_input){.native = sketch.native,
					     .native_nr = (random >> 8) % 13,
					     .is_native_complete = random & 0x40,
					     .python = sketch.python,
					     .python_nr = (random >> 12) % 13,
					     .user_sp = STACK_AT,
					     .keep_eval = true,
					     .evals = sketch.evals};
		while (random & 0x80 && input.evals_nr < sketch.evals_nr &&
		       sketch.evals[input.evals_nr] < input.native_nr)
			input.evals_nr++;
		assert_int_equal(merge_stacks(&input, &merged, &counts), 0);
		for (size_t i = 0; i < merged.nr; i++)
			check_run(&sketch, &merged.items[i], next);
		assert_int_equal(next[0], input.native_nr);
		merged_runs_deinit(&merged);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_markers_name_their_loops),
	    cmocka_unit_test(test_loops_can_be_kept),
	    cmocka_unit_test(test_either_stack_alone),
	    cmocka_unit_test(test_loop_in_prologue_stays_native),
	    cmocka_unit_test(test_empty_run_still_takes_its_loop),
	    cmocka_unit_test(test_cut_native_stack),
	    cmocka_unit_test(test_unmatched_run_goes_leafward_of_the_next_match),
	    cmocka_unit_test(test_numbers_place_unmatched_runs),
	    cmocka_unit_test(test_torn_chain),
	    cmocka_unit_test(test_order_is_never_changed),
	    cmocka_unit_test(test_last_frame_of_unknown_size),
	    cmocka_unit_test(test_nothing_is_lost_or_doubled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
