/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "common/utf8.h"

size_t utf8_decode(const uint8_t *text, size_t left, uint32_t *character)
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

void utf8_append(struct strbuf *out, uint32_t c)
{
	if (c < 0x80) {
		strbuf_append_char(out, (char)c);
	} else if (c < 0x800) {
		strbuf_append_char(out, (char)(0xc0 | c >> 6));
		strbuf_append_char(out, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x10000) {
		strbuf_append_char(out, (char)(0xe0 | c >> 12));
		strbuf_append_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
		strbuf_append_char(out, (char)(0x80 | (c & 0x3f)));
	} else if (c < 0x110000) {
		strbuf_append_char(out, (char)(0xf0 | c >> 18));
		strbuf_append_char(out, (char)(0x80 | (c >> 12 & 0x3f)));
		strbuf_append_char(out, (char)(0x80 | (c >> 6 & 0x3f)));
		strbuf_append_char(out, (char)(0x80 | (c & 0x3f)));
	}
}
