/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The process table over real processes: children of the test that map a file which passes for
 * libpython. The sampler is played by this file (so one source of a program includes it); what
 * report is told is read back from the file.
 */
#ifndef PYREC_TESTS_PROCESSES_BENCH_H
#define PYREC_TESTS_PROCESSES_BENCH_H

#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "record/processes.h"
#include "tests/unit/mapped_elf.h"
#include "tests/unit/recording_fixture.h"

enum { VERSION = 0x030d00f0 };

/* ---- The sampler ---- */

struct sampler {
	struct pyrec_layout layouts[PYREC_LAYOUTS_MAX];
	uint32_t layouts_nr;
	struct {
		uint32_t tgid;
		struct pyrec_process entry;
	} entries[16];
	uint32_t entries_nr;
	uint32_t removed_nr;
	int error; /* to answer with */
};

int sampler_set_layout(struct sampler *sampler, uint32_t index, const struct pyrec_layout *layout)
{
	assert_true(index <= sampler->layouts_nr && index < PYREC_LAYOUTS_MAX);
	sampler->layouts[index] = *layout;
	sampler->layouts_nr += index == sampler->layouts_nr;
	return 0;
}

static inline struct pyrec_process *entry_find(struct sampler *sampler, uint32_t tgid)
{
	for (uint32_t i = 0; i < sampler->entries_nr; i++)
		if (sampler->entries[i].tgid == tgid)
			return &sampler->entries[i].entry;
	return NULL;
}

int sampler_add_process(struct sampler *sampler, uint32_t tgid, const struct pyrec_process *process)
{
	struct pyrec_process *entry = entry_find(sampler, tgid);

	if (sampler->error)
		return sampler->error;
	if (!entry) {
		assert_true(sampler->entries_nr < array_size(sampler->entries));
		sampler->entries[sampler->entries_nr].tgid = tgid;
		entry = &sampler->entries[sampler->entries_nr++].entry;
	}
	*entry = *process;
	return 0;
}

int sampler_get_process(struct sampler *sampler, uint32_t tgid, struct pyrec_process *ret)
{
	const struct pyrec_process *entry = entry_find(sampler, tgid);

	if (!entry)
		return -ENOENT;
	*ret = *entry;
	return 0;
}

void sampler_remove_process(struct sampler *sampler, uint32_t tgid)
{
	for (uint32_t i = 0; i < sampler->entries_nr; i++)
		if (sampler->entries[i].tgid == tgid) {
			sampler->entries[i] = sampler->entries[--sampler->entries_nr];
			sampler->removed_nr++;
			return;
		}
}

/* ---- The bench ---- */

struct bench {
	struct recording recording;
	struct mapped_files *files;
	struct code_objects *codes;
	struct processes *processes;
	struct sampler sampler;
	struct mapped_elf elf;
	pid_t child;
};

static inline int on_code(void *context, const struct payload_code *code)
{
	(void)context;
	(void)code;
	return 0;
}

static inline void bench_begin(struct bench *bench, const struct processes_options *wanted)
{
	const struct code_objects_options code_options = {.on_code = on_code};
	struct processes_options options = *wanted;

	*bench = (struct bench){0};
	recording_begin(&bench->recording);
	assert_int_equal(mapped_files_create(&bench->files), 0);
	assert_int_equal(code_objects_create(&code_options, &bench->codes), 0);
	options.files = bench->files;
	options.output = &bench->recording.output;
	options.codes = bench->codes;
	assert_int_equal(processes_create(&options, &bench->processes), 0);
	processes_set_sampler(bench->processes, &bench->sampler);
}

static inline void child_end(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static inline void bench_end(struct bench *bench)
{
	child_end(bench->child);
	mapped_elf_remove(&bench->elf);
	processes_destroy(bench->processes);
	code_objects_destroy(bench->codes);
	mapped_files_destroy(bench->files);
	recording_end(&bench->recording);
}

/* A child that has @elf mapped (where this process has it: a fork), and waits for its end. */
static inline pid_t child_start(struct mapped_elf *elf)
{
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		prctl(PR_SET_NAME, "fake (python)");
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (elf)
			mapped_elf_map(elf);
		if (write(ready[1], "", 1) != 1)
			_exit(1);
		for (;;)
			pause();
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static inline void python_start(struct bench *bench, uint32_t version_hex)
{
	struct elf_writer writer;

	elf_writer_python(&writer, version_hex, 0x99);
	mapped_elf_save(&bench->elf, &writer, "libfake.so");
	bench->child = child_start(&bench->elf);
}

static inline void scan_target(struct bench *bench, pid_t pid)
{
	assert_int_equal(processes_add_target(bench->processes, (uint32_t)pid), 0);
	assert_int_equal(processes_scan(bench->processes), 0);
}

/* ---- Looking at a process ---- */

static inline uint64_t fake_start(pid_t pid, const char *path)
{
	auto_free char *text = NULL;
	char name[64];
	char *line, *rest;
	size_t nr;

	snprintf(name, sizeof(name), "/proc/%d/maps", pid);
	assert_int_equal(proc_file_read(name, &text, &nr), 0);
	for (rest = text; (line = strsep(&rest, "\n")) != NULL;)
		if (strstr(line, path))
			return strtoull(line, NULL, 16);
	fail();
	return 0;
}

/* The layout that BPF was told to walk @pid by; NULL: none. */
static inline const struct code_layout *walked_layout(struct bench *bench, pid_t pid)
{
	const struct pyrec_process *entry = entry_find(&bench->sampler, (uint32_t)pid);

	if (!entry || entry->flags & PYREC_PROCESS_NATIVE_ONLY)
		return NULL;
	return processes_layout(bench->processes, entry->layout);
}

static inline void entry_check(struct bench *bench)
{
	const uint64_t start = fake_start(bench->child, bench->elf.path);
	const struct pyrec_process *entry = entry_find(&bench->sampler, (uint32_t)bench->child);
	struct proc_stat status;

	assert_non_null(entry);
	assert_int_equal(proc_stat_read((uint32_t)bench->child, &status), 0);
	assert_int_equal(entry->start_ticks, status.start_ticks);
	assert_int_equal(entry->start_code, status.start_code);
	assert_int_equal(entry->start_stack, status.start_stack);
	assert_int_equal(entry->flags, PYREC_PROCESS_IS_EMBEDDED); /* the test is no python */
	assert_int_equal(entry->is_bound, 0);
	assert_int_equal(entry->layout, 0);
	assert_int_equal(entry->tls_kind, PYREC_TLS_NONE);
	/* .PyRuntime stands behind the headers and the build id; the key is 2160 bytes into it. */
	assert_true(entry->key_address >= start + ELF_WRITER_HEAD_BYTES + 2160);
	assert_true(entry->key_address < start + ELF_WRITER_HEAD_BYTES + 2160 + 64);
	assert_int_equal(bench->sampler.layouts[0].code_instrs, 200);
}

#endif
