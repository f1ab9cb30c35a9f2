/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A growable array whose items never move: chunk k holds CHUNK_ITEMS_MIN << k of them. All zeros is
 * an empty one.
 */
#ifndef PYREC_COMMON_CHUNKS_H
#define PYREC_COMMON_CHUNKS_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/cleanup.h"

enum { CHUNK_SHIFT = 4, CHUNK_ITEMS_MIN = 1 << CHUNK_SHIFT, CHUNKS_NR = 32 - CHUNK_SHIFT };

struct chunks {
	uint8_t *chunks[CHUNKS_NR];
	uint32_t nr;
};

/* The items before chunk k are (1 << k) - 1 times CHUNK_ITEMS_MIN. */
static inline unsigned int chunks_chunk(uint32_t index)
{
	return 31 - (unsigned int)__builtin_clz(index + CHUNK_ITEMS_MIN) - CHUNK_SHIFT;
}

/** Item @index of all of @item_bytes; it must be there. */
static inline void *chunks_at(const struct chunks *chunks, uint32_t index, size_t item_bytes)
{
	unsigned int chunk = chunks_chunk(index);
	uint32_t first = (CHUNK_ITEMS_MIN << chunk) - CHUNK_ITEMS_MIN;

	return chunks->chunks[chunk] + (index - first) * item_bytes;
}

/** Return: 0 or -ENOMEM (then nothing changed; also for more than 2^31 items). */
must_check static inline int chunks_append(struct chunks *chunks, const void *item,
					   size_t item_bytes)
{
	unsigned int chunk;

	if (chunks->nr > INT32_MAX - CHUNK_ITEMS_MIN)
		return -ENOMEM;
	chunk = chunks_chunk(chunks->nr);
	if (!chunks->chunks[chunk])
		chunks->chunks[chunk] = malloc(item_bytes * ((size_t)CHUNK_ITEMS_MIN << chunk));
	if (!chunks->chunks[chunk])
		return -ENOMEM;
	memcpy(chunks_at(chunks, chunks->nr, item_bytes), item, item_bytes);
	chunks->nr++;
	return 0;
}

/** Bytes of all chunks. */
static inline size_t chunks_bytes(const struct chunks *chunks, size_t item_bytes)
{
	size_t nr = 0;

	for (unsigned int i = 0; i < CHUNKS_NR; i++)
		nr += chunks->chunks[i] ? (size_t)CHUNK_ITEMS_MIN << i : 0;
	return nr * item_bytes;
}

static inline void chunks_deinit(struct chunks *chunks)
{
	for (unsigned int i = 0; i < CHUNKS_NR; i++)
		free(chunks->chunks[i]);
	*chunks = (struct chunks){0};
}

#endif
