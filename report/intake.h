/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Records of a file in the order in which they are to be applied: pyrec's own tables as they come,
 * kernel records and samples by time (record_queue.h), a sample with the Python frames that did not
 * fit it. All that needs the reader happens here, so that it can run on a thread of its own
 * (pipeline.h); what the records mean is the session's business.
 */
#ifndef PYREC_REPORT_INTAKE_H
#define PYREC_REPORT_INTAKE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/cleanup.h"
#include "format/reader.h"
#include "report/continuations.h"
#include "report/progress.h"
#include "report/record_queue.h"
#include "report/stage_times.h"

enum intake_kind {
	INTAKE_RECORD,	/* a sample or a record of the kernel */
	INTAKE_PAYLOAD, /* one of pyrec's tables */
	INTAKE_FRONT,	/* pipe format: header records came, the reader may know more */
};

struct intake_item {
	enum intake_kind kind;
	bool is_untimed; /* the record tells no time: it holds from its place in the file */
	uint32_t event;	 /* index in perf_reader_events() */
	uint64_t time_ns;
	uint64_t file_offset;
	const struct perf_event_header *header;
	struct record_block *block; /* that the record lies in; the item has a reference */
	struct continuation *more;  /* further frames of a sample; owned, may be NULL */
};

struct intake {
	struct perf_reader *reader; /* borrowed */
	struct record_queue queue;
	struct continuations continuations;
	struct progress progress;
	bool is_at_end;
	struct stage_times times; /* STAGE_READ: spent in intake_next(), decompressing included */
	uint64_t lost_records_nr; /* PERF_RECORD_LOST */
	uint64_t lost_samples_nr; /* PERF_RECORD_LOST_SAMPLES */
	uint64_t damaged_records_nr;
	struct read_error error; /* code 0, or the first thing found wrong here */
};

/** @is_timed: keep times. */
void intake_init(struct intake *intake, struct perf_reader *reader, bool is_timed);
void intake_deinit(struct intake *intake);
/**
 * The next item, for the caller to release. Damage ends the file or costs one record, and is told
 * in intake->error. Return: 1; 0 at the end; -ENOMEM.
 */
must_check int intake_next(struct intake *intake, struct intake_item *ret);
void intake_item_release(struct intake_item *item);

#endif
