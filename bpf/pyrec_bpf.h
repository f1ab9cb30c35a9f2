/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What crosses between the BPF programs and the recorder: the tables that user space fills
 * (layouts, processes) and the events that come back through the ring. Plain structs
 * of fixed-width fields; nothing here goes into a file as it is (record/drain.c encodes it).
 *
 * The including file brings the fixed-width types (__u8 … __u64, __s32, __s64).
 */
#ifndef PYREC_BPF_H
#define PYREC_BPF_H

enum {
	PYREC_FRAMES_MAX = 4224, /* entries of one walk, markers included: 33 x 128 */
	PYREC_FRAMES_PER_PROG =
	    128, /* legacy object: bounded loop of one program (facts: 5.10, 6.1) */
	PYREC_TAIL_CALLS_MAX = 32, /* of the walk; the kernel allows 33 and finishing takes one */
	PYREC_MISSES_MAX = 64, /* code objects sent with one sample; others go with the next one */
	PYREC_KERNEL_FRAMES_MAX = 127,
	PYREC_STACK_CAP_MAX = 61440, /* with frames and registers still below a record's 64 KiB */
	PYREC_REGS_MAX = 20,
	PYREC_PID_LEVELS_MAX = 8, /* nested pid namespaces that are looked through */
	PYREC_PROCESSES_MAX = 16384,
	PYREC_LAYOUTS_MAX = 64,
	PYREC_THREADS_MAX = 4096,	/* of 2.7: entries of its thread list that are looked at */
	PYREC_THREAD_SEEN_SLOTS = 4096, /* a power of two */
	PYREC_CODE_SEEN_SLOTS = 65536,	/* a power of two */
	PYREC_NAME_BYTES_MAX = 1024, /* of each text that BPF copies; longer: user space reads it */
	PYREC_LINES_BYTES_MAX = 16384,
	PYREC_ASYNC_NAME_BYTES_MAX = 1024, /* of an asyncio task's; longer ones are cut */
	PYREC_TEXT_END_WORDS = 5,	   /* of each end of a text in its key */
	/*
	 * Machine code of _PyEval_EvalFrameDefault behind the store to tstate->cframe during which
	 * the new _PyCFrame may not be filled in (by disassembly: 3.11.7 0x22, 3.12.1 0x7a bytes).
	 */
	PYREC_EVAL_PROLOGUE_BYTES = 0x80,
	/* What is read of an object's head at once, at most: fields lie inside. */
	PYREC_HEAP_FRAME_HEAD_BYTES = 128, /* PyFrameObject up to f_lasti, 2.7 to 3.10 */
	PYREC_TSTATE_HEAD_BYTES = 88,  /* PyThreadState up to its frame and, in 3.15, base_frame */
	PYREC_FRAME_HEAD_BYTES = 80,   /* _PyInterpreterFrame up to owner; none is shorter */
	PYREC_CODE_HEAD_BYTES = 160,   /* PyCodeObject up to co_linetable */
	PYREC_CODE_WALK_BYTES = 96,    /* the same from layout.code_start on */
	PYREC_UNICODE_HEAD_BYTES = 56, /* PyUnicodeObject up to state */
	PYREC_ASYNC_HEAD_BYTES = 160,  /* asyncio's TaskObj up to task_name */
	PYREC_REG_SP = 7,	       /* in pyrec_sample.regs */
};

/*
 * Where the walk finds things in one CPython version; record/layouts.c fills it and cites sources.
 * All numbers are byte offsets from the start of the object named first.
 */
