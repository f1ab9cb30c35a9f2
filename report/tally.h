/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Samples counted by distinct stack, where the output says what makes frames and groups distinct:
 * the step from located frames to the ids of a profile.
 */
#ifndef PYREC_REPORT_TALLY_H
#define PYREC_REPORT_TALLY_H

#include "common/intern.h"
#include "common/vec.h"
#include "report/location.h"
#include "report/output.h"
#include "report/profile.h"

/* The first sample of a group stands for it; what the group key leaves out is chance. */
struct tally_group {
	uint32_t pid;
	uint32_t tid;
	const char *comm;
	const char *cgroup;
	const char *container;
	const char *task; /* NULL: none */
};

VEC_DEFINE(tally_groups, struct tally_group)

struct tally {
	struct profile profile;
	struct intern frame_keys;	  /* ids: frames */
	struct u32_vec frame_locations;	  /* by frame: a location that stands for it */
	struct intern group_keys;	  /* ids: groups */
	struct tally_groups groups;	  /* by group */
	struct u32_vec path;		  /* scratch */
	struct strbuf key;		  /* scratch */
	struct location_table *locations; /* borrowed */
	uint32_t last_group;		  /* of last; ID_NONE at first */
	struct tally_group last;
};

void tally_init(struct tally *tally, struct location_table *locations);
void tally_deinit(struct tally *tally);
/** Return: 0 or -ENOMEM. */
must_check int tally_add(struct tally *tally, const struct output *output,
			 const struct sample_info *sample);

static inline const struct location *tally_location(const struct tally *tally, uint32_t frame)
{
	return location_get(tally->locations, tally->frame_locations.items[frame]);
}

#endif
