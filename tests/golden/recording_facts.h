/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the recordings that tests make say of themselves: always the same machine and event. */
#ifndef PYREC_TESTS_RECORDING_FACTS_H
#define PYREC_TESTS_RECORDING_FACTS_H

#include "format/record.h"
#include "format/writer.h"

/** @argv: the command line, NULL terminated; borrowed as long as the result is used. */
static inline struct perf_file_facts recording_facts(const char *const *argv)
{
	return (struct perf_file_facts){
	    .attr = {.type = PERF_TYPE_SOFTWARE,
		     .size = sizeof(struct perf_event_attr),
		     .config = PERF_COUNT_SW_CPU_CLOCK,
		     .sample_freq = 99,
		     .sample_type = PYREC_SAMPLE_TYPE,
		     .freq = 1,
		     .mmap = 1,
		     .mmap2 = 1,
		     .comm = 1,
		     .comm_exec = 1,
		     .task = 1,
		     .build_id = 1,
		     .sample_id_all = 1,
		     .exclude_callchain_user = 1,
		     .use_clockid = 1,
		     .clockid = 1, /* CLOCK_MONOTONIC */
		     .sample_regs_user = PYREC_REGS_USER,
		     .sample_stack_user = 61440},
	    .event_name = "cpu-clock",
	    .hostname = "prod-1",
	    .os_release = "6.1.0-18-amd64",
	    .tool_version = "pyrec 0.1",
	    .arch = "x86_64",
	    .cpus_online_nr = 4,
	    .cpus_available_nr = 8,
	    .cpu_description = "A Processor @ 2.0GHz",
	    .total_memory_kib = 16384,
	    .argv = argv,
	};
}

#endif
