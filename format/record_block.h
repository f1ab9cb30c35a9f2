/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Pieces of memory that hold records as they came out of a file. A record lives as long as
 * somebody has a reference of its block, also on another thread; blocks go back to their pool.
 */
#ifndef PYREC_FORMAT_RECORD_BLOCK_H
#define PYREC_FORMAT_RECORD_BLOCK_H

#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "common/cleanup.h"

enum { RECORD_BLOCK_BYTES = 512 << 10 };

struct record_pool;

struct record_block {
	struct record_pool *pool;
	struct record_block *next; /* of the pool's free ones */
	atomic_uint references;
	uint32_t queued_nr; /* records that wait in a queue; the queue's own (record_queue.h) */
	uint8_t bytes[RECORD_BLOCK_BYTES] __attribute__((aligned(8)));
};

struct record_pool {
	pthread_mutex_t lock;
	struct record_block *free;
	uint32_t free_nr;
};

void record_pool_init(struct record_pool *pool);
/** All references must have been put. */
void record_pool_deinit(struct record_pool *pool);
/** With one reference; its bytes are not cleared. NULL: no memory. */
struct record_block *record_pool_take(struct record_pool *pool);

static inline struct record_block *record_block_get(struct record_block *block)
{
	atomic_fetch_add_explicit(&block->references, 1, memory_order_relaxed);
	return block;
}

/** NULL is nothing. */
void record_block_put(struct record_block *block);

#endif
