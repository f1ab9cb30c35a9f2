/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the kernel tells of processes while the recorder runs: exec, mappings, forks, ends. */
#include <sys/stat.h>

#include "record/sideband.h"
#include "tests/unit/processes_bench.h"

enum { LATER_S = 60 };

static void record_send(struct bench *bench, const struct record *record)
{
	auto_strbuf struct strbuf bytes = {0};

	assert_int_equal(record_encode(&bytes, sideband_layout(), record), 0);
	assert_int_equal(processes_on_record(bench->processes, (const void *)bytes.bytes), 0);
}

/* A time after which nothing of this test has happened, or before all of it. */
static uint64_t when(const struct bench *bench, bool is_later)
{
	return is_later ? output_now_ns(&bench->recording.output) + LATER_S * UINT64_C(1000000000)
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

/* A process that maps an interpreter and cannot be handed to BPF at that moment. */
static void refused_begin(struct bench *bench)
{
	const struct processes_options options = {.only_targets = true};

	bench_begin(bench, &options);
	python_start(bench, VERSION);
	assert_int_equal(processes_add_target(bench->processes, (uint32_t)bench->child), 0);
	bench->sampler.error = -EBUSY;
	mmap_send(bench);
	processes_recheck(bench->processes);
	assert_int_equal(bench->sampler.entries_nr, 0);
}

static void test_refused_is_looked_at_again(void **state)
{
	struct bench bench;

	(void)state;
	refused_begin(&bench);
	bench.sampler.error = 0;
	processes_recheck(bench.processes);
	entry_check(&bench);
	assert_int_equal(processes_get_counts(bench.processes).python_nr, 1);
	bench_end(&bench);
}

static void test_looking_again_ends(void **state)
{
	struct bench bench;

	(void)state;
	refused_begin(&bench);
	for (int round = 1; round < 10; round++)
		processes_recheck(bench.processes);
	bench.sampler.error = 0;
	processes_recheck(bench.processes);
	assert_int_equal(bench.sampler.entries_nr, 0);
	mmap_send(&bench); /* until it is told of again */
	entry_check(&bench);
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
	    cmocka_unit_test(test_exec),
	    cmocka_unit_test(test_mmap),
	    cmocka_unit_test(test_refused_is_looked_at_again),
	    cmocka_unit_test(test_looking_again_ends),
	    cmocka_unit_test(test_fork),
	    cmocka_unit_test(test_place_of_fork),
	    cmocka_unit_test(test_exit),
	    cmocka_unit_test(test_lost),
	    cmocka_unit_test(test_damaged),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
