/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Source lines and inlined functions of one file with DWARF (versions 2 to 5; the parts that dwz
 * moved to another file included, split units not). libdw reads it, which is not made for files of
 * bad intent: only a file of this machine that the caller knows to belong to the recorded module
 * comes here, never what a recording brings. The time that one file may take is bounded.
 */
#ifndef PYREC_REPORT_DWARF_LINES_H
#define PYREC_REPORT_DWARF_LINES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/cleanup.h"

struct dwarf_lines;

enum { SOURCE_FRAMES_NR_MAX = 100 }; /* at one address; of more nothing is told */

/* A function that runs at an address: the one whose code it is, or one inlined there. */
struct source_frame {
	const char *function; /* as linkers spell it (mangled), else as the source does; NULL */
	const char *file;     /* with its folder as far as that is told; NULL: not known */
	uint32_t line;	      /* from 1; 0: not known */
};

/**
 * Open the file of @fd, which stays the caller's. @alt_fd: the file that dwz moved common parts to,
 * or -1. Return: 0, -ENOENT (it has no DWARF), -ENOEXEC, -ENOMEM, -errno.
 */
must_check int dwarf_lines_open(int fd, int alt_fd, struct dwarf_lines **ret);
void dwarf_lines_close(struct dwarf_lines *lines);

/**
 * What runs at @vaddr, innermost first: the functions inlined there, last the one whose code it is.
 * Files and lines are looked up only if @with_files; those of all but the innermost are where
 * the next inner one was called. @ret is borrowed until the next call, its texts until close.
 * Return: their number; 0: nothing is known; -ETIME: the file took too long, now or before;
 * -ENOMEM.
 */
must_check int dwarf_lines_find(struct dwarf_lines *lines, uint64_t vaddr, bool with_files,
				const struct source_frame **ret);

#endif