struct pyrec_layout {
	__u16 tstate_frame; /* PyThreadState: current_frame, or cframe where has_cframe */
	__u16 cframe_frame; /* _PyCFrame.current_frame */
	__u16 cframe_previous;
	__u16 frame_code;
	__u16 frame_previous;
	__u16 frame_instr;
	__u16 frame_owner; /* byte: is_entry (3.11) or owner (3.12 and newer) */
	__u16 frame_kind;  /* byte: owner (3.11 too); only with generator_state */
	__u16 code_instrs; /* co_code_adaptive */
	__u16 code_first_line;
	__u16 code_version; /* co_version; 0: the version has none */
	__u16 code_file;
	__u16 code_name;
	__u16 code_qualname; /* 0: before 3.11 */
	__u16 code_lines;    /* co_linetable */
	__u16 unicode_length;
	__u16 unicode_state;
	__u16 unicode_ascii;   /* data of a compact ASCII string */
	__u16 unicode_compact; /* data of any other compact string */
	__u16 bytes_size;
	__u16 bytes_data;
	/* Read only of the names of asyncio's tasks, 3.14 and newer. */
	__u16 object_type; /* PyObject.ob_type */
	__u16 type_flags;  /* PyTypeObject.tp_flags */
	__u16 long_tag;	   /* PyLongObject.lv_tag */
	__u16 long_digits; /* ob_digit */
	__u16 code_start;  /* 8-aligned: where reading a code object begins */
	/* PyThreadState: the frame in which each chain ends but a greenlet's (3.15); 0: none. */
	__u16 tstate_base_frame;
	/* PyFrameObject.f_localsplus and PyCodeObject.co_nlocals; 0 from 3.11 on. */
	__u16 frame_locals;
	__u16 code_locals_nr;
	__u16 tstate_interp;
	__u16 tstate_thread;  /* thread_id, pthread_self() of the thread that it was made for */
	__u16 tstate_next;    /* in the list of its interpreter */
	__u16 tstate_cframe;  /* 3.10 to 3.12: points into the C stack while Python code runs */
	__u16 interp_next;    /* PyInterpreterState: the next older one */
	__u16 interp_threads; /* head of the list of its states */
	/*
	 * Free-threaded 3.14 and newer: a frame runs the copy of its bytecode number frame_copy (0:
	 * that in the code object); code_copies points at their number and addresses. 0: no copies.
	 */
	__u16 code_copies;   /* PyCodeObject.co_tlbc */
	__u16 frame_copy;    /* _PyInterpreterFrame.tlbc_index */
	__u8 is_heap_frame;  /* 3.10 and older: PyFrameObject */
	__u8 is_listed;	     /* 2.7: a list leads from a thread to its state */
	__u8 has_byte_names; /* 2.7: names are PyStringObjects; unicode_length and unicode_ascii */
	__u8 instr_shift;    /* from f_lasti of a heap frame to code units */
	__u8 has_cframe;
	__u8 entry_value;    /* frame_owner byte that marks an entry frame */
	__u8 entry_is_frame; /* 3.11: the entry frame is a Python frame too; its anchor is the
				cframe */
	__u8 skipped_owner;  /* frame_owner byte of frames that are neither (3.14); 0: none */
	__u8 unicode_kind;   /* PyUnicodeObject.state: first bit of kind, less 2 */
	/*
	 * Bytes from PyGenObject.gi_frame_state to gi_iframe (Include/cpython/genobject.h), at most
	 * 8; 0: not looked at.
	 */
	__u8 generator_state;
};

enum pyrec_tls_kind {
	PYREC_TLS_NONE = 0,
	PYREC_TLS_STATIC = 1,  /* at thread pointer + tls_offset */
	PYREC_TLS_DYNAMIC = 2, /* module number in *tls_module_address, at block + tls_offset */
};

enum pyrec_process_flags {
	/* 3.6: key_address is that of the key itself, not of a Py_tss_t; -1 while there is none. */
	PYREC_PROCESS_PLAIN_KEY = 1 << 1,
	PYREC_PROCESS_NATIVE_ONLY = 1 << 0, /* recorded, but its interpreter cannot be walked */
	PYREC_PROCESS_BOUND_TLS = 1 << 2,   /* bound_offset is set */
	PYREC_PROCESS_NO_GIL = 1 << 3,	    /* free-threaded: an attached thread holds nothing */
	/* The program is not CPython's own: Py_Initialize() may come again, numbers of code objects
	 * with it. */
	PYREC_PROCESS_IS_EMBEDDED = 1 << 4,
	PYREC_PROCESS_HAS_STATE = 1 << 5, /* a thread was seen that has one; set by BPF */
};

/* One process to sample; hash map by tgid. User space inserts, BPF copies to forked children. */
struct pyrec_process {
	/*
	 * Which incarnation this is. start_code and start_stack are known to user space (stat(5),
	 * 0: not told for want of privilege); start_boottime_ns and exec_id are filled by the first
	 * tick (is_bound) and tell an exec or a reused pid from then on.
	 */
	__u64 start_code;
	__u64 start_stack;
	__u64 start_boottime_ns;
	__u64 exec_id;
	__u64 start_ticks; /* of USER_HZ, stat(5) field 22; checked while not bound */
	__u32 is_bound;
	__u32 flags; /* enum pyrec_process_flags */
	__u32 layout;
	__u32 tls_kind;
	__s64 tls_offset;
	__s64 bound_offset;	  /* as tls_offset, of _Py_tss_gilstate (3.15), in the same block */
	__u64 tls_module_address; /* of the DTPMOD64 word */
	__u64 current_address;	  /* of gilstate.tstate_current (3.7 to 3.11); 0: none */
	__u64 runtime_address;	  /* _PyRuntime, from 3.11 on with the main interpreter in it */
	__u64 runtime_bytes;
	__u64 interpreters_address; /* of the newest interpreter's address; 0: unknown */
	__u64 key_address; /* of Py_tss_t {int is_initialized; pthread_key_t key}; 0: none */
	/* In _PyEval_EvalFrameDefault, behind the store to tstate->cframe; 0: unknown, no cframes.
	 */
	__u64 eval_linked;
	__u64
	    thread_list; /* 2.7: address of keyhead, the list of thread-specific values; 0: none */
	/* asyncio's tasks, where the process has its C module, 3.14 and newer:
	 * record/async_layout.h */
	__u16 tstate_task; /* PyThreadState: the task that runs; 0: tasks are not told */
	__u16 task_state;  /* TaskObj: 8-aligned word of fut_state and is_task */
	__u16 task_name;
	__u16 reserved;
	/* struct pthread of musl: offset of the pointer to thread-specific data; 0: glibc. */
	__u32 musl_specific;
	__u32 unused;
};

