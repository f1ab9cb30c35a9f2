/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/cfi_evaluate.h"

#include <dwarf.h>
#include <errno.h>

struct evaluation {
	struct bytes_cursor at;
	const struct unwind_registers *registers;
	const struct stack_dump *dump;
	uint64_t stack[CFI_EXPRESSION_STACK_NR];
	unsigned int nr;
	int error; /* the first one; then every value is 0 */
};

static void fail(struct evaluation *self, int error)
{
	if (!self->error)
		self->error = error;
}

static void push(struct evaluation *self, uint64_t value)
{
	if (self->nr == CFI_EXPRESSION_STACK_NR)
		fail(self, -EBADMSG);
	else
		self->stack[self->nr++] = value;
}

static uint64_t pop(struct evaluation *self)
{
	if (self->nr == 0) {
		fail(self, -EBADMSG);
		return 0;
	}
	return self->stack[--self->nr];
}

static void push_picked(struct evaluation *self, unsigned int depth)
{
	if (depth >= self->nr)
		fail(self, -EBADMSG);
	else
		push(self, self->stack[self->nr - 1 - depth]);
}

static void push_register(struct evaluation *self, uint64_t number, int64_t offset)
{
	if (number >= DWARF_REGISTERS_NR)
		fail(self, -EBADMSG);
	else if (!register_is_known(self->registers, (unsigned int)number))
		fail(self, -EFAULT);
	else
		push(self, self->registers->values[number] + (uint64_t)offset);
}

static void push_memory(struct evaluation *self, uint64_t address, unsigned int bytes)
{
	uint64_t value;

	if (bytes == 0 || bytes > 8) {
		fail(self, -EBADMSG);
		return;
	}
	if (!stack_dump_read(self->dump, address, &value)) {
		fail(self, -EFAULT);
		return;
	}
	push(self, bytes == 8 ? value : value & ((UINT64_C(1) << 8 * bytes) - 1));
}

static uint64_t divide(struct evaluation *self, uint64_t dividend, uint64_t divisor)
{
	if (divisor == 0 || (dividend == (uint64_t)INT64_MIN && divisor == UINT64_MAX)) {
		fail(self, -EBADMSG);
		return 0;
	}
	return (uint64_t)((int64_t)dividend / (int64_t)divisor);
}

static uint64_t shift(uint8_t operation, uint64_t value, uint64_t bits)
{
	if (operation == DW_OP_shra)
		return (uint64_t)((int64_t)value >> (bits > 63 ? 63 : bits));
	if (bits > 63)
		return 0;
	return operation == DW_OP_shl ? value << bits : value >> bits;
}

static uint64_t combine(struct evaluation *self, uint8_t operation, uint64_t left, uint64_t right)
{
	switch (operation) {
	case DW_OP_and:
		return left & right;
	case DW_OP_or:
		return left | right;
	case DW_OP_xor:
		return left ^ right;
	case DW_OP_plus:
		return left + right;
	case DW_OP_minus:
		return left - right;
	case DW_OP_mul:
		return left * right;
	case DW_OP_div:
		return divide(self, left, right);
	case DW_OP_shl:
	case DW_OP_shr:
	case DW_OP_shra:
		return shift(operation, left, right);
	case DW_OP_eq:
		return left == right;
	case DW_OP_ne:
		return left != right;
	case DW_OP_ge:
		return (int64_t)left >= (int64_t)right;
	case DW_OP_gt:
		return (int64_t)left > (int64_t)right;
	case DW_OP_le:
		return (int64_t)left <= (int64_t)right;
	case DW_OP_lt:
		return (int64_t)left < (int64_t)right;
	default:
		fail(self, -EBADMSG);
		return 0;
	}
}

static void run_binary(struct evaluation *self, uint8_t operation)
{
	uint64_t right = pop(self);
	uint64_t left = pop(self);

	push(self, combine(self, operation, left, right));
}

