/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The bundle at the tail of a recording: for each mapped file what report needs instead of the
 * file: load segments, unwind tables, function symbols; the vdso; the kernel symbols that
 * were hit. Each module is its own zstd frame, so a reader unpacks only what it uses.
 */
#ifndef PYREC_FORMAT_BUNDLE_H
#define PYREC_FORMAT_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/strbuf.h"
#include "common/file_identity.h"

struct bundle_segment { /* PT_LOAD */
	uint64_t file_offset;
	uint64_t file_bytes;
	uint64_t vaddr;
	uint64_t memory_bytes;
	uint32_t flags; /* PF_* */
};

struct bundle_section { /* bytes as the file has them */
	uint64_t vaddr;
	uint64_t file_offset;
	const uint8_t *bytes; /* NULL: the module has none */
	uint64_t nr;
};

enum bundle_symbol_bind { BUNDLE_SYMBOL_LOCAL, BUNDLE_SYMBOL_GLOBAL, BUNDLE_SYMBOL_WEAK };

struct bundle_symbol { /* STT_FUNC or STT_GNU_IFUNC, sorted by (vaddr, index) */
	uint64_t vaddr;
	uint64_t bytes; /* st_size; 0: unknown */
	uint32_t name;	/* offset in names */
	uint8_t bind;	/* enum bundle_symbol_bind */
};

struct bundle_module {
	uint8_t build_id[20];
	uint8_t build_id_nr; /* 0: none, then match by path and identity */
	struct file_identity identity;
	const char *path;	 /* as the memory map names it; "[vdso]" */
	bool is_executable_type; /* ET_EXEC: addresses are not relocated */
	const struct bundle_segment *segments;
	uint32_t segments_nr;
	struct bundle_section eh_frame;
	struct bundle_section eh_frame_hdr;
	const struct bundle_symbol *symbols;
	uint32_t symbols_nr;
	const char *names; /* NUL separated and terminated */
	uint32_t names_nr;
};

struct bundle_kernel_symbol {
	uint64_t address;
	const char *name;
	const char *module; /* "" for the kernel itself */
};

/* -- writing: begin (with an empty @out), add …, end; the bytes go to perf_writer_finish().
 *    Return: 0, -EINVAL (unsorted symbols, a name outside names, so large or so repetitive that
 *    a reader would not unpack it), -EIO, -ENOMEM; @out is then as
 *    before unless memory is out. -- */
must_check int bundle_begin(struct strbuf *out);
must_check int bundle_add_module(struct strbuf *out, const struct bundle_module *module);
/** Sorted by address; only those hit, each with where its next neighbour begins. */
must_check int bundle_add_kernel_symbols(struct strbuf *out,
					 const struct bundle_kernel_symbol *symbols,
					 const uint64_t *ends, uint32_t nr);
must_check int bundle_end(struct strbuf *out);

/* -- reading -- */
struct bundle;

/** @bytes stay borrowed. Return: 0, -EBADMSG, -ENOMEM. */
must_check int bundle_open(const uint8_t *bytes, uint64_t nr, struct bundle **ret);
void bundle_close(struct bundle *bundle);

/** What a module's entry says without unpacking it. */
struct bundle_entry {
	uint8_t build_id[20];
	uint8_t build_id_nr;
	const char *path;
	struct file_identity identity; /* inode 0: the file tells none */
	uint64_t packed_bytes;
};

uint32_t bundle_modules_nr(const struct bundle *bundle);
struct bundle_entry bundle_module_entry(const struct bundle *bundle, uint32_t index);
/** By build id when @build_id_nr, else by path. Return: index or -ENOENT. */
int64_t bundle_find(const struct bundle *bundle, const uint8_t *build_id, uint8_t build_id_nr,
		    const char *path);
/** One without a build id, or "[vdso]", by path and, where both are known, identity. Return: the
 *  same. */
int64_t bundle_find_file(const struct bundle *bundle, const char *path,
			 const struct file_identity *identity);
/** Unpack one; owned by @bundle until bundle_close(). Return: 0, -EBADMSG, -ENOMEM. */
must_check int bundle_load(struct bundle *bundle, uint32_t index, const struct bundle_module **ret);

uint32_t bundle_kernel_symbols_nr(const struct bundle *bundle);
/** Name of the kernel function around @address. Return: 0 or -ENOENT. */
must_check int bundle_kernel_symbol(const struct bundle *bundle, uint64_t address,
				    struct bundle_kernel_symbol *ret);

#endif
