/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The walk from a thread pointer to Python frames, as steps over a caller-held state. Compiled
 * into the BPF programs and, as plain C over a recorded process image, into tests/hostbpf: it
 * calls nothing but read_user(), which the including file defines:
 *
 *	static long read_user(void *to, __u32 nr, __u64 from);   0 or negative
 *
 * Layouts and traps: facts of CPython 2.7 and 3.6 to 3.15 in record/layouts.c and
 * Documentation/internals.adoc.
 */
#ifndef PYREC_PY_WALK_H
#define PYREC_PY_WALK_H

#include "bpf/py_thread.h"

enum {
	WALK_OBJECT_WORDS = 32, /* 256 bytes: room for any object head that a step reads */
	WALK_END_BYTES = PYREC_TEXT_END_WORDS * 8,
	/*
	 * Head of a compact ASCII string (free-threaded: 56) and so much text that most need no
	 * second read. Each read costs some 50 ns, whatever its size.
	 */
	WALK_TEXT_BYTES = 128,
};

struct walk {
	__u64 frame;  /* next one to visit */
	__u64 tstate; /* whose frames these are; 0: still looked for, or there is none */
	__u64 search; /* 2.7: next entry of the thread list to look at, while it is looked for */
	struct thread_place place;
	/*
	 * A subinterpreter runs on top of frames of older ones. When its chain is over, they are
	 * looked through for a state of this thread: the interpreter whose chain was the latest,
	 * or that is looked through, 0: no more; and its next state to look at.
	 */
	__u64 outer_interp;
	__u64 outer_search;
	__u64 latest_anchor; /* outer ones lie further up on the stack */
	__u32 outer_begin;   /* first entry of the latest outer chain; ~0: none */
	__u32 needs_facts;   /* numbers of code objects are not unique in the process */
	__u64 cframe;	     /* of the activation that frame belongs to; 0 without cframes */
	__u32 nr;	     /* entries in frames[] */
	__u32 status;	     /* enum pyrec_walk_status */
	__u32 is_done;
	/*
	 * The leaf executes the start of the evaluation function, where tstate->cframe points at a
	 * _PyCFrame that may not be filled in. Only until its activation is left.
	 */
	__u32 in_prologue;
	__u64 task;	    /* asyncio task that the thread runs; 0: none */
	__u64 frame_type;   /* of heap frames: all have the same ob_type */
	__u64 base_frame;   /* where the chain ends, but a greenlet's; 0: the version has none */
	__u64 outer_cframe; /* then: the caller's, as far as known */
	__u64 copy_code;    /* whose copy of bytecode number copy_index begins at copy_start */
	__u64 copy_start;
	__u32 copy_index;
	__u32 next_code; /* next frames[] entry to fingerprint */
	__u32 misses_nr;
	__u32 next_miss;
	__u32 facts_fingerprint; /* of facts, 0: none */
	__u64 file;		 /* string object that file_key is of; frames share it */
	__u64 file_key;		 /* walk_text_key(), 0: none yet */
	__u64 object[WALK_OBJECT_WORDS];
	__u64 head[PYREC_TEXT_END_WORDS]; /* of the text read last */
	__u64 tail[PYREC_TEXT_END_WORDS];
	__u16 misses[PYREC_MISSES_MAX]; /* indices of frames whose code object was not sent yet */
	struct pyrec_code_facts facts;
	__u64 frame_objects[PYREC_FRAMES_MAX]; /* heap frames: that each entry was read from */
};

/* The words of the object read last, by byte offset; masks keep any offset inside. */
walk_inline __u64 walk_word(const struct walk *walk, __u16 offset)
{
	return walk->object[(offset >> 3) & (WALK_OBJECT_WORDS - 1)];
}

walk_inline __u32 walk_half(const struct walk *walk, __u16 offset)
{
	__u64 word = walk_word(walk, offset);

	return (offset & 4) ? (__u32)(word >> 32) : (__u32)word;
}

