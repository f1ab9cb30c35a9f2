/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/module.h"

#include <elf.h>
#include <errno.h>
#include <string.h>
#include <sys/utsname.h>

#include "common/escape.h"
#include "common/hash.h"
#include "common/log.h"
#include "common/strbuf.h"
#include "report/cfi_table.h"
#include "report/module_file.h"
#include "report/symbol_table.h"

enum { FILE_PAGE_BYTES = 4096 };

struct module {
	struct modules *modules;
	char *path;
	uint8_t build_id[20];
	uint8_t build_id_nr;
	struct file_identity identity; /* counts where it has no build id */

	/* Each is NULL when there is none. */
	bool is_loaded;
	bool is_file_opened;
	bool is_cfi_loaded;
	bool is_symbols_loaded;
	bool is_more_symbols_loaded;
	bool is_late; /* its debug information took too long */
	const struct bundle_module *contents;
	bool is_bundled; /* contents are from the bundle */
	struct module_file *file;
	struct cfi_table *cfi;
	struct symbol_table *symbols;
	struct symbol_table *more_symbols; /* of this machine, if the bundle's do not suffice */

	UT_hash_handle hh;
	uint32_t key_nr;
	char key[]; /* build id length, build id or identity, path */
};

struct modules {
	struct bundle *bundle;
	bool use_local_files;
	bool is_same_kernel;
	char *symfs;
	struct debuginfod *debuginfod; /* NULL: not to be asked */
	struct module *by_key;
};

static void module_destroy(struct module *module)
{
	cfi_table_destroy(module->cfi);
	symbol_table_destroy(module->symbols);
	symbol_table_destroy(module->more_symbols);
	module_file_close(module->file);
	free(module->path);
	free(module);
}

void modules_destroy(struct modules *modules)
{
	struct module *module;
	struct module *next;

	if (!modules)
		return;
	HASH_ITER (hh, modules->by_key, module, next) {
		HASH_DEL(modules->by_key, module);
		module_destroy(module);
	}
	debuginfod_destroy(modules->debuginfod);
	free(modules->symfs);
	free(modules);
}

int modules_create(const struct modules_options *options, struct modules **ret)
{
	struct modules *modules = calloc(1, sizeof(*modules));
	struct utsname here;
	int error = 0;

	if (!modules)
		return -ENOMEM;
	modules->bundle = options->bundle;
	modules->use_local_files = options->use_local_files;
	modules->is_same_kernel = options->os_release && uname(&here) == 0 &&
				  strcmp(here.release, options->os_release) == 0;
	if (options->symfs) {
		modules->symfs = strdup(options->symfs);
		error = modules->symfs ? 0 : -ENOMEM;
	}
	if (!error && options->use_debuginfod)
		error = debuginfod_create(&modules->debuginfod);
	if (error) {
		modules_destroy(modules);
		return error;
	}
	*ret = modules;
	return 0;
}

static struct module *module_create(struct modules *modules, const struct module *like,
				    const struct strbuf *key)
{
	struct module *module = calloc(1, sizeof(*module) + key->nr);

	if (!module)
		return NULL;
	*module = *like;
	module->modules = modules;
	module->path = strdup(like->path);
	if (!module->path) {
		free(module);
		return NULL;
	}
	module->key_nr = (uint32_t)key->nr;
	memcpy(module->key, key->bytes, key->nr);
	return module;
}

static struct module *modules_find_or_add(struct modules *modules, const struct module *like)
{
	auto_strbuf struct strbuf key = {0};
	struct module *module;

	strbuf_append_u8(&key, like->build_id_nr);
	strbuf_append(&key, like->build_id, like->build_id_nr);
	if (!like->build_id_nr)
		strbuf_append(&key, &like->identity, sizeof(like->identity));
	strbuf_append_text(&key, like->path);
	if (key.error)
		return NULL;
	HASH_FIND(hh, modules->by_key, key.bytes, (unsigned int)key.nr, module);
	if (module)
		return module;
	module = module_create(modules, like, &key);
	if (!module)
		return NULL;
	HASH_ADD(hh, modules->by_key, key, module->key_nr, module);
	if (!module->hh.tbl) {
		module_destroy(module);
		return NULL;
	}
	return module;
}

struct module *modules_get(struct modules *modules, const uint8_t *build_id, uint8_t build_id_nr,
			   const char *path)
{
	struct module like = {.path = (char *)path, .build_id_nr = build_id_nr};

	if (like.build_id_nr > sizeof(like.build_id))
		like.build_id_nr = sizeof(like.build_id);
	if (like.build_id_nr)
		memcpy(like.build_id, build_id, like.build_id_nr);
	return modules_find_or_add(modules, &like);
}

struct module *modules_get_file(struct modules *modules, const char *path,
				const struct file_identity *identity)
{
	const struct module like = {.path = (char *)path, .identity = *identity};

	return modules_find_or_add(modules, &like);
}

const char *module_path(const struct module *module)
{
	return module->path;
}

const uint8_t *module_build_id(const struct module *module, uint8_t *nr)
{
	*nr = module->build_id_nr;
	return module->build_id;
}

/* -- contents -- */

static const struct bundle_module *find_in_bundle(const struct module *module)
{
	struct bundle *bundle = module->modules->bundle;
	const struct bundle_module *contents;
	int64_t index;

	if (!bundle)
		return NULL;
	index = module->build_id_nr
		    ? bundle_find(bundle, module->build_id, module->build_id_nr, module->path)
		    : bundle_find_file(bundle, module->path, &module->identity);
	if (index < 0 || bundle_load(bundle, (uint32_t)index, &contents))
		return NULL;
	return contents;
}

