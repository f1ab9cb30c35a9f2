/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/unwind.h"

#include <asm/perf_regs.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"
#include "report/cfi_evaluate.h"
#include "report/cfi_rule.h"
#include "report/cfi_table.h"
#include "report/code_sites.h"
#include "report/module.h"
#include "report/unwind_state.h"

enum { LAST_STACKS_NR = 16 };

/* The stack that was unwound last of a thread, kept by its number. */
struct last_stack {
	uint32_t tid;
	uint64_t generation_plus_1;  /* of its address space; 0: empty */
	struct native_frame *frames; /* UNWIND_FRAMES_MAX; what is not used is never touched */
	size_t plain_first;	     /* the last run of frames that walk_plain_frames() has found */
	size_t plain_end;
};

struct unwinder {
	struct native_frame *frames; /* likewise */
	size_t nr;
	size_t plain_from; /* index of the first frame that registers_catch_up() has not seen */
	size_t plain_first;
	size_t plain_end;
	struct last_stack last_stacks[LAST_STACKS_NR];
	struct code_sites code;

	/* How a sample's registers lie for @regs_mask: DWARF number of each, or one of none. */
	uint64_t regs_mask;
	uint8_t regs_order[64];
	uint8_t regs_nr;

	/* The sample in work. */
	const struct native_frame *like; /* of the thread's last stack, those not yet passed */
	const struct native_frame *like_end;
	struct stack_dump dump;
	struct unwind_registers registers;
	size_t exception_nr; /* frames up to the last one with an enum cfi_exception; 0: none */
	uint64_t leaf_rcx;   /* 0: not known */
};

/* What a step comes to: on to the caller, or one of enum unwind_end, or -ENOMEM. */
enum { STEP_ON = 0x100 };

static struct native_frame *frames_create(void)
{
	return malloc(UNWIND_FRAMES_MAX * sizeof(struct native_frame));
}

int unwinder_create(struct unwinder **ret)
{
	struct unwinder *unwinder = calloc(1, sizeof(*unwinder));

	*ret = unwinder;
	if (!unwinder)
		return -ENOMEM;
	unwinder->frames = frames_create();
	if (unwinder->frames && code_sites_init(&unwinder->code) == 0)
		return 0;
	unwinder_destroy(unwinder);
	*ret = NULL;
	return -ENOMEM;
}

void unwinder_destroy(struct unwinder *unwinder)
{
	if (!unwinder)
		return;
	for (size_t i = 0; i < LAST_STACKS_NR; i++)
		free(unwinder->last_stacks[i].frames);
	free(unwinder->frames);
	code_sites_deinit(&unwinder->code);
	free(unwinder);
}

/* -- registers of the sample -- */

int sample_register(const struct record_sample *sample, uint64_t regs_mask,
		    unsigned int perf_register, uint64_t *ret)
{
	uint64_t bit;

	if (!sample->regs || perf_register >= 64)
		return -ENOENT;
	bit = UINT64_C(1) << perf_register;
	if (!(regs_mask & bit))
		return -ENOENT;
	*ret = sample->regs[__builtin_popcountll(regs_mask & (bit - 1))];
	return 0;
}

/* Segment registers and flags have no part in unwinding. */
enum { REGISTER_NONE = 0xff };

