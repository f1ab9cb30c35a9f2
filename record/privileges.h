/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What a refusal of the kernel means and what to do about it: one sentence each. */
#ifndef PYREC_RECORD_PRIVILEGES_H
#define PYREC_RECORD_PRIVILEGES_H

/** Log why bpf(2) or loading the programs failed with @error (-errno). */
void privileges_explain_bpf(int error);
/** Log why perf_event_open(2) failed with @error. */
void privileges_explain_event(int error);
/** Log why mapping a side-band ring failed with @error. */
void privileges_explain_ring(int error);

#endif
