/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/merge.h"

struct merge {
	const struct merge_input *input;
	struct merged_runs *out;
	struct merge_counts *counts;
	uint32_t native_next; /* first native frame not yet handed out */
	uint32_t eval_next;   /* of evals[], the first one that may not be handed out yet */
	uint32_t python_next; /* first Python frame or marker not yet handed out */
	uint32_t misses_nr;
};

/* A cut native stack misses all further markers too: do not look through it for each. */
enum { MERGE_MISSES_MAX = 64 };

static bool frame_is_marker(const struct py_frame *frame)
{
	return frame->code_id == PY_FRAME_ENTRY;
}

/* Room was made for a run of each frame in merge_stacks(). */
static inline void merge_put(struct merge *merge, bool is_python, uint32_t first, uint32_t end)
{
	struct merged_runs *out = merge->out;
	struct merged_run *last = out->nr ? &out->items[out->nr - 1] : NULL;

	if (first >= end)
		return;
	if (last && last->is_python == is_python && last->first + last->nr == first)
		last->nr += end - first;
	else
		out->items[out->nr++] = (struct merged_run){
		    .first = first, .nr = end - first, .is_python = is_python};
}

static inline void merge_put_native(struct merge *merge, uint32_t end)
{
	merge_put(merge, false, merge->native_next, end);
	if (merge->native_next < end)
		merge->native_next = end;
}

static void merge_put_python(struct merge *merge, uint32_t end)
{
	uint32_t first = merge->python_next;

	for (; merge->python_next < end; merge->python_next++) {
		if (!frame_is_marker(&merge->input->python[merge->python_next]))
			continue;
		merge_put(merge, true, first, merge->python_next);
		first = merge->python_next + 1;
	}
	merge_put(merge, true, first, end);
}

/* The Python frames handed out last stand for native frame native_next. */
static void merge_pass_eval(struct merge *merge)
{
	if (merge->input->keep_eval)
		merge_put(merge, false, merge->native_next, merge->native_next + 1);
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

/* Of those not yet handed out. */
static uint32_t merge_count_evals(struct merge *merge, uint32_t native_end)
{
	const struct merge_input *input = merge->input;
	uint32_t end;

	while (merge->eval_next < input->evals_nr &&
	       input->evals[merge->eval_next] < merge->native_next)
		merge->eval_next++;
	end = merge->eval_next;
	while (end < input->evals_nr && input->evals[end] < native_end)
		end++;
	return end - merge->eval_next;
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
	merge->eval_next += skip_nr;
	for (; runs_nr; runs_nr--) {
		const uint32_t run = merge->python_next;
		const uint32_t run_end = merge_run_end(merge, run, python_end);

		merge_put_native(merge, merge->input->evals[merge->eval_next++]);
		merge_put(merge, true, run,
			  run_end - frame_is_marker(&merge->input->python[run_end - 1]));
		merge->python_next = run_end;
		merge_pass_eval(merge);
	}
	merge_put_native(merge, native_end);
}

static bool is_eval(const struct merge_input *input, uint32_t native_index)
{
	for (uint32_t i = input->evals_nr; i-- > 0 && input->evals[i] >= native_index;)
		if (input->evals[i] == native_index)
			return true;
	return false;
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
		if (frame->cfa == 0 && frame->sp && address >= frame->sp && is_eval(input, i))
			return i;
	}
	merge->misses_nr++;
	return input->native_nr;
}

/* @run: the first Python frame of the run that ends at @marker. */
static void merge_marker(struct merge *merge, uint32_t run, uint32_t marker)
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
	if (merge->python_next < run)
		merge_segment(merge, native, run);
	merge_put_native(merge, native);
	merge_put(merge, true, run, marker);
	merge->python_next = marker + 1;
	merge_pass_eval(merge);
	merge->counts->by_address_nr++;
}

int merge_stacks(const struct merge_input *input, struct merged_runs *ret,
		 struct merge_counts *counts)
{
	struct merge merge = {.input = input, .out = ret, .counts = counts};
	uint32_t run = 0;
	int error;

	*counts = (struct merge_counts){0};
	ret->nr = 0;
	error = merged_runs_reserve(ret, (size_t)input->native_nr + input->python_nr);
	if (error)
		return error;
	for (uint32_t i = 0; i < input->python_nr; i++) {
		if (!frame_is_marker(&input->python[i]))
			continue;
		merge_marker(&merge, run, i);
		run = i + 1;
	}
	merge_segment(&merge, input->native_nr, input->python_nr);
	return 0;
}
