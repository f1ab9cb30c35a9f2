/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Separate debug files of an ELF file, where distributions and gdb have them: by build id below
 * /usr/lib/debug/.build-id; by the name and CRC of section .gnu_debuglink beside the file, in
 * .debug/ beside it, and below /usr/lib/debug. And the symbols that Fedora packs into the file
 * itself (section .gnu_debugdata, "MiniDebugInfo").
 */
#ifndef PYREC_COMMON_DEBUG_FILE_H
#define PYREC_COMMON_DEBUG_FILE_H

#include <stdint.h>

#include "common/cleanup.h"
#include "common/elf_file.h"
#include "common/strbuf.h"

/**
 * Open a regular file for reading: no FIFO that would wait, no device that would act. @root: where
 * @path begins; NULL: "/". Return: 0, -ENOEXEC (another kind of file), -ENOMEM, -errno.
 */
must_check int regular_file_open(const char *root, const char *path, int *ret);

/* The file whose debug file is wanted. */
struct debug_file_of {
	const char *root; /* where paths begin; NULL: "/" */
	const char *path; /* its own; NULL: look by build id alone */
	const uint8_t *build_id;
	uint8_t build_id_nr;	    /* 0: has none */
	const struct elf_file *elf; /* itself, for its link; NULL: look by build id alone */
};

/**
 * The first debug file that is its own: of the same build id, or for a file without one with the
 * CRC of its link. Return: 0, -ENOENT, -ENOMEM.
 */
must_check int debug_file_open(const struct debug_file_of *of, struct elf_file **ret);

/**
 * Append the ELF file that @elf holds packed by xz. What its size does not justify is refused, and
 * what wants more than 20 MiB to be unpacked (xz -8 and -9). Return: 0, -ENOENT (it holds none),
 * -EBADMSG, -ENOMEM.
 */
must_check int debug_data_unpack(const struct elf_file *elf, struct strbuf *ret);

#endif
