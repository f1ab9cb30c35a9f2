/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The records of a perf.data file that pyrec writes or reads: one row in the table of
 * record.c for each (name, encode, decode, print). Layout source: include/uapi/linux/perf_event.h
 * of Linux 6.1 and tools/perf/util/event.h for the types from 64 on.
 *
 * A decoded record borrows everything from the bytes that it was decoded from.
 */
#ifndef PYREC_FORMAT_RECORD_H
#define PYREC_FORMAT_RECORD_H

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "common/strbuf.h"

/* Record types of the perf tool itself (tools/perf/util/event.h). */
enum perf_user_record_type {
	PERF_RECORD_HEADER_ATTR_TYPE = 64,
	PERF_RECORD_HEADER_EVENT_TYPE_TYPE = 65, /* dead in perf; pyrec's envelope, payload.h */
	PERF_RECORD_HEADER_TRACING_DATA_TYPE = 66,
	PERF_RECORD_HEADER_BUILD_ID_TYPE = 67,
	PERF_RECORD_FINISHED_ROUND_TYPE = 68,
	PERF_RECORD_ID_INDEX_TYPE = 69,
	PERF_RECORD_AUXTRACE_INFO_TYPE = 70,
	PERF_RECORD_AUXTRACE_TYPE = 71, /* followed by as many bytes as its first u64 says */
	PERF_RECORD_THREAD_MAP_TYPE = 73,
	PERF_RECORD_CPU_MAP_TYPE = 74,
	PERF_RECORD_EVENT_UPDATE_TYPE = 78,
	PERF_RECORD_TIME_CONV_TYPE = 79,
	PERF_RECORD_HEADER_FEATURE_TYPE = 80,
	PERF_RECORD_COMPRESSED_TYPE = 81,
	PERF_RECORD_FINISHED_INIT_TYPE = 82,
	PERF_RECORD_COMPRESSED2_TYPE = 83,
};

enum { PERF_RECORD_BYTES_MAX = 65528 };

/* How the samples and sample_id trailers of one event look; taken from its attr. */
struct record_layout {
	uint64_t sample_type; /* PERF_SAMPLE_* */
	uint64_t sample_regs_user;
	uint64_t branch_sample_type;
	uint64_t read_format;
	bool sample_id_all;
};

struct record_layout record_layout_make(const struct perf_event_attr *attr);

/* sample_type of the one event of a pyrec file. */
#define PYREC_SAMPLE_TYPE                                                                 \
	(PERF_SAMPLE_IDENTIFIER | PERF_SAMPLE_IP | PERF_SAMPLE_TID | PERF_SAMPLE_TIME |   \
	 PERF_SAMPLE_CPU | PERF_SAMPLE_PERIOD | PERF_SAMPLE_CALLCHAIN | PERF_SAMPLE_RAW | \
	 PERF_SAMPLE_REGS_USER | PERF_SAMPLE_STACK_USER)
/* All of enum perf_event_x86_regs (arch/x86/include/uapi/asm/perf_regs.h) but DS ES FS GS, as perf
 * record. */
#define PYREC_REGS_USER UINT64_C(0xff0fff)
enum { PYREC_REGS_NR = 20 };

/* The trailer of every record but samples (sample_id_all). 0 / UINT32_MAX when absent. */
struct record_id {
	uint32_t pid;
	uint32_t tid;
	uint64_t time_ns;
	uint64_t id;
	uint32_t cpu;
};

struct record_mmap {
	uint32_t pid; /* UINT32_MAX: the kernel's own mapping */
	uint32_t tid;
	uint64_t start;
	uint64_t bytes;
	uint64_t file_offset;
	uint32_t prot; /* PROT_*; 0 in plain PERF_RECORD_MMAP */
	uint32_t flags;
	uint8_t build_id[20];
	uint8_t build_id_nr; /* 0: none; then major, minor, inode are set */
	uint32_t device_major;
	uint32_t device_minor;
	uint64_t inode;
	uint64_t inode_generation;
	const char *path;
};

struct record_comm {
	uint32_t pid;
	uint32_t tid;
	bool is_exec;
	const char *comm;
};

/* FORK and EXIT */
struct record_task {
	uint32_t pid;
	uint32_t parent_pid;
	uint32_t tid;
	uint32_t parent_tid;
	uint64_t time_ns;
};

struct record_lost {
	uint64_t id;
	uint64_t lost_nr;
};

struct record_sample {
	uint64_t id;
	uint64_t ip;
	uint32_t pid;
	uint32_t tid;
	uint64_t time_ns;
	uint32_t cpu;
	uint64_t period;
	const uint64_t *callchain; /* with PERF_CONTEXT_* marks */
	uint64_t callchain_nr;
	const void *raw;
	uint32_t raw_bytes;
	uint64_t regs_abi;    /* PERF_SAMPLE_REGS_ABI_* */
	const uint64_t *regs; /* one for each bit of the layout's mask; NULL when abi is none */
	const uint8_t *stack;
	uint64_t stack_bytes; /* really copied (dyn_size, bounded by the dump) */
};

struct record {
	uint32_t type; /* PERF_RECORD_* */
	uint16_t misc; /* PERF_RECORD_MISC_* */
	struct record_id id;
	union {
		struct record_mmap mmap; /* MMAP and MMAP2 */
		struct record_comm comm;
		struct record_task task;
		struct record_lost lost; /* LOST and LOST_SAMPLES */
		struct record_sample sample;
	};
};

/**
 * Append @record as an MMAP2, COMM, FORK, EXIT, LOST, LOST_SAMPLES, FINISHED_ROUND or SAMPLE
 * record with the trailer of @layout. An MMAP2 with build_id_nr sets
 * PERF_RECORD_MISC_MMAP_BUILD_ID. Return: 0, -E2BIG above PERF_RECORD_BYTES_MAX (nothing appended),
 * -EINVAL unknown type, -ENOMEM.
 */
must_check int record_encode(struct strbuf *out, const struct record_layout *layout,
			     const struct record *record);

/**
 * Decode the record at @bytes (8-aligned, @nr >= header.size bytes are there).
 * Types without a row are filled as type and misc only. Any perf's samples are understood.
 * Return: 0; -EBADMSG: the record contradicts its own size.
 */
must_check int record_decode(const void *bytes, size_t nr, const struct record_layout *layout,
			     struct record *ret);

/** "SAMPLE", "MMAP2", …; NULL when unknown. */
const char *record_type_name(uint32_t type);

/** One record in readable form, several lines (pyrec dump). Names are escaped. */
void record_print(FILE *out, const void *bytes, size_t nr, const struct record_layout *layout,
		  uint64_t file_offset);

#endif
