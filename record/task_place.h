/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where processes and their threads run: cgroup and numbers in nested pid namespaces, read in /proc
 * and told to report (PAYLOAD_TASK). What is gone before it is read is not told.
 */
#ifndef PYREC_RECORD_TASK_PLACE_H
#define PYREC_RECORD_TASK_PLACE_H

#include <stdbool.h>
#include <stdint.h>

#include "record/output.h"

/**
 * Tell it of a process, to hold from @time_ns on; of its threads too where they have other numbers
 * in a pid namespace of their own. Return: true when they have.
 */
bool process_emit_place(struct output *output, uint32_t tgid, uint64_t time_ns);
/** The same for one thread of such a process. */
void thread_emit_place(struct output *output, uint32_t tgid, uint32_t tid, uint64_t time_ns);

#endif
