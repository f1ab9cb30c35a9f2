/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "record/sampler.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bpf/pyrec_legacy.skel.h"
#include "bpf/pyrec_loop.skel.h"
#include "common/log.h"
#include "common/vec.h"
#include "record/privileges.h"

/* The two objects have the same maps and variables; this is what the recorder uses of either. */
struct sampler_object {
	struct bpf_object *object;
	struct bpf_program *on_tick;
	struct bpf_map *scratches;
	struct bpf_map *processes;
	struct bpf_map *layouts;
	struct bpf_map *ring;
	const uint64_t *counters;
};

struct sampler {
	struct pyrec_loop *loop;
	struct pyrec_legacy *legacy;
	struct sampler_object object;
	struct ring_buffer *ring;
	struct sampler_options options;
	struct perf_event_attr event;
	int *event_fds; /* by CPU, -1 where the CPU is offline */
	int cpus_nr;
	int stats_fd;
};

/* libbpf's own messages help with -v only: the sentence for people is made from the errno. */
static int libbpf_print(enum libbpf_print_level level, const char *format, va_list arguments)
{
	if (log_get_level() < LOG_LEVEL_DEBUG || level == LIBBPF_DEBUG)
		return 0;
	return vfprintf(stderr, format, arguments);
}

/* Inode of this process's pid namespace; 0 for the initial one, whose ids the kernel uses itself.
 */
static uint32_t pid_namespace_number(void)
{
	const ino_t initial = 0xeffffffc; /* PROC_PID_INIT_INO, include/linux/proc_ns.h */
	struct stat status;

	if (stat("/proc/self/ns/pid", &status) || status.st_ino == initial)
		return 0;
	return (uint32_t)status.st_ino;
}

#define SAMPLER_BIND(sampler, skeleton)               \
	((sampler)->object = (struct sampler_object){ \
	     .object = (skeleton)->obj,               \
	     .on_tick = (skeleton)->progs.on_tick,    \
	     .scratches = (skeleton)->maps.scratches, \
	     .processes = (skeleton)->maps.processes, \
	     .layouts = (skeleton)->maps.layouts,     \
	     .ring = (skeleton)->maps.ring,           \
	 })

#define SAMPLER_CONFIGURE(options, skeleton)                                              \
	do {                                                                              \
		(skeleton)->rodata->config_all_processes = (options)->all_processes;      \
		(skeleton)->rodata->config_pid_namespace = pid_namespace_number();        \
		(skeleton)->rodata->config_boottime_shift = (options)->boottime_shift_ns; \
		(skeleton)->rodata->config_stack_cap = (options)->stack_cap_bytes;        \
		(skeleton)->rodata->config_wakeup_bytes = (options)->ring_bytes / 4;      \
	} while (0)

static int sampler_size_maps(struct sampler *sampler)
{
	int cpus_nr = libbpf_num_possible_cpus();
	int error;

	if (cpus_nr <= 0)
		return cpus_nr ? cpus_nr : -EINVAL;
	sampler->cpus_nr = cpus_nr;
	error = bpf_map__set_max_entries(sampler->object.scratches, (__u32)cpus_nr);
	if (!error)
		error = bpf_map__set_max_entries(sampler->object.ring,
						 (__u32)sampler->options.ring_bytes);
	return error;
}

static int sampler_load_loop(struct sampler *sampler)
{
	int error;

	sampler->loop = pyrec_loop__open();
	if (!sampler->loop)
		return -errno;
	SAMPLER_BIND(sampler, sampler->loop);
	SAMPLER_CONFIGURE(&sampler->options, sampler->loop);
	error = sampler_size_maps(sampler);
	if (!error)
		error = pyrec_loop__load(sampler->loop);
	if (!error) {
		sampler->object.counters = (const uint64_t *)sampler->loop->bss->counters;
		return 0;
	}
	pyrec_loop__destroy(sampler->loop);
	sampler->loop = NULL;
	return error;
}

static int sampler_load_legacy(struct sampler *sampler)
{
	int error;

	sampler->legacy = pyrec_legacy__open();
	if (!sampler->legacy)
		return -errno;
	SAMPLER_BIND(sampler, sampler->legacy);
	SAMPLER_CONFIGURE(&sampler->options, sampler->legacy);
	error = sampler_size_maps(sampler);
	if (!error)
		error = pyrec_legacy__load(sampler->legacy);
	if (!error) {
		sampler->object.counters = (const uint64_t *)sampler->legacy->bss->counters;
		return 0;
	}
	pyrec_legacy__destroy(sampler->legacy);
	sampler->legacy = NULL;
	return error;
}

/* Probed, not looked up by version: a kernel without bpf_loop refuses the first object. */
static int sampler_load(struct sampler *sampler)
{
	int error = -EINVAL;

	if (!sampler->options.use_legacy)
		error = sampler_load_loop(sampler);
	if (error && error != -EPERM && error != -ESRCH) {
		if (!sampler->options.use_legacy)
			log_debug("the loop object does not load (%s), trying the legacy object",
				  strerror(-error));
		error = sampler_load_legacy(sampler);
	}
	return error;
}

static int sampler_on_ring_event(void *context, void *event, size_t nr)
{
	struct sampler *sampler = context;

	return sampler->options.on_event(sampler->options.context, event, nr);
}

