/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/stage_times.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const stage_names[STAGES_NR] = {
    [STAGE_READ] = "read",	 [STAGE_DECOMPRESS] = "decompress", [STAGE_APPLY] = "apply",
    [STAGE_UNWIND] = "unwind",	 [STAGE_PYTHON] = "python",	    [STAGE_MERGE] = "merge",
    [STAGE_SYMBOLS] = "symbols", [STAGE_SHOW] = "aggregate",	    [STAGE_PRINT] = "print",
};

/* What one unit of a stage is; "" where it is a sample. */
static uint64_t stage_frames(const struct stage_times *times, enum stage stage)
{
	switch (stage) {
	case STAGE_UNWIND:
		return times->native_frames_nr;
	case STAGE_SYMBOLS:
		return times->frames_nr;
	default:
		return 0;
	}
}

static void stage_print(const struct stage_times *times, enum stage stage)
{
	const double ns = (double)times->ns[stage];
	const uint64_t frames_nr = stage_frames(times, stage);

	fprintf(stderr, "pyrec: %-12s %9.1f ms %9.1f ns/sample", stage_names[stage], ns / 1e6,
		times->samples_nr ? ns / (double)times->samples_nr : 0.0);
	if (frames_nr)
		fprintf(stderr, " %8.1f ns/frame", ns / (double)frames_nr);
	fputc('\n', stderr);
}

void stage_times_print(const struct stage_times *times)
{
	for (int stage = 0; stage < STAGES_NR; stage++)
		stage_print(times, (enum stage)stage);
	fprintf(stderr,
		"pyrec: %" PRIu64 " samples, %" PRIu64 " native frames, %" PRIu64
		" frames in all\n",
		times->samples_nr, times->native_frames_nr, times->frames_nr);
}
