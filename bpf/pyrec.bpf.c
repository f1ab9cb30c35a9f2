/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The sampler: one perf_event program builds a whole sample in one pass and hands it to the
 * ring buffer (other end: record/drain.c drain_on_event()).
 *
 * Two objects come from this source. The loop object uses bpf_loop() (Linux 5.17 and newer) and
 * does everything in one program. The legacy object (-DPYREC_BPF_LEGACY, 5.10 and newer) walks
 * 128 frames in a bounded loop, then tail calls itself; its programs return a literal, because a
 * computed value makes the verifier of 5.10 and 6.1 take twenty times as long.
 */
#include "bpf/vmlinux_min.h"

#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "bpf/pyrec_bpf.h"

char LICENSE[] SEC("license") = "Dual BSD/GPL";

static inline __attribute__((always_inline)) long read_user(void *to, __u32 nr, __u64 from)
{
	return bpf_probe_read_user(to, nr, (const void *)from);
}

#include "bpf/py_walk.h"
#include "bpf/py_code.h"
#include "bpf/async_walk.h"
#include "bpf/sampler_state.h"
#include "bpf/process_find.h"
#include "bpf/code_events.h"

/* ---- Registers and stack ends ---- */

/* Registers that user space will go on with. In kernel mode they lie at the top of the kernel
 * stack. */
static inline void user_regs_read(struct scratch *s, struct bpf_perf_event_data *ctx,
				  struct task_struct *task)
{
	const void *saved;

	if (s->is_user_tick) {
		s->regs = ctx->regs;
		return;
	}
#ifdef PYREC_BPF_LEGACY
	/* Without the helper (Linux before 5.15): THREAD_SIZE is 16 KiB unless under KASAN. Later
	 * kernels may leave a gap above pt_regs, for FRED. */
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_task_pt_regs))
		saved = (const void *)bpf_task_pt_regs(bpf_get_current_task_btf());
	else
		saved = (const void *)((__u64)kernel_read(task, stack) + 16384 - sizeof(s->regs));
#else
	saved = (const void *)bpf_task_pt_regs(bpf_get_current_task_btf());
#endif
	if (bpf_probe_read_kernel(&s->regs, sizeof(s->regs), saved))
		__builtin_memset(&s->regs, 0, sizeof(s->regs));
}

static inline void sample_set_regs(__u64 *to, const struct user_regs *regs)
{
	to[0] = regs->ax;
	to[1] = regs->bx;
	to[2] = regs->cx;
	to[3] = regs->dx;
	to[4] = regs->si;
	to[5] = regs->di;
	to[6] = regs->bp;
	to[7] = regs->sp;
	to[8] = regs->ip;
	to[9] = regs->flags;
	to[10] = regs->cs & 0xffff;
	to[11] = regs->ss & 0xffff;
	to[12] = regs->r8;
	to[13] = regs->r9;
	to[14] = regs->r10;
	to[15] = regs->r11;
	to[16] = regs->r12;
	to[17] = regs->r13;
	to[18] = regs->r14;
	to[19] = regs->r15;
}

/* ---- The parts behind the frames ---- */

static inline __u32 kernel_stack_copy(struct scratch *s, void *ctx, __u32 at)
{
	long bytes;

	if (s->is_user_tick || at > FRAMES_BYTES)
		return at;
	bytes = bpf_get_stack(ctx, s->sample.tail.bytes + at, KERNEL_BYTES, 0);
	if (bytes <= 0 || bytes > KERNEL_BYTES)
		return at;
	s->sample.head.kernel_nr = (__u32)bytes / 8;
	if (bytes == KERNEL_BYTES)
		s->sample.head.flags |= PYREC_SAMPLE_KERNEL_CUT;
	return at + (__u32)bytes;
}

/*
 * The live part of the user stack: SP up to where the thread's stack began, so that arguments and
 * environment, which lie above, are never copied. On a foreign stack (its end is unknown) the
 * largest readable piece is taken.
 */