walk_inline __u8 walk_byte(const struct walk *walk, __u16 offset)
{
	return (__u8)(walk_word(walk, offset) >> ((offset & 7) * 8));
}

/* Of a broken chain of an outer interpreter it is not sure that it is this thread's. */
walk_inline void walk_stop(struct walk *walk, __u32 status)
{
	if (status != PYREC_WALK_COMPLETE && walk->outer_begin != ~0U)
		walk->nr = walk->outer_begin;
	walk->status = status;
	walk->is_done = 1;
}

/* What is at @address could not be read. */
walk_inline void walk_fault(struct walk *walk, __u64 address)
{
	walk->place.unread = address;
	walk_stop(walk, PYREC_WALK_FAULTED);
}

/* The thread has no state, or what leads to it could not be read. */
walk_inline void walk_stop_without_state(struct walk *walk)
{
	walk_stop(walk, walk->place.unread ? PYREC_WALK_FAULTED : PYREC_WALK_NO_THREAD_STATE);
}

walk_inline void walk_init(struct walk *walk)
{
	walk->frame = 0;
	walk->place.unread = 0;
	walk->tstate = 0;
	walk->search = 0;
	walk->task = 0;
	walk->outer_interp = 0;
	walk->outer_search = 0;
	walk->latest_anchor = 0;
	walk->outer_begin = ~0U;
	walk->needs_facts = 0;
	walk->nr = 0;
	walk->is_done = 0;
	walk->status = PYREC_WALK_TRUNCATED;
	walk->cframe = 0;
	walk->outer_cframe = 0;
	walk->frame_type = 0;
	walk->base_frame = 0;
	walk->in_prologue = 0;
	walk->next_code = 0;
	walk->misses_nr = 0;
	walk->next_miss = 0;
	walk->file_key = 0;
	walk->copy_code = 0;
}

/* Begin with the activation that @cframe describes. */
walk_inline void walk_enter_cframe(struct walk *walk, const struct pyrec_layout *layout,
				   __u64 cframe)
{
	__u64 frame = 0;

	walk->cframe = cframe;
	if (!cframe || read_user(&frame, 8, cframe + layout->cframe_frame)) {
		walk_fault(walk, cframe + layout->cframe_frame);
		return;
	}
	walk->frame = frame;
	if (!frame) /* no Python code runs in this thread */
		walk_stop(walk, PYREC_WALK_COMPLETE);
}

/* The main interpreter lies in _PyRuntime from 3.11 on. Before, whatever is not known to be main
 * may be asked for the next older one, which the main one has not. */
walk_inline int walk_is_main(const struct pyrec_process *process, __u64 interp)
{
	return interp - process->runtime_address < process->runtime_bytes;
}

/* Begin with the top frame of @tstate. */
walk_inline void walk_enter_state(struct walk *walk, const struct pyrec_layout *layout,
				  const struct pyrec_process *process, __u64 tstate)
{
	__u64 interp;
	__u64 top;

	walk->tstate = tstate;
	if (read_user(walk->object, PYREC_TSTATE_HEAD_BYTES, tstate)) {
		walk_fault(walk, tstate);
		return;
	}
	interp = walk_word(walk, layout->tstate_interp);
	walk->outer_interp = walk_is_main(process, interp) ? 0 : interp;
	/* Each interpreter counts its code objects, the main one anew after each Py_Initialize().
	 */
	walk->needs_facts |= walk->outer_interp || process->flags & PYREC_PROCESS_IS_EMBEDDED;
	top = walk_word(walk, layout->tstate_frame);
	if (layout->has_cframe) {
		walk_enter_cframe(walk, layout, top);
		return;
	}
	walk->frame = top;
	walk->base_frame = layout->tstate_base_frame ? walk_word(walk, layout->tstate_base_frame)
						     : 0;
	if (!top) /* no Python code runs in this thread */
		walk_stop(walk, PYREC_WALK_COMPLETE);
}

