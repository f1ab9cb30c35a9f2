/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "common/escape.h"

#include <stdbool.h>
#include <string.h>

enum { ESCAPED_BYTES_MAX = 16 };

/* Length of the well-formed UTF-8 character at @text (Unicode 15, table 3-7), 0 when it is
 * none. */
static size_t utf8_decode(const uint8_t *text, size_t left, uint32_t *character)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	const uint8_t first = text[0];
	size_t nr;

	if (first < 0x80)
		nr = 1;
	else if (first >= 0xc2 && first < 0xe0)
		nr = 2;
	else if (first >= 0xe0 && first < 0xf0)
		nr = 3;
	else if (first >= 0xf0 && first < 0xf5)
		nr = 4;
	else
		return 0;
	if (nr > left)
		return 0;
	*character = nr == 1 ? first : first & (0xffu >> (nr + 1));
	for (size_t i = 1; i < nr; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		*character = *character << 6 | (text[i] & 0x3f);
	}
	if (*character < smallest[nr] || *character > 0x10ffff ||
	    (*character >= 0xd800 && *character < 0xe000))
		return 0;
	return nr;
}

struct character_range {
	uint32_t first;
	uint32_t last;
};

/* C0 and C1 controls, soft hyphen, zero-width and bidirectional marks, line and paragraph
 * separators, byte order mark, interlinear marks, tags. */
static const struct character_range unprintable[] = {
    {0x00, 0x1f},     {0x7f, 0x9f},	{0xad, 0xad},	    {0x61c, 0x61c},
    {0x180e, 0x180e}, {0x200b, 0x200f}, {0x2028, 0x202e},   {0x2060, 0x206f},
    {0xfeff, 0xfeff}, {0xfff9, 0xfffb}, {0xe0000, 0xe007f},
};

static bool character_is_printable(uint32_t character)
{
	for (size_t i = 0; i < array_size(unprintable); i++)
		if (character >= unprintable[i].first && character <= unprintable[i].last)
			return false;
	return true;
}

/* Escape what stands at @text into @ret; its length there in @escaped_nr. Return: bytes used. */
static size_t escape_next(const uint8_t *text, size_t left, char ret[ESCAPED_BYTES_MAX],
			  size_t *escaped_nr)
{
	uint32_t character;
	const size_t nr = utf8_decode(text, left, &character);

	if (nr == 0) {
		*escaped_nr = (size_t)snprintf(ret, ESCAPED_BYTES_MAX, "\\x%02x", text[0]);
		return 1;
	}
	if (character_is_printable(character)) {
		memcpy(ret, text, nr);
		*escaped_nr = nr;
	} else if (character < 0x80) {
		*escaped_nr = (size_t)snprintf(ret, ESCAPED_BYTES_MAX, "\\x%02x", character);
	} else {
		*escaped_nr = (size_t)snprintf(ret, ESCAPED_BYTES_MAX, "\\u{%x}", character);
	}
	return nr;
}

void escape_append(struct strbuf *out, const char *text, size_t nr)
{
	for (size_t at = 0; at < nr;) {
		char escaped[ESCAPED_BYTES_MAX];
		size_t escaped_nr;

		at += escape_next((const uint8_t *)text + at, nr - at, escaped, &escaped_nr);
		strbuf_append(out, escaped, escaped_nr);
	}
}

void escape_print(FILE *out, const char *text, size_t nr)
{
	for (size_t at = 0; at < nr;) {
		char escaped[ESCAPED_BYTES_MAX];
		size_t escaped_nr;

		at += escape_next((const uint8_t *)text + at, nr - at, escaped, &escaped_nr);
		fwrite(escaped, 1, escaped_nr, out);
	}
}

size_t escape_columns(const char *text)
{
	size_t columns = 0;

	for (; *text; text++)
		columns += ((uint8_t)*text & 0xc0) != 0x80;
	return columns;
}
