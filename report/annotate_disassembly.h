/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Machine code as text, an instruction at a time. The one capstone user. */
#ifndef PYREC_REPORT_ANNOTATE_DISASSEMBLY_H
#define PYREC_REPORT_ANNOTATE_DISASSEMBLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cleanup.h"

struct disassembly;

struct instruction {
	uint64_t vaddr;
	uint32_t bytes;
	const char *mnemonic; /* ".byte" for what is no instruction */
	const char *operands; /* x86 in AT&T's syntax; may be empty */
	bool has_target;      /* a jump or call to a fixed address */
	uint64_t target;
};

/**
 * Begin with the @nr bytes of @code, borrowed, which lie at @vaddr. @machine: e_machine of their
 * ELF file. Return: 0, -EOPNOTSUPP (neither x86-64 nor AArch64), -ENOMEM.
 */
must_check int disassembly_create(uint16_t machine, const uint8_t *code, size_t nr, uint64_t vaddr,
				  struct disassembly **ret);
void disassembly_destroy(struct disassembly *disassembly);

/** The next one; its texts are borrowed until the next call. Return: whether there is one. */
bool disassembly_next(struct disassembly *disassembly, struct instruction *ret);

#endif
