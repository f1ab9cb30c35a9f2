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

static void records_drop(struct queued_records *records, size_t first)
{
	for (size_t i = first; i < records->nr; i++)
		record_block_put(records->items[i].block);
	queued_records_deinit(records);
}

void record_queue_deinit(struct record_queue *queue)
{
	records_drop(&queue->row, queue->row_first);
	records_drop(&queue->heap, 0);
	*queue = (struct record_queue){0};
}

static bool queued_before(const struct queued_record *a, const struct queued_record *b)
{
	return a->time_ns != b->time_ns ? a->time_ns < b->time_ns : a->sequence < b->sequence;
}

static void heap_swap(struct queued_records *heap, size_t a, size_t b)
{
	struct queued_record other = heap->items[a];

	heap->items[a] = heap->items[b];
	heap->items[b] = other;
}

static void heap_sift_up(struct queued_records *heap, size_t at)
{
	while (at) {
		size_t parent = (at - 1) / 2;

		if (!queued_before(&heap->items[at], &heap->items[parent]))
			return;
		heap_swap(heap, at, parent);
		at = parent;
	}
}

static void heap_sift_down(struct queued_records *heap, size_t at)
{
	for (;;) {
		size_t least = at;

		for (size_t child = 2 * at + 1; child <= 2 * at + 2 && child < heap->nr; child++)
			if (queued_before(&heap->items[child], &heap->items[least]))
				least = child;
		if (least == at)
			return;
		heap_swap(heap, at, least);
		at = least;
	}
}

static bool row_is_empty(const struct record_queue *queue)
{
	return queue->row_first == queue->row.nr;
}

/* Room for one more in the row: what left makes some, once it is half of all. */
static int row_reserve(struct record_queue *queue)
{
	struct queued_records *row = &queue->row;

	if (row->nr == row->capacity && queue->row_first >= row->nr - queue->row_first) {
		row->nr -= queue->row_first;
		if (row->nr)
			memcpy(row->items, row->items + queue->row_first,
			       row->nr * sizeof(*row->items));
		queue->row_first = 0;
	}
	return queued_records_reserve(row, row->nr + 1);
}

int record_queue_push(struct record_queue *queue, const struct queued_record *item)
{
	bool is_in_order = row_is_empty(queue) ||
			   queue->row.items[queue->row.nr - 1].time_ns <= item->time_ns;
	struct queued_records *records = is_in_order ? &queue->row : &queue->heap;
	struct queued_record *held;
	int ret = is_in_order ? row_reserve(queue)
			      : queued_records_reserve(records, records->nr + 1);

	if (ret)
		return ret;
	held = &records->items[records->nr++];
	*held = *item;
	held->block = record_block_get(item->block);
	held->prefetch_bytes = item->header->size < PREFETCH_BYTES_MAX ? item->header->size
								       : PREFETCH_BYTES_MAX;
	held->sequence = queue->next_sequence++;
	if (held->time_ns > queue->newest_ns)
		queue->newest_ns = held->time_ns;
	if (held->block->queued_nr++ == 0)
		queue->bytes += sizeof(*held->block);
	if (!is_in_order)
		heap_sift_up(records, records->nr - 1);
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

/* The oldest; NULL: empty. */
static const struct queued_record *record_queue_oldest(const struct record_queue *queue)
{
	const struct queued_record *top = queue->heap.nr ? queue->heap.items : NULL;
	const struct queued_record *first;

	if (row_is_empty(queue))
		return top;
	first = &queue->row.items[queue->row_first];
	return top && queued_before(top, first) ? top : first;
}

/*
 * Have the next one's bytes fetched while this one is worked on: they were unpacked a round ago and
 * have left the caches since.
 */
static void record_queue_prefetch(const struct record_queue *queue)
{
	const struct queued_record *next = record_queue_oldest(queue);

	for (uint32_t at = 0; next && at < next->prefetch_bytes; at += CACHE_LINE_BYTES)
		__builtin_prefetch((const uint8_t *)next->header + at);
}

bool record_queue_pop(struct record_queue *queue, struct queued_record *ret)
{
	const struct queued_record *oldest = record_queue_oldest(queue);

	if (queue->is_draining && queue->bytes <= queue->drain_bytes)
		queue->is_draining = false;
	if (!oldest || (!queue->is_draining && oldest->time_ns > queue->flush_ns))
		return false;
	*ret = *oldest;
	if (--ret->block->queued_nr == 0)
		queue->bytes -= sizeof(*ret->block);
	if (oldest == queue->heap.items) {
		queue->heap.items[0] = queue->heap.items[--queue->heap.nr];
		heap_sift_down(&queue->heap, 0);
	} else {
		queue->row_first++;
	}
	record_queue_prefetch(queue);
	return true;
}
