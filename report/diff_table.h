/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Two recordings side by side: a row for each combination of the sort keys that either has, with
 * its share of each and the difference in points, those that changed most first.
 */
#ifndef PYREC_REPORT_DIFF_TABLE_H
#define PYREC_REPORT_DIFF_TABLE_H

#include "common/cleanup.h"
#include "report/out_stream.h"
#include "report/output.h"

struct session;
struct tally;

/** @sessions and @tallies: two of each, the older one first. Return: 0 or -ENOMEM. */
must_check int diff_table_print(struct out_stream *out, const struct output_options *options,
				const struct session *sessions, const struct tally *tallies);

#endif