/* By number in the sample (enum perf_event_x86_regs). */
static uint8_t dwarf_number(unsigned int perf_register)
{
	static const uint8_t numbers[] = {
	    [PERF_REG_X86_AX] = 0,
	    [PERF_REG_X86_BX] = DWARF_RBX,
	    [PERF_REG_X86_CX] = 2,
	    [PERF_REG_X86_DX] = 1,
	    [PERF_REG_X86_SI] = 4,
	    [PERF_REG_X86_DI] = 5,
	    [PERF_REG_X86_BP] = DWARF_RBP,
	    [PERF_REG_X86_SP] = DWARF_RSP,
	    [PERF_REG_X86_IP] = DWARF_RIP,
	    [PERF_REG_X86_FLAGS] = REGISTER_NONE,
	    [PERF_REG_X86_CS] = REGISTER_NONE,
	    [PERF_REG_X86_SS] = REGISTER_NONE,
	    [PERF_REG_X86_DS] = REGISTER_NONE,
	    [PERF_REG_X86_ES] = REGISTER_NONE,
	    [PERF_REG_X86_FS] = REGISTER_NONE,
	    [PERF_REG_X86_GS] = REGISTER_NONE,
	    [PERF_REG_X86_R8] = 8,
	    [PERF_REG_X86_R9] = 9,
	    [PERF_REG_X86_R10] = 10,
	    [PERF_REG_X86_R11] = 11,
	    [PERF_REG_X86_R12] = DWARF_R12,
	    [PERF_REG_X86_R13] = DWARF_R13,
	    [PERF_REG_X86_R14] = DWARF_R14,
	    [PERF_REG_X86_R15] = DWARF_R15,
	};

	return perf_register < array_size(numbers) ? numbers[perf_register] : REGISTER_NONE;
}

static void set_registers_order(struct unwinder *unwinder, uint64_t regs_mask)
{
	unwinder->regs_mask = regs_mask;
	unwinder->regs_nr = 0;
	for (; regs_mask; regs_mask &= regs_mask - 1)
		unwinder->regs_order[unwinder->regs_nr++] = dwarf_number(
		    (unsigned int)__builtin_ctzll(regs_mask));
}

static void read_sample_registers(struct unwinder *unwinder, const struct record_sample *sample,
				  uint64_t regs_mask)
{
	struct unwind_registers *registers = &unwinder->registers;

	if (regs_mask != unwinder->regs_mask)
		set_registers_order(unwinder, regs_mask);
	registers->known = 0;
	for (unsigned int i = 0; sample->regs && i < unwinder->regs_nr; i++)
		if (unwinder->regs_order[i] != REGISTER_NONE)
			register_set(registers, unwinder->regs_order[i], sample->regs[i]);
}

/* -- one frame -- */

/* @address could not be read: it lies beyond the dump, or where no stack can be. */
static int end_of_unreadable(const struct unwinder *unwinder, uint64_t address)
{
	return address >= unwinder->dump.start ? UNWIND_END_STACK_CUT : UNWIND_END_BAD;
}

/* Kept registers become unknown only where the stack was cut; others because of calls. */
static int end_of_unknown(unsigned int number)
{
	return DWARF_KEPT_MASK >> number & 1 ? UNWIND_END_STACK_CUT : UNWIND_END_BAD;
}

static int find_cfa(const struct unwinder *unwinder, const struct cfi_rule *rule, uint64_t *ret)
{
	const struct unwind_registers *registers = &unwinder->registers;
	uint64_t cfa;

	if (!register_is_known(registers, rule->cfa_register))
		return end_of_unknown(rule->cfa_register);
	cfa = registers->values[rule->cfa_register] + (uint64_t)(int64_t)rule->cfa_offset;
	if (rule->kind == CFI_RULE_PLT &&
	    (registers->values[DWARF_RIP] & 15) >= (uint64_t)rule->cfa_add)
		cfa += 8;
	if (rule->kind == CFI_RULE_DEREF) {
		if (!stack_dump_read(&unwinder->dump, cfa, &cfa))
			return end_of_unreadable(unwinder, cfa);
		cfa += (uint64_t)(int64_t)rule->cfa_add;
	}
	*ret = cfa;
	return STEP_ON;
}

/* Where the caller's value is; 0: nowhere. */
static uint64_t saved_address(const struct unwind_registers *registers,
			      const struct cfi_register_rule *rule, uint64_t cfa)
{
	uint64_t offset = (uint64_t)(int64_t)rule->offset;

	switch (rule->kind) {
	case CFI_REGISTER_AT_CFA:
		return cfa + offset;
	case CFI_REGISTER_AT_REGISTER:
		return register_is_known(registers, rule->base)
			   ? registers->values[rule->base] + offset
			   : 0;
	case CFI_REGISTER_AT_ALIGNED:
		return ((cfa - 8) & -(UINT64_C(1) << rule->base)) + offset;
	default:
		return 0;
	}
}

