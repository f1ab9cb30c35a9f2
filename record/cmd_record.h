/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#ifndef PYREC_RECORD_CMD_RECORD_H
#define PYREC_RECORD_CMD_RECORD_H

/** pyrec record. Return: the exit status (0, 1, 129 for wrong usage, or the command's own). */
int cmd_record(int argc, char **argv);

#endif
