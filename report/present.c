/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/present.h"

#include <errno.h>
#include <string.h>

#include "common/log.h"

/* As perf: counting callers makes sense where there are stacks. */
static void present_set_defaults(struct report_options *options, const struct session *session)
{
	uint32_t events_nr;
	const struct perf_reader_event *events = perf_reader_events(session->reader, &events_nr);
	struct output_options *output = &options->output;

	if (!options->has_children)
		output->children = events_nr && (events[0].layout.sample_type &
						 (PERF_SAMPLE_CALLCHAIN | PERF_SAMPLE_STACK_USER));
	if (output->tree == TREE_DEFAULT)
		output->tree = output->children ? TREE_CALLER : TREE_CALLEE;
}

static int present_session(struct session *session, struct report_options *options)
{
	auto_free struct out_stream *out = malloc(sizeof(*out));
	struct output output = {.ops = options->form, .options = &options->output, .out = out};
	int finished;
	int ret;

	if (!out)
		return -ENOMEM;
	out_stream_init_stdout(out, !options->no_pager && options->form == &output_text);
	/* Samples that run over the terminal show the progress themselves. */
	session->intake.progress.is_enabled &= !options->form->sample || !isatty(STDOUT_FILENO);
	ret = session_run(session, &output);
	intern_deinit(&output.texts);
	finished = out_stream_finish(out);
	if (finished == -ENOENT)
		log_error("the pager could not be run; see --no-pager");
	else if (finished && finished != -EPIPE)
		log_error("standard output: %s", strerror(-finished));
	return ret ? ret : finished;
}

static int present_status(const struct session *session, const struct report_options *options,
			  int error)
{
	if (session->error.code)
		read_error_log(options->session.input, &session->error);
	else if (error == -ENOMEM)
		log_error("%s: memory is out", options->session.input);
	return session->error.code || error ? EXIT_FAILURE : EXIT_SUCCESS;
}

int present_recording(struct report_options *options)
{
	struct session session;
	int error = session_open(&session, &options->session);
	int status;

	if (error == 0) {
		present_set_defaults(options, &session);
		error = present_session(&session, options);
	}
	if (error == 0 && options->session.with_stats)
		stage_times_print(&session.times);
	status = error == -EPIPE ? EXIT_STATUS_PIPE : present_status(&session, options, error);
	session_close(&session);
	return status;
}
