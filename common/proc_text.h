/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Parsers of the text that /proc shows about processes (proc(5)). */
#ifndef PYREC_COMMON_PROC_TEXT_H
#define PYREC_COMMON_PROC_TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "common/cleanup.h"

/* One line of /proc/PID/maps. */
struct proc_map {
	uint64_t start;
	uint64_t end;
	uint64_t file_offset;
	uint32_t prot; /* PROT_* */
	bool is_shared;
	uint32_t device_major;
	uint32_t device_minor;
	uint64_t inode;
	const char *path; /* "" when anonymous; points into the line, which is changed */
	bool is_deleted;  /* " (deleted)" was at the end of path; it is cut off */
};

/** Return: 0 or -EBADMSG. */
must_check int proc_map_parse(char *line, struct proc_map *ret);

/* What pyrec takes from /proc/PID/stat. */
struct proc_stat {
	char comm[32];
	uint32_t parent_pid;
	uint64_t start_ticks; /* since boot, USER_HZ */
	uint64_t start_code;  /* 0 or 1 without permission */
	uint64_t start_stack;
};

must_check int proc_stat_parse(const char *text, struct proc_stat *ret);
/** Read and parse /proc/@pid/stat. Return: 0, -ENOENT or -ESRCH when it is gone, -EBADMSG. */
must_check int proc_stat_read(uint32_t pid, struct proc_stat *ret);

/**
 * The cgroup in the text of /proc/PID/cgroup, which is changed: that of the version 1 controller
 * memory, else pids, else of version 2, whichever first is not the root: on machines that have
 * both versions any of them may be left there. Return: its path in @text; "/"; "" when none.
 */
const char *proc_cgroup_parse(char *text);
/**
 * The line NSpid in the text of /proc/PID/status: the task's numbers from the reader's pid
 * namespace to its own. Return: how many, at most @nr; 0 without that line.
 */
uint32_t proc_numbers_parse(const char *text, uint32_t *numbers, uint32_t nr);

/* How far the clocks of a process are ahead of the host's (time_namespaces(7)). */
struct proc_clock_shift {
	int64_t monotonic_ns;
	int64_t boottime_ns;
};

/** The text of /proc/PID/timens_offsets. What it does not tell is 0. */
struct proc_clock_shift proc_clock_shift_parse(const char *text);
/** Of this process. */
struct proc_clock_shift proc_clock_shift_read(void);

/** Whole small file into a malloc'd, NUL terminated buffer. Return: 0 or -errno. */
must_check int proc_file_read(const char *path, char **ret, size_t *nr);

/**
 * Call @visit with each numeric entry of @path ("/proc", "/proc/7/task") until it returns
 * non-zero; that is returned. Return: 0, -errno of opening, or @visit's value.
 */
int proc_numbers_visit(const char *path, int (*visit)(void *context, uint32_t number),
		       void *context);

#endif
