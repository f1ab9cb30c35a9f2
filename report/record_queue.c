/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/record_queue.h"

#include <linux/perf_event.h>
#include <string.h>

#include "common/vec.h"
#include "format/record_block.h"

enum { CACHE_LINE_BYTES = 64, PREFETCH_BYTES_MAX = 24 * 1024 };

void record_queue_init(struct record_queue *queue, size_t bytes_max)
{
	*queue = (struct record_queue){.bytes_max = bytes_max};
}

void record_queue_deinit(struct record_queue *queue)
{
	for (size_t i = 0; i < queue->nr; i++)
		record_block_put(queue->items[i].block);
	free(queue->items);
	*queue = (struct record_queue){0};
}

static bool queued_before(const struct queued_record *a, const struct queued_record *b)
{
	return a->time_ns != b->time_ns ? a->time_ns < b->time_ns : a->sequence < b->sequence;
}

static void record_queue_swap(struct record_queue *queue, size_t a, size_t b)
{
	struct queued_record other = queue->items[a];

	queue->items[a] = queue->items[b];
	queue->items[b] = other;
}

static void record_queue_sift_up(struct record_queue *queue, size_t at)
{
	while (at) {
		size_t parent = (at - 1) / 2;

		if (!queued_before(&queue->items[at], &queue->items[parent]))
			return;
		record_queue_swap(queue, at, parent);
		at = parent;
	}
}

static void record_queue_sift_down(struct record_queue *queue, size_t at)
{
	for (;;) {
		size_t least = at;

		for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < queue->nr; child++)
			if (queued_before(&queue->items[child], &queue->items[least]))
				least = child;
		if (least == at)
			return;
		record_queue_swap(queue, at, least);
		at = least;
	}
}

int record_queue_push(struct record_queue *queue, const struct queued_record *item)
{
	struct queued_record *held;
	int ret = vec_grow((void **)&queue->items, &queue->capacity, queue->nr + 1,
			   sizeof(*queue->items));

	if (ret)
		return ret;
	held = &queue->items[queue->nr];
	*held = *item;
	held->block = record_block_get(item->block);
	held->prefetch_bytes = item->header->size < PREFETCH_BYTES_MAX ? item->header->size
								       : PREFETCH_BYTES_MAX;
	held->sequence = queue->next_sequence++;
	if (held->time_ns > queue->newest_ns)
		queue->newest_ns = held->time_ns;
	if (held->block->queued_nr++ == 0)
		queue->bytes += sizeof(*held->block);
	record_queue_sift_up(queue, queue->nr++);
	if (queue->bytes > queue->bytes_max && !queue->is_draining) {
		queue->is_draining = true;
		queue->drain_bytes = queue->bytes_max / 2;
	}
	return 0;
}

void record_queue_end_round(struct record_queue *queue)
{
	queue->flush_ns = queue->round_ns;
	queue->round_ns = queue->newest_ns;
}

void record_queue_end(struct record_queue *queue)
{
	queue->is_draining = true;
	queue->drain_bytes = 0;
}

/*
 * Have the next one's bytes fetched while this one is worked on: they were unpacked a round ago and
 * have left the caches since.
 */
static void record_queue_prefetch(const struct record_queue *queue)
{
	const struct queued_record *next = queue->nr ? &queue->items[0] : NULL;

	for (uint32_t at = 0; next && at < next->prefetch_bytes; at += CACHE_LINE_BYTES)
		__builtin_prefetch((const uint8_t *)next->header + at);
}

bool record_queue_pop(struct record_queue *queue, struct queued_record *ret)
{
	if (queue->is_draining && queue->bytes <= queue->drain_bytes)
		queue->is_draining = false;
	if (queue->nr == 0)
		return false;
	if (!queue->is_draining && queue->items[0].time_ns > queue->flush_ns)
		return false;
	*ret = queue->items[0];
	if (--ret->block->queued_nr == 0)
		queue->bytes -= sizeof(*ret->block);
	queue->items[0] = queue->items[--queue->nr];
	record_queue_sift_down(queue, 0);
	record_queue_prefetch(queue);
	return true;
}
