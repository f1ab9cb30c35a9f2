/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/module_file.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "common/elf_file.h"
#include "common/strbuf.h"
#include "format/module_contents.h"

struct module_file {
	struct elf_file *elf;
	struct module_contents *contents;
	char *path;
};

static int open_regular(const char *root, const char *path, int *ret)
{
	auto_strbuf struct strbuf whole = {0};
	auto_close_fd int fd = -1;
	struct stat status;

	if (root)
		strbuf_append_text(&whole, root);
	strbuf_append_text(&whole, path);
	if (whole.error)
		return whole.error;
	/* A recording may name a FIFO or a device here: neither wait nor act on it. */
	fd = open(strbuf_text(&whole), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return -errno;
	if (fstat(fd, &status))
		return -errno;
	if (!S_ISREG(status.st_mode))
		return -ENOEXEC;
	*ret = no_close_fd(fd);
	return 0;
}

static int open_elf(const char *root, const char *path, const struct file_identity *wanted,
		    struct elf_file **ret)
{
	auto_close_fd int fd = -1;
	int error;

	if (strcmp(path, "[vdso]") == 0)
		return root ? -ENOENT : vdso_open(ret);
	if (path[0] != '/')
		return -ENOENT;
	error = open_regular(root, path, &fd);
	if (!error && !root && wanted->inode && !file_has_identity(fd, wanted))
		return -ENOENT;
	return error ? error : elf_file_open(fd, ret);
}

static int check_identity(const struct elf_file *elf, const uint8_t *build_id, uint8_t build_id_nr)
{
	uint8_t found_id[20];

	if (elf_file_machine(elf) != EM_X86_64)
		return -ENOEXEC;
	if (build_id_nr && (elf_file_build_id(elf, found_id) != build_id_nr ||
			    memcmp(found_id, build_id, build_id_nr) != 0))
		return -ENOENT;
	return 0;
}

int module_file_open(const char *root, const char *path, const uint8_t *build_id,
		     uint8_t build_id_nr, const struct file_identity *identity,
		     struct module_file **ret)
{
	const struct file_identity none = {0};
	struct module_file *file = calloc(1, sizeof(*file));
	int error;

	if (!file)
		return -ENOMEM;
	error = open_elf(root, path, build_id_nr ? &none : identity, &file->elf);
	if (!error)
		error = check_identity(file->elf, build_id, build_id_nr);
	if (!error) {
		file->path = strdup(path);
		error = file->path ? module_contents_read(file->elf, file->path, &file->contents)
				   : -ENOMEM;
	}
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
	module_contents_destroy(file->contents);
	elf_file_close(file->elf);
	free(file->path);
	free(file);
}

const struct bundle_module *module_file_contents(const struct module_file *file)
{
	return module_contents_get(file->contents);
}

const uint8_t *module_file_code(const struct module_file *file, uint64_t vaddr, size_t nr)
{
	return elf_file_at(file->elf, vaddr, nr);
}
