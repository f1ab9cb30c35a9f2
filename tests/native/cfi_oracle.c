/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "tests/native/cfi_oracle.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <inttypes.h>
#include <stdlib.h>

/* [register + offset], as libdw writes it: bregN, or bregx for what DW_CFA_def_cfa says. */
static bool is_breg(const Dwarf_Op *op, unsigned int number, int64_t offset)
{
	if (op->atom == DW_OP_bregx)
		return op->number == number && (int64_t)op->number2 == offset;
	return op->atom == DW_OP_breg0 + number && (int64_t)op->number == offset;
}

static bool is_plt(const Dwarf_Op *ops, size_t nr, const struct cfi_rule *rule)
{
	return nr == 9 && is_breg(&ops[0], 7, rule->cfa_offset) && is_breg(&ops[1], 16, 0) &&
	       ops[2].atom == DW_OP_lit15 && ops[3].atom == DW_OP_and &&
	       ops[4].atom == DW_OP_lit0 + rule->cfa_add && ops[5].atom == DW_OP_ge &&
	       ops[6].atom == DW_OP_lit3 && ops[7].atom == DW_OP_shl && ops[8].atom == DW_OP_plus;
}

static bool is_deref(const Dwarf_Op *ops, size_t nr, unsigned int base, int64_t offset, int64_t add)
{
	if (nr < 2 || !is_breg(&ops[0], base, offset) || ops[1].atom != DW_OP_deref)
		return false;
	if (nr == 2)
		return add == 0;
	return nr == 3 && ops[2].atom == DW_OP_plus_uconst && (int64_t)ops[2].number == add;
}

static bool cfa_agrees(Dwarf_Frame *frame, const struct cfi_rule *rule)
{
	Dwarf_Op *ops;
	size_t nr;

	if (dwarf_frame_cfa(frame, &ops, &nr))
		return false;
	switch (rule->kind) {
	case CFI_RULE_OFFSET:
		return nr == 1 && is_breg(&ops[0], rule->cfa_register, rule->cfa_offset);
	case CFI_RULE_PLT:
		return is_plt(ops, nr, rule);
	case CFI_RULE_DEREF:
		return is_deref(ops, nr, rule->cfa_register, rule->cfa_offset, rule->cfa_add);
	case CFI_RULE_SIGNAL: /* x86-64 struct ucontext: rsp at 160 */
		return is_deref(ops, nr, 7, 160, 0);
	default:
		return false;
	}
}

struct location {
	Dwarf_Op memory[3];
	Dwarf_Op *ops;
	size_t nr;
};

static bool location_is_same(const struct location *location)
{
	return location->nr == 0 && location->ops == NULL;
}

static bool location_is_undefined(const struct location *location)
{
	return location->nr == 0 && location->ops == location->memory;
}

static bool location_is_at_cfa(const struct location *location, int64_t offset)
{
	const Dwarf_Op *ops = location->ops;

	if (location->nr == 0 || ops[0].atom != DW_OP_call_frame_cfa)
		return false;
	if (location->nr == 1)
		return offset == 0;
	return location->nr == 2 && ops[1].atom == DW_OP_plus_uconst &&
	       (int64_t)ops[1].number == offset;
}

/* libdw puts the CFA that a location expression starts with in front of it. */
static bool location_is_at_register(const struct location *location, unsigned int base,
				    int64_t offset)
{
	return location->nr == 2 && location->ops[0].atom == DW_OP_call_frame_cfa &&
	       is_breg(&location->ops[1], base, offset);
}

/* [CFA] 8 - alignment & offset + */
static bool location_is_at_aligned(const struct location *location, unsigned int shift,
				   int64_t offset)
{
	const Dwarf_Op *ops = location->ops;

	return location->nr == 7 && ops[1].atom == DW_OP_lit8 && ops[2].atom == DW_OP_minus &&
	       (int64_t)ops[3].number == -((int64_t)1 << shift) && ops[4].atom == DW_OP_and &&
	       (int64_t)ops[5].number == offset && ops[6].atom == DW_OP_plus;
}

static bool saved_agrees(Dwarf_Frame *frame, unsigned int number,
			 const struct cfi_register_rule *rule)
{
	struct location at;

	if (dwarf_frame_register(frame, (int)number, at.memory, &at.ops, &at.nr))
		return false;
	switch (rule->kind) {
	case CFI_REGISTER_SAME:
		/* elfutils 0.188's x86-64 defaults mean rbx (3) and write rax (0). */
		return location_is_same(&at) || (number == 3 && location_is_undefined(&at));
	case CFI_REGISTER_UNDEFINED:
		return location_is_undefined(&at);
	case CFI_REGISTER_AT_CFA:
		return location_is_at_cfa(&at, rule->offset);
	case CFI_REGISTER_AT_REGISTER:
		return location_is_at_register(&at, rule->base, rule->offset);
	case CFI_REGISTER_AT_ALIGNED:
		return location_is_at_aligned(&at, rule->base, rule->offset);
	default:
		return false;
	}
}

