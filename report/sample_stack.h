/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The whole stack of one sample: kernel frames from its callchain, native frames from its registers
 * and stack bytes (from the callchain where it has none), Python frames from its RAW, merged
 * and named. What is missing is said in the stack itself, by a note at the place of the gap.
 */
#ifndef PYREC_REPORT_SAMPLE_STACK_H
#define PYREC_REPORT_SAMPLE_STACK_H

#include <stdbool.h>
#include <stdint.h>

#include "common/cleanup.h"
#include "common/vec.h"
#include "format/payload.h"
#include "format/record.h"
#include "report/location.h"
#include "report/merge.h"
#include "report/stage_times.h"
#include "report/unwind.h"

struct stack_frame {
	uint32_t location;
	uint64_t address; /* as perf script prints it; Python: byte offset in the bytecode */
};

VEC_DEFINE(stack_frames, struct stack_frame)
VEC_DEFINE(py_frames, struct py_frame)
VEC_DEFINE(native_frames, struct native_frame)

/* What a Python frame comes to, kept by a hash: another one may have taken its place since. */
struct python_site {
	uint64_t key;		  /* code_id and value of its struct py_frame */
	uint32_t location_plus_1; /* 0: empty */
	bool is_entry;		  /* struct location, as the next ones */
	bool is_hidden;		  /* entry or shim */
	uint64_t address;	  /* its symbol_offset */
};

enum { PYTHON_SITES_NR = 1 << 12 };

/* Why the root side of a stack is missing. */
enum stack_gap {
	STACK_GAP_NONE,
	STACK_GAP_TORN, /* Python frames, enum py_stack_status */
	STACK_GAP_FAULTED,
	STACK_GAP_TRUNCATED,
	STACK_GAP_FRAMES_MISSING, /* continuations that are not in the file, or damaged RAW */
	STACK_GAP_STACK_FAULTED,  /* native frames, enum unwind_end and enum py_stack_flags */
	STACK_GAP_STACK_CUT,
	STACK_GAP_NO_CFI,
	STACK_GAP_UNWIND_FAILED,
	STACK_GAP_TOO_DEEP,
	STACK_GAPS_NR
};

/** A clause for people: "torn", "user stack cut", …; "" for STACK_GAP_NONE. */
const char *stack_gap_text(enum stack_gap gap);

struct sample_stack {
	const struct stack_frame *frames; /* leaf first; the builder's, until its next run */
	size_t nr;
	enum stack_gap gap;
	bool is_kernel_cut;
	bool has_python_record; /* status says something */
	enum py_stack_status status;
	struct py_async_task task;
	uint32_t python_frames_nr; /* shown ones */
	uint32_t guessed_frames_nr;
	uint32_t bare_evals_nr;	 /* evaluation loops that lack their Python frames */
	bool has_beginning_eval; /* one at the leaf that has none yet */
	struct merge_counts merge;
};

struct stack_options {
	bool python_only;
	bool no_kernel;
	bool show_eval;
};

struct stack_builder {
	struct stack_options options;
	struct unwinder *unwinder;
	struct location_table *locations;
	struct stage_times *times;
	struct py_frames python;
	struct native_frames chain; /* user part of a callchain */
	struct u32_vec evals;	    /* indexes of the evaluation loops among the native frames */
	struct merged_runs merged;
	struct stack_frames frames;
	struct python_site python_sites[PYTHON_SITES_NR];
};

/** @locations and @times are borrowed. Return: 0 or -ENOMEM. */
must_check int stack_builder_init(struct stack_builder *builder,
				  const struct stack_options *options,
				  struct location_table *locations, struct stage_times *times);
void stack_builder_deinit(struct stack_builder *builder);

/* Python frames of continuations. */
struct more_frames {
	uint32_t first; /* index of the first one in the whole stack */
	struct py_frames frames;
};

/* What is known about one sample. */
struct stack_input {
	const struct record *record; /* PERF_RECORD_SAMPLE */
	const struct record_layout *layout;
	const struct address_space *space;
	const struct more_frames *more; /* may be NULL */
};

/** Return: 0 or -ENOMEM; damaged data is told in the stack. */
must_check int stack_builder_run(struct stack_builder *builder, const struct stack_input *input,
				 struct sample_stack *ret);

#endif
