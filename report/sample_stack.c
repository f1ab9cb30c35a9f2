/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/sample_stack.h"

#include <asm/perf_regs.h>
#include <errno.h>
#include <string.h>

/*
 * The loop itself, and three calls deep what it calls before its frame is linked and, up to 3.6,
 * after: _Py_CheckFunctionResult, PyErr_Occurred, _PyThreadState_UncheckedGet.
 */
enum { EVAL_PROLOGUE_FRAMES = 4 };

const char *stack_gap_text(enum stack_gap gap)
{
	switch (gap) {
	case STACK_GAP_NONE:
		return "";
	case STACK_GAP_TORN:
		return "torn";
	case STACK_GAP_FAULTED:
		return "faulted";
	case STACK_GAP_TRUNCATED:
		return "truncated";
	case STACK_GAP_FRAMES_MISSING:
		return "Python frames missing";
	case STACK_GAP_STACK_FAULTED:
		return "user stack unreadable";
	case STACK_GAP_STACK_CUT:
		return "user stack cut";
	case STACK_GAP_NO_CFI:
		return "no unwind information";
	case STACK_GAP_UNWIND_FAILED:
		return "unwinding failed";
	case STACK_GAP_TOO_DEEP:
		return "too deep";
	case STACK_GAPS_NR:
		break;
	}
	return "unknown";
}

int stack_builder_init(struct stack_builder *builder, const struct stack_options *options,
		       struct location_table *locations, struct stage_times *times)
{
	*builder = (struct stack_builder){
	    .options = *options, .locations = locations, .times = times};
	return unwinder_create(&builder->unwinder);
}

void stack_builder_deinit(struct stack_builder *builder)
{
	unwinder_destroy(builder->unwinder);
	py_frames_deinit(&builder->python);
	native_frames_deinit(&builder->chain);
	u32_vec_deinit(&builder->evals);
	merged_runs_deinit(&builder->merged);
	stack_frames_deinit(&builder->frames);
	*builder = (struct stack_builder){0};
}

static int builder_put(struct stack_builder *builder, uint32_t location, uint64_t address)
{
	return stack_frames_append(&builder->frames,
				   (struct stack_frame){.location = location, .address = address});
}

static int builder_put_note(struct stack_builder *builder, const char *why)
{
	auto_strbuf struct strbuf text = {0};
	uint32_t location;
	int ret;

	strbuf_append_format(&text, "[incomplete stack: %s]", why);
	if (text.error)
		return text.error;
	ret = location_find_note(builder->locations, strbuf_text(&text), &location);
	return ret ? ret : builder_put(builder, location, 0);
}

static int builder_put_kernel(struct stack_builder *builder, uint64_t address)
{
	uint32_t location;
	int ret;

	if (builder->options.no_kernel || builder->options.python_only)
		return 0;
	ret = location_find_kernel(builder->locations, address, &location);
	return ret ? ret : builder_put(builder, location, address);
}

/* Addresses of callchains are looked up as they are, which is what perf does with them. */
static int builder_chain_user(struct stack_builder *builder, const struct address_space *space,
			      uint64_t address)
{
	return native_frames_append(
	    &builder->chain, (struct native_frame){.pc = address,
						   .mapping = address_space_find(space, address),
						   .flags = NATIVE_FRAME_INTERRUPTED});
}

static int builder_take_address(struct stack_builder *builder, const struct stack_input *input,
				uint64_t context, uint64_t address)
{
	if (context == (uint64_t)PERF_CONTEXT_KERNEL)
		return builder_put_kernel(builder, address);
	if (context == (uint64_t)PERF_CONTEXT_USER)
		return builder_chain_user(builder, input->space, address);
	return 0;
}

