/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/cfi_rule.h"

#include <dwarf.h>
#include <errno.h>
#include <string.h>

enum { REGISTER_RAX = 0, REGISTER_RDX = 1, REGISTER_RBP = 6, REGISTER_RSP = 7, REGISTER_RIP = 16 };

int32_t signal_frame_offset(unsigned int dwarf_number)
{
	static const uint8_t offsets[CFI_REGISTERS_NR] = {
	    [0] = 144, [1] = 136, [2] = 152, [3] = 128, [4] = 112,  [5] = 104,
	    [6] = 120, [7] = 160, [8] = 40,  [9] = 48,	[10] = 56,  [11] = 64,
	    [12] = 72, [13] = 80, [14] = 88, [15] = 96, [16] = 168,
	};

	return offsets[dwarf_number];
}

/* register + offset [, dereferenced [, + add]] */
struct address_expression {
	uint64_t base;
	int64_t offset;
	int64_t add;
	bool is_dereferenced;
};

static bool fits_int32(int64_t value)
{
	return value >= INT32_MIN && value <= INT32_MAX;
}

static bool get_base(struct bytes_cursor *at, struct address_expression *ret)
{
	uint8_t opcode = bytes_get_u8(at);

	if (opcode >= DW_OP_breg0 && opcode <= DW_OP_breg31)
		ret->base = opcode - DW_OP_breg0;
	else if (opcode == DW_OP_bregx)
		ret->base = bytes_get_uleb128(at);
	else
		return false;
	ret->offset = bytes_get_sleb128(at);
	return !at->failed && ret->base < REGISTER_RIP;
}

static bool address_expression_match(struct bytes_cursor at, struct address_expression *ret)
{
	*ret = (struct address_expression){0};
	if (!get_base(&at, ret))
		return false;
	if (bytes_left(&at)) {
		if (bytes_get_u8(&at) != DW_OP_deref)
			return false;
		ret->is_dereferenced = true;
	}
	if (bytes_left(&at)) {
		if (bytes_get_u8(&at) != DW_OP_plus_uconst)
			return false;
		ret->add = (int64_t)bytes_get_uleb128(&at);
	}
	return !at.failed && bytes_left(&at) == 0 && fits_int32(ret->offset) &&
	       fits_int32(ret->add);
}

static int64_t get_constant(struct bytes_cursor *at)
{
	switch (bytes_get_u8(at)) {
	case DW_OP_const1s:
		return (int8_t)bytes_get_u8(at);
	case DW_OP_const2s:
		return (int16_t)bytes_get_u16(at);
	case DW_OP_const4s:
		return (int32_t)bytes_get_u32(at);
	case DW_OP_consts:
		return bytes_get_sleb128(at);
	default:
		at->failed = true;
		return 0;
	}
}

/* CFA - 8, aligned down, plus offset. The CFA is on the evaluator's stack from the start. */
static bool aligned_expression_match(struct bytes_cursor at, struct cfi_register_rule *ret)
{
	int64_t alignment;
	int64_t offset;

	if (bytes_get_u8(&at) != DW_OP_lit8 || bytes_get_u8(&at) != DW_OP_minus)
		return false;
	alignment = -get_constant(&at);
	if (bytes_get_u8(&at) != DW_OP_and)
		return false;
	offset = get_constant(&at);
	if (bytes_get_u8(&at) != DW_OP_plus || at.failed || bytes_left(&at))
		return false;
	if (alignment < 1 || alignment > INT32_MAX || (alignment & (alignment - 1)) ||
	    !fits_int32(offset))
		return false;
	ret->kind = CFI_REGISTER_AT_ALIGNED;
	ret->base = (uint8_t)__builtin_ctzll((uint64_t)alignment);
	ret->offset = (int32_t)offset;
	return true;
}

/* Only the number that rip & 15 is compared with differs from one kind of PLT to another. */
static bool plt_expression_match(struct bytes_cursor at, struct cfi_rule *rule)
{
	static const uint8_t head[] = {DW_OP_breg7, 8, DW_OP_breg16, 0, DW_OP_lit15, DW_OP_and};
	static const uint8_t tail[] = {DW_OP_ge, DW_OP_lit3, DW_OP_shl, DW_OP_plus};
	const uint8_t *bytes = bytes_take(&at, sizeof(head) + 1 + sizeof(tail));
	uint8_t literal;

	if (!bytes || bytes_left(&at))
		return false;
	literal = bytes[sizeof(head)];
	if (memcmp(bytes, head, sizeof(head)) != 0 ||
	    memcmp(bytes + sizeof(head) + 1, tail, sizeof(tail)) != 0 || literal < DW_OP_lit0 ||
	    literal > DW_OP_lit15)
		return false;
	rule->kind = CFI_RULE_PLT;
	rule->cfa_register = REGISTER_RSP;
	rule->cfa_offset = 8;
	rule->cfa_add = literal - DW_OP_lit0;
	return true;
}

