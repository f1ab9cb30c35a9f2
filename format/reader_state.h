/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The reader's inside, for reader.c (records) and reader_open.c (all before them) only. */
#ifndef PYREC_FORMAT_READER_STATE_H
#define PYREC_FORMAT_READER_STATE_H

#include "common/hash.h"
#include "common/vec.h"
#include "format/byte_source.h"
#include "format/compressor.h"
#include "format/feature.h"
#include "format/reader.h"

VEC_DEFINE(event_vec, struct perf_reader_event)

struct event_id { /* which event an id belongs to */
	uint64_t id;
	uint32_t event;
	UT_hash_handle hh;
};

struct perf_reader {
	int fd;
	bool is_regular;
	struct perf_reader_facts facts;
	struct feature_values values;
	struct event_vec events; /* ids and names owned */
	struct event_id *event_ids;
	struct byte_source source;
	uint64_t appendix_bytes; /* to skip before the next record */
	uint64_t front_end;	 /* pipe: records before this offset were already taken in */
	uint64_t stated_end;	 /* of the data, as the header says */
	uint64_t bundle_offset;	 /* 0: none */
	uint64_t bundle_nr;
	uint8_t *bundle; /* NULL until asked for */

	struct decompressor *decompressor; /* created at the first compressed record */
	struct bytes_cursor packed;	   /* rest of the present compressed record */
	bool is_output_full;		   /* more may come without more input */
	uint64_t packed_offset;		   /* of that record in the file */
	uint64_t packed_inflated;	   /* what it gave so far */
	struct record_pool pool;
	struct record_block *inflated; /* unpacked records lie at inflated_at…inflated_nr */
	size_t inflated_at;
	size_t inflated_nr;
	struct record_block *copies; /* records that were not packed, or lay at an odd address */
	size_t copies_nr;	     /* bytes */

	bool has_first; /* the first record was read ahead to see whose file this is */
	int first_ret;
	struct raw_record first;
	struct read_error first_error;
};

/** Add the event of a file's or pipe's attr; @ids (not borrowed). Return: 0, -EBADMSG, -ENOMEM. */
must_check int reader_add_event(struct perf_reader *reader, const struct perf_event_attr *attr,
				const uint8_t *ids, size_t ids_nr);
/** Names as EVENT_DESC has them. Return: 0 or -ENOMEM. */
must_check int reader_update_event_names(struct perf_reader *reader);
/** By id, else the first. */
const struct perf_reader_event *reader_event_find(const struct perf_reader *reader,
						  const struct perf_event_header *header);
/** Is it one of pyrec's envelopes, of whatever kind. */
bool record_is_ours(const struct perf_event_header *header);
/** Take in a HEADER_ATTR or HEADER_FEATURE record of pipe format. Return: 0, -EBADMSG, -ENOMEM. */
must_check int reader_take_front(struct perf_reader *reader, const uint8_t *record, size_t nr);
/** Let the facts point at what the features said. Return: 0 or -ENOMEM. */
must_check int reader_update_facts(struct perf_reader *reader);
/** perf_reader_next() without the read-ahead. */
must_check int reader_read(struct perf_reader *reader, struct raw_record *ret,
			   struct read_error *error);

#endif
