/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The report for people, after perf report: a header, rows by the sort keys, call trees. */
#include <errno.h>
#include <string.h>

#include "common/escape.h"
#include "report/call_tree.h"
#include "report/histogram.h"
#include "report/output.h"
#include "report/report_header.h"
#include "report/tally.h"
#include "report/text_columns.h"

static void text_frame_key(const struct output *output, const struct location *location,
			   struct strbuf *key)
{
	strbuf_append_text(key, location_mark(location->kind));
	strbuf_append_char(key, ' ');
	strbuf_append_text(key, location->symbol);
	strbuf_append_text(key, location_inlined_mark(location));
	strbuf_append_char(key, '\0');
	strbuf_append_text(key, location->dso);
	if (output_sorts_by(output->options, SORT_SRCLINE)) {
		strbuf_append_char(key, '\0');
		location_append_source(location, output->options->columns, key);
	}
}

static void text_group_key(const struct output *output, const struct sample_info *sample,
			   struct strbuf *key)
{
	if (output_sorts_by(output->options, SORT_HOST))
		strbuf_append_format(key, "%s/", sample->host);
	if (output_sorts_by(output->options, SORT_COMM))
		strbuf_append_text(key, sample->comm);
	if (output_sorts_by(output->options, SORT_PID))
		strbuf_append_format(key, "/%u", sample->pid);
	if (output_sorts_by(output->options, SORT_TID))
		strbuf_append_format(key, "/%u", sample->tid);
	if (output_sorts_by(output->options, SORT_CGROUP))
		strbuf_append_text(key, sample->cgroup);
	if (output_sorts_by(output->options, SORT_CONTAINER))
		strbuf_append_format(key, "/%s", sample->container);
	if (output_sorts_by(output->options, SORT_TASK) && sample->task)
		strbuf_append_format(key, "/%s", sample->task);
}

struct text_table {
	struct out_stream *out;
	const struct histogram *histogram;
	const struct output_options *options;
	struct text_columns columns;
	struct strbuf cell;
};

static bool text_shows_row(const struct text_table *table, const struct histogram_row *row)
{
	bool children = table->options->children;

	return (children || row->self.samples_nr) &&
	       histogram_percent(table->histogram, children ? &row->total : &row->self) >=
		   table->options->percent_limit;
}

static const char *text_cell(struct text_table *table, const struct histogram_row *row,
			     uint32_t column)
{
	strbuf_reset(&table->cell);
	histogram_append_column(table->histogram, table->options->sort[column], row->group,
				row->frame, &table->cell);
	return strbuf_text(&table->cell);
}

static void text_measure(struct text_table *table)
{
	const struct histogram *histogram = table->histogram;

	text_columns_begin(&table->columns, table->options);
	for (size_t row = 0; row < histogram->rows_nr; row++) {
		if (!text_shows_row(table, &histogram->rows[row]))
			continue;
		for (uint32_t i = 0; i < table->options->sort_nr; i++)
			text_columns_measure(&table->columns, i,
					     text_cell(table, &histogram->rows[row], i));
	}
}

static void text_print_titles(struct text_table *table)
{
	const bool children = table->options->children;

	out_text(table->out, children ? "# Children      Self   Samples" : "# Overhead   Samples");
	text_columns_print_titles(&table->columns, table->out);
	out_text(table->out, children ? "# ........  ........  ........" : "# ........  ........");
	text_columns_print_rule(&table->columns, table->out);
}

static int text_print_row(struct text_table *table, const struct histogram_row *row)
{
	const struct output_options *options = table->options;
	double self = histogram_percent(table->histogram, &row->self);
	double total = histogram_percent(table->histogram, &row->total);
	const struct profile_weight *shown = options->children ? &row->total : &row->self;

	if (options->children)
		out_format(table->out, "   %6.2f%%   %6.2f%%", total, self);
	else
		out_format(table->out, "   %6.2f%%", self);
	out_format(table->out, "  %8llu", (unsigned long long)shown->samples_nr);
	for (uint32_t i = 0; i < options->sort_nr; i++)
		text_columns_print(&table->columns, table->out, i, text_cell(table, row, i));
	out_char(table->out, '\n');
	if (options->tree == TREE_NONE)
		return 0;
	return call_tree_print(table->out, table->histogram, row);
}

static int text_print_table(struct text_table *table)
{
	const struct histogram *histogram = table->histogram;
	auto_free uint32_t *order = NULL;
	int ret = histogram_order(histogram, &order);

	if (ret)
		return ret;
	text_measure(table);
	text_print_titles(table);
	for (size_t i = 0; i < histogram->rows_nr && ret == 0 && !table->out->error; i++)
		if (text_shows_row(table, &histogram->rows[order[i]]))
			ret = text_print_row(table, &histogram->rows[order[i]]);
	return ret ? ret : table->cell.error;
}

static void text_tell(struct output *output, const struct session *session)
{
	report_header_print_text(output->out, session, output->options);
}

static int text_end(struct output *output, const struct tally *tally)
{
	struct histogram histogram;
	struct text_table table = {
	    .out = output->out, .histogram = &histogram, .options = output->options};
	int ret = histogram_init(&histogram, tally, output->options);

	if (ret == 0)
		ret = text_print_table(&table);
	strbuf_deinit(&table.cell);
	histogram_deinit(&histogram);
	return ret;
}

const struct output_ops output_text = {
    .name = "text",
    .frame_key = text_frame_key,
    .group_key = text_group_key,
    .tell = text_tell,
    .end = text_end,
};
