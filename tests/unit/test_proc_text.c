/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <cmocka.h>

#include "common/proc_text.h"

struct map_row {
	const char *line;
	struct proc_map map;
};

static const struct map_row map_rows[] = {
    {"55d0c8a00000-55d0c8a2a000 r-xp 0000b000 fd:01 1048602    /usr/bin/python3.11\n",
     {0x55d0c8a00000, 0x55d0c8a2a000, 0xb000, PROT_READ | PROT_EXEC, false, 0xfd, 1, 1048602,
      "/usr/bin/python3.11", false}},
    {"7f0000000000-7f0000001000 rw-s 00000000 00:05 77                         /dev/shm/a b  c",
     {0x7f0000000000, 0x7f0000001000, 0, PROT_READ | PROT_WRITE, true, 0, 5, 77, "/dev/shm/a b  c",
      false}},
    {"7f0000000000-7f0000001000 r-xp 00002000 08:10 12 /opt/lib x.so (deleted)\n",
     {0x7f0000000000, 0x7f0000001000, 0x2000, PROT_READ | PROT_EXEC, false, 8, 0x10, 12,
      "/opt/lib x.so", true}},
    /* A file may be called so: only the last such ending is the kernel's. */
    {"7f0000000000-7f0000001000 r-xp 00000000 08:10 12 /tmp/x (deleted) (deleted)",
     {0x7f0000000000, 0x7f0000001000, 0, PROT_READ | PROT_EXEC, false, 8, 0x10, 12,
      "/tmp/x (deleted)", true}},
    {"7f0000000000-7f0000001000 r-xp 00000000 08:10 12 /tmp/(deleted)",
     {0x7f0000000000, 0x7f0000001000, 0, PROT_READ | PROT_EXEC, false, 8, 0x10, 12,
      "/tmp/(deleted)", false}},
    {"00400000-00401000 ---p 00000000 00:00 0 \n",
     {0x400000, 0x401000, 0, 0, false, 0, 0, 0, "", false}},
    {"00400000-00401000 rwxp 00000000 00:00 0",
     {0x400000, 0x401000, 0, PROT_READ | PROT_WRITE | PROT_EXEC, false, 0, 0, 0, "", false}},
    {"7ffd4a1f2000-7ffd4a1f4000 r-xp 00000000 00:00 0                          [vdso]\n",
     {0x7ffd4a1f2000, 0x7ffd4a1f4000, 0, PROT_READ | PROT_EXEC, false, 0, 0, 0, "[vdso]", false}},
    {"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]\n",
     {0xffffffffff600000, 0xffffffffff601000, 0, PROT_EXEC, false, 0, 0, 0, "[vsyscall]", false}},
    {"7f0000000000-7f0000001000 r--p fffff000 fe:fffff 18446744073709551615 /x",
     {0x7f0000000000, 0x7f0000001000, 0xfffff000, PROT_READ, false, 0xfe, 0xfffff, UINT64_MAX, "/x",
      false}},
};

static void test_map_parse(void **state)
{
	(void)state;
	for (size_t i = 0; i < array_size(map_rows); i++) {
		const struct proc_map *wanted = &map_rows[i].map;
		auto_free char *line = strdup(map_rows[i].line);
		struct proc_map map;

		assert_int_equal(proc_map_parse(line, &map), 0);
		assert_int_equal(map.start, wanted->start);
		assert_int_equal(map.end, wanted->end);
		assert_int_equal(map.file_offset, wanted->file_offset);
		assert_int_equal(map.prot, wanted->prot);
		assert_int_equal(map.is_shared, wanted->is_shared);
		assert_int_equal(map.device_major, wanted->device_major);
		assert_int_equal(map.device_minor, wanted->device_minor);
		assert_int_equal(map.inode, wanted->inode);
		assert_string_equal(map.path, wanted->path);
		assert_int_equal(map.is_deleted, wanted->is_deleted);
	}
}

static void test_map_parse_refuses(void **state)
{
	static const char *const lines[] = {
	    "",
	    "\n",
	    "VmFlags: rd ex mr mw me",
	    "7f0000000000 r-xp 00000000 08:10 12 /x",
	    "7f0000000000-7f0000001000",
	    "7f0000000000-7f0000001000 r-xp 00000000 08:10",
	    "7f0000000000-7f0000001000 r-xp 00000000 0810 12 /x",
	    "7f0000000000-7f0000001000 r 00000000 08:10 12 /x",
	    "zzzz-7f0000001000 r-xp 00000000 08:10 12 /x",
	};

	(void)state;
	for (size_t i = 0; i < array_size(lines); i++) {
		auto_free char *line = strdup(lines[i]);
		struct proc_map map;

		assert_int_equal(proc_map_parse(line, &map), -EBADMSG);
	}
}

