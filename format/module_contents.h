/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a bundle keeps of an ELF file, taken from the file itself: by the recorder for the bundle,
 * by report for a file that no bundle has. Functions are named by .symtab and .dynsym, by those
 * packed into .gnu_debugdata, by its separate debug file where this machine has it, and by the
 * relocations of the PLT ("free@plt", as perf names them).
 */
#ifndef PYREC_FORMAT_MODULE_CONTENTS_H
#define PYREC_FORMAT_MODULE_CONTENTS_H

#include "common/elf_file.h"
#include "format/bundle.h"

struct module_contents;

/**
 * Read @elf, which must outlive @ret: sections are borrowed from it. @path is borrowed too. @debug:
 * its separate debug file, of which nothing is borrowed; NULL: none.
 * Return: 0 or -ENOMEM. A damaged part is left out.
 */
must_check int module_contents_read(const struct elf_file *elf, const struct elf_file *debug,
				    const char *path, struct module_contents **ret);
void module_contents_destroy(struct module_contents *contents);

/** Ready for bundle_add_module(): symbols are sorted. Borrowed. */
const struct bundle_module *module_contents_get(const struct module_contents *contents);

/** This process's own vdso; the kernel maps the same one into every 64-bit process.
 *  Return: 0, -ENOENT, -ENOEXEC, -ENOMEM. */
must_check int vdso_open(struct elf_file **ret);

#endif
