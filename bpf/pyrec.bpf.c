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
#include "bpf/async_walk.h"

/* Set by the recorder before load (record/sampler.c). */
const volatile bool config_all_processes = false;
const volatile __u32 config_stack_cap = PYREC_STACK_CAP_MAX;
const volatile __u32 config_pid_namespace = 0;	/* the recorder's, when not the initial one */
const volatile __s64 config_boottime_shift = 0; /* ns, of the recorder's time namespace */
const volatile __u64 config_wakeup_bytes = 0;	/* wake user space above this fill of the ring */

__u64 counters[PYREC_COUNTERS_NR];

/* Code objects that were sent. Direct mapped: a slot taken over by another one costs sending the
 * first again, nothing else. */
struct pyrec_code_seen code_seen[PYREC_CODE_SEEN_SLOTS];

/* 2.7: which state each thread had at its latest sample; direct mapped by a tag of both. */
__u64 thread_seen_tags[PYREC_THREAD_SEEN_SLOTS];
__u64 thread_seen_states[PYREC_THREAD_SEEN_SLOTS];
__u64 thread_seen_interps[PYREC_THREAD_SEEN_SLOTS];

enum {
	FRAMES_BYTES = PYREC_FRAMES_MAX * sizeof(struct pyrec_frame),
	KERNEL_BYTES = PYREC_KERNEL_FRAMES_MAX * 8,
	STACK_END_MAX = FRAMES_BYTES + KERNEL_BYTES + PYREC_STACK_CAP_MAX,
	TAIL_BYTES_MAX = STACK_END_MAX + PYREC_ASYNC_NAME_BYTES_MAX,
	PREVIOUS_FRAMES = 256, /* a power of two */
	CODE_TAIL_BYTES_MAX = 3 * PYREC_NAME_BYTES_MAX + PYREC_LINES_BYTES_MAX,
};

/* One per CPU. Indexed by CPU in an ARRAY: values of a PERCPU_ARRAY are limited to 32 KiB. */
struct scratch {
	__u64 is_busy;
	__u64 fs;
	__u64 stack_end; /* upper end of the thread's stack */
	__u32 tail_calls_nr;
	__u32 is_user_tick;
	struct pyrec_process process;
	struct pyrec_layout layout;
	struct user_regs regs;
	struct walk walk;
	__u64 process_tag;
	__u32 samples_nr; /* of this CPU */
	__u32 is_wary;	  /* look at each code object in full */
	/*
	 * What code_seen[] has for the frames of this CPU's previous sample, counted from the root:
	 * what is there again was sent before. Saves the look-up there, whose slots are far apart
	 * in memory. The tags are those of when the process last had a new code object.
	 */
	struct pyrec_code_seen previous[PREVIOUS_FRAMES];
	__u64 code_tag; /* of code */
	struct {
		struct pyrec_code head;
		__u8 tail[CODE_TAIL_BYTES_MAX];
	} code;
	struct {
		struct pyrec_sample head;
		union {
			struct pyrec_frame frames[PYREC_FRAMES_MAX];
			__u8 bytes[TAIL_BYTES_MAX];
		} tail;
	} sample;
};

/*
 * A field of a kernel structure. Programs that get their task by bpf_get_current_task_btf() may
 * simply load it; before Linux 5.11 each load is a helper call.
 */
#ifdef PYREC_BPF_LEGACY
#define kernel_read(pointer, field) BPF_CORE_READ(pointer, field)
#else
#define kernel_read(pointer, field) ((pointer)->field)
#endif

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1); /* the recorder sets the number of possible CPUs */
	__type(key, __u32);
	__type(value, struct scratch);
} scratches SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, PYREC_PROCESSES_MAX);
	__type(key, __u32);
	__type(value, struct pyrec_process);
} processes SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PYREC_LAYOUTS_MAX);
	__type(key, __u32);
	__type(value, struct pyrec_layout);
} layouts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 * 1024 * 1024); /* the recorder sets it */
} ring SEC(".maps");

static inline void count(enum pyrec_counter counter)
{
	__sync_fetch_and_add(&counters[counter], 1);
}

