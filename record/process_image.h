/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a process is made of at this moment (stat, memory map, threads), and the records that tell
 * report about it. Which processes that is done for, and when: processes.h.
 */
#ifndef PYREC_RECORD_PROCESS_IMAGE_H
#define PYREC_RECORD_PROCESS_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/proc_text.h"
#include "record/mapped_files.h"
#include "record/output.h"

/* What was found of a process in its memory map. */
struct process_image {
	const struct mapped_file *python; /* NULL: none */
	uint64_t python_bias;
	struct async_layout async; /* zeros: asyncio's C module is not there, or too old */
	bool has_maps;		   /* a kernel thread has none */
	bool is_musl;		/* its C library keeps thread-specific data elsewhere than glibc: */
	uint32_t musl_specific; /* as musl_find() */
};

/** Has it an interpreter that BPF can walk? */
static inline bool process_image_is_walkable(const struct process_image *image)
{
	return image->python && image->python->runtime->is_walkable &&
	       (!image->is_musl || image->musl_specific);
}

/** stat(5); what it does not tell for want of privilege is 0. Return: as proc_stat_read(). */
must_check int process_stat_read(uint32_t tgid, struct proc_stat *ret);
/**
 * The same for a process that may be in the middle of execve(2): the kernel tells its first mapping
 * before it sets start_code and then start_stack, within microseconds unless it is preempted there.
 * Waits at most 5 ms. That last case is caught by processes_recheck().
 */
must_check int process_stat_settled(uint32_t tgid, struct proc_stat *ret);

/**
 * Is the program CPython's own, by its name (python, python3.12, python3.13d)? Such a one calls
 * Py_Initialize() once; of any other, or one whose name cannot be read, that is not known.
 */
bool process_runs_cpython(uint32_t tgid);

/**
 * Visit the executable mappings of a process. With @output (else NULL) each is written, and its
 * file is kept for the bundle. Return: 0 or -errno of reading /proc/@tgid/maps.
 */
must_check int process_image_read(uint32_t tgid, struct mapped_files *files, struct output *output,
				  struct process_image *ret);

/* What cannot be written is remembered in @output (output.h). */

/** COMM of the process, then of its other threads. */
void process_emit_threads(struct output *output, uint32_t tgid);
/** The interpreter of @image; one that cannot be walked is also told to the user. */
void process_emit_interpreter(struct output *output, uint32_t tgid,
			      const struct process_image *image);
/**
 * The other segments of a file that was mapped executable at @bias. The kernel does not tell them
 * (mmap_data would tell every mapping of the machine), but there lie .eh_frame_hdr and the
 * pointers to personality routines, which stock perf looks for in the memory map. @time_ns: when
 * the executable one was mapped, not later: the process may have mapped another file there since.
 */
void process_emit_data_segments(struct output *output, uint32_t tgid, uint64_t time_ns,
				uint64_t bias, const struct mapped_file *file);
/** The kernel's record of a mapping with the build id that it does not tell. Return: 0 or @output's
 *  error. */
int process_emit_kernel_map(struct output *output, const struct record *record,
			    const struct mapped_file *file);

#endif
