/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which file a mapping is of, as the kernel tells it in /proc/PID/maps and in its MMAP2 records: a
 * path alone may belong to another file by now, or mean another one in another mount namespace.
 */
#ifndef PYREC_COMMON_FILE_IDENTITY_H
#define PYREC_COMMON_FILE_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

struct file_identity {
	uint32_t device_major;
	uint32_t device_minor;
	uint64_t inode; /* 0: not known */
};

bool file_identity_is_same(const struct file_identity *a, const struct file_identity *b);
/** Is @fd, a regular file, the one that was mapped? */
bool file_has_identity(int fd, const struct file_identity *identity);

#endif
