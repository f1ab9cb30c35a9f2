/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * An .eh_frame section, registers and a stack, all from the fuzzer: compile, look up, unwind. The
 * input: u16 bytes of .eh_frame, these, 17 registers, the stack.
 */
#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "report/cfi_table.h"
#include "report/module.h"
#include "report/unwind.h"

#define CODE_ADDRESS UINT64_C(0x400000)
#define CODE_BYTES   UINT64_C(0x10000)

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t nr);

/* The number of an expression's state depends on the look-ups before. */
static void check_same_rule(const struct cfi_rule *rule, const struct cfi_rule *other)
{
	if (rule->kind > CFI_RULE_EXPRESSION || rule->kind != other->kind)
		abort();
	if (rule->kind != CFI_RULE_EXPRESSION && memcmp(rule, other, sizeof(*rule)) != 0)
		abort();
}

/* Rows come with the look-ups: from either end, and all at once, they must be the same. */
static void fuzz_table(const struct bundle_module *module)
{
	struct cfi_table *table;
	struct cfi_table *whole;

	if (cfi_table_create(module, &table))
		return;
	if (cfi_table_create(module, &whole) || cfi_table_compile_all(whole))
		abort();
	for (uint64_t vaddr = CODE_BYTES; vaddr-- > CODE_BYTES / 2; vaddr -= 36)
		check_same_rule(cfi_table_find(table, vaddr), cfi_table_find(whole, vaddr));
	for (uint64_t vaddr = 0; vaddr < CODE_BYTES; vaddr += 37)
		check_same_rule(cfi_table_find(table, vaddr), cfi_table_find(whole, vaddr));
	if (cfi_table_get_stats(table).fdes_damaged_nr > cfi_table_get_stats(whole).fdes_damaged_nr)
		abort();
	cfi_table_destroy(whole);
	cfi_table_destroy(table);
}

static void check_stack(const struct native_stack *stack)
{
	if (stack->nr > UNWIND_FRAMES_MAX)
		abort();
	for (uint32_t i = 1; i < stack->nr; i++) {
		const struct native_frame *frame = &stack->frames[i];

		if (!(frame->flags & NATIVE_FRAME_INTERRUPTED) && frame->sp <= frame[-1].sp)
			abort();
	}
}

static void fuzz_unwind(struct bundle *bundle, const uint64_t *regs, const uint8_t *stack,
			size_t stack_bytes)
{
	struct modules_options options = {.bundle = bundle};
	struct record_sample sample = {
	    .regs_abi = PERF_SAMPLE_REGS_ABI_64,
	    .regs = regs,
	    .stack = stack,
	    .stack_bytes = stack_bytes,
	};
	struct mapping mapping = {
	    .start = CODE_ADDRESS, .end = CODE_ADDRESS + CODE_BYTES, .is_executable = true};
	struct address_space space = {0};
	struct modules *modules = NULL;
	struct unwinder *unwinder = NULL;
	struct native_stack result;

	if (modules_create(&options, &modules))
		return;
	mapping.module = modules_get(modules, NULL, 0, "/fuzz");
	if (mapping.module && address_space_insert(&space, &mapping) == 0 &&
	    unwinder_create(&unwinder) == 0 &&
	    unwinder_run(unwinder, &space, 0xff01ff, &sample, &result) == 0)
		check_stack(&result);
	unwinder_destroy(unwinder);
	address_space_deinit(&space);
	modules_destroy(modules);
}

static void fuzz_bundle(const struct bundle_module *module, const uint64_t *regs,
			const uint8_t *stack, size_t stack_bytes)
{
	auto_strbuf struct strbuf packed = {0};
	struct bundle *bundle;

	if (bundle_begin(&packed) || bundle_add_module(&packed, module) || bundle_end(&packed) ||
	    bundle_open((const uint8_t *)packed.bytes, packed.nr, &bundle))
		return;
	fuzz_unwind(bundle, regs, stack, stack_bytes);
	bundle_close(bundle);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t nr)
{
	const struct bundle_segment segment = {0, CODE_BYTES, 0, CODE_BYTES, PF_R | PF_X};
	struct bytes_cursor at = bytes_cursor_make(bytes, nr);
	struct bundle_module module = {.path = "/fuzz", .segments = &segment, .segments_nr = 1};
	uint64_t regs[17];

	module.eh_frame.vaddr = CODE_BYTES;
	module.eh_frame.nr = bytes_get_u16(&at);
	module.eh_frame.bytes = bytes_take(&at, module.eh_frame.nr);
	if (!module.eh_frame.bytes)
		return 0;
	fuzz_table(&module);
	/* Registers that point into the code and the stack more often than not. */
	for (unsigned int i = 0; i < array_size(regs); i++)
		regs[i] = bytes_get_u64(&at);
	regs[8] = CODE_ADDRESS + regs[8] % CODE_BYTES;
	fuzz_bundle(&module, regs, at.at, bytes_left(&at));
	return 0;
}
