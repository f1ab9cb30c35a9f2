/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The code objects of a recording by id: what a Python frame is called and which line it
 * executes. Filled from PAYLOAD_CODE and PAYLOAD_CODE_LINES in file order; line tables are decoded
 * at the first question about one of their lines.
 */
#ifndef PYREC_REPORT_CODE_TABLE_H
#define PYREC_REPORT_CODE_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/intern.h"
#include "common/strbuf.h"
#include "format/payload.h"
#include "report/line_table.h"

struct code {
	uint32_t code_id;
	uint32_t version_hex;
	int32_t first_line;
	uint8_t flags; /* enum payload_code_flags */
	bool is_entry; /* 3.12: of an entry frame, no function either */
	bool is_shim;  /* the interpreter's own code between caller and __init__, no function */
	const char *symbol; /* escaped qualname, else name; NULL: neither could be read */
	const char *file;   /* escaped; NULL: could not be read */
	uint32_t lines_total;
	struct strbuf lines;
	struct line_ranges ranges;
	bool is_decoded; /* or found undecodable: then ranges are empty */
};

struct code_table {
	struct code *items;
	size_t nr;
	size_t capacity;
	struct id_index index;
	struct intern texts;
};

void code_table_deinit(struct code_table *table);

/** The first one with an id counts. Return: 0 or -ENOMEM. */
must_check int code_table_add(struct code_table *table, const struct payload_code *payload);
/** Return: 0, -ENOENT (no such code object), -EBADMSG (not the next bytes), -ENOMEM. */
must_check int code_table_add_lines(struct code_table *table,
				    const struct payload_code_lines *payload);
/** Borrowed until the next add; NULL when the file has no such code object. */
struct code *code_table_find(const struct code_table *table, uint32_t code_id);

/** The last line that its table tells of; LINE_NONE: it tells none. Return: 0 or -ENOMEM. */
must_check int code_last_line(struct code *code, int32_t *ret);

/**
 * The position that a frame with instruction offset @lasti (py_frame.value) executes; the
 * function's first line when it has not started.
 * Return: 0; -ENOENT: no line (none recorded, none in the table, table damaged); -ENOMEM.
 */
must_check int code_position(struct code *code, int32_t lasti, struct line_position *ret);

#endif
