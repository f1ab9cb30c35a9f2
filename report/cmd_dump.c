/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* pyrec dump: every record as it stands in the file. */
#include "report/cmd_dump.h"

#include <argp.h>
#include <errno.h>
#include <string.h>

#include "common/log.h"
#include "format/reader.h"

enum { EXIT_USAGE = 129, HEX_LINE_BYTES = 16 };

struct dump_options {
	const char *path;
	bool hex;
};

/* ---- Options ---- */

static error_t parse_option(int key, char *argument, struct argp_state *state)
{
	struct dump_options *options = state->input;

	switch (key) {
	case 'i':
		options->path = argument;
		return 0;
	case 'x':
		options->hex = true;
		return 0;
	case ARGP_KEY_ARG:
		argp_error(state, "'%s' is one word too many; name the file with -i", argument);
		return EINVAL;
	}
	return ARGP_ERR_UNKNOWN;
}

static int parse_options(int argc, char **argv, struct dump_options *ret)
{
	static const struct argp_option option_table[] = {
	    {"input", 'i', "FILE", 0,
	     "Recording to read, - for standard input (default: pyrec.data)", 0},
	    {"hex", 'x', NULL, 0, "Show each record's bytes too", 0},
	    {0},
	};
	static const struct argp parser = {
	    .options = option_table,
	    .parser = parse_option,
	    .doc = "Print every record of a recording in readable form, in the order of the file.",
	};
	char name[] = "pyrec dump";

	argp_err_exit_status = EXIT_USAGE;
	argv[0] = name;
	return argp_parse(&parser, argc, argv, 0, NULL, ret) ? -EINVAL : 0;
}

/* ---- Records ---- */

static void hex_line_print(const uint8_t *bytes, size_t at, size_t nr)
{
	printf("  %04zx ", at);
	for (size_t i = 0; i < HEX_LINE_BYTES; i++)
		if (i < nr)
			printf(" %02x", bytes[at + i]);
		else
			fputs("   ", stdout);
	fputs("  ", stdout);
	for (size_t i = 0; i < nr; i++)
		putchar(bytes[at + i] >= ' ' && bytes[at + i] < 0x7f ? bytes[at + i] : '.');
	putchar('\n');
}

static void hex_print(const void *bytes, size_t nr)
{
	for (size_t at = 0; at < nr; at += HEX_LINE_BYTES)
		hex_line_print(bytes, at, nr - at < HEX_LINE_BYTES ? nr - at : HEX_LINE_BYTES);
}

static int dump_records(struct perf_reader *reader, const struct dump_options *options,
			struct read_error *error)
{
	struct raw_record record;
	int ret;

	while ((ret = perf_reader_next(reader, &record, error)) > 0) {
		record_print(stdout, record.header, record.header->size, &record.event->layout,
			     record.file_offset);
		if (options->hex)
			hex_print(record.header, record.header->size);
		if (ferror(stdout))
			return 0;
	}
	return ret;
}

int cmd_dump(int argc, char **argv)
{
	struct dump_options options = {.path = "pyrec.data"};
	struct perf_reader *reader;
	struct read_error error;
	int ret;

	if (parse_options(argc, argv, &options))
		return EXIT_USAGE;
	ret = perf_reader_open(options.path, &reader, &error);
	if (ret == 0) {
		ret = dump_records(reader, &options, &error);
		perf_reader_close(reader);
	}
	/* What was read stands before what could not be. */
	if (fflush(stdout) || ferror(stdout)) {
		log_error("standard output: %s", strerror(errno));
		return EXIT_FAILURE;
	}
	if (ret) {
		read_error_log(options.path, &error);
		return EXIT_FAILURE;
	}
	return EXIT_SUCCESS;
}
