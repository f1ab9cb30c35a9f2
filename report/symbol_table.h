/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One module's function symbols as disjoint stretches of code, each with its best name, so that a
 * look-up is one binary search. Rules of choice: Documentation/unwinding.adoc.
 */
#ifndef PYREC_REPORT_SYMBOL_TABLE_H
#define PYREC_REPORT_SYMBOL_TABLE_H

#include "common/cleanup.h"
#include "format/bundle.h"
#include "report/module.h"

struct cfi_frames;
struct symbol_table;

/** @module is borrowed for the table's life. Return: 0 or -ENOMEM. */
must_check int symbol_table_create(const struct bundle_module *module, struct symbol_table **ret);
/** The same where @frames, the FDEs of @module, are at hand; NULL: they are not. */
must_check int symbol_table_create_with(const struct bundle_module *module,
					const struct cfi_frames *frames, struct symbol_table **ret);
void symbol_table_destroy(struct symbol_table *table);
/** Return: 0 or -ENOENT. */
must_check int symbol_table_find(const struct symbol_table *table, uint64_t vaddr,
				 struct symbol *ret);

#endif