/* Where the dynamic linker says that this code is, /proc must say it too. */
static void test_map_of_this_program(void **state)
{
	const uint64_t here = (uint64_t)(uintptr_t)test_map_of_this_program;
	auto_free char *program = realpath("/proc/self/exe", NULL);
	auto_free char *text = NULL;
	size_t found_nr = 0;
	char *line, *rest;
	size_t nr;

	(void)state;
	assert_int_equal(proc_file_read("/proc/self/maps", &text, &nr), 0);
	assert_int_equal(strlen(text), nr);
	for (rest = text; (line = strsep(&rest, "\n")) != NULL && *line;) {
		struct proc_map map;

		assert_int_equal(proc_map_parse(line, &map), 0);
		if (here < map.start || here >= map.end)
			continue;
		found_nr++;
		assert_string_equal(map.path, program);
		assert_true(map.prot & PROT_EXEC);
		assert_false(map.is_shared);
	}
	assert_int_equal(found_nr, 1);
}

#define STAT_TAIL                                                               \
	" 0 0 0 -1 4194560 10 20 30 40 50 60 70 80 20 0 3 0 987654321 4096 5 "  \
	"18446744073709551615 94000000001 94000000002 140700000000003 0 0 0 0 " \
	"0 0 0 0 0 17 1 0 0 0 0 0\n"

static void test_stat_parse(void **state)
{
	static const struct {
		const char *text;
		const char *comm;
	} rows[] = {
	    {"77 (python3) S 42" STAT_TAIL, "python3"},
	    {"77 (a b  c) R 42" STAT_TAIL, "a b  c"},
	    {"77 (evil) S 1 (x) R 42" STAT_TAIL, "evil) S 1 (x"},
	    {"77 (()) Z 42" STAT_TAIL, "()"},
	    {"77 (a\nb) D 42" STAT_TAIL, "a\nb"},
	    {"77 () I 42" STAT_TAIL, ""},
	    /* The kernel's own threads have long names: cut. */
	    {"77 (kworker/u16:3-events_unbound_and_more) I 42" STAT_TAIL,
	     "kworker/u16:3-events_unbound_an"},
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		struct proc_stat status;

		assert_int_equal(proc_stat_parse(rows[i].text, &status), 0);
		assert_string_equal(status.comm, rows[i].comm);
		assert_int_equal(status.parent_pid, 42);
		assert_int_equal(status.start_ticks, 987654321);
		assert_int_equal(status.start_code, 94000000001);
		assert_int_equal(status.start_stack, 140700000000003);
	}
}

static void test_stat_parse_refuses(void **state)
{
	static const char *const texts[] = {"",
					    "77",
					    "77 python S 42",
					    "77 (python",
					    "77 )python( S 42" STAT_TAIL,
					    "77 (python)",
					    "77 (python) ",
					    "77 (python) S",
					    "77 (python) S 42 0 0 0",
					    "77 (python) S forty-two" STAT_TAIL};

	(void)state;
	for (size_t i = 0; i < array_size(texts); i++) {
		struct proc_stat status;

		assert_int_equal(proc_stat_parse(texts[i], &status), -EBADMSG);
	}
}

static void test_stat_of_this_process(void **state)
{
	struct proc_stat status;
	char name[] = ") R 1 (x y";

	(void)state;
	assert_int_equal(prctl(PR_SET_NAME, name), 0);
	assert_int_equal(proc_stat_read((uint32_t)getpid(), &status), 0);
	assert_string_equal(status.comm, name);
	assert_int_equal(status.parent_pid, getppid());
	assert_true(status.start_ticks > 0);
	/* argv and the environment lie above where the stack began; this frame below it. */
	assert_true(status.start_stack > (uint64_t)(uintptr_t)&status);
	assert_true(status.start_stack < (uint64_t)getauxval(AT_RANDOM));
}

static void test_cgroup_parse(void **state)
{
	static const struct {
		const char *text;
		const char *cgroup;
	} rows[] = {
	    {"0::/system.slice/x.service\n", "/system.slice/x.service"},
	    {"0::/\n", "/"},
	    {"", ""},
	    {"nonsense\n:\n::\n1:memory\n1:memory:relative\n", ""},
	    /* Both versions at once. */
	    {"4:memory:/docker/a\n3:pids:/docker/b\n1:name=systemd:/c\n0::/system.slice/d\n",
	     "/docker/a"},
	    {"0::/d\n4:memory:/\n3:pids:/docker/b\n", "/docker/b"},
	    {"0::/d\n4:memory:/\n3:cpu,pids,rdma:/b\n", "/b"},
	    {"4:memory:/\n3:pids:/\n1:cpu:/c\n0::/d\n", "/d"},
	    {"4:memory:/\n3:pids:/\n1:cpu:/c\n0::/\n", "/"},
	    {"9:mem:/x\n8:memory2:/y\n7:hugetlb:/z\n", "/"},
	    {"2:memory:/a:b c\n", "/a:b c"},
	    {"0::/../../outside\n", "/../../outside"},
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		auto_free char *text = strdup(rows[i].text);

		assert_string_equal(proc_cgroup_parse(text), rows[i].cgroup);
	}
}

