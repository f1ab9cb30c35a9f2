/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The distinct files that are mapped executable on this machine, each opened and looked at once,
 * and again when it was written to: build id, Python runtime. Those of recorded processes stay
 * open, so that the bundle can be made at the end even when the path is gone or belongs to another
 * mount namespace.
 */
#ifndef PYREC_RECORD_MAPPED_FILES_H
#define PYREC_RECORD_MAPPED_FILES_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "common/file_identity.h"
#include "common/proc_text.h"
#include "format/record.h"
#include "record/python_runtime.h"
#include "record/async_layout.h"

struct mapped_file {
	char *path; /* as the memory map names it */
	uint8_t build_id[20];
	uint8_t build_id_nr; /* 0: none */
	struct file_identity identity;
	struct timespec changed; /* st_ctim when it was looked at */
	bool is_readable;	 /* was opened as an ELF file */
	bool is_used;		 /* mapped by a recorded process: belongs into the bundle */
	uint8_t failures_nr;	 /* times that it could not be opened, or was found changed */
	int fd;			 /* -1 unless is_used and readable */
	struct python_runtime *runtime; /* NULL: not a Python */
	bool is_musl;			/* the C library */
	uint32_t musl_specific;		/* as musl_find() */
	struct async_layout async;	/* of asyncio's C module; zeros: not here */
	uint32_t segments_nr;
	struct elf_segment *segments; /* PT_LOAD */
};

struct mapped_files;

must_check int mapped_files_create(struct mapped_files **ret);
void mapped_files_destroy(struct mapped_files *files);

/**
 * The file behind one mapping of a process; opened through /proc/@pid (map_files, else root) when
 * not known yet. Return: 0; -ENOENT: not a file (anonymous, "[stack]"); -ENOMEM. A file
 * that cannot be opened (also one whose path another file took) is returned with is_readable
 * false and tried again when the next process maps it. Owned by @files.
 */
must_check int mapped_files_get(struct mapped_files *files, uint32_t pid,
				const struct proc_map *map, struct mapped_file **ret);
/** The same for a memory-map record of the side-band, which has no build id. */
must_check int mapped_files_get_by_record(struct mapped_files *files,
					  const struct record_mmap *mmap, struct mapped_file **ret);

/**
 * Keep it open for the bundle: from then on its inode belongs to no other file. @pid maps it at
 * @start..@end. What is known of it may have changed, when it was written to or another one has its
 * inode since it was looked at.
 */
void mapped_file_use(struct mapped_file *file, uint32_t pid, uint64_t start, uint64_t end);

/** Load bias of an executable mapping of @file: address - bias = vaddr. Return: 0 or -ENOENT. */
must_check int mapped_file_bias(const struct mapped_file *file, uint64_t start,
				uint64_t file_offset, uint64_t *ret);

/** Call @visit for each file until it returns non-zero; that is returned. */
int mapped_files_visit(struct mapped_files *files,
		       int (*visit)(void *context, struct mapped_file *file), void *context);

#endif
