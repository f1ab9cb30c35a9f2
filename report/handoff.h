/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* A bounded queue of pointers from one thread to another. */
#ifndef PYREC_REPORT_HANDOFF_H
#define PYREC_REPORT_HANDOFF_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

enum { HANDOFF_SLOTS_NR = 8 };

struct handoff {
	pthread_mutex_t lock;
	pthread_cond_t changed;
	void *slots[HANDOFF_SLOTS_NR];
	uint32_t first;
	uint32_t nr;
	bool is_closed;
};

void handoff_init(struct handoff *handoff);
/** What is still inside belongs to whoever put it there. */
void handoff_deinit(struct handoff *handoff);
/** Waits for room. Return: false when it is closed; then @item stays the caller's. */
bool handoff_put(struct handoff *handoff, void *item);
/** Waits for an item. Return: NULL when it is closed and empty. */
void *handoff_take(struct handoff *handoff);
/** From either end: no more is put. What is inside can still be taken. */
void handoff_close(struct handoff *handoff);

#endif
