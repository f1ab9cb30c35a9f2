/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include "record/processes.h"

#include <errno.h>
#include <string.h>
#include <time.h>

#include "common/hash.h"
#include "common/log.h"
#include "common/vec.h"
#include "record/fault_in.h"
#include "record/process_image.h"
#include "record/sideband.h"
#include "record/task_place.h"

struct process {
	uint32_t tgid;
	bool is_python;
	bool is_ending; /* its leader exited; swept when the last thread did */
	bool is_fresh;	/* not looked at again since it was registered */
	bool is_nested; /* in a pid namespace below the recorder's */
	uint64_t start_ticks;
	uint64_t start_code;
	uint64_t start_stack;
	/*
	 * What is known was true at this time: it was read from /proc, so a record may come that is
	 * older. That one changes nothing.
	 */
	uint64_t known_ns;
	int32_t layout; /* -1: none */
	bool has_async; /* BPF knows where asyncio's tasks are */
	UT_hash_handle hh;
};

struct target {
	uint32_t tgid;
	UT_hash_handle hh;
};

/* A process that has mapped an interpreter, yet could not be recorded when that was told. */
struct retry {
	uint32_t tgid;
	uint32_t left_nr;
};

VEC_DEFINE(retries, struct retry)

enum { RETRIES_MAX = 10 }; /* rounds */

struct processes {
	struct processes_options options;
	struct sampler *sampler;
	struct process *by_tgid;
	struct target *targets;
	struct retries retries;
	struct code_layout layouts[PYREC_LAYOUTS_MAX];
	uint32_t layouts_nr;
	struct processes_counts counts;
};

int processes_create(const struct processes_options *options, struct processes **ret)
{
	*ret = calloc(1, sizeof(**ret));
	if (!*ret)
		return -ENOMEM;
	(*ret)->options = *options;
	return 0;
}

void processes_destroy(struct processes *processes)
{
	struct process *process, *next;
	struct target *target, *next_target;

	if (!processes)
		return;
	HASH_ITER (hh, processes->by_tgid, process, next) {
		HASH_DEL(processes->by_tgid, process);
		free(process);
	}
	HASH_ITER (hh, processes->targets, target, next_target) {
		HASH_DEL(processes->targets, target);
		free(target);
	}
	retries_deinit(&processes->retries);
	free(processes);
}

void processes_set_sampler(struct processes *processes, struct sampler *sampler)
{
	processes->sampler = sampler;
}

struct processes_counts processes_get_counts(const struct processes *processes)
{
	return processes->counts;
}

const struct code_layout *processes_layout(const struct processes *processes, uint32_t index)
{
	return index < processes->layouts_nr ? &processes->layouts[index] : NULL;
}

static struct process *processes_find(const struct processes *processes, uint32_t tgid)
{
	struct process *process;

	HASH_FIND(hh, processes->by_tgid, &tgid, sizeof(tgid), process);
	return process;
}

static bool is_wanted(const struct processes *processes, uint32_t tgid)
{
	struct target *target;

	if (!processes->options.only_targets)
		return tgid != (uint32_t)getpid();
	HASH_FIND(hh, processes->targets, &tgid, sizeof(tgid), target);
	return target != NULL;
}

int processes_add_target(struct processes *processes, uint32_t pid)
{
	struct target *target;

	HASH_FIND(hh, processes->targets, &pid, sizeof(pid), target);
	if (target)
		return 0;
	target = calloc(1, sizeof(*target));
	if (!target)
		return -ENOMEM;
	target->tgid = pid;
	HASH_ADD(hh, processes->targets, tgid, sizeof(target->tgid), target);
	if (!target->hh.tbl) {
		free(target);
		return -ENOMEM;
	}
	return 0;
}

static void target_remove(struct processes *processes, uint32_t pid)
{
	struct target *target;

	HASH_FIND(hh, processes->targets, &pid, sizeof(pid), target);
	if (target) {
		HASH_DEL(processes->targets, target);
		free(target);
	}
}

static struct process *processes_add(struct processes *processes, uint32_t tgid)
{
	struct process *process = processes_find(processes, tgid);

