/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One stack out of the native frames and the Python frames of one sample. Each activation of
 * the C evaluation loop is one native frame; the Python frames that ran in it end with a
 * PY_FRAME_ENTRY marker whose address lies inside that native frame. They replace it; native
 * frames between stay where they are.
 *
 * Markers whose address lies in no native frame (the native stack ends early, or the address is
 * not on this stack): their frames are counted off against the remaining evaluation loops
 * when the numbers allow only one answer; else they come after the native frames, and where a
 * later marker does match, just leafward of it. Python frames never change their order.
 */
#ifndef PYREC_REPORT_MERGE_H
#define PYREC_REPORT_MERGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/cleanup.h"
#include "common/vec.h"
#include "format/payload.h"
#include "report/unwind.h"

/* Frames that follow one another in both stacks; never empty. */
struct merged_run {
	uint32_t first; /* index in the native or the Python frames */
	uint32_t nr;
	bool is_python;
};

VEC_DEFINE(merged_runs, struct merged_run)

struct merge_input {
	const struct native_frame *native; /* leaf first */
	uint32_t native_nr;
	bool is_native_complete;       /* the last one is the thread's outermost frame */
	const struct py_frame *python; /* leaf first, with markers */
	uint32_t python_nr;
	uint64_t user_sp;
	bool keep_eval; /* keep evaluation loops, rootward of their Python frames */
	/* Which native frames are evaluation loops, as far as symbols tell; rising. */
	const uint32_t *evals;
	uint32_t evals_nr;
};

struct merge_counts {
	uint32_t by_address_nr; /* markers found inside a native frame */
	uint32_t by_count_nr;	/* runs of Python frames counted off */
	uint32_t unplaced_nr;	/* runs whose native frame should be there and is not */
};

/** Fill @ret (emptied first), leaf first. Return: 0 or -ENOMEM. */
must_check int merge_stacks(const struct merge_input *input, struct merged_runs *ret,
			    struct merge_counts *counts);

#endif
