/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Open-addressing hash from a 32-bit hash to ids of items that the caller keeps in an array.
 * The caller compares; the index only proposes. Filled to at most half. A zeroed struct is an
 * empty index.
 *
 *	for (slot = id_index_first(&index, hash); slot; slot = id_index_next(&index, slot))
 *		if (slot->hash == hash && item_matches(&items[slot->id]))
 *			return slot->id;
 *	return id_index_insert(&index, hash, new_id);
 */
#ifndef PYREC_COMMON_ID_INDEX_H
#define PYREC_COMMON_ID_INDEX_H

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>

#include "common/cleanup.h"

#define ID_NONE UINT32_MAX

struct id_slot {
	uint32_t hash;
	uint32_t id; /* ID_NONE: empty */
};

struct id_index {
	struct id_slot *slots;
	uint32_t capacity; /* 0 or a power of two */
	uint32_t nr;
};

static inline struct id_slot *id_index_occupied(const struct id_index *index, uint32_t position)
{
	struct id_slot *slot = &index->slots[position & (index->capacity - 1)];

	return slot->id == ID_NONE ? NULL : slot;
}

/** First candidate for @hash; NULL when there is none. */
static inline struct id_slot *id_index_first(const struct id_index *index, uint32_t hash)
{
	return index->capacity ? id_index_occupied(index, hash) : NULL;
}

static inline struct id_slot *id_index_next(const struct id_index *index,
					    const struct id_slot *slot)
{
	return id_index_occupied(index, (uint32_t)(slot - index->slots) + 1);
}

static inline void id_index_put(struct id_index *index, struct id_slot item)
{
	uint32_t position = item.hash;

	while (id_index_occupied(index, position))
		position++;
	index->slots[position & (index->capacity - 1)] = item;
}

must_check static inline int id_index_grow(struct id_index *index)
{
	struct id_index grown = {.capacity = index->capacity ? index->capacity * 2 : 16,
				 .nr = index->nr};

	if (grown.capacity < index->capacity)
		return -ENOMEM;
	grown.slots = reallocarray(NULL, grown.capacity, sizeof(*grown.slots));
	if (!grown.slots)
		return -ENOMEM;
	for (uint32_t i = 0; i < grown.capacity; i++)
		grown.slots[i].id = ID_NONE;
	for (uint32_t i = 0; i < index->capacity; i++)
		if (index->slots[i].id != ID_NONE)
			id_index_put(&grown, index->slots[i]);
	free(index->slots);
	*index = grown;
	return 0;
}

/** Add @id, which is not ID_NONE. Return: 0 or -ENOMEM (then nothing changed). */
must_check static inline int id_index_insert(struct id_index *index, uint32_t hash, uint32_t id)
{
	if (index->nr >= index->capacity / 2) {
		int ret = id_index_grow(index);

		if (ret)
			return ret;
	}
	id_index_put(index, (struct id_slot){.hash = hash, .id = id});
	index->nr++;
	return 0;
}

static inline void id_index_deinit(struct id_index *index)
{
	free(index->slots);
	*index = (struct id_index){0};
}

#endif