static void test_numbers_parse(void **state)
{
	static const struct {
		const char *text;
		uint32_t nr;
		uint32_t numbers[3];
	} rows[] = {
	    {"Name:\tx\nNSpid:\t77\nNSpgid:\t5\n", 1, {77}},
	    {"Name:\tx\nNSpid:\t77\t12\t1\nNSpgid:\t5\n", 3, {77, 12, 1}},
	    {"Name:\tx\nNSpid:\t77\t12\t1\t9\n", 3, {77, 12, 1}}, /* no room */
	    {"Name:\tx\nNSpid:\t77\t12", 2, {77, 12}},
	    {"Name:\tx\nNSpid:\t\n", 0, {0}},
	    {"Name:\tx\nNSpid:", 0, {0}},
	    {"Name:\tNSpid:\t3\nPid:\t3\n", 0, {0}},
	    {"", 0, {0}},
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		uint32_t numbers[3] = {0};

		assert_int_equal(proc_numbers_parse(rows[i].text, numbers, 3), rows[i].nr);
		assert_memory_equal(numbers, rows[i].numbers, sizeof(numbers));
	}
}

static void test_numbers_of_this_process(void **state)
{
	auto_free char *text = NULL;
	uint32_t numbers[33];
	uint32_t numbers_nr;
	size_t nr;

	(void)state;
	assert_int_equal(proc_file_read("/proc/self/status", &text, &nr), 0);
	numbers_nr = proc_numbers_parse(text, numbers, array_size(numbers));
	assert_true(numbers_nr >= 1);
	assert_int_equal(numbers[numbers_nr - 1], getpid());
}

static void test_clock_shift_parse(void **state)
{
	static const struct {
		const char *text;
		struct proc_clock_shift shift;
	} rows[] = {
	    {"monotonic           0         0\nboottime            0         0\n", {0, 0}},
	    {"monotonic       50000         7\nboottime       100000 999999999\n",
	     {50000000000007, 100000999999999}},
	    {"monotonic          -1 500000000\nboottime           -3         0\n",
	     {-500000000, -3000000000}},
	    {"boottime 1 2", {0, 1000000002}},
	    {"other 1 2\nmonotonic 1\nboottime x y\n", {0, 0}},
	    {"monotonic 9223372036854775807 0\n", {0, 0}},
	    {"\n\n", {0, 0}},
	    {"", {0, 0}},
	};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		const struct proc_clock_shift shift = proc_clock_shift_parse(rows[i].text);

		assert_true(shift.monotonic_ns == rows[i].shift.monotonic_ns);
		assert_true(shift.boottime_ns == rows[i].shift.boottime_ns);
	}
}

static void test_gone(void **state)
{
	struct proc_stat status;
	char *text = NULL;
	size_t nr;

	(void)state;
	assert_int_equal(proc_stat_read(0x7ffffffe, &status), -ENOENT);
	assert_int_equal(proc_file_read("/proc/self", &text, &nr), -EISDIR);
	assert_null(text);
}

struct visit {
	uint32_t nr;
	uint32_t wanted;
	uint32_t stop_value;
	bool has_wanted;
};

static int visit_number(void *context, uint32_t number)
{
	struct visit *visit = context;

	visit->nr++;
	visit->has_wanted |= number == visit->wanted;
	return number == visit->wanted ? (int)visit->stop_value : 0;
}

static void test_numbers_visit(void **state)
{
	struct visit all = {.wanted = (uint32_t)getpid()};
	struct visit one = {.wanted = (uint32_t)getpid(), .stop_value = 7};

	(void)state;
	assert_int_equal(proc_numbers_visit("/proc", visit_number, &all), 0);
	assert_true(all.has_wanted);
	assert_int_equal(proc_numbers_visit("/proc", visit_number, &one), 7);
	assert_true(one.nr <= all.nr + 1);
	one = (struct visit){.wanted = (uint32_t)getpid()};
	assert_int_equal(proc_numbers_visit("/proc/self/task", visit_number, &one), 0);
	assert_true(one.has_wanted);
	assert_int_equal(proc_numbers_visit("/proc/self/nothing", visit_number, &one), -ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_map_parse),
	    cmocka_unit_test(test_map_parse_refuses),
	    cmocka_unit_test(test_map_of_this_program),
	    cmocka_unit_test(test_stat_parse),
	    cmocka_unit_test(test_stat_parse_refuses),
	    cmocka_unit_test(test_stat_of_this_process),
	    cmocka_unit_test(test_cgroup_parse),
	    cmocka_unit_test(test_numbers_parse),
	    cmocka_unit_test(test_numbers_of_this_process),
	    cmocka_unit_test(test_clock_shift_parse),
	    cmocka_unit_test(test_gone),
	    cmocka_unit_test(test_numbers_visit),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
