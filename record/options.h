/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The command line of pyrec record. */
#ifndef PYREC_RECORD_OPTIONS_H
#define PYREC_RECORD_OPTIONS_H

#include <linux/perf_event.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/cleanup.h"
#include "common/vec.h"

struct record_options {
	struct u32_vec pids;
	char **command; /* NULL terminated; NULL: none */
	const char *output_path;
	const char *event_name;
	uint32_t event_type;   /* PERF_TYPE_* */
	uint64_t event_config; /* PERF_COUNT_* */
	uint32_t sample_hz;
	double duration_s; /* 0: until the command ends or Ctrl-C */
	uint64_t ring_bytes;
	uint32_t stack_cap_bytes;
	bool system_wide;
	bool all_processes;
	bool is_verbose;
	bool is_quiet;
	bool no_bundle;
	bool no_compress;
	bool use_legacy;
};

/** Parse. Wrong usage and --help are answered here and end the program (argp). Return: 0, -EINVAL.
 */
must_check int record_options_parse(int argc, char **argv, struct record_options *ret);
void record_options_deinit(struct record_options *options);

#endif
