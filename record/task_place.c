/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "record/task_place.h"

#include <stdio.h>
#include <string.h>

#include "common/proc_text.h"

struct place_visit {
	struct output *output;
	uint32_t tgid;
	uint64_t time_ns;
};

/* A kernel without pid namespaces has no such line. Return: how many, 0 when the task is gone. */
static uint32_t task_numbers_read(uint32_t tgid, uint32_t tid, uint32_t *numbers)
{
	auto_free char *status = NULL;
	char path[64];
	uint32_t ret;
	size_t nr;

	snprintf(path, sizeof(path), "/proc/%u/task/%u/status", tgid, tid);
	if (proc_file_read(path, &status, &nr))
		return 0;
	ret = proc_numbers_parse(status, numbers, TASK_NUMBERS_MAX);
	if (ret)
		return ret;
	numbers[0] = tid;
	return 1;
}

/* Return: as task_numbers_read(). */
static uint32_t task_emit_place(const struct place_visit *visit, uint32_t tid, const char *cgroup)
{
	struct payload payload = {
	    .kind = PAYLOAD_TASK,
	    .task = {.time_ns = visit->time_ns,
		     .pid = visit->tgid,
		     .tid = tid,
		     .cgroup = cgroup,
		     .cgroup_nr = (uint32_t)strlen(cgroup)},
	};
	struct payload_task *task = &payload.task;

	task->numbers_nr = task_numbers_read(visit->tgid, tid, task->numbers);
	if (task->numbers_nr || task->cgroup_nr)
		(void)output_payload(visit->output, &payload, NULL);
	return task->numbers_nr;
}

void thread_emit_place(struct output *output, uint32_t tgid, uint32_t tid, uint64_t time_ns)
{
	const struct place_visit visit = {.output = output, .tgid = tgid, .time_ns = time_ns};

	(void)task_emit_place(&visit, tid, "");
}

static int place_visit_thread(void *context, uint32_t tid)
{
	const struct place_visit *visit = context;

	if (tid != visit->tgid)
		(void)task_emit_place(visit, tid, "");
	return 0;
}

bool process_emit_place(struct output *output, uint32_t tgid, uint64_t time_ns)
{
	struct place_visit visit = {.output = output, .tgid = tgid, .time_ns = time_ns};
	auto_free char *text = NULL;
	const char *cgroup = "";
	char path[64];
	size_t nr;

	snprintf(path, sizeof(path), "/proc/%u/cgroup", tgid);
	if (proc_file_read(path, &text, &nr) == 0)
		cgroup = proc_cgroup_parse(text);
	if (task_emit_place(&visit, tgid, cgroup) < 2)
		return false;
	snprintf(path, sizeof(path), "/proc/%u/task", tgid);
	(void)proc_numbers_visit(path, place_visit_thread, &visit);
	return true;
}