	if (process)
		return process;
	process = calloc(1, sizeof(*process));
	if (!process)
		return NULL;
	process->tgid = tgid;
	process->layout = -1;
	HASH_ADD(hh, processes->by_tgid, tgid, sizeof(process->tgid), process);
	if (!process->hh.tbl) {
		free(process);
		return NULL;
	}
	return process;
}

static void processes_remove(struct processes *processes, struct process *process)
{
	sampler_remove_process(processes->sampler, process->tgid);
	code_objects_forget(processes->options.codes, process->tgid);
	HASH_DEL(processes->by_tgid, process);
	free(process);
}

/* ---- Handing a process to BPF ---- */

/* Number of @runtime's layout in the map that BPF walks with. Return: index or -errno. */
static int layout_index(struct processes *processes, const struct python_runtime *runtime)
{
	struct code_layout layout = {
	    .walk = runtime->layout.walk,
	    .methods = runtime->layout.methods,
	    .version_hex = runtime->version_hex,
	};
	int error;

	for (uint32_t i = 0; i < processes->layouts_nr; i++)
		if (memcmp(&processes->layouts[i], &layout, sizeof(layout)) == 0)
			return (int)i;
	if (processes->layouts_nr == PYREC_LAYOUTS_MAX)
		return -ENOSPC;
	error = sampler_set_layout(processes->sampler, processes->layouts_nr, &layout.walk);
	if (error)
		return error;
	processes->layouts[processes->layouts_nr] = layout;
	return (int)processes->layouts_nr++;
}

/* From now on BPF tells the running task of a process that has asyncio's C module. */
static void entry_set_async(struct pyrec_process *entry, const struct code_layout *layout,
			    const struct async_layout *tasks)
{
	if (!layout->walk.type_flags) /* older than what tells of tasks */
		return;
	entry->tstate_task = tasks->tstate_task;
	entry->task_state = tasks->task_state;
	entry->task_name = tasks->task_name;
}

/* What BPF needs to know of @runtime, loaded at @bias. */
static void entry_describe(struct pyrec_process *entry, const struct python_runtime *runtime,
			   uint64_t bias)
{
	entry->flags = (runtime->has_bound ? PYREC_PROCESS_BOUND_TLS : 0) |
		       (runtime->layout.has_plain_key ? PYREC_PROCESS_PLAIN_KEY : 0) |
		       (runtime->layout.is_free_threaded ? PYREC_PROCESS_NO_GIL : 0);
	entry->tls_kind = runtime->tls_kind;
	entry->tls_offset = runtime->tls_offset;
	entry->bound_offset = runtime->bound_offset;
	if (runtime->tls_kind == PYREC_TLS_DYNAMIC)
		entry->tls_module_address = bias + runtime->tls_module_vaddr;
	entry->runtime_address = bias + runtime->runtime_vaddr;
	entry->runtime_bytes = runtime->runtime_bytes;
	if (runtime->interpreters_vaddr)
		entry->interpreters_address = bias + runtime->interpreters_vaddr;
	if (runtime->key_vaddr)
		entry->key_address = bias + runtime->key_vaddr;
	if (runtime->current_vaddr)
		entry->current_address = bias + runtime->current_vaddr;
	if (runtime->thread_list_vaddr)
		entry->thread_list = bias + runtime->thread_list_vaddr;
	if (runtime->eval_linked_vaddr)
		entry->eval_linked = bias + runtime->eval_linked_vaddr;
}

/*
 * What the walk reads first of a process: a page that nothing has touched yet cannot be read by
 * BPF, which must take that for paged out.
 */
static void entry_fault_in(const struct pyrec_process *entry, uint32_t tgid)
{
	const uint64_t addresses[] = {entry->tls_module_address, entry->interpreters_address,
				      entry->key_address, entry->current_address,
				      entry->thread_list};

	for (size_t i = 0; i < sizeof(addresses) / sizeof(addresses[0]); i++)
		if (addresses[i])
			fault_in_word(tgid, addresses[i]);
}

