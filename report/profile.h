/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Distinct stacks with their weights: one tree per group (what the output tells apart by
 * command, pid, tid), a node per distinct path of frames from the root. Memory follows the number
 * of distinct stacks, not of samples. What a frame or group is, the output decides by
 * the ids that it gives.
 */
#ifndef PYREC_REPORT_PROFILE_H
#define PYREC_REPORT_PROFILE_H

#include <stdint.h>

#include "common/id_index.h"
#include "common/vec.h"

struct profile_weight {
	uint64_t samples_nr;
	uint64_t period; /* in units of the event; saturates */
};

struct profile_node {
	uint32_t parent; /* ID_NONE: a group's root */
	uint32_t frame;	 /* frame id; of a root: group id */
	uint32_t recent; /* the child that was asked for last; ID_NONE: none yet */
	struct profile_weight self;
};

struct profile_step {
	uint32_t frame; /* frame id; of the first one: group id */
	uint32_t node;
};

VEC_DEFINE(profile_steps, struct profile_step)

/* Parents come before their children. */
struct profile {
	struct profile_node *nodes;
	size_t nr;
	size_t capacity;
	struct id_index index;
	/*
	 * The stack added last, from its group on. Samples that follow one another mostly share all
	 * but their leaf side.
	 */
	struct profile_steps last;
	size_t at; /* so much of it is shared by the stack that is being added */
};

void profile_deinit(struct profile *profile);

/** Add one stack: its group, its frames from the root on, its weight. Return: 0 or -ENOMEM. */
must_check int profile_begin(struct profile *profile, uint32_t group);
must_check int profile_leave_last(struct profile *profile, uint32_t frame);
must_check static inline int profile_step(struct profile *profile, uint32_t frame)
{
	if (profile->at < profile->last.nr && profile->last.items[profile->at].frame == frame) {
		profile->at++;
		return 0;
	}
	return profile_leave_last(profile, frame);
}
void profile_end(struct profile *profile, struct profile_weight weight);

void profile_weight_add(struct profile_weight *to, struct profile_weight weight);
/** Share of @all in percent, by period, or by samples where the event has no periods. */
double profile_weight_percent(const struct profile_weight *weight,
			      const struct profile_weight *all);

/** Weight of each node with all below it, by node id; the caller frees it. NULL: -ENOMEM. */
struct profile_weight *profile_totals(const struct profile *profile);

/* First child and next sibling of each node, in order of first sight; ID_NONE: none. */
struct profile_links {
	uint32_t *first_child;
	uint32_t *next_sibling;
	uint32_t first_root;
};

must_check int profile_links_init(struct profile_links *links, const struct profile *profile);
void profile_links_deinit(struct profile_links *links);

#endif