static bool run_constant(struct evaluation *self, uint8_t operation)
{
	struct bytes_cursor *at = &self->at;

	switch (operation) {
	case DW_OP_const1u:
		push(self, bytes_get_u8(at));
		return true;
	case DW_OP_const1s:
		push(self, (uint64_t)(int8_t)bytes_get_u8(at));
		return true;
	case DW_OP_const2u:
		push(self, bytes_get_u16(at));
		return true;
	case DW_OP_const2s:
		push(self, (uint64_t)(int16_t)bytes_get_u16(at));
		return true;
	case DW_OP_const4u:
		push(self, bytes_get_u32(at));
		return true;
	case DW_OP_const4s:
		push(self, (uint64_t)(int32_t)bytes_get_u32(at));
		return true;
	case DW_OP_const8u:
	case DW_OP_const8s:
		push(self, bytes_get_u64(at));
		return true;
	case DW_OP_constu:
		push(self, bytes_get_uleb128(at));
		return true;
	case DW_OP_consts:
		push(self, (uint64_t)bytes_get_sleb128(at));
		return true;
	default:
		return false;
	}
}

static void run_skip(struct evaluation *self)
{
	int64_t distance = (int16_t)bytes_get_u16(&self->at);
	int64_t target = (int64_t)bytes_offset(&self->at) + distance;

	if (target < 0 || target > self->at.end - self->at.start)
		fail(self, -EBADMSG);
	else
		self->at.at = self->at.start + target;
}

static void run_branch(struct evaluation *self)
{
	if (pop(self))
		run_skip(self);
	else
		bytes_get_u16(&self->at);
}

static void run_swap(struct evaluation *self)
{
	uint64_t top = pop(self);
	uint64_t below = pop(self);

	push(self, top);
	push(self, below);
}

static void run_rotate(struct evaluation *self)
{
	uint64_t first = pop(self);
	uint64_t second = pop(self);
	uint64_t third = pop(self);

	push(self, first);
	push(self, third);
	push(self, second);
}

static bool run_stack_operation(struct evaluation *self, uint8_t operation)
{
	switch (operation) {
	case DW_OP_dup:
		push_picked(self, 0);
		return true;
	case DW_OP_over:
		push_picked(self, 1);
		return true;
	case DW_OP_pick:
		push_picked(self, bytes_get_u8(&self->at));
		return true;
	case DW_OP_drop:
		pop(self);
		return true;
	case DW_OP_swap:
		run_swap(self);
		return true;
	case DW_OP_rot:
		run_rotate(self);
		return true;
	default:
		return false;
	}
}

static void run_other(struct evaluation *self, uint8_t operation)
{
	struct bytes_cursor *at = &self->at;
	uint64_t number;

	switch (operation) {
	case DW_OP_nop:
		break;
	case DW_OP_bregx:
		number = bytes_get_uleb128(at);
		push_register(self, number, bytes_get_sleb128(at));
		break;
	case DW_OP_deref:
		push_memory(self, pop(self), 8);
		break;
	case DW_OP_deref_size:
		push_memory(self, pop(self), bytes_get_u8(at));
		break;
	case DW_OP_plus_uconst:
		push(self, pop(self) + bytes_get_uleb128(at));
		break;
	case DW_OP_neg:
		push(self, -pop(self));
		break;
	case DW_OP_not:
		push(self, ~pop(self));
		break;
	case DW_OP_skip:
		run_skip(self);
		break;
	case DW_OP_bra:
		run_branch(self);
		break;
	default:
		run_binary(self, operation);
		break;
	}
}

static void run_operation(struct evaluation *self)
{
	uint8_t operation = bytes_get_u8(&self->at);

	if (operation >= DW_OP_lit0 && operation <= DW_OP_lit31)
		push(self, operation - DW_OP_lit0);
	else if (operation >= DW_OP_breg0 && operation <= DW_OP_breg31)
		push_register(self, operation - DW_OP_breg0, bytes_get_sleb128(&self->at));
	else if (!run_constant(self, operation) && !run_stack_operation(self, operation))
		run_other(self, operation);
	if (self->at.failed)
		fail(self, -EBADMSG);
}

int cfi_expression_run(struct bytes_cursor expression, const struct unwind_registers *registers,
		       const struct stack_dump *dump, const uint64_t *initial, uint64_t *ret)
{
	struct evaluation self = {.at = expression, .registers = registers, .dump = dump};
	unsigned int operations = 0;
	uint64_t value;

	if (initial)
		push(&self, *initial);
	while (!self.error && bytes_left(&self.at)) {
		if (++operations > CFI_EXPRESSION_OPERATIONS_MAX)
			return -EBADMSG;
		run_operation(&self);
	}
	value = pop(&self);
	if (!self.error)
		*ret = value;
	return self.error;
}