/*
 * An epilogue that has popped a register is still said to have it saved, now below rsp: the
 * register holds the caller's value again. A slot beyond a cut dump makes it unknown, which
 * matters only if a later frame needs it.
 */
static void restore_saved(struct unwinder *unwinder, const struct cfi_rule *rule, uint64_t cfa)
{
	struct unwind_registers *registers = &unwinder->registers;
	uint64_t values[CFI_SAVED_NR];
	unsigned int read_mask = 0;
	uint32_t known = registers->known & DWARF_KEPT_MASK;

	for (unsigned int mask = rule->saved_mask; mask; mask &= mask - 1) {
		unsigned int index = (unsigned int)__builtin_ctz(mask);
		uint64_t address = saved_address(registers, &rule->saved[index], cfa);

		if (address && address < registers->values[DWARF_RSP])
			continue;
		if (address && stack_dump_read(&unwinder->dump, address, &values[index]))
			read_mask |= 1U << index;
		else
			known &= ~(1U << cfi_saved_register(index));
	}
	registers->known = known;
	/* Only now: the others may have been found through one of these. */
	for (; read_mask; read_mask &= read_mask - 1) {
		unsigned int index = (unsigned int)__builtin_ctz(read_mask);

		register_set(registers, cfi_saved_register(index), values[index]);
	}
}

static int step_by_rule(struct unwinder *unwinder, const struct cfi_rule *rule,
			struct native_frame *frame)
{
	uint64_t return_address;
	uint64_t slot;
	uint64_t cfa = 0;
	int step = find_cfa(unwinder, rule, &cfa);

	if (step != STEP_ON)
		return step;
	/* Stacks grow down: without this a damaged one would be walked in circles. */
	if (cfa <= frame->sp)
		return UNWIND_END_BAD;
	frame->cfa = cfa;
	slot = cfa + (uint64_t)(int64_t)rule->ra_offset;
	if (slot < frame->sp)
		return UNWIND_END_BAD;
	if (!stack_dump_read(&unwinder->dump, slot, &return_address))
		return end_of_unreadable(unwinder, slot);

	restore_saved(unwinder, rule, cfa);
	register_set(&unwinder->registers, DWARF_RSP, cfa);
	register_set(&unwinder->registers, DWARF_RIP, return_address);
	return STEP_ON;
}

/* The kernel has put every register on the stack. An alternate stack's frame ends anywhere. */
static int step_over_signal(struct unwinder *unwinder, struct native_frame *frame)
{
	struct unwind_registers caller = {0};

	for (unsigned int number = 0; number < DWARF_REGISTERS_NR; number++) {
		uint64_t address = frame->sp + (uint64_t)signal_frame_offset(number);
		uint64_t value;

		if (stack_dump_read(&unwinder->dump, address, &value))
			register_set(&caller, number, value);
	}
	if (!register_is_known(&caller, DWARF_RSP) || !register_is_known(&caller, DWARF_RIP))
		return UNWIND_END_STACK_CUT;
	if (caller.values[DWARF_RSP] > frame->sp)
		frame->cfa = caller.values[DWARF_RSP];
	unwinder->registers = caller;
	return STEP_ON;
}

static int step_by_state(struct unwinder *unwinder, const struct cfi_rule *rule,
			 struct native_frame *frame)
{
	const struct code_place *place = code_place_find(&unwinder->code, frame->mapping,
							 frame->pc);
	const uint8_t *section;
	const struct cfi_state *state = cfi_table_state(place->cfi, rule, &section);
	int error = -EBADMSG;

	if (state)
		error = cfi_state_step(state, section, &unwinder->dump, &unwinder->registers);
	if (error)
		return error == -EFAULT ? UNWIND_END_STACK_CUT : UNWIND_END_BAD;
	if (unwinder->registers.values[DWARF_RSP] > frame->sp)
		frame->cfa = unwinder->registers.values[DWARF_RSP];
	else if (rule->exception == CFI_EXCEPTION_LEFT &&
		 unwinder->registers.values[DWARF_RSP] == frame->sp)
		frame->cfa = frame->sp; /* its jump takes nothing from the stack */
	else if (!rule->is_signal)
		return UNWIND_END_BAD;
	return STEP_ON;
}

