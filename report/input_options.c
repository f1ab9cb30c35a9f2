/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/input_options.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

#include "report/debuginfod.h"
#include "report/options.h"

enum {
	OPTION_SYMFS = 0x200, /* options.c has those below */
	OPTION_NO_LOCAL_FILES,
	OPTION_COMM,
	OPTION_PID,
	OPTION_TID,
	OPTION_CGROUP,
	OPTION_NS_PID,
	OPTION_TASK,
	OPTION_DSO,
	OPTION_SYMBOL,
	OPTION_EVENT,
	OPTION_PYTHON_ONLY,
	OPTION_NO_KERNEL,
	OPTION_SHOW_EVAL,
	OPTION_NO_PAGER,
	OPTION_STATS,
	OPTION_TIME,
	OPTION_INLINE,
	OPTION_NO_INLINE,
	OPTION_NO_DEMANGLE,
	OPTION_DEBUGINFOD,
	OPTION_NO_DEBUGINFOD,
};

static const struct argp_option input_option_table[] = {
    {"input", 'i', "FILE", 0,
     "Recording to read, - for standard input (default: pyrec.data); several are shown together",
     0},
    {"symfs", OPTION_SYMFS, "DIR", 0, "Look for the recorded machine's files below DIR", 0},
    {"debuginfod", OPTION_DEBUGINFOD, "URL", OPTION_ARG_OPTIONAL,
     "Fetch debug information from this server (default with $DEBUGINFOD_URLS: from those)", 0},
    {"no-debuginfod", OPTION_NO_DEBUGINFOD, NULL, 0,
     "Ask no server, whatever $DEBUGINFOD_URLS says", 0},
    {"no-local-files", OPTION_NO_LOCAL_FILES, NULL, 0,
     "Use only what the recording holds, no file of this machine", 0},
    {"time", OPTION_TIME, "FROM,TO", 0,
     "Samples from FROM up to TO, in seconds as script prints them, or +SECONDS from the first "
     "sample; "
     "either may be left out",
     0},
    {"event", OPTION_EVENT, "NAME", 0, "Samples of this event (default: the first one)", 0},
    {"comm", OPTION_COMM, "NAME,…", 0, "Samples of these commands; names may hold * and ?", 0},
    {"pid", OPTION_PID, "PID,…", 0, "Samples of these processes", 0},
    {"tid", OPTION_TID, "TID,…", 0, "Samples of these threads", 0},
    {"cgroup", OPTION_CGROUP, "NAME,…", 0,
     "Samples of these control groups, by path, last part or container", 0},
    {"ns-pid", OPTION_NS_PID, NULL, 0,
     "Number processes and threads as their own pid namespace does, 0 where that is not known", 0},
    {"task", OPTION_TASK, "NAME,…", 0,
     "Samples of these asyncio tasks (CPython 3.14 and newer); names may hold * and ?", 0},
    {"dso", OPTION_DSO, "FILE,…", 0,
     "Rows of these files, by path or last part; other formats: samples with such a frame", 0},
    {"symbol", OPTION_SYMBOL, "NAME,…", 0,
     "Rows of these functions; other formats: samples with such a frame", 0},
    {"python-only", OPTION_PYTHON_ONLY, NULL, 0, "Leave out native and kernel frames", 0},
    {"no-kernel", OPTION_NO_KERNEL, NULL, 0, "Leave out kernel frames", 0},
    {"show-eval", OPTION_SHOW_EVAL, NULL, 0,
     "Show the interpreter's evaluation loops below the Python frames that they run", 0},
    {"inline", OPTION_INLINE, NULL, 0,
     "Show inlined native functions, where this machine has the debug information (default)", 0},
    {"no-inline", OPTION_NO_INLINE, NULL, 0, "Show what is inlined as part of its function", 0},
    {"no-demangle", OPTION_NO_DEMANGLE, NULL, 0, "Leave names of C++ and Rust mangled", 0},
    {"no-pager", OPTION_NO_PAGER, NULL, 0, "Write to the terminal directly", 0},
    {"jobs", 'j', "N", 0,
     "Threads to work with, up to 3 are of use (default: as many as there are CPUs)", 0},
    {"stats", OPTION_STATS, NULL, 0, "Tell on stderr where the time of this command went", 0},
    {0},
};

static struct filter *filter_of_option(struct session_options *session, int key)
{
	switch (key) {
	case OPTION_COMM:
		return &session->comm;
	case OPTION_PID:
		return &session->pid;
	case OPTION_TID:
		return &session->tid;
	case OPTION_CGROUP:
		return &session->cgroup;
	case OPTION_TASK:
		session->with_tasks = true;
		return &session->task;
	case OPTION_DSO:
		return &session->dso;
	case OPTION_SYMBOL:
		return &session->symbol;
	default:
		return NULL;
	}
}

