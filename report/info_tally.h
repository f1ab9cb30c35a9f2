/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What pyrec info counts in one pass over the records. Memory does not grow with their number. */
#ifndef PYREC_REPORT_INFO_TALLY_H
#define PYREC_REPORT_INFO_TALLY_H

#include <stdbool.h>
#include <stdint.h>

#include "common/vec.h"
#include "format/payload.h"
#include "format/reader.h"

struct info_type { /* records of one type */
	uint32_t type;
	uint64_t records_nr;
	uint64_t bytes;
};
VEC_DEFINE(info_types, struct info_type)

struct info_interpreter { /* processes with the same interpreter */
	uint32_t version_hex;
	bool is_unsupported;
	char *path;    /* escaped, owned */
	char *message; /* escaped, owned */
	char *name;    /* escaped, owned; empty: CPython of that version */
	uint64_t processes_nr;
};
VEC_DEFINE(info_interpreters, struct info_interpreter)

struct info_container { /* a cgroup that processes are in */
	char *cgroup;	/* escaped, owned */
	char *name;	/* container_name_append() of it; escaped, owned */
};
VEC_DEFINE(info_containers, struct info_container)

enum { INFO_STATUSES_NR = PY_STACK_NOT_WALKED + 1 };

struct info_tally {
	struct info_types types; /* in the order of their first record */
	struct info_interpreters interpreters;
	struct info_containers containers;
	uint64_t records_nr;
	uint64_t bytes;
	uint64_t damaged_nr; /* records that contradict themselves */
	uint64_t samples_nr;
	uint64_t first_sample_ns;
	uint64_t last_sample_ns;
	uint64_t without_python_nr; /* samples without a Python stack */
	uint64_t statuses[INFO_STATUSES_NR];
	uint64_t python_frames_nr;
	uint64_t user_stack_bytes;
	uint64_t codes_nr;
	uint64_t lost_nr; /* as LOST and LOST_SAMPLES records tell */
	bool has_file_info;
	uint32_t sample_hz;
	uint32_t stack_cap_bytes;
	bool has_clock;
	struct payload_clock clock; /* the first pair */
	bool has_losses;
	struct payload_losses losses; /* the last one */
};

/** Read to the end. Return: 0, or the reader's error with what came before it counted. */
must_check int info_tally_run(struct info_tally *tally, struct perf_reader *reader,
			      struct read_error *error);
void info_tally_deinit(struct info_tally *tally);

#endif