/* Kernel frames go to the stack, user frames to builder->chain. */
static int builder_take_callchain(struct stack_builder *builder, const struct stack_input *input)
{
	const struct record_sample *sample = &input->record->sample;
	uint16_t mode = input->record->misc & PERF_RECORD_MISC_CPUMODE_MASK;
	uint64_t context = mode == PERF_RECORD_MISC_KERNEL ? (uint64_t)PERF_CONTEXT_KERNEL
			   : mode == PERF_RECORD_MISC_USER ? (uint64_t)PERF_CONTEXT_USER
							   : 0;
	int ret = 0;

	builder->chain.nr = 0;
	if (!sample->callchain_nr) {
		if (mode == PERF_RECORD_MISC_USER && sample->regs)
			return 0;
		return builder_take_address(builder, input, context, sample->ip);
	}
	for (uint64_t i = 0; i < sample->callchain_nr && ret == 0; i++) {
		uint64_t address = sample->callchain[i];

		if (address >= (uint64_t)PERF_CONTEXT_MAX)
			context = address;
		else
			ret = builder_take_address(builder, input, context, address);
	}
	return ret;
}

static enum stack_gap gap_of_status(enum py_stack_status status)
{
	switch (status) {
	case PY_STACK_TRUNCATED:
		return STACK_GAP_TRUNCATED;
	case PY_STACK_TORN:
		return STACK_GAP_TORN;
	case PY_STACK_FAULTED:
		return STACK_GAP_FAULTED;
	case PY_STACK_COMPLETE:
	case PY_STACK_NO_THREAD_STATE:
	case PY_STACK_NOT_WALKED:
		break;
	}
	return STACK_GAP_NONE;
}

static int builder_take_more(struct stack_builder *builder, const struct py_frames *more)
{
	struct py_frames *frames = &builder->python;

	if (!more->nr)
		return 0;
	if (py_frames_reserve(frames, frames->nr + more->nr))
		return -ENOMEM;
	memcpy(frames->items + frames->nr, more->items, more->nr * sizeof(*more->items));
	frames->nr += more->nr;
	return 0;
}

static int builder_take_python(struct stack_builder *builder, const struct stack_input *input,
			       struct sample_stack *stack, uint8_t *flags)
{
	const struct record_sample *sample = &input->record->sample;
	struct py_stack python;
	int ret = 0;

	builder->python.nr = 0;
	*flags = 0;
	if (!sample->raw)
		return 0;
	ret = py_stack_decode(sample->raw, sample->raw_bytes, &python);
	if (ret == -ENOENT)
		return 0;
	if (ret) {
		stack->gap = STACK_GAP_FRAMES_MISSING;
		return 0;
	}
	stack->has_python_record = true;
	stack->status = python.status;
	stack->task = python.task;
	stack->gap = gap_of_status(python.status);
	stack->is_kernel_cut = (python.flags & PY_STACK_KERNEL_STACK_CUT) != 0;
	*flags = python.flags;
	ret = py_frames_reserve(&builder->python, python.frames_nr);
	if (ret)
		return ret;
	py_stack_frames(&python, builder->python.items);
	builder->python.nr = python.frames_nr;
	if (input->more && input->more->first == python.frames_nr)
		ret = builder_take_more(builder, &input->more->frames);
	if (builder->python.nr != python.frames_total)
		stack->gap = STACK_GAP_FRAMES_MISSING;
	return ret;
}

static enum stack_gap gap_of_unwind(enum unwind_end end, uint8_t python_flags)
{
	switch (end) {
	case UNWIND_END_COMPLETE:
	case UNWIND_END_NO_DATA:
		break;
	case UNWIND_END_STACK_CUT:
		return python_flags & PY_STACK_USER_STACK_FAULTED ? STACK_GAP_STACK_FAULTED
								  : STACK_GAP_STACK_CUT;
	case UNWIND_END_NO_CFI:
		return STACK_GAP_NO_CFI;
	case UNWIND_END_BAD:
		return STACK_GAP_UNWIND_FAILED;
	case UNWIND_END_LIMIT:
		return STACK_GAP_TOO_DEEP;
	}
	return STACK_GAP_NONE;
}

