/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where the time of a session goes, for --stats. Each stage is measured on the thread that does it,
 * in CLOCK_MONOTONIC; a thread that waits for another one is not counted.
 */
#ifndef PYREC_REPORT_STAGE_TIMES_H
#define PYREC_REPORT_STAGE_TIMES_H

#include <stdbool.h>
#include <stdint.h>
#include <time.h>

enum stage {
	STAGE_READ, /* read, decode and order records; without decompressing */
	STAGE_DECOMPRESS,
	STAGE_APPLY, /* memory maps, code objects, what a sample is part of */
	STAGE_UNWIND,
	STAGE_PYTHON, /* decode Python frames */
	STAGE_MERGE,
	STAGE_SYMBOLS, /* from frames to names */
	STAGE_SHOW,    /* aggregate; with perf-script: print */
	STAGE_PRINT,   /* the counted tree */
	STAGES_NR
};

struct stage_times {
	bool is_enabled;
	uint64_t ns[STAGES_NR];
	uint64_t samples_nr;
	uint64_t native_frames_nr; /* unwound */
	uint64_t frames_nr;	   /* named: native, Python and kernel */
};

static inline uint64_t stage_begin(const struct stage_times *times)
{
	struct timespec now;

	if (!times->is_enabled)
		return 0;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/** Count the time since @begin_ns. Return: now, where the next stage begins. */
static inline uint64_t stage_end(struct stage_times *times, enum stage stage, uint64_t begin_ns)
{
	uint64_t now_ns;

	if (!times->is_enabled)
		return 0;
	now_ns = stage_begin(times);
	times->ns[stage] += now_ns - begin_ns;
	return now_ns;
}

/** A table on stderr. */
void stage_times_print(const struct stage_times *times);

#endif
