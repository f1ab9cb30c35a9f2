/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* UTF-8, one character at a time. */
#ifndef PYREC_COMMON_UTF8_H
#define PYREC_COMMON_UTF8_H

#include <stddef.h>
#include <stdint.h>

#include "common/strbuf.h"

/**
 * The character at @text, of which @left bytes are there.
 * Return: its length; 0 when it is not well-formed (Unicode 15, table 3-7; a surrogate is not).
 */
size_t utf8_decode(const uint8_t *text, size_t left, uint32_t *character);
/** Append @c; a surrogate as the three bytes of its number; nothing beyond U+10FFFF. */
void utf8_append(struct strbuf *out, uint32_t c);

#endif
