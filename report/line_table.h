/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Line tables of Python code objects, one decoder for each encoding that CPython has used:
 *
 *	2.7       co_lnotab, unsigned line deltas	Objects/codeobject.c, PyCode_Addr2Line()
 *	3.6-3.9   co_lnotab, signed line deltas		Objects/lnotab_notes.txt
 *	3.10      co_linetable, ranges (PEP 626)	Objects/lnotab_notes.txt
 *	3.11-3.15 co_linetable, location entries	Objects/locations.md (3.11: same text)
 *
 * A table is decoded once into ranges and then searched. Bytes are untrusted.
 */
#ifndef PYREC_REPORT_LINE_TABLE_H
#define PYREC_REPORT_LINE_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/cleanup.h"
#include "common/vec.h"

enum { LINE_NONE = INT32_MIN, COLUMN_NONE = -1 };

/* Where one instruction comes from. Lines count from 1; 3.11+ modules begin with line 0. */
struct line_position {
	int32_t line; /* LINE_NONE: the instruction has no line, and nothing else */
	int32_t end_line;
	int32_t column; /* in UTF-8 bytes from 0; COLUMN_NONE: not known */
	int32_t end_column;
};

#define LINE_POSITION_NONE ((struct line_position){LINE_NONE, LINE_NONE, COLUMN_NONE, COLUMN_NONE})

/* Bytecode offsets from the end of the range before up to @end. */
struct line_range {
	uint32_t end; /* in bytes; UINT32_MAX: all the rest */
	struct line_position position;
};

VEC_DEFINE(line_ranges, struct line_range)

/** Whether tables of this PY_VERSION_HEX can be decoded. */
bool line_table_is_known(uint32_t version_hex);

/**
 * Decode a whole table into @ret (empty before; the caller deinits it, on errors too).
 * Return: 0, -EOPNOTSUPP (version), -EBADMSG (the bytes are no such table), -ENOMEM.
 */
must_check int line_table_decode(uint32_t version_hex, int32_t first_line, const uint8_t *bytes,
				 uint32_t nr, struct line_ranges *ret);

/** Bytecode byte offset of an f_lasti as py_frame.value gives it; negative: not started. */
int64_t line_table_byte_offset(uint32_t version_hex, int32_t lasti);

/** Position of the instruction at @byte_offset (>= 0). Return: 0 or -ENOENT beyond the table. */
must_check int line_ranges_find(const struct line_ranges *ranges, int64_t byte_offset,
				struct line_position *ret);

#endif
