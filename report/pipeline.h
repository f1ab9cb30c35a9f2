/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A session on three threads: one reads, unpacks and orders (intake.h), the calling one unwinds,
 * names and merges, one counts or prints. Each hands batches to the next, so the order and with it
 * the output is the same as on one thread. What crosses is complete when it is handed over: records
 * in their blocks, frames as ids of locations, whose items neither move nor change any more.
 */
#ifndef PYREC_REPORT_PIPELINE_H
#define PYREC_REPORT_PIPELINE_H

#include "common/cleanup.h"
#include "report/intake.h"
#include "report/output.h"

struct pipeline;

/** Shows one sample; 0 or -errno, which ends the session. */
typedef int (*pipeline_show_fn)(struct session *session, struct output *output,
				const struct sample_info *info);

/** All are borrowed until pipeline_finish(). Return: 0 or -errno. */
must_check int pipeline_start(struct session *session, struct intake *intake, struct output *output,
			      pipeline_show_fn show, struct pipeline **ret);
/** As intake_next(). */
must_check int pipeline_next(struct pipeline *pipeline, struct intake_item *ret);
/** Copy @info and have it shown. Return: 0; -ENOMEM; -ECANCELED: no more can be shown. */
must_check int pipeline_show(struct pipeline *pipeline, const struct sample_info *info);
/** Wait until all is shown and free it. Return: 0, or what ended the reading or showing. */
must_check int pipeline_finish(struct pipeline *pipeline);

#endif
