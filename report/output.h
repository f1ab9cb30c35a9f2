/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The seam between the session, which names and merges stacks, and the forms in which they are
 * shown. A form either takes each sample as it comes (sample) or has them counted by distinct
 * stack (frame_key, group_key) and shows the tree at the end.
 */
#ifndef PYREC_REPORT_OUTPUT_H
#define PYREC_REPORT_OUTPUT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/strbuf.h"
#include "report/filter.h"
#include "report/location.h"
#include "report/out_stream.h"
#include "report/sample_stack.h"

struct session;
struct tally;

struct sample_info {
	uint32_t pid; /* the recorder's; with --ns-pid the process's own, 0 where not known */
	uint32_t tid;
	uint32_t cpu; /* UINT32_MAX: not recorded */
	uint64_t time_ns;
	uint64_t period;
	const char *host;      /* escaped; '-' when the recording does not tell */
	const char *comm;      /* escaped; ":TID" when never told */
	const char *cgroup;    /* escaped; "-": not known */
	const char *container; /* its short name */
	const char *task;      /* escaped; NULL: none, or tasks are not asked for */
	const char *event;
	const struct stack_frame *frames; /* leaf first */
	size_t frames_nr;
};

enum sort_key {
	SORT_HOST,
	SORT_COMM,
	SORT_PID,
	SORT_TID,
	SORT_TASK,
	SORT_CGROUP,
	SORT_CONTAINER,
	SORT_OF_GROUP_LAST = SORT_CONTAINER, /* up to here they are of the sample, not a frame */
	SORT_DSO,
	SORT_SYMBOL,
	SORT_SRCLINE,
	SORT_KIND,
	SORT_KEYS_NR
};

enum tree_order {
	TREE_NONE,
	TREE_DEFAULT, /* TREE_CALLER with children, else TREE_CALLEE */
	TREE_CALLER,  /* from the row's function down to what it calls */
	TREE_CALLEE,  /* from the row's function up to who calls it */
};

struct output_options {
	enum sort_key sort[SORT_KEYS_NR];
	uint32_t sort_nr;
	bool children; /* count each frame of a stack, not only the leaf */
	enum tree_order tree;
	double percent_limit;	   /* rows below it are left out */
	double tree_percent_limit; /* branches below it are left out */
	bool no_pid;		   /* folded: "comm" as root instead of "comm-pid" */
	bool annotate_kinds;	   /* folded: _[p] _[n] _[k] */
	bool weigh_by_period;	   /* folded: periods instead of samples */
	bool lines;		   /* perf-script: "(FILE:LINE)" for Python frames */
	bool columns;		   /* the same and SORT_SRCLINE with columns; sets lines */
	bool show_task;		   /* folded, perf-script: a root frame "task::NAME" */
	bool python_only;	   /* told in the header */
	bool no_kernel;
	const struct filter *dso; /* rows of text; may be unset, never NULL */
	const struct filter *symbol;
};

/** Whether @key is one of the columns. */
static inline bool output_sorts_by(const struct output_options *options, enum sort_key key)
{
	for (uint32_t i = 0; i < options->sort_nr; i++)
		if (options->sort[i] == key)
			return true;
	return false;
}

struct output;

struct output_ops {
	const char *name; /* of --format= */

	/* For each recording, before its first sample, or when it has none. May be NULL. */
	void (*begin)(struct output *output, const struct session *session);

	/*
	 * Once for each distinct location: append the bytes that tell its frame from others. Equal
	 * bytes are one frame of the tree.
	 */
	void (*frame_key)(const struct output *output, const struct location *location,
			  struct strbuf *key);

	/* For samples whose thread is not the one of the sample before: the same for the group. */
	void (*group_key)(const struct output *output, const struct sample_info *sample,
			  struct strbuf *key);

	/* For each sample, in order of time. NULL: the form wants the counted tree. */
	int (*sample)(struct output *output, const struct session *session,
		      const struct sample_info *sample);

	/* For each recording, in order, after all of them were read. May be NULL. */
	void (*tell)(struct output *output, const struct session *session);

	/* Once, then, on damaged files too. @tally is empty with sample(). */
	int (*end)(struct output *output, const struct tally *tally);
};

struct output {
	const struct output_ops *ops;
	const struct output_options *options;
	struct out_stream *out;
	bool has_begun;
	struct intern texts;
};

extern const struct output_ops output_text;
extern const struct output_ops output_folded;
extern const struct output_ops output_script;

/** Let @output begin if it has not yet. */
static inline void output_begin(struct output *output, const struct session *session)
{
	if (!output->has_begun && output->ops->begin)
		output->ops->begin(output, session);
	output->has_begun = true;
}

/** NULL when there is no form of that name. */
const struct output_ops *output_find(const char *name);

/** "[p]", "[.]", "[k]", "[-]": the marks before symbols. */
const char *location_mark(enum location_kind kind);

/** What follows the name of a function that is shown: " (inlined)", as perf has it, or "". */
const char *location_inlined_mark(const struct location *location);

#endif
