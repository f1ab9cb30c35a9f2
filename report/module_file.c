/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/module_file.h"

#include <elf.h>
#include <errno.h>
#include <string.h>

#include "common/debug_file.h"
#include "common/elf_file.h"
#include "format/module_contents.h"

struct module_file {
	struct elf_file *elf;	/* NULL: not here */
	struct elf_file *debug; /* its separate debug file; NULL: not here */
	bool has_build_id;
	bool is_read;
	struct module_contents *contents;
	bool is_lines_opened;
	int lines_error;
	struct dwarf_lines *lines;
	char *root;
	char *path;
};

static int open_elf(const struct module_file_key *key, struct elf_file **ret)
{
	auto_close_fd int fd = -1;
	int error;

	if (strcmp(key->path, "[vdso]") == 0)
		return key->root || !(key->build_id_nr || key->is_same_kernel) ? -ENOENT
									       : vdso_open(ret);
	if (key->path[0] != '/')
		return -ENOENT;
	error = regular_file_open(key->root, key->path, &fd);
	if (!error && !key->build_id_nr && !key->root && key->identity->inode &&
	    !file_has_identity(fd, key->identity))
		return -ENOENT;
	return error ? error : elf_file_open(fd, ret);
}

static bool has_wanted_identity(const struct elf_file *elf, const struct module_file_key *key)
{
	uint8_t found_id[20];

	if (elf_file_machine(elf) != EM_X86_64)
		return false;
	return !key->build_id_nr || (elf_file_build_id(elf, found_id) == key->build_id_nr &&
				     memcmp(found_id, key->build_id, key->build_id_nr) == 0);
}

static int file_try_elf(struct module_file *file, const struct module_file_key *key)
{
	const int error = open_elf(key, &file->elf);

	if (!error && !has_wanted_identity(file->elf, key)) {
		elf_file_close(file->elf);
		file->elf = NULL;
	}
	return error == -ENOMEM ? error : 0;
}

/* Debug packages of Fedora have a link to the file itself beside the one to its debug file. */
static int file_find_elf(struct module_file *file, const struct module_file_key *key)
{
	struct module_file_key beside = *key;
	auto_strbuf struct strbuf path = {0};
	int error = file_try_elf(file, key);

	if (error || file->elf || key->build_id_nr < 2)
		return error;
	strbuf_append_format(&path, "/usr/lib/debug/.build-id/%02x/", key->build_id[0]);
	for (uint8_t i = 1; i < key->build_id_nr; i++)
		strbuf_append_format(&path, "%02x", key->build_id[i]);
	if (path.error)
		return path.error;
	beside.path = strbuf_text(&path);
	return file_try_elf(file, &beside);
}

static bool has_dwarf(const struct elf_file *elf)
{
	return elf && elf_file_fd(elf) >= 0 &&
	       (elf_file_has_section(elf, ".debug_info") ||
		elf_file_has_section(elf, ".zdebug_info"));
}

static int file_fetch_debug(struct module_file *file, const struct module_file_key *key,
			    const struct debug_file_of *of)
{
	auto_close_fd int fd = -1;
	uint8_t found_id[20];
	int error;

	if (debuginfod_fetch(key->debuginfod, of->build_id, of->build_id_nr, key->path, &fd))
		return 0;
	error = elf_file_open(fd, &file->debug);
	if (error) {
		file->debug = NULL;
		return error == -ENOMEM ? error : 0;
	}
	if (elf_file_build_id(file->debug, found_id) != of->build_id_nr ||
	    memcmp(found_id, of->build_id, of->build_id_nr) != 0) {
		elf_file_close(file->debug);
		file->debug = NULL;
	}
	return 0;
}

