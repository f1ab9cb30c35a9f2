/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/line_table.h"

#include <errno.h>

#include "common/bytes.h"

struct line_decoder {
	struct bytes_cursor input;
	struct line_ranges *ranges;
	int64_t line;
	uint64_t end; /* byte offset up to which ranges are complete */
};

static int line_decoder_add(struct line_decoder *decoder, uint64_t bytes,
			    struct line_position position)
{
	struct line_ranges *ranges = decoder->ranges;

	decoder->end += bytes;
	if (decoder->end >= UINT32_MAX)
		return -EBADMSG;
	return line_ranges_append(
	    ranges, (struct line_range){.end = (uint32_t)decoder->end, .position = position});
}

static struct line_position line_position_of(int64_t line)
{
	return (struct line_position){.line = (int32_t)line,
				      .end_line = (int32_t)line,
				      .column = COLUMN_NONE,
				      .end_column = COLUMN_NONE};
}

/* LINE_NONE itself is not a line. */
static bool line_is_sane(int64_t line)
{
	return line > INT32_MIN && line <= INT32_MAX;
}

/* The last line runs on without end: the table has no pair for it. */
static int line_decode_lnotab(struct line_decoder *decoder, bool is_signed)
{
	struct bytes_cursor *input = &decoder->input;
	int ret = 0;

	while (ret == 0 && bytes_left(input) >= 2) {
		uint8_t address_delta = bytes_get_u8(input);
		uint8_t line_delta = bytes_get_u8(input);

		if (address_delta)
			ret = line_decoder_add(decoder, address_delta,
					       line_position_of(decoder->line));
		decoder->line += is_signed ? (int8_t)line_delta : line_delta;
		if (!line_is_sane(decoder->line))
			return -EBADMSG;
	}
	if (ret)
		return ret;
	return line_ranges_append(
	    decoder->ranges,
	    (struct line_range){.end = UINT32_MAX, .position = line_position_of(decoder->line)});
}

static int line_decode_27(struct line_decoder *decoder)
{
	return line_decode_lnotab(decoder, false);
}

static int line_decode_36(struct line_decoder *decoder)
{
	return line_decode_lnotab(decoder, true);
}

static int line_decode_310(struct line_decoder *decoder)
{
	struct bytes_cursor *input = &decoder->input;
	int ret = 0;

	while (ret == 0 && bytes_left(input) >= 2) {
		uint8_t address_delta = bytes_get_u8(input);
		int8_t line_delta = (int8_t)bytes_get_u8(input);
		struct line_position position = LINE_POSITION_NONE;

		if (line_delta != INT8_MIN) {
			decoder->line += line_delta;
			if (!line_is_sane(decoder->line))
				return -EBADMSG;
			position = line_position_of(decoder->line);
		}
		if (address_delta)
			ret = line_decoder_add(decoder, address_delta, position);
	}
	return ret;
}

/* Six bits a byte; no field needs more than six of them. */
static uint64_t line_get_varint(struct bytes_cursor *input)
{
	uint64_t value = 0;

	for (unsigned int shift = 0; shift <= 30; shift += 6) {
		uint8_t byte = bytes_get_u8(input);

		value |= (uint64_t)(byte & 63) << shift;
		if (!(byte & 64))
			return value;
	}
	input->failed = true;
	return 0;
}

static int64_t line_get_svarint(struct bytes_cursor *input)
{
	uint64_t value = line_get_varint(input);
	int64_t magnitude = (int64_t)(value >> 1);

	return value & 1 ? -magnitude : magnitude;
}

static int32_t line_get_column(struct bytes_cursor *input)
{
	uint64_t value = line_get_varint(input);

	if (value > INT32_MAX)
		input->failed = true;
	return (int32_t)value - 1;
}

/* _PyCodeLocationInfoKind, Include/cpython/code.h of 3.11 */
enum line_entry_kind {
	LINE_ENTRY_ONE_LINE0 = 10,
	LINE_ENTRY_ONE_LINE2 = 12,
	LINE_ENTRY_NO_COLUMNS = 13,
	LINE_ENTRY_LONG = 14,
	LINE_ENTRY_NONE = 15,
};

static struct line_position line_get_long_entry(struct line_decoder *decoder)
{
	struct bytes_cursor *input = &decoder->input;
	struct line_position position;
	int64_t end_line;

