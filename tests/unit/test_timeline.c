/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>

#include <cmocka.h>

#include "format/payload.h"
#include "format/reader.h"
#include "report/timeline.h"

struct fixture {
	struct modules *modules;
	struct timeline timeline;
};

static int setup(void **state)
{
	static struct fixture fixture;
	struct modules_options options = {0};

	if (modules_create(&options, &fixture.modules))
		return -1;
	timeline_init(&fixture.timeline, fixture.modules);
	*state = &fixture;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	timeline_deinit(&fixture->timeline);
	modules_destroy(fixture->modules);
	return 0;
}

static void apply(struct fixture *fixture, struct record record)
{
	assert_int_equal(timeline_apply(&fixture->timeline, &record), 0);
}

static void map(struct fixture *fixture, uint32_t pid, uint64_t start, const char *path)
{
	apply(fixture, (struct record){.type = PERF_RECORD_MMAP2,
				       .mmap = {.pid = pid,
						.tid = pid,
						.start = start,
						.bytes = 0x1000,
						.prot = PROT_READ | PROT_EXEC,
						.path = path}});
}

static void name(struct fixture *fixture, uint32_t pid, uint32_t tid, const char *comm,
		 bool is_exec)
{
	apply(fixture, (struct record){.type = PERF_RECORD_COMM,
				       .comm = {pid, tid, .is_exec = is_exec, .comm = comm}});
}

static void task(struct fixture *fixture, uint32_t type, uint32_t pid, uint32_t parent,
		 uint32_t tid, uint32_t parent_tid)
{
	apply(
	    fixture,
	    (struct record){
		.type = type,
		.task = {.pid = pid, .parent_pid = parent, .tid = tid, .parent_tid = parent_tid}});
}

static const char *path_at(struct fixture *fixture, uint32_t pid, uint64_t address)
{
	const struct mapping *mapping = address_space_find(
	    &timeline_get(&fixture->timeline, pid)->space, address);

	return !mapping ? "unmapped" : mapping->module ? module_path(mapping->module) : "anonymous";
}

static const char *comm_of(struct fixture *fixture, uint32_t pid, uint32_t tid)
{
	return process_comm(timeline_get(&fixture->timeline, pid), tid);
}

static void test_fork_inherits_exec_forgets(void **state)
{
	struct fixture *fixture = *state;

	name(fixture, 10, 10, "sh", true);
	map(fixture, 10, 0x1000, "/bin/sh");
	task(fixture, PERF_RECORD_FORK, 11, 10, 11, 10);
	assert_string_equal(path_at(fixture, 11, 0x1800), "/bin/sh");
	assert_string_equal(comm_of(fixture, 11, 11), "sh");
	name(fixture, 11, 11, "python3", true);
	assert_string_equal(path_at(fixture, 11, 0x1800), "unmapped");
	map(fixture, 11, 0x1000, "/bin/python3");
	assert_string_equal(path_at(fixture, 11, 0x1800), "/bin/python3");
	assert_string_equal(path_at(fixture, 10, 0x1800), "/bin/sh");
	assert_string_equal(comm_of(fixture, 10, 10), "sh");
}

static void test_synthesized_fork_has_no_maps(void **state)
{
	struct fixture *fixture = *state;

	map(fixture, 10, 0x1000, "/bin/sh");
	apply(fixture, (struct record){.type = PERF_RECORD_FORK,
				       .misc = PERF_RECORD_MISC_FORK_EXEC,
				       .task = {12, 10, 12, 10, 0}});
	assert_string_equal(path_at(fixture, 12, 0x1800), "unmapped");
}

static void test_reused_pid_is_a_new_process(void **state)
{
	struct fixture *fixture = *state;

	name(fixture, 20, 20, "old", true);
	map(fixture, 20, 0x1000, "/bin/old");
	task(fixture, PERF_RECORD_EXIT, 20, 1, 20, 1);
	/* Its last samples may still come. */
	assert_string_equal(path_at(fixture, 20, 0x1800), "/bin/old");
	name(fixture, 10, 10, "sh", false);
	task(fixture, PERF_RECORD_FORK, 20, 10, 20, 10);
	assert_string_equal(path_at(fixture, 20, 0x1800), "unmapped");
	assert_string_equal(comm_of(fixture, 20, 20), "sh");
}

static void test_threads_have_names_of_their_own(void **state)
{
	struct fixture *fixture = *state;

	assert_null(comm_of(fixture, 30, 30));
	name(fixture, 30, 30, "main", true);
	task(fixture, PERF_RECORD_FORK, 30, 30, 31, 30);
	assert_string_equal(comm_of(fixture, 30, 31), "main");
	name(fixture, 30, 31, "worker\033[1m", false);
	assert_string_equal(comm_of(fixture, 30, 31), "worker\\x1b[1m");
	assert_string_equal(comm_of(fixture, 30, 30), "main");
	/* A thread never heard of. */
	assert_string_equal(comm_of(fixture, 30, 99), "main");
	task(fixture, PERF_RECORD_EXIT, 30, 30, 31, 30);
	assert_string_equal(comm_of(fixture, 30, 31), "main");
}

static void test_anonymous_and_kernel_maps(void **state)
{
	struct fixture *fixture = *state;

	map(fixture, 40, 0x1000, "//anon");
	assert_string_equal(path_at(fixture, 40, 0x1000), "anonymous");
	map(fixture, UINT32_MAX, 0x5000, "[kernel.kallsyms]_text");
	assert_null(fixture->timeline.processes->hh.next);
}