/*
 * Is there a call before @address? E8 with a 32-bit distance, or FF /2 in one of its
 * lengths (Intel SDM volume 2, CALL). Unknown bytes cannot say no.
 */
static bool may_follow_call(const struct mapping *mapping, uint64_t vaddr)
{
	const uint8_t *code = module_code(mapping->module, vaddr - 7, 7);

	if (!code)
		return true;
	if (code[2] == 0xe8)
		return true;
	for (unsigned int bytes = 2; bytes <= 7; bytes++) {
		const uint8_t *call = code + 7 - bytes;

		if (call[0] == 0xff && (call[1] >> 3 & 7) == 2)
			return true;
	}
	return false;
}

/* Code that may have made the call which returns to @address. */
static bool is_believable_return(struct unwinder *unwinder, uint64_t address)
{
	const struct mapping *mapping = code_mapping_find(&unwinder->code, address - 1);
	const struct code_place *place;

	if (!mapping)
		return false;
	if (!mapping->module)
		return true;
	place = code_place_find(&unwinder->code, mapping, address - 1);
	if (place->cfi &&
	    cfi_table_find(place->cfi, address - 1 - place->bias)->kind == CFI_RULE_NONE)
		return false;
	return may_follow_call(mapping, address - place->bias);
}

static int step_by_frame_pointer(struct unwinder *unwinder, struct native_frame *frame)
{
	uint64_t frame_pointer = unwinder->registers.values[DWARF_RBP];
	struct unwind_registers caller = {0};
	uint64_t return_address;
	uint64_t saved;

	if (!register_is_known(&unwinder->registers, DWARF_RBP) || frame_pointer < frame->sp ||
	    frame_pointer % 8 || !stack_dump_read(&unwinder->dump, frame_pointer, &saved) ||
	    !stack_dump_read(&unwinder->dump, frame_pointer + 8, &return_address) ||
	    !is_believable_return(unwinder, return_address))
		return UNWIND_END_NO_CFI;
	frame->cfa = frame_pointer + 16;
	register_set(&caller, DWARF_RBP, saved);
	register_set(&caller, DWARF_RSP, frame->cfa);
	register_set(&caller, DWARF_RIP, return_address);
	unwinder->registers = caller;
	return STEP_ON;
}

static int step(struct unwinder *unwinder, const struct cfi_rule *rule, struct native_frame *frame,
		uint32_t *caller_flags)
{
	bool is_return_address = !(frame->flags & NATIVE_FRAME_INTERRUPTED);
	int ret;

	/*
	 * A trampoline is returned to at its first byte, where its FDE may just begin, and sampled
	 * in its system call behind its last byte, where the FDE may have ended.
	 */
	if (rule->kind == CFI_RULE_NONE) {
		const struct cfi_rule *beside = code_rule_find(&unwinder->code, frame->mapping,
							       frame->pc - !is_return_address);

		if (beside->is_signal || beside->kind == CFI_RULE_NO_MEMORY)
			rule = beside;
	}
	if (rule->is_signal)
		frame->flags |= NATIVE_FRAME_SIGNAL;
	switch (rule->kind) {
	case CFI_RULE_END:
		return UNWIND_END_COMPLETE;
	case CFI_RULE_NONE:
		*caller_flags = NATIVE_FRAME_GUESSED;
		return step_by_frame_pointer(unwinder, frame);
	case CFI_RULE_NO_MEMORY:
		return -ENOMEM;
	case CFI_RULE_SIGNAL:
		ret = step_over_signal(unwinder, frame);
		break;
	case CFI_RULE_EXPRESSION:
		ret = step_by_state(unwinder, rule, frame);
		break;
	default:
		ret = step_by_rule(unwinder, rule, frame);
		break;
	}
	*caller_flags = rule->is_signal || rule->exception == CFI_EXCEPTION_LEFT
			    ? NATIVE_FRAME_INTERRUPTED
			    : 0;
	if (rule->exception)
		unwinder->exception_nr = unwinder->nr;
	return ret;
}

