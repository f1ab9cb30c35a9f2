/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A process with one module of hand-made functions, the same as its vdso, anonymous code and data,
 * and a stack that a test writes word by word. Included behind cmocka.h.
 */
#ifndef PYREC_TESTS_UNIT_UNWIND_FIXTURE_H
#define PYREC_TESTS_UNIT_UNWIND_FIXTURE_H

#include <asm/perf_regs.h>
#include <elf.h>
#include <stdlib.h>

#include "report/module.h"
#include "report/unwind.h"
#include "tests/unit/cfi_bytes.h"

#define CODE	 UINT64_C(0x7f0000000000)
#define VDSO	 UINT64_C(0x7ffff7fc1000)
#define NO_CFI	 UINT64_C(0x7e0000000000) /* anonymous, executable */
#define DATA	 UINT64_C(0x7d0000000000) /* mapped, not executable */
#define STACK	 UINT64_C(0x7ffc00000000)
#define CODE_MAX UINT64_C(0x100000)

/* Functions of the test module, 0x100 bytes each. */
enum {
	PLAIN = 0x1000,	       /* CFA = rsp + 8 */
	FRAMED = 0x1100,       /* CFA = rbp + 16, rbp saved */
	START = 0x1200,	       /* return address undefined */
	POPPED = 0x1300,       /* CFA = rsp + 8, rbp still said to be saved at CFA - 16 */
	CUT = 0x1400,	       /* CFA = rsp + 8, rbp saved at CFA + 64 */
	TRAMPOLINE = 0x1500,   /* 10 bytes; signal frame, its FDE begins one byte early */
	REALIGNED = 0x1600,    /* CFA = *(rbp - 8), rbp = *(rbp + 0), r15 = *(rbp - 16) */
	PLT = 0x1700,	       /* lazy PLT */
	EXPRESSION = 0x1800,   /* CFA = rsp + 8 + (2 << 3): no kind of its own */
	BACKWARDS = 0x1900,    /* CFA = rsp */
	UNKNOWN = 0x1a00,      /* CFA = r10 + 8 */
	ALIGNED = 0x1b00,      /* CFA = rbp + 16, r12 = *(((CFA - 8) & -64) - 136) */
	TRAMPOLINE_2 = 0x1d00, /* 9 bytes; signal frame, its FDE begins at the first byte */
	THROWER = 0x1e00,      /* CFA = rbp + 16, rax, rdx and rbp saved */
	THROWER_LEFT = 0x1e80, /* of it: CFA = rsp, return address in rcx */
	SAVES = 0x1f00,	       /* CFA = rsp + 24, rbp at CFA - 16, rbx at CFA - 24 */
	BY_RBX = 0x1f80,       /* CFA = rbx + 16 */
	NOTHING = 0x2000,      /* no FDE */
};

struct fixture {
	struct strbuf bundle_bytes;
	struct bundle *bundle;
	struct modules *modules;
	struct unwinder *unwinder;
	struct address_space space;
	uint64_t regs[24];
	uint64_t words[20000];
	uint64_t words_nr;
	struct native_stack stack;
};

#define REGS_MASK UINT64_C(0xff0fff)

static inline void add_functions(struct strbuf *bytes)
{
	uint32_t cie = cfi_bytes_cie(bytes, "zR", ABI_PROGRAM);
	uint32_t signal = cfi_bytes_cie(bytes, "zRS", ABI_PROGRAM);

	cfi_bytes_fde(bytes, cie, PLAIN, 0x100, PROGRAM(DW_CFA_nop));
	cfi_bytes_fde(bytes, cie, FRAMED, 0x100,
		      PROGRAM(DW_CFA_def_cfa, 6, 16, DW_CFA_offset | 6, 2));
	cfi_bytes_fde(bytes, cie, START, 0x100, PROGRAM(DW_CFA_undefined, 16));
	cfi_bytes_fde(bytes, cie, POPPED, 0x100, PROGRAM(DW_CFA_offset | 6, 2));
	cfi_bytes_fde(bytes, cie, CUT, 0x100, PROGRAM(DW_CFA_offset_extended_sf, 6, 0x78));
	cfi_bytes_fde(bytes, signal, TRAMPOLINE - 1, 10, SIGNAL_PROGRAM);
	cfi_bytes_fde(bytes, cie, REALIGNED, 0x100,
		      PROGRAM(DW_CFA_def_cfa_expression, 3, DW_OP_breg6, 0x78, DW_OP_deref,
			      DW_CFA_expression, 6, 2, DW_OP_breg6, 0, DW_CFA_expression, 15, 2,
			      DW_OP_breg6, 0x70));
	cfi_bytes_fde(bytes, cie, PLT, 0x100, PLT_PROGRAM(DW_OP_lit11));
	cfi_bytes_fde(bytes, cie, EXPRESSION, 0x100,
		      PROGRAM(DW_CFA_def_cfa_expression, 6, DW_OP_breg7, 8, DW_OP_lit2, DW_OP_lit3,
			      DW_OP_shl, DW_OP_plus));
	cfi_bytes_fde(bytes, cie, BACKWARDS, 0x100, PROGRAM(DW_CFA_def_cfa_offset, 0));
	cfi_bytes_fde(bytes, cie, UNKNOWN, 0x100, PROGRAM(DW_CFA_def_cfa, 10, 8));
	cfi_bytes_fde(bytes, cie, ALIGNED, 0x100,
		      PROGRAM(DW_CFA_def_cfa, 6, 16, DW_CFA_expression, 12, 14, DW_OP_lit8,
			      DW_OP_minus, DW_OP_const4s, 0xc0, 0xff, 0xff, 0xff, DW_OP_and,
			      DW_OP_const4s, 0x78, 0xff, 0xff, 0xff, DW_OP_plus));
	cfi_bytes_fde(bytes, signal, TRAMPOLINE_2, 9, SIGNAL_PROGRAM);
	cfi_bytes_fde(bytes, cie, THROWER, 0x100,
		      PROGRAM(DW_CFA_def_cfa, 6, 16, DW_CFA_offset | 0, 4, DW_CFA_offset | 1, 3,
			      DW_CFA_offset | 6, 2, DW_CFA_advance_loc1, 0x80, DW_CFA_def_cfa, 7, 0,
			      DW_CFA_restore | 6, DW_CFA_register, 16, 2));
	cfi_bytes_fde(
	    bytes, cie, SAVES, 0x80,
	    PROGRAM(DW_CFA_def_cfa_offset, 24, DW_CFA_offset | 6, 2, DW_CFA_offset | 3, 3));
	cfi_bytes_fde(bytes, cie, BY_RBX, 0x80, PROGRAM(DW_CFA_def_cfa, 3, 16));
}

