/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Holds every byte of a file's code against libdw: what dwarf_cfi_addrframe() says there and what
 * the compiled table says must be the same rule.
 */
#ifndef PYREC_TESTS_NATIVE_CFI_ORACLE_H
#define PYREC_TESTS_NATIVE_CFI_ORACLE_H

#include "report/cfi_table.h"
#include "tests/native/elf_module.h"

struct cfi_oracle_counts {
	uint64_t rows;	      /* stretches of code of one libdw frame */
	uint64_t differences; /* rows where the table says something else */
	uint64_t expressions; /* rows left to the evaluator: not compared further */
	uint64_t uncovered;   /* bytes where both say: nothing known */
};

/** Compare; at most @print_max differences are printed to stderr. Return: 0, or -1 when libdw
 *  cannot read the file. @stride > 1 looks at every @stride-th row only. */
int cfi_oracle_compare(struct elf_module *file, const struct cfi_table *table, unsigned int stride,
		       unsigned int print_max, struct cfi_oracle_counts *ret);

#endif