static void frame_set(struct native_frame *frame, const struct unwind_registers *registers,
		      struct code_site *site, uint32_t flags)
{
	*frame = (struct native_frame){.pc = registers->values[DWARF_RIP],
				       .sp = registers->values[DWARF_RSP],
				       .mapping = site->mapping,
				       .site = site,
				       .place = site->place,
				       .flags = flags};
}

/*
 * How many of @like's frames are in the stack at hand too, once its first one is, with the same
 * registers: those whose callers' registers are saved in it just so. Other than finding them one
 * by one, these comparisons do not wait for one another.
 */
static size_t count_same_frames(const struct native_frame *like, const struct native_frame *end,
				const struct stack_dump *dump)
{
	const struct native_frame *at = like;

	for (; at + 1 < end; at++) {
		const uint64_t offset = at->cfa - dump->start;
		uint64_t pc, rbp;

		if (offset > dump->nr)
			break;
		memcpy(&pc, dump->bytes + offset - 8, sizeof(pc));
		if (pc != at[1].pc)
			break;
		if (!at->rbp_offset)
			continue;
		memcpy(&rbp, dump->bytes + offset + at->rbp_offset, sizeof(rbp));
		if (rbp != at[1].rbp)
			break;
	}
	return (size_t)(at - like);
}

/* As count_same_frames(), of the thread's last stack, from the frame with these registers on. */
static size_t find_same_frames(struct unwinder *unwinder, uint64_t pc, uint64_t sp, uint64_t rbp)
{
	const struct native_frame *like = unwinder->like;

	while (like < unwinder->like_end && like->sp < sp)
		like++;
	unwinder->like = like;
	if (like == unwinder->like_end || like->sp != sp || like->pc != pc || like->rbp != rbp ||
	    like->flags)
		return 0;
	return count_same_frames(like, unwinder->like_end, &unwinder->dump);
}

/*
 * From frame to frame as long as the rules are plain ones: all that is saved lies together in the
 * stack, readable and not yet popped, which one comparison tells. Only rsp, rbp and rip are
 * followed; registers_catch_up() finds the others if a later rule asks for them.
 */
static void walk_plain_frames(struct unwinder *unwinder, uint32_t *flags)
{
	const struct stack_dump *dump = &unwinder->dump;
	struct unwind_registers *registers = &unwinder->registers;
	uint64_t pc = registers->values[DWARF_RIP];
	uint64_t sp = registers->values[DWARF_RSP];
	uint64_t rbp = registers->values[DWARF_RBP];
	bool is_rbp_known = register_is_known(registers, DWARF_RBP);
	uint32_t state = *flags;
	size_t nr = unwinder->nr;

	/* A stack beyond the last address is damage: step_by_rule() tells it. */
	if (sp - dump->start > dump->nr || dump->nr > UINT64_MAX - dump->start)
		return;
	while (nr < UNWIND_FRAMES_MAX) {
		const uint64_t left = dump->nr - (sp - dump->start);
		const uint8_t *at_cfa;
		struct code_site *site;
		uint64_t bytes; /* from sp to the CFA */
		size_t same = is_rbp_known && !state ? find_same_frames(unwinder, pc, sp, rbp) : 0;

		if (same > UNWIND_FRAMES_MAX - nr)
			same = UNWIND_FRAMES_MAX - nr;
		if (same) {
			memcpy(unwinder->frames + nr, unwinder->like,
			       same * sizeof(*unwinder->like));
			nr += same;
			unwinder->like += same;
			pc = unwinder->like->pc;
			sp = unwinder->like->sp;
			rbp = unwinder->like->rbp;
			continue;
		}
		site = code_site_find(&unwinder->code, pc - !(state & NATIVE_FRAME_INTERRUPTED));
		bytes = (uint64_t)(int64_t)site->cfa_offset;
		if (site->is_cfa_by_rbp) {
			if (!is_rbp_known)
				break;
			bytes += rbp - sp;
		}
		if (bytes <= site->plain_bytes_less_1 || bytes > left)
			break;
		unwinder->frames[nr++] = (struct native_frame){.pc = pc,
							       .sp = sp,
							       .cfa = sp + bytes,
							       .mapping = site->mapping,
							       .site = site,
							       .place = site->place,
							       .flags = state,
							       .rbp_offset = site->rbp_offset,
							       .rbp = rbp};
		sp += bytes;
		at_cfa = dump->bytes + (sp - dump->start);
		memcpy(&pc, at_cfa - 8, sizeof(pc));
		if (site->rbp_offset) {
			memcpy(&rbp, at_cfa + site->rbp_offset, sizeof(rbp));
			is_rbp_known = true;
		}
		state = 0;
	}
	*flags = state;
	if (nr == unwinder->nr)
		return;
	unwinder->plain_first = unwinder->nr;
	unwinder->plain_end = nr;
	unwinder->nr = nr;
	registers->known &= DWARF_KEPT_MASK;
	registers->values[DWARF_RBP] = rbp;
	registers->known |= (uint32_t)is_rbp_known << DWARF_RBP;
	register_set(registers, DWARF_RSP, sp);
	register_set(registers, DWARF_RIP, pc);
}

