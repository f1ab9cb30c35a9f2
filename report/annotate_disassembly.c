/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/annotate_disassembly.h"

#include <capstone/capstone.h>
#include <elf.h>
#include <errno.h>

struct disassembly {
	uint16_t machine;
	bool is_open;
	csh handle;
	cs_insn *instruction;
	const uint8_t *code;
	size_t nr;
	uint64_t vaddr;
};

static cs_err disassembly_open(struct disassembly *disassembly)
{
	if (disassembly->machine == EM_X86_64)
		return cs_open(CS_ARCH_X86, CS_MODE_64, &disassembly->handle);
	if (disassembly->machine == EM_AARCH64)
		return cs_open(CS_ARCH_ARM64, CS_MODE_LITTLE_ENDIAN, &disassembly->handle);
	return CS_ERR_ARCH;
}

/* Data between instructions is skipped, not the end of all. */
static cs_err disassembly_configure(const struct disassembly *disassembly)
{
	cs_err error = cs_option(disassembly->handle, CS_OPT_DETAIL, CS_OPT_ON);

	if (!error)
		error = cs_option(disassembly->handle, CS_OPT_SKIPDATA, CS_OPT_ON);
	if (!error && disassembly->machine == EM_X86_64)
		error = cs_option(disassembly->handle, CS_OPT_SYNTAX, CS_OPT_SYNTAX_ATT);
	return error;
}

int disassembly_create(uint16_t machine, const uint8_t *code, size_t nr, uint64_t vaddr,
		       struct disassembly **ret)
{
	struct disassembly *disassembly = calloc(1, sizeof(*disassembly));
	cs_err error;

	if (!disassembly)
		return -ENOMEM;
	*disassembly = (struct disassembly){
	    .machine = machine, .code = code, .nr = nr, .vaddr = vaddr};
	error = disassembly_open(disassembly);
	disassembly->is_open = !error;
	if (!error)
		error = disassembly_configure(disassembly);
	if (!error)
		disassembly->instruction = cs_malloc(disassembly->handle);
	if (!disassembly->instruction) {
		disassembly_destroy(disassembly);
		return error && error != CS_ERR_MEM ? -EOPNOTSUPP : -ENOMEM;
	}
	*ret = disassembly;
	return 0;
}

void disassembly_destroy(struct disassembly *disassembly)
{
	if (!disassembly)
		return;
	if (disassembly->instruction)
		cs_free(disassembly->instruction, 1);
	if (disassembly->is_open)
		cs_close(&disassembly->handle);
	free(disassembly);
}

static bool jumps(const cs_detail *detail)
{
	for (uint8_t i = 0; i < detail->groups_count; i++)
		if (detail->groups[i] == CS_GRP_JUMP || detail->groups[i] == CS_GRP_CALL ||
		    detail->groups[i] == CS_GRP_BRANCH_RELATIVE)
			return true;
	return false;
}

/* The operand that tells where to is the last one: tbz x0, #3, TARGET. */
static bool find_target(const struct disassembly *disassembly, uint64_t *ret)
{
	const cs_detail *detail = disassembly->instruction->detail;

	/* Without an id it is data, and the detail that of an earlier instruction. */
	if (disassembly->instruction->id == 0 || !detail || !jumps(detail))
		return false;
	if (disassembly->machine == EM_X86_64) {
		const cs_x86 *x86 = &detail->x86;

		if (x86->op_count == 0 || x86->operands[x86->op_count - 1].type != X86_OP_IMM)
			return false;
		*ret = (uint64_t)x86->operands[x86->op_count - 1].imm;
	} else {
		const cs_arm64 *arm64 = &detail->arm64;

		if (arm64->op_count == 0 ||
		    arm64->operands[arm64->op_count - 1].type != ARM64_OP_IMM)
			return false;
		*ret = (uint64_t)arm64->operands[arm64->op_count - 1].imm;
	}
	return true;
}

bool disassembly_next(struct disassembly *disassembly, struct instruction *ret)
{
	const cs_insn *instruction = disassembly->instruction;

	if (!cs_disasm_iter(disassembly->handle, &disassembly->code, &disassembly->nr,
			    &disassembly->vaddr, disassembly->instruction))
		return false;
	*ret = (struct instruction){.vaddr = instruction->address,
				    .bytes = instruction->size,
				    .mnemonic = instruction->mnemonic,
				    .operands = instruction->op_str};
	ret->has_target = find_target(disassembly, &ret->target);
	return true;
}
