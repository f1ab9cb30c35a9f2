/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PYREC_REPORT_CMD_INFO_H
#define PYREC_REPORT_CMD_INFO_H

/** pyrec info. Return: the exit status (0, 1, 129 for wrong usage). */
int cmd_info(int argc, char **argv);

#endif
