/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names of kernel addresses: from the recording's bundle; without one, from this machine's
 * /proc/kallsyms, if this is the same boot of the same kernel: then, and only then, a
 * symbol that the recording tells the address of (perf's "[kernel.kallsyms]_text" mapping) has that
 * address here too.
 */
#ifndef PYREC_REPORT_KERNEL_SYMBOLS_H
#define PYREC_REPORT_KERNEL_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cleanup.h"
#include "common/kallsyms.h"
#include "format/bundle.h"
#include "format/record.h"

struct kernel_symbols {
	const struct bundle *bundle; /* borrowed; NULL: none */
	const char *os_release;	     /* borrowed; of the recorded machine; NULL: not known */
	bool use_local_files;
	bool is_loaded; /* local symbols were looked for */
	char *reference_name;
	uint64_t reference_address; /* 0: the recording tells none */
	char *text;		    /* of this machine's kallsyms; @local points into it */
	struct kallsyms local;
};

void kernel_symbols_init(struct kernel_symbols *symbols, const struct bundle *bundle,
			 const char *os_release, bool use_local_files);
void kernel_symbols_deinit(struct kernel_symbols *symbols);

/** Learn from the kernel's mapping record; others are passed over. Return: 0 or -ENOMEM. */
must_check int kernel_symbols_take_map(struct kernel_symbols *symbols,
				       const struct record_mmap *mmap);

/** The function around @address. Return: 0, -ENOENT or -ENOMEM. */
must_check int kernel_symbols_find(struct kernel_symbols *symbols, uint64_t address,
				   struct bundle_kernel_symbol *ret);

/** Parse kallsyms text, malloc'd, which @symbols owns from now on, if its reference symbol is where
 *  the recording says. For tests. Return: 0, -ENOENT (another boot), -ENOMEM. */
must_check int kernel_symbols_load(struct kernel_symbols *symbols, char *text);

#endif
