/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/cfi_program.h"

#include <dwarf.h>
#include <errno.h>
#include <string.h>

struct cfi_run {
	const struct cfi_frames *frames;
	const struct cfi_cie *cie;
	const struct cfi_state *initial; /* what DW_CFA_restore goes back to; NULL in a CIE */
	struct bytes_cursor at;
	struct cfi_state state;
	uint64_t location;
	uint64_t end;
	bool is_beyond_end;
	cfi_row_visit visit;
	void *context;
	unsigned int remembered_nr;
	struct cfi_state remembered[CFI_REMEMBER_DEPTH];
};

static void set_register(struct cfi_run *run, uint64_t number, struct cfi_state_register rule)
{
	if (number < CFI_REGISTERS_NR)
		run->state.registers[number] = rule;
}

static void set_value(struct cfi_run *run, uint64_t number, uint8_t kind, uint64_t value)
{
	set_register(run, number,
		     (struct cfi_state_register){.kind = kind, .value = (int64_t)value});
}

/* value * alignment, wrapped: hostile numbers must not overflow. */
static uint64_t scale(const struct cfi_run *run, uint64_t value)
{
	return value * (uint64_t)run->cie->data_alignment;
}

static struct cfi_span get_block(struct bytes_cursor *at)
{
	uint64_t nr = bytes_get_uleb128(at);
	size_t offset = bytes_offset(at);

	if (!bytes_take(at, nr))
		nr = 0;
	return (struct cfi_span){(uint32_t)offset, (uint32_t)nr};
}

static void set_block(struct cfi_run *run, uint8_t kind)
{
	uint64_t number = bytes_get_uleb128(&run->at);
	struct cfi_span expression = get_block(&run->at);

	set_register(run, number,
		     (struct cfi_state_register){.kind = kind, .expression = expression});
}

static int restore_register(struct cfi_run *run, uint64_t number)
{
	if (!run->initial)
		return -EBADMSG;
	if (number < CFI_REGISTERS_NR)
		run->state.registers[number] = run->initial->registers[number];
	return 0;
}

/* The row that ends here is handed on when the location moves. */
static int run_go_to(struct cfi_run *run, uint64_t location)
{
	int ret;

	if (!run->visit || location < run->location)
		return -EBADMSG;
	if (location == run->location)
		return 0;
	ret = run->visit(run->context, run->location, &run->state);
	run->location = location;
	run->is_beyond_end = location >= run->end;
	return ret;
}

static int run_advance(struct cfi_run *run, uint64_t units)
{
	uint64_t distance;

	if (__builtin_mul_overflow(units, run->cie->code_alignment, &distance) ||
	    __builtin_add_overflow(distance, run->location, &distance))
		return -EBADMSG;
	return run_go_to(run, distance);
}

static int run_remember(struct cfi_run *run)
{
	if (run->remembered_nr == CFI_REMEMBER_DEPTH)
		return -EBADMSG;
	run->remembered[run->remembered_nr++] = run->state;
	return 0;
}

static int run_restore(struct cfi_run *run)
{
	if (run->remembered_nr == 0)
		return -EBADMSG;
	run->state = run->remembered[--run->remembered_nr];
	return 0;
}

static int run_set_location(struct cfi_run *run)
{
	uint64_t location;
	int error = cfi_frames_pointer(run->frames, &run->at, run->cie->pointer_encoding,
				       &location);

	return error ? error : run_go_to(run, location);
}

static int run_cfa_instruction(struct cfi_run *run, uint8_t opcode)
{
	struct bytes_cursor *at = &run->at;
	struct cfi_state *state = &run->state;

	if (opcode == DW_CFA_def_cfa_expression) {
		state->cfa_expression = get_block(at);
		state->cfa_is_expression = true;
		return 0;
	}
	if (opcode == DW_CFA_def_cfa || opcode == DW_CFA_def_cfa_sf) {
		state->cfa_is_expression = false;
		state->cfa_register = bytes_get_uleb128(at);
		state->cfa_offset = opcode == DW_CFA_def_cfa
					? (int64_t)bytes_get_uleb128(at)
					: (int64_t)scale(run, (uint64_t)bytes_get_sleb128(at));
	}
	/*
	 * Each of the others changes one half. After an expression too: libgcrypt's assembly relies
	 * on libgcc's way of keeping the offset from before.
	 */
	if (opcode == DW_CFA_def_cfa_register) {
		state->cfa_is_expression = false;
		state->cfa_register = bytes_get_uleb128(at);
	}
	if (opcode == DW_CFA_def_cfa_offset)
		state->cfa_offset = (int64_t)bytes_get_uleb128(at);
	if (opcode == DW_CFA_def_cfa_offset_sf)
		state->cfa_offset = (int64_t)scale(run, (uint64_t)bytes_get_sleb128(at));
	return 0;
}

