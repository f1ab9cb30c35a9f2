/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/progress.h"

#include <stdio.h>
#include <time.h>
#include <unistd.h>

enum { PROGRESS_CALLS = 256, PROGRESS_FIRST_MS = 700, PROGRESS_NEXT_MS = 150 };

static uint64_t progress_now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void progress_init(struct progress *progress)
{
	*progress = (struct progress){
	    .is_enabled = isatty(STDERR_FILENO),
	    .next_ns = progress_now_ns() + PROGRESS_FIRST_MS * UINT64_C(1000000),
	};
}

void progress_update(struct progress *progress, uint64_t done, uint64_t total)
{
	uint64_t now_ns;

	if (!progress->is_enabled || ++progress->calls_nr % PROGRESS_CALLS)
		return;
	now_ns = progress_now_ns();
	if (now_ns < progress->next_ns)
		return;
	progress->next_ns = now_ns + PROGRESS_NEXT_MS * UINT64_C(1000000);
	progress->is_shown = true;
	if (total)
		fprintf(stderr, "\rpyrec: reading, %3.0f %%", 100.0 * (double)done / (double)total);
	else
		fprintf(stderr, "\rpyrec: reading, %.1f MB", (double)done / 1e6);
	fflush(stderr);
}

void progress_finish(struct progress *progress)
{
	if (progress->is_shown)
		fputs("\r\033[K", stderr);
	progress->is_shown = false;
	progress->is_enabled = false;
}
