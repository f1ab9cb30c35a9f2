/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * zstd, and the one user of it: one continuous stream for the records, single frames for the
 * bundle's modules. Compressed input is untrusted: every output is bounded by the caller.
 */
#ifndef PYREC_FORMAT_COMPRESSOR_H
#define PYREC_FORMAT_COMPRESSOR_H

#include <stddef.h>
#include <stdint.h>

#include "common/bytes.h"
#include "common/cleanup.h"
#include "common/strbuf.h"

/* -- stream -- */
struct compressor;

must_check int compressor_create(int level, struct compressor **ret);
void compressor_destroy(struct compressor *compressor);
/** Append to @out what @bytes become, up to the last byte (flushed). Return: 0, -EIO, -ENOMEM. */
must_check int compressor_run(struct compressor *compressor, const void *bytes, size_t nr,
			      struct strbuf *out);

struct decompressor;

must_check int decompressor_create(struct decompressor **ret);
void decompressor_destroy(struct decompressor *decompressor);
/**
 * Unpack from @in, which moves, into @out[0..@out_nr). Stops when @out is full or @in used up; when
 * @out was filled call it again, even with an empty @in. Frames may follow each other.
 * Return: 0 or -EBADMSG.
 */
must_check int decompressor_run(struct decompressor *decompressor, struct bytes_cursor *in,
				uint8_t *out, size_t out_nr, size_t *ret);

/* -- one frame -- */
/** Append @bytes as one frame that states its size. Return: 0, -EIO, -ENOMEM. */
must_check int frame_compress(struct strbuf *out, const void *bytes, size_t nr, int level);
/** Unpack the one frame that fills @bytes; it must state and have @unpacked_nr bytes. @ret is
 *  the caller's to free(). Return: 0, -EBADMSG, -ENOMEM. */
must_check int frame_decompress(const void *bytes, size_t nr, size_t unpacked_nr, uint8_t **ret);

#endif
