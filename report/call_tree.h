/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tree under a row of the text report: from the row's function down to what it calls, or
 * up to who calls it. Percentages are of all samples, as in perf's "graph" form; light
 * branches are left out.
 */
#ifndef PYREC_REPORT_CALL_TREE_H
#define PYREC_REPORT_CALL_TREE_H

#include "report/histogram.h"
#include "report/out_stream.h"

/** Return: 0 or -ENOMEM. */
must_check int call_tree_print(struct out_stream *out, const struct histogram *histogram,
			       const struct histogram_row *row);

#endif