/* For a number that is no greater: tells the verifier so where it is used, as walk_frame_at(). */
static inline __attribute__((always_inline)) __u64 at_most(__u64 number, __u32 greatest)
{
	asm volatile("if %[number] <= %[greatest] goto +1\n"
		     "%[number] = 0\n"
		     : [number] "+r"(number)
		     : [greatest] "i"(greatest));
	return number;
}

static inline struct scratch *scratch_get(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&scratches, &cpu);
}

static inline __u64 wakeup_flags(void)
{
	if (config_wakeup_bytes &&
	    bpf_ringbuf_query(&ring, BPF_RB_AVAIL_DATA) > config_wakeup_bytes)
		return BPF_RB_FORCE_WAKEUP;
	return BPF_RB_NO_WAKEUP;
}

/* ---- Which process ---- */

/*
 * Number of @task as the recorder's pid namespace has it, which is how the side-band and /proc name
 * it there. 0: the task is not in that namespace.
 */
static inline __u32 task_number(struct task_struct *task)
{
	struct pid *pid = kernel_read(task, thread_pid);
	__u32 level = kernel_read(pid, level);

	for (__u32 i = 0; i < PYREC_PID_LEVELS_MAX && i <= level; i++) {
		const void *at = (const void *)pid + bpf_core_field_offset(struct pid, numbers) +
				 i * bpf_core_type_size(struct upid);
		const struct upid *number = at;

		if (BPF_CORE_READ(number, ns, ns.inum) == config_pid_namespace)
			return (__u32)BPF_CORE_READ(number, nr);
	}
	return 0;
}

/* Process (upper half) and thread, as bpf_get_current_pid_tgid(). */
static inline __u64 task_ids(struct task_struct *task, struct task_struct *leader)
{
	if (!config_pid_namespace)
		return bpf_get_current_pid_tgid();
	return (__u64)task_number(leader) << 32 | task_number(task);
}

static inline bool process_is_image(const struct pyrec_process *process, struct task_struct *leader,
				    struct mm_struct *mm)
{
	return process->exec_id == kernel_read(leader, self_exec_id) &&
	       process->start_code == kernel_read(mm, start_code) &&
	       process->start_stack == kernel_read(mm, start_stack);
}

/*
 * First tick in a process that user space inserted: check it against stat(5), then remember what
 * only the kernel knows. Without CAP_SYS_PTRACE stat(5) does not tell start_code and start_stack.
 */
static inline bool process_bind(struct pyrec_process *process, struct task_struct *leader,
				struct mm_struct *mm)
{
	__u64 boottime = kernel_read(leader, start_boottime);
	__u64 code = kernel_read(mm, start_code);
	__u64 stack = kernel_read(mm, start_stack);

	/* USER_HZ is 100; stat(5) tells it in the time namespace of who reads it. */
	if (process->start_ticks != (boottime + config_boottime_shift) / 10000000)
		return false;
	if (process->start_stack && (process->start_code != code || process->start_stack != stack))
		return false;
	process->start_code = code;
	process->start_stack = stack;
	process->start_boottime_ns = boottime;
	process->exec_id = kernel_read(leader, self_exec_id);
	process->is_bound = 1;
	return true;
}

/* A forked child shares its parent's image until it execs: give it a copy of the entry. */
static inline struct pyrec_process *process_inherit(struct scratch *s, struct task_struct *leader,
						    struct mm_struct *mm, __u32 tgid)
{
	struct task_struct *real_parent = kernel_read(leader, real_parent);
	__u32 parent_tgid = config_pid_namespace
				? task_number(kernel_read(real_parent, group_leader))
				: (__u32)kernel_read(real_parent, tgid);
	struct pyrec_process *parent = bpf_map_lookup_elem(&processes, &parent_tgid);

	if (!parent || !parent->is_bound || !process_is_image(parent, leader, mm))
		return NULL;
	s->process = *parent;
	s->process.start_boottime_ns = kernel_read(leader, start_boottime);
	if (bpf_map_update_elem(&processes, &tgid, &s->process, BPF_ANY))
		return NULL;
	return bpf_map_lookup_elem(&processes, &tgid);
}

