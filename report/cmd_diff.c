/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/cmd_diff.h"

#include <errno.h>

#include "report/diff_table.h"
#include "report/options.h"
#include "report/present.h"
#include "report/session.h"

/* Count one recording. */
static int diff_count(struct session *session, const struct report_options *options,
		      struct out_stream *out, struct tally *tally)
{
	struct output output = {.ops = &output_text, .options = &options->output, .out = out};
	int ret = session_run(session, &output, tally);

	intern_deinit(&output.texts);
	return ret;
}

static int diff_sessions(struct sessions *sessions, struct report_options *options)
{
	auto_free struct out_stream *out = malloc(sizeof(*out));
	struct tally tallies[2];
	int finished;
	int ret = 0;

	if (!out)
		return -ENOMEM;
	out_stream_init_stdout(out, !options->no_pager);
	for (size_t i = 0; i < 2; i++)
		tally_init(&tallies[i]);
	for (size_t i = 0; i < 2 && ret == 0; i++)
		ret = diff_count(&sessions->items[i], options, out, &tallies[i]);
	if (ret == 0)
		ret = diff_table_print(out, &options->output, sessions->items, tallies);
	for (size_t i = 0; i < 2; i++)
		tally_deinit(&tallies[i]);
	finished = present_finish(out);
	return ret ? ret : finished;
}

static int diff_recordings(struct report_options *options)
{
	struct sessions sessions;
	int status = EXIT_FAILURE;

	if (sessions_open(&sessions, &options->session, &options->inputs) == 0) {
		present_set_defaults(options, &sessions.items[0]);
		status = present_status(&sessions, &options->inputs,
					diff_sessions(&sessions, options));
	}
	sessions_close(&sessions);
	return status;
}

int cmd_diff(int argc, char **argv)
{
	struct report_options options;
	int status = diff_options_parse(argc, argv, &options) ? EXIT_STATUS_USAGE
							      : diff_recordings(&options);

	report_options_deinit(&options);
	return status;
}