static int file_find_debug(struct module_file *file, const struct module_file_key *key)
{
	uint8_t own_id[20];
	struct debug_file_of of = {.root = key->root,
				   .path = key->path,
				   .build_id = key->build_id,
				   .build_id_nr = key->build_id_nr,
				   .elf = file->elf};
	int error;

	/* perf's recordings tell no build id of most files, only which file it was. */
	if (!of.build_id_nr && file->elf) {
		of.build_id = own_id;
		of.build_id_nr = elf_file_build_id(file->elf, own_id);
	}
	file->has_build_id = of.build_id_nr != 0;
	error = debug_file_open(&of, &file->debug);
	if (error == -ENOENT && key->debuginfod && of.build_id_nr && key->path[0] == '/' &&
	    !has_dwarf(file->elf))
		return file_fetch_debug(file, key, &of);
	return error == -ENOMEM ? error : 0;
}

static int file_find(struct module_file *file, const struct module_file_key *key)
{
	int error = file_find_elf(file, key);

	if (!error)
		error = file_find_debug(file, key);
	if (!error && !file->elf && !file->debug)
		error = -ENOENT;
	if (error)
		return error;
	file->path = strdup(key->path);
	file->root = key->root ? strdup(key->root) : NULL;
	return file->path && (file->root || !key->root) ? 0 : -ENOMEM;
}

int module_file_open(const struct module_file_key *key, struct module_file **ret)
{
	struct module_file *file = calloc(1, sizeof(*file));
	int error;

	if (!file)
		return -ENOMEM;
	error = file_find(file, key);
	if (error) {
		module_file_close(file);
		return error;
	}
	*ret = file;
	return 0;
}

void module_file_close(struct module_file *file)
{
	if (!file)
		return;
	dwarf_lines_close(file->lines);
	module_contents_destroy(file->contents);
	elf_file_close(file->elf);
	elf_file_close(file->debug);
	free(file->root);
	free(file->path);
	free(file);
}

const struct bundle_module *module_file_symbols(struct module_file *file)
{
	if (!file->is_read) {
		const struct elf_file *elf = file->elf ? file->elf : file->debug;
		const struct elf_file *debug = file->elf ? file->debug : NULL;

		file->is_read = true;
		if (module_contents_read(elf, debug, file->path, &file->contents))
			file->contents = NULL;
	}
	return file->contents ? module_contents_get(file->contents) : NULL;
}

const struct bundle_module *module_file_contents(struct module_file *file)
{
	return file->elf ? module_file_symbols(file) : NULL;
}

/* ---- DWARF ---- */

/* The file that dwz moved common parts to has a build id of its own, which the link tells. */
static int open_alt(const struct module_file *file, const struct elf_file *elf,
		    struct elf_file **ret)
{
	struct elf_section section;
	struct debug_file_of of = {.root = file->root};
	size_t name_nr;

	if (elf_file_section(elf, ".gnu_debugaltlink", &section) || !section.bytes)
		return -ENOENT;
	name_nr = strnlen((const char *)section.bytes, section.nr) + 1;
	if (name_nr >= section.nr || section.nr - name_nr > 20)
		return -ENOENT;
	of.build_id = section.bytes + name_nr;
	of.build_id_nr = (uint8_t)(section.nr - name_nr);
	return debug_file_open(&of, ret);
}

static int file_open_lines(struct module_file *file)
{
	const struct elf_file *elf = has_dwarf(file->elf)     ? file->elf
				     : has_dwarf(file->debug) ? file->debug
							      : NULL;
	struct elf_file *alt = NULL;
	int error;

	if (!elf || !file->has_build_id)
		return -ENOENT;
	if (open_alt(file, elf, &alt))
		alt = NULL;
	error = dwarf_lines_open(elf_file_fd(elf), alt ? elf_file_fd(alt) : -1, &file->lines);
	elf_file_close(alt);
	return error;
}

int module_file_lines(struct module_file *file, struct dwarf_lines **ret)
{
	if (!file->is_lines_opened) {
		file->is_lines_opened = true;
		file->lines_error = file_open_lines(file);
	}
	*ret = file->lines;
	return file->lines_error;
}

const uint8_t *module_file_code(const struct module_file *file, uint64_t vaddr, size_t nr)
{
	return file->elf ? elf_file_at(file->elf, vaddr, nr) : NULL;
}

uint16_t module_file_machine(const struct module_file *file)
{
	return elf_file_machine(file->elf);
}