static void test_build_ids_by_path(void **state)
{
	struct fixture *fixture = *state;
	struct perf_build_id known[] = {
	    {.build_id = {1, 2}, .build_id_nr = 20, .path = "/lib/a.so"},
	    {.build_id = {9}, .build_id_nr = 20, .path = "/lib/a.so"},
	    {.build_id = {3}, .build_id_nr = 16, .path = "/lib/b.so"},
	};
	const struct mapping *mapping;
	uint8_t nr;

	assert_int_equal(timeline_add_build_ids(&fixture->timeline, known, 3), 0);
	map(fixture, 50, 0x1000, "/lib/b.so");
	map(fixture, 50, 0x2000, "/lib/a.so");
	mapping = address_space_find(&timeline_get(&fixture->timeline, 50)->space, 0x2000);
	assert_int_equal(module_build_id(mapping->module, &nr)[1], 2);
	assert_int_equal(nr, 20);
	mapping = address_space_find(&timeline_get(&fixture->timeline, 50)->space, 0x1000);
	assert_int_equal(module_build_id(mapping->module, &nr)[0], 3);
	assert_int_equal(nr, 16);
}

static void test_ended_processes_are_forgotten(void **state)
{
	struct fixture *fixture = *state;

	for (uint32_t pid = 1000; pid < 5000; pid++) {
		map(fixture, pid, 0x1000, "/bin/true");
		task(fixture, PERF_RECORD_EXIT, pid, 1, pid, 1);
		/* A thread of the first one lives on. */
		assert_non_null(timeline_get(&fixture->timeline, 1000));
	}
	assert_true(HASH_COUNT(fixture->timeline.processes) < 1000);
	assert_string_equal(path_at(fixture, 1000, 0x1000), "/bin/true");
	assert_string_equal(path_at(fixture, 4999, 0x1000), "/bin/true");
	assert_string_equal(path_at(fixture, 1001, 0x1000), "unmapped");
}

static void tell(struct fixture *fixture, struct payload_task task)
{
	task.cgroup_nr = task.cgroup ? (uint32_t)strlen(task.cgroup) : 0;
	assert_int_equal(timeline_apply_task(&fixture->timeline, &task), 0);
}

static void test_numbers(void **state)
{
	struct fixture *fixture = *state;
	struct process *process = timeline_get(&fixture->timeline, 10);

	assert_int_equal(process_ns_tid(process, 10), 0);
	assert_int_equal(process_ns_tid(process, 11), 0);
	tell(fixture,
	     (struct payload_task){.pid = 10, .tid = 10, .numbers_nr = 1, .numbers = {10}});
	assert_int_equal(process_ns_tid(process, 10), 10);
	assert_int_equal(process_ns_tid(process, 11), 11);
	/* In a namespace of its own only what was told is known. */
	tell(fixture,
	     (struct payload_task){.pid = 20, .tid = 20, .numbers_nr = 3, .numbers = {20, 5, 1}});
	tell(fixture,
	     (struct payload_task){.pid = 20, .tid = 22, .numbers_nr = 3, .numbers = {22, 7, 3}});
	process = timeline_get(&fixture->timeline, 20);
	assert_int_equal(process->ns_pid, 1);
	assert_int_equal(process_ns_tid(process, 20), 1);
	assert_int_equal(process_ns_tid(process, 21), 0);
	assert_int_equal(process_ns_tid(process, 22), 3);
}

static void test_cgroups(void **state)
{
	struct fixture *fixture = *state;
	const struct process *process = timeline_get(&fixture->timeline, 10);

	assert_null(process->cgroup);
	tell(fixture,
	     (struct payload_task){
		 .pid = 10, .tid = 10, .cgroup = "/lxc/a\033b", .numbers_nr = 1, .numbers = {10}});
	assert_string_equal(process->cgroup, "/lxc/a\\x1bb");
	assert_string_equal(process->container, "a\\x1bb");
	/* A child is where its parent is, under a number that is not known yet. */
	apply(fixture, (struct record){.type = PERF_RECORD_FORK, .task = {30, 10, 30, 10, 0}});
	process = timeline_get(&fixture->timeline, 30);
	assert_string_equal(process->container, "a\\x1bb");
	assert_int_equal(process->ns_pid, 0);
	tell(fixture, (struct payload_task){.pid = 30, .tid = 31, .cgroup = "/threads/have/none"});
	tell(fixture,
	     (struct payload_task){.pid = 30, .tid = 30, .numbers_nr = 1, .numbers = {30}});
	assert_string_equal(process->container, "a\\x1bb");
	tell(fixture, (struct payload_task){.pid = 30, .tid = 30, .cgroup = "/other"});
	assert_string_equal(process->container, "other");
	/* The number is used again: nothing of the one before is left. */
	apply(fixture, (struct record){.type = PERF_RECORD_EXIT, .task = {30, 10, 30, 10, 0}});
	apply(fixture, (struct record){.type = PERF_RECORD_FORK, .task = {30, 99, 30, 99, 0}});
	process = timeline_get(&fixture->timeline, 30);
	assert_null(process->cgroup);
	assert_int_equal(process->ns_pid, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup_teardown(test_fork_inherits_exec_forgets, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_synthesized_fork_has_no_maps, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_reused_pid_is_a_new_process, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_threads_have_names_of_their_own, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_anonymous_and_kernel_maps, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_build_ids_by_path, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_ended_processes_are_forgotten, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_numbers, setup, teardown),
	    cmocka_unit_test_setup_teardown(test_cgroups, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