/* -- one frame -- */

struct state_step {
	const struct cfi_state *state;
	const uint8_t *section;
	const struct stack_dump *dump;
	const struct unwind_registers *registers;
	uint64_t cfa;
};

static struct bytes_cursor span_cursor(const struct state_step *step, struct cfi_span span)
{
	return bytes_cursor_make(step->section + span.offset, span.nr);
}

static int find_cfa(struct state_step *step)
{
	const struct cfi_state *state = step->state;

	if (state->cfa_is_expression)
		return cfi_expression_run(span_cursor(step, state->cfa_expression), step->registers,
					  step->dump, NULL, &step->cfa);
	if (state->cfa_register >= DWARF_REGISTERS_NR)
		return -EBADMSG;
	if (!register_is_known(step->registers, (unsigned int)state->cfa_register))
		return -EFAULT;
	step->cfa = step->registers->values[state->cfa_register] + (uint64_t)state->cfa_offset;
	return 0;
}

/* What an epilogue has popped is in the register again, as in unwind.c. */
static int read_saved(const struct state_step *step, unsigned int number, uint64_t address,
		      uint64_t *ret)
{
	if (stack_dump_read(step->dump, address, ret))
		return 0;
	if (address >= step->registers->values[DWARF_RSP] || !(DWARF_KEPT_MASK >> number & 1) ||
	    !register_is_known(step->registers, number))
		return -EFAULT;
	*ret = step->registers->values[number];
	return 0;
}

static int find_by_default(const struct state_step *step, unsigned int number, uint64_t *ret)
{
	if (number == DWARF_RSP) {
		*ret = step->cfa;
		return 0;
	}
	if (number == DWARF_RIP)
		return read_saved(step, number, step->cfa - 8, ret);
	if (!(DWARF_KEPT_MASK >> number & 1) || !register_is_known(step->registers, number))
		return -EFAULT;
	*ret = step->registers->values[number];
	return 0;
}

static int find_register(const struct state_step *step, unsigned int number, uint64_t *ret)
{
	const struct cfi_state_register *rule = &step->state->registers[number];
	uint64_t address;
	int error;

	switch (rule->kind) {
	case CFI_STATE_UNSET:
		return find_by_default(step, number, ret);
	case CFI_STATE_SAME:
		*ret = step->registers->values[number];
		return register_is_known(step->registers, number) ? 0 : -EFAULT;
	case CFI_STATE_OFFSET:
		return read_saved(step, number, step->cfa + (uint64_t)rule->value, ret);
	case CFI_STATE_VALUE_OFFSET:
		*ret = step->cfa + (uint64_t)rule->value;
		return 0;
	case CFI_STATE_REGISTER:
		if (rule->value < 0 || rule->value >= DWARF_REGISTERS_NR ||
		    !register_is_known(step->registers, (unsigned int)rule->value))
			return -EFAULT;
		*ret = step->registers->values[rule->value];
		return 0;
	case CFI_STATE_EXPRESSION:
		error = cfi_expression_run(span_cursor(step, rule->expression), step->registers,
					   step->dump, &step->cfa, &address);
		return error ? error : read_saved(step, number, address, ret);
	case CFI_STATE_VALUE_EXPRESSION:
		return cfi_expression_run(span_cursor(step, rule->expression), step->registers,
					  step->dump, &step->cfa, ret);
	default:
		return -EFAULT;
	}
}

int cfi_state_step(const struct cfi_state *state, const uint8_t *section,
		   const struct stack_dump *dump, struct unwind_registers *registers)
{
	struct state_step step = {state, section, dump, registers, 0};
	struct unwind_registers caller = {0};
	int error = find_cfa(&step);

	if (error)
		return error;
	for (unsigned int number = 0; number < DWARF_REGISTERS_NR; number++) {
		uint64_t value;

		error = find_register(&step, number, &value);
		if (!error)
			register_set(&caller, number, value);
		else if (number == DWARF_RSP || number == DWARF_RIP)
			return error;
	}
	*registers = caller;
	return 0;
}
