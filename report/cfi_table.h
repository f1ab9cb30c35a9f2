/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One module's .eh_frame compiled into sorted rows: pc -> rule. The rows that every other unwinder
 * finds anew for each frame are found once, those of a function when the first address in it is
 * looked up. So a look-up changes the table: it is for one thread. Design and costs:
 * Documentation/unwinding.adoc.
 */
#ifndef PYREC_REPORT_CFI_TABLE_H
#define PYREC_REPORT_CFI_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/cleanup.h"
#include "format/bundle.h"

struct cfi_table;

enum cfi_rule_kind {
	CFI_RULE_NONE,	 /* no FDE covers the pc */
	CFI_RULE_OFFSET, /* CFA = cfa_register + cfa_offset */
	CFI_RULE_PLT,	 /* CFA = rsp + cfa_offset + ((rip & 15) >= cfa_add) * 8: the expression of
			  * binutils' (bfd/elfxx-x86.c, elf64-x86-64.c) and lld's PLTs */
	CFI_RULE_DEREF,	 /* CFA = *(cfa_register + cfa_offset) + cfa_add: DRAP, OpenSSL assembly */
	CFI_RULE_SIGNAL, /* the kernel's signal frame lies at rsp (__restore_rt) */
	CFI_RULE_END,	 /* RA undefined: outermost frame */
	CFI_RULE_EXPRESSION, /* any other: by the state itself, cfi_table_state() */
	CFI_RULE_NO_MEMORY,  /* to compile it; from then on for all that is not compiled yet */
};

/* How one callee-saved register of the caller is found. */
enum cfi_register_kind {
	CFI_REGISTER_SAME,	  /* unchanged */
	CFI_REGISTER_AT_CFA,	  /* at CFA + offset */
	CFI_REGISTER_AT_REGISTER, /* at register base + offset (DRAP: r15 = *(rbp - 8)) */
	CFI_REGISTER_AT_ALIGNED,  /* at ((CFA - 8) & -(1 << base)) + offset: Intel's compilers */
	CFI_REGISTER_UNDEFINED,	  /* lost */
};

struct cfi_register_rule {
	uint8_t kind; /* enum cfi_register_kind */
	uint8_t base; /* DWARF number, or log2 of the alignment */
	int32_t offset;
};

enum { CFI_SAVED_RBX, CFI_SAVED_RBP, CFI_SAVED_R12, CFI_SAVED_NR = 6 }; /* …, r13, r14, r15 */

/** DWARF number of saved[@index] (x86-64 psABI 1.0, figure 3.36). */
static inline uint8_t cfi_saved_register(unsigned int index)
{
	static const uint8_t registers[CFI_SAVED_NR] = {3, 6, 12, 13, 14, 15};

	return registers[index];
}

/** Bit of each DWARF number whose bit of saved[] is in @mask. */
static inline uint32_t cfi_saved_registers(uint32_t mask)
{
	return (mask & 1) << 3 | (mask & 2) << 5 | (mask & 0x3c) << 10;
}

/*
 * Functions that end by entering an exception's handler (__builtin_eh_return(): libgcc's
 * _Unwind_RaiseException() and its like) are told by saving rax and rdx, for the handler. Before
 * they leave they write the handler's frame's registers over their own saved ones, the return
 * address among them: Documentation/unwinding.adoc, "Exceptions".
 */
enum cfi_exception {
	CFI_EXCEPTION_NONE,
	CFI_EXCEPTION_SAVED, /* in such a function: what is saved may be another frame's by now */
	CFI_EXCEPTION_LEFT,  /* its last instructions: the "return address" is where it jumps to */
};

struct cfi_rule {
	uint8_t kind;	      /* enum cfi_rule_kind */
	uint8_t cfa_register; /* DWARF number: 7 rsp, 6 rbp, 3 rbx, 10 r10, 12 r12, 13 r13, … */
	uint8_t is_signal;    /* its caller was interrupted at its pc, it made no call */
	uint8_t saved_mask;   /* those of saved[] that are not CFI_REGISTER_SAME */
	uint8_t exception;    /* enum cfi_exception */
	int32_t cfa_offset;   /* of CFI_RULE_EXPRESSION: number of its state; < 0: none was kept */
	int32_t cfa_add;
	int32_t ra_offset; /* return address at CFA + this */
	/*
	 * Not 0: CFI_RULE_OFFSET with all registers, and last the return address, saved in the
	 * stack from CFA + this up to the CFA: nearly every rule.
	 */
	int32_t plain_offset;
	struct cfi_register_rule saved[CFI_SAVED_NR];
};

/** Find the FDEs; @module's .eh_frame must outlive the table. Bounded in time and memory by its
 * size, with all that is compiled later. A damaged FDE costs only itself. Return: 0, -ENOENT (no
 * .eh_frame), -ENOMEM. */
must_check int cfi_table_create(const struct bundle_module *module, struct cfi_table **ret);
void cfi_table_destroy(struct cfi_table *table);
/** Rule at @vaddr (of the file, load bias removed), for the table's life; kind CFI_RULE_NONE
 * outside. Never NULL. */
const struct cfi_rule *cfi_table_find(const struct cfi_table *table, uint64_t vaddr);
/** Compile all that no look-up has asked for yet: for tests and tools. Return: 0 or -ENOMEM. */
must_check int cfi_table_compile_all(const struct cfi_table *table);

struct cfi_frames;
/** All FDEs that the scan has found, for the table's life. */
const struct cfi_frames *cfi_table_frames(const struct cfi_table *table);

struct cfi_state;
/** What the CFI program itself says where @rule is a CFI_RULE_EXPRESSION; NULL when the table has
 * too many of them. The spans of it lie in *@section, the module's .eh_frame, borrowed. */
const struct cfi_state *cfi_table_state(const struct cfi_table *table, const struct cfi_rule *rule,
					const uint8_t **section);

/* But for fdes_nr: of what has been compiled so far. */
struct cfi_table_stats {
	uint32_t fdes_nr;
	uint32_t fdes_damaged_nr; /* and of what the scan has left out */
	uint32_t rows_nr;
	uint32_t rules_nr;
	uint32_t expression_rows_nr;
	uint64_t bytes;
};
struct cfi_table_stats cfi_table_get_stats(const struct cfi_table *table);

#endif
