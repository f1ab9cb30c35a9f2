/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One recording from its start to the finished file: owns the sampler, the side-band, the tables
 * of processes and code objects and the writer, and runs the loop that drains them.
 */
#ifndef PYREC_RECORD_RECORDER_H
#define PYREC_RECORD_RECORDER_H

#include "common/cleanup.h"
#include "record/options.h"

struct recorder;

/** Load, open and write the head of the file. Logs why not. Return: 0; -ECANCELED: there is no such
 *  command; -errno. */
must_check int recorder_create(const struct record_options *options, int argc, char **argv,
			       struct recorder **ret);
/** Record until the time is over, the command ends or a signal comes. Logs. Return: 0; -ECANCELED:
 * the command could not be run; -errno. */
must_check int recorder_run(struct recorder *recorder);
/** Write what is left, the bundle, the summary. Logs. Return: 0 or -errno. */
must_check int recorder_finish(struct recorder *recorder);
/** Exit status of the command; 0 without one, or when the recorder ended it. */
int recorder_command_status(const struct recorder *recorder);
/** Stops and ends whatever runs; NULL is fine. */
void recorder_destroy(struct recorder *recorder);

#endif
