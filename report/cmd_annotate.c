/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/cmd_annotate.h"

#include <errno.h>

#include "common/escape.h"
#include "common/log.h"
#include "report/annotate_counts.h"
#include "report/annotate_native.h"
#include "report/annotate_python.h"
#include "report/options.h"
#include "report/present.h"
#include "report/report_header.h"
#include "report/session.h"

/* The form that samples are handed to. */
struct annotate_output {
	struct output output;
	struct annotate_counts *counts;
};

static int annotate_sample(struct output *output, const struct session *session,
			   const struct sample_info *sample)
{
	struct annotate_output *annotate = (struct annotate_output *)output;

	_Static_assert(offsetof(struct annotate_output, output) == 0, "one is the other");
	return annotate_counts_add(annotate->counts, &session->locations, sample);
}

static const struct output_ops output_annotate = {.name = "annotate", .sample = annotate_sample};

static int annotate_count(struct sessions *sessions, const struct report_options *options,
			  struct out_stream *out, struct annotate_counts *counts)
{
	struct annotate_output annotate = {
	    .output = {.ops = &output_annotate, .options = &options->output, .out = out},
	    .counts = counts};
	int ret = 0;

	for (size_t i = 0; i < sessions->nr && ret == 0; i++)
		ret = session_run(&sessions->items[i], &annotate.output, NULL);
	for (size_t i = 0; i < sessions->nr && ret == 0; i++)
		ret = annotate_counts_find_ends(counts, &sessions->items[i].locations);
	intern_deinit(&annotate.output.texts);
	return ret;
}

/* Of the recording that ended first; 0: none tells the time of day. */
static uint64_t recorded_ns(const struct sessions *sessions)
{
	uint64_t ret = 0;

	for (size_t i = 0; i < sessions->nr; i++) {
		const struct session *session = &sessions->items[i];
		const uint64_t ns = session_realtime_ns(session, session->counts.last_ns);

		if (ns && (!ret || ns < ret))
			ret = ns;
	}
	return ret;
}

static int annotate_function(struct annotate_table *table, const struct sessions *sessions,
			     const struct report_options *options)
{
	const struct source_places sources = {.folder = options->source_dir,
					      .use_local_files = options->session.use_local_files,
					      .symfs = options->session.symfs};

	if (table->function->location->kind != LOCATION_PYTHON)
		return annotate_native(table, &sources);
	return annotate_python(table, &sources, recorded_ns(sessions));
}

static int annotate_functions(const struct sessions *sessions, const struct report_options *options,
			      struct out_stream *out, const struct annotate_counts *counts,
			      const uint32_t *order, size_t nr)
{
	int ret = 0;

	for (size_t i = 0; i < sessions->nr; i++)
		report_header_print_text(out, &sessions->items[i], &options->output);
	for (size_t i = 0; i < nr && ret == 0 && !out->error; i++) {
		struct annotate_table table = {.out = out,
					       .counts = counts,
					       .function = &counts->functions.items[order[i]],
					       .children = options->output.children,
					       .percent_limit = options->output.percent_limit};

		out_text(out, i ? "\n" : "");
		ret = annotate_function(&table, sessions, options);
	}
	return ret;
}

/* Return: -ENOENT after telling on stderr why nothing is shown. */
static int annotate_none(const struct annotate_counts *counts, bool children)
{
	auto_strbuf struct strbuf name = {0};

	escape_append(&name, counts->symbol, strlen(counts->symbol));
	if (counts->functions.nr && !children)
		log_error("no sample is in '%s' itself: see --children", strbuf_text(&name));
	else if (counts->functions.nr)
		log_error("'%s' has less than --percent-limit", strbuf_text(&name));
	else
		log_error("no sample has a function '%s'", strbuf_text(&name));
	return -ENOENT;
}

static int annotate_sessions(struct sessions *sessions, struct report_options *options,
			     struct out_stream *out, struct annotate_counts *counts)
{
	const struct output_options *output = &options->output;
	auto_free uint32_t *order = NULL;
	int64_t nr;
	int ret = annotate_count(sessions, options, out, counts);

	if (ret)
		return ret;
	annotate_counts_sort(counts);
	nr = annotate_counts_order(counts, output->children, output->percent_limit, &order);
	if (nr < 0)
		return (int)nr;
	if (nr == 0)
		return annotate_none(counts, output->children);
	return annotate_functions(sessions, options, out, counts, order, (size_t)nr);
}

static int annotate_present(struct sessions *sessions, struct report_options *options)
{
	auto_free struct out_stream *out = malloc(sizeof(*out));
	struct annotate_counts counts;
	int finished;
	int ret;

	if (!out)
		return -ENOMEM;
	out_stream_init_stdout(out, !options->no_pager);
	ret = annotate_counts_init(&counts, options->annotated_symbol, &options->output);
	if (ret == 0)
		ret = annotate_sessions(sessions, options, out, &counts);
	annotate_counts_deinit(&counts);
	finished = present_finish(out);
	return ret ? ret : finished;
}

static int annotate_recordings(struct report_options *options)
{
	struct sessions sessions;
	int status = EXIT_FAILURE;

	if (sessions_open(&sessions, &options->session, &options->inputs) == 0) {
		present_set_defaults(options, &sessions.items[0]);
		status = present_status(&sessions, &options->inputs,
					annotate_present(&sessions, options));
	}
	sessions_close(&sessions);
	return status;
}

int cmd_annotate(int argc, char **argv)
{
	struct report_options options;
	int status = annotate_options_parse(argc, argv, &options) ? EXIT_STATUS_USAGE
								  : annotate_recordings(&options);

	report_options_deinit(&options);
	return status;
}
