/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What pyrec adds to a perf.data file, and nothing else of that file: the Python
 * stack inside PERF_SAMPLE_RAW, and the tables inside envelopes of the dead record
 * type 65 (PERF_RECORD_HEADER_EVENT_TYPE), which stock perf 6.1 to 7.2 skips.
 * Documentation/pyrec.data.5.adoc specifies the same bytes for other readers.
 * All numbers are little-endian; text is UTF-8 with a u32 length and no NUL.
 *
 * Encoders append to a strbuf and report through its error field. Decoders return
 * 0 or -EBADMSG; pointers in what they fill are borrowed from the input bytes.
 */
#ifndef PYREC_FORMAT_PAYLOAD_H
#define PYREC_FORMAT_PAYLOAD_H

#include <stdbool.h>
#include <stdint.h>

#include "common/bytes.h"
#include "common/strbuf.h"

/* ---- The Python stack of one sample, in PERF_SAMPLE_RAW ---- */

#define PY_STACK_MAGIC UINT32_C(0x52465950) /* "PYFR" */
enum { PY_STACK_VERSION = 1 };

/* How far the walk of the Python frames can be trusted. */
enum py_stack_status {
	PY_STACK_COMPLETE = 0,	/* every frame from the leaf to the thread's bottom */
	PY_STACK_TRUNCATED = 1, /* the walk's frame limit cut the root side */
	PY_STACK_TORN = 2,	/* the chain contradicts itself; only its sound part is here */
	PY_STACK_FAULTED = 3,	/* memory of the chain could not be read; root side missing */
	PY_STACK_NO_THREAD_STATE = 4, /* a Python process, but no Python state for this thread */
	PY_STACK_NOT_WALKED = 5,      /* no interpreter with a known layout in this process */
};

enum py_stack_flags {
	PY_STACK_GIL_KNOWN = 1 << 0, /* the next bit says something */
	PY_STACK_HOLDS_GIL = 1 << 1,
	PY_STACK_USER_STACK_CUT = 1 << 2,     /* the user stack dump hit the size cap */
	PY_STACK_USER_STACK_FAULTED = 1 << 3, /* the user stack could not be read */
	PY_STACK_KERNEL_STACK_CUT = 1 << 4,
	PY_STACK_HAS_TASK = 1 << 5, /* set by the encoder: a task stands behind the frames */
};

/* The asyncio task that the thread ran. */
enum py_async_kind {
	PY_ASYNC_NONE = 0,	 /* none, or none is told: CPython 3.13 and older */
	PY_ASYNC_NAMED = 1,	 /* value: id of a PAYLOAD_ASYNC_TASK */
	PY_ASYNC_NUMBERED = 2,	 /* value: the number in the name "Task-7" */
	PY_ASYNC_UNREADABLE = 3, /* not one of asyncio's C module, or its name was not readable */
};

struct py_async_task {
	enum py_async_kind kind;
	uint64_t value;
};

/*
 * code_id values that name no code object. PY_FRAME_ENTRY marks where one activation of
 * the C evaluation loop begins: the Python frames before it (leafward, back to the
 * previous marker) ran in that activation. Its value is the stack address of the
 * activation's own record (3.11: _PyCFrame, 3.12+: entry frame) minus the sampled
 * user SP, in bytes; PY_ANCHOR_ELSEWHERE when that does not fit.
 */
#define PY_FRAME_ENTRY	    UINT32_C(0xffffffff)
#define PY_FRAME_UNREADABLE UINT32_C(0xfffffffe) /* a frame whose code object could not be read */
#define PY_ANCHOR_ELSEWHERE INT32_MIN

struct py_frame {
	uint32_t code_id;
	/*
	 * Instruction offset in the units of the version's own f_lasti (3.6 and newer: 2-byte
	 * code units; 2.7: bytes); -1: not started.
	 */
	int32_t value;
};

struct py_stack {
	enum py_stack_status status;
	uint8_t flags;	       /* enum py_stack_flags */
	uint32_t frames_total; /* leaf first; those beyond frames_nr are in continuations */
	uint32_t frames_nr;    /* in this record */
	const uint8_t *frames; /* decoded: frames_nr x 8 bytes, use py_stack_frame() */
	struct py_async_task task;
};

