/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Records in order of time. A file holds the rings of many CPUs one after the other, and
 * says with FINISHED_ROUND when all of them were read once: nothing older than the newest record of
 * the round before can come any more. The queue holds records back until then; files without rounds
 * are held up to a limit of bytes.
 *
 * Order: by time, then as they came. Most come in that order already: those stand in a row, and
 * only what is older than the newest of the row goes through a heap.
 */
#ifndef PYREC_REPORT_RECORD_QUEUE_H
#define PYREC_REPORT_RECORD_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cleanup.h"
#include "common/vec.h"

struct perf_event_header;
struct record_block;

struct queued_record {
	uint64_t time_ns;
	uint64_t sequence;
	uint32_t event;		 /* index in perf_reader_events() */
	uint32_t prefetch_bytes; /* the queue's own */
	uint64_t file_offset;
	void *extra; /* of the caller, given on to whoever takes the record */
	const struct perf_event_header *header; /* header->size bytes */
	struct record_block *block;		/* that they lie in; the item has a reference */
};

VEC_DEFINE(queued_records, struct queued_record)

struct record_queue {
	struct queued_records row;  /* in order */
	size_t row_first;	    /* those before it have left */
	struct queued_records heap; /* binary */
	size_t bytes;		    /* of the blocks that held records lie in */
	size_t bytes_max;
	uint64_t next_sequence;
	uint64_t newest_ns; /* of all that ever came */
	uint64_t round_ns;  /* newest_ns at the last FINISHED_ROUND */
	uint64_t flush_ns;  /* what is not newer may leave */
	bool is_draining;   /* everything may leave, down to drain_bytes */
	size_t drain_bytes;
};

/** @bytes_max: hold no more than that, even if the order suffers. */
void record_queue_init(struct record_queue *queue, size_t bytes_max);
/** Frees held records; their extras must have been taken out before. */
void record_queue_deinit(struct record_queue *queue);

/** Hold a record; the queue takes its own reference of the block, and sets the sequence. Return: 0
 *  or -ENOMEM. */
must_check int record_queue_push(struct record_queue *queue, const struct queued_record *item);
/** A FINISHED_ROUND came. */
void record_queue_end_round(struct record_queue *queue);
/** No more will come: all may leave. */
void record_queue_end(struct record_queue *queue);
/** Take the oldest record that may leave, with its reference of the block. */
bool record_queue_pop(struct record_queue *queue, struct queued_record *ret);

#endif
