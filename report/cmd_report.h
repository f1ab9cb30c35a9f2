/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PYREC_REPORT_CMD_REPORT_H
#define PYREC_REPORT_CMD_REPORT_H

/** pyrec report. Return: the exit status (0, 1, 129 for wrong usage). */
int cmd_report(int argc, char **argv);

#endif
