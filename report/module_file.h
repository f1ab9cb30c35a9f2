/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A module's contents from an ELF file on this machine, in the shape that a bundle has them.
 */
#ifndef PYREC_REPORT_MODULE_FILE_H
#define PYREC_REPORT_MODULE_FILE_H

#include <stddef.h>
#include <stdint.h>

#include "common/cleanup.h"
#include "format/bundle.h"

struct module_file;

/**
 * Open @path below @root (NULL: "/"). "[vdso]" is this process's own. With @build_id_nr another
 * build id is refused; without one, and without @root, another file than that of @identity (if it
 * has an inode).
 * Return: 0, -ENOENT (no file, another one), -ENOEXEC (no ELF file for x86-64), -EBADMSG,
 * -ENOMEM, -errno.
 */
must_check int module_file_open(const char *root, const char *path, const uint8_t *build_id,
				uint8_t build_id_nr, const struct file_identity *identity,
				struct module_file **ret);
void module_file_close(struct module_file *file);

/** Borrowed until close. */
const struct bundle_module *module_file_contents(const struct module_file *file);
/** @nr bytes at @vaddr, borrowed until close; NULL when not all are there. */
const uint8_t *module_file_code(const struct module_file *file, uint64_t vaddr, size_t nr);

#endif
