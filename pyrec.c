/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The front door: the table of commands, and nothing else. */
#include <stdio.h>
#include <string.h>

#ifndef PYREC_REPORT_ONLY
#include "record/cmd_record.h"
#endif
#include "report/cmd_annotate.h"
#include "report/cmd_diff.h"
#include "report/cmd_dump.h"
#include "report/cmd_info.h"
#include "report/cmd_report.h"
#include "report/cmd_script.h"

enum { EXIT_USAGE = 129 };

struct command {
	const char *name; /* NULL ends the table */
	/* argv[0] is the command's name. Return: the exit status. */
	int (*run)(int argc, char **argv);
	const char *summary;
};

static const struct command commands[] = {
#ifndef PYREC_REPORT_ONLY
    {"record", cmd_record, "sample the Python programs of this machine into a file"},
#endif
    {"report", cmd_report, "show where the time of a recording went"},
    {"script", cmd_script, "print every sample in the form of perf script"},
    {"diff", cmd_diff, "show what grew and shrank from one recording to another"},
    {"annotate", cmd_annotate, "show which lines and instructions of a function the time went to"},
    {"info", cmd_info, "show a recording's header, counts and losses"},
    {"dump", cmd_dump, "print every record of a recording in readable form"},
    {NULL, NULL, NULL},
};

static void usage_print(FILE *out)
{
	fputs("Usage: pyrec COMMAND [OPTION…]\n\n"
	      "Low overhead profiler of Python programs: records raw samples with eBPF,\n"
	      "reports them anywhere.\n\n",
	      out);
	for (const struct command *command = commands; command->name; command++)
		fprintf(out, "  %-8s %s\n", command->name, command->summary);
	fputs(
	    "\n  pyrec COMMAND --help tells each command's options; pyrec --version the version.\n",
	    out);
}

int main(int argc, char **argv)
{
	if (argc < 2) {
		usage_print(stderr);
		return EXIT_USAGE;
	}
	for (const struct command *command = commands; command->name; command++)
		if (strcmp(argv[1], command->name) == 0)
			return command->run(argc - 1, argv + 1);
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "-V") == 0) {
		puts("pyrec " PYREC_VERSION);
		return 0;
	}
	if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0 ||
	    strcmp(argv[1], "help") == 0) {
		usage_print(stdout);
		return 0;
	}
	fprintf(stderr, "pyrec: '%s' is not a command; see pyrec --help\n", argv[1]);
	return EXIT_USAGE;
}