static inline __u32 user_stack_copy(struct scratch *s, __u32 at)
{
	__u64 sp = s->regs.sp;
	__u64 size = (s->stack_end - sp) & ~7ULL;
	__u32 cap = config_stack_cap;

	if (cap > PYREC_STACK_CAP_MAX)
		cap = PYREC_STACK_CAP_MAX;
	if (size > cap) { /* also when the stack's end lies below SP: the difference wraps */
		size = cap;
		s->sample.head.flags |= PYREC_SAMPLE_STACK_CUT;
	}
	if (at > FRAMES_BYTES + KERNEL_BYTES)
		return at;
	for (int attempt = 0; attempt < 3; attempt++) {
		__u32 nr = (__u32)size;

		if (nr > PYREC_STACK_CAP_MAX)
			return at;
		if (!bpf_probe_read_user(s->sample.tail.bytes + at, nr, (const void *)sp)) {
			s->sample.head.stack_bytes = nr;
			return at + nr;
		}
		s->sample.head.flags |= PYREC_SAMPLE_STACK_CUT;
		/* 16 KiB, then up to the end of the page that SP is in */
		size = attempt == 0 && size > 16384 ? 16384 : 4096 - (sp & 4095);
	}
	s->sample.head.flags |= PYREC_SAMPLE_STACK_FAULTED;
	return at;
}

/* The running task's name behind everything else. Return: the sample's new end. */
static inline __u32 task_name_copy(struct scratch *s, __u32 at)
{
	struct pyrec_sample *head = &s->sample.head;
	struct walk_async_name name;
	__u32 nr;

	walk_async_find(&s->walk, &s->layout, &s->process, &name);
	head->task_kind = (__u16)name.kind;
	head->task_unit = (__u16)name.unit;
	head->task_number = name.number;
	head->task_bytes = 0;
	if (name.kind != PYREC_ASYNC_NAMED)
		return at;
	if (name.bytes > PYREC_ASYNC_NAME_BYTES_MAX) {
		name.bytes = PYREC_ASYNC_NAME_BYTES_MAX;
		head->flags |= PYREC_SAMPLE_ASYNC_CUT;
	}
	nr = (__u32)name.bytes;
	if (at > STACK_END_MAX ||
	    read_user(s->sample.tail.bytes + at, (__u32)at_most(nr, PYREC_ASYNC_NAME_BYTES_MAX),
		      name.address)) {
		head->task_kind = PYREC_ASYNC_UNREADABLE;
		return at;
	}
	head->task_bytes = nr;
	return at + nr;
}

/* ---- One tick ---- */

/* Everything before the frames. Return: the scratch of this CPU when this tick is to be recorded.
 */
static inline struct scratch *sample_begin(struct bpf_perf_event_data *ctx)
{
#ifdef PYREC_BPF_LEGACY
	struct task_struct *task = (void *)bpf_get_current_task();
#else
	struct task_struct *task = bpf_get_current_task_btf();
#endif
	struct task_struct *leader = kernel_read(task, group_leader);
	__u64 ids = task_ids(task, leader);
	struct pyrec_process *process;
	struct pyrec_sample *head;
	struct mm_struct *mm;
	struct scratch *s;

	if (!(ids >> 32)) /* idle, or outside the recorder's pid namespace */
		return NULL;
	mm = kernel_read(task, mm);
	s = scratch_get();
	if (!s)
		return NULL;
	if (!mm) { /* kernel thread, or a task on its way out */
		__u32 tgid = ids >> 32;

		if (bpf_map_lookup_elem(&processes, &tgid))
			count(PYREC_COUNT_NO_MM);
		return NULL;
	}
	process = process_find(s, leader, mm, ids >> 32);
	if (!process && !config_all_processes)
		return NULL;
	if (s->is_busy) {
		count(PYREC_COUNT_SCRATCH_BUSY);
		return NULL;
	}
	s->is_busy = 1;
	head = &s->sample.head;
	head->kind = PYREC_EVENT_SAMPLE;
	head->tid = (__u32)ids;
	head->process.tgid = ids >> 32;
	head->process.unused = 0;
	head->process.start_boottime_ns = kernel_read(leader, start_boottime);
	head->process.exec_id = kernel_read(leader, self_exec_id);
	s->process_tag = process_tag(&head->process);
	head->time_ns = bpf_ktime_get_ns();
	head->ip = ctx->regs.ip;
	head->period = ctx->sample_period;
	head->cpu = bpf_get_smp_processor_id();
	head->kernel_nr = 0;
	head->stack_bytes = 0;
	head->flags = 0;
	s->tail_calls_nr = 0;
	s->is_user_tick = (ctx->regs.cs & 3) == 3;
	walk_init(&s->walk);
	walk_stop(&s->walk, PYREC_WALK_NOT_WALKED);
	s->walk.facts.address = 0;
	s->fs = kernel_read(task, thread.fsbase);
	/* The first stack frame of a thread lies just below its thread control block (glibc, musl).
	 */
	s->stack_end = (__u32)ids == ids >> 32 ? kernel_read(mm, start_stack) : s->fs;
	user_regs_read(s, ctx, task);
	sample_set_regs(head->regs, &s->regs);
	if (process)
		s->process = *process;
	else
		s->process.flags = PYREC_PROCESS_NATIVE_ONLY;
	return s;
}

