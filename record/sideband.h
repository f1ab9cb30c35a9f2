/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel's own records of what processes do (MMAP2, COMM, FORK, EXIT, LOST), from one dummy
 * event per CPU on the clock of the samples.
 */
#ifndef PYREC_RECORD_SIDEBAND_H
#define PYREC_RECORD_SIDEBAND_H

#include <stddef.h>
#include <stdint.h>

#include "common/cleanup.h"
#include "format/record.h"

struct sideband;

/**
 * Open and start. Logs why not. @clock_shift_ns: by how much our CLOCK_MONOTONIC is ahead of the
 * kernel's (proc_clock_shift). Return: 0 or -errno.
 */
must_check int sideband_create(uint32_t ring_pages, int64_t clock_shift_ns, struct sideband **ret);
void sideband_destroy(struct sideband *sideband);

/** Descriptor that is readable when any ring has records (for poll(2)). */
int sideband_fd(const struct sideband *sideband);

/** How the records' trailers look: a subset of a pyrec file's, with the same bytes. */
const struct record_layout *sideband_layout(void);

/** @bytes is 8-aligned and gone after the call. Non-zero ends the drain. */
typedef int (*sideband_visit)(void *context, const struct perf_event_header *bytes);

/**
 * Visit what is in the rings now, in order of time, so that a process's fork comes before its exec
 * and its mappings, whichever CPUs they were on. Return: 0 or @visit's non-zero value.
 */
int sideband_drain(struct sideband *sideband, sideband_visit visit, void *context);

#endif
