/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/text_columns.h"

#include <string.h>

#include "common/escape.h"

static const char *column_title(enum sort_key key)
{
	switch (key) {
	case SORT_HOST:
		return "Host";
	case SORT_COMM:
		return "Command";
	case SORT_PID:
		return "Pid";
	case SORT_TID:
		return "Tid";
	case SORT_CGROUP:
		return "Cgroup";
	case SORT_CONTAINER:
		return "Container";
	case SORT_TASK:
		return "Task";
	case SORT_DSO:
		return "Shared Object";
	case SORT_SYMBOL:
		return "Symbol";
	case SORT_SRCLINE:
		return "Source:Line";
	case SORT_KIND:
		return "Kind";
	case SORT_KEYS_NR:
		break;
	}
	return "";
}

void text_columns_begin(struct text_columns *columns, const struct output_options *options)
{
	*columns = (struct text_columns){.options = options};
	for (uint32_t i = 0; i < options->sort_nr; i++)
		columns->widths[i] = strlen(column_title(options->sort[i]));
}

void text_columns_measure(struct text_columns *columns, uint32_t column, const char *text)
{
	size_t width = escape_columns(text);

	if (width > columns->widths[column])
		columns->widths[column] = width;
}

void text_columns_print(const struct text_columns *columns, struct out_stream *out, uint32_t column,
			const char *text)
{
	out_text(out, "  ");
	out_text(out, text);
	if (column + 1 < columns->options->sort_nr)
		out_spaces(out, columns->widths[column] - escape_columns(text));
}

void text_columns_print_titles(const struct text_columns *columns, struct out_stream *out)
{
	for (uint32_t i = 0; i < columns->options->sort_nr; i++)
		text_columns_print(columns, out, i, column_title(columns->options->sort[i]));
	out_char(out, '\n');
}

void text_columns_print_rule(const struct text_columns *columns, struct out_stream *out)
{
	for (uint32_t i = 0; i < columns->options->sort_nr; i++) {
		out_text(out, "  ");
		for (size_t dots = columns->widths[i]; dots; dots--)
			out_char(out, '.');
	}
	out_text(out, "\n#\n");
}
