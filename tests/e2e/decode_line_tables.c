/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The C side of test_line_tables.py. Each line of stdin is "VERSION FIRST-LINE UNIT-BYTES UNITS
 * HEX": a line table and how much bytecode it is asked about. Each line of stdout answers for every
 * unit: "LINE" or, for tables with columns, "LINE:END-LINE:COLUMN:END-COLUMN"; "-" where there is
 * none.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/line_table.h"

static void number_print(int32_t value, int32_t none)
{
	if (value == none)
		putchar('-');
	else
		printf("%" PRId32, value);
}

static void position_print(const struct line_position *position, bool with_columns)
{
	number_print(position->line, LINE_NONE);
	if (with_columns) {
		putchar(':');
		number_print(position->end_line, LINE_NONE);
		putchar(':');
		number_print(position->column, COLUMN_NONE);
		putchar(':');
		number_print(position->end_column, COLUMN_NONE);
	}
	putchar(' ');
}

static size_t hex_decode(const char *text, uint8_t *bytes)
{
	size_t nr = strspn(text, "0123456789abcdef") / 2;

	for (size_t i = 0; i < nr; i++)
		sscanf(text + 2 * i, "%2hhx", &bytes[i]);
	return nr;
}

static void table_print(const char *line)
{
	uint32_t version, unit_bytes, units;
	int32_t first_line;
	int hex_at;
	struct line_ranges ranges = {0};
	auto_free uint8_t *bytes = malloc(strlen(line));
	size_t nr;

	if (!bytes || sscanf(line, "%" SCNu32 " %" SCNd32 " %" SCNu32 " %" SCNu32 " %n", &version,
			     &first_line, &unit_bytes, &units, &hex_at) != 4)
		exit(2);
	nr = hex_decode(line + hex_at, bytes);
	if (line_table_decode(version, first_line, bytes, (uint32_t)nr, &ranges))
		exit(3);
	for (uint32_t i = 0; i < units; i++) {
		struct line_position position = {LINE_NONE, LINE_NONE, COLUMN_NONE, COLUMN_NONE};

		/* Beyond the table the interpreter says "no line" too. */
		if (line_ranges_find(&ranges, (int64_t)i * unit_bytes, &position) == -ENOENT)
			position.line = LINE_NONE;
		position_print(&position, version >= 0x030b0000);
	}
	putchar('\n');
	line_ranges_deinit(&ranges);
}

int main(void)
{
	auto_free char *line = NULL;
	size_t capacity = 0;

	while (getline(&line, &capacity, stdin) > 0)
		table_print(line);
	return 0;
}
