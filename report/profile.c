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

static int profile_find_child(struct profile *profile, uint32_t parent, uint32_t frame,
			      uint32_t *ret)
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
	profile->nodes[profile->nr] = (struct profile_node){
	    .parent = parent, .frame = frame, .recent = ID_NONE};
	*ret = (uint32_t)profile->nr++;
	return 0;
}

static int profile_child(struct profile *profile, uint32_t parent, uint32_t frame, uint32_t *ret)
{
	uint32_t recent = profile->nodes[parent].recent;
	int error = 0;

	if (recent == ID_NONE || profile->nodes[recent].frame != frame)
		error = profile_find_child(profile, parent, frame, &recent);
	if (error)
		return error;
	profile->nodes[parent].recent = recent;
	*ret = recent;
	return 0;
}

static int profile_put(struct profile *profile, uint32_t frame, uint32_t node)
{
	int error = profile_steps_reserve(&profile->last, profile->at + 1);

	if (error)
		return error;
	profile->last.items[profile->at++] = (struct profile_step){frame, node};
	profile->last.nr = profile->at;
	return 0;
}

int profile_begin(struct profile *profile, uint32_t group)
{
	uint32_t node;
	int error;

	profile->at = 0;
	if (profile->last.nr && profile->last.items[0].frame == group) {
		profile->at = 1;
		return 0;
	}
	error = profile_find_child(profile, ID_NONE, group, &node);
	return error ? error : profile_put(profile, group, node);
}

int profile_leave_last(struct profile *profile, uint32_t frame)
{
	uint32_t node = profile->last.items[profile->at - 1].node;
	int error;

	profile->last.nr = profile->at;
	error = profile_child(profile, node, frame, &node);
	return error ? error : profile_put(profile, frame, node);
}

void profile_end(struct profile *profile, struct profile_weight weight)
{
	profile->last.nr = profile->at;
	profile_weight_add(&profile->nodes[profile->last.items[profile->at - 1].node].self, weight);
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
