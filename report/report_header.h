/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a recording says about itself and what is missing in it, as comment lines.
 * The same file gives the same lines anywhere: no local time, no path of the file.
 */
#ifndef PYREC_REPORT_REPORT_HEADER_H
#define PYREC_REPORT_REPORT_HEADER_H

#include "report/out_stream.h"
#include "report/output.h"

struct session;

/** Head of the text report; call it after the last sample. */
void report_header_print_text(struct out_stream *out, const struct session *session,
			      const struct output_options *options);
/** The "# ========" block of perf script --header; may be called before the first sample. */
void report_header_print_script(struct out_stream *out, const struct session *session);
/** One line for each kind of loss and gap of a session that was read, with @prefix before it. */
void report_header_print_losses(struct out_stream *out, const struct session *session,
				const char *prefix);

#endif
