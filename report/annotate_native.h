/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One function of machine code as disassembly, with the shares of its instructions. */
#ifndef PYREC_REPORT_ANNOTATE_NATIVE_H
#define PYREC_REPORT_ANNOTATE_NATIVE_H

#include "report/annotate_source.h"
#include "report/annotate_table.h"

/**
 * Print @table's function, of a module or of the kernel, with its source lines between where debug
 * information and sources are at hand. Recordings hold no code: without the file of the same build
 * id it shows addresses and shares only and says so. Return: 0 or -ENOMEM.
 */
must_check int annotate_native(struct annotate_table *table, const struct source_places *sources);

#endif
