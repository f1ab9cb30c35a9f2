/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The BPF side as the recorder sees it: loads the object that this kernel takes, attaches it to a
 * sampling event on each CPU, owns the maps and the ring. The one user of libbpf and the skeletons.
 */
#ifndef PYREC_RECORD_SAMPLER_H
#define PYREC_RECORD_SAMPLER_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "bpf/pyrec_bpf.h"
#include "common/cleanup.h"

struct perf_event_attr;
struct sampler;

struct sampler_options {
	bool all_processes;
	bool use_legacy; /* the legacy object even where the other one would load (tests) */
	uint32_t stack_cap_bytes;
	int64_t boottime_shift_ns;	     /* added to a start by who reads stat(5) here (struct
						proc_clock_shift) */
	uint64_t ring_bytes;		     /* a power of two, multiple of the page size */
	const struct perf_event_attr *event; /* what to sample on each CPU */
	/* Called for each event of the ring from sampler_drain(). Non-zero stops the drain. */
	int (*on_event)(void *context, const void *event, size_t nr);
	void *context;
};

/** Load and prepare, not sampling yet. Logs why not. Return: 0 or -errno. */
must_check int sampler_create(const struct sampler_options *options, struct sampler **ret);
/** Start the events. Logs why not. Return: 0 or -errno. */
must_check int sampler_start(struct sampler *sampler);
/** Stop the events; what is in the ring stays to be drained. */
void sampler_stop(struct sampler *sampler);
void sampler_destroy(struct sampler *sampler);

/** Readable when the ring passed its fill mark (for poll(2)). */
int sampler_fd(const struct sampler *sampler);
/** Hand everything in the ring to on_event. Return: events handled or the callback's error. */
must_check int sampler_drain(struct sampler *sampler);

/** @index below PYREC_LAYOUTS_MAX. Return: 0 or -errno. */
must_check int sampler_set_layout(struct sampler *sampler, uint32_t index,
				  const struct pyrec_layout *layout);
/** Sample @tgid from now on. Return: 0 or -errno. */
must_check int sampler_add_process(struct sampler *sampler, uint32_t tgid,
				   const struct pyrec_process *process);
/** The entry of @tgid as BPF has it. Return: 0 or -ENOENT. */
must_check int sampler_get_process(struct sampler *sampler, uint32_t tgid,
				   struct pyrec_process *ret);
void sampler_remove_process(struct sampler *sampler, uint32_t tgid);

uint64_t sampler_count(const struct sampler *sampler, enum pyrec_counter counter);
bool sampler_is_legacy(const struct sampler *sampler);

/* Cost of the program that the events run, as the kernel measured it (kernel.bpf_stats_enabled). */
struct sampler_cost {
	uint64_t run_time_ns;
	uint64_t run_count;
};
/** Let the kernel measure until sampler_destroy(). Return: 0 or -errno. */
must_check int sampler_measure(struct sampler *sampler);
must_check int sampler_get_cost(const struct sampler *sampler, struct sampler_cost *ret);

#endif