static int builder_unwind(struct stack_builder *builder, const struct stack_input *input,
			  struct native_stack *ret)
{
	uint64_t regs_mask = input->layout->sample_regs_user;

	if (!input->record->sample.regs) {
		*ret = (struct native_stack){.frames = builder->chain.items,
					     .nr = (uint32_t)builder->chain.nr,
					     .end = UNWIND_END_NO_DATA};
		return 0;
	}
	return unwinder_run(builder->unwinder, input->space, regs_mask, &input->record->sample,
			    ret);
}

/* Have @frame's place, and its site's. */
static int builder_ask_place(struct stack_builder *builder, uint64_t generation,
			     struct native_frame *frame)
{
	struct code_site *site = frame->site;
	const struct location *location;
	uint32_t location_id;
	int error = location_find_native(builder->locations, frame, &location_id);

	if (error)
		return error;
	location = location_get(builder->locations, location_id);
	frame->place = (struct native_place){.location_plus_1 = location_id + 1,
					     .role = (uint8_t)location->role,
					     .inlined_nr = location->inlined_nr,
					     .is_simple = location->role != ROLE_EVAL &&
							  !location->inlined_nr};
	if (site && code_site_is(site, native_frame_lookup_pc(frame), generation))
		site->place = frame->place;
	return 0;
}

/*
 * The place of each native frame. A greenlet's stack ends where the greenlet begins: what lies
 * rootward of it on the same C stack is another one's, or no one's any more.
 */
static int builder_locate(struct stack_builder *builder, const struct address_space *space,
			  struct native_stack *native, struct sample_stack *stack)
{
	struct native_frame *frame = native->frames;
	struct native_frame *end = frame + native->nr;
	int error = 0;

	builder->evals.nr = 0;
	for (; frame < end; frame++) {
		if (!frame->place.location_plus_1)
			error = builder_ask_place(builder, space->generation, frame);
		else if (frame->place.role == ROLE_NONE)
			continue;
		if (error == 0 && frame->place.role == ROLE_EVAL)
			error = u32_vec_append(&builder->evals, (uint32_t)(frame - native->frames));
		if (error)
			return error;
		if (frame->place.role == ROLE_GREENLET_SWITCH && !stack->gap)
			stack->gap = STACK_GAP_TORN;
		if (frame->place.role == ROLE_GREENLET_START) {
			native->nr = (uint32_t)(frame - native->frames) + 1;
			native->end = UNWIND_END_COMPLETE;
			return 0;
		}
	}
	return 0;
}

static int builder_merge(struct stack_builder *builder, const struct stack_input *input,
			 const struct native_stack *native, struct sample_stack *stack)
{
	struct merge_input merge = {.native = native->frames,
				    .native_nr = native->nr,
				    .is_native_complete = native->end == UNWIND_END_COMPLETE,
				    .python = builder->python.items,
				    .python_nr = (uint32_t)builder->python.nr,
				    .keep_eval = builder->options.show_eval,
				    .evals = builder->evals.items,
				    .evals_nr = (uint32_t)builder->evals.nr};

	if (sample_register(&input->record->sample, input->layout->sample_regs_user,
			    PERF_REG_X86_SP, &merge.user_sp))
		merge.user_sp = 0;
	return merge_stacks(&merge, &builder->merged, &stack->merge);
}

/*
 * A loop at the leaf, alone or in what its prologue and epilogue call, rightly has no Python frame:
 * not yet, or not any more.
 */
static bool eval_is_beginning(const struct sample_stack *stack, uint32_t native_index)
{
	return native_index < EVAL_PROLOGUE_FRAMES && !stack->python_frames_nr &&
	       !stack->has_beginning_eval;
}

