/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The command lines of the commands that show samples. */
#ifndef PYREC_REPORT_OPTIONS_H
#define PYREC_REPORT_OPTIONS_H

#include <stdbool.h>

#include "common/cleanup.h"
#include "report/output.h"
#include "common/vec.h"
#include "report/session.h"

enum { EXIT_STATUS_USAGE = 129 };

VEC_DEFINE(input_names, const char *)

struct report_options {
	struct input_names inputs; /* at least one; "-": stdin */
	struct session_options session;
	struct output_options output;
	const struct output_ops *form;
	bool has_children; /* --children or --no-children was given */
	bool no_pager;
	/* pyrec annotate */
	const char *annotated_symbol;
	const char *source_dir; /* NULL: none */
};

/**
 * Parse; wrong usage is told on stderr and ends the process with status 129, --help with 0.
 * Return: 0 or -errno. @ret points into @argv and itself: do not copy it.
 */
must_check int report_options_parse(int argc, char **argv, struct report_options *ret);
must_check int script_options_parse(int argc, char **argv, struct report_options *ret);
/** Of exactly two inputs, the older one first. */
must_check int diff_options_parse(int argc, char **argv, struct report_options *ret);
/** Of a function, then any inputs. */
must_check int annotate_options_parse(int argc, char **argv, struct report_options *ret);
void report_options_deinit(struct report_options *options);

#endif