enum { PY_STACK_HEADER_BYTES = 16, PY_FRAME_BYTES = 8, PY_ASYNC_TASK_BYTES = 12 };

/** Append header, @frames[0..frames_nr) and the task. stack->frames is not used. */
void py_stack_encode(struct strbuf *out, const struct py_stack *stack,
		     const struct py_frame *frames);
/** Return: 0, -EBADMSG, or -ENOENT when @bytes does not begin with the magic. */
must_check int py_stack_decode(const void *bytes, size_t nr, struct py_stack *ret);
struct py_frame py_stack_frame(const struct py_stack *stack, uint32_t index);
/** All of @stack->frames, frames_nr, into @ret. */
void py_stack_frames(const struct py_stack *stack, struct py_frame *ret);
/** "complete", "truncated", …; NULL when unknown. */
const char *py_stack_status_name(unsigned int status);

/* ---- Envelopes ---- */

enum { PAYLOAD_RECORD_TYPE = 65, PAYLOAD_RECORD_BYTES_MIN = 80 };
#define PAYLOAD_MAGIC "PYREC\0\0\1" /* 8 bytes; the last one is the major version */

enum payload_kind {
	PAYLOAD_FILE_INFO = 1,
	PAYLOAD_CLOCK = 2,
	PAYLOAD_INTERPRETER = 3,
	PAYLOAD_CODE = 4,
	PAYLOAD_CODE_LINES = 5,
	PAYLOAD_FRAMES = 6,
	PAYLOAD_LOSSES = 7,
	PAYLOAD_TASK = 8,
	PAYLOAD_ASYNC_TASK = 9,
};

/** First record of a pyrec file. */
struct payload_file_info {
	const char *pyrec_version; /* not NUL terminated when decoded */
	uint32_t pyrec_version_nr;
	uint32_t sample_hz;
	uint32_t stack_cap_bytes;
	uint8_t all_processes; /* 1: samples of other programs are here too */
};

/** Two clocks read at the same moment. */
struct payload_clock {
	uint64_t monotonic_ns; /* CLOCK_MONOTONIC: the clock of every time in the file */
	uint64_t realtime_ns;  /* CLOCK_REALTIME, ns since 1970 */
};

enum payload_interpreter_status {
	INTERPRETER_WALKED = 0,
	INTERPRETER_UNSUPPORTED = 1, /* layout not known: native frames only */
};

/** An interpreter found in a process; from time_ns on until the process's next exec. */
struct payload_interpreter {
	uint64_t time_ns;
	uint32_t pid;
	uint32_t version_hex; /* PY_VERSION_HEX */
	uint8_t status;	      /* enum payload_interpreter_status */
	const char *path;     /* mapped file that holds the runtime */
	uint32_t path_nr;
	const char *message; /* what the user was told when unsupported; may be empty */
	uint32_t message_nr;
	/* Name and version, "PyPy 7.3.11", where PY_VERSION_HEX does not tell them; empty else. */
	const char *name;
	uint32_t name_nr;
};

enum payload_code_flags {
	CODE_NAME_MISSING = 1 << 0,
	CODE_QUALNAME_MISSING =
	    1 << 1, /* the version has none (before 3.11) and none was found, or not read */
	CODE_FILE_MISSING = 1 << 2,
	CODE_LINES_MISSING = 1 << 3, /* line table not or not wholly read: do not decode it */
};

/** A code object; written once, before the first record that uses its id. */
struct payload_code {
	uint32_t code_id;     /* unique in the file, below PY_FRAME_UNREADABLE */
	uint32_t version_hex; /* of its interpreter: says how to decode the line table */
	int32_t first_line;
	uint8_t flags; /* enum payload_code_flags */
	const char *name;
	uint32_t name_nr;
	const char *qualname;
	uint32_t qualname_nr;
	const char *file;
	uint32_t file_nr;
	uint32_t lines_total; /* bytes of the whole line table */
	const uint8_t *lines; /* its first lines_nr bytes; the rest follow in PAYLOAD_CODE_LINES */
	uint32_t lines_nr;
};

/** More bytes of a long line table; follow their code object in order. */
struct payload_code_lines {
	uint32_t code_id;
	uint32_t offset; /* of bytes[0] in the line table */
	const uint8_t *bytes;
	uint32_t nr;
};