static int builder_put_native(struct stack_builder *builder, const struct native_stack *native,
			      uint32_t index, struct sample_stack *stack)
{
	const struct native_frame *frame = &native->frames[index];
	const struct native_place *place = &frame->place;
	const uint64_t address = native_frame_lookup_pc(frame);

	if (place->role == ROLE_EVAL) {
		bool is_beginning = eval_is_beginning(stack, index);

		stack->has_beginning_eval |= is_beginning;
		stack->bare_evals_nr += !is_beginning;
	}
	if (builder->options.python_only)
		return 0;
	stack->guessed_frames_nr += (frame->flags & NATIVE_FRAME_GUESSED) != 0;
	for (uint32_t i = place->inlined_nr; i > 0; i--) {
		int ret = builder_put(builder, place->location_plus_1 - 1 + i, address);

		if (ret)
			return ret;
	}
	return builder_put(builder, place->location_plus_1 - 1, address);
}

static inline uint64_t python_key(const struct py_frame *frame)
{
	return (uint64_t)frame->code_id << 32 | (uint32_t)frame->value;
}

static int builder_new_python_site(struct stack_builder *builder, const struct py_frame *frame,
				   struct python_site *ret)
{
	const struct location *location;
	uint32_t location_id;
	int error = location_find_python(builder->locations, frame, &location_id);

	if (error)
		return error;
	location = location_get(builder->locations, location_id);
	*ret = (struct python_site){.key = python_key(frame),
				    .location_plus_1 = location_id + 1,
				    .is_entry = location->is_entry,
				    .is_hidden = location->is_entry || location->is_shim,
				    .address = location->symbol_offset};
	return 0;
}

static inline struct python_site *builder_python_site(struct stack_builder *builder, uint64_t key)
{
	_Static_assert(PYTHON_SITES_NR == 1 << 12, "the upper 12 bits choose");
	return &builder->python_sites[key * UINT64_C(0x9e3779b97f4a7c15) >> 52];
}

/* Room was made, as for the next one. */
static inline int builder_put_python_run(struct stack_builder *builder,
					 const struct merged_run *run, struct sample_stack *stack)
{
	const struct py_frame *frame = &builder->python.items[run->first];
	const struct py_frame *end = frame + run->nr;
	struct stack_frame *first = builder->frames.items + builder->frames.nr;
	struct stack_frame *out = first;

	for (; frame < end; frame++) {
		const uint64_t key = python_key(frame);
		struct python_site *site = builder_python_site(builder, key);

		if (site->key != key || !site->location_plus_1) {
			int error = builder_new_python_site(builder, frame, site);

			if (error)
				return error;
		}
		if (site->is_hidden) {
			if (site->is_entry && !stack->gap)
				stack->gap = STACK_GAP_TORN;
			continue;
		}
		*out++ = (struct stack_frame){.location = site->location_plus_1 - 1,
					      .address = site->address};
	}
	stack->python_frames_nr += (uint32_t)(out - first);
	builder->frames.nr += (size_t)(out - first);
	return 0;
}

/* Nearly all frames are simply their place: those up to the first other one. */
static inline uint32_t builder_put_simple(struct stack_builder *builder,
					  const struct native_frame *frames, uint32_t at,
					  uint32_t end)
{
	struct stack_frame *out = builder->frames.items + builder->frames.nr;

	for (; at < end; at++) {
		const struct native_frame *frame = &frames[at];

		if (!frame->place.is_simple || frame->flags & NATIVE_FRAME_GUESSED)
			break;
		*out++ = (struct stack_frame){.location = frame->place.location_plus_1 - 1,
					      .address = native_frame_lookup_pc(frame)};
	}
	builder->frames.nr = (size_t)(out - builder->frames.items);
	return at;
}

static int builder_put_merged(struct stack_builder *builder, const struct native_stack *native,
			      struct sample_stack *stack)
{
	const size_t frames_nr = native->nr + builder->python.nr;
	const struct merged_run *run = builder->merged.items;
	const struct merged_run *end = run + builder->merged.nr;
	int ret = stack_frames_reserve(&builder->frames, builder->frames.nr + frames_nr);

