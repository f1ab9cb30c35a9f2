/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Fills the bundle at the end of a recording: unwind tables, function symbols and segments of each
 * mapped file of a recorded process, the vdso, and the kernel functions that were hit.
 */
#ifndef PYREC_RECORD_BUNDLE_COLLECT_H
#define PYREC_RECORD_BUNDLE_COLLECT_H

#include <stdint.h>

#include "common/cleanup.h"
#include "common/strbuf.h"
#include "record/address_set.h"
#include "record/mapped_files.h"

struct bundle_summary {
	uint32_t modules_nr;
	uint32_t unreadable_nr; /* files that were gone or refused: report needs them at hand */
	uint32_t kernel_symbols_nr;
};

/** Build the bundle's bytes. A file that cannot be read is left out. Return: 0 or -ENOMEM. */
must_check int bundle_collect(struct mapped_files *files, const struct address_set *kernel_hits,
			      struct strbuf *out, struct bundle_summary *ret);

#endif
