/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* One Python function as its source text, with the shares of its lines. */
#ifndef PYREC_REPORT_ANNOTATE_PYTHON_H
#define PYREC_REPORT_ANNOTATE_PYTHON_H

#include "report/annotate_source.h"
#include "report/annotate_table.h"

/**
 * Does a function or class of that name, the last part of @symbol, begin at line @first_line of
 * @text? Decorators belong to it. Names in "<>" only tell the kind of code: a lambda must be there,
 * and there must be something for the others; modules begin anywhere.
 */
bool source_has_function(const struct source_text *text, const char *symbol, int32_t first_line);

/**
 * Print @table's function. Without its source, and where the file at hand is another one, it shows
 * line numbers and shares only and says so. @recorded_ns: when the samples were taken, since 1970;
 * 0: not known. Return: 0 or -ENOMEM.
 */
must_check int annotate_python(struct annotate_table *table, const struct source_places *sources,
			       uint64_t recorded_ns);

#endif