static int process_hand_over(struct processes *processes, struct process *process,
			     const struct process_image *image, const struct proc_stat *status)
{
	struct pyrec_process entry = {
	    .start_code = status->start_code,
	    .start_stack = status->start_stack,
	    .start_ticks = status->start_ticks,
	    .flags = PYREC_PROCESS_NATIVE_ONLY,
	};

	process->layout = -1;
	process->has_async = false;
	if (process_image_is_walkable(image)) {
		int index = layout_index(processes, image->python->runtime);

		if (index < 0)
			return index;
		process->layout = index;
		entry.layout = (uint32_t)index;
		entry.musl_specific = image->musl_specific;
		entry_describe(&entry, image->python->runtime, image->python_bias);
		if (!process_runs_cpython(process->tgid))
			entry.flags |= PYREC_PROCESS_IS_EMBEDDED;
		entry_set_async(&entry, &processes->layouts[index], &image->async);
		process->has_async = entry.tstate_task != 0;
		entry_fault_in(&entry, process->tgid);
	}
	return sampler_add_process(processes->sampler, process->tgid, &entry);
}

static void count_process(struct processes *processes, const struct process_image *image)
{
	if (!image->python)
		processes->counts.native_nr++;
	else if (process_image_is_walkable(image))
		processes->counts.python_nr++;
	else
		processes->counts.unsupported_nr++;
}

/*
 * Look at a process; when it is one to record, tell report and BPF. A refusal concerns it alone.
 * What is found held at @since_ns already. Return: 0 or -errno; -EAGAIN: there is nothing to see of
 * an interpreter, or nothing of a process any more.
 */
static int process_register(struct processes *processes, uint32_t tgid, uint64_t since_ns)
{
	uint64_t known_ns = output_now_ns(processes->options.output);
	struct process_image image;
	struct proc_stat status;
	struct process *process;
	int error = process_image_read(tgid, processes->options.files, NULL, &image);

	if (error == -EACCES || error == -EPERM)
		processes->counts.denied_nr++;
	if (!error && (!image.has_maps || (!image.python && !processes->options.all_processes)))
		error = -EAGAIN;
	if (!error)
		error = process_stat_settled(tgid, &status);
	if (error)
		return error;
	process = processes_add(processes, tgid);
	if (!process)
		return -ENOMEM;
	process->is_python = image.python != NULL;
	process->is_ending = false;
	process->is_fresh = true;
	process->start_ticks = status.start_ticks;
	process->start_code = status.start_code;
	process->start_stack = status.start_stack;
	process->known_ns = known_ns;
	process_emit_threads(processes->options.output, tgid);
	process->is_nested = process_emit_place(processes->options.output, tgid, since_ns);
	error = process_image_read(tgid, processes->options.files, processes->options.output,
				   &image);
	if (!error && image.python)
		process_emit_interpreter(processes->options.output, tgid, &image);
	if (!error)
		error = process_hand_over(processes, process, &image, &status);
	if (error) {
		log_debug("pid %u is not recorded: %s", tgid, strerror(-error));
		processes_remove(processes, process);
		return error;
	}
	count_process(processes, &image);
	return 0;
}

/*
 * A refusal of the moment must not cost a process all of its samples: no other record tells of it.
 * So processes_recheck() looks at it again.
 */
static void process_register_or_retry(struct processes *processes, uint32_t tgid, uint64_t since_ns)
{
	const struct retry retry = {.tgid = tgid, .left_nr = RETRIES_MAX};
	int error = process_register(processes, tgid, since_ns);

	if (!error || error == -EACCES || error == -EPERM || error == -ENOENT)
		return;
	log_debug("pid %u is looked at again: %s", tgid, strerror(-error));
	(void)!retries_append(&processes->retries, retry);
}

/* Those that no record since has led to. */
static void processes_retry(struct processes *processes)
{
	struct retries *retries = &processes->retries;
	size_t kept_nr = 0;

	for (size_t i = 0; i < retries->nr; i++) {
		struct retry retry = retries->items[i];
		const uint64_t now_ns = output_now_ns(processes->options.output);

		if (!processes_find(processes, retry.tgid) && is_wanted(processes, retry.tgid) &&
		    process_register(processes, retry.tgid, now_ns) && --retry.left_nr)
			retries->items[kept_nr++] = retry;
	}
	retries->nr = kept_nr;
}

static int scan_visit(void *context, uint32_t pid)
{
	struct processes *processes = context;

	if (is_wanted(processes, pid))
		(void)!process_register(processes, pid, output_now_ns(processes->options.output));
	return 0;
}