static inline struct pyrec_process *process_find(struct scratch *s, struct task_struct *leader,
						 struct mm_struct *mm, __u32 tgid)
{
	struct pyrec_process *process = bpf_map_lookup_elem(&processes, &tgid);

	if (!process)
		return process_inherit(s, leader, mm, tgid);
	if (!process->is_bound)
		return process_bind(process, leader, mm) ? process : NULL;
	if (process->start_boottime_ns == kernel_read(leader, start_boottime) &&
	    process_is_image(process, leader, mm))
		return process;
	return process_inherit(s, leader, mm, tgid); /* the pid was reused, or an exec */
}

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

/* ---- Code objects ---- */

static inline __u64 process_tag(const struct pyrec_identity *process)
{
	__u64 hash = process->start_boottime_ns + ((__u64)process->tgid << 32);

	return pyrec_mix64(hash + process->exec_id * 0x9e3779b97f4a7c15ULL);
}

static inline __u64 code_tag(const struct scratch *s, __u64 address, __u32 fingerprint)
{
	__u64 hash = s->process_tag ^ address;

	return pyrec_mix64(hash + (__u64)fingerprint * 0x9e3779b97f4a7c15ULL) | 1;
}

static inline struct pyrec_code_seen *code_slot(__u64 tag)
{
	return &code_seen[tag >> 40 & (PYREC_CODE_SEEN_SLOTS - 1)];
}

/* The whole fingerprint of @seen when it has this code object, 0 when it has not; @full: must be.
 */
static inline __u32 code_known(const struct pyrec_code_seen *seen, __u64 tag, __u32 full)
{
	return seen->tag == tag && (!full || seen->fingerprint == full) ? seen->fingerprint : 0;
}

/*
 * The whole fingerprint of the @at-th frame's code object, of which @glance is what
 * walk_fingerprint() saw. Is it known to user space? Else it is noted for sending.
 *
 * Without numbers that no other code object has, two of equal names in one place differ in what a
 * glance does not see. So each is looked at in full while the process has new ones, then one of
 * PYREC_CHECK_EVERY; for the others what was there the last time holds.
 */
static inline __u32 code_check(struct scratch *s, __u32 at, __u32 glance)
{
	struct walk *walk = &s->walk;
	struct pyrec_code_seen *previous = &s->previous[(walk->nr - at) & (PREVIOUS_FRAMES - 1)];
	__u64 tag = code_tag(s, walk->facts.address, glance);
	__u64 tag_now = tag + s->process.changes_nr;
	struct pyrec_code_seen *slot;
	__u32 full = 0;
	__u32 known;

	if (walk->facts.version)
		full = glance;
	else if (s->is_wary || !((at ^ s->samples_nr) & (PYREC_CHECK_EVERY - 1)))
		full = walk_full_fingerprint(walk, &s->layout);
	known = code_known(previous, tag_now, full);
	if (known)
		return known;
	slot = code_slot(tag);
	known = code_known(slot, tag, full);
	if (known) {
		previous->tag = tag_now;
		previous->fingerprint = known;
		return known;
	}
	if (walk->misses_nr < PYREC_MISSES_MAX) {
		walk->misses[walk->misses_nr] = at;
		walk->misses_nr++;
	}
	return full ? full : walk_full_fingerprint(walk, &s->layout);
}

/* Fingerprint one frame; note it when its code object was not sent yet. Return: 1 at the end. */
static inline long code_step(struct scratch *s)
{
	struct walk *walk = &s->walk;
	__u32 at = walk->next_code;
	struct pyrec_frame *frame;
	__u32 glance;

	if (at >= walk->nr || at >= PYREC_FRAMES_MAX)
		return 1;
	walk->next_code = at + 1;
	frame = &s->sample.tail.frames[at];
	if (frame->instr == PYREC_INSTR_ENTRY)
		return 0;
	if (walk->facts.address == frame->address && walk->facts_fingerprint) {
		frame->fingerprint = walk->facts_fingerprint; /* recursion: same as the last */
		return 0;
	}
	glance = walk_fingerprint(walk, &s->layout, frame->address, walk->needs_facts, 0);
	frame->fingerprint = glance ? code_check(s, at, glance) : 0;
	walk->facts_fingerprint = frame->fingerprint;
	return 0;
}

