/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What BPF could not read because it was paged out: read it from here, which makes the kernel bring
 * it back, so that the next sample is whole. What is read is thrown away: by now it may be another
 * chain than the sampled one.
 */
#ifndef PYREC_RECORD_FAULT_IN_H
#define PYREC_RECORD_FAULT_IN_H

#include <stdint.h>

#include <linux/types.h>

#include "bpf/pyrec_bpf.h"

/** The frames from @frame rootward, their code objects and names. Bounded. */
void fault_in_chain(uint32_t tgid, const struct pyrec_layout *layout, uint64_t frame);
/** The 8 bytes at @address. */
void fault_in_word(uint32_t tgid, uint64_t address);
/** One code object and its name. */
void fault_in_code(uint32_t tgid, const struct pyrec_layout *layout, uint64_t code);

#endif