/* What walk_plain_frames() has left out: each register is where the last frame saved it. */
static void registers_catch_up(struct unwinder *unwinder)
{
	uint32_t wanted = ((1U << CFI_SAVED_NR) - 1) & ~(1U << CFI_SAVED_RBP);

	for (size_t i = unwinder->nr; i-- > unwinder->plain_from && wanted;) {
		const struct native_frame *frame = &unwinder->frames[i];
		const struct cfi_rule *rule =
		    code_site_find(&unwinder->code, native_frame_lookup_pc(frame))->rule;
		uint32_t mask = rule->saved_mask & wanted;

		wanted &= ~mask;
		for (; mask; mask &= mask - 1) {
			unsigned int index = (unsigned int)__builtin_ctz(mask);
			uint64_t address = saved_address(&unwinder->registers, &rule->saved[index],
							 frame->cfa);
			uint64_t value;

			if (stack_dump_read(&unwinder->dump, address, &value))
				register_set(&unwinder->registers, cfi_saved_register(index),
					     value);
		}
	}
	unwinder->plain_from = unwinder->nr;
}

/* Return: enum unwind_end or -ENOMEM. */
static int unwinder_walk(struct unwinder *unwinder)
{
	uint32_t flags = NATIVE_FRAME_INTERRUPTED;
	int ret = STEP_ON;

	while (ret == STEP_ON) {
		uint64_t pc;
		struct code_site *site;
		struct native_frame *frame;

		walk_plain_frames(unwinder, &flags);
		if (unwinder->nr >= UNWIND_FRAMES_MAX)
			return UNWIND_END_LIMIT;
		pc = unwinder->registers.values[DWARF_RIP];
		site = code_site_find(&unwinder->code, pc - !(flags & NATIVE_FRAME_INTERRUPTED));
		/* Threads and old start-up code end with a zero where the return address is. */
		if (unwinder->nr && pc == 0)
			return unwinder->exception_nr ? UNWIND_END_BAD : UNWIND_END_COMPLETE;
		if (unwinder->nr && !site->mapping)
			return UNWIND_END_BAD;
		registers_catch_up(unwinder);
		frame = &unwinder->frames[unwinder->nr++];
		unwinder->plain_from = unwinder->nr;
		frame_set(frame, &unwinder->registers, site, flags);
		ret = step(unwinder, site->rule, frame, &flags);
	}
	return ret;
}

static bool are_of_one_function(struct unwinder *unwinder, const struct native_frame *a,
				const struct native_frame *b)
{
	const uint64_t pc = native_frame_lookup_pc(a);
	const uint64_t other_pc = native_frame_lookup_pc(b);
	const struct code_place *place;
	struct cfi_fde fde;

	if (a->mapping != b->mapping || !a->mapping || !a->mapping->module)
		return false;
	place = code_place_find(&unwinder->code, a->mapping, pc);
	return place->cfi &&
	       cfi_frames_find(cfi_table_frames(place->cfi), pc - place->bias, &fde) == 0 &&
	       other_pc - place->bias >= fde.start && other_pc - place->bias < fde.end;
}

