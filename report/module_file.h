/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What this machine has of a module: the file itself, and its separate debug file. Either may be
 * missing. Contents are in the shape that a bundle has them.
 */
#ifndef PYREC_REPORT_MODULE_FILE_H
#define PYREC_REPORT_MODULE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "common/cleanup.h"
#include "format/bundle.h"
#include "report/debuginfod.h"
#include "report/dwarf_lines.h"

struct module_file;

/* Which file is wanted. */
struct module_file_key {
	const char *root; /* where paths begin; NULL: "/" */
	const char *path; /* "[vdso]" is this process's own, without a build id if is_same_kernel */
	bool is_same_kernel;
	const uint8_t *build_id;
	uint8_t build_id_nr;
	const struct file_identity *identity; /* counts without a build id and a root */
	struct debuginfod *debuginfod;	      /* asked if nothing here has DWARF; NULL: not */
};

/**
 * Open what there is of it. With a build id another one is refused; without, another file than that
 * of the identity (if it has an inode). Return: 0, -ENOENT (there is nothing, or something else),
 * -ENOMEM.
 */
must_check int module_file_open(const struct module_file_key *key, struct module_file **ret);
void module_file_close(struct module_file *file);

/** All of it, symbols of the debug file too; NULL without the file itself. Borrowed until close. */
const struct bundle_module *module_file_contents(struct module_file *file);
/** Function symbols of either, the rest may be missing; NULL: none. Borrowed until close. */
const struct bundle_module *module_file_symbols(struct module_file *file);
/** Its DWARF, borrowed until close. Return: 0, -ENOENT (none, or the module has no build id),
 * -ETIME, else what dwarf_lines_open() returned. */
must_check int module_file_lines(struct module_file *file, struct dwarf_lines **ret);
/** @nr bytes at @vaddr, borrowed until close; NULL when not all are there. */
const uint8_t *module_file_code(const struct module_file *file, uint64_t vaddr, size_t nr);
/** e_machine of the file, which must be there. */
uint16_t module_file_machine(const struct module_file *file);

#endif
