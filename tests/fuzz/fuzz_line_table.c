/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A line table, all of it from the fuzzer: decode, look up every range, write out every place. The
 * input: u8 minor version (0: 2.7), s32 first line, u16 bytes that come with the code object, then
 * the table; what is beyond these bytes comes in a second record.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common/bytes.h"
#include "report/code_table.h"
#include "report/location.h"

enum { LINE_TEXT_BYTES_MAX = 64 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t nr);

static void check(bool is_right)
{
	if (!is_right)
		abort();
}

/* What is shown of a place is a few numbers, whatever they are. */
static void fuzz_text(const struct line_position *position)
{
	struct location location = {
	    .kind = LOCATION_PYTHON, .has_dso = true, .dso = "x", .position = *position};
	auto_strbuf struct strbuf text = {0};

	location_append_line(&location, true, &text);
	check(text.nr > 1 && text.nr < LINE_TEXT_BYTES_MAX);
	check(strspn(text.bytes, ":-?0123456789") == text.nr);
}

static void check_ranges(const struct line_ranges *ranges, size_t bytes_nr)
{
	struct line_position found;
	uint32_t begin = 0;

	check(ranges->nr <= bytes_nr + 1);
	for (size_t i = 0; i < ranges->nr; i++) {
		const struct line_range *range = &ranges->items[i];

		check(range->end > begin);
		check(line_ranges_find(ranges, begin, &found) == 0);
		check(memcmp(&found, &range->position, sizeof(found)) == 0);
		check(line_ranges_find(ranges, (int64_t)range->end - 1, &found) == 0);
		check(memcmp(&found, &range->position, sizeof(found)) == 0);
		fuzz_text(&range->position);
		begin = range->end;
	}
	if (begin != UINT32_MAX)
		check(line_ranges_find(ranges, begin, &found) == -ENOENT);
}

static void fuzz_ranges(const struct payload_code *code)
{
	struct line_ranges ranges = {0};
	int error = line_table_decode(code->version_hex, code->first_line, code->lines,
				      code->lines_total, &ranges);

	check(error == 0 || error == -EBADMSG || error == -EOPNOTSUPP);
	check_ranges(&ranges, code->lines_total);
	line_ranges_deinit(&ranges);
}

/* The same by the way of a recording: the answer is that of the whole table or none. */
static void fuzz_code(const struct payload_code *payload)
{
	struct code_table table = {0};
	struct payload_code_lines rest = {.offset = payload->lines_nr,
					  .bytes = payload->lines + payload->lines_nr,
					  .nr = payload->lines_total - payload->lines_nr};
	struct line_position position;

	check(code_table_add(&table, payload) == 0);
	if (rest.nr)
		check(code_table_add_lines(&table, &rest) == 0);
	for (int32_t unit = -1; unit < 64; unit++) {
		int error = code_position(code_table_find(&table, 0), unit, &position);

		check(error == 0 || error == -ENOENT);
		check(error || position.line != LINE_NONE);
	}
	code_table_deinit(&table);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t nr)
{
	struct bytes_cursor at = bytes_cursor_make(bytes, nr);
	uint32_t minor = bytes_get_u8(&at) % 17;
	struct payload_code code = {.version_hex = minor ? 0x03000000 | minor << 16 : 0x02070000};
	uint32_t first_nr;

	code.first_line = (int32_t)bytes_get_u32(&at);
	first_nr = bytes_get_u16(&at);
	if (at.failed)
		return 0;
	code.lines_total = (uint32_t)bytes_left(&at);
	code.lines = bytes_take(&at, code.lines_total);
	code.lines_nr = first_nr < code.lines_total ? first_nr : code.lines_total;
	fuzz_ranges(&code);
	fuzz_code(&code);
	return 0;
}
