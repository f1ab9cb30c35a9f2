/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Hand-made .eh_frame sections, byte by byte as the Linux Standard Base 5.0 lays them out. */
#ifndef PYREC_TESTS_UNIT_CFI_BYTES_H
#define PYREC_TESTS_UNIT_CFI_BYTES_H

#include <dwarf.h>
#include <string.h>

#include "common/strbuf.h"
#include "format/bundle.h"

#define PROGRAM(...) ((const uint8_t[]){__VA_ARGS__}), sizeof((const uint8_t[]){__VA_ARGS__})

#define CFI_BYTES_VADDR UINT64_C(0x100000) /* of the section */

/* What every x86-64 compiler begins with: CFA = rsp + 8, return address at CFA - 8. */
#define ABI_PROGRAM PROGRAM(DW_CFA_def_cfa, 7, 8, DW_CFA_offset | 16, 1)

/* How __restore_rt of glibc 2.36 is described: everything in the kernel's struct ucontext. */
#define AT_RSP(number, low, high) DW_CFA_expression, number, 3, DW_OP_breg7, low, high
#define SIGNAL_PROGRAM                                                                  \
	PROGRAM(DW_CFA_def_cfa_expression, 4, DW_OP_breg7, 0xa0, 0x01, DW_OP_deref,     \
		AT_RSP(12, 0xc8, 0x00), AT_RSP(13, 0xd0, 0x00), AT_RSP(14, 0xd8, 0x00), \
		AT_RSP(15, 0xe0, 0x00), AT_RSP(6, 0xf8, 0x00), AT_RSP(3, 0x80, 0x01),   \
		AT_RSP(7, 0xa0, 0x01), AT_RSP(16, 0xa8, 0x01))

/* The lazy PLT of binutils: 11 bytes of expression; @literal is DW_OP_lit11 there. */
#define PLT_PROGRAM(literal)                                                                 \
	PROGRAM(DW_CFA_def_cfa_expression, 11, DW_OP_breg7, 8, DW_OP_breg16, 0, DW_OP_lit15, \
		DW_OP_and, literal, DW_OP_ge, DW_OP_lit3, DW_OP_shl, DW_OP_plus)

static inline uint32_t cfi_bytes_end(struct strbuf *out, size_t start)
{
	uint32_t nr;

	strbuf_align(out, 8);
	nr = (uint32_t)(out->nr - start - 4);
	memcpy(out->bytes + start, &nr, sizeof(nr));
	return (uint32_t)start;
}

/* @augmentation: "zR" or "zRS". Return: offset, for its FDEs. */
static inline uint32_t cfi_bytes_cie(struct strbuf *out, const char *augmentation,
				     const uint8_t *program, size_t nr)
{
	size_t start = out->nr;

	strbuf_append_u32(out, 0);
	strbuf_append_u32(out, 0); /* a CIE */
	strbuf_append_u8(out, 1);  /* version */
	strbuf_append(out, augmentation, strlen(augmentation) + 1);
	strbuf_append_u8(out, 1);    /* code alignment */
	strbuf_append_u8(out, 0x78); /* data alignment: -8 */
	strbuf_append_u8(out, 16);   /* return address */
	strbuf_append_u8(out, 1);
	strbuf_append_u8(out, DW_EH_PE_pcrel | DW_EH_PE_sdata8);
	strbuf_append(out, program, nr);
	return cfi_bytes_end(out, start);
}

static inline uint32_t cfi_bytes_fde(struct strbuf *out, uint32_t cie, uint64_t vaddr,
				     uint64_t bytes, const uint8_t *program, size_t nr)
{
	size_t start = out->nr;

	strbuf_append_u32(out, 0);
	strbuf_append_u32(out, (uint32_t)(start + 4 - cie));
	strbuf_append_u64(out, vaddr - CFI_BYTES_VADDR - out->nr);
	strbuf_append_u64(out, bytes);
	strbuf_append_u8(out, 0); /* no augmentation data */
	strbuf_append(out, program, nr);
	return cfi_bytes_end(out, start);
}

static inline struct bundle_module cfi_bytes_module(const struct strbuf *out)
{
	return (struct bundle_module){
	    .path = "/test",
	    .eh_frame = {.vaddr = CFI_BYTES_VADDR,
			 .bytes = (const uint8_t *)out->bytes,
			 .nr = out->nr},
	};
}

#endif
