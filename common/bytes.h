/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading untrusted bytes. A cursor never leaves [start, end). A getter that would
 * sets failed, returns 0 and moves nothing; every later getter then returns 0 too,
 * so a decoder may read many fields and look at failed once. Little-endian.
 */
#ifndef PYREC_COMMON_BYTES_H
#define PYREC_COMMON_BYTES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct bytes_cursor {
	const uint8_t *start;
	const uint8_t *at;
	const uint8_t *end;
	bool failed;
};

static inline struct bytes_cursor bytes_cursor_make(const void *bytes, size_t nr)
{
	const uint8_t *start = bytes;

	return (struct bytes_cursor){
	    .start = start, .at = start, .end = start ? start + nr : start};
}

static inline size_t bytes_left(const struct bytes_cursor *cursor)
{
	return (size_t)(cursor->end - cursor->at);
}

/** Offset of the next byte from the start: what an error message names. */
static inline size_t bytes_offset(const struct bytes_cursor *cursor)
{
	return (size_t)(cursor->at - cursor->start);
}

/** @nr bytes, borrowed from the input, or NULL when fewer are left. */
static inline const uint8_t *bytes_take(struct bytes_cursor *cursor, size_t nr)
{
	const uint8_t *taken = cursor->at;

	if (cursor->failed || nr > bytes_left(cursor)) {
		cursor->failed = true;
		return NULL;
	}
	cursor->at += nr;
	return taken;
}

static inline uint64_t bytes_get_little_endian(struct bytes_cursor *cursor, size_t nr)
{
	const uint8_t *bytes = bytes_take(cursor, nr);
	uint64_t value = 0;

	if (bytes)
		memcpy(&value, bytes, nr);
	return value;
}

static inline uint8_t bytes_get_u8(struct bytes_cursor *cursor)
{
	return (uint8_t)bytes_get_little_endian(cursor, 1);
}

static inline uint16_t bytes_get_u16(struct bytes_cursor *cursor)
{
	return (uint16_t)bytes_get_little_endian(cursor, 2);
}

static inline uint32_t bytes_get_u32(struct bytes_cursor *cursor)
{
	return (uint32_t)bytes_get_little_endian(cursor, 4);
}

static inline uint64_t bytes_get_u64(struct bytes_cursor *cursor)
{
	return bytes_get_little_endian(cursor, 8);
}

/** Counterpart of strbuf_append_string(): borrowed bytes without a NUL, length in @nr. */
static inline const char *bytes_get_string(struct bytes_cursor *cursor, uint32_t *nr)
{
	uint32_t wanted = bytes_get_u32(cursor);
	const uint8_t *text = bytes_take(cursor, wanted);

	*nr = text ? wanted : 0;
	return text ? (const char *)text : "";
}

uint64_t bytes_get_uleb128(struct bytes_cursor *cursor);
int64_t bytes_get_sleb128(struct bytes_cursor *cursor);

#endif
