/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the programs of bpf/pyrec.bpf.c, which alone includes this, share: the recorder's settings,
 * the maps, and the scratch memory that a sample is built in.
 */
#ifndef PYREC_SAMPLER_STATE_H
#define PYREC_SAMPLER_STATE_H

/* Set by the recorder before load (record/sampler.c). */
const volatile bool config_all_processes = false;
const volatile __u32 config_stack_cap = PYREC_STACK_CAP_MAX;
const volatile __u32 config_pid_namespace = 0;	/* the recorder's, when not the initial one */
const volatile __s64 config_boottime_shift = 0; /* ns, of the recorder's time namespace */
const volatile __u64 config_wakeup_bytes = 0;	/* wake user space above this fill of the ring */

__u64 counters[PYREC_COUNTERS_NR];

/* Code objects that were sent, by a hash of process, address and fingerprint; 0: none. Direct
 * mapped: a slot taken over by another one costs sending the first again, nothing else. */
__u64 code_seen[PYREC_CODE_SEEN_SLOTS];

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
	/*
	 * What code_seen[] has for the frames of this CPU's previous sample, counted from the root:
	 * what is there again was sent before. Saves the look-up there, whose slots are far apart
	 * in memory.
	 */
	__u64 previous[PREVIOUS_FRAMES];
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

#endif