static struct module_file *module_file(struct module *module)
{
	const struct modules *modules = module->modules;
	const struct module_file_key key = {.root = modules->symfs,
					    .path = module->path,
					    .build_id = module->build_id,
					    .build_id_nr = module->build_id_nr,
					    .identity = &module->identity,
					    .is_same_kernel = modules->is_same_kernel,
					    .debuginfod = modules->debuginfod};

	if (module->is_file_opened)
		return module->file;
	module->is_file_opened = true;
	if (!modules->use_local_files || module_file_open(&key, &module->file))
		module->file = NULL;
	return module->file;
}

const struct bundle_module *module_contents(struct module *module)
{
	if (module->is_loaded)
		return module->contents;
	module->is_loaded = true;
	module->contents = find_in_bundle(module);
	module->is_bundled = module->contents != NULL;
	if (!module->contents && module_file(module))
		module->contents = module_file_contents(module->file);
	return module->contents;
}

const uint8_t *module_code(struct module *module, uint64_t vaddr, size_t nr)
{
	if (!module_contents(module) || module->is_bundled)
		return NULL;
	return module_file_code(module->file, vaddr, nr);
}

const uint8_t *module_local_code(struct module *module, uint64_t vaddr, size_t nr,
				 uint16_t *machine)
{
	const struct module_file *file = module_file(module);
	const uint8_t *code = file ? module_file_code(file, vaddr, nr) : NULL;

	if (code)
		*machine = module_file_machine(file);
	return code;
}

static bool segment_has(const struct bundle_segment *segment, uint64_t file_offset, uint64_t slack)
{
	uint64_t start = segment->file_offset & ~slack;
	uint64_t bytes = segment->file_bytes + (segment->file_offset - start);

	return file_offset >= start && file_offset - start < ((bytes + slack) & ~slack);
}

/*
 * The segment whose mapping shows byte @file_offset. Whole pages are mapped, so a page that two
 * segments share is in two mappings: code is what is asked for, then what is nearest.
 */
static const struct bundle_segment *find_segment(const struct bundle_module *contents,
						 uint64_t file_offset)
{
	for (unsigned int pass = 0; pass < 4; pass++) {
		bool wants_code = pass % 2 == 0;
		uint64_t slack = pass < 2 ? 0 : FILE_PAGE_BYTES - 1;

		for (uint32_t i = 0; i < contents->segments_nr; i++) {
			const struct bundle_segment *segment = &contents->segments[i];

			if (wants_code == !!(segment->flags & PF_X) &&
			    segment_has(segment, file_offset, slack))
				return segment;
		}
	}
	return NULL;
}

int module_vaddr(struct module *module, uint64_t file_offset, uint64_t *ret)
{
	const struct bundle_module *contents = module_contents(module);
	const struct bundle_segment *segment = contents ? find_segment(contents, file_offset)
							: NULL;

	if (!segment)
		return -ENOENT;
	*ret = segment->vaddr + (file_offset - segment->file_offset);
	return 0;
}

/* What was stripped of the recorded file may be at hand here. */
static int module_more_symbol(struct module *module, uint64_t vaddr, struct symbol *ret)
{
	const struct bundle_module *contents;

	if (!module->is_more_symbols_loaded) {
		module->is_more_symbols_loaded = true;
		contents = module->is_bundled && module_file(module)
			       ? module_file_symbols(module->file)
			       : NULL;
		if (contents && symbol_table_create(contents, &module->more_symbols))
			return -ENOMEM;
	}
	return module->more_symbols ? symbol_table_find(module->more_symbols, vaddr, ret) : -ENOENT;
}

int module_symbol(struct module *module, uint64_t vaddr, struct symbol *ret)
{
	int error = -ENOENT;

	if (!module->is_symbols_loaded) {
		const struct bundle_module *contents = module_contents(module);
		/* Whoever names a frame has mostly unwound it. */
		const struct cfi_frames *frames = module->cfi ? cfi_table_frames(module->cfi)
							      : NULL;

		module->is_symbols_loaded = true;
		if (contents && symbol_table_create_with(contents, frames, &module->symbols))
			return -ENOMEM;
	}
	if (module->symbols)
		error = symbol_table_find(module->symbols, vaddr, ret);
	return error == -ENOENT ? module_more_symbol(module, vaddr, ret) : error;
}

int module_source_lines(struct module *module, uint64_t vaddr, bool with_files,
			const struct source_frame **ret)
{
	auto_strbuf struct strbuf path = {0};
	struct dwarf_lines *lines;
	int nr;

	if (module->is_late || !module_file(module))
		return 0;
	nr = module_file_lines(module->file, &lines);
	if (nr == 0)
		nr = dwarf_lines_find(lines, vaddr, with_files, ret);
	if (nr != -ETIME)
		return nr < 0 && nr != -ENOMEM ? 0 : nr;
	module->is_late = true;
	escape_append(&path, module->path, strlen(module->path));
	log_warn("%s: its debug information takes too long to read: inlined functions and lines "
		 "are missing",
		 strbuf_text(&path));
	return 0;
}

bool module_has_symbol(struct module *module, const char *name)
{
	const struct bundle_module *contents = module_contents(module);

	for (uint32_t i = 0; contents && i < contents->symbols_nr; i++) {
		const uint32_t at = contents->symbols[i].name;

		if (at < contents->names_nr && strcmp(contents->names + at, name) == 0)
			return true;
	}
	return false;
}

const struct cfi_table *module_cfi(struct module *module)
{
	if (!module->is_cfi_loaded) {
		const struct bundle_module *contents = module_contents(module);

		module->is_cfi_loaded = true;
		if (contents && cfi_table_create(contents, &module->cfi))
			module->cfi = NULL;
	}
	return module->cfi;
}
