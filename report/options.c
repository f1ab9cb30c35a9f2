/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/options.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "report/input_options.h"

enum {
	OPTION_FORMAT = 0x100,
	OPTION_CHILDREN,
	OPTION_NO_CHILDREN,
	OPTION_PERCENT_LIMIT,
	OPTION_NO_PID,
	OPTION_ANNOTATE_KINDS,
	OPTION_WEIGHT,
	OPTION_LINES,
	OPTION_COLUMNS,
	OPTION_SHOW_TASK,
	OPTION_SOURCE_DIR,
};

#define TREE_PERCENT_LIMIT 0.5

/* ---- pyrec report ---- */

static const struct argp_option report_option_table[] = {
    {"format", OPTION_FORMAT, "FORM", 0, "text (default), folded or perf-script", 0},
    {"sort", 's', "KEY,…", 0,
     "Columns: host, comm, pid, tid, cgroup, container, task, dso, symbol, srcline, kind (default: "
     "comm,dso,symbol)",
     0},
    {"children", OPTION_CHILDREN, NULL, 0,
     "Count a function's callees too (default where the recording has stacks)", 0},
    {"no-children", OPTION_NO_CHILDREN, NULL, 0, "Count the innermost function only", 0},
    {"call-graph", 'g', "ORDER", OPTION_ARG_OPTIONAL,
     "Show call trees: caller (from a function down to what it calls; default with --children) or "
     "callee (up to who calls it)",
     0},
    {"percent-limit", OPTION_PERCENT_LIMIT, "N", 0, "Leave out rows below N percent", 0},
    {"no-pid", OPTION_NO_PID, NULL, 0, "folded: begin stacks with the command, not command-pid", 0},
    {"annotate-kinds", OPTION_ANNOTATE_KINDS, NULL, 0,
     "folded: mark functions with _[p] Python, _[n] native, _[i] inlined, _[k] kernel", 0},
    {"weight", OPTION_WEIGHT, "UNIT", 0, "folded: count samples (default) or period", 0},
    {"lines", OPTION_LINES, NULL, 0, "perf-script: give Python files as FILE:LINE", 0},
    {"columns", OPTION_COLUMNS, NULL, 0,
     "srcline, perf-script: give Python files as FILE:LINE:COLUMN-END, from CPython 3.11 on", 0},
    {"show-task", OPTION_SHOW_TASK, NULL, 0,
     "folded, perf-script: begin stacks with the asyncio task that ran, task::NAME", 0},
    {0},
};

static const char *const sort_key_names[SORT_KEYS_NR] = {
    [SORT_HOST] = "host",	[SORT_COMM] = "comm",	  [SORT_PID] = "pid",
    [SORT_TID] = "tid",		[SORT_CGROUP] = "cgroup", [SORT_CONTAINER] = "container",
    [SORT_TASK] = "task",	[SORT_DSO] = "dso",	  [SORT_SYMBOL] = "symbol",
    [SORT_SRCLINE] = "srcline", [SORT_KIND] = "kind",
};

static int sort_key_find(const char *name, size_t nr, enum sort_key *ret)
{
	/* perf's short spelling */
	if (nr == 3 && strncmp(name, "sym", nr) == 0) {
		*ret = SORT_SYMBOL;
		return 0;
	}
	for (int key = 0; key < SORT_KEYS_NR; key++) {
		if (strlen(sort_key_names[key]) == nr &&
		    strncmp(sort_key_names[key], name, nr) == 0) {
			*ret = (enum sort_key)key;
			return 0;
		}
	}
	return -ENOENT;
}

static void parse_sort(const char *list, struct report_options *options, struct argp_state *state)
{
	struct output_options *output = &options->output;

	output->sort_nr = 0;
	for (;;) {
		size_t nr = strcspn(list, ",");
		enum sort_key key;

		if (sort_key_find(list, nr, &key)) {
			argp_error(state, "'%.*s' is not a sort key", (int)nr, list);
			return;
		}
		if (!output_sorts_by(output, key))
			output->sort[output->sort_nr++] = key;
		options->session.with_tasks |= key == SORT_TASK;
		options->session.names.with_lines |= key == SORT_SRCLINE;
		if (list[nr] == '\0')
			return;
		list += nr + 1;
	}
}

static void parse_tree(const char *order, struct output_options *output, struct argp_state *state)
{
	if (!order)
		output->tree = output->tree == TREE_NONE ? TREE_DEFAULT : output->tree;
	else if (strcmp(order, "caller") == 0)
		output->tree = TREE_CALLER;
	else if (strcmp(order, "callee") == 0)
		output->tree = TREE_CALLEE;
	else
		argp_error(state, "-g knows the orders caller and callee, not '%s'", order);
}

static void parse_percent_limit(const char *text, struct output_options *output,
				struct argp_state *state)
{
	char *end;

