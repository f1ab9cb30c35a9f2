/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The columns of the sort keys in a table for people: as wide as what they hold. */
#ifndef PYREC_REPORT_TEXT_COLUMNS_H
#define PYREC_REPORT_TEXT_COLUMNS_H

#include <stddef.h>
#include <stdint.h>

#include "report/out_stream.h"
#include "report/output.h"

struct text_columns {
	const struct output_options *options; /* borrowed */
	size_t widths[SORT_KEYS_NR];	      /* by column */
};

/** As wide as the titles. */
void text_columns_begin(struct text_columns *columns, const struct output_options *options);
/** Wide enough for @text too. */
void text_columns_measure(struct text_columns *columns, uint32_t column, const char *text);
/** One cell, blanks before it; the last column is not filled up: no blanks at the ends of lines. */
void text_columns_print(const struct text_columns *columns, struct out_stream *out, uint32_t column,
			const char *text);
/** To the end of the line. */
void text_columns_print_titles(const struct text_columns *columns, struct out_stream *out);
/** Dots below the titles, and an empty line of the header. */
void text_columns_print_rule(const struct text_columns *columns, struct out_stream *out);

#endif
