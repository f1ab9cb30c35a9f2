/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One line on stderr while the work is long and stderr is a terminal. */
#ifndef PYREC_REPORT_PROGRESS_H
#define PYREC_REPORT_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool is_enabled;
	bool is_shown;
	uint32_t calls_nr;
	uint64_t next_ns; /* CLOCK_MONOTONIC, of the next line */
};

void progress_init(struct progress *progress);
/** @total 0: not known. Cheap enough for every record. */
void progress_update(struct progress *progress, uint64_t done, uint64_t total);
/** Clear the line. */
void progress_finish(struct progress *progress);

#endif
