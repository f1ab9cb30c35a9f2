/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Loads both BPF objects, also as --all-processes configures them, and prints what the running
 * kernel's verifier says of each program: a line "OBJECT PROGRAM processed N ...", or its
 * whole answer when it refuses the object.
 */
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <linux/types.h>

#include "bpf/pyrec_bpf.h"
#include "bpf/pyrec_legacy.skel.h"
#include "bpf/pyrec_loop.skel.h"

enum {
	LOG_STATS = 4, /* include/linux/bpf_verifier.h: BPF_LOG_STATS */
	LOG_BYTES = 1 << 16,
	PROGRAMS_MAX = 16,
};

static int print_warnings(enum libbpf_print_level level, const char *format, va_list arguments)
{
	return level == LIBBPF_WARN ? vprintf(format, arguments) : 0;
}

static double now_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* What the verifier said of one program: its last line when it took it, else all. */
static void print_verdict(const char *name, const struct bpf_program *program, const char *log,
			  int error)
{
	const char *stats = strstr(log, "processed ");

	if (error)
		printf("%s %s refused: %s\n", name, bpf_program__name(program), log);
	else if (stats)
		printf("%s %s %.*s\n", name, bpf_program__name(program), (int)strcspn(stats, "\n"),
		       stats);
}

/* Load @object, which the caller destroys. */
static void object_try(const char *name, struct bpf_object *object)
{
	char *logs[PROGRAMS_MAX] = {0};
	struct bpf_program *program;
	double start = now_seconds();
	int programs_nr = 0;
	int error;

	bpf_object__for_each_program(program, object)
	{
		char *log = programs_nr < PROGRAMS_MAX ? calloc(1, LOG_BYTES) : NULL;

		if (!log)
			break;
		logs[programs_nr++] = log;
		bpf_program__set_log_level(program, LOG_STATS);
		bpf_program__set_log_buf(program, log, LOG_BYTES);
	}
	error = bpf_object__load(object);
	programs_nr = 0;
	bpf_object__for_each_program(program, object)
	{
		if (programs_nr == PROGRAMS_MAX || !logs[programs_nr])
			break;
		print_verdict(name, program, logs[programs_nr], error);
		free(logs[programs_nr++]);
	}
	printf("%s %s in %.1f s\n", name, error ? strerror(-error) : "loaded",
	       now_seconds() - start);
}

/* Constants that the recorder sets are known to the verifier: what it walks depends on them. */
static int objects_try(const char *loop_name, const char *legacy_name, bool all_processes)
{
	struct pyrec_loop *loop = pyrec_loop__open();
	struct pyrec_legacy *legacy = pyrec_legacy__open();

	if (!loop || !legacy)
		return -ENOMEM;
	loop->rodata->config_wakeup_bytes = 1 << 20;
	legacy->rodata->config_wakeup_bytes = 1 << 20;
	loop->rodata->config_all_processes = all_processes;
	legacy->rodata->config_all_processes = all_processes;
	object_try(loop_name, loop->obj);
	object_try(legacy_name, legacy->obj);
	pyrec_loop__destroy(loop);
	pyrec_legacy__destroy(legacy);
	return 0;
}

int main(void)
{
	libbpf_set_print(print_warnings);
	return objects_try("loop", "legacy", false) || objects_try("loop-all", "legacy-all", true);
}
