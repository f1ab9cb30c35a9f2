/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/annotate_python.h"

#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "common/escape.h"

enum {
	DECORATORS_LINES_MAX = 200,
	LINE_WIDTH = 6,
};

/* ---- Is it the file that ran? ---- */

static bool is_word(char c)
{
	return c == '_' || isalnum((unsigned char)c) || (unsigned char)c >= 0x80;
}

static bool is_ascii_name(const char *name)
{
	for (; *name; name++)
		if ((unsigned char)*name >= 0x80 || *name == '\\')
			return false;
	return true;
}

/* Skip @word and the blanks around it. Return: NULL when something else stands there. */
static const char *skip_word(const char *at, const char *end, const char *word)
{
	const size_t nr = strlen(word);

	while (at < end && (*at == ' ' || *at == '\t' || *at == '\f'))
		at++;
	if ((size_t)(end - at) < nr || memcmp(at, word, nr) != 0)
		return NULL;
	at += nr;
	if (at < end && is_word(*at))
		return NULL;
	while (at < end && (*at == ' ' || *at == '\t'))
		at++;
	return at;
}

/* "def NAME", "async def NAME", "class NAME". Python normalizes other names than ASCII ones, so any
 * will do for these. */
static bool defines(const char *at, const char *end, const char *name)
{
	const char *async = skip_word(at, end, "async");
	const char *found = skip_word(async ? async : at, end, "def");

	if (!found)
		found = skip_word(at, end, "class");
	return found && (!is_ascii_name(name) || skip_word(found, end, name));
}

static bool has_word(const char *at, const char *end, const char *word)
{
	for (const char *begin = at; at < end; at++)
		if ((at == begin || !is_word(at[-1])) && skip_word(at, end, word))
			return true;
	return false;
}

static bool has_text(const struct source_text *text, int64_t line)
{
	size_t nr;
	const char *at = source_text_line(text, line, &nr);

	while (at && nr && isspace((unsigned char)*at)) {
		at++;
		nr--;
	}
	return at && nr;
}

static bool begins_with(const char *at, const char *end, char c)
{
	while (at < end && isspace((unsigned char)*at))
		at++;
	return at < end && *at == c;
}

static const char *last_part(const char *symbol)
{
	const char *dot = strrchr(symbol, '.');

	return dot && dot[1] ? dot + 1 : symbol;
}

bool source_has_function(const struct source_text *text, const char *symbol, int32_t first_line)
{
	const char *name = last_part(symbol);
	size_t nr;
	const char *at = source_text_line(text, first_line, &nr);

	if (strcmp(name, "<module>") == 0)
		return true;
	if (strcmp(name, "<lambda>") == 0)
		return at && has_word(at, at + nr, "lambda");
	if (name[0] == '<')
		return has_text(text, first_line);
	if (!at)
		return false;
	if (!begins_with(at, at + nr, '@'))
		return defines(at, at + nr, name);
	for (int64_t i = 1; i < DECORATORS_LINES_MAX; i++) {
		at = source_text_line(text, first_line + i, &nr);
		if (at && defines(at, at + nr, name))
			return true;
	}
	return false;
}

/* What runs is never on an empty line. */
static bool accepts_source(const void *context, const struct source_text *text)
{
	const struct annotate_table *table = context;
	const struct annotate_function *function = table->function;
	const struct annotate_place *places = &table->counts->places.items[function->first_place];

	if (!source_has_function(text, function->location->symbol, function->location->first_line))
		return false;
	for (uint32_t i = 0; i < function->places_nr; i++)
		if (places[i].at > 0 && !has_text(text, places[i].at))
			return false;
	return true;
}

/* ---- Text ---- */

static int print_source_state(const struct annotate_table *table, int found,
			      const struct source_text *text, uint64_t recorded_ns)
{
	const struct location *location = table->function->location;
	auto_strbuf struct strbuf path = {0};

	if (text)
		escape_append(&path, text->path, strlen(text->path));
	if (path.error)
		return path.error;
	if (found == -ESTALE)
		annotate_print_head(table->out, "Source:", "%s is another one: no %s at line %d",
				    strbuf_text(&path), last_part(location->symbol),
				    location->first_line);
	else if (found && !location->has_dso)
		annotate_print_head(table->out, "Source:", "the recording does not tell its file");
	else if (found && location->dso[0] == '<')
		annotate_print_head(table->out, "Source:", "%s is no file", location->dso);
	else if (found)
		annotate_print_head(table->out, "Source:", "not at hand, see --source-dir");
	else
		annotate_print_head(table->out, "Source:", "%s%s", strbuf_text(&path),
				    recorded_ns && text->modified_ns > recorded_ns
					? ", changed after the recording: lines may differ"
					: "");
	return 0;
}

static int print_line(struct annotate_table *table, const struct source_text *text, int64_t line,
		      const struct annotate_weight *weight)
{
	auto_strbuf struct strbuf printable = {0};

	if (!annotate_begin_row(table, weight))
		return 0;
	annotate_print_shares(table, weight);
	if (line == LINE_NONE)
		out_format(table->out, "%*s", LINE_WIDTH, "?");
	else
		out_format(table->out, "%*" PRId64, LINE_WIDTH, line);
	if (text)
		source_text_append(text, line, &printable);
	if (printable.nr)
		out_format(table->out, "  %s", strbuf_text(&printable));
	out_char(table->out, '\n');
	return printable.error;
}

/* Places in their order, and with a text all lines of the function between them. */
static int print_lines(struct annotate_table *table, const struct source_text *text)
{
	const struct annotate_function *function = table->function;
	const struct annotate_place *place = &table->counts->places.items[function->first_place];
	const struct annotate_place *end = place + function->places_nr;
	const int64_t lines_nr = text ? source_text_lines_nr(text) : 0;
	int64_t line = function->location->first_line;
	int64_t last = function->last_line;
	int ret = 0;

	for (; place < end && place->at < 1 && ret == 0; place++)
		ret = print_line(table, NULL, place->at, &place->weight);
	if (place < end && (line < 1 || place->at < line))
		line = place->at;
	if (place < end && end[-1].at > last)
		last = end[-1].at;
	for (; text && line > 0 && line <= last && line <= lines_nr && ret == 0; line++) {
		const bool has_samples = place < end && place->at == line;

		ret = print_line(table, text, line, has_samples ? &place->weight : NULL);
		place += has_samples;
	}
	for (; place < end && ret == 0; place++)
		ret = print_line(table, NULL, place->at, &place->weight);
	return ret;
}

int annotate_python(struct annotate_table *table, const struct source_places *sources,
		    uint64_t recorded_ns)
{
	const struct location *location = table->function->location;
	struct source_text *text = NULL;
	int found = -ENOENT;
	int ret = 0;

	if (location->has_dso)
		found = source_find(sources, location->dso, accepts_source, table, &text);
	if (found == -ENOMEM)
		return found;
	table->place_width = LINE_WIDTH;
	annotate_print_function(table);
	ret = print_source_state(table, found, text, recorded_ns);
	annotate_print_titles(table, "Line", "Source");
	if (ret == 0)
		ret = print_lines(table, found == 0 ? text : NULL);
	source_text_destroy(text);
	return ret;
}
