/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The kernel's own function names, from /proc/kallsyms. */
#ifndef PYREC_RECORD_KERNEL_SYMBOLS_H
#define PYREC_RECORD_KERNEL_SYMBOLS_H

#include <stdint.h>

#include "common/cleanup.h"
#include "common/strbuf.h"
#include "format/record.h"
#include "record/address_set.h"

/** Add those around @hits to the bundle; none when addresses are hidden (kptr_restrict).
 *  Return: 0 or -ENOMEM. */
must_check int kernel_symbols_bundle(const struct address_set *hits, struct strbuf *out,
				     uint32_t *nr);

/** The mapping record that perf makes for the kernel's text. Return: 0; -ENOENT: hidden. */
must_check int kernel_map_record(struct record *ret);

/** Build id of the running kernel (/sys/kernel/notes). Return: its length, 0: none. */
uint8_t kernel_build_id(uint8_t build_id[20]);

#endif