static int run_register_instruction(struct cfi_run *run, uint8_t opcode)
{
	struct bytes_cursor *at = &run->at;
	uint64_t number = bytes_get_uleb128(at);

	switch (opcode) {
	case DW_CFA_offset_extended:
		set_value(run, number, CFI_STATE_OFFSET, scale(run, bytes_get_uleb128(at)));
		return 0;
	case DW_CFA_offset_extended_sf:
		set_value(run, number, CFI_STATE_OFFSET,
			  scale(run, (uint64_t)bytes_get_sleb128(at)));
		return 0;
	case DW_CFA_GNU_negative_offset_extended:
		set_value(run, number, CFI_STATE_OFFSET, -scale(run, bytes_get_uleb128(at)));
		return 0;
	case DW_CFA_val_offset:
		set_value(run, number, CFI_STATE_VALUE_OFFSET, scale(run, bytes_get_uleb128(at)));
		return 0;
	case DW_CFA_val_offset_sf:
		set_value(run, number, CFI_STATE_VALUE_OFFSET,
			  scale(run, (uint64_t)bytes_get_sleb128(at)));
		return 0;
	case DW_CFA_register:
		set_value(run, number, CFI_STATE_REGISTER, bytes_get_uleb128(at));
		return 0;
	case DW_CFA_undefined:
		set_value(run, number, CFI_STATE_UNDEFINED, 0);
		return 0;
	case DW_CFA_same_value:
		set_value(run, number, CFI_STATE_SAME, 0);
		return 0;
	case DW_CFA_restore_extended:
		return restore_register(run, number);
	default:
		return -EBADMSG;
	}
}

static int run_other_instruction(struct cfi_run *run, uint8_t opcode)
{
	struct bytes_cursor *at = &run->at;

	switch (opcode) {
	case DW_CFA_nop:
		return 0;
	case DW_CFA_set_loc:
		return run_set_location(run);
	case DW_CFA_advance_loc1:
		return run_advance(run, bytes_get_u8(at));
	case DW_CFA_advance_loc2:
		return run_advance(run, bytes_get_u16(at));
	case DW_CFA_advance_loc4:
		return run_advance(run, bytes_get_u32(at));
	case DW_CFA_MIPS_advance_loc8:
		return run_advance(run, bytes_get_u64(at));
	case DW_CFA_remember_state:
		return run_remember(run);
	case DW_CFA_restore_state:
		return run_restore(run);
	case DW_CFA_def_cfa:
	case DW_CFA_def_cfa_register:
	case DW_CFA_def_cfa_offset:
	case DW_CFA_def_cfa_sf:
	case DW_CFA_def_cfa_offset_sf:
	case DW_CFA_def_cfa_expression:
		return run_cfa_instruction(run, opcode);
	case DW_CFA_expression:
		set_block(run, CFI_STATE_EXPRESSION);
		return 0;
	case DW_CFA_val_expression:
		set_block(run, CFI_STATE_VALUE_EXPRESSION);
		return 0;
	case DW_CFA_GNU_args_size: /* what the caller has pushed: no matter to the CFA */
		bytes_get_uleb128(at);
		return 0;
	default:
		return run_register_instruction(run, opcode);
	}
}

static int run_instruction(struct cfi_run *run)
{
	uint8_t opcode = bytes_get_u8(&run->at);
	uint8_t operand = opcode & 0x3f;

	switch (opcode & 0xc0) {
	case DW_CFA_advance_loc:
		return run_advance(run, operand);
	case DW_CFA_offset:
		set_value(run, operand, CFI_STATE_OFFSET, scale(run, bytes_get_uleb128(&run->at)));
		return 0;
	case DW_CFA_restore:
		return restore_register(run, operand);
	default:
		return run_other_instruction(run, opcode);
	}
}

static int run_all(struct cfi_run *run)
{
	while (bytes_left(&run->at) && !run->is_beyond_end) {
		int ret = run_instruction(run);

		if (ret)
			return ret;
		if (run->at.failed)
			return -EBADMSG;
	}
	return 0;
}

int cfi_program_initial(const struct cfi_frames *frames, const struct cfi_cie *cie,
			struct cfi_state *ret)
{
	struct cfi_run run = {
	    .frames = frames,
	    .cie = cie,
	    .at = cfi_frames_cursor(frames, cie->instructions),
	    .state = {.cfa_register = CFI_CFA_UNSET},
	};
	int error = run_all(&run);

	if (!error)
		*ret = run.state;
	return error;
}

int cfi_program_run(const struct cfi_frames *frames, const struct cfi_fde *fde,
		    const struct cfi_state *initial, uint64_t end, cfi_row_visit visit,
		    void *context)
{
	struct cfi_run run;
	int ret;

	run.frames = frames;
	run.cie = &frames->cies[fde->cie];
	run.initial = initial;
	run.at = cfi_frames_cursor(frames, fde->instructions);
	run.state = *initial;
	run.location = fde->start;
	run.end = end < fde->end ? end : fde->end;
	run.is_beyond_end = run.location >= run.end;
	run.visit = visit;
	run.context = context;
	run.remembered_nr = 0; /* remembered[] itself stays unset: 3 KB for each FDE */

	ret = run_all(&run);
	if (ret || run.is_beyond_end)
		return ret;
	return visit(context, run.location, &run.state);
}
