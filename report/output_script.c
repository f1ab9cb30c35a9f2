/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Every sample in the form of perf script, in order of time, restricted to what its many readers
 * agree on: "comm pid/tid [cpu] sec.usec: period event:", one indented line for each frame
 * (address, symbol, file in parentheses without blanks), an empty line.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "report/output.h"
#include "report/report_header.h"
#include "report/session.h"

/* A word of digits would be read as the pid, a leading '#' as a comment. */
static void script_print_word(struct out_stream *out, const char *word, size_t nr, bool is_first)
{
	bool is_number = strspn(word, "0123456789/") >= nr;

	if (is_number && (nr || is_first)) {
		out_char(out, '_');
	} else if (is_first && word[0] == '#') {
		out_char(out, '_');
		out_write(out, word + 1, nr - 1);
	} else {
		out_write(out, word, nr);
	}
}

static void script_print_comm(struct out_stream *out, const char *comm)
{
	const char *at = comm;

	for (;;) {
		size_t nr = strcspn(at, " ");

		script_print_word(out, at, nr, at == comm);
		at += nr;
		if (*at == '\0')
			break;
		out_char(out, *at++);
	}
	/* Readers want two characters at least before the pid. */
	out_text(out, at - comm < 2 ? "  " : " ");
}

static bool ends_like_offset(const char *at)
{
	return strncmp(at, "+0x", 3) == 0 && at[3] &&
	       strspn(at + 3, "0123456789abcdef") == strlen(at + 3);
}

/* Names of Python's hold any character; @mark tells readers without kinds what they are. */
static void script_append_python(struct strbuf *text, const char *mark, const char *name)
{
	strbuf_append_text(text, mark);
	for (; *name; name++) {
		if (strchr("(); \"'", *name) || ends_like_offset(name)) {
			strbuf_append_char(text, '_');
		} else if (name[0] == '-' && name[1] == '>') {
			strbuf_append_char(text, '_');
			name++;
		} else {
			strbuf_append_char(text, *name);
		}
	}
}

static void script_append_dso(struct strbuf *text, const struct location *location,
			      const struct output_options *options)
{
	const char *dso = location->dso;
	bool is_source = location->kind == LOCATION_PYTHON && location->has_dso;
	bool is_pseudo; /* "<frozen importlib._bootstrap>" */

	if (location->is_inlined) {
		strbuf_append_format(text, "%s\n", location_inlined_mark(location));
		return;
	}
	strbuf_append_text(text, " (");
	/* Files in brackets are taken for the kernel's. */
	if (is_source && dso[0] == '[') {
		strbuf_append_char(text, '_');
		dso++;
	}
	is_pseudo = is_source && dso[0] == '<';
	for (; *dso; dso++) {
		if (is_pseudo && strchr("<> ", *dso))
			strbuf_append_char(text, '_');
		else if (*dso == ' ')
			strbuf_append_text(text, "%20");
		else
			strbuf_append_char(text, *dso);
	}
	if (is_source && options->lines)
		location_append_line(location, options->columns, text);
	strbuf_append_text(text, ")\n");
}

enum { ADDRESS_COLUMNS = 16 };

/* Put @address, right-aligned, behind the tab that the frame's line begins with. */
static void script_set_address(struct location *location, uint64_t address)
{
	char *at = location->line + 1 + ADDRESS_COLUMNS;
	uint64_t rest = address;

	do {
		*--at = "0123456789abcdef"[rest & 15];
		rest >>= 4;
	} while (rest);
	while (at > location->line + 1)
		*--at = ' ';
	location->line_address = address;
}

/* The line of a frame, kept with the location; its address differs from process to process. */
static int script_make_line(const struct output *output, struct location *location)
{
	struct strbuf text = {0};

	strbuf_append_char(&text, '\t');
	for (int i = 0; i < ADDRESS_COLUMNS + 1; i++)
		strbuf_append_char(&text, ' ');
	if (location->kind == LOCATION_PYTHON && location->has_symbol)
		script_append_python(&text, "py::", location->symbol);
	else
		strbuf_append_text(&text, location->symbol);
	if (location->has_symbol &&
	    (location->kind == LOCATION_NATIVE || location->kind == LOCATION_KERNEL))
		strbuf_append_format(&text, "+0x%llx", (unsigned long long)location->symbol_offset);
	script_append_dso(&text, location, output->options);
	if (text.error) {
		strbuf_deinit(&text);
		return -ENOMEM;
	}
	location->line = text.bytes;
	location->line_nr = (uint32_t)text.nr;
	return 0;
}

static int script_print_frame(struct output *output, const struct stack_frame *frame,
			      struct location *location)
{
	bool is_new = !location->line;
	int ret = is_new ? script_make_line(output, location) : 0;

	if (ret)
		return ret;
	if (is_new || location->line_address != frame->address)
		script_set_address(location, frame->address);
	out_write(output->out, location->line, location->line_nr);
	return 0;
}

static void script_print_head(struct out_stream *out, const struct sample_info *sample)
{
	const uint64_t time_us = sample->time_ns / 1000;

	script_print_comm(out, sample->comm);
	out_decimal(out, sample->pid, 0, ' ');
	out_char(out, '/');
	out_decimal(out, sample->tid, 0, ' ');
	if (sample->cpu != UINT32_MAX) {
		out_text(out, " [");
		out_decimal(out, sample->cpu, 3, '0');
		out_char(out, ']');
	}
	out_char(out, ' ');
	out_decimal(out, time_us / 1000000, 5, ' ');
	out_char(out, '.');
	out_decimal(out, time_us % 1000000, 6, '0');
	out_text(out, ": ");
	out_decimal(out, sample->period, 10, ' ');
	out_char(out, ' ');
	out_text(out, sample->event);
	out_text(out, ":\n");
}

static void script_begin(struct output *output, const struct session *session)
{
	report_header_print_script(output->out, session);
}

/* A root frame that is none. */
static int script_print_task(struct out_stream *out, const char *task)
{
	auto_strbuf struct strbuf text = {0};

	strbuf_append_format(&text, "\t%16x ", 0);
	script_append_python(&text, "task::", task);
	strbuf_append_text(&text, " (asyncio)\n");
	if (!text.error)
		out_text(out, strbuf_text(&text));
	return text.error;
}

static int script_sample(struct output *output, const struct session *session,
			 const struct sample_info *sample)
{
	int ret = 0;

	script_print_head(output->out, sample);
	for (size_t i = 0; i < sample->frames_nr && ret == 0; i++) {
		const struct stack_frame *frame = &sample->frames[i];

		ret = script_print_frame(output, frame,
					 location_get(&session->locations, frame->location));
	}
	if (ret == 0 && output->options->show_task && sample->task)
		ret = script_print_task(output->out, sample->task);
	out_char(output->out, '\n');
	return ret;
}

static int script_end(struct output *output, const struct tally *tally)
{
	(void)output;
	(void)tally;
	return 0;
}

const struct output_ops output_script = {
    .name = "perf-script",
    .begin = script_begin,
    .sample = script_sample,
    .end = script_end,
};
