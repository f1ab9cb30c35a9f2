/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/continuations.h"

#include <errno.h>

static struct continuation *continuations_find(const struct continuations *continuations,
					       const struct payload_frames *payload)
{
	struct continuation *continuation = continuations->first;

	/* Records of one sample follow each other: only the newest can be it. */
	if (continuation && continuation->pid == payload->pid &&
	    continuation->tid == payload->tid && continuation->time_ns == payload->time_ns)
		return continuation;
	return NULL;
}

/* Samples stand just behind their frames; older ones lost theirs. */
enum { CONTINUATIONS_MAX = 64 };

static void continuations_trim(struct continuations *continuations)
{
	struct continuation **link = &continuations->first;

	for (unsigned int i = 0; *link && i < CONTINUATIONS_MAX; i++)
		link = &(*link)->next;
	if (*link) {
		continuation_destroy(*link);
		*link = NULL;
	}
}

static struct continuation *continuations_begin(struct continuations *continuations,
						const struct payload_frames *payload)
{
	struct continuation *continuation = calloc(1, sizeof(*continuation));

	if (!continuation)
		return NULL;
	continuation->pid = payload->pid;
	continuation->tid = payload->tid;
	continuation->time_ns = payload->time_ns;
	continuation->more.first = payload->first;
	continuation->next = continuations->first;
	continuations->first = continuation;
	continuations_trim(continuations);
	return continuation;
}

int continuations_add(struct continuations *continuations, const struct payload_frames *payload)
{
	struct continuation *continuation = continuations_find(continuations, payload);
	struct py_stack chunk = {.frames = payload->frames, .frames_nr = payload->frames_nr};
	struct py_frames *frames;

	if (!continuation)
		continuation = continuations_begin(continuations, payload);
	if (!continuation)
		return -ENOMEM;
	frames = &continuation->more.frames;
	if (payload->first != continuation->more.first + frames->nr)
		return -EBADMSG;
	if (py_frames_reserve(frames, frames->nr + chunk.frames_nr))
		return -ENOMEM;
	py_stack_frames(&chunk, frames->items + frames->nr);
	frames->nr += chunk.frames_nr;
	return 0;
}

struct continuation *continuations_take(struct continuations *continuations,
					const struct record_sample *sample)
{
	for (struct continuation **link = &continuations->first; *link; link = &(*link)->next) {
		struct continuation *continuation = *link;

		if (continuation->tid != sample->tid || continuation->pid != sample->pid ||
		    continuation->time_ns != sample->time_ns)
			continue;
		*link = continuation->next;
		return continuation;
	}
	return NULL;
}

void continuation_destroy(struct continuation *continuation)
{
	if (!continuation)
		return;
	py_frames_deinit(&continuation->more.frames);
	free(continuation);
}

void continuations_deinit(struct continuations *continuations)
{
	while (continuations->first) {
		struct continuation *continuation = continuations->first;

		continuations->first = continuation->next;
		continuation_destroy(continuation);
	}
}