/* Nothing follows, not even the frames of an outer interpreter. */
walk_inline int walk_is_over(const struct walk *walk)
{
	return walk->is_done && (walk->status != PYREC_WALK_COMPLETE || !walk->outer_interp);
}

/* The chain is whole: go on looking for that of an outer interpreter, one state a step. */
walk_inline long walk_outer_step(struct walk *walk, const struct pyrec_layout *layout,
				 const struct pyrec_process *process)
{
	__u64 tstate = walk->outer_search;
	__u64 frame = 0;

	if (!tstate) {
		if (!layout->interp_threads ||
		    thread_read(&walk->place, &walk->outer_interp,
				walk->outer_interp + layout->interp_next) ||
		    !walk->outer_interp ||
		    thread_read(&walk->place, &walk->outer_search,
				walk->outer_interp + layout->interp_threads))
			walk->outer_interp = 0;
	} else if (!thread_read(&walk->place, &walk->outer_search, tstate + layout->tstate_next) &&
		   thread_owns(layout, &walk->place, tstate) &&
		   !thread_read(&walk->place, &frame, tstate + layout->tstate_frame) && frame) {
		walk->outer_search = 0;
		walk->outer_begin = walk->nr;
		walk->is_done = 0;
		walk->status = PYREC_WALK_TRUNCATED;
		walk_enter_state(walk, layout, process, tstate);
	}
	if (walk->place.unread)
		walk_stop(walk, PYREC_WALK_FAULTED);
	return walk_is_over(walk);
}

/**
 * 2.7: as walk_begin(), for the thread with pointer @fs: its attached state, else @known, else the
 * walk begins with looking for it, as PyGILState_GetThisThreadState() does. One entry a step:
 * threads may be many. @flags as in walk_thread_state().
 */
walk_inline void walk_begin_listed(struct walk *walk, const struct pyrec_layout *layout,
				   const struct pyrec_process *process, __u64 fs,
				   const struct thread_known *known, __u32 *flags)
{
	__u64 tstate;

	walk_init(walk);
	walk->place.fs = fs;
	tstate = thread_attached_state(process, layout, &walk->place, flags);
	if (!tstate)
		tstate = thread_known_state(known, layout, &walk->place);
	if (!tstate && process->thread_list)
		(void)thread_read_variable(process, &walk->place, &walk->search,
					   process->thread_list);
	if (walk->place.unread || (!tstate && !walk->search))
		walk_stop_without_state(walk);
	else if (tstate)
		walk_enter_state(walk, layout, process, tstate);
}

/*
 * struct key {next, id, key, value}, Python/thread.c of 2.7: id is the thread. An entry of another
 * key has a value that is no state of this thread. Threads come and go while it is looked through:
 * what was freed may lead astray, which ends in a fault or among the entries again.
 */
walk_inline long walk_search_step(struct walk *walk, const struct pyrec_layout *layout,
				  const struct pyrec_process *process)
{
	__u64 thread = 0;
	__u64 value;

	if (read_user(walk->object, 32, walk->search)) {
		walk_fault(walk, walk->search);
		return 1;
	}
	value = walk_word(walk, 24);
	walk->search = walk_word(walk, 0);
	if (walk_word(walk, 8) == walk->place.fs && value &&
	    !thread_read(&walk->place, &thread, value + layout->tstate_thread) &&
	    thread == walk->place.fs) {
		walk->search = 0;
		walk->place.unread = 0; /* what another key has need not be an address */
		walk_enter_state(walk, layout, process, value);
	} else if (!walk->search) {
		walk_stop_without_state(walk);
	}
	return walk->is_done;
}

/*
 * The activation at the leaf contradicts itself while its _PyCFrame may not be filled in yet: leave
 * it out, its caller's is the leaf.
 */
walk_inline void walk_skip_unfinished(struct walk *walk, const struct pyrec_layout *layout)
{
	__u64 outer = walk->outer_cframe;

	walk->nr = 0;
	walk->outer_cframe = 0;
	walk->place.unread = 0;
	walk->is_done = 0;
	if (outer)
		walk_enter_cframe(walk, layout, outer);
	else
		walk_stop(walk, PYREC_WALK_TORN);
}

