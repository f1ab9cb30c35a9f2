/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "common/intern.h"

#include <string.h>

#include "common/hash.h"
#include "common/vec.h"

enum { INTERN_CHUNK_BYTES = 64 * 1024 };

struct intern_chunk {
	struct intern_chunk *previous;
	size_t used;
	size_t capacity;
	char bytes[];
};

static char *intern_allocate(struct intern *intern, size_t nr)
{
	struct intern_chunk *chunk = intern->chunks;
	char *taken;

	if (!chunk || nr > chunk->capacity - chunk->used) {
		size_t capacity = nr > INTERN_CHUNK_BYTES / 4 ? nr : INTERN_CHUNK_BYTES;

		chunk = malloc(sizeof(*chunk) + capacity);
		if (!chunk)
			return NULL;
		*chunk = (struct intern_chunk){.previous = intern->chunks, .capacity = capacity};
		intern->chunks = chunk;
	}
	taken = chunk->bytes + chunk->used;
	chunk->used += nr;
	return taken;
}

static int intern_add(struct intern *intern, const void *bytes, size_t nr, uint32_t hash)
{
	uint32_t id = (uint32_t)intern->nr;
	char *copy;
	int ret;

	if (intern->nr >= ID_NONE || nr == SIZE_MAX)
		return -ENOMEM;
	ret = vec_grow((void **)&intern->items, &intern->capacity, intern->nr + 1,
		       sizeof(*intern->items));
	if (ret)
		return ret;
	copy = intern_allocate(intern, nr + 1);
	if (!copy)
		return -ENOMEM;
	if (nr)
		memcpy(copy, bytes, nr);
	copy[nr] = '\0';
	ret = id_index_insert(&intern->index, hash, id);
	if (ret)
		return ret;
	intern->items[intern->nr++] = (struct intern_item){.text = copy, .nr = nr};
	return 0;
}

static bool intern_find_hash(const struct intern *intern, const void *bytes, size_t nr,
			     uint32_t hash, uint32_t *ret)
{
	for (const struct id_slot *slot = id_index_first(&intern->index, hash); slot;
	     slot = id_index_next(&intern->index, slot)) {
		const struct intern_item *item = &intern->items[slot->id];

		if (slot->hash == hash && item->nr == nr &&
		    (nr == 0 || memcmp(item->text, bytes, nr) == 0)) {
			*ret = slot->id;
			return true;
		}
	}
	return false;
}

bool intern_find(const struct intern *intern, const void *bytes, size_t nr, uint32_t *ret)
{
	return intern_find_hash(intern, bytes, nr, (uint32_t)hash_bytes(bytes, nr, 0), ret);
}

int intern_bytes(struct intern *intern, const void *bytes, size_t nr, uint32_t *ret)
{
	uint32_t hash = (uint32_t)hash_bytes(bytes, nr, 0);
	int error;

	if (intern_find_hash(intern, bytes, nr, hash, ret))
		return 0;
	error = intern_add(intern, bytes, nr, hash);
	if (error == 0)
		*ret = (uint32_t)intern->nr - 1;
	return error;
}

const char *intern_text_nr(struct intern *intern, const char *text, size_t nr)
{
	uint32_t id;

	return intern_bytes(intern, text, nr, &id) ? NULL : intern->items[id].text;
}

const char *intern_text(struct intern *intern, const char *text)
{
	return intern_text_nr(intern, text, strlen(text));
}

void intern_deinit(struct intern *intern)
{
	while (intern->chunks) {
		struct intern_chunk *chunk = intern->chunks;

		intern->chunks = chunk->previous;
		free(chunk);
	}
	free(intern->items);
	id_index_deinit(&intern->index);
	*intern = (struct intern){0};
}
