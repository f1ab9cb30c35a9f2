/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One frame by the state of its CFI program itself, DWARF expressions included: for the few rows
 * that have no kind of their own. Bounded in operations, stack and reads, as the bytes
 * are untrusted; libunwind 1.6.2 can be made to read outside of its own stack by such rows.
 */
#ifndef PYREC_REPORT_CFI_EVALUATE_H
#define PYREC_REPORT_CFI_EVALUATE_H

#include "common/bytes.h"
#include "report/cfi_program.h"
#include "report/unwind_state.h"

enum { CFI_EXPRESSION_STACK_NR = 32, CFI_EXPRESSION_OPERATIONS_MAX = 256 };

/**
 * Value of a DWARF expression (DWARF 5, 2.5.1; what 6.4.2 leaves out excepted). @initial: the CFA
 * that lies on the stack from the start; NULL: none.
 * Return: 0; -EBADMSG: no such expression; -EFAULT: it needs what was not recorded.
 */
must_check int cfi_expression_run(struct bytes_cursor expression,
				  const struct unwind_registers *registers,
				  const struct stack_dump *dump, const uint64_t *initial,
				  uint64_t *ret);

/**
 * From the frame of @registers to its caller's, in the same place. @section: the bytes that
 * the spans of @state lie in. Return: 0; -EBADMSG or -EFAULT (then @registers are unchanged).
 */
must_check int cfi_state_step(const struct cfi_state *state, const uint8_t *section,
			      const struct stack_dump *dump, struct unwind_registers *registers);

#endif
