/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "common/strbuf.h"

#include <stdarg.h>
#include <string.h>

#include "common/vec.h"

const char *strbuf_text(const struct strbuf *buf)
{
	return buf->bytes ? buf->bytes : "";
}

int strbuf_reserve(struct strbuf *buf, size_t nr)
{
	if (!buf->error && nr >= SIZE_MAX - buf->nr)
		buf->error = -ENOMEM;
	if (!buf->error)
		buf->error = vec_grow((void **)&buf->bytes, &buf->capacity, buf->nr + nr + 1, 1);
	return buf->error;
}

void strbuf_append(struct strbuf *buf, const void *bytes, size_t nr)
{
	if (strbuf_reserve(buf, nr))
		return;
	if (nr)
		memcpy(buf->bytes + buf->nr, bytes, nr);
	buf->nr += nr;
	buf->bytes[buf->nr] = '\0';
}

void strbuf_append_text(struct strbuf *buf, const char *text)
{
	strbuf_append(buf, text, strlen(text));
}

void strbuf_append_char(struct strbuf *buf, char c)
{
	strbuf_append(buf, &c, 1);
}

void strbuf_append_format(struct strbuf *buf, const char *format, ...)
{
	va_list arguments;
	va_list again;
	int nr;

	va_start(arguments, format);
	va_copy(again, arguments);
	nr = vsnprintf(NULL, 0, format, arguments);
	va_end(arguments);
	if (nr >= 0 && !strbuf_reserve(buf, (size_t)nr)) {
		vsnprintf(buf->bytes + buf->nr, (size_t)nr + 1, format, again);
		buf->nr += (size_t)nr;
	}
	va_end(again);
}

void strbuf_append_zeros(struct strbuf *buf, size_t nr)
{
	if (strbuf_reserve(buf, nr))
		return;
	memset(buf->bytes + buf->nr, 0, nr + 1);
	buf->nr += nr;
}

static void strbuf_append_little_endian(struct strbuf *buf, uint64_t value, size_t nr)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < nr; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
	strbuf_append(buf, bytes, nr);
}

void strbuf_append_u8(struct strbuf *buf, uint8_t value)
{
	strbuf_append_little_endian(buf, value, 1);
}

void strbuf_append_u16(struct strbuf *buf, uint16_t value)
{
	strbuf_append_little_endian(buf, value, 2);
}

void strbuf_append_u32(struct strbuf *buf, uint32_t value)
{
	strbuf_append_little_endian(buf, value, 4);
}

void strbuf_append_u64(struct strbuf *buf, uint64_t value)
{
	strbuf_append_little_endian(buf, value, 8);
}

void strbuf_append_string(struct strbuf *buf, const char *text, size_t nr)
{
	strbuf_append_u32(buf, (uint32_t)nr);
	strbuf_append(buf, text, nr);
}

void strbuf_align(struct strbuf *buf, size_t alignment)
{
	strbuf_append_zeros(buf, -buf->nr & (alignment - 1));
}

void strbuf_truncate(struct strbuf *buf, size_t nr)
{
	if (nr >= buf->nr)
		return;
	buf->nr = nr;
	buf->bytes[nr] = '\0';
}

void strbuf_reset(struct strbuf *buf)
{
	buf->nr = 0;
	buf->error = 0;
	if (buf->bytes)
		buf->bytes[0] = '\0';
}

void strbuf_deinit(struct strbuf *buf)
{
	free(buf->bytes);
	*buf = (struct strbuf){0};
}
