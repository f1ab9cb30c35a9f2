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
	const char *host;
	const char *comm;
	const char *cgroup;
	const char *container;
	const char *task; /* NULL: none */
};

VEC_DEFINE(tally_groups, struct tally_group)

VEC_DEFINE(tally_locations, const struct location *)

struct tally {
	struct profile profile;
	struct intern frame_keys;	  /* ids: frames */
	struct tally_locations locations; /* by frame: one that stands for it */
	struct intern group_keys;	  /* ids: groups */
	struct tally_groups groups;	  /* by group */
	struct strbuf key;		  /* scratch */
	uint32_t last_group;		  /* of last; ID_NONE at first */
	struct tally_group last;
};

void tally_init(struct tally *tally);
void tally_deinit(struct tally *tally);
/**
 * Count @sample, whose frames are of @locations. They and the sample's texts are borrowed for the
 * tally's life; samples of several recordings may go into one. Return: 0 or -ENOMEM.
 */
must_check int tally_add(struct tally *tally, struct location_table *locations,
			 const struct output *output, const struct sample_info *sample);

static inline const struct location *tally_location(const struct tally *tally, uint32_t frame)
{
	return tally->locations.items[frame];
}

#endif
