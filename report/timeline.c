/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "report/timeline.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>

#include "common/escape.h"
#include "common/strbuf.h"
#include "format/payload.h"
#include "format/reader.h"
#include "report/container_name.h"

/* Samples come at most a drain period after their process's EXIT. */
enum { EXITED_PROCESSES_MAX = 512 };

void timeline_init(struct timeline *timeline, struct modules *modules)
{
	*timeline = (struct timeline){.modules = modules};
}

static void process_forget_threads(struct process *process)
{
	struct thread *thread;
	struct thread *next;

	HASH_ITER (hh, process->threads, thread, next) {
		HASH_DEL(process->threads, thread);
		free(thread);
	}
}

static void process_destroy(struct process *process)
{
	process_forget_threads(process);
	address_space_deinit(&process->space);
	free(process);
}

void timeline_deinit(struct timeline *timeline)
{
	struct process *process;
	struct process *next;

	HASH_ITER (hh, timeline->processes, process, next) {
		HASH_DEL(timeline->processes, process);
		process_destroy(process);
	}
	intern_deinit(&timeline->texts);
	intern_deinit(&timeline->known_paths);
	known_build_ids_deinit(&timeline->known_build_ids);
	*timeline = (struct timeline){0};
}

static struct process *timeline_find(struct timeline *timeline, uint32_t pid)
{
	struct process *process;

	HASH_FIND(hh, timeline->processes, &pid, sizeof(pid), process);
	return process;
}

static void timeline_unlink_exited(struct timeline *timeline, struct process *process)
{
	struct process **link = &timeline->exited_first;
	struct process *previous = NULL;

	if (!process->is_exited)
		return;
	while (*link != process) {
		previous = *link;
		link = &previous->exited_next;
	}
	*link = process->exited_next;
	if (timeline->exited_last == process)
		timeline->exited_last = previous;
	timeline->exited_nr--;
}

static void timeline_append_exited(struct timeline *timeline, struct process *process)
{
	process->is_exited = true;
	process->exited_next = NULL;
	if (timeline->exited_last)
		timeline->exited_last->exited_next = process;
	else
		timeline->exited_first = process;
	timeline->exited_last = process;
	timeline->exited_nr++;
}

/* What is mapped in @process is another thing now. */
static void timeline_renew_space(struct timeline *timeline, struct process *process)
{
	process->space.generation = ++timeline->generations_nr;
}

struct process *timeline_get(struct timeline *timeline, uint32_t pid)
{
	struct process *process = timeline_find(timeline, pid);

	if (process && process->is_exited) { /* its other threads live on: it is forgotten last */
		timeline_unlink_exited(timeline, process);
		timeline_append_exited(timeline, process);
	}
	if (process)
		return process;
	process = calloc(1, sizeof(*process));
	if (!process)
		return NULL;
	process->pid = pid;
	HASH_ADD(hh, timeline->processes, pid, sizeof(pid), process);
	if (!process->hh.tbl) {
		free(process);
		return NULL;
	}
	timeline_renew_space(timeline, process);
	return process;
}

static struct thread *process_find_thread(const struct process *process, uint32_t tid)
{
	struct thread *thread;

	HASH_FIND(hh, process->threads, &tid, sizeof(tid), thread);
	return thread;
}

static struct thread *process_get_thread(struct process *process, uint32_t tid)
{
	struct thread *thread = process_find_thread(process, tid);

	if (thread)
		return thread;
	thread = calloc(1, sizeof(*thread));
	if (!thread)
		return NULL;
	thread->tid = tid;
	HASH_ADD(hh, process->threads, tid, sizeof(tid), thread);
	if (!thread->hh.tbl) {
		free(thread);
		return NULL;
	}
	return thread;
}

const char *process_comm(const struct process *process, uint32_t tid)
{
	const struct thread *thread = process_find_thread(process, tid);

	if (!thread || !thread->comm)
		thread = process_find_thread(process, process->pid);
	return thread ? thread->comm : NULL;
}

