/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One module's .eh_frame compiled into sorted rows: pc -> rule. The rows that every other unwinder
 * finds anew for each frame are found once. Design and costs: Documentation/unwinding.adoc.
 */
#ifndef PYREC_REPORT_CFI_TABLE_H
#define PYREC_REPORT_CFI_TABLE_H

#include <stdint.h>

#include "common/cleanup.h"
#include "format/bundle.h"

struct cfi_table;

enum cfi_rule_kind {
	CFI_RULE_NONE,	 /* no FDE covers the pc */
	CFI_RULE_OFFSET, /* CFA = cfa_register + cfa_offset */
	CFI_RULE_PLT,	/* CFA = rsp + 8 + ((rip & 15) >= 11) * 8: gcc's and lld's PLT expression */
	CFI_RULE_DEREF, /* CFA = *(cfa_register + cfa_offset) + cfa_add: DRAP, OpenSSL assembly */
	CFI_RULE_SIGNAL,     /* the kernel's signal frame lies at rsp (__restore_rt) */
	CFI_RULE_END,	     /* RA undefined: outermost frame */
	CFI_RULE_EXPRESSION, /* any other expression: unwind_libunwind.c */
};

/* How one callee-saved register of the caller is found. */
enum cfi_register_kind {
	CFI_REGISTER_SAME,	/* unchanged */
	CFI_REGISTER_AT_CFA,	/* at CFA + offset */
	CFI_REGISTER_AT_OWN,	/* at the register's own value + offset (DRAP: rbp = *(rbp + 0)) */
	CFI_REGISTER_UNDEFINED, /* lost */
};

struct cfi_register_rule {
	uint8_t kind; /* enum cfi_register_kind */
	int32_t offset;
};

struct cfi_rule {
	uint8_t kind;	      /* enum cfi_rule_kind */
	uint8_t cfa_register; /* DWARF number: 7 rsp, 6 rbp, 3 rbx, 10 r10, 12 r12, 13 r13, … */
	int32_t cfa_offset;
	int32_t cfa_add;
	int32_t ra_offset; /* return address at CFA + this */
	struct cfi_register_rule rbx, rbp, r12, r13, r14, r15;
};

/** Compile; bounded in time and memory by the size of .eh_frame. A damaged FDE costs only itself.
 *  Return: 0, -ENOENT (no .eh_frame), -ENOMEM. */
must_check int cfi_table_create(const struct bundle_module *module, struct cfi_table **ret);
void cfi_table_destroy(struct cfi_table *table);
/** Rule at @vaddr (of the file, load bias removed); kind CFI_RULE_NONE outside. Never NULL. */
const struct cfi_rule *cfi_table_find(const struct cfi_table *table, uint64_t vaddr);

struct cfi_table_stats {
	uint32_t fdes_nr;
	uint32_t fdes_damaged_nr;
	uint32_t rows_nr;
	uint32_t rules_nr;
	uint32_t expression_rows_nr;
	uint64_t bytes;
};
struct cfi_table_stats cfi_table_get_stats(const struct cfi_table *table);

#endif
