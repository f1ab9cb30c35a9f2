/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Function attributes and scope guards. A guarded variable is released when it
 * leaves its scope; hand it on with no_free_ptr() or no_close_fd().
 */
#ifndef PYREC_COMMON_CLEANUP_H
#define PYREC_COMMON_CLEANUP_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define must_check		     __attribute__((warn_unused_result))
#define printf_like(template, first) __attribute__((__format__(__printf__, template, first)))
#define array_size(array)	     (sizeof(array) / sizeof((array)[0]))

static inline void cleanup_free(void *pointer)
{
	free(*(void **)pointer);
}

static inline void cleanup_close_fd(const int *fd)
{
	if (*fd >= 0)
		close(*fd);
}

static inline void cleanup_close_file(FILE **file)
{
	if (*file)
		fclose(*file);
}

#define auto_free	__attribute__((cleanup(cleanup_free)))
#define auto_close_fd	__attribute__((cleanup(cleanup_close_fd)))
#define auto_close_file __attribute__((cleanup(cleanup_close_file)))

/* The guarded pointer's value; the guard then releases nothing. */
#define no_free_ptr(pointer)                            \
	({                                              \
		__typeof__(pointer) taken_ = (pointer); \
		(pointer) = NULL;                       \
		taken_;                                 \
	})

#define no_close_fd(fd)            \
	({                         \
		int taken_ = (fd); \
		(fd) = -1;         \
		taken_;            \
	})

#endif
