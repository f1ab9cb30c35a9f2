/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Buffered writing of results to a file descriptor, for people through a pager. The first error is
 * kept and makes all later writes do nothing; look at it now and then to stop early. A reader
 * that goes away (EPIPE) is no failure worth a message.
 */
#ifndef PYREC_REPORT_OUT_STREAM_H
#define PYREC_REPORT_OUT_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include "common/cleanup.h"

enum { OUT_STREAM_BYTES = 64 * 1024 };

struct out_stream {
	int fd;
	int error;	  /* 0 or -errno of the first failed write */
	bool wants_pager; /* at the first bytes that come */
	pid_t pager_pid;
	int pager_status; /* of waitpid() */
	size_t nr;
	char bytes[OUT_STREAM_BYTES];
};

/** Write to @fd, which stays open. */
void out_stream_init(struct out_stream *out, int fd);
/**
 * Write to stdout, through $PYREC_PAGER, $PAGER or less where stdout is a terminal and @with_pager;
 * the pager starts when there is something to show. SIGPIPE is ignored from here on.
 */
void out_stream_init_stdout(struct out_stream *out, bool with_pager);
/** Flush and wait for the pager. Return: 0 or -errno; 0 also when the pager was left early, -ENOENT
 *  when it could not be run. */
must_check int out_stream_finish(struct out_stream *out);

/** What out_write() does where there is no room. */
void out_write_on(struct out_stream *out, const void *bytes, size_t nr);

static inline void out_write(struct out_stream *out, const void *bytes, size_t nr)
{
	if (nr > sizeof(out->bytes) - out->nr || out->error) {
		out_write_on(out, bytes, nr);
		return;
	}
	memcpy(out->bytes + out->nr, bytes, nr);
	out->nr += nr;
}

void out_text(struct out_stream *out, const char *text);
void out_char(struct out_stream *out, char c);
void out_spaces(struct out_stream *out, size_t nr);
/** Without printf(3), for what is printed for each frame: right-aligned in @width characters,
 * filled with @fill. */
void out_decimal(struct out_stream *out, uint64_t value, size_t width, char fill);
void out_format(struct out_stream *out, const char *format, ...) printf_like(2, 3);

#endif
