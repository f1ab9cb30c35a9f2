/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/tally.h"

#include <errno.h>

void tally_init(struct tally *tally)
{
	*tally = (struct tally){.last_group = ID_NONE};
}

void tally_deinit(struct tally *tally)
{
	profile_deinit(&tally->profile);
	intern_deinit(&tally->frame_keys);
	tally_locations_deinit(&tally->locations);
	intern_deinit(&tally->group_keys);
	tally_groups_deinit(&tally->groups);
	strbuf_deinit(&tally->key);
	*tally = (struct tally){0};
}

/* Once for each location. */
static int tally_new_frame(struct tally *tally, const struct output *output,
			   const struct location *location, uint32_t *ret)
{
	int error;

	strbuf_reset(&tally->key);
	output->ops->frame_key(output, location, &tally->key);
	if (tally->key.error)
		return tally->key.error;
	error = intern_bytes(&tally->frame_keys, strbuf_text(&tally->key), tally->key.nr, ret);
	if (error == 0 && *ret == tally->locations.nr)
		error = tally_locations_append(&tally->locations, location);
	return error;
}

static int tally_find_group(struct tally *tally, const struct output *output,
			    const struct sample_info *sample, uint32_t *ret)
{
	struct tally_group group = {.pid = sample->pid,
				    .tid = sample->tid,
				    .host = sample->host,
				    .comm = sample->comm,
				    .cgroup = sample->cgroup,
				    .container = sample->container,
				    .task = sample->task};
	int error;

	if (tally->last_group != ID_NONE && tally->last.pid == group.pid &&
	    tally->last.tid == group.tid && tally->last.comm == group.comm &&
	    tally->last.cgroup == group.cgroup && tally->last.task == group.task &&
	    tally->last.host == group.host) {
		*ret = tally->last_group;
		return 0;
	}
	strbuf_reset(&tally->key);
	output->ops->group_key(output, sample, &tally->key);
	if (tally->key.error)
		return tally->key.error;
	error = intern_bytes(&tally->group_keys, strbuf_text(&tally->key), tally->key.nr, ret);
	if (error == 0 && *ret == tally->groups.nr)
		error = tally_groups_append(&tally->groups, group);
	tally->last = group;
	tally->last_group = error ? ID_NONE : *ret;
	return error;
}

int tally_add(struct tally *tally, struct location_table *locations, const struct output *output,
	      const struct sample_info *sample)
{
	struct profile_weight weight = {.samples_nr = 1, .period = sample->period};
	uint32_t group;
	int ret = tally_find_group(tally, output, sample, &group);

	if (ret == 0)
		ret = profile_begin(&tally->profile, group);
	for (size_t i = sample->frames_nr; i-- > 0 && ret == 0;) {
		const uint32_t location = sample->frames[i].location;
		uint32_t *id = location_frame_id(locations, location);

		if (*id == ID_NONE)
			ret = tally_new_frame(tally, output, location_get(locations, location), id);
		if (ret == 0)
			ret = profile_step(&tally->profile, *id);
	}
	if (ret == 0)
		profile_end(&tally->profile, weight);
	return ret;
}
