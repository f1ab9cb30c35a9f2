/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Processes that are there when the recorder looks, and what the file says of them. */
#include "tests/unit/processes_bench.h"
#include "tests/unit/stderr_capture.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_python), cmocka_unit_test(test_unsupported),
	    cmocka_unit_test(test_native), cmocka_unit_test(test_not_a_target),
	    cmocka_unit_test(test_two),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
