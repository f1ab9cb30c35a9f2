/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "record/host_facts.h"

#include <string.h>
#include <sys/sysinfo.h>

#include "common/proc_text.h"

static void cpu_description_read(char *text, size_t nr)
{
	auto_free char *info = NULL;
	size_t info_nr;
	char *at;

	snprintf(text, nr, "unknown");
	if (proc_file_read("/proc/cpuinfo", &info, &info_nr))
		return;
	at = strstr(info, "model name");
	at = at ? strchr(at, ':') : NULL;
	if (at) {
		at[strcspn(at, "\n")] = '\0';
		snprintf(text, nr, "%s", at + 2);
	}
}

void host_facts_read(struct host_facts *ret)
{
	struct sysinfo info;

	*ret = (struct host_facts){0};
	uname(&ret->names);
	cpu_description_read(ret->cpu_description, sizeof(ret->cpu_description));
	if (sysinfo(&info) == 0)
		ret->total_memory_kib = (uint64_t)info.totalram * info.mem_unit / 1024;
	ret->cpus_online_nr = (uint32_t)get_nprocs();
	ret->cpus_available_nr = (uint32_t)get_nprocs_conf();
}

void host_facts_describe(const struct host_facts *facts, struct perf_file_facts *ret)
{
	ret->hostname = facts->names.nodename;
	ret->os_release = facts->names.release;
	ret->arch = facts->names.machine;
	ret->cpu_description = facts->cpu_description;
	ret->cpus_online_nr = facts->cpus_online_nr;
	ret->cpus_available_nr = facts->cpus_available_nr;
	ret->total_memory_kib = facts->total_memory_kib;
}
