/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A growable byte buffer: text being built, or records being encoded. bytes[] is
 * always NUL terminated once something was appended; the NUL is not counted in nr.
 * The first failed append sets error (-ENOMEM) and makes all later ones do nothing,
 * so a caller may append many parts and look at error once.
 */
#ifndef PYREC_COMMON_STRBUF_H
#define PYREC_COMMON_STRBUF_H

#include <stddef.h>
#include <stdint.h>

#include "common/cleanup.h"

struct strbuf {
	char *bytes; /* NULL while empty */
	size_t nr;
	size_t capacity;
	int error; /* 0 or -ENOMEM */
};

/** The text; "" when nothing was appended. Borrowed until the next append. */
const char *strbuf_text(const struct strbuf *buf);
void strbuf_append(struct strbuf *buf, const void *bytes, size_t nr);
void strbuf_append_text(struct strbuf *buf, const char *text);
void strbuf_append_char(struct strbuf *buf, char c);
void strbuf_append_format(struct strbuf *buf, const char *format, ...) printf_like(2, 3);
/** Append @nr zero bytes. */
void strbuf_append_zeros(struct strbuf *buf, size_t nr);
/* Little-endian numbers, for files. */
void strbuf_append_u8(struct strbuf *buf, uint8_t value);
void strbuf_append_u16(struct strbuf *buf, uint16_t value);
void strbuf_append_u32(struct strbuf *buf, uint32_t value);
void strbuf_append_u64(struct strbuf *buf, uint64_t value);
/** u32 length, then the bytes without a NUL. */
void strbuf_append_string(struct strbuf *buf, const char *text, size_t nr);
/** Zero bytes up to a multiple of @alignment (a power of two) counted from the start. */
void strbuf_align(struct strbuf *buf, size_t alignment);
/** Drop what stands from byte @nr on. */
void strbuf_truncate(struct strbuf *buf, size_t nr);
/** Room for @nr more bytes at the end; 0 or -ENOMEM. */
must_check int strbuf_reserve(struct strbuf *buf, size_t nr);
/** Empty, memory and error state: memory kept, error forgotten. */
void strbuf_reset(struct strbuf *buf);
void strbuf_deinit(struct strbuf *buf);

#define auto_strbuf __attribute__((cleanup(strbuf_deinit)))

#endif
