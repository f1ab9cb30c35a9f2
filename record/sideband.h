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

/** Open and start. Logs why not. Return: 0 or -errno. */
must_check int sideband_create(uint32_t ring_pages, struct sideband **ret);
void sideband_destroy(struct sideband *sideband);

/** Descriptor that is readable when any ring has records (for poll(2)). */
int sideband_fd(const struct sideband *sideband);

/** How the records' trailers look: a subset of a pyrec file's, with the same bytes. */
const struct record_layout *sideband_layout(void);

/**
 * Call @visit for each record that is in the rings now; @bytes is 8-aligned and
 * gone after the call. CPU by CPU, so not in order of time. Return: 0 or @visit's non-zero
 * value.
 */
int sideband_drain(struct sideband *sideband,
		   int (*visit)(void *context, const struct perf_event_header *bytes),
		   void *context);

#endif
