/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "format/record_block.h"

#include <stdlib.h>

/* More than these are given back to the system: a burst shall not be kept for ever. */
enum { FREE_BLOCKS_MAX = 32 };

void record_pool_init(struct record_pool *pool)
{
	*pool = (struct record_pool){0};
	pthread_mutex_init(&pool->lock, NULL);
}

void record_pool_deinit(struct record_pool *pool)
{
	while (pool->free) {
		struct record_block *block = pool->free;

		pool->free = block->next;
		free(block);
	}
	pthread_mutex_destroy(&pool->lock);
}

struct record_block *record_pool_take(struct record_pool *pool)
{
	struct record_block *block;

	pthread_mutex_lock(&pool->lock);
	block = pool->free;
	if (block) {
		pool->free = block->next;
		pool->free_nr--;
	}
	pthread_mutex_unlock(&pool->lock);
	if (!block)
		block = malloc(sizeof(*block));
	if (!block)
		return NULL;
	block->pool = pool;
	block->next = NULL;
	block->queued_nr = 0;
	atomic_init(&block->references, 1);
	return block;
}

void record_block_put(struct record_block *block)
{
	struct record_pool *pool;

	if (!block || atomic_fetch_sub_explicit(&block->references, 1, memory_order_acq_rel) != 1)
		return;
	pool = block->pool;
	pthread_mutex_lock(&pool->lock);
	if (pool->free_nr < FREE_BLOCKS_MAX) {
		block->next = pool->free;
		pool->free = block;
		pool->free_nr++;
		block = NULL;
	}
	pthread_mutex_unlock(&pool->lock);
	free(block);
}
