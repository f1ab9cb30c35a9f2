/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The processes that are recorded: found in /proc at the start, then told by the side-band. Each
 * is written into the file as what report needs to follow it (COMM, MMAP2, interpreter) and is
 * handed to BPF. One that cannot be looked at (it is gone, or belongs to somebody else) is
 * passed over; it never stops the recorder.
 */
#ifndef PYREC_RECORD_PROCESSES_H
#define PYREC_RECORD_PROCESSES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/cleanup.h"
#include "record/code_objects.h"
#include "record/mapped_files.h"
#include "record/output.h"
#include "record/sampler.h"

struct processes;

struct processes_options {
	struct mapped_files *files; /* borrowed, all of them */
	struct output *output;
	struct code_objects *codes;
	bool all_processes; /* also those without Python */
	bool only_targets;  /* those named by processes_add_target() and their children */
};

must_check int processes_create(const struct processes_options *options, struct processes **ret);
void processes_destroy(struct processes *processes);

/** Before anything else: whom to tell. The sampler needs this struct first, so it comes later. */
void processes_set_sampler(struct processes *processes, struct sampler *sampler);

/** Record @pid and what it forks. Return: 0 or -ENOMEM. */
must_check int processes_add_target(struct processes *processes, uint32_t pid);
/** Look at every process that runs now. Return: 0 or -errno of reading /proc. */
must_check int processes_scan(struct processes *processes);
/** One record of the side-band. Return: 0, or the output's error. */
must_check int processes_on_record(struct processes *processes,
				   const struct perf_event_header *header);
/** Each round: look again at those that were registered in the middle of their exec, or that could
 * not be when they mapped an interpreter. */
void processes_recheck(struct processes *processes);
/** About once a second: forget those that ended. */
void processes_sweep(struct processes *processes);

/** Layout for reading code objects of the layout number that an event names; NULL: unknown. */
const struct code_layout *processes_layout(const struct processes *processes, uint32_t index);

struct processes_counts {
	uint32_t python_nr;	 /* incarnations that were walked */
	uint32_t unsupported_nr; /* Python, but of an unknown layout */
	uint32_t native_nr;
	uint64_t sideband_lost_nr;
	uint32_t denied_nr; /* could not be looked at for want of privilege */
};
struct processes_counts processes_get_counts(const struct processes *processes);

#endif
