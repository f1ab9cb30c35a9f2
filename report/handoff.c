/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/handoff.h"

#include <stddef.h>

void handoff_init(struct handoff *handoff)
{
	*handoff = (struct handoff){0};
	pthread_mutex_init(&handoff->lock, NULL);
	pthread_cond_init(&handoff->changed, NULL);
}

void handoff_deinit(struct handoff *handoff)
{
	pthread_cond_destroy(&handoff->changed);
	pthread_mutex_destroy(&handoff->lock);
}

bool handoff_put(struct handoff *handoff, void *item)
{
	bool is_open;

	pthread_mutex_lock(&handoff->lock);
	while (handoff->nr == HANDOFF_SLOTS_NR && !handoff->is_closed)
		pthread_cond_wait(&handoff->changed, &handoff->lock);
	is_open = !handoff->is_closed;
	if (is_open)
		handoff->slots[(handoff->first + handoff->nr++) % HANDOFF_SLOTS_NR] = item;
	pthread_cond_broadcast(&handoff->changed);
	pthread_mutex_unlock(&handoff->lock);
	return is_open;
}

void *handoff_take(struct handoff *handoff)
{
	void *item = NULL;

	pthread_mutex_lock(&handoff->lock);
	while (handoff->nr == 0 && !handoff->is_closed)
		pthread_cond_wait(&handoff->changed, &handoff->lock);
	if (handoff->nr) {
		item = handoff->slots[handoff->first];
		handoff->first = (handoff->first + 1) % HANDOFF_SLOTS_NR;
		handoff->nr--;
	}
	pthread_cond_broadcast(&handoff->changed);
	pthread_mutex_unlock(&handoff->lock);
	return item;
}

void handoff_close(struct handoff *handoff)
{
	pthread_mutex_lock(&handoff->lock);
	handoff->is_closed = true;
	pthread_cond_broadcast(&handoff->changed);
	pthread_mutex_unlock(&handoff->lock);
}
