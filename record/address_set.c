/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "record/address_set.h"

#include <errno.h>
#include <stdlib.h>

#include "common/hash.h"

enum { SLOTS_MIN = 1024 };

static uint64_t *slot_find(uint64_t *slots, size_t slots_nr, uint64_t address)
{
	size_t at = hash_mix64(address) & (slots_nr - 1);

	while (slots[at] && slots[at] != address)
		at = (at + 1) & (slots_nr - 1);
	return &slots[at];
}

static int address_set_grow(struct address_set *set)
{
	size_t slots_nr = set->slots_nr ? set->slots_nr * 2 : SLOTS_MIN;
	uint64_t *slots = calloc(slots_nr, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	for (size_t i = 0; i < set->slots_nr; i++)
		if (set->slots[i])
			*slot_find(slots, slots_nr, set->slots[i]) = set->slots[i];
	free(set->slots);
	set->slots = slots;
	set->slots_nr = slots_nr;
	return 0;
}

int address_set_add(struct address_set *set, uint64_t address)
{
	if (set->nr && *slot_find(set->slots, set->slots_nr, address))
		return 0;
	if (set->nr * 2 >= set->slots_nr) {
		int error = address_set_grow(set);

		if (error)
			return error;
	}
	*slot_find(set->slots, set->slots_nr, address) = address;
	set->nr++;
	return 0;
}

static int address_compare(const void *a, const void *b)
{
	uint64_t left = *(const uint64_t *)a;
	uint64_t right = *(const uint64_t *)b;

	return left < right ? -1 : left > right;
}

int address_set_sorted(const struct address_set *set, uint64_t **ret)
{
	uint64_t *sorted = malloc((set->nr + 1) * sizeof(*sorted));
	size_t nr = 0;

	if (!sorted)
		return -ENOMEM;
	for (size_t i = 0; i < set->slots_nr; i++)
		if (set->slots[i])
			sorted[nr++] = set->slots[i];
	qsort(sorted, nr, sizeof(*sorted), address_compare);
	*ret = sorted;
	return 0;
}

void address_set_deinit(struct address_set *set)
{
	free(set->slots);
	*set = (struct address_set){0};
}