/* Return: 0, -EBADMSG, or 1 when only an evaluator can tell the CFA. */
static int compile_cfa(const struct cfi_frames *frames, const struct cfi_state *state,
		       struct cfi_rule *rule)
{
	struct address_expression address;
	struct bytes_cursor expression;

	if (!state->cfa_is_expression) {
		if (state->cfa_register >= REGISTER_RIP)
			return -EBADMSG;
		rule->kind = CFI_RULE_OFFSET;
		rule->cfa_register = (uint8_t)state->cfa_register;
		rule->cfa_offset = (int32_t)state->cfa_offset;
		return !fits_int32(state->cfa_offset);
	}
	expression = cfi_frames_cursor(frames, state->cfa_expression);
	if (plt_expression_match(expression, rule))
		return 0;
	if (!address_expression_match(expression, &address))
		return 1;
	rule->kind = address.is_dereferenced ? CFI_RULE_DEREF : CFI_RULE_OFFSET;
	rule->cfa_register = (uint8_t)address.base;
	rule->cfa_offset = (int32_t)address.offset;
	rule->cfa_add = (int32_t)address.add;
	return 0;
}

static int compile_saved_expression(struct bytes_cursor expression, struct cfi_register_rule *rule)
{
	struct address_expression address;

	if (aligned_expression_match(expression, rule))
		return 0;
	if (!address_expression_match(expression, &address) || address.is_dereferenced)
		return 1;
	rule->kind = CFI_REGISTER_AT_REGISTER;
	rule->base = (uint8_t)address.base;
	rule->offset = (int32_t)address.offset;
	return 0;
}

/* Return: 0, or 1 when only an evaluator can find the register. */
static int compile_saved(const struct cfi_frames *frames, const struct cfi_state_register *from,
			 struct cfi_register_rule *rule)
{
	switch (from->kind) {
	case CFI_STATE_UNSET:
	case CFI_STATE_SAME:
		rule->kind = CFI_REGISTER_SAME;
		return 0;
	case CFI_STATE_UNDEFINED:
		rule->kind = CFI_REGISTER_UNDEFINED;
		return 0;
	case CFI_STATE_OFFSET:
		rule->kind = CFI_REGISTER_AT_CFA;
		rule->offset = (int32_t)from->value;
		return !fits_int32(from->value);
	case CFI_STATE_EXPRESSION:
		return compile_saved_expression(cfi_frames_cursor(frames, from->expression), rule);
	default:
		return 1;
	}
}

static bool is_at_rsp(const struct cfi_frames *frames, const struct cfi_state_register *rule,
		      int32_t offset)
{
	struct address_expression address;

	return rule->kind == CFI_STATE_EXPRESSION &&
	       address_expression_match(cfi_frames_cursor(frames, rule->expression), &address) &&
	       !address.is_dereferenced && address.base == REGISTER_RSP && address.offset == offset;
}

static bool is_signal_frame(const struct cfi_frames *frames, const struct cfi_state *state,
			    const struct cfi_rule *rule)
{
	if (rule->kind != CFI_RULE_DEREF || rule->cfa_register != REGISTER_RSP ||
	    rule->cfa_add != 0 || rule->cfa_offset != signal_frame_offset(REGISTER_RSP))
		return false;
	for (unsigned int i = 0; i < CFI_SAVED_NR; i++) {
		unsigned int number = cfi_saved_register(i);

		if (!is_at_rsp(frames, &state->registers[number], signal_frame_offset(number)))
			return false;
	}
	return is_at_rsp(frames, &state->registers[REGISTER_RIP],
			 signal_frame_offset(REGISTER_RIP));
}

/* The caller's rsp is the CFA unless the state says otherwise. */
static bool is_rsp_plain(const struct cfi_state_register *rule)
{
	return rule->kind == CFI_STATE_UNSET ||
	       (rule->kind == CFI_STATE_VALUE_OFFSET && rule->value == 0);
}

