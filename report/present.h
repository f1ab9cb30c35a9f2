/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A recording on standard output, in the form and with the filters of the options. */
#ifndef PYREC_REPORT_PRESENT_H
#define PYREC_REPORT_PRESENT_H

#include "report/options.h"

/* What a shell shows for a process that SIGPIPE ended: the reader of our output went away. */
enum { EXIT_STATUS_PIPE = 141 };

/** Return: the exit status: 0; 1: told on stderr what is wrong, what could be read is shown; 141.
 */
int present_recording(struct report_options *options);

#endif
