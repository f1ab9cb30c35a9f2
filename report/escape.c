/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/escape.h"

#include <stdbool.h>
#include <stdint.h>

static bool is_continuation(uint8_t byte)
{
	return (byte & 0xc0) == 0x80;
}

/* Bytes of the well-formed UTF-8 sequence at @at, 0 when there is none (Unicode 15, table 3-7). */
static size_t utf8_sequence_bytes(const uint8_t *at, size_t left)
{
	static const struct {
		uint8_t first_low, first_high, second_low, second_high;
		uint8_t bytes;
	} forms[] = {
	    {0xc2, 0xdf, 0x80, 0xbf, 2}, {0xe0, 0xe0, 0xa0, 0xbf, 3}, {0xe1, 0xec, 0x80, 0xbf, 3},
	    {0xed, 0xed, 0x80, 0x9f, 3}, {0xee, 0xef, 0x80, 0xbf, 3}, {0xf0, 0xf0, 0x90, 0xbf, 4},
	    {0xf1, 0xf3, 0x80, 0xbf, 4}, {0xf4, 0xf4, 0x80, 0x8f, 4},
	};

	if (at[0] < 0x80)
		return 1;
	for (size_t i = 0; i < array_size(forms); i++) {
		if (at[0] < forms[i].first_low || at[0] > forms[i].first_high)
			continue;
		if (left < forms[i].bytes || at[1] < forms[i].second_low ||
		    at[1] > forms[i].second_high)
			return 0;
		for (size_t k = 2; k < forms[i].bytes; k++)
			if (!is_continuation(at[k]))
				return 0;
		return forms[i].bytes;
	}
	return 0;
}

static bool is_control(const uint8_t *at, size_t nr)
{
	if (nr == 1)
		return at[0] < 0x20 || at[0] == 0x7f;
	return nr == 2 && at[0] == 0xc2 && at[1] < 0xa0;
}

void escape_append(struct strbuf *out, const char *text, size_t nr)
{
	const uint8_t *at = (const uint8_t *)text;
	size_t plain = 0; /* bytes before @at that need no escape and are not yet appended */

	while (nr) {
		size_t bytes = utf8_sequence_bytes(at, nr);
		bool is_plain = bytes && !is_control(at, bytes);

		if (bytes == 0)
			bytes = 1;
		if (is_plain) {
			plain += bytes;
		} else {
			strbuf_append(out, at - plain, plain);
			plain = 0;
			for (size_t i = 0; i < bytes; i++)
				strbuf_append_format(out, "\\x%02x", at[i]);
		}
		at += bytes;
		nr -= bytes;
	}
	strbuf_append(out, at - plain, plain);
}

size_t escape_columns(const char *text)
{
	size_t columns = 0;

	for (; *text; text++)
		columns += !is_continuation((uint8_t)*text);
	return columns;
}
