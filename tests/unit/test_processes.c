/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The process table over real processes: children of this test that map a file which passes for
 * libpython. The sampler is played by this file; what report is told is read back from the file.
 */
#include <errno.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "record/processes.h"
#include "record/sideband.h"
#include "tests/unit/mapped_elf.h"
#include "tests/unit/recording_fixture.h"
#include "tests/unit/stderr_capture.h"

enum { VERSION = 0x030d00f0, LATER_NS = 60 };

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

static struct pyrec_process *entry_find(struct sampler *sampler, uint32_t tgid)
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

static int on_code(void *context, const struct payload_code *code)
{
	(void)context;
	(void)code;
	return 0;
}

static void bench_begin(struct bench *bench, const struct processes_options *wanted)
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

static void child_end(pid_t pid)
{
	if (pid <= 0)
		return;
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void bench_end(struct bench *bench)
{
	child_end(bench->child);
	mapped_elf_remove(&bench->elf);
	processes_destroy(bench->processes);
	code_objects_destroy(bench->codes);
	mapped_files_destroy(bench->files);
	recording_end(&bench->recording);
}

/* A child that has @elf mapped (where this process has it: a fork), and waits for its end. */
static pid_t child_start(struct mapped_elf *elf)
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

static void python_start(struct bench *bench, uint32_t version_hex)
{
	struct elf_writer writer;

	elf_writer_python(&writer, version_hex, 0x99);
	mapped_elf_save(&bench->elf, &writer, "libfake.so");
	bench->child = child_start(&bench->elf);
}

static void scan_target(struct bench *bench, pid_t pid)
{
	assert_int_equal(processes_add_target(bench->processes, (uint32_t)pid), 0);
	assert_int_equal(processes_scan(bench->processes), 0);
}

/* The only record that @matches; NULL when there is none. */
static const struct read_back *record_find(const struct bench *bench, uint32_t type,
					   bool (*matches)(const struct bench *bench,
							   const struct read_back *record))
{
	const struct read_back *found = NULL;

	for (size_t i = 0; i < bench->recording.records.nr; i++) {
		const struct read_back *record = &bench->recording.records.items[i];

		if (record->record.type != type || !matches(bench, record))
			continue;
		assert_null(found);
		found = record;
	}
	return found;
}

static bool is_fake_map(const struct bench *bench, const struct read_back *record)
{
	return strcmp(record->record.mmap.path, bench->elf.path) == 0;
}

static bool is_interpreter(const struct bench *bench, const struct read_back *record)
{
	(void)bench;
	return record->payload.kind == PAYLOAD_INTERPRETER;
}

static bool is_task(const struct bench *bench, const struct read_back *record)
{
	(void)bench;
	return record->payload.kind == PAYLOAD_TASK;
}

static bool is_comm_of_child(const struct bench *bench, const struct read_back *record)
{
	return record->record.comm.pid == (uint32_t)bench->child;
}

/* ---- Looking at a process ---- */

static uint64_t fake_start(pid_t pid, const char *path)
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
static const struct code_layout *walked_layout(struct bench *bench, pid_t pid)
{
	const struct pyrec_process *entry = entry_find(&bench->sampler, (uint32_t)pid);

	if (!entry || entry->flags & PYREC_PROCESS_NATIVE_ONLY)
		return NULL;
	return processes_layout(bench->processes, entry->layout);
}

static void entry_check(struct bench *bench)
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

/* The child's place is this program's: it is in its cgroup and numbered by the same namespace. */
static void task_check(const struct read_back *record, pid_t pid)
{
	auto_free char *text = NULL;
	auto_free char *cgroup = NULL;
	const struct payload_task *task;
	size_t nr;

	assert_non_null(record);
	task = &record->payload.task;
	assert_int_equal(task->pid, pid);
	assert_int_equal(task->tid, pid);
	assert_int_equal(task->numbers_nr, 1);
	assert_int_equal(task->numbers[0], pid);
	assert_int_equal(proc_file_read("/proc/self/cgroup", &text, &nr), 0);
	cgroup = strndup(task->cgroup, task->cgroup_nr);
	assert_non_null(strstr(text, cgroup));
	assert_true(cgroup[0] == '/');
}

static void test_python(void **state)
{
	const struct processes_options options = {.only_targets = true};
	const struct read_back *record;
	struct bench bench;

	(void)state;
	bench_begin(&bench, &options);
	python_start(&bench, VERSION);
	scan_target(&bench, bench.child);
	entry_check(&bench);
	assert_int_equal(processes_get_counts(bench.processes).python_nr, 1);
	assert_ptr_equal(walked_layout(&bench, bench.child), processes_layout(bench.processes, 0));
	assert_int_equal(processes_layout(bench.processes, 0)->version_hex, VERSION);
	assert_null(processes_layout(bench.processes, 1));
	assert_null(walked_layout(&bench, getpid()));
	assert_true(recording_read(&bench.recording) >= 3);
	record = record_find(&bench, PERF_RECORD_COMM, is_comm_of_child);
	assert_non_null(record);
	assert_string_equal(record->record.comm.comm, "fake (python)");
	record = record_find(&bench, PERF_RECORD_MMAP2, is_fake_map);
	assert_non_null(record);
	assert_int_equal(record->record.mmap.pid, bench.child);
	assert_int_equal(record->record.mmap.start, fake_start(bench.child, bench.elf.path));
	assert_int_equal(record->record.mmap.build_id_nr, 20);
	assert_int_equal(record->record.mmap.build_id[19], 0x99);
	record = record_find(&bench, PAYLOAD_RECORD_TYPE, is_interpreter);
	assert_non_null(record);
	assert_int_equal(record->payload.interpreter.pid, bench.child);
	assert_int_equal(record->payload.interpreter.version_hex, VERSION);
	assert_int_equal(record->payload.interpreter.status, INTERPRETER_WALKED);
	task_check(record_find(&bench, PAYLOAD_RECORD_TYPE, is_task), bench.child);
	bench_end(&bench);
}

static void test_unsupported(void **state)
{
	const struct processes_options options = {.only_targets = true};
	const struct payload_interpreter *interpreter;
	struct stderr_capture capture;
	auto_free char *text = NULL;
	const struct read_back *record;
	struct bench bench;

	(void)state;
	bench_begin(&bench, &options);
	python_start(&bench, 0x031000a2);
	stderr_capture_begin(&capture);
	scan_target(&bench, bench.child);
	text = stderr_capture_end(&capture);
	assert_non_null(strstr(text, "python 3.16.0a2 (pid "));
	assert_int_equal(entry_find(&bench.sampler, (uint32_t)bench.child)->flags,
			 PYREC_PROCESS_NATIVE_ONLY);
	assert_int_equal(processes_get_counts(bench.processes).unsupported_nr, 1);
	assert_null(walked_layout(&bench, bench.child));
	recording_read(&bench.recording);
	record = record_find(&bench, PAYLOAD_RECORD_TYPE, is_interpreter);
	assert_non_null(record);
	interpreter = &record->payload.interpreter;
	assert_int_equal(interpreter->status, INTERPRETER_UNSUPPORTED);
	assert_non_null(memmem(interpreter->message, interpreter->message_nr, "3.16.0a2", 8));
	bench_end(&bench);
}

static void test_native(void **state)
{
	(void)state;
	for (int i = 0; i < 2; i++) {
		const struct processes_options options = {.only_targets = true, .all_processes = i};
		const struct pyrec_process *entry;
		struct bench bench;

		bench_begin(&bench, &options);
		bench.child = child_start(NULL);
		scan_target(&bench, bench.child);
		entry = entry_find(&bench.sampler, (uint32_t)bench.child);
		assert_int_equal(entry != NULL, i);
		assert_int_equal(processes_get_counts(bench.processes).native_nr, i);
		if (entry)
			assert_int_equal(entry->flags, PYREC_PROCESS_NATIVE_ONLY);
		assert_int_equal(recording_read(&bench.recording) > 0, i);
		bench_end(&bench);
	}
}

static void test_not_a_target(void **state)
{
	const struct processes_options options = {.only_targets = true, .all_processes = true};
	struct bench bench;

	(void)state;
	bench_begin(&bench, &options);
	python_start(&bench, VERSION);
	scan_target(&bench, 0x7ffffffe);
	assert_int_equal(bench.sampler.entries_nr, 0);
	assert_int_equal(recording_read(&bench.recording), 0);
	bench_end(&bench);
}

/* Two processes of one interpreter share its layout; one refusal concerns one process. */
static void test_two(void **state)
{
	const struct processes_options options = {.only_targets = true};
	struct bench bench;
	pid_t other;

	(void)state;
	bench_begin(&bench, &options);
	python_start(&bench, VERSION);
	bench.sampler.error = -ENOSPC;
	scan_target(&bench, bench.child);
	assert_int_equal(bench.sampler.entries_nr, 0);
	assert_null(walked_layout(&bench, bench.child));
	bench.sampler.error = 0;
	other = child_start(&bench.elf);
	scan_target(&bench, other);
	assert_int_equal(bench.sampler.entries_nr, 2);
	assert_int_equal(bench.sampler.layouts_nr, 1);
	assert_int_equal(bench.recording.output.error, 0);
	child_end(other);
	bench_end(&bench);
}

/* ---- The side-band ---- */

static void record_send(struct bench *bench, const struct record *record)
{
	auto_strbuf struct strbuf bytes = {0};

	assert_int_equal(record_encode(&bytes, sideband_layout(), record), 0);
	assert_int_equal(processes_on_record(bench->processes, (const void *)bytes.bytes), 0);
}

/* A time after which nothing of this test has happened, or before all of it. */
static uint64_t when(const struct bench *bench, bool is_later)
{
	return is_later ? output_now_ns(&bench->recording.output) + LATER_NS * UINT64_C(1000000000)
			: 1;
}

static void exec_send(struct bench *bench, bool is_later)
{
	const struct record record = {
	    .type = PERF_RECORD_COMM,
	    .misc = PERF_RECORD_MISC_COMM_EXEC,
	    .id = {.pid = (uint32_t)bench->child, .time_ns = when(bench, is_later)},
	    .comm = {.pid = (uint32_t)bench->child,
		     .tid = (uint32_t)bench->child,
		     .is_exec = true,
		     .comm = "new"},
	};

	record_send(bench, &record);
}

static void test_exec(void **state)
{
	const struct processes_options options = {.only_targets = true};
	struct bench bench;

	(void)state;
	bench_begin(&bench, &options);
	python_start(&bench, VERSION);
	scan_target(&bench, bench.child);
	exec_send(&bench, false); /* from before the scan: it looked at what came of it */
	assert_int_equal(bench.sampler.entries_nr, 1);
	exec_send(&bench, true);
	assert_int_equal(bench.sampler.entries_nr, 0);
	assert_null(walked_layout(&bench, bench.child));
	exec_send(&bench, true); /* of one that is not recorded */
	bench_end(&bench);
}

static void mmap_send(struct bench *bench)
{
	struct stat status;

	assert_int_equal(stat(bench->elf.path, &status), 0);
	const struct record record = {
	    .type = PERF_RECORD_MMAP2,
	    .id = {.pid = (uint32_t)bench->child, .time_ns = when(bench, true)},
	    .mmap = {.pid = (uint32_t)bench->child,
		     .tid = (uint32_t)bench->child,
		     .start = fake_start(bench->child, bench->elf.path),
		     .bytes = bench->elf.nr,
		     .prot = PROT_READ | PROT_EXEC,
		     .inode = status.st_ino,
		     .path = bench->elf.path},
	};

	record_send(bench, &record);
}

/* A process turns out to be Python by what it maps, after it was started. */
static void test_mmap(void **state)
{
	const struct processes_options options = {.only_targets = true};
	struct bench bench;

	(void)state;
	bench_begin(&bench, &options);
	python_start(&bench, VERSION);
	mmap_send(&bench); /* nobody wants it */
	assert_int_equal(bench.sampler.entries_nr, 0);
	assert_int_equal(processes_add_target(bench.processes, (uint32_t)bench.child), 0);
	mmap_send(&bench);
	entry_check(&bench);
	mmap_send(&bench);
	assert_int_equal(processes_get_counts(bench.processes).python_nr, 1);
	bench_end(&bench);
}

static void task_send_at(struct bench *bench, uint32_t type, pid_t pid, pid_t parent,
			 uint64_t time_ns)
{
	const struct record record = {
	    .type = type,
	    .id = {.pid = (uint32_t)parent, .time_ns = time_ns},
	    .task = {.pid = (uint32_t)pid,
		     .tid = (uint32_t)pid,
		     .parent_pid = (uint32_t)parent,
		     .parent_tid = (uint32_t)parent,
		     .time_ns = time_ns},
	};

	record_send(bench, &record);
}

static void task_send(struct bench *bench, uint32_t type, pid_t pid, pid_t parent)
{
	task_send_at(bench, type, pid, parent, when(bench, true));
}

/* What a target forks is recorded too, also before it is anything. */
static void test_fork(void **state)
{
	const struct processes_options options = {.only_targets = true};
	struct bench bench;

	(void)state;
	bench_begin(&bench, &options);
	python_start(&bench, VERSION);
	assert_int_equal(processes_add_target(bench.processes, (uint32_t)getpid()), 0);
	task_send(&bench, PERF_RECORD_FORK, 0x7ffffffd, 0x7ffffffe); /* a stranger's */
	task_send(&bench, PERF_RECORD_FORK, bench.child, getpid());
	mmap_send(&bench);
	entry_check(&bench);
	/* Its child has its image; it lives no more, so BPF's own copy has to do. */
	task_send(&bench, PERF_RECORD_FORK, 0x7ffffffe, bench.child);
	assert_int_equal(bench.sampler.entries_nr, 1);
	assert_int_equal(processes_get_counts(bench.processes).python_nr, 2);
	bench_end(&bench);
}

/* CLOCK_MONOTONIC at which a process began, to the tick, by its age. */
static uint64_t start_of(pid_t pid)
{
	struct timespec boot, now;
	struct proc_stat status;

	assert_int_equal(proc_stat_read((uint32_t)pid, &status), 0);
	clock_gettime(CLOCK_BOOTTIME, &boot);
	clock_gettime(CLOCK_MONOTONIC, &now);
	return status.start_ticks * 10000000 -
	       (uint64_t)((boot.tv_sec - now.tv_sec) * 1000000000 + boot.tv_nsec - now.tv_nsec);
}

/* Whose fork is read late may be gone, and its number another one's, who is somewhere else. */
static void test_place_of_fork(void **state)
{
	(void)state;
	for (int is_late = 0; is_late < 2; is_late++) {
		const struct processes_options options = {.only_targets = true};
		struct bench bench;
		uint64_t forked_ns;
		uint32_t found_nr = 0;
		pid_t forked;

		bench_begin(&bench, &options);
		python_start(&bench, VERSION);
		scan_target(&bench, bench.child);
		forked = child_start(NULL);
		forked_ns = start_of(forked) - (is_late ? 100000000 : 0);
		task_send_at(&bench, PERF_RECORD_FORK, forked, bench.child, forked_ns);
		recording_read(&bench.recording);
		for (size_t i = 0; i < bench.recording.records.nr; i++) {
			const struct payload *told = &bench.recording.records.items[i].payload;

			if (told->kind != PAYLOAD_TASK || told->task.pid != (uint32_t)forked)
				continue;
			assert_true(told->task.time_ns == forked_ns);
			assert_int_equal(told->task.numbers[0], forked);
			found_nr++;
		}
		assert_int_equal(found_nr, !is_late);
		child_end(forked);
		bench_end(&bench);
	}
}

static void test_exit(void **state)
{
	const struct processes_options options = {.only_targets = true};
	struct bench bench;

	(void)state;
	bench_begin(&bench, &options);
	python_start(&bench, VERSION);
	scan_target(&bench, bench.child);
	processes_sweep(bench.processes);
	assert_int_equal(bench.sampler.entries_nr, 1);
	/* Its leader ended, but another thread goes on. */
	task_send(&bench, PERF_RECORD_EXIT, bench.child, getpid());
	processes_sweep(bench.processes);
	assert_int_equal(bench.sampler.entries_nr, 1);
	child_end(bench.child);
	processes_sweep(bench.processes);
	assert_int_equal(bench.sampler.entries_nr, 0);
	assert_int_equal(bench.sampler.removed_nr, 1);
	assert_null(walked_layout(&bench, bench.child));
	bench.child = 0;
	bench_end(&bench);
}

static void test_lost(void **state)
{
	const struct processes_options options = {.only_targets = true};
	const struct record lost = {.type = PERF_RECORD_LOST, .lost = {.id = 1, .lost_nr = 21}};
	struct bench bench;

	(void)state;
	bench_begin(&bench, &options);
	record_send(&bench, &lost);
	record_send(&bench, &lost);
	assert_int_equal(processes_get_counts(bench.processes).sideband_lost_nr, 42);
	assert_int_equal(recording_read(&bench.recording), 2); /* the reader is told when */
	bench_end(&bench);
}

/* Records that contradict their size, or of no interest. */
static void test_damaged(void **state)
{
	const struct processes_options options = {.only_targets = true};
	struct bench bench;

	(void)state;
	bench_begin(&bench, &options);
	for (uint32_t type = 0; type < 20; type++)
		for (uint16_t nr = 8; nr <= 80; nr += 8) {
			uint64_t bytes[10] = {0};
			const struct perf_event_header header = {.type = type, .size = nr};

			memcpy(bytes, &header, sizeof(header));
			if (type == PERF_RECORD_LOST)
				continue;
			assert_int_equal(processes_on_record(bench.processes, (const void *)bytes),
					 0);
		}
	assert_int_equal(recording_read(&bench.recording), 0);
	bench_end(&bench);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_python),	  cmocka_unit_test(test_unsupported),
	    cmocka_unit_test(test_native),	  cmocka_unit_test(test_not_a_target),
	    cmocka_unit_test(test_two),		  cmocka_unit_test(test_exec),
	    cmocka_unit_test(test_mmap),	  cmocka_unit_test(test_fork),
	    cmocka_unit_test(test_place_of_fork), cmocka_unit_test(test_exit),
	    cmocka_unit_test(test_lost),	  cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
