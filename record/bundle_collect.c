/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "record/bundle_collect.h"

#include <errno.h>

#include "common/debug_file.h"
#include "common/elf_file.h"
#include "common/intern.h"
#include "format/bundle.h"
#include "format/module_contents.h"
#include "record/kernel_symbols.h"

struct collection {
	struct strbuf *out;
	struct bundle_summary *summary;
	struct intern build_ids; /* of those that are in it */
};

/* By build id alone: paths are those of the process, which may have another root. */
static int debug_open(const struct elf_file *elf, struct elf_file **ret)
{
	uint8_t build_id[20];
	const struct debug_file_of of = {.build_id = build_id,
					 .build_id_nr = elf_file_build_id(elf, build_id)};
	const int error = debug_file_open(&of, ret);

	if (error)
		*ret = NULL;
	return error == -ENOMEM ? error : 0;
}

static int module_add(struct collection *collection, const struct elf_file *elf, const char *path,
		      const struct file_identity *identity)
{
	struct module_contents *contents;
	struct bundle_module module;
	struct elf_file *debug;
	int error = debug_open(elf, &debug);

	if (error)
		return error;
	error = module_contents_read(elf, debug, path, &contents);
	elf_file_close(debug);
	if (error)
		return error;
	module = *module_contents_get(contents);
	module.identity = *identity;
	error = bundle_add_module(collection->out, &module);
	module_contents_destroy(contents);
	collection->summary->modules_nr += !error;
	return error;
}

static int file_add(void *context, struct mapped_file *file)
{
	struct collection *collection = context;
	struct elf_file *elf;
	uint32_t id;
	int error;

	if (!file->is_used)
		return 0;
	if (file->build_id_nr &&
	    intern_find(&collection->build_ids, file->build_id, file->build_id_nr, &id))
		return 0; /* the same file in another container */
	error = file->fd >= 0 ? elf_file_open(file->fd, &elf) : -ENOENT;
	if (error) {
		collection->summary->unreadable_nr++;
		return error == -ENOMEM ? error : 0;
	}
	error = module_add(collection, elf, file->path, &file->identity);
	elf_file_close(elf);
	if (!error && file->build_id_nr)
		error = intern_bytes(&collection->build_ids, file->build_id, file->build_id_nr,
				     &id);
	if (error == -EINVAL) { /* a crafted file costs its own symbols, nobody else's */
		collection->summary->unreadable_nr++;
		return 0;
	}
	return error;
}

static int vdso_add(struct collection *collection)
{
	struct elf_file *elf;
	int error = vdso_open(&elf);

	if (error)
		return error == -ENOMEM ? error : 0;
	error = module_add(collection, elf, "[vdso]", &(struct file_identity){0});
	elf_file_close(elf);
	return error;
}

int bundle_collect(struct mapped_files *files, const struct address_set *kernel_hits,
		   struct strbuf *out, struct bundle_summary *ret)
{
	struct collection collection = {.out = out, .summary = ret};
	int error = bundle_begin(out);

	*ret = (struct bundle_summary){0};
	if (!error)
		error = mapped_files_visit(files, file_add, &collection);
	intern_deinit(&collection.build_ids);
	if (!error)
		error = vdso_add(&collection);
	if (!error)
		error = kernel_symbols_bundle(kernel_hits, out, &ret->kernel_symbols_nr);
	return error ? error : bundle_end(out);
}
