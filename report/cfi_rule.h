/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From the state of a CFI program to a rule that needs no expression evaluator. The expressions
 * that compilers and libraries really use are recognised by their bytes; any other makes the
 * rule CFI_RULE_EXPRESSION.
 */
#ifndef PYREC_REPORT_CFI_RULE_H
#define PYREC_REPORT_CFI_RULE_H

#include "report/cfi_program.h"
#include "report/cfi_table.h"

/*
 * The kernel's signal frame as __restore_rt finds it at rsp: struct ucontext, general registers
 * from byte 40 on in the order of struct sigcontext_64 (Linux 6.1,
 * arch/x86/include/uapi/asm/sigcontext.h). Offset of register @dwarf_number (0 … 16).
 */
int32_t signal_frame_offset(unsigned int dwarf_number);

/** Equal states give bytewise equal rules. Return: 0 or -EBADMSG (no CFA, or one of no register).
 */
must_check int cfi_rule_compile(const struct cfi_frames *frames, const struct cfi_cie *cie,
				const struct cfi_state *state, struct cfi_rule *ret);

#endif
