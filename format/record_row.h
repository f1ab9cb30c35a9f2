/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Shared by record.c (the table), record_sample.c and record_print.c only: how a record is cut
 * into header, body and trailer.
 */
#ifndef PYREC_FORMAT_RECORD_ROW_H
#define PYREC_FORMAT_RECORD_ROW_H

#include "common/bytes.h"
#include "format/record.h"

enum { RECORD_HEADER_BYTES = 8 };

/** Bytes of the trailer (sample_id_all) of records of @type; 0 for samples and perf's own types. */
size_t record_trailer_bytes(uint32_t type, const struct record_layout *layout);

/** Append the sample's body. Return: 0 or -EINVAL when @layout asks for what pyrec never writes. */
must_check int record_sample_encode(struct strbuf *out, const struct record_layout *layout,
				    const struct record *record);
/** Read the sample's body; a contradiction sets @cursor->failed. */
void record_sample_decode(struct bytes_cursor *cursor, const struct record_layout *layout,
			  struct record *ret);

/* record_print.c: the fields of a decoded record, indented, one or a few a line. */
void record_mmap_print(FILE *out, const struct record *record, const struct record_layout *layout);
void record_comm_print(FILE *out, const struct record *record, const struct record_layout *layout);
void record_task_print(FILE *out, const struct record *record, const struct record_layout *layout);
void record_lost_print(FILE *out, const struct record *record, const struct record_layout *layout);
void record_sample_print(FILE *out, const struct record *record,
			 const struct record_layout *layout);

struct record_row {
	uint32_t type;
	const char *name;
	int (*encode)(struct strbuf *out, const struct record_layout *layout,
		      const struct record *record); /* NULL: only read */
	void (*decode)(struct bytes_cursor *cursor, const struct record_layout *layout,
		       struct record *ret); /* NULL: type and misc only */
	void (*print)(FILE *out, const struct record *record, const struct record_layout *layout);
};

/** The row of a type; NULL when unknown. */
const struct record_row *record_row_find(uint32_t type);

#endif
