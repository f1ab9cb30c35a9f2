/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/annotate_table.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { SHARES_COLUMNS = 29 };

void annotate_print_head(struct out_stream *out, const char *label, const char *format, ...)
{
	auto_free char *text = NULL;
	va_list arguments;

	va_start(arguments, format);
	if (vasprintf(&text, format, arguments) < 0)
		text = NULL;
	va_end(arguments);
	out_format(out, "# %-14s%s\n", label, text ? text : "");
}

void annotate_print_function(const struct annotate_table *table)
{
	const struct annotate_weight *weight = &table->function->weight;
	const struct location *location = table->function->location;
	const struct profile_weight *all = &table->counts->all;

	if (location->kind == LOCATION_PYTHON && location->first_line > 0)
		annotate_print_head(table->out, "Function:", "%s %s, %s:%d",
				    location_mark(location->kind), location->symbol, location->dso,
				    location->first_line);
	else
		annotate_print_head(table->out, "Function:", "%s %s, %s",
				    location_mark(location->kind), location->symbol, location->dso);
	annotate_print_head(table->out, "In it:",
			    "%" PRIu64 " samples (%.2f%%) with what it calls, %" PRIu64
			    " (%.2f%%) itself",
			    weight->total.samples_nr, profile_weight_percent(&weight->total, all),
			    weight->self.samples_nr, profile_weight_percent(&weight->self, all));
}

void annotate_print_titles(const struct annotate_table *table, const char *place, const char *text)
{
	static const char dots[] = "....................";
	const struct profile_weight *base = annotate_weight_of(&table->function->weight,
							       table->children);

	annotate_print_head(table->out,
			    "Percent:", "of these %" PRIu64 " samples, and of all %" PRIu64,
			    base->samples_nr, table->counts->all.samples_nr);
	out_text(table->out, "#\n");
	if (table->children)
		out_text(table->out, "# Children   of all   Samples");
	out_format(table->out, "%s   of all   Samples  %*s  %s\n",
		   table->children ? "      Self" : "#     Self", (int)table->place_width, place,
		   text);
	if (table->children)
		out_text(table->out, "# ........  .......  ........");
	out_format(table->out, "%s  .......  ........  %.*s  %.*s\n#\n",
		   table->children ? "  ........" : "# ........", (int)table->place_width, dots,
		   (int)strlen(text), dots);
}

static void print_share(const struct annotate_table *table, const struct profile_weight *weight)
{
	const struct profile_weight *base = annotate_weight_of(&table->function->weight,
							       table->children);

	if (weight->samples_nr == 0) {
		out_spaces(table->out, SHARES_COLUMNS);
		return;
	}
	out_format(table->out, "%9.2f%%  %6.2f%%  %8" PRIu64, profile_weight_percent(weight, base),
		   profile_weight_percent(weight, &table->counts->all), weight->samples_nr);
}

static bool is_below_limit(const struct annotate_table *table, const struct annotate_weight *weight)
{
	const struct profile_weight *base = annotate_weight_of(&table->function->weight,
							       table->children);

	if (!weight)
		return table->percent_limit > 0;
	return profile_weight_percent(annotate_weight_of(weight, table->children), base) <
	       table->percent_limit;
}

void annotate_print_shares(const struct annotate_table *table, const struct annotate_weight *weight)
{
	static const struct annotate_weight none;

	if (!weight)
		weight = &none;
	if (table->children)
		print_share(table, &weight->total);
	print_share(table, &weight->self);
	out_text(table->out, "  ");
}

bool annotate_begin_row(struct annotate_table *table, const struct annotate_weight *weight)
{
	if (is_below_limit(table, weight)) {
		table->has_gap = true;
		return false;
	}
	if (table->has_gap && table->has_rows) {
		annotate_print_shares(table, NULL);
		out_format(table->out, "%*s\n", (int)table->place_width + 2, "…");
	}
	table->has_rows = true;
	table->has_gap = false;
	return true;
}
