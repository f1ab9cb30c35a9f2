/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a recording says of itself: the event, the machine and the command in the file's header, and
 * the records before the first sample: options, clocks, the kernel's text.
 */
#ifndef PYREC_RECORD_FILE_HEAD_H
#define PYREC_RECORD_FILE_HEAD_H

#include "format/writer.h"
#include "record/options.h"
#include "record/output.h"

/** The event that @options ask for, disabled, as perf_event_open() takes it. Its times are
 * CLOCK_MONOTONIC. The file's header has the same one, with what its records look like. */
struct perf_event_attr file_head_event(const struct record_options *options);

/** Create the file of @options. @argv: the @argc words of the command line from "record" on. Logs.
 *  Return: 0 or -errno; *@ret is set on 0 only. */
must_check int file_head_create(const struct record_options *options, int argc, char **argv,
				struct perf_writer **ret);

/** Write the records that stand before all others. Return: 0 or the output's error. */
must_check int file_head_emit(const struct record_options *options, struct output *output);

#endif
