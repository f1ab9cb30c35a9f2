/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Encodes what the recorder has to say and hands it to the writer; remembers the first error. */
#ifndef PYREC_RECORD_OUTPUT_H
#define PYREC_RECORD_OUTPUT_H

#include <stdint.h>

#include "common/cleanup.h"
#include "common/strbuf.h"
#include "format/payload.h"
#include "format/record.h"
#include "format/writer.h"

struct output {
	struct perf_writer *writer; /* borrowed */
	int64_t clock_shift_ns; /* of this process's CLOCK_MONOTONIC: it is ahead of the file's */
	struct strbuf bytes;	/* scratch */
	int error;		/* of the writer, first one */
	uint64_t dropped_nr;	/* records that could not be encoded or written */
};

void output_init(struct output *output, struct perf_writer *writer, int64_t clock_shift_ns);
void output_deinit(struct output *output);

/* All return 0 or the error, which is also kept. After an error they write nothing. */
int output_record(struct output *output, const struct record *record);
int output_payload(struct output *output, const struct payload *payload,
		   const struct py_frame *frames);
/** A code object, all its lines_nr bytes there, and when they are many its continuations. */
int output_code(struct output *output, const struct payload_code *code);
/** A kernel record as it came, its trailer made to name the file's one event. */
int output_kernel_record(struct output *output, const struct perf_event_header *header);
/** Everything of earlier rounds may now be put in order by a reader. */
int output_finished_round(struct output *output);

/**
 * The clock of the file: CLOCK_MONOTONIC, ns, as the kernel itself has it. The kernel's records,
 * samples and BPF know nothing of the recorder's time namespace.
 */
uint64_t output_now_ns(const struct output *output);

#endif