	for (; run < end && ret == 0; run++) {
		const uint32_t run_end = run->first + run->nr;
		uint32_t at = run->first;

		if (run->is_python) {
			ret = builder_put_python_run(builder, run, stack);
			continue;
		}
		while (at < run_end && ret == 0) {
			if (!builder->options.python_only)
				at = builder_put_simple(builder, native->frames, at, run_end);
			if (at == run_end)
				break;
			ret = builder_put_native(builder, native, at++, stack);
			/* What is inlined has taken room of the others. */
			if (ret == 0)
				ret = stack_frames_reserve(&builder->frames,
							   builder->frames.nr + frames_nr);
		}
	}
	return ret;
}

/* The Python stack is said to be whole, yet loops are left that no Python frames stand for. */
static bool builder_lacks_python(const struct stack_builder *builder,
				 const struct sample_stack *stack)
{
	return stack->bare_evals_nr && stack->has_python_record &&
	       stack->status != PY_STACK_NOT_WALKED && !builder->options.show_eval;
}

/*
 * The native stack is said to be whole, yet the place of a Python frame's loop is not in it: it is
 * another stack's, as while stacks are exchanged. Places are known from 3.11 on.
 */
static bool builder_lacks_native(const struct stack_builder *builder,
				 const struct sample_stack *stack)
{
	const struct py_frame *last = builder->python.nr
					  ? &builder->python.items[builder->python.nr - 1]
					  : NULL;

	return stack->merge.unplaced_nr && last && last->code_id == PY_FRAME_ENTRY &&
	       last->value != PY_ANCHOR_ELSEWHERE && !builder->options.python_only;
}

int stack_builder_run(struct stack_builder *builder, const struct stack_input *input,
		      struct sample_stack *ret)
{
	struct sample_stack stack = {0};
	struct native_stack native;
	uint64_t now_ns = stage_begin(builder->times);
	uint8_t flags = 0;
	int error;

	builder->frames.nr = 0;
	error = builder_take_callchain(builder, input);
	now_ns = stage_end(builder->times, STAGE_SYMBOLS, now_ns);
	if (error == 0)
		error = builder_take_python(builder, input, &stack, &flags);
	if (error == 0 && stack.is_kernel_cut && builder->frames.nr)
		error = builder_put_note(builder, "kernel stack cut");
	now_ns = stage_end(builder->times, STAGE_PYTHON, now_ns);
	if (error == 0)
		error = builder_unwind(builder, input, &native);
	now_ns = stage_end(builder->times, STAGE_UNWIND, now_ns);
	if (error == 0)
		error = builder_locate(builder, input->space, &native, &stack);
	now_ns = stage_end(builder->times, STAGE_SYMBOLS, now_ns);
	if (error == 0)
		error = builder_merge(builder, input, &native, &stack);
	now_ns = stage_end(builder->times, STAGE_MERGE, now_ns);
	if (error == 0)
		error = builder_put_merged(builder, &native, &stack);
	stage_end(builder->times, STAGE_SYMBOLS, now_ns);
	if (error)
		return error;
	builder->times->native_frames_nr += native.nr;
	builder->times->frames_nr += builder->frames.nr;
	if (!stack.gap && !builder->options.python_only)
		stack.gap = gap_of_unwind(native.end, flags);
	if (!stack.gap && native.end == UNWIND_END_COMPLETE &&
	    builder_lacks_native(builder, &stack))
		stack.gap = STACK_GAP_UNWIND_FAILED;
	/* Where the native stack ends early, its loops were not all counted. */
	if (!stack.gap && native.end == UNWIND_END_COMPLETE &&
	    builder_lacks_python(builder, &stack))
		stack.gap = STACK_GAP_FRAMES_MISSING;
	if (stack.gap)
		error = builder_put_note(builder, stack_gap_text(stack.gap));
	stack.frames = builder->frames.items;
	stack.nr = builder->frames.nr;
	*ret = stack;
	return error;
}