/* The chain is broken here; @status FAULTED: walk->place.unread tells by what. */
walk_inline void walk_break(struct walk *walk, const struct pyrec_layout *layout, __u32 status)
{
	if (walk->in_prologue) {
		walk->in_prologue = 0;
		walk_skip_unfinished(walk, layout);
	} else {
		walk_stop(walk, status);
	}
}

walk_inline int walk_is_in_registers(const __u64 *regs, __u64 value)
{
	int found = 0;

	for (int i = 0; i < PYREC_REGS_MAX; i++)
		found |= regs[i] == value;
	return found;
}

/*
 * The caller's _PyCFrame while the new one, at @cframe, is being filled in: the prologue has it in
 * a register most of that time, and it lies further up on the same stack. Whether it is one is
 * checked by the walk, as each is. 0: no register looks like it.
 */
walk_inline __u64 walk_find_outer_cframe(const __u64 *regs, __u64 cframe)
{
	__u64 found = 0;

	for (int i = 0; i < PYREC_REGS_MAX; i++)
		if (regs[i] > cframe && regs[i] - cframe < (1 << 20) && !(regs[i] & 7) &&
		    i != PYREC_REG_SP && (!found || regs[i] > found))
			found = regs[i];
	return found;
}

/**
 * Prepare @walk for the thread at @place. @regs: its user registers in the order of struct
 * pyrec_sample, @ip: its user instruction pointer. @flags: see thread_find_state().
 */
walk_inline void walk_begin(struct walk *walk, const struct pyrec_layout *layout,
			    const struct pyrec_process *process, const struct thread_place *place,
			    const __u64 *regs, __u64 ip, __u32 *flags)
{
	__u64 tstate;

	walk_init(walk);
	walk->place = *place;
	/* Until the loader has set it, a thread has nothing of its own. */
	tstate = place->fs ? thread_find_state(process, layout, &walk->place, flags) : 0;
	if (walk->place.unread || !tstate) {
		walk_stop_without_state(walk);
		return;
	}
	walk_enter_state(walk, layout, process, tstate);
	if (process->tstate_task && read_user(&walk->task, 8, tstate + process->tstate_task))
		walk->task = ~0ULL; /* nothing can be read there either: told as unreadable */
	if (layout->has_cframe && process->eval_linked &&
	    ip - process->eval_linked < PYREC_EVAL_PROLOGUE_BYTES) {
		__u64 top = walk_word(walk, layout->tstate_frame);

		walk->outer_cframe = walk_find_outer_cframe(regs, top);
		walk->in_prologue = 1;
		/* The function's argument `frame` stays in a register all through its prologue. */
		if (walk->is_done || !walk_is_in_registers(regs, walk->frame))
			walk_break(walk, layout, PYREC_WALK_TORN);
	}
}

/*
 * &frames[at] of an index that is in bounds. Compilers put numbers on the stack as they like, and
 * the verifiers of Linux 5.10 and 6.1 forget the bounds of one that comes from there: tell them
 * again, where nothing can come between.
 */
walk_inline struct pyrec_frame *walk_frame_at(struct pyrec_frame *frames, __u32 at)
{
#ifdef __bpf__
	_Static_assert(sizeof(*frames) == 1 << 4, "the shift below");
	__u64 offset = at;

	asm volatile("if %[offset] < %[end] goto +1\n"
		     "%[offset] = 0\n"
		     "%[offset] <<= 4\n"
		     "%[frames] += %[offset]\n"
		     : [offset] "+r"(offset), [frames] "+r"(frames)
		     : [end] "i"(PYREC_FRAMES_MAX));
	return frames;
#else
	return &frames[at];
#endif
}

walk_inline void walk_push(struct walk *walk, struct pyrec_frame *frames, __u64 address,
			   __s32 instr)
{
	__u32 at = walk->nr;
	struct pyrec_frame *frame;

	if (at >= PYREC_FRAMES_MAX)
		return;
	frame = walk_frame_at(frames, at);
	frame->address = address;
	frame->instr = instr;
	frame->fingerprint = 0;
	walk->nr = at + 1;
}

