/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The table of one function: a row for each line or instruction, before it its shares of the
 * function's samples and of all samples. Rows without samples have blanks there.
 */
#ifndef PYREC_REPORT_ANNOTATE_TABLE_H
#define PYREC_REPORT_ANNOTATE_TABLE_H

#include <stdbool.h>
#include <stdint.h>

#include "report/annotate_counts.h"
#include "report/out_stream.h"

struct annotate_table {
	struct out_stream *out;
	const struct annotate_counts *counts;
	const struct annotate_function *function;
	bool children;
	double percent_limit;	  /* rows below it are left out */
	unsigned int place_width; /* of the column behind the shares: line or address */
	bool has_rows;
	bool has_gap; /* rows were left out after the last one shown */
};

/** A line of the function's head: "# LABEL: TEXT". */
void annotate_print_head(struct out_stream *out, const char *label, const char *format, ...)
    printf_like(3, 4);
/** What it is called and how many samples it has; then comes what its source or code is. */
void annotate_print_function(const struct annotate_table *table);
/** End the head and begin the table. */
void annotate_print_titles(const struct annotate_table *table, const char *place, const char *text);
/**
 * Whether a row is to be shown: it is not below the limit. Tells of the rows left out before it.
 * @weight: NULL: none.
 */
bool annotate_begin_row(struct annotate_table *table, const struct annotate_weight *weight);
/** The shares of a row, up to the column of its place; NULL: blanks. */
void annotate_print_shares(const struct annotate_table *table,
			   const struct annotate_weight *weight);

#endif
