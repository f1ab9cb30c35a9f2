/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* The memory of a process as it stood at one moment, and a target that says what is in it. */
#ifndef PYREC_TESTS_PROCESS_IMAGE_H
#define PYREC_TESTS_PROCESS_IMAGE_H

#include <stdint.h>
#include <sys/types.h>

#include "record/mapped_files.h"

struct image_region {
	uint64_t start;
	uint64_t nr;
	uint8_t *bytes;
};

struct process_image {
	struct image_region *regions; /* sorted; readable, not executable */
	size_t nr;
	size_t capacity;
	const struct python_runtime *runtime; /* owned by files */
	uint64_t runtime_bias;
	uint32_t musl_specific;
	struct mapped_files *files;
};

/** Copy the memory of @pid, which stands still. Return: 0 or -errno. */
int process_image_take(pid_t pid, struct process_image *ret);
void process_image_deinit(struct process_image *image);
/** The bytes at @address, when all @nr of them are in one region; else NULL. */
uint8_t *process_image_at(const struct process_image *image, uint64_t address, uint64_t nr);

struct target_frame {
	int32_t first_unit; /* it stands between these */
	int32_t last_unit;
	int32_t first_line;
	char *qualname;
	char *name;
	char *file;
};

struct target_thread {
	char *name;
	uint64_t thread_pointer;
	struct target_frame *frames; /* leaf first */
	size_t nr;
};

struct target {
	pid_t pid;
	int hold_fd; /* closing it lets the target go */
	char *text;
	struct target_thread *threads;
	size_t nr;
};

/** Run tests/hostbpf/image_target.py (2.7: image_target_2.py) and read what it declares. Return: 0
 * or -errno. */
int target_start(const char *python, struct target *ret);
void target_finish(struct target *target);

#endif
