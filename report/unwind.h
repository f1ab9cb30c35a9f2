/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The native stack of one sample from its user registers and stack bytes: compiled CFI
 * rows (cfi_table.h) frame by frame; cfi_evaluate.h for rows that need a DWARF expression; checked
 * frame pointers where there is no CFI. An unwinder must not outlive the modules that it has met.
 */
#ifndef PYREC_REPORT_UNWIND_H
#define PYREC_REPORT_UNWIND_H

#include <stdbool.h>
#include <stdint.h>

#include "common/cleanup.h"
#include "format/record.h"
#include "report/address_space.h"
#include "report/code_sites.h"

enum native_frame_flags {
	NATIVE_FRAME_GUESSED = 1 << 0,	   /* found through a checked frame pointer, not CFI */
	NATIVE_FRAME_SIGNAL = 1 << 1,	   /* signal trampoline; its caller was interrupted at pc */
	NATIVE_FRAME_INTERRUPTED = 1 << 2, /* pc is the next instruction, not a return address */
};

struct native_frame {
	uint64_t pc; /* as unwound: perf script prints this less one where it is a return address */
	uint64_t
	    sp; /* stack pointer while this frame runs: [sp, cfa) is its own part of the stack */
	uint64_t cfa; /* its canonical frame address; 0 when unknown (the last frame) */
	const struct mapping *mapping; /* NULL: pc is in no known mapping */
	struct code_site *site;	       /* of its look-up pc, see code_site_is(); NULL: none */
	struct native_place place;     /* as the site had it */
	uint32_t flags;		       /* enum native_frame_flags */
	int32_t rbp_offset;	       /* struct code_site; where a plain rule led to the caller */
	uint64_t rbp;		       /* likewise: this register in this frame, if it is known */
};

enum unwind_end {
	UNWIND_END_COMPLETE,  /* the outermost frame: CFI says so (RA undefined) */
	UNWIND_END_STACK_CUT, /* needed bytes beyond the recorded stack */
	UNWIND_END_NO_CFI,    /* no rule and no believable frame pointer */
	UNWIND_END_BAD,	      /* rule led nowhere: no progress, unmapped pc, damaged table */
	UNWIND_END_LIMIT,     /* UNWIND_FRAMES_MAX reached */
	UNWIND_END_NO_DATA,   /* the sample has no user registers (kernel thread) */
};

enum { UNWIND_FRAMES_MAX = 8192 };

struct native_stack {
	/* Leaf first; owned by the unwinder, until its next run. Places are the caller's to fill.
	 */
	struct native_frame *frames;
	uint32_t nr;
	enum unwind_end end;
};

struct unwinder;

must_check int unwinder_create(struct unwinder **ret);
void unwinder_destroy(struct unwinder *unwinder);

/** Return: 0 or -ENOMEM; damaged data is told in @ret->end, not as an error. */
must_check int unwinder_run(struct unwinder *unwinder, const struct address_space *space,
			    uint64_t regs_mask, const struct record_sample *sample,
			    struct native_stack *ret);

/** Address to look a frame's symbol and line up at: pc, less one for return addresses. */
static inline uint64_t native_frame_lookup_pc(const struct native_frame *frame)
{
	return frame->pc - !(frame->flags & (NATIVE_FRAME_INTERRUPTED | NATIVE_FRAME_SIGNAL));
}

/** Value of one x86 register (enum perf_event_x86_regs) of a sample. Return: 0 or -ENOENT. */
must_check int sample_register(const struct record_sample *sample, uint64_t regs_mask,
			       unsigned int perf_register, uint64_t *ret);

#endif