/*
 * Has the return address of the last frame that ends by entering a handler become that of the
 * handler's frame already? Then the same one is found again where it was copied from, before the
 * handler's address takes its place there; and rcx leads to that place from then on, as distance
 * or as address (EH_RETURN_STACKADJ_RTX, gcc/config/i386/i386.h). A handler is in the function of
 * the call that it is for.
 */
static bool exception_is_overwritten(struct unwinder *unwinder)
{
	const struct native_frame *frames = unwinder->frames;
	const size_t caller = unwinder->exception_nr;
	const uint64_t rcx = caller == 1 ? unwinder->leaf_rcx : 0;

	for (size_t i = caller + 1; i < unwinder->nr; i++) {
		const uint64_t slot = frames[i].sp - 8;

		if (frames[i].pc == frames[caller].pc)
			return true;
		if (rcx && (rcx == slot || frames[caller].sp - 8 + rcx == slot) &&
		    are_of_one_function(unwinder, &frames[caller], &frames[i]))
			return true;
	}
	return false;
}

/* -- samples of one thread mostly share the root side of their stacks -- */

static struct last_stack *last_stack_of(struct unwinder *unwinder, uint32_t tid)
{
	return &unwinder->last_stacks[tid % LAST_STACKS_NR];
}

static void look_at_last_stack(struct unwinder *unwinder, uint32_t tid)
{
	const struct last_stack *last = last_stack_of(unwinder, tid);

	unwinder->like = unwinder->like_end = NULL;
	if (last->tid != tid || last->generation_plus_1 != unwinder->code.space->generation + 1)
		return;
	unwinder->like = last->frames + last->plain_first;
	unwinder->like_end = last->frames + last->plain_end;
}

/* Places that are filled in until the next run are kept too. Return: 0 or -ENOMEM. */
static int keep_last_stack(struct unwinder *unwinder, uint32_t tid)
{
	struct last_stack *last = last_stack_of(unwinder, tid);
	struct native_frame *other = last->frames ? last->frames : frames_create();

	if (!other)
		return -ENOMEM;
	*last = (struct last_stack){.tid = tid,
				    .generation_plus_1 = unwinder->code.space->generation + 1,
				    .frames = unwinder->frames,
				    .plain_first = unwinder->plain_first,
				    .plain_end = unwinder->plain_end};
	unwinder->frames = other;
	return 0;
}

int unwinder_run(struct unwinder *unwinder, const struct address_space *space, uint64_t regs_mask,
		 const struct record_sample *sample, struct native_stack *ret)
{
	int end = UNWIND_END_NO_DATA;

	unwinder->nr = 0;
	unwinder->plain_from = 0;
	unwinder->plain_first = 0;
	unwinder->plain_end = 0;
	unwinder->exception_nr = 0;
	unwinder->code.space = space;
	unwinder->code.last_mapping = NULL;
	if (sample->regs_abi == PERF_SAMPLE_REGS_ABI_64)
		read_sample_registers(unwinder, sample, regs_mask);
	if (sample->regs_abi == PERF_SAMPLE_REGS_ABI_64 &&
	    register_is_known(&unwinder->registers, DWARF_RSP) &&
	    register_is_known(&unwinder->registers, DWARF_RIP)) {
		unwinder->dump = (struct stack_dump){
		    .start = unwinder->registers.values[DWARF_RSP],
		    .bytes = sample->stack,
		    .nr = sample->stack ? sample->stack_bytes : 0,
		};
		unwinder->leaf_rcx = register_is_known(&unwinder->registers, DWARF_RCX)
					 ? unwinder->registers.values[DWARF_RCX]
					 : 0;
		look_at_last_stack(unwinder, sample->tid);
		end = unwinder_walk(unwinder);
	}
	if (end < 0)
		return end;
	if (unwinder->exception_nr &&
	    (end == UNWIND_END_BAD || exception_is_overwritten(unwinder))) {
		end = UNWIND_END_BAD;
		unwinder->nr = unwinder->exception_nr;
	}
	*ret = (struct native_stack){
	    .frames = unwinder->frames, .nr = (uint32_t)unwinder->nr, .end = end};
	return keep_last_stack(unwinder, sample->tid);
}
