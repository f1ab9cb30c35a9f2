/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Python frames that did not fit their sample (PAYLOAD_FRAMES), between the record that brings
 * them and the sample that they belong to, which stands just behind.
 */
#ifndef PYREC_REPORT_CONTINUATIONS_H
#define PYREC_REPORT_CONTINUATIONS_H

#include <stdint.h>

#include "common/cleanup.h"
#include "format/payload.h"
#include "format/record.h"
#include "report/sample_stack.h"

struct continuation {
	uint32_t pid;
	uint32_t tid;
	uint64_t time_ns;
	struct more_frames more;
	struct continuation *next;
};

struct continuations {
	struct continuation *first; /* not yet claimed */
};

/** Return: 0, -EBADMSG (not the next frames of their sample), -ENOMEM. */
must_check int continuations_add(struct continuations *continuations,
				 const struct payload_frames *payload);
/** Those of @sample, for the caller to destroy; NULL when there are none. */
struct continuation *continuations_take(struct continuations *continuations,
					const struct record_sample *sample);
void continuation_destroy(struct continuation *continuation);
/** Forget what no sample has claimed. */
void continuations_deinit(struct continuations *continuations);

#endif
