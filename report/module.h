/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Mapped files by build id: where their unwind tables and symbols come from (the recording's
 * bundle, else a file on this machine whose build id is the same; names also from its debug
 * file) and what an address in them is called. One struct module for each distinct file in a
 * session, loaded at first use.
 */
#ifndef PYREC_REPORT_MODULE_H
#define PYREC_REPORT_MODULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cleanup.h"
#include "format/bundle.h"
#include "report/dwarf_lines.h"

struct modules;
struct module;

struct modules_options {
	struct bundle *bundle;	/* NULL: none; borrowed */
	bool use_local_files;	/* look at the mapped path on this machine, build id checked */
	const char *symfs;	/* root for local files; NULL: "/" */
	bool use_debuginfod;	/* with local files only */
	const char *os_release; /* of the recording's kernel; NULL: not known */
};

must_check int modules_create(const struct modules_options *options, struct modules **ret);
void modules_destroy(struct modules *modules);

/**
 * The module of a mapped file. Never fails for want of the file: it may be a module without
 * tables. Owned by @modules. Return: NULL only when memory is out.
 */
struct module *modules_get(struct modules *modules, const uint8_t *build_id, uint8_t build_id_nr,
			   const char *path);

/** The same for a file without a build id: another one that had or has its path is another module.
 */
struct module *modules_get_file(struct modules *modules, const char *path,
				const struct file_identity *identity);

const char *module_path(const struct module *module); /* "/usr/lib/…/libc.so.6", "[vdso]" */
const uint8_t *module_build_id(const struct module *module, uint8_t *nr);
/** Address inside the file of byte @file_offset: p_vaddr + (offset - p_offset); load bias aside. */
must_check int module_vaddr(struct module *module, uint64_t file_offset, uint64_t *ret);

struct symbol {
	const char *name; /* as the file spells it (mangled); owned by the module */
	uint64_t vaddr;
	uint64_t bytes;
};

/** The function around @vaddr; of several that begin there: sized, GLOBAL before LOCAL before WEAK,
 * no dot suffix, larger, fewer leading underscores, longer. Never the nearest preceding one: one
 *  without a size ends with its FDE. Return: 0, -ENOENT, -ENOMEM. */
must_check int module_symbol(struct module *module, uint64_t vaddr, struct symbol *ret);

/**
 * What runs at @vaddr, innermost first, from DWARF on this machine (dwarf_lines.h): functions
 * inlined there, last the one whose code it is. @ret is borrowed until the next call for this
 * module, its texts until modules_destroy(). Return: their number; 0: nothing is known; -ENOMEM.
 */
must_check int module_source_lines(struct module *module, uint64_t vaddr, bool with_files,
				   const struct source_frame **ret);

/** Has it a symbol of that name? Looks at all of them. */
bool module_has_symbol(struct module *module, const char *name);

struct cfi_table;
/** Its compiled unwind table, or NULL when it has no .eh_frame. Owned by the module. */
const struct cfi_table *module_cfi(struct module *module);

/** @nr bytes of its code; NULL when its contents came from a bundle, which has no code. */
const uint8_t *module_code(struct module *module, uint64_t vaddr, size_t nr);

/**
 * The same from its file on this machine, wherever its contents came from; NULL without one.
 * @machine: e_machine of it.
 */
const uint8_t *module_local_code(struct module *module, uint64_t vaddr, size_t nr,
				 uint16_t *machine);

/** Its sections as the bundle or the local file has them; NULL when neither does. */
const struct bundle_module *module_contents(struct module *module);

#endif