/** Python frames that did not fit their sample; stands before it, in order of first. */
struct payload_frames {
	uint32_t pid;
	uint32_t tid;
	uint64_t time_ns; /* of the sample */
	uint32_t first;	  /* index of frames[0] in the whole stack */
	uint32_t frames_nr;
	const uint8_t *frames; /* decoded: frames_nr x 8 bytes */
};

enum payload_async_task_flags {
	ASYNC_TASK_NAME_CUT = 1 << 0, /* only the name's beginning is here */
};

/** A name of asyncio tasks; stands before the first sample that uses its id. */
struct payload_async_task {
	uint32_t id; /* never given again; two ids may have the same name */
	uint32_t flags;
	const char *name;
	uint32_t name_nr;
};

/* Why something that should be in the file is not. Append only; the names travel in dump. */
enum loss_reason {
	LOSS_RING_FULL = 0,	  /* samples: the BPF ring had no room */
	LOSS_SIDEBAND = 1,	  /* memory-map, fork, comm and exit records, lost by the kernel */
	LOSS_NO_MEMORY_MAP = 2,	  /* samples of exiting tasks (mm == NULL) */
	LOSS_SCRATCH_BUSY = 3,	  /* samples: the tick hit while another one was being built */
	LOSS_CODE_RING_FULL = 4,  /* code objects: no room in the ring; retried at the next sight */
	LOSS_CODE_UNREADABLE = 5, /* frames whose code object neither side could read */
	LOSS_TAIL_CALL = 6,	  /* samples: a BPF program of the chain could not be entered */
	LOSS_WRITE_FAILED = 7,	  /* records not written: disk full or the like */
	LOSS_REASONS_NR
};

/** "ring_full", …; NULL when unknown. */
const char *loss_reason_name(unsigned int reason);
/** One short clause for people. NULL when unknown. */
const char *loss_reason_text(unsigned int reason);

/** Totals since the start of the recording. The last one in the file counts. */
struct payload_losses {
	uint64_t time_ns;
	uint64_t samples_nr;		  /* samples written so far */
	uint32_t reasons_nr;		  /* a reader ignores reasons that it does not know */
	uint64_t counts[LOSS_REASONS_NR]; /* by enum loss_reason */
	uint64_t status_counts[6];	  /* samples by enum py_stack_status */
};

/* Numbers that one task can have: MAX_PID_NS_LEVEL + 1 (Linux, include/linux/pid_namespace.h). */
enum { TASK_NUMBERS_MAX = 33 };

/**
 * Where a process or thread runs, as it was found at time_ns or, for one that was found by a
 * record of the side-band, when that says it began.
 */
struct payload_task {
	uint64_t time_ns;
	uint32_t pid;
	uint32_t tid;	    /* the process itself where it is pid */
	const char *cgroup; /* path; empty: not known, or a thread: that of its process */
	uint32_t cgroup_nr;
	uint32_t numbers_nr; /* 0: not known */
	/* Of tid in each pid namespace that it is seen in, from the recorder's to its own. */
	uint32_t numbers[TASK_NUMBERS_MAX];
};

struct payload {
	enum payload_kind kind; /* a reader ignores kinds that it does not know */
	uint16_t version;	/* of the kind; only told by payload_decode() */
	union {
		struct payload_file_info file_info;
		struct payload_clock clock;
		struct payload_interpreter interpreter;
		struct payload_code code;
		struct payload_code_lines code_lines;
		struct payload_frames frames;
		struct payload_losses losses;
		struct payload_task task;
		struct payload_async_task async_task;
	};
};

/**
 * Append one whole type-65 record (perf_event_header, envelope, padding).
 * @frames: for PAYLOAD_FRAMES the frames to encode, else NULL.
 * Return: 0, -E2BIG when the record would exceed 65,528 bytes (nothing appended), -EINVAL unknown
 * kind, -ENOMEM.
 */
must_check int payload_encode(struct strbuf *out, const struct payload *payload,
			      const struct py_frame *frames);
/**
 * Decode the bytes after the perf_event_header of a type-65 record.
 * Return: 0; -ENOENT: not ours (ret->kind is 0) or an unknown kind (skip it); -EBADMSG: damaged.
 */
must_check int payload_decode(const void *bytes, size_t nr, struct payload *ret);

/** "CODE", "LOSSES", …; NULL when unknown. */
const char *payload_kind_name(unsigned int kind);

#endif
