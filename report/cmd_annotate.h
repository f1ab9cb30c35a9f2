/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* pyrec annotate: which lines and which instructions of a function the time went to. */
#ifndef PYREC_REPORT_CMD_ANNOTATE_H
#define PYREC_REPORT_CMD_ANNOTATE_H

/** Return: the exit status. */
int cmd_annotate(int argc, char **argv);

#endif
