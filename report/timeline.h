/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which process a pid means now, what is mapped in it and what its threads are called. Fed with
 * the side-band records in order of time, so "now" is the time of the last one. A pid that
 * is used again begins a new process. Processes that ended are kept for a while, because
 * their last samples may come after their EXIT, then forgotten: memory follows the processes alive.
 */
#ifndef PYREC_REPORT_TIMELINE_H
#define PYREC_REPORT_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/hash.h"
#include "common/intern.h"
#include "common/vec.h"
#include "format/record.h"
#include "report/address_space.h"
#include "report/module.h"

struct thread {
	uint32_t tid;
	const char *comm; /* escaped, owned by the timeline; NULL: never told */
	uint32_t ns_tid;  /* in its own pid namespace; 0: never told */
	UT_hash_handle hh;
};

struct process {
	uint32_t pid;
	uint32_t parent_pid; /* 0: not known */
	uint32_t ns_pid;     /* in its own pid namespace; 0: not known */
	bool is_nested;	     /* that is another one than the recorder's */
	/* Escaped, owned by the timeline; NULL: not known. */
	const char *cgroup;
	const char *container; /* container_name_append() of it */
	struct address_space space;
	struct thread *threads; /* by tid */
	bool is_exited;
	struct process *exited_next; /* in order of exit */
	UT_hash_handle hh;
};

struct perf_build_id;

struct known_build_id {
	uint8_t bytes[20];
	uint8_t nr;
};

VEC_DEFINE(known_build_ids, struct known_build_id)

struct timeline {
	struct process *processes; /* the one each pid means now */
	struct process *exited_first;
	struct process *exited_last;
	uint32_t exited_nr;
	uint64_t generations_nr; /* of address spaces given so far */
	struct intern texts;
	struct modules *modules;
	struct intern known_paths; /* of HEADER_BUILD_ID; ids are indices of known_build_ids */
	struct known_build_ids known_build_ids;
};

/** @modules is borrowed and must outlive the timeline. */
void timeline_init(struct timeline *timeline, struct modules *modules);
void timeline_deinit(struct timeline *timeline);

/**
 * Build ids of paths for MMAP records that have none of their own (feature HEADER_BUILD_ID).
 * The first one of a path counts. Return: 0 or -ENOMEM.
 */
must_check int timeline_add_build_ids(struct timeline *timeline,
				      const struct perf_build_id *build_ids, uint32_t nr);

/** Apply an MMAP, MMAP2, COMM, FORK or EXIT; others change nothing. Return: 0 or -ENOMEM. */
must_check int timeline_apply(struct timeline *timeline, const struct record *record);

struct payload_task;

/** What @task tells holds from now on. Return: 0 or -ENOMEM. */
must_check int timeline_apply_task(struct timeline *timeline, const struct payload_task *task);

/** The process that @pid means now, made (empty) when it was never heard of. NULL: -ENOMEM. */
struct process *timeline_get(struct timeline *timeline, uint32_t pid);

/** Number of a thread in its own pid namespace; 0: not known. */
uint32_t process_ns_tid(const struct process *process, uint32_t tid);

/** Name of a thread, else of its process's main thread; NULL when neither was ever told. */
const char *process_comm(const struct process *process, uint32_t tid);

#endif
