/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "record/static_variable.h"

#include <elf.h>
#include <string.h>

enum { FUNCTION_BYTES_MAX = 128, INSTRUCTION_BYTES = 6 }; /* opcode, ModRM, displacement */

static bool is_writable(const struct elf_file *elf, uint64_t vaddr)
{
	uint32_t nr;
	const struct elf_segment *segments = elf_file_segments(elf, &nr);

	for (uint32_t i = 0; i < nr; i++)
		if (segments[i].flags & PF_W && vaddr >= segments[i].vaddr &&
		    vaddr - segments[i].vaddr < segments[i].memory_bytes)
			return true;
	return false;
}

/* Is @at the opcode of such an instruction? Of 64 bits are those behind a prefix REX.W. */
static bool is_use(const uint8_t *at, enum static_variable_use use)
{
	const bool has_rex = (at[-1] & 0xf8) == 0x48;

	if ((at[1] & 0xc7) != 5) /* any register, disp32(%rip) */
		return false;
	switch (use) {
	case STATIC_VARIABLE_LOAD:
		return at[0] == 0x8b && !has_rex;
	case STATIC_VARIABLE_LOAD_64:
		return at[0] == 0x8b && has_rex;
	case STATIC_VARIABLE_ADDRESS:
		return at[0] == 0x8d && has_rex;
	}
	return false;
}

uint64_t static_variable_decode(const struct elf_file *elf, const char *function,
				enum static_variable_use use)
{
	struct elf_symbol symbol;
	const uint8_t *code;
	uint64_t nr;

	if (elf_file_find_symbol(elf, function, &symbol))
		return 0;
	/* Not beyond its end: what the next function uses is something else. */
	nr = symbol.bytes < FUNCTION_BYTES_MAX ? symbol.bytes : FUNCTION_BYTES_MAX;
	code = elf_file_at(elf, symbol.vaddr, nr);
	for (uint64_t i = 1; code && i + INSTRUCTION_BYTES <= nr; i++) {
		int32_t displacement;
		uint64_t vaddr;

		if (!is_use(code + i, use))
			continue;
		memcpy(&displacement, code + i + 2, sizeof(displacement));
		vaddr = symbol.vaddr + i + INSTRUCTION_BYTES + (uint64_t)(int64_t)displacement;
		if (is_writable(elf, vaddr))
			return vaddr;
	}
	return 0;
}
