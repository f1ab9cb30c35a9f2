/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The rows of the text report: frames of the tree of stacks put together by the sort keys. A
 * row's self weight is of the stacks whose leaf is in it, its total of the stacks that
 * have a frame in it, each stack once however often the row recurs in it.
 */
#ifndef PYREC_REPORT_HISTOGRAM_H
#define PYREC_REPORT_HISTOGRAM_H

#include <stdbool.h>
#include <stdint.h>

#include "common/intern.h"
#include "report/output.h"
#include "report/profile.h"
#include "report/tally.h"

struct histogram_row {
	uint32_t group; /* these two stand for all that have the same text in every column */
	uint32_t frame;
	struct profile_weight self;
	struct profile_weight total;
	uint32_t first_node; /* into row_nodes */
	uint32_t nodes_nr;
};

struct histogram {
	const struct tally *tally;
	const struct output_options *options;
	struct profile_links links;
	struct profile_weight *totals; /* by node, with all below */
	struct profile_weight
	    *leafmost;	       /* by node: stacks in which it is its row's leafmost node */
	bool *is_topmost;      /* by node: no node of its row is above it */
	uint32_t *row_of_node; /* ID_NONE: in no row */
	uint32_t *row_nodes;   /* node ids, row by row */
	struct histogram_row *rows;
	size_t rows_nr;
	size_t rows_capacity;
	struct intern row_keys; /* ids: rows */
	struct profile_weight all;
};

/** Both are borrowed. Return: 0 or -ENOMEM; to be deinited in either case. */
must_check int histogram_init(struct histogram *histogram, const struct tally *tally,
			      const struct output_options *options);
void histogram_deinit(struct histogram *histogram);

/** Row ids, heaviest first (total where options->children, else self); the caller frees it. */
must_check int histogram_order(const struct histogram *histogram, uint32_t **ret);

/** profile_weight_percent() of all. */
double histogram_percent(const struct histogram *histogram, const struct profile_weight *weight);

/** Append what a column shows for a frame of a group. */
void histogram_append_column(const struct histogram *histogram, enum sort_key key, uint32_t group,
			     uint32_t frame, struct strbuf *ret);

#endif
