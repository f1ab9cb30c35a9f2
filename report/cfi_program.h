/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Runs the call frame instructions of one FDE (DWARF 5, 6.4.2, with the GNU additions of
 * binutils' include/dwarf2.def) and hands on the state of each stretch of code. The input is
 * untrusted: registers and depth are bounded and every instruction uses up input.
 */
#ifndef PYREC_REPORT_CFI_PROGRAM_H
#define PYREC_REPORT_CFI_PROGRAM_H

#include "report/cfi_frames.h"

enum {
	CFI_REGISTERS_NR = 17,	/* rax … r15 and the return address, as DWARF numbers them */
	CFI_REMEMBER_DEPTH = 8, /* DW_CFA_remember_state; compilers nest one or two */
};

#define CFI_CFA_UNSET UINT64_MAX /* cfa_register before the first DW_CFA_def_cfa */

enum cfi_state_kind {
	CFI_STATE_UNSET, /* nothing said: the ABI's default */
	CFI_STATE_SAME,
	CFI_STATE_UNDEFINED,
	CFI_STATE_OFFSET,	/* at CFA + value */
	CFI_STATE_VALUE_OFFSET, /* is CFA + value */
	CFI_STATE_REGISTER,	/* in register value */
	CFI_STATE_EXPRESSION,	/* at the address that expression gives */
	CFI_STATE_VALUE_EXPRESSION,
};

struct cfi_state_register {
	uint8_t kind; /* enum cfi_state_kind */
	union {
		int64_t value;
		struct cfi_span expression;
	};
};

struct cfi_state {
	bool cfa_is_expression;
	uint64_t cfa_register; /* unbounded: any number may stand in the file */
	int64_t cfa_offset;
	struct cfi_span cfa_expression;
	struct cfi_state_register registers[CFI_REGISTERS_NR];
};

/** State from @start up to the next call's start or the FDE's end. Non-zero ends the run. */
typedef int (*cfi_row_visit)(void *context, uint64_t start, const struct cfi_state *state);

/** State that the CIE's own instructions leave. Return: 0 or -EBADMSG. */
must_check int cfi_program_initial(const struct cfi_frames *frames, const struct cfi_cie *cie,
				   struct cfi_state *ret);
/**
 * Visit the rows of @fde below @end in ascending order. @initial is its CIE's state.
 * Return: 0, -EBADMSG (rows visited so far are worth nothing), or what @visit returned.
 */
must_check int cfi_program_run(const struct cfi_frames *frames, const struct cfi_fde *fde,
			       const struct cfi_state *initial, uint64_t end, cfi_row_visit visit,
			       void *context);

#endif
