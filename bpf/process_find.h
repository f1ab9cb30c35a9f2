/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Part of bpf/pyrec.bpf.c: which process a task belongs to, and whether it still is the one that
 * the recorder has looked at. */
#ifndef PYREC_PROCESS_FIND_H
#define PYREC_PROCESS_FIND_H

/*
 * Number of @task as the recorder's pid namespace has it, which is how the side-band and /proc name
 * it there. 0: the task is not in that namespace.
 */
static inline __u32 task_number(struct task_struct *task)
{
	struct pid *pid = kernel_read(task, thread_pid);
	__u32 level = kernel_read(pid, level);

	for (__u32 i = 0; i < PYREC_PID_LEVELS_MAX && i <= level; i++) {
		const void *at = (const void *)pid + bpf_core_field_offset(struct pid, numbers) +
				 i * bpf_core_type_size(struct upid);
		const struct upid *number = at;

		if (BPF_CORE_READ(number, ns, ns.inum) == config_pid_namespace)
			return (__u32)BPF_CORE_READ(number, nr);
	}
	return 0;
}

/* Process (upper half) and thread, as bpf_get_current_pid_tgid(). */
static inline __u64 task_ids(struct task_struct *task, struct task_struct *leader)
{
	if (!config_pid_namespace)
		return bpf_get_current_pid_tgid();
	return (__u64)task_number(leader) << 32 | task_number(task);
}

static inline bool process_is_image(const struct pyrec_process *process, struct task_struct *leader,
				    struct mm_struct *mm)
{
	return process->exec_id == kernel_read(leader, self_exec_id) &&
	       process->start_code == kernel_read(mm, start_code) &&
	       process->start_stack == kernel_read(mm, start_stack);
}

/*
 * First tick in a process that user space inserted: check it against stat(5), then remember what
 * only the kernel knows. Without CAP_SYS_PTRACE stat(5) does not tell start_code and start_stack.
 */
static inline bool process_bind(struct pyrec_process *process, struct task_struct *leader,
				struct mm_struct *mm)
{
	__u64 boottime = kernel_read(leader, start_boottime);
	__u64 code = kernel_read(mm, start_code);
	__u64 stack = kernel_read(mm, start_stack);

	/* USER_HZ is 100; stat(5) tells it in the time namespace of who reads it. */
	if (process->start_ticks != (boottime + config_boottime_shift) / 10000000)
		return false;
	if (process->start_stack && (process->start_code != code || process->start_stack != stack))
		return false;
	process->start_code = code;
	process->start_stack = stack;
	process->start_boottime_ns = boottime;
	process->exec_id = kernel_read(leader, self_exec_id);
	process->is_bound = 1;
	return true;
}

/* A forked child shares its parent's image until it execs: give it a copy of the entry. */
static inline struct pyrec_process *process_inherit(struct scratch *s, struct task_struct *leader,
						    struct mm_struct *mm, __u32 tgid)
{
	struct task_struct *real_parent = kernel_read(leader, real_parent);
	__u32 parent_tgid = config_pid_namespace
				? task_number(kernel_read(real_parent, group_leader))
				: (__u32)kernel_read(real_parent, tgid);
	struct pyrec_process *parent = bpf_map_lookup_elem(&processes, &parent_tgid);

	if (!parent || !parent->is_bound || !process_is_image(parent, leader, mm))
		return NULL;
	s->process = *parent;
	s->process.start_boottime_ns = kernel_read(leader, start_boottime);
	if (bpf_map_update_elem(&processes, &tgid, &s->process, BPF_ANY))
		return NULL;
	return bpf_map_lookup_elem(&processes, &tgid);
}

static inline struct pyrec_process *process_find(struct scratch *s, struct task_struct *leader,
						 struct mm_struct *mm, __u32 tgid)
{
	struct pyrec_process *process = bpf_map_lookup_elem(&processes, &tgid);

	if (!process)
		return process_inherit(s, leader, mm, tgid);
	if (!process->is_bound)
		return process_bind(process, leader, mm) ? process : NULL;
	if (process->start_boottime_ns == kernel_read(leader, start_boottime) &&
	    process_is_image(process, leader, mm))
		return process;
	return process_inherit(s, leader, mm, tgid); /* the pid was reused, or an exec */
}

/* The first thread of the process that is seen with a state. */
static inline void process_note_state(struct scratch *s)
{
	__u32 tgid = s->sample.head.process.tgid;
	struct pyrec_process *process = bpf_map_lookup_elem(&processes, &tgid);

	if (process)
		process->flags |= PYREC_PROCESS_HAS_STATE;
}

#endif