int sampler_create(const struct sampler_options *options, struct sampler **ret)
{
	struct sampler *sampler = calloc(1, sizeof(*sampler));
	int error;

	if (!sampler)
		return -ENOMEM;
	sampler->options = *options;
	sampler->event = *options->event;
	sampler->stats_fd = -1;
	libbpf_set_print(libbpf_print);
	error = sampler_load(sampler);
	if (error) {
		privileges_explain_bpf(error);
		goto out;
	}
	sampler->ring = ring_buffer__new(bpf_map__fd(sampler->object.ring), sampler_on_ring_event,
					 sampler, NULL);
	sampler->event_fds = malloc((size_t)sampler->cpus_nr * sizeof(int));
	if (!sampler->ring || !sampler->event_fds) {
		error = -ENOMEM;
		goto out;
	}
	for (int cpu = 0; cpu < sampler->cpus_nr; cpu++)
		sampler->event_fds[cpu] = -1;
	*ret = sampler;
	return 0;
out:
	sampler_destroy(sampler);
	return error;
}

/* One event per CPU, disabled until all are attached. An offline CPU (-ENODEV) has none. */
static int sampler_open_event(struct sampler *sampler, int cpu)
{
	int fd = (int)syscall(SYS_perf_event_open, &sampler->event, -1, cpu, -1,
			      PERF_FLAG_FD_CLOEXEC);

	if (fd < 0)
		return errno == ENODEV ? 0 : -errno;
	sampler->event_fds[cpu] = fd;
	if (ioctl(fd, PERF_EVENT_IOC_SET_BPF, bpf_program__fd(sampler->object.on_tick)))
		return -errno;
	return 0;
}

int sampler_start(struct sampler *sampler)
{
	for (int cpu = 0; cpu < sampler->cpus_nr; cpu++) {
		int error = sampler_open_event(sampler, cpu);

		if (error) {
			privileges_explain_event(error);
			return error;
		}
	}
	for (int cpu = 0; cpu < sampler->cpus_nr; cpu++)
		if (sampler->event_fds[cpu] >= 0 &&
		    ioctl(sampler->event_fds[cpu], PERF_EVENT_IOC_ENABLE, 0))
			return -errno;
	return 0;
}

void sampler_stop(struct sampler *sampler)
{
	for (int cpu = 0; cpu < sampler->cpus_nr; cpu++) {
		if (sampler->event_fds[cpu] >= 0)
			close(sampler->event_fds[cpu]);
		sampler->event_fds[cpu] = -1;
	}
}

void sampler_destroy(struct sampler *sampler)
{
	if (!sampler)
		return;
	if (sampler->event_fds)
		sampler_stop(sampler);
	free(sampler->event_fds);
	ring_buffer__free(sampler->ring);
	pyrec_loop__destroy(sampler->loop);
	pyrec_legacy__destroy(sampler->legacy);
	if (sampler->stats_fd >= 0)
		close(sampler->stats_fd);
	free(sampler);
}

int sampler_fd(const struct sampler *sampler)
{
	return ring_buffer__epoll_fd(sampler->ring);
}

int sampler_drain(struct sampler *sampler)
{
	return ring_buffer__consume(sampler->ring);
}

int sampler_set_layout(struct sampler *sampler, uint32_t index, const struct pyrec_layout *layout)
{
	return bpf_map__update_elem(sampler->object.layouts, &index, sizeof(index), layout,
				    sizeof(*layout), BPF_ANY);
}

int sampler_add_process(struct sampler *sampler, uint32_t tgid, const struct pyrec_process *process)
{
	return bpf_map__update_elem(sampler->object.processes, &tgid, sizeof(tgid), process,
				    sizeof(*process), BPF_ANY);
}

int sampler_get_process(struct sampler *sampler, uint32_t tgid, struct pyrec_process *ret)
{
	return bpf_map__lookup_elem(sampler->object.processes, &tgid, sizeof(tgid), ret,
				    sizeof(*ret), 0);
}

void sampler_remove_process(struct sampler *sampler, uint32_t tgid)
{
	(void)bpf_map__delete_elem(sampler->object.processes, &tgid, sizeof(tgid), 0);
}

uint64_t sampler_count(const struct sampler *sampler, enum pyrec_counter counter)
{
	return __atomic_load_n(&sampler->object.counters[counter], __ATOMIC_RELAXED);
}

bool sampler_is_legacy(const struct sampler *sampler)
{
	return sampler->legacy != NULL;
}

int sampler_measure(struct sampler *sampler)
{
	sampler->stats_fd = bpf_enable_stats(BPF_STATS_RUN_TIME);
	return sampler->stats_fd < 0 ? sampler->stats_fd : 0;
}

int sampler_get_cost(const struct sampler *sampler, struct sampler_cost *ret)
{
	struct bpf_program *program;
	struct sampler_cost cost = {0};

	bpf_object__for_each_program(program, sampler->object.object)
	{
		struct bpf_prog_info info = {0};
		__u32 nr = sizeof(info);
		int error = bpf_obj_get_info_by_fd(bpf_program__fd(program), &info, &nr);

		if (error)
			return error;
		cost.run_time_ns += info.run_time_ns;
		if (program == sampler->object.on_tick)
			cost.run_count = info.run_cnt;
	}
	*ret = cost;
	return 0;
}
