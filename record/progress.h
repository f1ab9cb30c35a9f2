/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the user sees on stderr: the live line, the summary, the costs with -v. */
#ifndef PYREC_RECORD_PROGRESS_H
#define PYREC_RECORD_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "format/payload.h"
#include "record/bundle_collect.h"
#include "record/processes.h"
#include "record/sampler.h"

/* The state of a recording, in the units that are printed. */
struct progress {
	const char *output_path;
	double elapsed_s;
	double cpu_s;	     /* user and system time of the recorder */
	double finish_cpu_s; /* of it: spent on the bundle, after the sampling */
	uint64_t samples_nr;
	uint64_t file_bytes;
	uint64_t record_bytes; /* before compression */
	uint64_t bundle_bytes;
	uint64_t resident_kib; /* peak */
	uint32_t codes_nr;
	struct processes_counts processes;
	struct payload_losses losses;
	struct bundle_summary bundle;
	struct sampler_cost cost; /* run_count 0: not measured */
	bool is_legacy;
};

/** Rewrite the live line. Only when stderr is a terminal. */
void progress_print_line(const struct progress *progress);
/** Remove the live line. */
void progress_clear_line(void);
/** Two or three lines at the end. */
void progress_print_summary(const struct progress *progress);
/** Costs of a sample: -v. */
void progress_print_costs(const struct progress *progress);

/** Samples and records lost, all reasons that lose any together. */
uint64_t progress_lost_nr(const struct payload_losses *losses);

#endif