static inline void map(struct fixture *fixture, uint64_t start, bool is_executable,
		       const char *path)
{
	struct mapping mapping = {
	    .start = start,
	    .end = start + CODE_MAX,
	    .is_executable = is_executable,
	    .module = path ? modules_get(fixture->modules, NULL, 0, path) : NULL,
	};

	assert_int_equal(address_space_insert(&fixture->space, &mapping), 0);
}

static inline int setup(void **state)
{
	static const struct bundle_segment segment = {0, CODE_MAX, 0, CODE_MAX, PF_R | PF_X};
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct modules_options options = {0};
	struct strbuf eh_frame = {0};
	struct bundle_module module;

	add_functions(&eh_frame);
	module = cfi_bytes_module(&eh_frame);
	module.segments = &segment;
	module.segments_nr = 1;
	assert_int_equal(bundle_begin(&fixture->bundle_bytes), 0);
	assert_int_equal(bundle_add_module(&fixture->bundle_bytes, &module), 0);
	module.path = "[vdso]";
	assert_int_equal(bundle_add_module(&fixture->bundle_bytes, &module), 0);
	assert_int_equal(bundle_end(&fixture->bundle_bytes), 0);
	strbuf_deinit(&eh_frame);

	assert_int_equal(bundle_open((const uint8_t *)fixture->bundle_bytes.bytes,
				     fixture->bundle_bytes.nr, &fixture->bundle),
			 0);
	options.bundle = fixture->bundle;
	assert_int_equal(modules_create(&options, &fixture->modules), 0);
	assert_int_equal(unwinder_create(&fixture->unwinder), 0);
	map(fixture, CODE, true, "/test");
	map(fixture, VDSO, true, "[vdso]");
	map(fixture, NO_CFI, true, NULL);
	map(fixture, DATA, false, "/data");
	fixture->regs[PERF_REG_X86_SP] = STACK;
	*state = fixture;
	return 0;
}

static inline int teardown(void **state)
{
	struct fixture *fixture = *state;

	address_space_deinit(&fixture->space);
	unwinder_destroy(fixture->unwinder);
	modules_destroy(fixture->modules);
	bundle_close(fixture->bundle);
	strbuf_deinit(&fixture->bundle_bytes);
	free(fixture);
	return 0;
}

static inline void push(struct fixture *fixture, uint64_t word)
{
	fixture->words[fixture->words_nr++] = word;
}

static inline void push_code(struct fixture *fixture, uint64_t vaddr)
{
	push(fixture, CODE + vaddr);
}

static inline uint64_t stack_address(uint64_t word)
{
	return STACK + word * 8;
}

/* Registers of the mask only, as perf writes them. */
static inline struct record_sample sample_make(const struct fixture *fixture, uint64_t packed[24])
{
	unsigned int nr = 0;

	for (unsigned int i = 0; i < 24; i++) {
		if (REGS_MASK >> i & 1)
			packed[nr++] = fixture->regs[i];
	}
	return (struct record_sample){
	    .regs_abi = PERF_SAMPLE_REGS_ABI_64,
	    .regs = packed,
	    .stack = (const uint8_t *)fixture->words,
	    .stack_bytes = fixture->words_nr * 8,
	};
}

static inline void run(struct fixture *fixture, uint64_t pc)
{
	uint64_t packed[24];
	struct record_sample sample;

	fixture->regs[PERF_REG_X86_IP] = pc;
	sample = sample_make(fixture, packed);
	assert_int_equal(
	    unwinder_run(fixture->unwinder, &fixture->space, REGS_MASK, &sample, &fixture->stack),
	    0);
}

static inline void check_pcs(const struct fixture *fixture, enum unwind_end end,
			     const uint64_t *pcs, uint32_t nr)
{
	assert_int_equal(fixture->stack.end, end);
	assert_int_equal(fixture->stack.nr, nr);
	for (uint32_t i = 0; i < nr; i++)
		assert_int_equal(fixture->stack.frames[i].pc, pcs[i]);
}

#define check_stack(fixture, end, ...)                           \
	check_pcs(fixture, end, (const uint64_t[]){__VA_ARGS__}, \
		  sizeof((const uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t))

#endif
