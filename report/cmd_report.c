/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/cmd_report.h"

#include "report/options.h"
#include "report/present.h"

int cmd_report(int argc, char **argv)
{
	struct report_options options;
	int status = report_options_parse(argc, argv, &options) ? EXIT_STATUS_USAGE
								: present_recordings(&options);

	report_options_deinit(&options);
	return status;
}
