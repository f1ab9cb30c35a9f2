/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/diff_table.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "common/escape.h"
#include "common/intern.h"
#include "report/histogram.h"
#include "report/report_header.h"
#include "report/session.h"
#include "report/text_columns.h"

struct diff_side {
	double self; /* percent */
	double total;
	uint64_t self_nr; /* samples */
	uint64_t total_nr;
};

struct diff_row {
	struct diff_side sides[2];
	/* Where its columns can be read from. */
	uint32_t side;
	uint32_t group;
	uint32_t frame;
};

VEC_DEFINE(diff_rows, struct diff_row)

struct diff_table {
	struct out_stream *out;
	const struct output_options *options;
	struct histogram histograms[2];
	struct intern keys; /* ids: rows */
	struct diff_rows rows;
	struct strbuf cell;
};

static const char *diff_cell(struct diff_table *table, const struct diff_row *row, uint32_t column)
{
	strbuf_reset(&table->cell);
	histogram_append_column(&table->histograms[row->side], table->options->sort[column],
				row->group, row->frame, &table->cell);
	return strbuf_text(&table->cell);
}

static int diff_find_row(struct diff_table *table, uint32_t side, const struct histogram_row *from,
			 uint32_t *ret)
{
	struct diff_row row = {.side = side, .group = from->group, .frame = from->frame};
	auto_strbuf struct strbuf key = {0};
	int error;

	for (uint32_t i = 0; i < table->options->sort_nr; i++) {
		strbuf_append_text(&key, diff_cell(table, &row, i));
		strbuf_append_char(&key, '\0');
	}
	if (key.error || table->cell.error)
		return -ENOMEM;
	error = intern_bytes(&table->keys, strbuf_text(&key), key.nr, ret);
	if (error == 0 && *ret == table->rows.nr)
		error = diff_rows_append(&table->rows, row);
	return error;
}

static int diff_take_side(struct diff_table *table, uint32_t side)
{
	const struct histogram *histogram = &table->histograms[side];
	int ret = 0;

	for (size_t i = 0; i < histogram->rows_nr && ret == 0; i++) {
		const struct histogram_row *from = &histogram->rows[i];
		uint32_t row;

		ret = diff_find_row(table, side, from, &row);
		if (ret == 0)
			table->rows.items[row].sides[side] = (struct diff_side){
			    .self = histogram_percent(histogram, &from->self),
			    .total = histogram_percent(histogram, &from->total),
			    .self_nr = from->self.samples_nr,
			    .total_nr = from->total.samples_nr};
	}
	return ret;
}

static double diff_points(const struct diff_row *row, bool children)
{
	const struct diff_side *before = &row->sides[0];
	const struct diff_side *after = &row->sides[1];

	return children ? after->total - before->total : after->self - before->self;
}

/* What changed most first; then by the columns' texts, so that the order never is chance. */
static int diff_compare(const void *a, const void *b, void *context)
{
	const struct diff_table *table = context;
	const uint32_t left = *(const uint32_t *)a;
	const uint32_t right = *(const uint32_t *)b;
	const bool children = table->options->children;
	const double left_points = fabs(diff_points(&table->rows.items[left], children));
	const double right_points = fabs(diff_points(&table->rows.items[right], children));
	const struct intern_item *left_key = &table->keys.items[left];
	const struct intern_item *right_key = &table->keys.items[right];
	const size_t nr = left_key->nr < right_key->nr ? left_key->nr : right_key->nr;

	if (left_points != right_points)
		return left_points < right_points ? 1 : -1;
	return memcmp(left_key->text, right_key->text, nr);
}

static bool diff_shows(const struct diff_table *table, const struct diff_row *row)
{
	const double limit = table->options->percent_limit;

	return fabs(diff_points(row, false)) >= limit || fabs(diff_points(row, true)) >= limit;
}

static void diff_measure(struct diff_table *table, struct text_columns *columns)
{
	text_columns_begin(columns, table->options);
	for (size_t i = 0; i < table->rows.nr; i++)
		for (uint32_t column = 0;
		     column < table->options->sort_nr && diff_shows(table, &table->rows.items[i]);
		     column++)
			text_columns_measure(columns, column,
					     diff_cell(table, &table->rows.items[i], column));
}

static void diff_print_row(struct diff_table *table, const struct text_columns *columns,
			   const struct diff_row *row)
{
	const struct diff_side *before = &row->sides[0];
	const struct diff_side *after = &row->sides[1];

	out_format(table->out, "   %6.2f%%  %6.2f%%  %+7.2f", before->total, after->total,
		   diff_points(row, true));
	out_format(table->out, "   %6.2f%%  %6.2f%%  %+7.2f", before->self, after->self,
		   diff_points(row, false));
	out_format(table->out, "  %8" PRIu64 "  %8" PRIu64, before->total_nr, after->total_nr);
	for (uint32_t i = 0; i < table->options->sort_nr; i++)
		text_columns_print(columns, table->out, i, diff_cell(table, row, i));
	out_char(table->out, '\n');
}

/* Samples are those of the children column. */
static void diff_print_titles(struct diff_table *table, const struct text_columns *columns)
{
	out_text(table->out, "# Children   in new   points      Self   in new   points   Samples"
			     "    in new");
	text_columns_print_titles(columns, table->out);
	out_text(table->out, "# ........  .......  .......  ........  .......  .......  ........"
			     "  ........");
	text_columns_print_rule(columns, table->out);
}

static int diff_print(struct diff_table *table)
{
	auto_free uint32_t *order = malloc((table->rows.nr + 1) * sizeof(*order));
	struct text_columns columns;

	if (!order)
		return -ENOMEM;
	for (uint32_t i = 0; i < table->rows.nr; i++)
		order[i] = i;
	qsort_r(order, table->rows.nr, sizeof(*order), diff_compare, table);
	diff_measure(table, &columns);
	diff_print_titles(table, &columns);
	for (size_t i = 0; i < table->rows.nr && !table->out->error; i++)
		if (diff_shows(table, &table->rows.items[order[i]]))
			diff_print_row(table, &columns, &table->rows.items[order[i]]);
	return table->cell.error;
}

int diff_table_print(struct out_stream *out, const struct output_options *options,
		     const struct session *sessions, const struct tally *tallies)
{
	struct diff_table table = {.out = out, .options = options};
	int ret = histogram_init(&table.histograms[0], &tallies[0], options);
	int error = histogram_init(&table.histograms[1], &tallies[1], options);

	if (ret == 0)
		ret = error;
	for (uint32_t side = 0; side < 2 && ret == 0; side++) {
		report_header_print_text(out, &sessions[side], options);
		ret = diff_take_side(&table, side);
	}
	if (ret == 0)
		ret = diff_print(&table);
	for (int side = 0; side < 2; side++)
		histogram_deinit(&table.histograms[side]);
	intern_deinit(&table.keys);
	diff_rows_deinit(&table.rows);
	strbuf_deinit(&table.cell);
	return ret;
}
