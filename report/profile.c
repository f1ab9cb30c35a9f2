/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/profile.h"

#include <errno.h>

#include "common/hash.h"
#include "common/vec.h"

void profile_deinit(struct profile *profile)
{
	free(profile->nodes);
	id_index_deinit(&profile->index);
	profile_steps_deinit(&profile->last);
	*profile = (struct profile){0};
}

static uint64_t add_saturated(uint64_t a, uint64_t b)
{
	uint64_t sum;

	return __builtin_add_overflow(a, b, &sum) ? UINT64_MAX : sum;
}

void profile_weight_add(struct profile_weight *to, struct profile_weight weight)
{
	to->samples_nr = add_saturated(to->samples_nr, weight.samples_nr);
	to->period = add_saturated(to->period, weight.period);
}

double profile_weight_percent(const struct profile_weight *weight, const struct profile_weight *all)
{
	if (all->period)
		return 100.0 * (double)weight->period / (double)all->period;
	if (all->samples_nr)
		return 100.0 * (double)weight->samples_nr / (double)all->samples_nr;
	return 0;
}

static int profile_child(struct profile *profile, uint32_t parent, uint32_t frame, uint32_t *ret)
{
	uint32_t hash = (uint32_t)hash_mix64(((uint64_t)parent << 32) | frame);
	int error;

	for (const struct id_slot *slot = id_index_first(&profile->index, hash); slot;
	     slot = id_index_next(&profile->index, slot)) {
		const struct profile_node *node = &profile->nodes[slot->id];

		if (slot->hash == hash && node->parent == parent && node->frame == frame) {
			*ret = slot->id;
			return 0;
		}
	}
	if (profile->nr >= ID_NONE)
		return -ENOMEM;
	error = vec_grow((void **)&profile->nodes, &profile->capacity, profile->nr + 1,
			 sizeof(*profile->nodes));
	if (error == 0)
		error = id_index_insert(&profile->index, hash, (uint32_t)profile->nr);
	if (error)
		return error;
	profile->nodes[profile->nr] = (struct profile_node){.parent = parent, .frame = frame};
	*ret = (uint32_t)profile->nr++;
	return 0;
}

/*
 * How far the stack at hand goes along with the last one. Samples that follow one another mostly
 * share all but their leaf side.
 */
static size_t profile_common(const struct profile *profile, uint32_t group, const uint32_t *frames,
			     size_t nr)
{
	const struct profile_steps *last = &profile->last;
	size_t at = 1;

	if (!last->nr || last->items[0].frame != group)
		return 0;
	while (at <= nr && at < last->nr && last->items[at].frame == frames[at - 1])
		at++;
	return at;
}

int profile_add(struct profile *profile, uint32_t group, const uint32_t *frames, size_t nr,
		struct profile_weight weight)
{
	struct profile_steps *last = &profile->last;
	size_t at = profile_common(profile, group, frames, nr);
	uint32_t node = at ? last->items[at - 1].node : ID_NONE;
	int ret = profile_steps_reserve(last, nr + 1);

	last->nr = at;
	for (; at <= nr && ret == 0; at++) {
		uint32_t frame = at ? frames[at - 1] : group;

		ret = profile_child(profile, node, frame, &node);
		if (ret == 0)
			last->items[last->nr++] = (struct profile_step){frame, node};
	}
	if (ret == 0)
		profile_weight_add(&profile->nodes[node].self, weight);
	return ret;
}

struct profile_weight *profile_totals(const struct profile *profile)
{
	struct profile_weight *totals = calloc(profile->nr + 1, sizeof(*totals));

	if (!totals)
		return NULL;
	for (size_t i = profile->nr; i-- > 0;) {
		profile_weight_add(&totals[i], profile->nodes[i].self);
		if (profile->nodes[i].parent != ID_NONE)
			profile_weight_add(&totals[profile->nodes[i].parent], totals[i]);
	}
	return totals;
}

int profile_links_init(struct profile_links *links, const struct profile *profile)
{
	*links = (struct profile_links){
	    .first_child = malloc((profile->nr + 1) * sizeof(uint32_t)),
	    .next_sibling = malloc((profile->nr + 1) * sizeof(uint32_t)),
	    .first_root = ID_NONE,
	};
	if (!links->first_child || !links->next_sibling) {
		profile_links_deinit(links);
		return -ENOMEM;
	}
	for (size_t i = 0; i < profile->nr; i++)
		links->first_child[i] = ID_NONE;
	/* Backwards, so that pushing to the front leaves each list in order of first sight. */
	for (size_t i = profile->nr; i-- > 0;) {
		uint32_t parent = profile->nodes[i].parent;
		uint32_t *first = parent == ID_NONE ? &links->first_root
						    : &links->first_child[parent];

		links->next_sibling[i] = *first;
		*first = (uint32_t)i;
	}
	return 0;
}

void profile_links_deinit(struct profile_links *links)
{
	free(links->first_child);
	free(links->next_sibling);
	*links = (struct profile_links){0};
}