enum pyrec_event_kind {
	PYREC_EVENT_SAMPLE = 1,
	PYREC_EVENT_CODE = 2,
};

/* Identity of a process in an event: what struct pyrec_process is bound to. */
struct pyrec_identity {
	__u64 start_boottime_ns;
	__u64 exec_id;
	__u32 tgid;
	__u32 unused;
};

/* One entry of a walk. A marker has instr == PYREC_INSTR_ENTRY and address = the anchor. */
struct pyrec_frame {
	__u64 address;	   /* of the code object */
	__s32 instr;	   /* offset in code units, -1: not started */
	__u32 fingerprint; /* pyrec_code_fingerprint(); 0: the code object could not be read */
};

#define PYREC_INSTR_ENTRY (-2)

/* enum py_stack_status of format/payload.h, which BPF must not include; record/drain.c asserts it.
 */
enum pyrec_walk_status {
	PYREC_WALK_COMPLETE = 0,
	PYREC_WALK_TRUNCATED = 1,
	PYREC_WALK_TORN = 2,
	PYREC_WALK_FAULTED = 3,
	PYREC_WALK_NO_THREAD_STATE = 4,
	PYREC_WALK_NOT_WALKED = 5,
};

enum pyrec_sample_flags {
	PYREC_SAMPLE_STACK_CUT = 1 << 0,
	PYREC_SAMPLE_STACK_FAULTED = 1 << 1,
	PYREC_SAMPLE_KERNEL_CUT = 1 << 2,
	PYREC_SAMPLE_GIL_KNOWN = 1 << 3,
	PYREC_SAMPLE_HOLDS_GIL = 1 << 4,
	PYREC_SAMPLE_ASYNC_CUT = 1 << 5,    /* the task's name is longer than what is here */
	PYREC_SAMPLE_FRAME_UNREAD = 1 << 6, /* unread is where a frame begins */
};

/* enum py_async_kind of format/payload.h; record/drain.c asserts it. */
enum pyrec_async_kind {
	PYREC_ASYNC_NONE = 0,
	PYREC_ASYNC_NAMED = 1,
	PYREC_ASYNC_NUMBERED = 2, /* never named nor asked for its name: "Task-" and the number */
	PYREC_ASYNC_UNREADABLE = 3,
};

/* Followed by frames_nr struct pyrec_frame, kernel_nr __u64, stack_bytes bytes, task_bytes bytes.
 */
struct pyrec_sample {
	__u32 kind;
	__u32 tid;
	struct pyrec_identity process;
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u64 ip;      /* interrupted, kernel or user */
	__u64 unread;  /* status FAULTED: address that could not be read */
	__u64 period;
	__u32 cpu;
	__u32 frames_nr;
	__u32 kernel_nr;
	__u32 stack_bytes;
	__u16 status;		    /* enum pyrec_walk_status */
	__u16 layout;		    /* that it was walked by, where frames_nr is not 0 */
	__u32 flags;		    /* enum pyrec_sample_flags */
	__u64 task_number;	    /* of PYREC_ASYNC_NUMBERED */
	__u32 task_bytes;	    /* of PYREC_ASYNC_NAMED, as they lie in memory */
	__u16 task_unit;	    /* as struct pyrec_text */
	__u16 task_kind;	    /* enum pyrec_async_kind */
	__u64 regs[PYREC_REGS_MAX]; /* order of enum perf_event_x86_regs less DS ES FS GS */
};

enum pyrec_code_flags {
	PYREC_CODE_NAME_CUT =
	    1 << 0, /* not, or not wholly, in the event: read it from the process */
	PYREC_CODE_QUALNAME_CUT = 1 << 1,
	PYREC_CODE_FILE_CUT = 1 << 2,
	PYREC_CODE_LINES_CUT = 1 << 3,
};

/* Text of a PyUnicodeObject, or of 2.7's PyStringObject, as it lies in memory. */
struct pyrec_text {
	__u32 bytes;
	__u32 unit; /* bytes of a code point: 1 (Latin-1 or ASCII), 2, 4; PYREC_TEXT_IS_BYTES */
};

