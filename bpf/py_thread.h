/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From a thread to its PyThreadStates. Like bpf/py_walk.h, which includes it, compiled into the BPF
 * programs and into tests/hostbpf; it calls nothing but read_user().
 */
#ifndef PYREC_PY_THREAD_H
#define PYREC_PY_THREAD_H

#ifndef walk_inline
#define walk_inline static inline __attribute__((always_inline))
#endif

enum {
	THREAD_INTERPRETERS_MAX = 8, /* newer than the thread's own that are looked through */
	THREAD_STATES_MAX = 8,	     /* of each */
};

/* Where a thread stands. */
struct thread_place {
	__u64 fs;	 /* thread pointer, on glibc pthread_self() */
	__u64 sp;	 /* user stack pointer */
	__u64 stack_end; /* upper end of its stack */
	__u64 unread;	 /* what thread_read() could not read last; 0: nothing */
};

/* 2.7: the state that a thread had at its latest sample, and that state's interpreter. */
struct thread_known {
	__u64 tstate; /* 0: not known */
	__u64 interp;
};

/*
 * A word on the way to the thread's state. One that is paged out must not pass for "has no state",
 * nor for another state: whoever asks looks at place->unread.
 */
walk_inline long thread_read(struct thread_place *place, __u64 *to, __u64 from)
{
	if (!read_user(to, 8, from))
		return 0;
	place->unread = from;
	return -1;
}

/*
 * A variable of the interpreter, found before it has begun. While no thread of the process was seen
 * with a state, one without a page counts as not touched yet: the recorder has touched them all
 * when it found the process (record/processes.c).
 */
walk_inline long thread_read_variable(const struct pyrec_process *process,
				      struct thread_place *place, __u64 *to, __u64 from)
{
	if (!read_user(to, 8, from))
		return 0;
	if (process->flags & PYREC_PROCESS_HAS_STATE)
		place->unread = from;
	return -1;
}

/* Value of thread-specific data @key of the thread at @place; 0 when unset.
 * glibc x86-64 (nptl/descr.h): struct pthread has specific_1stblock[32] of 16-byte entries at
 * 0x310 and specific[32], pointers to further blocks of 32, at 0x510. */
walk_inline __u64 thread_glibc_specific(struct thread_place *place, __u32 key)
{
	__u64 block = place->fs + 0x310;
	__u64 value = 0;

	if (key >= 1024)
		return 0;
	if (key >= 32) {
		if (thread_read(place, &block, place->fs + 0x510 + (key / 32) * 8) || !block)
			return 0;
	}
	if (thread_read(place, &value, block + (key % 32) * 16 + 8))
		return 0;
	return value;
}

/* The same with musl (pthread_getspecific.c): struct pthread points to an array of pointers. */
walk_inline __u64 thread_musl_specific(struct thread_place *place, __u32 key, __u32 offset)
{
	__u64 array = 0;
	__u64 value = 0;

	if (key >= 128 || thread_read(place, &array, place->fs + offset) || !array ||
	    thread_read(place, &value, array + key * 8))
		return 0;
	return value;
}

/*
 * Address of the thread's copy of a dynamic TLS block: glibc's DTV (sysdeps/x86_64/dl-tls.h,
 * elf/dl-tls.c), 16 bytes per module, the one before the first tells how many there are. It grows
 * when the thread first uses such a block, so it may be too short for a module loaded later.
 * musl's (src/env/__init_tls.c): 8 bytes per module, the first word tells how many.
 */
walk_inline __u64 thread_dynamic_tls(const struct pyrec_process *process,
				     struct thread_place *place)
{
	const int is_musl = process->musl_specific != 0;
	__u64 module = 0;
	__u64 modules_nr = 0;
	__u64 dtv = 0;
	__u64 block = 0;