int processes_scan(struct processes *processes)
{
	return proc_numbers_visit("/proc", scan_visit, processes);
}

/*
 * Is it what it was registered as? execve(2) maps the program before it tells where its image is,
 * and may be preempted or wait for a disk in between: until it has told, the process stays fresh.
 */
static void process_recheck(struct processes *processes, struct process *process)
{
	const uint32_t tgid = process->tgid;
	struct proc_stat status;

	if (proc_stat_read(tgid, &status) || (status.start_stack == 0 && status.start_code != 1))
		return;
	process->is_fresh = false;
	if (status.start_code == 1) /* the kernel does not tell us */
		status.start_code = status.start_stack = 0;
	if (status.start_code == process->start_code && status.start_stack == process->start_stack)
		return;
	processes_remove(processes, process); /* it is something else now */
	process_register_or_retry(processes, tgid, output_now_ns(processes->options.output));
}

/* ---- Side-band ---- */

/* A program imports asyncio when it likes. */
static void process_add_async(struct processes *processes, struct process *process,
			      const struct async_layout *tasks)
{
	struct pyrec_process entry;

	if (process->has_async || process->layout < 0 || !tasks->tstate_task ||
	    sampler_get_process(processes->sampler, process->tgid, &entry))
		return;
	entry_set_async(&entry, &processes->layouts[process->layout], tasks);
	process->has_async = true;
	(void)!sampler_add_process(processes->sampler, process->tgid, &entry);
}

static int on_mmap(struct processes *processes, const struct record *record)
{
	const struct record_mmap *mmap = &record->mmap;
	struct process *process = processes_find(processes, mmap->pid);
	struct mapped_file *file;

	if (process && process->is_fresh) { /* the loader is at work: execve(2) is over */
		process_recheck(processes, process);
		process = processes_find(processes, mmap->pid);
	}
	if (!process && !is_wanted(processes, mmap->pid))
		return 0;
	if (mapped_files_get_by_record(processes->options.files, mmap, &file))
		file = NULL;
	if (process ? file && file->runtime && !process->is_python
		    : (file && file->runtime) || processes->options.all_processes) {
		process_register_or_retry(processes, mmap->pid, record->id.time_ns);
		return processes->options.output->error;
	}
	if (!process)
		return 0;
	if (file) {
		uint64_t bias;

		mapped_file_use(file, mmap->pid, mmap->start, mmap->start + mmap->bytes);
		process_add_async(processes, process, &file->async);
		if (mapped_file_bias(file, mmap->start, mmap->file_offset, &bias) == 0)
			process_emit_data_segments(processes->options.output, mmap->pid,
						   record->id.time_ns, bias, file);
	}
	return process_emit_kernel_map(processes->options.output, record, file);
}

static int on_comm(struct processes *processes, const struct record *record,
		   const struct perf_event_header *header)
{
	const struct record_comm *comm = &record->comm;
	struct process *process = processes_find(processes, comm->pid);
	int error;

	if (!process)
		return 0;
	error = output_kernel_record(processes->options.output, header);
	if (comm->is_exec &&
	    record->id.time_ns > process->known_ns) /* what it is now, its next mappings tell */
		processes_remove(processes, process);
	return error;
}

/* The child shares its parent's image. BPF copies the entry itself while the parent lives; this
 * serves a child whose parent is gone before its first sample. */
static void process_fork(struct processes *processes, const struct process *parent, uint32_t tgid,
			 uint64_t time_ns)
{
	struct pyrec_process entry;
	struct proc_stat status;
	struct process *child = processes_add(processes, tgid);

	if (!child || child->known_ns > time_ns)
		return;
	child->known_ns = time_ns;
	child->is_python = parent->is_python;
	child->layout = parent->layout;
	child->has_async = parent->has_async;
	child->is_ending = false;
	child->start_ticks = process_stat_read(tgid, &status) ? 0 : status.start_ticks;
	if (child->start_ticks &&
	    sampler_get_process(processes->sampler, parent->tgid, &entry) == 0 &&
	    (status.start_stack == 0 ||
	     (entry.start_code == status.start_code && entry.start_stack == status.start_stack))) {
		entry.start_ticks = status.start_ticks;
		entry.is_bound = 0;
		(void)!sampler_add_process(processes->sampler, tgid, &entry);
	}
	processes->counts.python_nr += child->layout >= 0;
}

