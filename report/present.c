/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/present.h"

#include <errno.h>
#include <string.h>

#include "common/log.h"
#include "report/session.h"
#include "report/tally.h"

void present_log_session(const struct session *session, const char *input, int error)
{
	if (session->error.code)
		read_error_log(input, &session->error);
	else if (error == -ENOMEM)
		log_error("%s: memory is out", input);
}

int sessions_open(struct sessions *sessions, const struct session_options *options,
		  const struct input_names *inputs)
{
	int error = 0;

	*sessions = (struct sessions){.items = calloc(inputs->nr, sizeof(*sessions->items))};
	if (!sessions->items)
		return -ENOMEM;
	while (sessions->nr < inputs->nr && error == 0) {
		const char *input = inputs->items[sessions->nr];
		struct session *session = &sessions->items[sessions->nr++];

		error = session_open(session, options, input);
		if (error)
			present_log_session(session, input, error);
	}
	return error;
}

void sessions_close(struct sessions *sessions)
{
	for (size_t i = 0; i < sessions->nr; i++)
		session_close(&sessions->items[i]);
	free(sessions->items);
}

/* As perf: counting callers makes sense where there are stacks. */
void present_set_defaults(struct report_options *options, const struct session *session)
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

static int present_run(struct sessions *sessions, struct output *output, struct tally *tally)
{
	uint64_t begin_ns;
	int ret = 0;

	for (size_t i = 0; i < sessions->nr && ret == 0 && !output->out->error; i++)
		ret = session_run(&sessions->items[i], output, tally);
	if (ret)
		return ret;
	begin_ns = stage_begin(&sessions->items[0].times);
	for (size_t i = 0; i < sessions->nr && output->ops->tell; i++)
		output->ops->tell(output, &sessions->items[i]);
	ret = output->ops->end(output, tally);
	stage_end(&sessions->items[0].times, STAGE_PRINT, begin_ns);
	return ret;
}

int present_finish(struct out_stream *out)
{
	int error = out_stream_finish(out);

	if (error == -ENOENT)
		log_error("the pager could not be run; see --no-pager");
	else if (error && error != -EPIPE)
		log_error("standard output: %s", strerror(-error));
	return error;
}

static int present_sessions(struct sessions *sessions, struct report_options *options)
{
	auto_free struct out_stream *out = malloc(sizeof(*out));
	struct output output = {.ops = options->form, .options = &options->output, .out = out};
	struct tally tally;
	int finished;
	int ret;

	if (!out)
		return -ENOMEM;
	out_stream_init_stdout(out, !options->no_pager && options->form == &output_text);
	/* Samples that run over the terminal show the progress themselves. */
	for (size_t i = 0; i < sessions->nr; i++)
		sessions->items[i].intake.progress.is_enabled &= !options->form->sample ||
								 !isatty(STDOUT_FILENO);
	tally_init(&tally);
	ret = present_run(sessions, &output, &tally);
	tally_deinit(&tally);
	intern_deinit(&output.texts);
	finished = present_finish(out);
	return ret ? ret : finished;
}

int present_status(const struct sessions *sessions, const struct input_names *inputs, int error)
{
	int status = error ? EXIT_FAILURE : EXIT_SUCCESS;

	if (error == -EPIPE)
		return EXIT_STATUS_PIPE;
	for (size_t i = 0; i < sessions->nr; i++) {
		present_log_session(&sessions->items[i], inputs->items[i], error);
		if (sessions->items[i].error.code)
			status = EXIT_FAILURE;
		if (!error && sessions->items[i].options->with_stats)
			stage_times_print(&sessions->items[i].times);
	}
	return status;
}

int present_recordings(struct report_options *options)
{
	struct sessions sessions;
	int status = EXIT_FAILURE;

	if (sessions_open(&sessions, &options->session, &options->inputs) == 0) {
		present_set_defaults(options, &sessions.items[0]);
		status = present_status(&sessions, &options->inputs,
					present_sessions(&sessions, options));
	}
	sessions_close(&sessions);
	return status;
}
