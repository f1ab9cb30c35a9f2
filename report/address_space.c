/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/address_space.h"

#include <errno.h>
#include <string.h>

#include "common/vec.h"

/* Index of the first mapping that ends above @address. */
static size_t address_space_lower_bound(const struct address_space *space, uint64_t address)
{
	size_t low = 0;
	size_t high = space->nr;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (space->mappings[middle].end <= address)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const struct mapping *address_space_find(const struct address_space *space, uint64_t address)
{
	size_t index = address_space_lower_bound(space, address);

	if (index < space->nr && space->mappings[index].start <= address)
		return &space->mappings[index];
	return NULL;
}

static struct mapping mapping_from(const struct mapping *mapping, uint64_t start)
{
	struct mapping rest = *mapping;

	rest.file_offset += start - mapping->start;
	rest.start = start;
	return rest;
}

/* Put @parts in the place of mappings [first, last). Room was made before. */
static void address_space_replace(struct address_space *space, size_t first, size_t last,
				  const struct mapping *parts, size_t parts_nr)
{
	memmove(space->mappings + first + parts_nr, space->mappings + last,
		(space->nr - last) * sizeof(*parts));
	memcpy(space->mappings + first, parts, parts_nr * sizeof(*parts));
	space->nr = space->nr - (last - first) + parts_nr;
}

int address_space_insert(struct address_space *space, const struct mapping *mapping)
{
	struct mapping parts[3];
	size_t parts_nr = 0;
	size_t first = address_space_lower_bound(space, mapping->start);
	size_t last = first;
	int error;

	if (mapping->start >= mapping->end)
		return 0;
	error = vec_grow((void **)&space->mappings, &space->capacity, space->nr + 2,
			 sizeof(*space->mappings));
	if (error)
		return error;

	if (first < space->nr && space->mappings[first].start < mapping->start) {
		parts[parts_nr] = space->mappings[first];
		parts[parts_nr++].end = mapping->start;
	}
	parts[parts_nr++] = *mapping;
	while (last < space->nr && space->mappings[last].start < mapping->end)
		last++;
	if (last > first && space->mappings[last - 1].end > mapping->end)
		parts[parts_nr++] = mapping_from(&space->mappings[last - 1], mapping->end);

	address_space_replace(space, first, last, parts, parts_nr);
	return 0;
}

int address_space_copy(const struct address_space *from, struct address_space *ret)
{
	struct address_space copy = {0};
	int error;

	if (from->nr) {
		error = vec_grow((void **)&copy.mappings, &copy.capacity, from->nr,
				 sizeof(*copy.mappings));
		if (error)
			return error;
		memcpy(copy.mappings, from->mappings, from->nr * sizeof(*copy.mappings));
	}
	copy.nr = from->nr;
	*ret = copy;
	return 0;
}

void address_space_deinit(struct address_space *space)
{
	free(space->mappings);
	*space = (struct address_space){0};
}
