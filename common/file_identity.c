/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "common/file_identity.h"

#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "common/proc_text.h"

bool file_identity_is_same(const struct file_identity *a, const struct file_identity *b)
{
	return a->device_major == b->device_major && a->device_minor == b->device_minor &&
	       a->inode == b->inode;
}

/* The identity that the memory map of this process shows at @address. */
static bool mapping_has_identity(uintptr_t address, const struct file_identity *identity)
{
	auto_free char *text = NULL;
	char *line, *rest;
	size_t nr;

	if (proc_file_read("/proc/self/maps", &text, &nr))
		return false;
	for (rest = text; (line = strsep(&rest, "\n")) != NULL;) {
		struct proc_map map;

		if (proc_map_parse(line, &map) || address < map.start || address >= map.end)
			continue;
		const struct file_identity found = {map.device_major, map.device_minor, map.inode};

		return file_identity_is_same(&found, identity);
	}
	return false;
}

/*
 * Some file systems tell stat(2) another device or inode than the memory map (overlayfs, btrfs):
 * then only what a mapping of @fd shows can be compared.
 */
bool file_has_identity(int fd, const struct file_identity *identity)
{
	const size_t page = (size_t)sysconf(_SC_PAGESIZE);
	struct stat status;
	void *mapped;
	bool ret;

	if (fstat(fd, &status) || !S_ISREG(status.st_mode))
		return false;
	if (status.st_ino == identity->inode &&
	    status.st_dev == makedev(identity->device_major, identity->device_minor))
		return true;
	mapped = mmap(NULL, page, PROT_READ, MAP_PRIVATE, fd, 0);
	if (mapped == MAP_FAILED)
		return false;
	ret = mapping_has_identity((uintptr_t)mapped, identity);
	munmap(mapped, page);
	return ret;
}