	if (thread_read_variable(process, place, &module, process->tls_module_address) || !module ||
	    module > 65536)
		return 0;
	if (thread_read(place, &dtv, place->fs + 8) || !dtv)
		return 0;
	if (thread_read(place, &modules_nr, is_musl ? dtv : dtv - 16) || module > modules_nr)
		return 0;
	if (thread_read(place, &block, dtv + module * (is_musl ? 8 : 16)))
		return 0;
	return block == ~0ULL ? 0 : block; /* TLS_DTV_UNALLOCATED */
}

/* Begin of the thread-local variables of the file that Python is in; 0: unknown. */
walk_inline __u64 thread_tls_block(const struct pyrec_process *process, struct thread_place *place)
{
	if (process->tls_kind == PYREC_TLS_STATIC)
		return place->fs;
	if (process->tls_kind == PYREC_TLS_DYNAMIC)
		return thread_dynamic_tls(process, place);
	return 0;
}

/*
 * The state bound to the thread, whether it holds the GIL or not: the first that was made for it.
 * In a second variable (3.15) or by its key.
 */
walk_inline __u64 thread_bound_state(const struct pyrec_process *process,
				     struct thread_place *place)
{
	__u64 tstate = 0;
	__u64 key = 0;

	if (process->flags & PYREC_PROCESS_BOUND_TLS) {
		__u64 block = thread_tls_block(process, place);

		return block && !thread_read(place, &tstate, block + process->bound_offset) ? tstate
											    : 0;
	}
	if (!process->key_address ||
	    thread_read_variable(process, place, &key, process->key_address))
		return 0;
	if (process->flags & PYREC_PROCESS_PLAIN_KEY)
		key <<= 32;
	else if (!(__u32)key)
		return 0;
	return process->musl_specific
		   ? thread_musl_specific(place, (__u32)(key >> 32), process->musl_specific)
		   : thread_glibc_specific(place, (__u32)(key >> 32));
}

/*
 * Is @tstate this thread's at this moment? From 3.10 to 3.12 Python code that runs in it has its
 * latest CFrame on the C stack. Else by the thread that it was made for, which up to 3.9 need not
 * be the one that uses it: report then finds other evaluation loops than frames.
 */
walk_inline int thread_owns(const struct pyrec_layout *layout, struct thread_place *place,
			    __u64 tstate)
{
	__u64 value = 0;

	if (layout->tstate_cframe)
		return !thread_read(place, &value, tstate + layout->tstate_cframe) &&
		       value >= place->sp && value < place->stack_end;
	return !thread_read(place, &value, tstate + layout->tstate_thread) && value == place->fs;
}

/* The thread's state with frames in one interpreter. */
walk_inline __u64 thread_find_in(const struct pyrec_layout *layout, struct thread_place *place,
				 __u64 interp)
{
	__u64 tstate = 0;
	__u64 frame = 0;

	if (thread_read(place, &tstate, interp + layout->interp_threads))
		return 0;
	for (int i = 0; i < THREAD_STATES_MAX && tstate; i++) {
		if (thread_owns(layout, place, tstate) &&
		    !thread_read(place, &frame, tstate + layout->tstate_frame) && frame)
			return tstate;
		if (thread_read(place, &tstate, tstate + layout->tstate_next))
			return 0;
	}
	return 0;
}

/*
 * 3.11 and older: the state that is bound to a thread stays the first one, so nothing leads from a
 * thread that has released the GIL to its state in a subinterpreter. Look through the interpreters
 * that are newer than that of @bound. The list has the newest first, the main one last; most
 * processes have only that.
 */
