/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "record/child.h"

static void pause_ms(long ms)
{
	const struct timespec time = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};

	nanosleep(&time, NULL);
}

static void child_wait(struct child *child)
{
	for (int i = 0; i < 1000 && !child_poll(child); i++)
		pause_ms(10);
	assert_true(child->is_ended);
}

static int status_of(const char *script)
{
	char *command[] = {"/bin/sh", "-c", (char *)script, NULL};
	struct child child;

	assert_int_equal(child_create(command, &child), 0);
	assert_int_equal(child_start(&child), 0);
	child_wait(&child);
	child_finish(&child);
	return child_exit_status(&child);
}

static void test_status(void **state)
{
	(void)state;
	assert_int_equal(status_of("exit 0"), 0);
	assert_int_equal(status_of("exit 1"), 1);
	assert_int_equal(status_of("exit 255"), 255);
	assert_int_equal(status_of("kill -TERM $$"), 128 + SIGTERM);
	assert_int_equal(status_of("kill -KILL $$"), 128 + SIGKILL);
}

static void test_exec_fails(void **state)
{
	static const struct {
		const char *path;
		int error;
	} rows[] = {
	    {"/nowhere/program", -ENOENT}, {"no-such-program-anywhere", -ENOENT}, {"/", -EACCES}};

	(void)state;
	for (size_t i = 0; i < array_size(rows); i++) {
		char *command[] = {(char *)rows[i].path, NULL};
		struct child child;

		int error = child_create(command, &child);

		if (!error) { /* what only exec itself can tell */
			error = child_start(&child);
			child_wait(&child);
			assert_int_equal(child_exit_status(&child), 127);
			child_finish(&child);
		}
		assert_int_equal(error, rows[i].error);
	}
}

/* Nothing of the command runs before it is let go, and nothing at all when it is not. */
static void test_is_held_back(void **state)
{
	char path[] = "/tmp/pyrec-child-XXXXXX";
	int fd = mkstemp(path);
	char *command[] = {"/bin/rm", path, NULL};
	struct child child;

	(void)state;
	assert_true(fd >= 0);
	close(fd);
	assert_int_equal(child_create(command, &child), 0);
	pause_ms(100);
	assert_false(child_poll(&child));
	child_finish(&child); /* given up */
	assert_true(child.is_ended);
	assert_int_equal(access(path, F_OK), 0);
	assert_int_equal(child_create(command, &child), 0);
	assert_int_equal(child_start(&child), 0);
	child_wait(&child);
	assert_int_equal(access(path, F_OK), -1);
}

/* The command has its own signal mask, arguments and descriptors, none of the recorder's. */
static void test_inherits_nothing(void **state)
{
	char *command[] = {"/bin/sh",
			   "-c",
			   "test \"$(grep -c '^SigBlk:\t0*$' /proc/self/status)\" = 1 && "
			   "test \"$1\" = 'a  b' && test ! -e /proc/self/fd/77 && exit 9",
			   "sh",
			   "a  b",
			   NULL};
	sigset_t blocked, before;
	struct child child;

	(void)state;
	sigemptyset(&blocked);
	sigaddset(&blocked, SIGINT);
	sigaddset(&blocked, SIGCHLD);
	sigprocmask(SIG_BLOCK, &blocked, &before);
	assert_int_equal(dup3(STDERR_FILENO, 77, O_CLOEXEC), 77);
	assert_int_equal(child_create(command, &child), 0);
	assert_int_equal(child_start(&child), 0);
	child_wait(&child);
	assert_int_equal(child_exit_status(&child), 9);
	close(77);
	sigprocmask(SIG_SETMASK, &before, NULL);
}

static void test_finish_ends_it(void **state)
{
	char *command[] = {"/bin/sleep", "600", NULL};
	struct child child;

	(void)state;
	assert_int_equal(child_create(command, &child), 0);
	assert_int_equal(child_start(&child), 0);
	assert_false(child_poll(&child));
	child_finish(&child);
	assert_true(child.is_ended);
	assert_int_equal(child_exit_status(&child), 128 + SIGTERM);
	child_finish(&child); /* again: nothing happens */
	assert_int_equal(kill(child.pid, 0), -1);
}

/* It may end in its own way: a handler's work is waited for. */
static void test_finish_waits(void **state)
{
	char path[] = "/tmp/pyrec-child-XXXXXX";
	int fd = mkstemp(path);
	char *command[] = {"/bin/sh",
			   "-c",
			   "trap 'sleep 0.3; exit 5' TERM; echo ready >\"$1\"; "
			   "while :; do sleep 0.05; done",
			   "sh",
			   path,
			   NULL};
	struct child child;

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(child_create(command, &child), 0);
	assert_int_equal(child_start(&child), 0);
	for (int i = 0; i < 1000 && lseek(fd, 0, SEEK_END) == 0; i++)
		pause_ms(10);
	child_finish(&child);
	assert_int_equal(child_exit_status(&child), 5);
	close(fd);
	unlink(path);
}

static void test_finish_nothing(void **state)
{
	struct child none = {0};

	(void)state;
	child_finish(&none);
	assert_false(none.is_ended);
}

/* A recorder short of descriptors gets an errno, and loses none of those that it has. */
static void test_no_descriptors(void **state)
{
	char *command[] = {"/bin/true", NULL};
	int held[1024];
	int nr = 0;
	struct child child = {0};

	(void)state;
	while (nr < 1024 && (held[nr] = dup(STDERR_FILENO)) >= 0)
		nr++;
	if (nr < 1024) { /* all taken; then room for one pipe only */
		assert_int_equal(child_create(command, &child), -EMFILE);
		close(held[--nr]);
		close(held[--nr]);
		assert_int_equal(child_create(command, &child), -EMFILE);
		held[nr++] = dup(STDERR_FILENO);
		held[nr++] = dup(STDERR_FILENO);
		assert_true(held[nr - 2] >= 0 && held[nr - 1] >= 0);
	}
	while (nr > 0)
		close(held[--nr]);
}

int main(void)
{
	const struct rlimit few = {.rlim_cur = 256, .rlim_max = 256};
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_status),	   cmocka_unit_test(test_exec_fails),
	    cmocka_unit_test(test_is_held_back),   cmocka_unit_test(test_inherits_nothing),
	    cmocka_unit_test(test_finish_ends_it), cmocka_unit_test(test_finish_waits),
	    cmocka_unit_test(test_finish_nothing), cmocka_unit_test(test_no_descriptors),
	};

	setrlimit(RLIMIT_NOFILE, &few);
	setenv("PATH", "/usr/bin:/bin", 1); /* one that everybody may search */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