	decoder->line += line_get_svarint(input);
	position = line_position_of(decoder->line);
	end_line = decoder->line + (int64_t)line_get_varint(input);
	if (!line_is_sane(end_line))
		input->failed = true;
	position.end_line = (int32_t)end_line;
	position.column = line_get_column(input);
	position.end_column = line_get_column(input);
	return position;
}

static struct line_position line_get_entry(struct line_decoder *decoder, unsigned int kind)
{
	struct bytes_cursor *input = &decoder->input;
	struct line_position position;
	uint8_t columns;

	if (kind == LINE_ENTRY_NONE)
		return LINE_POSITION_NONE;
	if (kind == LINE_ENTRY_LONG)
		return line_get_long_entry(decoder);
	if (kind == LINE_ENTRY_NO_COLUMNS) {
		decoder->line += line_get_svarint(input);
		return line_position_of(decoder->line);
	}
	if (kind >= LINE_ENTRY_ONE_LINE0) {
		decoder->line += kind - LINE_ENTRY_ONE_LINE0;
		position = line_position_of(decoder->line);
		position.column = bytes_get_u8(input);
		position.end_column = bytes_get_u8(input);
		return position;
	}
	columns = bytes_get_u8(input);
	position = line_position_of(decoder->line);
	position.column = (int32_t)(kind * 8 + (columns >> 4));
	position.end_column = position.column + (columns & 15);
	return position;
}

static int line_decode_311(struct line_decoder *decoder)
{
	struct bytes_cursor *input = &decoder->input;
	int ret = 0;

	while (ret == 0 && bytes_left(input)) {
		uint8_t head = bytes_get_u8(input);
		struct line_position position = line_get_entry(decoder, (head >> 3) & 15);

		if (!(head & 0x80) || input->failed || !line_is_sane(decoder->line))
			return -EBADMSG;
		ret = line_decoder_add(decoder, 2 * ((head & 7U) + 1), position);
	}
	return ret;
}

struct line_encoding {
	uint32_t first_version; /* PY_VERSION_HEX >> 16 */
	uint32_t last_version;
	uint32_t unit_bytes; /* of py_frame.value */
	int (*decode)(struct line_decoder *decoder);
};

static const struct line_encoding line_encodings[] = {
    {0x0207, 0x0207, 1, line_decode_27},
    {0x0306, 0x0309, 2, line_decode_36},
    {0x030a, 0x030a, 2, line_decode_310},
    {0x030b, 0x030f, 2, line_decode_311},
};

static const struct line_encoding *line_encoding_find(uint32_t version_hex)
{
	uint32_t version = version_hex >> 16;

	for (size_t i = 0; i < array_size(line_encodings); i++)
		if (version >= line_encodings[i].first_version &&
		    version <= line_encodings[i].last_version)
			return &line_encodings[i];
	return NULL;
}

bool line_table_is_known(uint32_t version_hex)
{
	return line_encoding_find(version_hex) != NULL;
}

int line_table_decode(uint32_t version_hex, int32_t first_line, const uint8_t *bytes, uint32_t nr,
		      struct line_ranges *ret)
{
	const struct line_encoding *encoding = line_encoding_find(version_hex);
	struct line_decoder decoder = {
	    .input = bytes_cursor_make(bytes, nr), .ranges = ret, .line = first_line};

	if (!encoding)
		return -EOPNOTSUPP;
	if (!line_is_sane(first_line))
		return -EBADMSG;
	return encoding->decode(&decoder);
}

int64_t line_table_byte_offset(uint32_t version_hex, int32_t lasti)
{
	const struct line_encoding *encoding = line_encoding_find(version_hex);

	return (int64_t)lasti * (encoding ? encoding->unit_bytes : 1);
}

int line_ranges_find(const struct line_ranges *ranges, int64_t byte_offset,
		     struct line_position *ret)
{
	size_t low = 0;
	size_t high = ranges->nr;

	if (byte_offset < 0 || byte_offset >= UINT32_MAX)
		return -ENOENT;
	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if ((int64_t)ranges->items[middle].end > byte_offset)
			high = middle;
		else
			low = middle + 1;
	}
	if (low == ranges->nr)
		return -ENOENT;
	*ret = ranges->items[low].position;
	return 0;
}
