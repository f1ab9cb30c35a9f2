/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* pyrec diff: what grew and what shrank from one recording to another. */
#ifndef PYREC_REPORT_CMD_DIFF_H
#define PYREC_REPORT_CMD_DIFF_H

/** Return: the exit status. */
int cmd_diff(int argc, char **argv);

#endif