static const char *timeline_text(struct timeline *timeline, const char *text, size_t nr)
{
	auto_strbuf struct strbuf escaped = {0};

	escape_append(&escaped, text, nr);
	return escaped.error ? NULL : intern_text(&timeline->texts, strbuf_text(&escaped));
}

static int timeline_apply_comm(struct timeline *timeline, const struct record_comm *comm)
{
	struct process *process = timeline_get(timeline, comm->pid);
	struct thread *thread;

	if (!process)
		return -ENOMEM;
	if (comm->is_exec) {
		process_forget_threads(process);
		address_space_deinit(&process->space);
		timeline_renew_space(timeline, process);
	}
	thread = process_get_thread(process, comm->tid);
	if (!thread)
		return -ENOMEM;
	thread->comm = timeline_text(timeline, comm->comm, strlen(comm->comm));
	return thread->comm ? 0 : -ENOMEM;
}

static void timeline_forget(struct timeline *timeline, struct process *process)
{
	timeline_unlink_exited(timeline, process);
	HASH_DEL(timeline->processes, process);
	process_destroy(process);
}

static void timeline_apply_exit(struct timeline *timeline, const struct record_task *task)
{
	struct process *process = timeline_find(timeline, task->pid);
	struct thread *thread = process ? process_find_thread(process, task->tid) : NULL;

	if (!process || process->is_exited)
		return;
	/* The last thread's name is kept for samples that come after its exit. */
	if (thread && task->tid != task->pid && HASH_COUNT(process->threads) > 1) {
		HASH_DEL(process->threads, thread);
		free(thread);
		return;
	}
	if (task->tid != task->pid)
		return;
	timeline_append_exited(timeline, process);
	if (timeline->exited_nr > EXITED_PROCESSES_MAX)
		timeline_forget(timeline, timeline->exited_first);
}

/* A synthesized FORK (PERF_RECORD_MISC_FORK_EXEC) tells of a parent, not of its memory. */
static int process_inherit(struct process *child, const struct process *parent, bool with_maps)
{
	if (!with_maps)
		return 0;
	address_space_deinit(&child->space);
	return address_space_copy(&parent->space, &child->space);
}

static int timeline_apply_fork(struct timeline *timeline, const struct record *record)
{
	const struct record_task *task = &record->task;
	struct process *parent = timeline_find(timeline, task->parent_pid);
	const char *comm = parent ? process_comm(parent, task->parent_tid) : NULL;
	bool is_process = task->pid != task->parent_pid;
	struct process *process = timeline_find(timeline, task->pid);
	struct thread *thread;
	int ret = 0;

	if (is_process && process && task->pid == task->tid)
		timeline_forget(timeline, process);
	process = timeline_get(timeline, task->pid);
	if (!process)
		return -ENOMEM;
	if (is_process && parent) {
		process->parent_pid = task->parent_pid;
		process->cgroup = parent->cgroup;
		process->container = parent->container;
		ret = process_inherit(process, parent,
				      !(record->misc & PERF_RECORD_MISC_FORK_EXEC));
		timeline_renew_space(timeline, process);
	}
	thread = process_get_thread(process, task->tid);
	if (!thread)
		return -ENOMEM;
	if (comm)
		thread->comm = comm;
	return ret;
}

uint32_t process_ns_tid(const struct process *process, uint32_t tid)
{
	const struct thread *thread;

	if (tid == process->pid)
		return process->ns_pid;
	thread = process_find_thread(process, tid);
	if (thread && thread->ns_tid)
		return thread->ns_tid;
	return process->ns_pid && !process->is_nested ? tid : 0;
}

static int timeline_set_cgroup(struct timeline *timeline, struct process *process,
			       const struct payload_task *task)
{
	auto_strbuf struct strbuf name = {0};

	process->cgroup = timeline_text(timeline, task->cgroup, task->cgroup_nr);
	if (!process->cgroup)
		return -ENOMEM;
	container_name_append(&name, task->cgroup, task->cgroup_nr);
	if (name.error)
		return name.error;
	process->container = timeline_text(timeline, strbuf_text(&name), name.nr);
	return process->container ? 0 : -ENOMEM;
}