/* Does the process still have new code objects? Versions with numbers for them need not know. */
static inline void process_note_code(struct scratch *s)
{
	__u32 tgid = s->sample.head.process.tgid;
	struct pyrec_process *process = bpf_map_lookup_elem(&processes, &tgid);

	if (!process)
		return;
	if (s->walk.misses_nr) {
		process->quiet_nr = 0;
		process->changes_nr++;
	} else if (process->quiet_nr < PYREC_QUIET_SAMPLES) {
		process->quiet_nr++;
	}
}

/* Append a string's text to the code event. */
static inline __u32 code_add_text(struct scratch *s, struct pyrec_text *text, __u64 unicode,
				  __u32 at, __u32 cut_flag)
{
	struct walk *walk = &s->walk;
	__u16 start = 0;
	__u64 bytes;

	text->bytes = 0;
	text->unit = 1;
	if (read_user(walk->object, pyrec_unicode_head_bytes(&s->layout), unicode)) {
		s->code.head.flags |= cut_flag;
		return at;
	}
	bytes = walk_text_place(walk, &s->layout, &start);
	text->unit = walk_text_unit(walk, &s->layout);
	if (at > CODE_TAIL_BYTES_MAX - PYREC_NAME_BYTES_MAX || bytes > PYREC_NAME_BYTES_MAX ||
	    (bytes == 0 && walk_word(walk, s->layout.unicode_length) != 0) ||
	    read_user(s->code.tail + at, (__u32)bytes, unicode + start)) {
		s->code.head.flags |= cut_flag;
		return at;
	}
	text->bytes = (__u32)bytes;
	return at + (__u32)bytes;
}

static inline __u32 code_add_lines(struct scratch *s, __u64 object, __u32 at)
{
	__u64 bytes = 0;

	if (at > CODE_TAIL_BYTES_MAX - PYREC_LINES_BYTES_MAX ||
	    read_user(&bytes, 8, object + s->layout.bytes_size) || bytes > PYREC_LINES_BYTES_MAX ||
	    read_user(s->code.tail + at, (__u32)bytes, object + s->layout.bytes_data)) {
		s->code.head.flags |= PYREC_CODE_LINES_CUT;
		return at;
	}
	s->code.head.lines_bytes = (__u32)bytes;
	return at + (__u32)bytes;
}

/*
 * Up to 3.10: what stands in the first local of @frame, and its type. An argument that inner
 * functions use is in a cell, behind the locals (PyCellObject.ob_ref is at 16), and its local
 * empty.
 */
static inline void code_add_owner(struct scratch *s, __u64 frame, __u64 code)
{
	const __u64 locals = frame + s->layout.frame_locals;
	struct pyrec_code *head = &s->code.head;
	__u64 cell = 0;
	__u32 nr = 0;

	head->owner = 0;
	head->owner_type = 0;
	if (!s->layout.frame_locals || read_user(&head->owner, 8, locals))
		return;
	if (!head->owner && !read_user(&nr, 4, code + s->layout.code_locals_nr) && nr < 1024 &&
	    !read_user(&cell, 8, locals + nr * 8) && cell)
		read_user(&head->owner, 8, cell + 16);
	if (head->owner)
		read_user(&head->owner_type, 8, head->owner + 8);
}

/* Send the code object of one noted frame (other end: record/code_objects.c). Return: 1 at the end.
 */
