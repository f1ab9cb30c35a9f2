/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One reading of one recording: records in, named stacks out. The file is streamed; what is kept is
 * the processes alive, code objects, distinct locations and distinct stacks.
 *
 *	intake_next -> payload tables, or timeline
 *		-> stack_builder_run -> the output's sample(), or tally_add()
 *
 * on one thread, or on three (pipeline.h).
 */
#ifndef PYREC_REPORT_SESSION_H
#define PYREC_REPORT_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "format/bundle.h"
#include "format/payload.h"
#include "format/reader.h"
#include "report/async_table.h"
#include "report/code_table.h"
#include "report/filter.h"
#include "report/intake.h"
#include "report/kernel_symbols.h"
#include "report/location.h"
#include "report/module.h"
#include "report/output.h"
#include "report/sample_stack.h"
#include "report/stage_times.h"
#include "report/tally.h"
#include "report/timeline.h"

/* One end of a range of time. */
struct session_time {
	bool is_set;
	bool is_relative; /* to the recording's first sample */
	uint64_t ns;
};

struct session_options {
	bool use_local_files;
	const char *symfs; /* NULL: "/" */
	bool use_debuginfod;
	const char *event; /* NULL: the first one that has samples */
	struct stack_options stack;
	struct location_options names;
	struct session_time time[2]; /* samples from the first one on, up to the second */
	bool ns_pid; /* number processes and threads as their own pid namespace does */
	struct filter comm, cgroup, pid, tid; /* samples of these */
	struct filter task;		      /* samples of these asyncio tasks */
	bool with_tasks;		      /* tell samples' tasks; without it none is kept */
	struct filter dso, symbol;	      /* samples with a frame of these, see filter_frames */
	bool filter_frames; /* false: the output applies dso and symbol to its rows */
	uint32_t jobs_nr;   /* 0 or 1: all on the calling thread */
	bool with_stats;    /* keep session->times */
};

struct session_counts {
	uint64_t samples_nr;	      /* handed to the output */
	uint64_t period;	      /* of these */
	uint64_t filtered_nr;	      /* left out by filters */
	uint64_t frameless_nr;	      /* left out: python_only or no_kernel leave no frame */
	uint64_t other_events_nr;     /* samples of events that were not asked for */
	uint64_t gaps[STACK_GAPS_NR]; /* of shown samples */
	uint64_t kernel_cut_nr;	      /* of shown samples */
	uint64_t status_counts[6];    /* of shown samples, by enum py_stack_status */
	uint64_t guessed_frames_nr;   /* native frames found without CFI */
	uint64_t unplaced_runs_nr;    /* struct merge_counts */
	uint64_t lost_records_nr;     /* PERF_RECORD_LOST */
	uint64_t lost_samples_nr;     /* PERF_RECORD_LOST_SAMPLES */
	uint64_t damaged_records_nr;
	uint64_t late_records_nr; /* older than what was already handed on */
	uint64_t first_ns;	  /* time of the first shown sample */
	uint64_t last_ns;
};

/* An interpreter as the recording tells of it, with how many processes had it. */
struct session_interpreter {
	uint32_t version_hex;
	bool is_unsupported;
	const char *path;    /* escaped */
	const char *message; /* escaped; may be empty */
	const char *name;    /* escaped; empty: CPython of that version */
	uint32_t processes_nr;
};

VEC_DEFINE(session_interpreters, struct session_interpreter)

struct session {
	const struct session_options *options;
	struct perf_reader *reader;
	struct bundle *bundle; /* NULL: none */
	struct modules *modules;
	struct kernel_symbols kernel;
	struct code_table codes;
	struct async_table tasks;
	struct location_table locations;
	struct timeline timeline;
	uint32_t build_ids_nr; /* of the reader's, known to timeline */
	struct intake intake;
	struct pipeline *pipeline; /* while session_run() runs on several threads; else NULL */
	struct stack_builder builder;
	struct tally *tally; /* borrowed; of all sessions that are shown together */
	struct intern texts;
	struct u32_vec
	    accepted_locations; /* filter_frames: by location; 0 not asked yet, 1 no, 2 */

	struct session_counts counts;
	struct stage_times times; /* with_stats */
	uint64_t apply_ns;	  /* with_stats: of all that the session's own thread did */
	const char *event_name;	  /* of the shown samples; NULL before the first one */
	uint64_t applied_ns;	  /* newest time handed on */
	const char *host;	  /* escaped */
	bool has_sampled;
	uint64_t first_sample_ns; /* of all samples, shown or not, once has_sampled */
	bool has_file_info;
	struct payload_file_info file_info; /* pyrec_version: NUL terminated, escaped */
	bool has_clock;
	struct payload_clock clock;
	bool has_losses;
	struct payload_losses losses; /* the last one */
	struct session_interpreters interpreters;
	struct read_error error; /* code 0, or the first thing wrong with the file */
};

/**
 * Open the recording @input ("-": stdin) and what it needs. @options is borrowed; @session is the
 * caller's memory, to be closed even when this fails. Return: 0; session->error.code when the file
 * cannot be read; -ENOMEM.
 */
must_check int session_open(struct session *session, const struct session_options *options,
			    const char *input);
void session_close(struct session *session);

/**
 * Read it all into @output: samples are shown, or counted in @tally, which then borrows from the
 * session. Damage does not stop it: what could be read is shown, and session->error tells. Return:
 * 0, -ENOMEM, or the error of @output.
 */
must_check int session_run(struct session *session, struct output *output, struct tally *tally);

/** Remember what is wrong with the file, if nothing was before. */
void session_set_error(struct session *session, int code, uint64_t offset, const char *what);

/** ns since 1970 of a time of the file; 0 when the file has no wall clock. */
uint64_t session_realtime_ns(const struct session *session, uint64_t time_ns);

#endif