	output->percent_limit = strtod(text, &end);
	if (end == text || *end || !(output->percent_limit >= 0) || output->percent_limit > 100)
		argp_error(state, "--percent-limit wants a number from 0 to 100, not '%s'", text);
	if (output->percent_limit > output->tree_percent_limit)
		output->tree_percent_limit = output->percent_limit;
}

static error_t parse_folded_option(int key, char *argument, struct argp_state *state)
{
	struct report_options *options = state->input;
	struct output_options *output = &options->output;

	switch (key) {
	case OPTION_NO_PID:
		output->no_pid = true;
		return 0;
	case OPTION_ANNOTATE_KINDS:
		output->annotate_kinds = true;
		return 0;
	case OPTION_WEIGHT:
		output->weigh_by_period = strcmp(argument, "period") == 0;
		if (!output->weigh_by_period && strcmp(argument, "samples") != 0)
			argp_error(state, "--weight is samples or period, not '%s'", argument);
		return 0;
	case OPTION_LINES:
		output->lines = true;
		return 0;
	case OPTION_COLUMNS:
		output->lines = true;
		output->columns = true;
		return 0;
	case OPTION_SHOW_TASK:
		output->show_task = true;
		options->session.with_tasks = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static error_t parse_report_option(int key, char *argument, struct argp_state *state)
{
	struct report_options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = options;
		return 0;
	case OPTION_FORMAT:
		options->form = output_find(argument);
		if (!options->form)
			argp_error(state, "--format is text, folded or perf-script, not '%s'",
				   argument);
		return 0;
	case 's':
		parse_sort(argument, options, state);
		return 0;
	case OPTION_CHILDREN:
	case OPTION_NO_CHILDREN:
		options->has_children = true;
		options->output.children = key == OPTION_CHILDREN;
		return 0;
	case 'g':
		parse_tree(argument, &options->output, state);
		return 0;
	case OPTION_PERCENT_LIMIT:
		parse_percent_limit(argument, &options->output, state);
		return 0;
	default:
		return parse_folded_option(key, argument, state);
	}
}

static uint32_t usable_cpus_nr(void)
{
	cpu_set_t cpus;

	return sched_getaffinity(0, sizeof(cpus), &cpus) ? 1 : (uint32_t)CPU_COUNT(&cpus);
}

static void report_options_init(struct report_options *options, const struct output_ops *form)
{
	*options = (struct report_options){
	    .session = {.use_local_files = true,
			.jobs_nr = usable_cpus_nr(),
			.names = {.with_inlines = true}},
	    .output = {.sort = {SORT_COMM, SORT_DSO, SORT_SYMBOL},
		       .sort_nr = 3,
		       .tree_percent_limit = TREE_PERCENT_LIMIT,
		       .dso = &options->session.dso,
		       .symbol = &options->session.symbol},
	    .form = form,
	};
}

int report_options_parse(int argc, char **argv, struct report_options *ret)
{
	static const struct argp parser = {
	    .options = report_option_table,
	    .parser = parse_report_option,
	    .args_doc = "[FILE…]",
	    .children = input_option_children,
	    .doc = "Show where the time of a recording went.\v"
		   "Symbols of Python bear [p], of machine code [.], of the kernel [k]. Where a "
		   "stack is not whole it holds a line [incomplete stack: …].",
	};
	char name[] = "pyrec report";

	report_options_init(ret, &output_text);
	argp_err_exit_status = EXIT_STATUS_USAGE;
	argv[0] = name;
	if (argp_parse(&parser, argc, argv, 0, NULL, ret))
		return -EINVAL;
	ret->session.filter_frames = ret->form != &output_text;
	return 0;
}

/* ---- pyrec script ---- */

static error_t parse_script_option(int key, char *argument, struct argp_state *state)
{
	struct report_options *options = state->input;

	switch (key) {
	case ARGP_KEY_INIT:
		state->child_inputs[0] = options;
		return 0;
	case OPTION_LINES:
	case OPTION_COLUMNS:
	case OPTION_SHOW_TASK:
		return parse_folded_option(key, argument, state);
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int script_options_parse(int argc, char **argv, struct report_options *ret)
{
	static const struct argp_option option_table[] = {
	    {"lines", OPTION_LINES, NULL, 0, "Give Python files as FILE:LINE", 0},
	    {"columns", OPTION_COLUMNS, NULL, 0,
	     "Give Python files as FILE:LINE:COLUMN-END, from CPython 3.11 on", 0},
	    {"show-task", OPTION_SHOW_TASK, NULL, 0,
	     "End stacks with the asyncio task that ran, task::NAME", 0},
	    {0},
	};
	static const struct argp parser = {
	    .options = option_table,
	    .parser = parse_script_option,
	    .args_doc = "[FILE…]",
	    .children = input_option_children,
	    .doc = "Print every sample in the form of perf script, which many tools read.\v"
		   "Python functions are called py::NAME and stand with their source file.",
	};
	char name[] = "pyrec script";

	report_options_init(ret, &output_script);
	argp_err_exit_status = EXIT_STATUS_USAGE;
	argv[0] = name;
	if (argp_parse(&parser, argc, argv, 0, NULL, ret))
		return -EINVAL;
	ret->session.filter_frames = true;
	return 0;
}

/* ---- pyrec diff ---- */

static const struct argp_option diff_option_table[] = {
    {"sort", 's', "KEY,…", 0, "Columns, as pyrec report (default: symbol)", 0},
    {"children", OPTION_CHILDREN, NULL, 0, "Order by what functions took with their callees", 0},
    {"no-children", OPTION_NO_CHILDREN, NULL, 0, "Order by the innermost functions alone (default)",
     0},
    {"percent-limit", OPTION_PERCENT_LIMIT, "N", 0, "Leave out what changed by less than N points",
     0},
    {0},
};

static error_t parse_diff_option(int key, char *argument, struct argp_state *state)
{
	const struct report_options *options = state->input;

	switch (key) {
	case 's':
	case OPTION_CHILDREN:
	case OPTION_NO_CHILDREN:
	case OPTION_PERCENT_LIMIT:
	case ARGP_KEY_INIT:
		return parse_report_option(key, argument, state);
	case ARGP_KEY_SUCCESS:
		if (options->inputs.nr != 2)
			argp_error(state, "two recordings are compared, the older one first");
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int diff_options_parse(int argc, char **argv, struct report_options *ret)
{
	static const struct argp parser = {
	    .options = diff_option_table,
	    .parser = parse_diff_option,
	    .args_doc = "OLD NEW",
	    .children = input_option_children,
	    .doc =
		"Show what grew and what shrank from one recording to another.\v"
		"Shares are of each recording's own samples, so recordings of different length can "
		"be compared; differences are in points of percent.",
	};
	char name[] = "pyrec diff";

	report_options_init(ret, &output_text);
	ret->has_children = true; /* perf diff, too, compares the functions themselves */
	ret->output.sort[0] = SORT_SYMBOL;
	ret->output.sort_nr = 1;
	argp_err_exit_status = EXIT_STATUS_USAGE;
	argv[0] = name;
	return argp_parse(&parser, argc, argv, 0, NULL, ret) ? -EINVAL : 0;
}

/* ---- pyrec annotate ---- */

static const struct argp_option annotate_option_table[] = {
    {"source-dir", OPTION_SOURCE_DIR, "DIR", 0,
     "Look for source files below DIR first, by ever less of their paths", 0},
    {"children", OPTION_CHILDREN, NULL, 0,
     "Count what lines call too (default where the recording has stacks)", 0},
    {"no-children", OPTION_NO_CHILDREN, NULL, 0, "Count the innermost function only", 0},
    {"percent-limit", OPTION_PERCENT_LIMIT, "N", 0,
     "Leave out functions below N percent of all, lines and instructions below N percent of their "
     "function",
     0},
    {0},
};

static error_t parse_annotate_option(int key, char *argument, struct argp_state *state)
{
	struct report_options *options = state->input;

	switch (key) {
	case OPTION_CHILDREN:
	case OPTION_NO_CHILDREN:
	case OPTION_PERCENT_LIMIT:
	case ARGP_KEY_INIT:
		return parse_report_option(key, argument, state);
	case OPTION_SOURCE_DIR:
		options->source_dir = argument;
		return 0;
	case ARGP_KEY_ARG:
		if (options->annotated_symbol)
			return ARGP_ERR_UNKNOWN; /* an input */
		options->annotated_symbol = argument;
		return 0;
	case ARGP_KEY_SUCCESS:
		if (!options->annotated_symbol)
			argp_error(state, "which function is to be shown?");
		/* The loop can be shown only where it is no Python function's frame. */
		if (strstr(options->annotated_symbol, "PyEval_EvalFrame"))
			options->session.stack.show_eval = true;
		/* Instructions are those of the function that they are part of. */
		options->session.names.with_inlines = false;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

int annotate_options_parse(int argc, char **argv, struct report_options *ret)
{
	static const struct argp parser = {
	    .options = annotate_option_table,
	    .parser = parse_annotate_option,
	    .args_doc = "SYMBOL [FILE…]",
	    .children = input_option_children,
	    .doc = "Show which lines and instructions of a function the time went to.\v"
		   "SYMBOL may hold * and ?; of several functions the heaviest comes first. Shares "
		   "are of the function's samples, and of all.",
	};
	char name[] = "pyrec annotate";

	report_options_init(ret, &output_text);
	argp_err_exit_status = EXIT_STATUS_USAGE;
	argv[0] = name;
	return argp_parse(&parser, argc, argv, 0, NULL, ret) ? -EINVAL : 0;
}

void report_options_deinit(struct report_options *options)
{
	input_names_deinit(&options->inputs);
	filter_deinit(&options->session.comm);
	filter_deinit(&options->session.cgroup);
	filter_deinit(&options->session.pid);
	filter_deinit(&options->session.tid);
	filter_deinit(&options->session.task);
	filter_deinit(&options->session.dso);
	filter_deinit(&options->session.symbol);
}