int timeline_apply_task(struct timeline *timeline, const struct payload_task *task)
{
	struct process *process = timeline_get(timeline, task->pid);
	const uint32_t number = task->numbers_nr ? task->numbers[task->numbers_nr - 1] : 0;
	struct thread *thread;

	if (!process)
		return -ENOMEM;
	if (task->tid != task->pid) {
		thread = process_get_thread(process, task->tid);
		if (thread)
			thread->ns_tid = number;
		return thread ? 0 : -ENOMEM;
	}
	process->ns_pid = number;
	process->is_nested = task->numbers_nr > 1;
	return task->cgroup_nr ? timeline_set_cgroup(timeline, process, task) : 0;
}

static bool path_is_anonymous(const char *path)
{
	return path[0] == '\0' || strncmp(path, "//anon", 6) == 0 ||
	       strncmp(path, "/anon_hugepage", 14) == 0;
}

int timeline_add_build_ids(struct timeline *timeline, const struct perf_build_id *build_ids,
			   uint32_t nr)
{
	int ret = 0;

	for (uint32_t i = 0; i < nr && ret == 0; i++) {
		struct known_build_id known = {.nr = build_ids[i].build_id_nr};
		const char *path = build_ids[i].path;
		uint32_t id;

		memcpy(known.bytes, build_ids[i].build_id, sizeof(known.bytes));
		ret = intern_bytes(&timeline->known_paths, path, strlen(path), &id);
		if (ret == 0 && id == timeline->known_build_ids.nr)
			ret = known_build_ids_append(&timeline->known_build_ids, known);
	}
	return ret;
}

static struct known_build_id timeline_build_id(const struct timeline *timeline,
					       const struct record_mmap *mmap)
{
	struct known_build_id own = {.nr = mmap->build_id_nr};
	uint32_t id;

	if (own.nr == 0 && intern_find(&timeline->known_paths, mmap->path, strlen(mmap->path), &id))
		return timeline->known_build_ids.items[id];
	memcpy(own.bytes, mmap->build_id, sizeof(own.bytes));
	return own;
}

static int timeline_apply_mmap(struct timeline *timeline, const struct record *record)
{
	const struct record_mmap *mmap = &record->mmap;
	struct known_build_id build_id;
	struct process *process;
	struct mapping mapping = {.start = mmap->start,
				  .end = mmap->start + mmap->bytes,
				  .file_offset = mmap->file_offset};

	if (mmap->pid == UINT32_MAX || mapping.end <= mapping.start)
		return 0;
	process = timeline_get(timeline, mmap->pid);
	if (!process)
		return -ENOMEM;
	mapping.is_executable = record->type == PERF_RECORD_MMAP2
				    ? (mmap->prot & PROT_EXEC) != 0
				    : !(record->misc & PERF_RECORD_MISC_MMAP_DATA);
	if (!path_is_anonymous(mmap->path)) {
		build_id = timeline_build_id(timeline, mmap);
		const struct file_identity identity = {mmap->device_major, mmap->device_minor,
						       mmap->inode};

		mapping.module = build_id.nr
				     ? modules_get(timeline->modules, build_id.bytes, build_id.nr,
						   mmap->path)
				     : modules_get_file(timeline->modules, mmap->path, &identity);
		if (!mapping.module)
			return -ENOMEM;
	}
	timeline_renew_space(timeline, process);
	return address_space_insert(&process->space, &mapping);
}

int timeline_apply(struct timeline *timeline, const struct record *record)
{
	switch (record->type) {
	case PERF_RECORD_MMAP:
	case PERF_RECORD_MMAP2:
		return timeline_apply_mmap(timeline, record);
	case PERF_RECORD_COMM:
		return timeline_apply_comm(timeline, &record->comm);
	case PERF_RECORD_FORK:
		return timeline_apply_fork(timeline, record);
	case PERF_RECORD_EXIT:
		timeline_apply_exit(timeline, &record->task);
		return 0;
	default:
		return 0;
	}
}