static inline long code_emit_step(struct scratch *s)
{
	struct walk *walk = &s->walk;
	struct pyrec_code *head = &s->code.head;
	struct pyrec_frame *frame;
	__u32 at = walk->next_miss;
	__u32 bytes = 0;
	struct pyrec_code_seen *slot;
	__u32 glance;
	__u32 index;
	__u64 tag;

	if (at >= walk->misses_nr || at >= PYREC_MISSES_MAX)
		return 1;
	walk->next_miss = at + 1;
	index = walk->misses[at];
	if (index >= PYREC_FRAMES_MAX)
		return 1;
	frame = &s->sample.tail.frames[index];
	glance = walk_fingerprint(walk, &s->layout, frame->address, walk->needs_facts, 1);
	if (!glance || walk_full_fingerprint(walk, &s->layout) != frame->fingerprint)
		return 0;
	tag = code_tag(s, frame->address, glance);
	if (code_known(code_slot(tag), tag, frame->fingerprint))
		return 0;  /* twice in this stack */
	s->code_tag = tag; /* held in no register: Linux 6.1 forgets the bounds of spilled ones */
	head->kind = PYREC_EVENT_CODE;
	head->layout = s->process.layout;
	head->process = s->sample.head.process;
	head->address = frame->address;
	head->fingerprint = frame->fingerprint;
	head->first_line = (__s32)walk->facts.first_line;
	head->flags = 0;
	head->lines_bytes = 0;
	code_add_owner(s, walk->frame_objects[index], frame->address);
	bytes = code_add_text(s, &head->name, walk->facts.name, bytes, PYREC_CODE_NAME_CUT);
	if (walk->facts.qualname)
		bytes = code_add_text(s, &head->qualname, walk->facts.qualname, bytes,
				      PYREC_CODE_QUALNAME_CUT);
	else
		head->qualname.bytes = 0;
	bytes = code_add_text(s, &head->file, walk->facts.file, bytes, PYREC_CODE_FILE_CUT);
	bytes = code_add_lines(s, walk->facts.lines, bytes);
	if (bpf_ringbuf_output(&ring, &s->code, sizeof(*head) + at_most(bytes, CODE_TAIL_BYTES_MAX),
			       BPF_RB_NO_WAKEUP)) {
		count(PYREC_COUNT_CODE_RING_FULL);
		return 1;
	}
	slot = code_slot(s->code_tag);
	slot->tag = s->code_tag;
	slot->fingerprint = head->fingerprint;
	return 0;
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
	s->samples_nr++;
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
	struct thread_place place = {s->fs, s->regs.sp, s->stack_end};

	if (s->process.flags & PYREC_PROCESS_NATIVE_ONLY)
		return;
	layout = bpf_map_lookup_elem(&layouts, &index);
	if (!layout)
		return;
	s->layout = *layout;
	s->is_wary = s->process.quiet_nr < PYREC_QUIET_SAMPLES;
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
	if (frames_nr > PYREC_FRAMES_MAX)
		frames_nr = PYREC_FRAMES_MAX;
	if (frames_nr && (!s->layout.code_version || s->walk.misses_nr))
		process_note_code(s);
	head->frames_nr = frames_nr;
	head->status = (__u16)s->walk.status;
	head->unread = s->walk.status == PYREC_WALK_FAULTED ? s->walk.frame : 0;
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

#ifndef PYREC_BPF_LEGACY

/* Steps for each call of a callback: entering one costs half as much as a step. */
enum { STEPS_PER_CALLBACK = 4, WALK_STEPS_MAX = PYREC_FRAMES_MAX + PYREC_THREADS_MAX };

static long walk_callback(__u32 index, void *unused)
{
	struct scratch *s = scratch_get();

	if (!s)
		return 1;
#pragma unroll
	for (int i = 0; i < STEPS_PER_CALLBACK; i++)
		if (walk_step(&s->walk, &s->layout, &s->process, s->sample.tail.frames))
			return 1;
	return 0;
}

static long code_callback(__u32 index, void *unused)
{
	struct scratch *s = scratch_get();

	if (!s)
		return 1;
#pragma unroll
	for (int i = 0; i < STEPS_PER_CALLBACK; i++)
		if (code_step(s))
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

enum { LEGACY_EMITS_PER_SAMPLE = 8 };

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
	for (int i = 0; i < LEGACY_EMITS_PER_SAMPLE; i++)
		if (code_emit_step(s))
			break;
	sample_submit(s, ctx);
	return 0;
}

#endif