walk_inline __u64 thread_find_newer(const struct pyrec_process *process,
				    const struct pyrec_layout *layout, struct thread_place *place,
				    __u64 bound)
{
	__u64 interp = 0;
	__u64 known = 0;

	if (!process->interpreters_address ||
	    thread_read_variable(process, place, &interp, process->interpreters_address))
		return 0;
	if (bound && thread_read(place, &known, bound + layout->tstate_interp))
		return 0;
	for (int i = 0; i < THREAD_INTERPRETERS_MAX && interp && interp != known; i++) {
		__u64 next = 0;
		__u64 tstate;

		if (thread_read(place, &next, interp + layout->interp_next) || !next)
			return 0;
		tstate = thread_find_in(layout, place, interp);
		if (tstate)
			return tstate;
		interp = next;
	}
	return 0;
}

/*
 * 3.11 and older: one variable for the whole process has the attached state. It is this thread's
 * when it is @bound, or that of a subinterpreter that runs in it.
 */
walk_inline __u64 thread_find_shared(const struct pyrec_process *process,
				     const struct pyrec_layout *layout, struct thread_place *place,
				     __u32 *flags)
{
	__u64 bound = thread_bound_state(process, place);
	__u64 attached = 0;
	__u64 inner;

	if (process->current_address &&
	    !thread_read_variable(process, place, &attached, process->current_address)) {
		int is_own = attached &&
			     (attached == bound || thread_owns(layout, place, attached));

		if (is_own || bound)
			*flags |= PYREC_SAMPLE_GIL_KNOWN | (is_own ? PYREC_SAMPLE_HOLDS_GIL : 0);
		if (is_own)
			return attached;
	}
	inner = thread_find_newer(process, layout, place, bound);
	return inner ? inner : bound;
}

/*
 * The thread's state whose frames are on top; 0: none. @flags gets what that tells of the GIL (enum
 * pyrec_sample_flags): a thread is attached while it holds it. From 3.12 on the attached state is
 * in a variable of each thread, and the latest one that was attached stays bound.
 */
walk_inline __u64 thread_find_state(const struct pyrec_process *process,
				    const struct pyrec_layout *layout, struct thread_place *place,
				    __u32 *flags)
{
	__u64 block = thread_tls_block(process, place);
	__u64 attached = 0;

	if (process->tls_kind == PYREC_TLS_NONE)
		return thread_find_shared(process, layout, place, flags);
	if (block && !thread_read(place, &attached, block + process->tls_offset) &&
	    !(process->flags & PYREC_PROCESS_NO_GIL))
		*flags |= PYREC_SAMPLE_GIL_KNOWN | (attached ? PYREC_SAMPLE_HOLDS_GIL : 0);
	return attached ? attached : thread_bound_state(process, place);
}

/* 2.7: the attached state, if it is this thread's; @flags as above. */
walk_inline __u64 thread_attached_state(const struct pyrec_process *process,
					const struct pyrec_layout *layout,
					struct thread_place *place, __u32 *flags)
{
	__u64 tstate = 0;
	__u64 thread = 0;

	if (thread_read_variable(process, place, &tstate, process->current_address))
		return 0;
	if (tstate && thread_read(place, &thread, tstate + layout->tstate_thread))
		return 0;
	*flags |= PYREC_SAMPLE_GIL_KNOWN;
	if (!tstate || thread != place->fs)
		return 0;
	*flags |= PYREC_SAMPLE_HOLDS_GIL;
	return tstate;
}

/*
 * 2.7: @known, if the thread still has it. Freeing a state clears its frame and overwrites interp
 * (glibc keeps free chunks in lists by their first two words), or unmaps it.
 */
walk_inline __u64 thread_known_state(const struct thread_known *known,
				     const struct pyrec_layout *layout,
				     const struct thread_place *place)
{
	const __u64 tstate = known->tstate;
	__u64 interp = 0;
	__u64 thread = 0;
	__u64 frame = 0;

	if (!tstate || read_user(&interp, 8, tstate + layout->tstate_interp) ||
	    read_user(&thread, 8, tstate + layout->tstate_thread) ||
	    read_user(&frame, 8, tstate + layout->tstate_frame))
		return 0;
	return interp == known->interp && thread == place->fs && frame ? tstate : 0;
}

#endif
