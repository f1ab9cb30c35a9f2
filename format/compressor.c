/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "format/compressor.h"

#include <errno.h>
#include <zstd.h>
#include <zstd_errors.h>

struct compressor {
	ZSTD_CCtx *context;
};

struct decompressor {
	ZSTD_DCtx *context;
};

/* ---- Stream ---- */

int compressor_create(int level, struct compressor **ret)
{
	struct compressor *compressor = calloc(1, sizeof(*compressor));

	if (!compressor)
		return -ENOMEM;
	compressor->context = ZSTD_createCCtx();
	if (!compressor->context) {
		compressor_destroy(compressor);
		return -ENOMEM;
	}
	if (ZSTD_isError(
		ZSTD_CCtx_setParameter(compressor->context, ZSTD_c_compressionLevel, level))) {
		compressor_destroy(compressor);
		return -EINVAL;
	}
	*ret = compressor;
	return 0;
}

void compressor_destroy(struct compressor *compressor)
{
	if (!compressor)
		return;
	ZSTD_freeCCtx(compressor->context);
	free(compressor);
}

int compressor_run(struct compressor *compressor, const void *bytes, size_t nr, struct strbuf *out)
{
	ZSTD_inBuffer input = {.src = bytes, .size = nr};
	size_t left;

	do {
		ZSTD_outBuffer output;
		int ret = strbuf_reserve(out, ZSTD_compressBound(nr - input.pos) + 64);

		if (ret)
			return ret;
		output = (ZSTD_outBuffer){.dst = out->bytes + out->nr,
					  .size = out->capacity - out->nr - 1};
		left = ZSTD_compressStream2(compressor->context, &output, &input, ZSTD_e_flush);
		if (ZSTD_isError(left))
			return -EIO;
		out->nr += output.pos;
		out->bytes[out->nr] = '\0';
	} while (left);
	return 0;
}

int decompressor_create(struct decompressor **ret)
{
	struct decompressor *decompressor = calloc(1, sizeof(*decompressor));

	if (!decompressor)
		return -ENOMEM;
	decompressor->context = ZSTD_createDCtx();
	if (!decompressor->context) {
		free(decompressor);
		return -ENOMEM;
	}
	*ret = decompressor;
	return 0;
}

void decompressor_destroy(struct decompressor *decompressor)
{
	if (!decompressor)
		return;
	ZSTD_freeDCtx(decompressor->context);
	free(decompressor);
}

int decompressor_run(struct decompressor *decompressor, struct bytes_cursor *in, uint8_t *out,
		     size_t out_nr, size_t *ret)
{
	ZSTD_inBuffer input = {.src = in->at, .size = bytes_left(in)};
	ZSTD_outBuffer output = {.dst = out, .size = out_nr};

	do {
		const size_t input_before = input.pos;
		const size_t output_before = output.pos;
		const size_t hint = ZSTD_decompressStream(decompressor->context, &output, &input);

		if (ZSTD_isError(hint))
			return -EBADMSG;
		if (input.pos == input_before && output.pos == output_before)
			break;
	} while (output.pos < output.size && input.pos < input.size);
	in->at += input.pos;
	*ret = output.pos;
	return 0;
}

/* ---- One frame ---- */

int frame_compress(struct strbuf *out, const void *bytes, size_t nr, int level)
{
	const size_t bound = ZSTD_compressBound(nr);
	size_t written;
	int ret = strbuf_reserve(out, bound);

	if (ret)
		return ret;
	written = ZSTD_compress(out->bytes + out->nr, bound, bytes, nr, level);
	if (ZSTD_isError(written))
		return ZSTD_getErrorCode(written) == ZSTD_error_memory_allocation ? -ENOMEM : -EIO;
	out->nr += written;
	out->bytes[out->nr] = '\0';
	return 0;
}

int frame_decompress(const void *bytes, size_t nr, size_t unpacked_nr, uint8_t **ret)
{
	auto_free uint8_t *unpacked = NULL;

	if (ZSTD_getFrameContentSize(bytes, nr) != unpacked_nr ||
	    ZSTD_findFrameCompressedSize(bytes, nr) != nr)
		return -EBADMSG;
	unpacked = malloc(unpacked_nr + 1);
	if (!unpacked)
		return -ENOMEM;
	if (ZSTD_decompress(unpacked, unpacked_nr, bytes, nr) != unpacked_nr)
		return -EBADMSG;
	*ret = no_free_ptr(unpacked);
	return 0;
}
