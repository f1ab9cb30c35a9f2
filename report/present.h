/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Recordings on standard output, in the form and with the filters of the options. */
#ifndef PYREC_REPORT_PRESENT_H
#define PYREC_REPORT_PRESENT_H

#include "report/options.h"

/* What a shell shows for a process that SIGPIPE ended: the reader of our output went away. */
enum { EXIT_STATUS_PIPE = 141 };

/** Return: the exit status: 0; 1: told on stderr what is wrong, what could be read is shown; 141.
 */
int present_recordings(struct report_options *options);

/* -- what other ways of showing recordings need of it -- */

/* Open at the same time: what is counted borrows from them. */
struct sessions {
	struct session *items;
	size_t nr;
};

/** All of them, in order. Return: 0 or -errno, told on stderr. To be closed in either case. */
must_check int sessions_open(struct sessions *sessions, const struct session_options *options,
			     const struct input_names *inputs);
void sessions_close(struct sessions *sessions);
/** What was not asked for on the command line, by the events that @session has. */
void present_set_defaults(struct report_options *options, const struct session *session);
/** Finish @out and tell on stderr what failed. Return: 0 or -errno. */
must_check int present_finish(struct out_stream *out);
/** The exit status, after telling on stderr what is wrong with each recording, and with_stats. */
int present_status(const struct sessions *sessions, const struct input_names *inputs, int error);
/** Tell on stderr what is wrong with one. */
void present_log_session(const struct session *session, const char *input, int error);

#endif