/*
 * An activation of the evaluation loop ends at @anchor; @previous is the frame that called it.
 * With cframes both must tell the same: the outer cframe's current frame is @previous.
 */
walk_inline void walk_leave_activation(struct walk *walk, const struct pyrec_layout *layout,
				       struct pyrec_frame *frames, __u64 anchor, __u64 previous)
{
	__u64 outer = 0;
	__u64 expected = previous;

	/* A state may have come from a thread that goes on with it: then nothing follows here. */
	if (walk->outer_begin != ~0U &&
	    (anchor <= walk->latest_anchor || anchor >= walk->place.stack_end)) {
		walk->nr = walk->outer_begin;
		walk->outer_interp = 0;
		walk_stop(walk, PYREC_WALK_COMPLETE);
		return;
	}
	walk->latest_anchor = anchor;
	walk_push(walk, frames, anchor, PYREC_INSTR_ENTRY);
	if (layout->has_cframe) {
		if (thread_read(&walk->place, &outer, walk->cframe + layout->cframe_previous) ||
		    thread_read(&walk->place, &expected, outer + layout->cframe_frame)) {
			walk_break(walk, layout, PYREC_WALK_FAULTED);
			return;
		}
		if (expected != previous) {
			walk_break(walk, layout, PYREC_WALK_TORN);
			return;
		}
		walk->cframe = outer;
	}
	walk->in_prologue = 0;
	walk->frame = previous;
	if (!previous)
		walk_stop(walk, PYREC_WALK_COMPLETE);
}

/*
 * 3.10 and older: a PyFrameObject, an activation of its own. Their chain ends without a mark, so
 * what can be told of a torn one is that something in it is no frame object.
 */
walk_inline long walk_heap_frame(struct walk *walk, const struct pyrec_layout *layout,
				 struct pyrec_frame *frames)
{
	__u32 at = walk->nr;
	__u64 previous;
	__u64 type;
	__s32 instr;

	if (read_user(walk->object, PYREC_HEAP_FRAME_HEAD_BYTES, walk->frame)) {
		walk_fault(walk, walk->frame);
		return 1;
	}
	type = walk_word(walk, 8); /* ob_type */
	previous = walk_word(walk, layout->frame_previous);
	instr = (__s32)walk_half(walk, layout->frame_instr);
	if (!walk->frame_type)
		walk->frame_type = type;
	if (type != walk->frame_type || previous == walk->frame || instr < -1) {
		walk_stop(walk, PYREC_WALK_TORN);
		return 1;
	}
	if (at < PYREC_FRAMES_MAX)
		walk->frame_objects[at] = walk->frame;
	walk_push(walk, frames, walk_word(walk, layout->frame_code),
		  instr < 0 ? instr : instr >> layout->instr_shift);
	walk->frame = previous;
	if (!previous)
		walk_stop(walk, PYREC_WALK_COMPLETE);
	return walk_is_over(walk);
}

/*
 * Where the bytecode begins that the frame just read runs, 0: unreadable. Free-threaded 3.14 and
 * newer (Include/internal/pycore_code.h, struct _PyCodeArray {size, entries[]}): each thread has a
 * copy of its own but the first, which runs that in the code object.
 */
walk_inline __u64 walk_instrs(struct walk *walk, const struct pyrec_layout *layout, __u64 code)
{
	__u64 copies = 0;
	__u32 index;

	if (!layout->code_copies)
		return code + layout->code_instrs;
	index = walk_half(walk, layout->frame_copy);
	if (!index)
		return code + layout->code_instrs;
	if (code == walk->copy_code && index == walk->copy_index)
		return walk->copy_start;
	if (thread_read(&walk->place, &copies, code + layout->code_copies) || !copies ||
	    thread_read(&walk->place, &walk->copy_start, copies + 8 + (__u64)index * 8))
		return 0;
	walk->copy_code = code;
	walk->copy_index = index;
	return walk->copy_start;
}

