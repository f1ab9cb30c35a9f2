/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "record/cmd_record.h"

#include <errno.h>
#include <stdlib.h>

#include "common/log.h"
#include "common/proc_text.h"
#include "record/options.h"
#include "record/recorder.h"

static enum log_level options_log_level(const struct record_options *options)
{
	if (options->is_quiet)
		return LOG_LEVEL_WARN;
	return options->is_verbose ? LOG_LEVEL_DEBUG : LOG_LEVEL_INFO;
}

/*
 * The kernel's records number processes as this program's pid namespace does. A /proc of another
 * one would tell of other processes under the same numbers.
 */
static int check_proc(void)
{
	auto_free char *status = NULL;
	uint32_t numbers[2];
	size_t nr;

	if (proc_file_read("/proc/self/status", &status, &nr) == 0 &&
	    proc_numbers_parse(status, numbers, 2) < 2)
		return 0;
	log_error("/proc is not mounted or is that of another pid namespace: mount this one's "
		  "(mount -t proc proc /proc), or run pyrec record outside");
	return -ENOENT;
}

/* As a shell says that it found no such command. */
enum { EXIT_NO_COMMAND = 127 };

int cmd_record(int argc, char **argv)
{
	struct record_options options;
	struct recorder *recorder = NULL;
	int status = EXIT_FAILURE;
	int error = record_options_parse(argc, argv, &options);

	if (!error) {
		log_set_level(options_log_level(&options));
		error = check_proc();
	}
	if (!error)
		error = recorder_create(&options, argc, argv, &recorder);
	if (!error)
		error = recorder_run(recorder);
	if (!error)
		error = recorder_finish(recorder);
	if (!error)
		status = recorder_command_status(recorder);
	else if (error == -ECANCELED)
		status = EXIT_NO_COMMAND;
	recorder_destroy(recorder);
	record_options_deinit(&options);
	return status;
}
