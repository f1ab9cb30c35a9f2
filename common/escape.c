/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "common/escape.h"

#include <stdbool.h>
#include <string.h>

#include "common/utf8.h"

enum { ESCAPED_BYTES_MAX = 16 };

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

/* Of most names all. */
static size_t plain_ascii_nr(const char *text, size_t nr)
{
	size_t at = 0;

	while (at < nr && text[at] >= ' ' && text[at] <= '~')
		at++;
	return at;
}

void escape_append(struct strbuf *out, const char *text, size_t nr)
{
	size_t at = plain_ascii_nr(text, nr);

	strbuf_append(out, text, at);
	while (at < nr) {
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
