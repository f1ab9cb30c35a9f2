/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/merge.h"

struct merge {
	const struct merge_input *input;
	struct merged_frames *out;
	struct merge_counts *counts;
	uint32_t native_next; /* first native frame not yet handed out */
	uint32_t python_next; /* first Python frame or marker not yet handed out */
	uint32_t misses_nr;
};

/* A cut native stack misses all further markers too: do not look through it for each. */
enum { MERGE_MISSES_MAX = 64 };

static bool frame_is_marker(const struct py_frame *frame)
{
	return frame->code_id == PY_FRAME_ENTRY;
}

/* Room was made for all frames of both stacks in merge_stacks(). */
static void merge_put(struct merge *merge, bool is_python, uint32_t index)
{
	merge->out->items[merge->out->nr++] = (struct merged_frame){.is_python = is_python,
								    .index = index};
}

static void merge_put_native(struct merge *merge, uint32_t end)
{
	while (merge->native_next < end)
		merge_put(merge, false, merge->native_next++);
}

static void merge_put_python(struct merge *merge, uint32_t end)
{
	for (; merge->python_next < end; merge->python_next++)
		if (!frame_is_marker(&merge->input->python[merge->python_next]))
			merge_put(merge, true, merge->python_next);
}

/* The Python frames up to @python_end stand for native frame native_next. */
static void merge_replace_eval(struct merge *merge, uint32_t python_end)
{
	merge_put_python(merge, python_end);
	if (merge->input->keep_eval)
		merge_put(merge, false, merge->native_next);
	merge->native_next++;
}

/* Behind the marker that ends the run at @at; python_nr when no marker follows. */
static uint32_t merge_run_end(const struct merge *merge, uint32_t at, uint32_t end)
{
	while (at < end)
		if (frame_is_marker(&merge->input->python[at++]))
			break;
	return at;
}

static uint32_t merge_count_runs(const struct merge *merge, uint32_t python_end)
{
	uint32_t runs_nr = 0;

	for (uint32_t at = merge->python_next; at < python_end; runs_nr++)
		at = merge_run_end(merge, at, python_end);
	return runs_nr;
}

static uint32_t merge_count_evals(const struct merge *merge, uint32_t native_end)
{
	const struct merge_input *input = merge->input;
	uint32_t evals_nr = 0;

	if (!input->is_eval)
		return 0;
	for (uint32_t i = merge->native_next; i < native_end; i++)
		evals_nr += input->is_eval(input->context, i);
	return evals_nr;
}

/*
 * Evaluation loops to pass over at the leaf side before the runs are counted off: a loop in its
 * prologue has no Python frame yet, so the surplus of a stack known to its root is at its leaf; a
 * chain cut at its root has its loops from the leaf side on. False: not told by numbers.
 */
static bool merge_align(const struct merge *merge, uint32_t native_end, uint32_t runs_nr,
			uint32_t evals_nr, uint32_t *ret)
{
	const struct merge_input *input = merge->input;
	bool to_root = native_end == input->native_nr;
	bool is_chain_cut = input->python_nr &&
			    !frame_is_marker(&input->python[input->python_nr - 1]);

	*ret = 0;
	if (runs_nr == 0 || evals_nr < runs_nr)
		return false;
	if (evals_nr == runs_nr)
		return true;
	if (!to_root)
		return false;
	if (is_chain_cut)
		return merge->native_next > 0;
	*ret = evals_nr - runs_nr;
	return input->is_native_complete && merge->native_next == 0;
}

/* Hand out the native frames up to @native_end and the Python frames up to @python_end. */
static void merge_segment(struct merge *merge, uint32_t native_end, uint32_t python_end)
{
	uint32_t runs_nr = merge_count_runs(merge, python_end);
	uint32_t evals_nr = runs_nr ? merge_count_evals(merge, native_end) : 0;
	uint32_t skip_nr;

	if (!merge_align(merge, native_end, runs_nr, evals_nr, &skip_nr)) {
		/* Rootward of a native stack that ends early is where they belong. */
		if (merge->input->native_nr &&
		    (merge->input->is_native_complete || native_end < merge->input->native_nr))
			merge->counts->unplaced_nr += runs_nr;
		merge_put_native(merge, native_end);
		merge_put_python(merge, python_end);
		return;
	}
	merge->counts->by_count_nr += runs_nr;
	while (merge->native_next < native_end) {
		bool is_eval = merge->input->is_eval(merge->input->context, merge->native_next);

		if (is_eval && skip_nr)
			skip_nr--;
		else if (is_eval && merge->python_next < python_end) {
			merge_replace_eval(merge,
					   merge_run_end(merge, merge->python_next, python_end));
			continue;
		}
		merge_put_native(merge, merge->native_next + 1);
	}
	merge_put_python(merge, python_end);
}

/*
 * Native frame around @address, from native_next rootward; native_nr when there is none. Stack
 * addresses need not rise from frame to frame: signal handlers may run on a stack of their own.
 */
static uint32_t merge_find_native(struct merge *merge, uint64_t address)
{
	const struct merge_input *input = merge->input;

	if (merge->misses_nr >= MERGE_MISSES_MAX)
		return input->native_nr;
	for (uint32_t i = merge->native_next; i < input->native_nr; i++) {
		const struct native_frame *frame = &input->native[i];

		if (address >= frame->sp && address < frame->cfa)
			return i;
		/* The last frame's end is not known; its symbol may still say what it is. */
		if (frame->cfa == 0 && frame->sp && address >= frame->sp && input->is_eval &&
		    input->is_eval(input->context, i))
			return i;
	}
	merge->misses_nr++;
	return input->native_nr;
}

static void merge_marker(struct merge *merge, uint32_t marker)
{
	const struct merge_input *input = merge->input;
	int32_t anchor = input->python[marker].value;
	uint32_t native;

	if (anchor == PY_ANCHOR_ELSEWHERE)
		return;
	native = merge_find_native(merge, input->user_sp + (uint64_t)(int64_t)anchor);
	if (native == input->native_nr)
		return;
	/* Runs before this one that matched nothing. */
	if (merge_count_runs(merge, marker + 1) > 1) {
		uint32_t run = marker;

		while (run > merge->python_next && !frame_is_marker(&input->python[run - 1]))
			run--;
		merge_segment(merge, native, run);
	}
	merge_put_native(merge, native);
	merge_replace_eval(merge, marker + 1);
	merge->counts->by_address_nr++;
}

int merge_stacks(const struct merge_input *input, struct merged_frames *ret,
		 struct merge_counts *counts)
{
	struct merge merge = {.input = input, .out = ret, .counts = counts};
	int error;

	*counts = (struct merge_counts){0};
	ret->nr = 0;
	error = merged_frames_reserve(ret, (size_t)input->native_nr + input->python_nr);
	if (error)
		return error;
	for (uint32_t i = 0; i < input->python_nr; i++)
		if (frame_is_marker(&input->python[i]))
			merge_marker(&merge, i);
	merge_segment(&merge, input->native_nr, input->python_nr);
	return 0;
}