/* 2.7: where thread_seen[] has this thread. The number of a thread is its own while it lives. */
static inline __u64 thread_tag(const struct scratch *s)
{
	return pyrec_mix64(s->process_tag + s->sample.head.tid * 0x9e3779b97f4a7c15ULL) | 1;
}

static inline void thread_walk_begin(struct scratch *s)
{
	__u64 tag = thread_tag(s);
	__u32 at = tag >> 40 & (PYREC_THREAD_SEEN_SLOTS - 1);
	struct thread_known known = {0};

	if (thread_seen_tags[at] == tag) {
		known.tstate = thread_seen_states[at];
		known.interp = thread_seen_interps[at];
	}
	walk_begin_listed(&s->walk, &s->layout, &s->process, s->fs, &known, &s->sample.head.flags);
}

/* The next sample of this thread need not search, with the GIL or without. */
static inline void thread_remember(struct scratch *s)
{
	__u64 tag = thread_tag(s);
	__u32 at = tag >> 40 & (PYREC_THREAD_SEEN_SLOTS - 1);
	__u64 tstate = s->walk.tstate;
	__u64 interp = 0;

	if ((thread_seen_tags[at] == tag && thread_seen_states[at] == tstate) ||
	    read_user(&interp, 8, tstate + s->layout.tstate_interp))
		return;
	thread_seen_tags[at] = tag;
	thread_seen_states[at] = tstate;
	thread_seen_interps[at] = interp;
}

static inline void py_walk_begin(struct scratch *s)
{
	struct pyrec_layout *layout;
	__u32 index = s->process.layout;
	struct thread_place place = {.fs = s->fs, .sp = s->regs.sp, .stack_end = s->stack_end};

	if (s->process.flags & PYREC_PROCESS_NATIVE_ONLY)
		return;
	layout = bpf_map_lookup_elem(&layouts, &index);
	if (!layout)
		return;
	s->layout = *layout;
	if (s->layout.is_listed)
		thread_walk_begin(s);
	else
		walk_begin(&s->walk, &s->layout, &s->process, &place, s->sample.head.regs,
			   s->regs.ip, &s->sample.head.flags);
}

/* Kernel stack and user stack behind the frames, then the whole into the ring. */
static inline void sample_submit(struct scratch *s, void *ctx)
{
	struct pyrec_sample *head = &s->sample.head;
	__u32 frames_nr = s->walk.nr;
	__u32 bytes;

	if (s->walk.tstate && s->layout.is_listed)
		thread_remember(s);
	if (s->walk.tstate && !(s->process.flags & PYREC_PROCESS_HAS_STATE))
		process_note_state(s);
	if (frames_nr > PYREC_FRAMES_MAX)
		frames_nr = PYREC_FRAMES_MAX;
	head->frames_nr = frames_nr;
	head->status = (__u16)s->walk.status;
	head->unread = s->walk.status == PYREC_WALK_FAULTED ? s->walk.place.unread : 0;
	if (head->unread && head->unread == s->walk.frame)
		head->flags |= PYREC_SAMPLE_FRAME_UNREAD;
	head->layout = (__u16)s->process.layout;
	bytes = frames_nr * sizeof(struct pyrec_frame);
	bytes = kernel_stack_copy(s, ctx, bytes);
	bytes = user_stack_copy(s, bytes);
	bytes = task_name_copy(s, bytes);
	if (bytes > TAIL_BYTES_MAX)
		bytes = TAIL_BYTES_MAX;
	if (bpf_ringbuf_output(&ring, &s->sample, sizeof(*head) + bytes, wakeup_flags()))
		count(PYREC_COUNT_RING_FULL);
	s->is_busy = 0;
}

