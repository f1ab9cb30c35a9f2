/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Our line table decoders against what line_oracle.py says, for every instruction. stdin, until its
 * end: struct question, name, table, answers; an answer is an int32 line, from 3.11 on four int32:
 * line, end line, column, end column; INT32_MIN: none. stdout: "CODE-OBJECTS UNITS MISMATCHES", the
 * latter two in instructions; stderr: the first of the mismatches. The exit status is 0 also with
 * mismatches, 2 where stdin is cut.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/strbuf.h"
#include "report/line_table.h"

struct question {
	uint32_t version_hex;
	int32_t first_line;
	uint32_t unit_bytes;
	uint32_t units_nr;
	uint32_t name_nr;
	uint32_t table_nr;
};

struct answer {
	int32_t line, end_line, column, end_column;
};

struct comparison {
	struct question question;
	struct strbuf name, table, answers;
	uint64_t codes_nr, units_nr, mismatches_nr;
};

enum { MISMATCHES_TOLD = 5, VERSION_WITH_COLUMNS = 0x030b0000 };

static void take(struct strbuf *ret, size_t nr)
{
	strbuf_reset(ret);
	if (strbuf_reserve(ret, nr) || fread(ret->bytes, 1, nr, stdin) != nr)
		exit(2);
	ret->nr = nr;
	ret->bytes[nr] = '\0';
}

static bool has_columns(const struct question *question)
{
	return question->version_hex >= VERSION_WITH_COLUMNS;
}

static struct answer their_answer(const struct comparison *comparison, uint32_t unit)
{
	const int32_t *numbers = (const int32_t *)(void *)comparison->answers.bytes;

	if (!has_columns(&comparison->question))
		return (struct answer){.line = numbers[unit]};
	return ((const struct answer *)(const void *)numbers)[unit];
}

static int32_t column_of(int32_t column)
{
	return column == COLUMN_NONE ? INT32_MIN : column;
}

/* Beyond the table the interpreter says "no line" too. */
static struct answer our_answer(const struct comparison *comparison,
				const struct line_ranges *ranges, uint32_t unit)
{
	struct line_position position = LINE_POSITION_NONE;
	int64_t offset = (int64_t)unit * comparison->question.unit_bytes;

	if (line_ranges_find(ranges, offset, &position) == -ENOENT)
		position.line = LINE_NONE;
	if (!has_columns(&comparison->question))
		return (struct answer){.line = position.line};
	return (struct answer){position.line, position.end_line, column_of(position.column),
			       column_of(position.end_column)};
}

static void mismatch(struct comparison *comparison, uint32_t unit, struct answer our,
		     struct answer their)
{
	if (comparison->mismatches_nr++ >= MISMATCHES_TOLD)
		return;
	fprintf(stderr,
		"%s, unit %" PRIu32 ": ours %" PRId32 ":%" PRId32 ":%" PRId32 ":%" PRId32
		", the interpreter's %" PRId32 ":%" PRId32 ":%" PRId32 ":%" PRId32 "\n",
		comparison->name.bytes, unit, our.line, our.end_line, our.column, our.end_column,
		their.line, their.end_line, their.column, their.end_column);
}

static void compare(struct comparison *comparison)
{
	const struct question *question = &comparison->question;
	struct line_ranges ranges = {0};
	int error = line_table_decode(question->version_hex, question->first_line,
				      (const uint8_t *)comparison->table.bytes, question->table_nr,
				      &ranges);

	if (error) /* none of its lines is right */
		line_ranges_deinit(&ranges);
	for (uint32_t unit = 0; unit < question->units_nr; unit++) {
		struct answer our = our_answer(comparison, &ranges, unit);
		struct answer their = their_answer(comparison, unit);

		if (error || memcmp(&our, &their, sizeof(our)) != 0)
			mismatch(comparison, unit, our, their);
	}
	line_ranges_deinit(&ranges);
	comparison->codes_nr++;
	comparison->units_nr += question->units_nr;
}

int main(void)
{
	struct comparison comparison = {0};
	struct question *question = &comparison.question;

	while (fread(question, sizeof(*question), 1, stdin) == 1) {
		take(&comparison.name, question->name_nr);
		take(&comparison.table, question->table_nr);
		take(&comparison.answers,
		     (has_columns(question) ? sizeof(struct answer) : sizeof(int32_t)) *
			 (size_t)question->units_nr);
		compare(&comparison);
	}
	printf("%" PRIu64 " %" PRIu64 " %" PRIu64 "\n", comparison.codes_nr, comparison.units_nr,
	       comparison.mismatches_nr);
	strbuf_deinit(&comparison.name);
	strbuf_deinit(&comparison.table);
	strbuf_deinit(&comparison.answers);
	return 0;
}