/* Did the process that was found under its number begin at @time_ns? Else the number was used
 * again. */
static bool process_began_at(const struct processes *processes, const struct process *process,
			     uint64_t time_ns)
{
	const uint64_t tick_ns = 10000000; /* USER_HZ is 100 */
	const int64_t age_ns = (int64_t)(output_now_ns(processes->options.output) - time_ns);
	struct timespec now; /* of the clock that stat(5) tells starts by */
	int64_t later_ns;

	clock_gettime(CLOCK_BOOTTIME, &now);
	later_ns = age_ns - ((int64_t)now.tv_sec * 1000000000 + now.tv_nsec -
			     (int64_t)(process->start_ticks * tick_ns));
	return process->start_ticks && later_ns > -2 * (int64_t)tick_ns &&
	       later_ns < 2 * (int64_t)tick_ns;
}

/* What the fork left open: a new process has the cgroup that it was put into, both have numbers. */
static void fork_emit_place(struct processes *processes, const struct record_task *task)
{
	struct process *process = processes_find(processes, task->pid);

	if (!process)
		return;
	if (task->pid != task->parent_pid)
		process->is_nested = process_began_at(processes, process, task->time_ns) &&
				     process_emit_place(processes->options.output, task->pid,
							task->time_ns);
	else if (process->is_nested)
		thread_emit_place(processes->options.output, task->pid, task->tid, task->time_ns);
}

static int on_fork(struct processes *processes, const struct record_task *task,
		   const struct perf_event_header *header)
{
	const struct process *parent = processes_find(processes, task->parent_pid);
	int error;

	if (task->pid != task->parent_pid && processes->options.only_targets &&
	    is_wanted(processes, task->parent_pid)) {
		error = processes_add_target(processes, task->pid);
		if (error)
			return error;
	}
	if (!parent)
		return 0;
	if (task->pid != task->parent_pid)
		process_fork(processes, parent, task->pid, task->time_ns);
	error = output_kernel_record(processes->options.output, header);
	fork_emit_place(processes, task);
	return error;
}

static int on_task_exit(struct processes *processes, const struct record_task *task,
			const struct perf_event_header *header)
{
	struct process *process = processes_find(processes, task->pid);

	if (task->pid == task->tid && processes->options.only_targets && !process)
		target_remove(processes, task->pid);
	if (!process)
		return 0;
	if (task->pid == task->tid && task->time_ns > process->known_ns)
		process->is_ending = true; /* other threads may go on: processes_sweep() looks */
	return output_kernel_record(processes->options.output, header);
}

int processes_on_record(struct processes *processes, const struct perf_event_header *header)
{
	struct record record;

	if (record_decode(header, header->size, sideband_layout(), &record))
		return 0;
	switch (record.type) {
	case PERF_RECORD_MMAP2:
		return on_mmap(processes, &record);
	case PERF_RECORD_COMM:
		return on_comm(processes, &record, header);
	case PERF_RECORD_FORK:
		return on_fork(processes, &record.task, header);
	case PERF_RECORD_EXIT:
		return on_task_exit(processes, &record.task, header);
	case PERF_RECORD_LOST:
		processes->counts.sideband_lost_nr += record.lost.lost_nr;
		return output_kernel_record(processes->options.output, header);
	default:
		return 0;
	}
}

void processes_recheck(struct processes *processes)
{
	struct process *process, *next;

	HASH_ITER (hh, processes->by_tgid, process, next)
		if (process->is_fresh)
			process_recheck(processes, process);
	processes_retry(processes);
}

void processes_sweep(struct processes *processes)
{
	struct process *process, *next;

	HASH_ITER (hh, processes->by_tgid, process, next) {
		struct proc_stat status;

		if (!process->is_ending)
			continue;
		if (proc_stat_read(process->tgid, &status) == 0 &&
		    status.start_ticks == process->start_ticks &&
		    (status.start_stack != 0 || status.start_code == 1))
			continue;
		target_remove(processes, process->tgid);
		processes_remove(processes, process);
	}
}