/* A global function is verified once, by itself, and not again for each of its calls. */
__attribute__((noinline)) int walk_step_alone(void)
{
	struct scratch *s = scratch_get();

	return !s || walk_step(&s->walk, &s->layout, &s->process, s->sample.tail.frames) ? 1 : 0;
}

__attribute__((noinline)) int code_step_alone(void)
{
	struct scratch *s = scratch_get();

	return !s || code_step(s) ? 1 : 0;
}

#ifndef PYREC_BPF_LEGACY

/* Steps for each call of a callback: entering one costs half as much as a step. */
enum { STEPS_PER_CALLBACK = 4, WALK_STEPS_MAX = PYREC_FRAMES_MAX + PYREC_THREADS_MAX };

static long walk_callback(__u32 index, void *unused)
{
	for (int i = 0; i < STEPS_PER_CALLBACK; i++)
		if (walk_step_alone())
			return 1;
	return 0;
}

static long code_callback(__u32 index, void *unused)
{
	for (int i = 0; i < STEPS_PER_CALLBACK; i++)
		if (code_step_alone())
			return 1;
	return 0;
}

static long code_emit_callback(__u32 index, void *unused)
{
	struct scratch *s = scratch_get();

	return !s || code_emit_step(s) ? 1 : 0;
}

SEC("perf_event")
int on_tick(struct bpf_perf_event_data *ctx)
{
	struct scratch *s = sample_begin(ctx);

	if (!s)
		return 0;
	py_walk_begin(s);
	if (!walk_is_over(&s->walk))
		bpf_loop(WALK_STEPS_MAX / STEPS_PER_CALLBACK, walk_callback, NULL, 0);
	if (s->walk.nr)
		bpf_loop(PYREC_FRAMES_MAX / STEPS_PER_CALLBACK, code_callback, NULL, 0);
	if (s->walk.misses_nr)
		bpf_loop(PYREC_MISSES_MAX, code_emit_callback, NULL, 0);
	sample_submit(s, ctx);
	return 0;
}

#else

enum { LEGACY_EMITS_PER_PROG = 8 };

int on_walk(struct bpf_perf_event_data *ctx);
int on_finish(struct bpf_perf_event_data *ctx);

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 2);
	__uint(key_size, sizeof(__u32));
	__array(values, int(void *));
} programs SEC(".maps") = {
    .values = {[0] = (void *)&on_walk, [1] = (void *)&on_finish},
};

/* Reached only when a tail call failed. */
static inline void sample_abandon(struct scratch *s)
{
	count(PYREC_COUNT_TAIL_CALL);
	s->is_busy = 0;
}

SEC("perf_event")
int on_tick(struct bpf_perf_event_data *ctx)
{
	struct scratch *s = sample_begin(ctx);

	if (!s)
		return 0;
	py_walk_begin(s);
	if (walk_is_over(&s->walk))
		bpf_tail_call(ctx, &programs, 1);
	else
		bpf_tail_call(ctx, &programs, 0);
	sample_abandon(s);
	return 0;
}

SEC("perf_event")
int on_walk(struct bpf_perf_event_data *ctx)
{
	struct scratch *s = scratch_get();

	if (!s)
		return 0;
	for (int i = 0; i < PYREC_FRAMES_PER_PROG; i++)
		if (walk_step_alone())
			break;
	for (int i = 0; i < PYREC_FRAMES_PER_PROG; i++)
		if (code_step_alone())
			break;
	s->tail_calls_nr++;
	if (!walk_is_over(&s->walk) && s->tail_calls_nr < PYREC_TAIL_CALLS_MAX)
		bpf_tail_call(ctx, &programs, 0);
	bpf_tail_call(ctx, &programs, 1);
	sample_abandon(s);
	return 0;
}

SEC("perf_event")
int on_finish(struct bpf_perf_event_data *ctx)
{
	struct scratch *s = scratch_get();

	if (!s)
		return 0;
	for (int i = 0; i < LEGACY_EMITS_PER_PROG; i++)
		if (code_emit_step(s))
			break;
	s->tail_calls_nr++;
	if (s->walk.next_miss < s->walk.misses_nr && s->tail_calls_nr < PYREC_TAIL_CALLS_MAX)
		bpf_tail_call(ctx, &programs, 1);
	sample_submit(s, ctx);
	return 0;
}

#endif