/* Followed by the bytes of name, qualname, file and lines, in this order. */
struct pyrec_code {
	__u32 kind;
	__u32 layout;
	struct pyrec_identity process;
	__u64 address;
	__u32 fingerprint;
	__s32 first_line;
	__u32 flags; /* enum pyrec_code_flags */
	__u32 lines_bytes;
	/*
	 * Up to 3.10: the first local of the frame that was seen, self of a method, and its
	 * ob_type; 0: unknown. For record/method_reader.h.
	 */
	__u64 owner;
	__u64 owner_type;
	struct pyrec_text name;
	struct pyrec_text qualname;
	struct pyrec_text file;
};

#define PYREC_TEXT_IS_BYTES 8 /* of an encoding that nobody knows; no PyUnicodeObject says 8 */

/* Counters that BPF adds to; .bss of the object, read by the recorder. */
enum pyrec_counter {
	PYREC_COUNT_RING_FULL,
	PYREC_COUNT_NO_MM,
	PYREC_COUNT_SCRATCH_BUSY,
	PYREC_COUNT_CODE_RING_FULL,
	PYREC_COUNT_TAIL_CALL,
	PYREC_COUNTERS_NR,
};

/* Bytes of a PyUnicodeObject up to its state: no more is read, it may end a mapping. */
static inline __attribute__((always_inline)) __u32
pyrec_unicode_head_bytes(const struct pyrec_layout *layout)
{
	return layout->unicode_state < 40 ? 40 : PYREC_UNICODE_HEAD_BYTES;
}

/* PyUnicodeObject.state from its kind on: bits 0-2 kind (bytes of a code point), 3 compact, 4
 * ASCII. */
static inline __attribute__((always_inline)) __u32
pyrec_unicode_state(const struct pyrec_layout *layout, __u32 state)
{
	return state >> (2 + (layout->unicode_kind & 7));
}

/* MurmurHash3's finalizer (Austin Appleby, public domain), as common/hash.h. */
static inline __attribute__((always_inline)) __u64 pyrec_mix64(__u64 value)
{
	value ^= value >> 33;
	value *= 0xff51afd7ed558ccdULL;
	value ^= value >> 33;
	value *= 0xc4ceb9fe1a85ec53ULL;
	value ^= value >> 33;
	return value;
}

/* What tells one code object from another that was made later at the same address. */
struct pyrec_code_facts {
	__u64 address;
	__u64 name; /* PyObject pointers */
	__u64 qualname;
	__u64 file;
	__u64 lines;
	__u32 first_line;
	__u32 version; /* co_version, counted by each interpreter since 3.12; 0: none, or not unique
			*/
	/* Where version is 0, as pointers are used again too: */
	__u64 text;    /* pyrec_text_key() of the name; 0: it was not there */
	__u64 content; /* of file and line table; 0: one of them was not there */
};

static inline __attribute__((always_inline)) __u64 pyrec_fold(__u64 hash, __u64 word)
{
	return (hash ^ hash >> 29 ^ word) * 0x9e3779b97f4a7c15ULL;
}

/*
 * What stands for the content of a string or bytes object: the interpreter's own hash of it where
 * it has made one (PyASCIIObject.hash, PyBytesObject.ob_shash; -1: not yet), else its length, its
 * first bytes and, where these are not all, its last ones; 0 padded. Never 0.
 */
static inline __attribute__((always_inline)) __u64
pyrec_text_key(__u64 hash, __u64 bytes, const __u64 *head, const __u64 *tail)
{
	__u64 key = bytes;

	if (hash != ~0ULL)
		return pyrec_mix64(hash) | 1;
	for (int i = 0; i < PYREC_TEXT_END_WORDS; i++)
		key = pyrec_fold(key, head[i]);
	if (bytes > PYREC_TEXT_END_WORDS * 8)
		for (int i = 0; i < PYREC_TEXT_END_WORDS; i++)
			key = pyrec_fold(key, tail[i]);
	return key | 1;
}

/*
 * Never 0. BPF computes it for each frame, the recorder when it reads a code object itself. With a
 * version number only first line and that number count: of two with equal lines none are equal.
 */
static inline __attribute__((always_inline)) __u32
pyrec_code_fingerprint(const struct pyrec_code_facts *facts)
{
	__u64 hash = pyrec_mix64(facts->address ^ (__u64)facts->first_line << 44);

	if (facts->version) {
		__u32 fingerprint = (__u32)(hash >> 32) ^ facts->version;

		return fingerprint ? fingerprint : 1;
	}
	hash = pyrec_fold(hash, facts->name);
	hash = pyrec_fold(hash, facts->qualname);
	hash = pyrec_fold(hash, facts->file);
	hash = pyrec_fold(hash, facts->lines);
	hash = pyrec_fold(hash, facts->text);
	hash = pyrec_fold(hash, facts->content);
	return (__u32)(pyrec_mix64(hash) >> 32) | 1;
}

#endif