static uint32_t parse_jobs(const char *text, struct argp_state *state)
{
	char *end;
	unsigned long nr = strtoul(text, &end, 10);

	if (end == text || *end || nr == 0 || nr > UINT16_MAX)
		argp_error(state, "--jobs wants a number of threads, not '%s'", text);
	return (uint32_t)nr;
}

/* Standard input can be read only once. */
static error_t add_input(struct report_options *options, const char *name, struct argp_state *state)
{
	for (size_t i = 0; i < options->inputs.nr; i++)
		if (strcmp(name, "-") == 0 && strcmp(options->inputs.items[i], name) == 0)
			argp_error(state, "standard input can be read only once");
	return input_names_append(&options->inputs, name) ? ENOMEM : 0;
}

/* "12.5" or "+12.5", up to a comma or the end; nothing is no bound. Return: false when it is
 * neither.
 */
static bool parse_time(const char *text, size_t nr, struct session_time *ret)
{
	uint64_t unit_ns = 1000000000;
	size_t at = 0;

	*ret = (struct session_time){.is_set = nr > 0};
	if (nr && text[0] == '+') {
		ret->is_relative = true;
		at++;
	}
	if (nr && (at == nr || text[at] == '.'))
		return false;
	for (; at < nr && text[at] != '.'; at++)
		if (text[at] < '0' || text[at] > '9' ||
		    __builtin_mul_overflow(ret->ns, 10, &ret->ns) ||
		    __builtin_add_overflow(ret->ns, (uint64_t)(text[at] - '0') * unit_ns, &ret->ns))
			return false;
	for (at += at < nr; at < nr; at++) {
		unit_ns /= 10;
		if (text[at] < '0' || text[at] > '9')
			return false;
		ret->ns += (uint64_t)(text[at] - '0') * unit_ns;
	}
	return true;
}

static void parse_time_range(const char *text, struct session_time range[2],
			     struct argp_state *state)
{
	const char *comma = strchr(text, ',');

	if (!comma || strchr(comma + 1, ',') ||
	    !parse_time(text, (size_t)(comma - text), &range[0]) ||
	    !parse_time(comma + 1, strlen(comma + 1), &range[1]))
		argp_error(state, "--time wants FROM,TO in seconds, not '%s'", text);
}

static error_t parse_input_option(int key, char *argument, struct argp_state *state)
{
	struct report_options *options = state->input;
	struct filter *filter = filter_of_option(&options->session, key);

	if (filter)
		return filter_add(filter, argument) ? ENOMEM : 0;
	switch (key) {
	case ARGP_KEY_INIT:
		options->session.use_debuginfod = debuginfod_is_configured();
		return debuginfod_configure(NULL) ? ENOMEM : 0;
	case ARGP_KEY_ARG:
	case 'i':
		return add_input(options, argument, state);
	case ARGP_KEY_END:
		return options->inputs.nr ? 0 : add_input(options, "pyrec.data", state);
	case OPTION_TIME:
		parse_time_range(argument, options->session.time, state);
		return 0;
	case OPTION_SYMFS:
		options->session.symfs = argument;
		return 0;
	case OPTION_DEBUGINFOD:
		options->session.use_debuginfod = true;
		if (debuginfod_configure(argument))
			return ENOMEM;
		if (!debuginfod_is_configured())
			argp_error(state, "--debuginfod wants a URL, here or in DEBUGINFOD_URLS");
		return 0;
	case OPTION_NO_DEBUGINFOD:
		options->session.use_debuginfod = false;
		return 0;
	case OPTION_NO_LOCAL_FILES:
		options->session.use_local_files = false;
		return 0;
	case OPTION_EVENT:
		options->session.event = argument;
		return 0;
	case OPTION_NS_PID:
		options->session.ns_pid = true;
		return 0;
	case OPTION_PYTHON_ONLY:
		options->session.stack.python_only = true;
		options->output.python_only = true;
		return 0;
	case OPTION_NO_KERNEL:
		options->session.stack.no_kernel = true;
		options->output.no_kernel = true;
		return 0;
	case OPTION_SHOW_EVAL:
		options->session.stack.show_eval = true;
		return 0;
	case OPTION_INLINE:
	case OPTION_NO_INLINE:
		options->session.names.with_inlines = key == OPTION_INLINE;
		return 0;
	case OPTION_NO_DEMANGLE:
		options->session.names.keep_mangled = true;
		return 0;
	case OPTION_NO_PAGER:
		options->no_pager = true;
		return 0;
	case 'j':
		options->session.jobs_nr = parse_jobs(argument, state);
		return 0;
	case OPTION_STATS:
		options->session.with_stats = true;
		return 0;
	default:
		return ARGP_ERR_UNKNOWN;
	}
}

static const struct argp input_parser = {.options = input_option_table,
					 .parser = parse_input_option};

const struct argp_child input_option_children[] = {
    {&input_parser, 0, "What to read:", 1},
    {0},
};
