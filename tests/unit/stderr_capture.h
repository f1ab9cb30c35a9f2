/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What is written to a descriptor between begin and end; the descriptor itself is put back. */
#ifndef PYREC_TESTS_STDERR_CAPTURE_H
#define PYREC_TESTS_STDERR_CAPTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/proc_text.h"

struct stderr_capture {
	int saved_fd;
	FILE *file;
};

static inline void stderr_capture_begin(struct stderr_capture *capture)
{
	fflush(stderr);
	capture->file = tmpfile();
	capture->saved_fd = dup(STDERR_FILENO);
	if (!capture->file || capture->saved_fd < 0 ||
	    dup2(fileno(capture->file), STDERR_FILENO) < 0)
		abort();
}

/** Return: the text, malloc'd. */
static __attribute__((noinline, unused)) char *stderr_capture_end(struct stderr_capture *capture)
{
	char path[64];
	char *text = NULL;
	size_t nr;

	fflush(stderr);
	if (dup2(capture->saved_fd, STDERR_FILENO) < 0)
		abort();
	close(capture->saved_fd);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fileno(capture->file));
	if (proc_file_read(path, &text, &nr))
		abort();
	fclose(capture->file);
	return text;
}

#endif