/* Offsets in struct ucontext of rbx, rbp, r12 … r15 (glibc's __restore_rt says the same). */
static bool signal_agrees(Dwarf_Frame *frame)
{
	static const int offsets[CFI_SAVED_NR] = {128, 120, 72, 80, 88, 96};

	for (unsigned int i = 0; i < CFI_SAVED_NR; i++) {
		struct cfi_register_rule rule = {CFI_REGISTER_AT_REGISTER, 7, offsets[i]};

		if (!saved_agrees(frame, cfi_saved_register(i), &rule))
			return false;
	}
	return true;
}

static bool rule_agrees(Dwarf_Frame *frame, const struct cfi_rule *rule)
{
	struct location ra;
	bool is_signal;

	dwarf_frame_info(frame, NULL, NULL, &is_signal);
	if (dwarf_frame_register(frame, 16, ra.memory, &ra.ops, &ra.nr))
		return false;
	if (rule->kind == CFI_RULE_END)
		return location_is_undefined(&ra);
	if (is_signal != rule->is_signal || !cfa_agrees(frame, rule))
		return false;
	if (rule->kind == CFI_RULE_SIGNAL)
		return location_is_at_register(&ra, 7, 168) && signal_agrees(frame);
	for (unsigned int i = 0; i < CFI_SAVED_NR; i++) {
		if (!saved_agrees(frame, cfi_saved_register(i), &rule->saved[i]))
			return false;
	}
	return location_is_at_cfa(&ra, rule->ra_offset);
}

struct comparison {
	const struct cfi_table *table;
	const char *path;
	unsigned int stride;
	unsigned int print_max;
	struct cfi_oracle_counts counts;
};

static void comparison_tell(struct comparison *self, uint64_t vaddr, const struct cfi_rule *rule,
			    const char *what)
{
	self->counts.differences++;
	if (self->counts.differences <= self->print_max)
		fprintf(stderr, "%s: %#" PRIx64 ": %s (kind %u, r%u%+d)\n", self->path, vaddr, what,
			rule->kind, rule->cfa_register, rule->cfa_offset);
}

static void compare_row(struct comparison *self, Dwarf_Frame *frame, uint64_t start, uint64_t end)
{
	const struct cfi_rule *last = NULL;

	self->counts.rows++;
	for (uint64_t vaddr = start; vaddr < end; vaddr++) {
		const struct cfi_rule *rule = cfi_table_find(self->table, vaddr);

		if (rule == last)
			continue;
		last = rule;
		if (rule->kind == CFI_RULE_EXPRESSION)
			self->counts.expressions++;
		else if (!rule_agrees(frame, rule))
			comparison_tell(self, vaddr, rule, "another rule than libdw's");
	}
}

static void compare_segment(struct comparison *self, Dwarf_CFI *cfi, uint64_t start, uint64_t end)
{
	for (uint64_t vaddr = start; vaddr < end;) {
		Dwarf_Frame *frame = NULL;
		Dwarf_Addr row_start;
		Dwarf_Addr row_end;

		if (dwarf_cfi_addrframe(cfi, vaddr, &frame)) {
			const struct cfi_rule *rule = cfi_table_find(self->table, vaddr);

			self->counts.uncovered++;
			if (rule->kind != CFI_RULE_NONE)
				comparison_tell(self, vaddr, rule, "libdw knows no rule");
			vaddr += self->stride;
			continue;
		}
		dwarf_frame_info(frame, &row_start, &row_end, NULL);
		compare_row(self, frame, vaddr, row_end);
		free(frame);
		vaddr = row_end + (self->stride - 1);
	}
}

int cfi_oracle_compare(struct elf_module *file, const struct cfi_table *table, unsigned int stride,
		       unsigned int print_max, struct cfi_oracle_counts *ret)
{
	struct comparison self = {table, file->module.path, stride, print_max, {0}};
	Dwarf_CFI *cfi = dwarf_getcfi_elf(file->elf);

	if (!cfi)
		return -1;
	for (uint32_t i = 0; i < file->module.segments_nr; i++) {
		const struct bundle_segment *segment = &file->segments[i];

		if (segment->flags & PF_X)
			compare_segment(&self, cfi, segment->vaddr,
					segment->vaddr + segment->memory_bytes);
	}
	dwarf_cfi_end(cfi);
	*ret = self.counts;
	return 0;
}
