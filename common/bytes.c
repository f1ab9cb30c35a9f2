/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "common/bytes.h"

/* More than ten bytes cannot add to a 64-bit value: such a number is damaged. */
enum { LEB128_BYTES_MAX = 10 };

static uint64_t bytes_get_leb128(struct bytes_cursor *cursor, unsigned int *shift, uint8_t *last)
{
	uint64_t value = 0;

	*shift = 0;
	for (int i = 0; i < LEB128_BYTES_MAX; i++) {
		*last = bytes_get_u8(cursor);
		if (*shift < 64)
			value |= (uint64_t)(*last & 0x7f) << *shift;
		*shift += 7;
		if (!(*last & 0x80))
			return value;
	}
	cursor->failed = true;
	return 0;
}

uint64_t bytes_get_uleb128(struct bytes_cursor *cursor)
{
	unsigned int shift;
	uint8_t last;

	/* Nearly all. */
	if (!cursor->failed && bytes_left(cursor) && *cursor->at < 0x80)
		return *cursor->at++;
	return bytes_get_leb128(cursor, &shift, &last);
}

int64_t bytes_get_sleb128(struct bytes_cursor *cursor)
{
	unsigned int shift;
	uint8_t last;
	uint64_t value = bytes_get_leb128(cursor, &shift, &last);

	if (!cursor->failed && shift < 64 && (last & 0x40))
		value |= ~UINT64_C(0) << shift;
	return (int64_t)value;
}
