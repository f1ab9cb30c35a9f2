/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What both ways of unwinding one frame work on: the registers of a frame and the recorded stack.
 */
#ifndef PYREC_REPORT_UNWIND_STATE_H
#define PYREC_REPORT_UNWIND_STATE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

/* DWARF numbers (x86-64 psABI 1.0, figure 3.36). */
enum {
	DWARF_RCX = 2,
	DWARF_RBX = 3,
	DWARF_RBP = 6,
	DWARF_RSP = 7,
	DWARF_R12 = 12,
	DWARF_R13 = 13,
	DWARF_R14 = 14,
	DWARF_R15 = 15,
	DWARF_RIP = 16,
	DWARF_REGISTERS_NR = 17,
};

/* A call keeps these. What the caller had in the others is lost. */
#define DWARF_KEPT_MASK                                                                            \
	(1U << DWARF_RBX | 1U << DWARF_RBP | 1U << DWARF_R12 | 1U << DWARF_R13 | 1U << DWARF_R14 | \
	 1U << DWARF_R15)

struct unwind_registers {
	uint64_t values[DWARF_REGISTERS_NR];
	uint32_t known; /* bit of each register that has a value */
};

struct stack_dump {
	uint64_t start; /* address of the first byte: rsp of the sample */
	const uint8_t *bytes;
	uint64_t nr;
};

static inline bool stack_dump_read(const struct stack_dump *dump, uint64_t address, uint64_t *ret)
{
	uint64_t offset = address - dump->start;

	if (dump->nr < sizeof(*ret) || offset > dump->nr - sizeof(*ret))
		return false;
	memcpy(ret, dump->bytes + offset, sizeof(*ret));
	return true;
}

static inline bool register_is_known(const struct unwind_registers *registers, unsigned int number)
{
	return registers->known >> number & 1;
}

static inline void register_set(struct unwind_registers *registers, unsigned int number,
				uint64_t value)
{
	registers->values[number] = value;
	registers->known |= 1U << number;
}

#endif
