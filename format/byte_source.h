/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A file or a pipe as a window that moves forward over its bytes. Read, not mapped: a file that
 * shrinks while it is read ends early instead of killing the process with SIGBUS.
 */
#ifndef PYREC_FORMAT_BYTE_SOURCE_H
#define PYREC_FORMAT_BYTE_SOURCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cleanup.h"

enum { BYTE_SOURCE_WINDOW_BYTES = 1 << 20 };

struct byte_source {
	int fd;		  /* borrowed */
	bool is_seekable; /* read with pread() */
	uint64_t offset;  /* in the file, of bytes[at] */
	uint64_t end;	  /* in the file; no byte from here on is read */
	uint8_t *bytes;	  /* BYTE_SOURCE_WINDOW_BYTES */
	size_t at;
	size_t nr; /* bytes[at..nr) are there */
};

/** Read from @offset up to @end; a pipe stands at @offset already. Return: 0 or -ENOMEM. */
must_check int byte_source_init(struct byte_source *source, int fd, bool is_seekable,
				uint64_t offset, uint64_t end);
void byte_source_deinit(struct byte_source *source);
/**
 * At least @nr bytes (up to the window's size) from the present place, or all that are left.
 * Pointers from before die. Return: 0 or -errno; @available may be less than @nr only at the end.
 */
must_check int byte_source_need(struct byte_source *source, size_t nr, size_t *available);
/** Bytes at the present place; as many as byte_source_need() told. */
const uint8_t *byte_source_at(const struct byte_source *source);
/** Go forward, also beyond the window. Bytes of the window stay readable until the next need.
 *  Return: 0 or -errno (only past the window). */
must_check int byte_source_skip(struct byte_source *source, uint64_t nr);

/** @nr bytes at @offset, all or -ENODATA; -errno. */
must_check int fd_read_at(int fd, void *bytes, size_t nr, uint64_t offset);

#endif