/* Return: 0, or 1 when only an evaluator can find the return address. */
static int compile_return_address(const struct cfi_state_register *from, struct cfi_rule *rule)
{
	rule->ra_offset = -8;
	if (from->kind == CFI_STATE_UNSET)
		return 0;
	rule->ra_offset = (int32_t)from->value;
	return from->kind != CFI_STATE_OFFSET || !fits_int32(from->value);
}

static int compile_plain(const struct cfi_frames *frames, const struct cfi_state *state,
			 struct cfi_rule *rule)
{
	int needs_evaluator = compile_return_address(&state->registers[REGISTER_RIP], rule) |
			      !is_rsp_plain(&state->registers[REGISTER_RSP]);

	for (unsigned int i = 0; i < CFI_SAVED_NR; i++) {
		const struct cfi_state_register *from = &state->registers[cfi_saved_register(i)];

		needs_evaluator |= compile_saved(frames, from, &rule->saved[i]);
		if (rule->saved[i].kind != CFI_REGISTER_SAME)
			rule->saved_mask |= 1U << i;
	}
	return needs_evaluator;
}

/* The bare rule of @kind. */
static void rule_reset(struct cfi_rule *rule, uint8_t kind, bool is_signal)
{
	memset(rule, 0, sizeof(*rule));
	rule->kind = kind;
	rule->is_signal = is_signal;
}

/* See cfi_rule.plain_offset; 0 where it does not hold. */
static int32_t rule_plain_offset(const struct cfi_rule *rule)
{
	int32_t lowest = rule->ra_offset;

	if (rule->kind != CFI_RULE_OFFSET || rule->ra_offset != -8)
		return 0;
	for (unsigned int i = 0; i < CFI_SAVED_NR; i++) {
		const struct cfi_register_rule *saved = &rule->saved[i];

		if (saved->kind == CFI_REGISTER_SAME)
			continue;
		if (saved->kind != CFI_REGISTER_AT_CFA || saved->offset > -8)
			return 0;
		if (saved->offset < lowest)
			lowest = saved->offset;
	}
	return lowest;
}

/* The frame pointer, which these functions always have, is restored last of all registers. */
static enum cfi_exception exception_of(const struct cfi_state *state)
{
	if (state->registers[REGISTER_RAX].kind != CFI_STATE_OFFSET ||
	    state->registers[REGISTER_RDX].kind != CFI_STATE_OFFSET)
		return CFI_EXCEPTION_NONE;
	return state->registers[REGISTER_RBP].kind == CFI_STATE_OFFSET ? CFI_EXCEPTION_SAVED
								       : CFI_EXCEPTION_LEFT;
}

/* @rule of a function that saves registers for a handler. */
static void rule_set_exception(struct cfi_rule *rule, enum cfi_exception exception)
{
	rule->exception = (uint8_t)exception;
	rule->plain_offset = 0;
	if (exception != CFI_EXCEPTION_LEFT)
		return;
	/* All are restored by then, and their slots said to be in the handler's frame. */
	rule->saved_mask = 0;
	memset(rule->saved, 0, sizeof(rule->saved));
}

int cfi_rule_compile(const struct cfi_frames *frames, const struct cfi_cie *cie,
		     const struct cfi_state *state, struct cfi_rule *ret)
{
	int outcome;

	rule_reset(ret, CFI_RULE_NONE, cie->is_signal);
	if (state->registers[REGISTER_RIP].kind == CFI_STATE_UNDEFINED) {
		rule_reset(ret, CFI_RULE_END, false);
		return 0;
	}
	outcome = compile_cfa(frames, state, ret);
	if (outcome < 0)
		return outcome;
	if (outcome == 0 && is_signal_frame(frames, state, ret)) {
		rule_reset(ret, CFI_RULE_SIGNAL, true);
		return 0;
	}
	if (outcome == 0)
		outcome = compile_plain(frames, state, ret);
	if (outcome)
		rule_reset(ret, CFI_RULE_EXPRESSION, cie->is_signal);
	ret->plain_offset = rule_plain_offset(ret);
	if (!cie->is_signal && exception_of(state) != CFI_EXCEPTION_NONE)
		rule_set_exception(ret, exception_of(state));
	return 0;
}
