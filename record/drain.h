/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From the events of the BPF ring to the records of the file. Other end of the ring:
 * bpf/pyrec.bpf.c sample_submit() and code_emit_step().
 */
#ifndef PYREC_RECORD_DRAIN_H
#define PYREC_RECORD_DRAIN_H

#include <stdint.h>

#include "common/cleanup.h"
#include "format/payload.h"
#include "record/address_set.h"
#include "record/code_objects.h"
#include "record/output.h"
#include "record/processes.h"

struct drain;

struct drain_options {
	struct output *output; /* borrowed, all of them */
	struct code_objects *codes;
	const struct processes *processes;
};

must_check int drain_create(const struct drain_options *options, struct drain **ret);
void drain_destroy(struct drain *drain);

/** One event of @nr bytes. @context is the struct drain. Return: 0, or the output's error. */
int drain_on_event(void *context, const void *event, size_t nr);

struct drain_counts {
	uint64_t samples_nr;
	uint64_t status_counts[6]; /* by enum py_stack_status */
	uint64_t unreadable_frames_nr;
	uint64_t damaged_nr; /* events that contradict their own size */
};
struct drain_counts drain_get_counts(const struct drain *drain);

/** Kernel addresses that samples hit; borrowed. */
const struct address_set *drain_kernel_addresses(const struct drain *drain);

#endif
