/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Disassembles one function of an ELF file as pyrec annotate does, to be held against objdump:
 *
 *	disassemble FILE SYMBOL
 *
 * prints "ADDRESS BYTES MNEMONIC OPERANDS", and "-> TARGET" behind jumps.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>

#include "common/elf_file.h"
#include "report/annotate_disassembly.h"

static int disassemble(const struct elf_file *elf, const char *name)
{
	struct elf_symbol symbol;
	struct instruction instruction;
	struct disassembly *disassembly;
	const uint8_t *code;
	int ret = elf_file_find_symbol(elf, name, &symbol);

	if (ret)
		return ret;
	code = elf_file_at(elf, symbol.vaddr, symbol.bytes);
	if (!code)
		return -EBADMSG;
	ret = disassembly_create(elf_file_machine(elf), code, symbol.bytes, symbol.vaddr,
				 &disassembly);
	if (ret)
		return ret;
	while (disassembly_next(disassembly, &instruction)) {
		printf("%" PRIx64 " %u %s %s", instruction.vaddr, instruction.bytes,
		       instruction.mnemonic, instruction.operands);
		if (instruction.has_target)
			printf(" -> %" PRIx64, instruction.target);
		putchar('\n');
	}
	disassembly_destroy(disassembly);
	return 0;
}

int main(int argc, char **argv)
{
	auto_close_fd int fd = argc == 3 ? open(argv[1], O_RDONLY | O_CLOEXEC) : -1;
	struct elf_file *elf;
	int error;

	if (fd < 0)
		return 129;
	error = elf_file_open(fd, &elf);
	if (error)
		return 1;
	error = disassemble(elf, argv[2]);
	elf_file_close(elf);
	return error ? 1 : 0;
}