/*
 * Is the frame just read, at @frame, said to have called the leaf though it cannot have? A frame
 * is linked before it says which one called it, where the compiler has put the stores so (Debian's
 * 3.11): for that moment it says what the one before it at its place did. That may be a generator
 * that has ended or waits; one that calls runs (FRAME_EXECUTING is 0).
 */
walk_inline int walk_is_mislinked(struct walk *walk, const struct pyrec_layout *layout,
				  struct pyrec_frame *frames, __u64 frame)
{
	enum { OWNED_BY_GENERATOR = 1 };
	const __s32 leaf_instr = walk_frame_at(frames, 0)->instr;
	__u64 before = 0;

	if (!layout->generator_state || walk->nr != 1 || (leaf_instr != -1 && leaf_instr != 0) ||
	    walk_byte(walk, layout->frame_kind) != OWNED_BY_GENERATOR)
		return 0;
	return thread_read(&walk->place, &before, frame - 8) ||
	       (before >> ((8 - layout->generator_state) & 7) * 8 & 0xff) != 0;
}

/** Visit one frame. Return: 1 when the walk is over, else 0. */
walk_inline long walk_step(struct walk *walk, const struct pyrec_layout *layout,
			   const struct pyrec_process *process, struct pyrec_frame *frames)
{
	__u64 previous;
	__u64 instrs;
	__u64 frame;
	__u64 code;
	__s64 instr;
	__u8 owner;
	int is_entry;

	if (walk_is_over(walk))
		return 1;
	if (walk->is_done)
		return walk_outer_step(walk, layout, process);
	if (walk->search)
		return walk_search_step(walk, layout, process);
	frame = walk->frame;
	if (walk->nr >= PYREC_FRAMES_MAX - 1) /* a frame may bring a marker with it */
		return 1;		      /* status is still TRUNCATED */
	if (layout->is_heap_frame)
		return walk_heap_frame(walk, layout, frames);
	if (frame == walk->base_frame) { /* no activation of its own */
		walk_stop(walk, PYREC_WALK_COMPLETE);
		return walk_is_over(walk);
	}
	if (read_user(walk->object, PYREC_FRAME_HEAD_BYTES, frame)) {
		walk->place.unread = frame;
		walk_break(walk, layout, PYREC_WALK_FAULTED);
		return walk_is_over(walk);
	}
	previous = walk_word(walk, layout->frame_previous);
	owner = walk_byte(walk, layout->frame_owner);
	is_entry = owner == layout->entry_value;
	if ((owner > layout->entry_value && owner != layout->skipped_owner) ||
	    walk_is_mislinked(walk, layout, frames, frame)) {
		walk_break(walk, layout, walk->place.unread ? PYREC_WALK_FAULTED : PYREC_WALK_TORN);
		return walk_is_over(walk);
	}
	if (owner <= layout->entry_value && (!is_entry || layout->entry_is_frame)) {
		code = walk_word(walk, layout->frame_code) & ~3ULL;
		instrs = walk_instrs(walk, layout, code);
		instr = (__s64)(walk_word(walk, layout->frame_instr) - instrs) >> 1;
		if (!code || !instrs || instr < -1 || instr > 0x3ffffff) {
			walk_break(walk, layout,
				   walk->place.unread ? PYREC_WALK_FAULTED : PYREC_WALK_TORN);
			return walk_is_over(walk);
		}
		walk_push(walk, frames, code, (__s32)instr);
	}
	if (is_entry) {
		walk_leave_activation(walk, layout, frames,
				      layout->entry_is_frame ? walk->cframe : frame, previous);
		return walk_is_over(walk);
	}
	walk->frame = previous;
	if (!previous || previous == frame) /* every thread's bottom is an entry frame */
		walk_break(walk, layout, PYREC_WALK_TORN);
	return walk_is_over(walk);
}

#endif
