/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the file's header says about the machine. */
#ifndef PYREC_RECORD_HOST_FACTS_H
#define PYREC_RECORD_HOST_FACTS_H

#include <sys/utsname.h>

#include "common/cleanup.h"
#include "format/writer.h"

struct host_facts {
	struct utsname names;
	char cpu_description[128];
	uint64_t total_memory_kib;
	uint32_t cpus_online_nr;
	uint32_t cpus_available_nr;
};

void host_facts_read(struct host_facts *ret);
/** Borrowing view for perf_writer_create(); event, argv and tool are the caller's. */
void host_facts_describe(const struct host_facts *facts, struct perf_file_facts *ret);

#endif
