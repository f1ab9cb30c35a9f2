/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The CIEs and FDEs of one .eh_frame section, found in one pass over untrusted bytes.
 * Layout source: Linux Standard Base 5.0, Core, 10.6 (.eh_frame) and DWARF 5, 6.4. What the
 * instructions mean is cfi_program.h's.
 */
#ifndef PYREC_REPORT_CFI_FRAMES_H
#define PYREC_REPORT_CFI_FRAMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "common/cleanup.h"
#include "format/bundle.h"

struct cfi_span { /* bytes within the section */
	uint32_t offset;
	uint32_t nr;
};

struct cfi_cie {
	uint32_t offset; /* of its length field */
	uint64_t code_alignment;
	int64_t data_alignment;
	struct cfi_span instructions;
	uint8_t pointer_encoding; /* DW_EH_PE_* of its FDEs' addresses */
	bool has_augmentation_data;
	bool is_signal; /* augmentation "S" */
	bool is_damaged;
};

/* What is kept of each FDE; the rest is read again when it is asked for. */
struct cfi_entry {
	uint64_t start;	 /* vaddr in the file */
	uint32_t offset; /* of its length field */
	uint32_t cie;	 /* index */
};

struct cfi_fde {
	uint64_t start;
	uint64_t end;
	uint32_t offset;
	uint32_t cie;
	struct cfi_span instructions;
};

struct cfi_frames {
	const uint8_t *section; /* borrowed from the module */
	uint32_t section_nr;
	uint64_t section_vaddr;
	struct cfi_cie *cies; /* by offset */
	size_t cies_nr;
	size_t cies_capacity;
	struct cfi_entry *fdes; /* by (start, offset) */
	size_t fdes_nr;
	size_t fdes_capacity; /* while they are scanned */
	uint32_t damaged_nr;  /* entries that were left out */
};

/**
 * Find the entries of @module's .eh_frame. FDEs outside the executable segments are damaged (a
 * module without segments has no such bound).
 * Return: 0, -ENOENT (no .eh_frame, or one of 4 GiB and more), -ENOMEM.
 */
must_check int cfi_frames_scan(const struct bundle_module *module, struct cfi_frames *ret);
void cfi_frames_deinit(struct cfi_frames *frames);

/** FDE number @index. Return: 0, or -EBADMSG when the section is not what was scanned. */
must_check int cfi_frames_fde(const struct cfi_frames *frames, size_t index, struct cfi_fde *ret);
/** The FDE around @vaddr; of several the one that starts last. Return: 0 or -ENOENT. */
must_check int cfi_frames_find(const struct cfi_frames *frames, uint64_t vaddr,
			       struct cfi_fde *ret);
/** Start of the first FDE above @vaddr, UINT64_MAX when there is none. */
uint64_t cfi_frames_next_start(const struct cfi_frames *frames, uint64_t vaddr);

/** Cursor on @span of the section. */
struct bytes_cursor cfi_frames_cursor(const struct cfi_frames *frames, struct cfi_span span);
/**
 * A pointer encoded as @encoding (DW_EH_PE_*) at @at of the section; absolute and pc-relative ones.
 * Return: 0, or -EBADMSG with what else there is.
 */
must_check int cfi_frames_pointer(const struct cfi_frames *frames, struct bytes_cursor *at,
				  uint8_t encoding, uint64_t *ret);

#endif
